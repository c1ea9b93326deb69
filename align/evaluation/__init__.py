"""Benchmarks by name: scored, kept, compared.

In: an encoder and test sets. Out: result files, and what differs between models beyond chance.
"""

"""Sparse lexical vectors of texts by an encoder's masked-LM head: what the terms are, their weights, rows of matrices.

In: last states of tokens, the head, settings that an encoder's folder keeps. Out: a weight for each text and term.
"""

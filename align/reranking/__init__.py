"""Candidates that a search found, in a new order: a scorer reads query and candidate together.

In: an encoder and pairs with hard negatives, or hits of a search. Out: a scorer folder, or the hits in their new order.
"""

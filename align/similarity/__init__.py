"""Numbers on matrices of vectors, in numpy: cosine, the best k, ranks, CSLS, margin scores.

In: (n, d) arrays. Out: arrays. Knows nothing of text, models or folders.
"""

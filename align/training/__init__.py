"""From a recipe and a pair table to a checkpoint.

In: an encoder, a table of ``align.pairs``, a recipe. Out: an aligned encoder, its card and its history. The way of a
batch: ``store`` (tokenised once), ``sampling`` (which rows), ``batches`` (tensors), ``step`` (vectors, objectives).
"""

"""Finding rows: an index over a folder of vectors, exact or FAISS, searched by vectors or by text.

In: a folder of vectors, queries. Out: hits with ids and cosines.
"""

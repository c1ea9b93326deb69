"""Folders of vectors on disk: written part by part, read, repaired; word vectors as text files.

In: a corpus and an encoder (``corpus/``), or arrays. Out: a folder with ids, texts, labels and a manifest.
"""

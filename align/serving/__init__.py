"""An encoder and its indexes behind HTTP: a page to search on, a JSON API, and OpenAI's embeddings.

In: an encoder, indexes, requests. Out: vectors, hits, and how each text was read.
"""

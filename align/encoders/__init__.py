"""An encoder: model, tokenizer and pooling, loaded, saved and run; texts in, vectors out.

In: a name or folder, texts. Out: (n, d) vectors of sentences, words, layers. Knows nothing of training or tasks.
"""

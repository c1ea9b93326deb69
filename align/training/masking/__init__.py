"""What masked-LM objectives read: texts with hidden pieces, both texts of a pair in one sequence, switched words.

In: pieces of tokenised texts, shares, a source of randomness. Out: what the encoder reads, and what it is to predict.
"""

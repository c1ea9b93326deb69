"""What near vectors say: the pairs of two corpora, and the texts that are near to a pair but wrong.

Bitext: ``mining`` finds the pairs, from ``neighbours`` of two ``sides``; ``pairs`` judges and writes them. Tables of
pairs: ``negatives`` adds hard negatives; ``searches`` looks for ``other_meanings`` in a ``coded`` table.
"""

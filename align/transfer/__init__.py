"""Which language serves another best: a predictor of transfer, learnt from scores that are there already.

In: (source, target, score) of one's own runs, and what is known of languages (typology, texts, an encoder). Out:
sources ranked for a target, known or new, and how well that holds for targets that were held out.
"""

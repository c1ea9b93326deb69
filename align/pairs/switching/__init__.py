"""Code-switching: words of a sentence in another language, by a dictionary, by links to a translation, by entities.

In come texts, and what their words are elsewhere; out come mixed texts, with the places that were changed.
"""

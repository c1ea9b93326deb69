"""Bilingual lexicon induction: is the nearest word of the other language a translation?"""

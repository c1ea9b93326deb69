"""Evaluation data read: bitext, labelled text, STS and word similarity sets, dictionaries, vocabularies."""

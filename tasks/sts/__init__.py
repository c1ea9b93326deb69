"""Semantic textual similarity: does the cosine of two sentences follow what people say?"""

"""Sentence retrieval: does the nearest sentence of the other language say the same?"""

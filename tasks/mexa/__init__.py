"""MEXA: at which layers is a sentence nearest to its translation?"""

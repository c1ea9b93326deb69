"""Bitext mining: ``mining`` finds the pairs, from ``neighbours`` of two ``sides``; ``pairs`` judges and writes them."""

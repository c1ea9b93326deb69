"""Adapters, trained while the weights of the encoder stay: low-rank ones, merged at the end, and bottlenecks, kept."""

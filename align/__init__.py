"""Align: contrastive representation alignment for multilingual encoders."""

__version__ = "0.1.0"

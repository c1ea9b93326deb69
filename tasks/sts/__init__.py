"""Semantic textual similarity: does the cosine of two sentences follow what people say?"""

from align.tasks.sts.task import sts

__all__ = ["sts"]

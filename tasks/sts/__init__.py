"""Semantic textual similarity: does the cosine of two sentences follow what people say?"""

from align.tasks.sts.task import TASK, sts

__all__ = ["TASK", "sts"]

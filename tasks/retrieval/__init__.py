"""Sentence retrieval: does the nearest sentence of the other language say the same?"""

from align.tasks.retrieval.task import TASK, retrieval

__all__ = ["TASK", "retrieval"]

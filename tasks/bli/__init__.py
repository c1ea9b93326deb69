"""Bilingual lexicon induction: is the nearest word of the other language a translation?"""

from align.tasks.bli.task import TASK, bli

__all__ = ["TASK", "bli"]

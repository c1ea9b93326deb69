"""Bilingual lexicon induction: is the nearest word of the other language a translation?"""

from align.tasks.bli.task import bli

__all__ = ["bli"]

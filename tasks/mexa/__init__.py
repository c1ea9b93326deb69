"""MEXA: at which layers is a sentence nearest to its translation?"""

from align.tasks.mexa.task import TASK, mexa

__all__ = ["TASK", "mexa"]

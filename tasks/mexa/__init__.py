"""MEXA: at which layers is a sentence nearest to its translation?"""

from align.tasks.mexa.task import mexa

__all__ = ["mexa"]

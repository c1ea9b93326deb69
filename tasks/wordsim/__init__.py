"""Word similarity: does the cosine of two words follow what people say of their likeness?"""

from align.tasks.wordsim.task import TASK, wordsim

__all__ = ["TASK", "wordsim"]

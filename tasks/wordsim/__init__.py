"""Word similarity: does the cosine of two words follow what people say of their likeness?"""

from align.tasks.wordsim.task import wordsim

__all__ = ["wordsim"]

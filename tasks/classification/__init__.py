"""Classification on frozen vectors: what is learned in one language, does it hold in others?"""

from align.tasks.classification.task import classification

__all__ = ["classification"]

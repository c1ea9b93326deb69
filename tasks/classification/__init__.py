"""Classification on frozen vectors: what is learned in one language, does it hold in others?"""

from align.tasks.classification.task import TASK, classification

__all__ = ["TASK", "classification"]

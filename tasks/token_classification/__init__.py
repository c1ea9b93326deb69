"""Classes of words in their sentences (part of speech, named entities): what is learned in one language, elsewhere."""

from align.tasks.token_classification.task import TASK, token_classification

__all__ = ["TASK", "token_classification"]

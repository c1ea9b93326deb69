"""How the classes of words are learnt and scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from align.errors import InputError
from align.files.conllu import COLUMNS
from align.tasks.learning import TunedProtocol, check_tuning
from align.tasks.texts.tagged import SPANS


@dataclass(frozen=True)
class Tagging(TunedProtocol):
    """Which labels of words, learnt how, in which language; frozen vectors have one optimum, whatever the seeds."""

    name: str
    headline: str
    """``accuracy`` of words, or ``f1`` of spans."""
    labels: str = "upos"
    """A column of CoNLL-U (``upos``, ``xpos``, ``deprel``), or ``spans``: the tags of IOB2."""
    tuned: bool = False
    """Whether the encoder is tuned with the linear layer; else the layer reads its frozen vectors."""
    penalty: float | None = None
    """L2, of the layer on frozen vectors; ``None``: the best on the dev part."""
    twin: str = ""
    """A romaniser, or a folder of romanised files: the test sets are scored in Latin letters, too."""

    def __post_init__(self) -> None:
        """Refuse labels that are none, a headline of other labels, and numbers out of range."""
        if self.labels != SPANS and self.labels not in COLUMNS[2:]:
            known = ", ".join((*COLUMNS[2:], SPANS))
            raise InputError(f"protocol {self.name}: labels is {self.labels!r}; expected one of {known}")
        expected = "f1" if self.labels == SPANS else "accuracy"
        if self.headline not in (expected, "accuracy"):
            raise InputError(f"protocol {self.name}: headline is {self.headline!r}; {self.labels} have {expected}")
        if self.penalty is not None and not self.penalty > 0:
            raise InputError(f"protocol {self.name}: expected a penalty above 0, got {self.penalty}")
        check_tuning(self)

    @property
    def twin_name(self) -> str:
        """Name of the romaniser or of the folder."""
        return Path(self.twin).name

    def describe(self) -> str:
        """One line for the head of a table."""
        labels = "spans of IOB2" if self.labels == SPANS else f"{self.labels} of words"
        if self.tuned:
            rows = " but its word embeddings" if self.freeze_embeddings else ""
            how = (
                f"a linear layer and the encoder{rows} tuned, at most {self.epochs} epochs, the best on the dev part, "
                f"{self.seeds} seeds together"
            )
        else:
            penalty = "best on the dev part" if self.penalty is None else f"{self.penalty:g}"
            how = f"a linear layer on frozen, standardised vectors, L2 penalty {penalty}"
        score = "span F1 (micro, as seqeval)" if self.headline == "f1" else "accuracy of words"
        twin = f"; romanised twin ({self.twin_name}): the same words in Latin letters, in no other mean"
        return (
            f"{labels}, learnt in {self.train}: {how}; the first piece carries the label; words that the encoder does "
            f"not read are not scored; headline {score}" + twin * bool(self.twin)
        )


PROTOCOLS: Mapping[str, Tagging] = {
    one.name: one
    for one in (
        Tagging("pos", "accuracy"),
        Tagging("pos-tuned", "accuracy", tuned=True),
        Tagging("ner", "f1", SPANS),
        Tagging("ner-tuned", "f1", SPANS, tuned=True),
    )
}

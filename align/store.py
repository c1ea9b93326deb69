"""Pairs as flat integer arrays: tokenised once, so that samplers and batches never see a string."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from align.errors import InputError

if TYPE_CHECKING:
    from datasets import Dataset

    from align.encoder import Encoder

BLOCK = 8192  # texts handed to the tokenizer at once


@dataclass(frozen=True)
class Tokens:
    """n texts as one array of ids: text i is ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[np.int32]
    """All ids, one text after the other."""
    offsets: NDArray[np.int64]
    """(n + 1,) where each text starts."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        """Ids of one text."""
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens per text."""
        return np.diff(self.offsets)


def tokenize(texts: Sequence[str], encoder: Encoder, *, max_tokens: int, progress: bool = False) -> Tokens:
    """Tokenise texts with the encoder's prompt and special tokens; at most ``max_tokens`` of each."""
    parts, lengths = [np.empty(0, dtype=np.int32)], []
    for start in tqdm(range(0, len(texts), BLOCK), desc="tokenise", unit="block", disable=not progress):
        for row in encoder.tokenize(texts[start : start + BLOCK], max_tokens=max_tokens):
            parts.append(np.asarray(row, dtype=np.int32))
            lengths.append(len(row))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    return Tokens(np.concatenate(parts), offsets)


@dataclass(frozen=True)
class PairStore:
    """Tokenised pairs of one or several tables, and what the sampler needs to know of them."""

    source: Tokens
    """Source side (native script, premise)."""
    target: Tokens
    """Target side (romanisation, translation, entailed hypothesis)."""
    languages: NDArray[np.int64]
    """(n,) index into ``names`` of the source language."""
    names: tuple[str, ...]
    """Language codes, sorted."""
    language_pairs: NDArray[np.int64]
    """(n,) integer of the two languages of each pair, in either order."""
    groups: NDArray[np.int64]
    """(n,) integer meaning of each pair."""
    tables: NDArray[np.int64]
    """(n,) index into ``table_names``."""
    table_names: tuple[str, ...]
    """Names of the tables, in the order of their rows."""
    digest: str
    """Hash of all columns that training reads."""
    negative: Tokens | None = None
    """A text known to be wrong for each pair, where the objectives ask for it."""
    scores: NDArray[np.float64] | None = None
    """(n,) similarities in 0..1, where the objectives ask for them."""
    labels: NDArray[np.int64] | None = None
    """(n,) index into ``label_names``, where the objectives ask for it."""
    label_names: tuple[str, ...] = ()
    """Labels, sorted."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of the longest text of a pair."""
        longest: NDArray[np.int64] = np.maximum(self.source.lengths, self.target.lengths)
        return np.maximum(longest, self.negative.lengths) if self.negative else longest


NEEDED = ("source", "target", "source_lang", "target_lang", "group_id")


def build_store(
    pairs: Dataset | Mapping[str, Dataset],
    encoder: Encoder,
    *,
    max_tokens: int,
    columns: Sequence[str] = (),
    progress: bool = False,
) -> PairStore:
    """Tokenise pair tables, one after the other.

    Args:
        pairs: a table, or several by name; equal ``group_id`` mean the same in all of them.
        encoder: its tokenizer, prompt and special tokens are used.
        max_tokens: longer texts are cut.
        columns: optional columns that the objectives read (negative, score, label): every row must have a value.
        progress: show bars.

    Raises:
        InputError: a table lacks a column, a value or any row, or a score is outside 0..1.
    """
    tables = pairs if isinstance(pairs, Mapping) else {"pairs": pairs}
    values: dict[str, list[Any]] = {name: [] for name in (*NEEDED, *columns)}
    for table, rows in tables.items():
        for name, column in values.items():
            column += _column(rows, name, table)
    digest = hashlib.sha256()
    for row in zip(*values.values(), strict=True):
        digest.update("\x1f".join(map(str, row)).encode("utf-8", "surrogatepass") + b"\n")
    names, languages = np.unique(np.array(values["source_lang"]), return_inverse=True)
    _, both = np.unique(np.array([values["source_lang"], values["target_lang"]]), return_inverse=True)
    low, high = np.sort(both.reshape(2, -1), axis=0)
    _, language_pairs = np.unique(low * (both.max() + 1) + high, return_inverse=True)
    _, groups = np.unique(np.array([str(g) for g in values["group_id"]]), return_inverse=True)
    label_names, labels = np.unique(np.array(values.get("label", [])), return_inverse=True)

    def side(name: str) -> Tokens:
        return tokenize(values[name], encoder, max_tokens=max_tokens, progress=progress)

    return PairStore(
        source=side("source"),
        target=side("target"),
        languages=languages.astype(np.int64),
        names=tuple(str(name) for name in names),
        language_pairs=language_pairs.astype(np.int64),
        groups=groups.astype(np.int64),
        tables=np.repeat(np.arange(len(tables)), [len(rows) for rows in tables.values()]),
        table_names=tuple(tables),
        digest=digest.hexdigest(),
        negative=side("negative") if "negative" in values else None,
        scores=np.array(values["score"], dtype=np.float64) if "score" in values else None,
        labels=labels.astype(np.int64) if "label" in values else None,
        label_names=tuple(str(name) for name in label_names),
    )


def _column(rows: Dataset, name: str, table: str) -> list[Any]:
    """All values of a column, checked."""
    if name not in rows.column_names:
        why = "" if name in NEEDED else f", which an objective of this recipe reads: {WHERE[name]}"
        raise InputError(f"the table {table!r} lacks the column {name}{why}; found {', '.join(rows.column_names)}")
    values = list(rows[name])
    if not values:
        raise InputError(f"the table {table!r} is empty: there is nothing to train on")
    for number, value in enumerate(values if name not in NEEDED else (), 1):
        if value is None or value == "":
            raise InputError(
                f"the table {table!r}, row {number}: {name} is empty; an objective of this recipe reads it"
            )
        if name == "score" and not 0 <= value <= 1:
            raise InputError(f"the table {table!r}, row {number}: expected a score in 0..1, got {value}")
    return values


WHERE = {
    "negative": "align pairs nli writes it; without it, set multiple_negatives.hard_negatives = false",
    "score": "align pairs sts writes it",
    "label": "align pairs nli --form labels writes it",
}

"""A table of pairs as numbers: its texts, each once, what they mean, and which may be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from align.pairs.meanings import group_numbers, linked, text_numbers
from align.pairs.table import negative_columns
from align.pairs.text_columns import as_text

if TYPE_CHECKING:
    from datasets import Dataset

Ints = NDArray[np.int64]


class Pool(NamedTuple):
    """Sources and targets that may be compared: all, or those of pairs of one target language."""

    rows: Ints
    """By source."""
    bounds: Ints
    """(q + 1,) where in ``rows`` those of each source begin."""
    candidates: Ints
    """(c,) a row of each target; of those that ``normalised`` makes equal the first."""

    def rows_of(self, queries: Ints) -> tuple[Ints, Ints]:
        """The rows of (b,) sources, one source after the other, and to which of the b each belongs."""
        spans = [self.rows[self.bounds[query] : self.bounds[query + 1]] for query in queries.tolist()]
        return np.concatenate(spans), np.repeat(np.arange(len(queries)), list(map(len, spans)))


@dataclass(frozen=True)
class Coded:
    """The columns of a table; n rows."""

    source_texts: pa.Array
    target_texts: pa.Array
    sources: Ints
    """(n,) places in ``source_texts``."""
    targets: Ints
    """(n,) places in ``target_texts``."""
    target_numbers: Ints
    """(n,) hashes of the targets, equal for texts that ``normalised`` makes equal."""
    own: Ints
    """(n, m) the same of the negatives that the table has."""
    meanings: Ints
    """(n,) rows that share a group or a text, or that others link, have one."""
    pools: Ints
    """(n,) of each row."""

    @property
    def largest(self) -> int:
        """Rows of the meaning that has most."""
        return int(np.unique(self.meanings, return_counts=True)[1].max())

    def digest(self) -> str:
        """Hash of all columns."""
        found = hashlib.sha256()
        for texts in (self.source_texts, self.target_texts):
            for buffer in texts.buffers():
                found.update(buffer or b"")
        for numbers in (self.sources, self.targets, self.own, self.meanings, self.pools):
            found.update(repr(numbers.shape).encode() + numbers.tobytes())
        return found.hexdigest()

    def each_pool(self) -> Iterator[Pool]:
        """The pools in turn; every row's source is in that of the row."""
        for number in range(int(self.pools.max()) + 1):
            rows = np.flatnonzero(self.pools == number)
            candidates = rows[np.sort(np.unique(self.target_numbers[rows], return_index=True)[1])]
            rows = rows[np.argsort(self.sources[rows], kind="stable")]
            yield Pool(rows, np.flatnonzero(np.diff(self.sources[rows], prepend=-1, append=-1)), candidates)


def coded(pairs: Dataset, *, same_language: bool) -> Coded:
    """The columns of a table; its texts are then in memory."""
    table = pairs.with_format("arrow")[:]
    sources, targets = (as_text(table[side]).dictionary_encode() for side in ("source", "target"))
    numbers = {side: text_numbers(table[side]) for side in ("source", "target")}
    own = [text_numbers(as_text(table[name].fill_null(""))) for name in negative_columns(table.column_names)]
    keys = np.stack([group_numbers(table["group_id"]), *numbers.values()], axis=1)
    languages = as_text(table["target_lang"]).dictionary_encode()
    return Coded(
        sources.dictionary, targets.dictionary, _places(sources), _places(targets), numbers["target"],
        np.stack(own, axis=1) if own else np.empty((len(table), 0), dtype=np.int64),
        linked(keys), _places(languages) if same_language else np.zeros(len(table), dtype=np.int64),
    )  # fmt: skip


def _places(column: Any) -> Ints:
    places: Ints = column.indices.to_numpy().astype(np.int64)
    return places

"""The columns of pair tables that training reads, block by block: checked, hashed and turned into integers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.errors import InputError
from align.text.normal_forms import normalised

if TYPE_CHECKING:
    from datasets import Dataset

BLOCK = 8192  # rows held at once
NEEDED = ("source", "target", "source_lang", "target_lang", "group_id")
TEXTS = ("source", "target", "negative")
WHERE = {
    "negative": "align pairs nli writes it; without it, set multiple_negatives.hard_negatives = false",
    "score": "align pairs sts writes it",
    "label": "align pairs nli --form labels writes it",
}


@dataclass(frozen=True)
class Survey:
    """What one pass over the tables says of them."""

    digest: str
    """Hash of the values of all columns read, in their order; how the tables are cut into chunks does not matter."""
    rows: Mapping[str, int]
    """Rows of each table."""
    names: tuple[str, ...]
    """Source languages, sorted."""
    language_pairs: tuple[tuple[str, str], ...]
    """Languages of a pair, each pair sorted, and sorted."""
    label_names: tuple[str, ...]
    """Labels, sorted."""


def read_blocks(rows: Dataset, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Up to ``BLOCK`` rows at a time, as Arrow columns by name."""
    for block in rows.select_columns(list(columns)).with_format("arrow").iter(batch_size=BLOCK):
        yield {name: block.column(name) for name in columns}


def survey(tables: Mapping[str, Dataset], columns: Sequence[str]) -> Survey:
    """Check and hash all values of the columns.

    Raises:
        InputError: a table lacks a column, a value or any row, or a score is outside 0..1.
    """
    for table, rows in tables.items():
        _check_shape(rows, columns, table)
    hashes = {name: (hashlib.sha256(), hashlib.sha256()) for name in columns}
    sources: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    labels: dict[str, Any] = {}
    for table, rows in tables.items():
        first = 1
        for block in read_blocks(rows, columns):
            for name, column in block.items():
                _check_values(column, name, f"the table {table!r}", first)
                for running, part in zip(hashes[name], _content(column, name), strict=True):
                    running.update(part)
            both = pa.table({side: as_text(block[f"{side}_lang"]) for side in ("source", "target")})
            found = both.group_by(["source", "target"]).aggregate([]).to_pylist()
            sources |= {row["source"] for row in found}
            pairs |= {(min(row.values()), max(row.values())) for row in found}
            if "label" in block:
                labels |= {str(value): value for value in pc.unique(block["label"]).to_pylist()}
            first += len(block["source"])
    content = [(name, *(running.hexdigest() for running in hashes[name])) for name in columns]
    return Survey(
        digest=hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        rows={table: len(rows) for table, rows in tables.items()},
        names=tuple(sorted(sources)),
        language_pairs=tuple(sorted(pairs)),
        label_names=tuple(sorted(labels, key=lambda name: (isinstance(labels[name], str), labels[name]))),
    )


def integers(block: Mapping[str, Any], facts: Survey) -> dict[str, NDArray[Any]]:
    """Arrays of a block, named as fields of a PairStore: languages, language_pairs, groups, negative_texts, ..."""
    every = sorted({language for pair in facts.language_pairs for language in pair})
    place = {language: i for i, language in enumerate(every)}
    known = np.array([[place[language] for language in pair] for pair in facts.language_pairs])  # (p, 2), sorted
    codes = np.sort([_places(block[f"{side}_lang"], every) for side in ("source", "target")], axis=0)  # (2, n)
    arrays: dict[str, NDArray[Any]] = {
        "languages": _places(block["source_lang"], facts.names),
        "language_pairs": np.searchsorted(known @ [len(every), 1], [len(every), 1] @ codes),
        "groups": np.stack(
            [group_numbers(block["group_id"]), text_numbers(block["source"]), text_numbers(block["target"])], axis=1
        ),
    }
    if "negative" in block:
        arrays["negative_texts"] = text_numbers(block["negative"])
    if "score" in block:
        arrays["scores"] = _as_numbers(block["score"])
    if "label" in block:
        arrays["labels"] = _places(block["label"], facts.label_names)
    return arrays


def group_numbers(groups: Any) -> NDArray[np.int64]:
    """(n,) 63-bit hashes of the names of meanings: equal names have equal numbers in every table and every run.

    Two of g different names collide with a probability of about g ** 2 / 2 ** 64: 5e-6 for ten million. All that a
    collision does is to spare one pair from being the negative of another, and a batch from holding both.
    """
    return _numbers(groups, str, kind=b"")


def text_numbers(texts: Any) -> NDArray[np.int64]:
    """(n,) 63-bit hashes of texts: those that ``normalised`` makes equal have equal numbers, in any column.

    A text that reads like the name of a group has another number than the group.
    """
    return _numbers(texts, normalised, kind=b"text")


def _numbers(column: Any, name: Callable[[str], str], *, kind: bytes) -> NDArray[np.int64]:
    """(n,) hash of the name of each value, other hashes for each kind; a value that occurs often is named once."""
    coded = as_text(column).dictionary_encode()
    hashes = (
        hashlib.blake2b(name(value).encode(), digest_size=8, person=kind).digest()
        for value in coded.dictionary.to_pylist()
    )
    numbers = np.fromiter((int.from_bytes(h) >> 1 for h in hashes), dtype=np.int64, count=len(coded.dictionary))
    rows: NDArray[np.int32] = coded.indices.to_numpy()
    return numbers[rows]


def as_text(column: Any) -> Any:
    """One Arrow array of strings: those of the column, or its values as Python writes them."""
    if _is_text(column.type):
        return column.cast(pa.large_string()).combine_chunks()
    return pa.array(list(map(str, column.to_pylist())), pa.large_string())


def _is_text(kind: Any) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _as_numbers(column: Any) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return numbers


def _places(column: Any, names: Sequence[str]) -> NDArray[np.int64]:
    """(n,) index of each value in ``names``."""
    found = pc.index_in(as_text(column), value_set=pa.array(names, pa.large_string()))
    places: NDArray[np.int64] = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def _content(column: Any, name: str) -> tuple[Any, NDArray[np.int64]]:
    """The bytes of all values, one after the other, and how many each has (none: all have eight)."""
    if name == "score":
        return _as_numbers(column).tobytes(), np.empty(0, dtype=np.int64)
    texts = as_text(column)
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64, count=len(texts) + 1, offset=8 * texts.offset)
    return memoryview(data or b"")[ends[0] : ends[-1]], np.diff(ends)


def _check_shape(rows: Dataset, columns: Sequence[str], table: str) -> None:
    for name in columns:
        if name not in rows.column_names:
            why = "" if name in NEEDED else f", which an objective of this recipe reads: {WHERE[name]}"
            raise InputError(f"the table {table!r} lacks the column {name}{why}; found {', '.join(rows.column_names)}")
    if not len(rows):
        raise InputError(f"the table {table!r} is empty: there is nothing to train on")


def _check_values(column: Any, name: str, table: str, first: int) -> None:
    """Refuse values that cannot be trained on; the first of the column is in row ``first``."""
    why = "every pair needs one" if name in NEEDED else "an objective of this recipe reads it"
    if column.null_count:
        row = first + pc.index(pc.is_null(column), True).as_py()
        raise InputError(f"{table}, row {row}: {name} is {'null' if name in NEEDED else 'empty'}; {why}")
    if name in (*TEXTS, "source_lang", "target_lang") and not _is_text(column.type):
        raise InputError(f"{table}: expected text in the column {name}, got {column.type}")
    if name not in NEEDED and _is_text(column.type):
        place = pc.index(as_text(column), "").as_py()
        if place >= 0:
            raise InputError(f"{table}, row {first + place}: {name} is empty; {why}")
    if name == "score":
        if _is_text(column.type) or pa.types.is_nested(column.type):
            raise InputError(f"{table}: expected numbers in the column score, got {column.type}")
        numbers = _as_numbers(column)
        bad = np.flatnonzero(~((numbers >= 0) & (numbers <= 1)))
        if len(bad):
            row, value = first + bad[0], column[int(bad[0])].as_py()
            raise InputError(f"{table}, row {row}: expected a score in 0..1, got {value}")

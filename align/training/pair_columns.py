"""The columns of pair tables that training reads, block by block: checked, hashed and turned into integers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.errors import InputError
from align.pairs.meanings import group_numbers, text_numbers
from align.pairs.mentions import MENTION
from align.pairs.table import negative_columns
from align.pairs.text_columns import as_text, is_text
from align.training.hard_negatives import NEGATIVE, are_lists, counts_of, is_list, lists_of

if TYPE_CHECKING:
    from datasets import Dataset

BLOCK = 8192  # rows held at once
NEEDED = ("source", "target", "source_lang", "target_lang", "group_id")
TEXTS = ("source", "target", "negative")
WHERE = {
    "negative": "align pairs nli writes it; without it, set multiple_negatives.hard_negatives = false, or let "
    "align pairs negatives find some",
    "score": "align pairs sts writes it",
    "label": "align pairs nli --form labels writes it",
    "class": "align pairs classes writes it",
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
    class_names: tuple[str, ...]
    """Classes, sorted."""
    lists: bool
    """Whether the hard negatives of each pair are a list, since a table has several columns of them."""


def read_blocks(rows: Dataset, columns: Sequence[str], *, lists: bool, table: str = "") -> Iterator[dict[str, Any]]:
    """Up to ``BLOCK`` rows at a time, as Arrow columns by name; if ``lists``, the hard negatives are one of lists."""
    several = negative_columns(rows.column_names) if lists and NEGATIVE in columns else []
    plain = [name for name in columns if name != NEGATIVE or not several]
    for block in rows.select_columns([*plain, *several]).with_format("arrow").iter(batch_size=BLOCK):
        found = {name: block.column(name) for name in plain}
        if several:
            found[NEGATIVE] = lists_of({name: block.column(name) for name in several}, table)
        yield {name: found[name] for name in columns}


def with_mentions(tables: Mapping[str, Dataset]) -> Mapping[str, Dataset]:
    """Tables, all of which have the column ``mention`` if one has it."""
    if not any(MENTION in getattr(rows, "column_names", ()) for rows in tables.values()):
        return tables
    return {
        name: rows if MENTION in rows.column_names else rows.add_column(MENTION, [""] * len(rows))
        for name, rows in tables.items()
    }


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
    classes: set[str] = set()
    lists, listed = NEGATIVE in columns and are_lists(tables), 0
    for table, rows in tables.items():
        first = 1
        for block in read_blocks(rows, columns, lists=lists, table=table):
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
            if "class" in block:
                classes |= {value for value in pc.unique(as_text(block["class"])).to_pylist() if value}
            listed += len(block[NEGATIVE].values) if lists else 0
            first += len(block["source"])
    if lists and not listed:
        raise InputError("no pair has a hard negative: every one of the columns negative_1, negative_2, ... is empty")
    if "class" in columns and len(classes) < 2:
        raise InputError(
            f"the column class names {len(classes)} classes: expected two or more, and none where it is empty"
        )
    content = [(name, *(running.hexdigest() for running in hashes[name])) for name in columns]
    return Survey(
        digest=hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        rows={table: len(rows) for table, rows in tables.items()},
        names=tuple(sorted(sources)),
        language_pairs=tuple(sorted(pairs)),
        label_names=tuple(sorted(labels, key=lambda name: (isinstance(labels[name], str), labels[name]))),
        class_names=tuple(sorted(classes)),
        lists=lists,
    )


def integers(block: Mapping[str, Any], facts: Survey) -> dict[str, NDArray[Any]]:
    """Arrays of a block, named as fields of a PairStore: languages, language_pairs, groups, negative_texts, ..."""
    every = sorted({language for pair in facts.language_pairs for language in pair})
    place = {language: i for i, language in enumerate(every)}
    known = np.array([[place[language] for language in pair] for pair in facts.language_pairs])  # (p, 2), sorted
    sides = np.stack([_places(block[f"{side}_lang"], every) for side in ("source", "target")])  # (2, n)
    codes = np.sort(sides, axis=0)
    arrays: dict[str, NDArray[Any]] = {
        "languages": _places(block["source_lang"], facts.names),
        "language_pairs": np.searchsorted(known @ [len(every), 1], [len(every), 1] @ codes),
        "groups": np.stack(
            [group_numbers(block["group_id"]), text_numbers(block["source"]), text_numbers(block["target"])], axis=1
        ),
    }
    if NEGATIVE in block:
        arrays["negative_texts"] = text_numbers(flat(block[NEGATIVE]))
    if "score" in block:
        arrays["scores"] = _as_numbers(block["score"])
    if "label" in block:
        arrays["labels"] = _places(block["label"], facts.label_names)
    if "class" in block:
        arrays["classes"], arrays["sides"] = _places(block["class"], facts.class_names), sides.T
    return arrays


def flat(column: Any) -> Any:
    """The values of a column, of lists those of all lists."""
    return column.flatten() if is_list(column) else column


def _as_numbers(column: Any) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return numbers


def _places(column: Any, names: Sequence[str]) -> NDArray[np.int64]:
    """(n,) index of each value in ``names``, -1 of one that is not there."""
    found = pc.index_in(as_text(column), value_set=pa.array(names, pa.large_string())).fill_null(-1)
    places: NDArray[np.int64] = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def _content(column: Any, name: str) -> tuple[Any, NDArray[np.int64]]:
    """The bytes of all values, one after the other, and how many each has (none: all have eight).

    The numbers of a list follow -1 - n, n being how many texts it has.
    """
    if is_list(column):
        counts = counts_of(column)
        data, lengths = _content(column.flatten(), name)
        return data, np.insert(lengths, np.cumsum(counts) - counts, -1 - counts)
    if name == "score":
        return _as_numbers(column).tobytes(), np.empty(0, dtype=np.int64)
    texts = as_text(column)
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64, count=len(texts) + 1, offset=8 * texts.offset)
    return memoryview(data or b"")[ends[0] : ends[-1]], np.diff(ends)


def _check_shape(rows: Dataset, columns: Sequence[str], table: str) -> None:
    if not hasattr(rows, "__len__"):
        raise InputError(
            f"{table!r} is a table that streams, whose rows come once; expected one of known length, as "
            "align.read_pairs or datasets.Dataset gives it"
        )
    for name in columns:
        if not (name in rows.column_names or (name == NEGATIVE and negative_columns(rows.column_names))):
            why = "" if name in NEEDED else f", which an objective of this recipe reads: {WHERE[name]}"
            raise InputError(f"the table {table!r} lacks the column {name}{why}; found {', '.join(rows.column_names)}")
    if not len(rows):
        raise InputError(f"the table {table!r} is empty: there is nothing to train on")


def _check_values(column: Any, name: str, table: str, first: int) -> None:
    """Refuse values that cannot be trained on; the first of the column is in row ``first``."""
    if is_list(column) or name == MENTION:  # what is empty is not in the former, and means the whole text in the latter
        return
    why = "every pair needs one" if name in NEEDED else "an objective of this recipe reads it"
    if column.null_count and name != "class":  # which need not be known
        row = first + pc.index(pc.is_null(column), True).as_py()
        raise InputError(f"{table}, row {row}: {name} is {'null' if name in NEEDED else 'empty'}; {why}")
    if name in (*TEXTS, "source_lang", "target_lang", "class") and not is_text(column.type):
        raise InputError(f"{table}: expected text in the column {name}, got {column.type}")
    if name not in (*NEEDED, "class") and is_text(column.type):
        place = pc.index(as_text(column), "").as_py()
        if place >= 0:
            raise InputError(f"{table}, row {first + place}: {name} is empty; {why}")
    if name == "score":
        if is_text(column.type) or pa.types.is_nested(column.type):
            raise InputError(f"{table}: expected numbers in the column score, got {column.type}")
        numbers = _as_numbers(column)
        bad = np.flatnonzero(~((numbers >= 0) & (numbers <= 1)))
        if len(bad):
            row, value = first + bad[0], column[int(bad[0])].as_py()
            raise InputError(f"{table}, row {row}: expected a score in 0..1, got {value}")

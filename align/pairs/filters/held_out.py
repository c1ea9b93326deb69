"""Texts that no pair may hold: the sentences of test sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import read_lines
from align.pairs.filters.lines import SURROGATE
from align.pairs.reading.records import file_records
from align.text.normal_forms import normalised, text_hash

GivenTests = Sequence["Path | str"] | Path | str


class HeldOut:
    """Hashes of the texts of some test sets, each a file or a folder; memory: some 70 bytes a text.

    A text is a line, a field of a ``.tsv`` line, or a value of a ``.jsonl`` or ``.parquet`` row; a folder counts with
    all visible files below it. Texts meet when ``normalised`` makes them equal.

    Raises:
        InputError: no such file, or a set without any text.
    """

    def __init__(self, given: GivenTests) -> None:
        self.pairs: dict[str, int] = {}
        self._sets: dict[str, set[int]] = {}
        for path in map(Path, [given] if isinstance(given, (str, Path)) else given):
            files = visible_files(path) if path.is_dir() else [path]
            texts = (normalised(text) for file in files for text in file_texts(file) if not SURROGATE.search(text))
            self._sets[str(path)] = {text_hash(text) for text in texts if text}
            self.pairs[str(path)] = 0
            if not self._sets[str(path)]:
                raise InputError(f"{path} holds no text to leave out")

    def meets(self, *texts: str) -> bool:
        """Whether one of these texts, already ``normalised``, stands in a test set; counted for each set it does."""
        hashes = {text_hash(text) for text in texts} if self._sets else set()
        met = [name for name, held in self._sets.items() if not held.isdisjoint(hashes)]
        for name in met:
            self.pairs[name] += 1
        return bool(met)

    def described(self) -> dict[str, dict[str, int]]:
        """For the manifest, by set: its ``texts``, and the ``pairs`` that it kept out."""
        return {name: {"texts": len(held), "pairs": self.pairs[name]} for name, held in self._sets.items()}


def visible_files(folder: Path) -> list[Path]:
    """Files below a folder by name; none that is hidden, by a dot before its name or that of a folder on the way."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def file_texts(file: Path) -> Iterator[str]:
    """Texts of a file: its lines, fields of a ``.tsv`` line, or values of ``.jsonl`` and ``.parquet`` rows."""
    if file.name.endswith((".jsonl", ".jsonl.gz", ".parquet")):
        yield from _strings(record for _, record in file_records(file))
    else:
        for line in read_lines(file):
            yield from line.split("\t") if file.name.endswith((".tsv", ".tsv.gz")) else [line]


def _strings(records: Iterator[dict[str, Any]]) -> Iterator[str]:
    return (value for record in records for value in record.values() if isinstance(value, str))

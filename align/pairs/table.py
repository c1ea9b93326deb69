"""The pair table: what its columns mean, and how it is written.

A table is a folder: ``pairs.parquet``, ``rejects.tsv`` (only when something was set aside) and ``manifest.json``.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from align.errors import InputError
from align.files.folders import whole_folder
from align.files.whole import sha256, write_json
from align.pairs.mentions import MENTION
from align.text.normal_forms import normalised, text_hash

logger = logging.getLogger(__name__)

FORMAT, VERSION = "align-pairs", 1
REQUIRED = ("source", "target", "source_lang", "target_lang")
COLUMNS = (*REQUIRED, "kind", "group_id")
"""Columns of every table. ``group_id`` names the meaning: rows that share it, or a text, are never each other's
negatives (the sampler sees to the texts, as ``normal_forms.normalised`` has them)."""
OPTIONAL = ("score", "negative", "label", "class", MENTION)
"""Columns of tables whose data has them: a similarity, a text known to be wrong, one of ``LABELS``, the class of a
pair, such as its topic (none where it is not known), the characters of the source that its vector is made of (``0-4``;
empty: all). Of several wrong texts the columns are ``negative_1``, ``negative_2``, ...; a row that has fewer than
others has none in the rest."""
LABELS = ("entailment", "neutral", "contradiction")
"""How the source (premise) bears on the target (hypothesis)."""
NUMBERED = re.compile(r"negative_[1-9][0-9]*")
BLOCK_ROWS = 10_000


def known_columns(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that a table may have, each once and in the order in which tables have them."""
    names = set(names)
    return [name for name in (*COLUMNS, *OPTIONAL) if name in names] + _numbered(names)


def negative_columns(names: Iterable[str]) -> list[str]:
    """The columns of wrong texts among ``names``, in order.

    >>> negative_columns(["source", "negative_10", "negative_2", "negatives"])
    ['negative_2', 'negative_10']
    """
    names = set(names)
    return [name for name in ("negative",) if name in names] + _numbered(names)


def _numbered(names: Iterable[str]) -> list[str]:
    return sorted(filter(NUMBERED.fullmatch, names), key=lambda name: int(name.partition("_")[2]))


def schema_of(names: Iterable[str]) -> pa.Schema:
    """Schema of a table: ``COLUMNS``, and what else of ``names`` a table may have."""
    return pa.schema([field_of(name) for name in known_columns([*COLUMNS, *names])])


def field_of(name: str) -> pa.Field:
    """Name and type of a column."""
    return pa.field(name, pa.float64() if name == "score" else pa.string())


def text_group(*texts: str) -> str:
    """``group_id`` of texts: 16 hex digits, their hash, which all share that ``normalised`` makes equal."""
    key = "\t".join(map(normalised, texts))
    return f"{text_hash(key):016x}"


class PairWriter:
    """Collects rows and rejects of one table; ``pair_writer`` makes it and finishes it.

    ``manifest`` may be filled until the block ends. The keys that the writer knows itself win over it: ``format``,
    ``version``, ``rows``, ``languages`` and ``scripts`` (rows per source), ``rejects`` (by reason) and ``files``.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest: dict[str, Any] = {}
        self.rows = 0
        self.languages: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self._folder = folder
        self._block: list[Mapping[str, Any]] = []
        self._schema = schema_of(())
        self._parquet: pq.ParquetWriter | None = None
        self._rejects_file: IO[str] | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Append one row. Every row has the columns of the first one: ``COLUMNS`` and any others of a table.

        Raises:
            ValueError: a column is missing or unknown.
        """
        if not self.rows:
            self._schema = schema_of(row)
        if len(row) != len(self._schema) or any(name not in row for name in self._schema.names):
            raise ValueError(f"row {self.rows} has columns {sorted(row)}; expected {sorted(self._schema.names)}")
        self._block.append(row)
        self.rows += 1
        self.languages[row["source_lang"]] += 1
        if len(self._block) == BLOCK_ROWS:
            self._flush()

    def reject(self, reason: str, file: str, line: int, text: str) -> None:
        """Set one input line aside, with the reason."""
        if self._rejects_file is None:
            # surrogates (a JSON string can hold them) have no UTF-8 form
            path = self._folder / "rejects.tsv"
            self._rejects_file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
            self._rejects_file.write("reason\tfile\tline\ttext\n")
        self.rejects[reason] += 1
        self._rejects_file.write("\t".join((reason, file, str(line), _one_line(text))) + "\n")

    def without_pairs(self, languages: Iterable[str]) -> list[str]:
        """The languages that are the source of no pair, sorted; a warning names them and what was rejected."""
        missing = sorted(set(languages) - self.languages.keys())
        if missing:
            logger.warning("no pair is left of %s; rejects: %s", ", ".join(missing), dict(self.rejects))
        return missing

    def _flush(self) -> None:
        table = pa.Table.from_pylist(self._block, schema=self._schema)
        for name in COLUMNS:
            if table[name].null_count:
                raise ValueError(f"column {name!r} has a missing value between rows {self.rows - len(table)} and now")
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(self._folder / "pairs.parquet", self._schema, compression="zstd")
        self._parquet.write_table(table)
        self._block = []

    def close(self) -> None:
        """Close the files; safe to call twice."""
        if self._parquet is not None:
            self._parquet.close()
        if self._rejects_file is not None:
            self._rejects_file.close()

    def finish(self) -> None:
        """Write what is left, then the manifest."""
        if not self.rows:
            raise InputError(f"no pair is left to write; set aside: {dict(self.rejects) or 'nothing'}")
        if self._block:
            self._flush()
        self.close()
        scripts: Counter[str] = Counter()
        for language, rows in self.languages.items():
            scripts[language.partition("_")[2]] += rows
        self.manifest |= {
            "format": FORMAT,
            "version": VERSION,
            "rows": self.rows,
            "languages": dict(self.languages),
            "scripts": dict(scripts),
            "rejects": dict(self.rejects),
            "files": {path.name: sha256(path) for path in sorted(self._folder.iterdir())},
        }
        write_json(self._folder / "manifest.json", self.manifest, sealed=True)


@contextmanager
def pair_writer(out: Path | str) -> Iterator[PairWriter]:
    """Yield a ``PairWriter``; the folder ``out`` appears when the block succeeds, and not at all when it fails.

    A table that stands at ``out`` is replaced; anything else there is refused before the block.

    Raises:
        InputError: as :func:`align.files.folders.whole_folder`, or no row was added.
    """
    with whole_folder(out, kind="pair table") as folder:
        writer = PairWriter(folder)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()


def write_pairs(rows: Iterable[Mapping[str, Any]], out: Path | str, *, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Stream ``rows`` into a pair table at ``out`` and return its manifest (``manifest`` plus what the writer counts).

    Raises:
        InputError: there is no row, or ``out`` cannot be written.
        ValueError: a row lacks a column or has an unknown one.
    """
    with pair_writer(out) as writer:
        writer.manifest |= manifest
        for row in rows:
            writer.add(row)
    return writer.manifest


def _one_line(text: str) -> str:
    for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, escape)
    return text

"""Vectors as requests to the ``_bulk`` endpoint of OpenSearch or Elasticsearch, and the index to make first.

    index.json          body of ``PUT /NAME``: settings and mapping; ``_meta`` has what made the vectors
    bulk-00000.ndjson   bodies of ``POST /_bulk``: of each row an action with its id, then the row

``_id`` is the row's id: a file that is sent twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from align.engines.folder import Folder
from align.engines.json_rows import BoundedFiles, fields, table_of
from align.engines.target import Schema
from align.errors import InputError
from align.files.whole import write_json
from align.vectors.folder import vectors_of

ID_BYTES = 512
"""Of an ``_id``."""
FORBIDDEN = ' "*+/\\|?#<>,:'

Index = Callable[[Schema], Mapping[str, Any]]


def bulk_folder(to: str, name: str, engine: str, index: Index, *, megabytes: int, zeros: bool = True) -> Folder:
    """A folder of requests.

    Args:
        to: the folder.
        name: of the index.
        engine: its name.
        index: the body that makes the index.
        megabytes: the most of one file, in 2^20 bytes.
        zeros: the engine takes a vector of zeros.

    Raises:
        InputError: an index cannot have this name, or ``megabytes`` is less than 1.
    """
    if not name or name != name.lower() or name[0] in "-_+." or set(name) & set(FORBIDDEN) or len(name.encode()) > 255:
        raise InputError(
            f"an index of {engine} has a name in lower case, without {FORBIDDEN.strip()} or spaces, that does not "
            f"begin with - _ or a dot, got {name!r}"
        )
    if megabytes < 1:
        raise InputError(f"megabytes must be at least 1, got {megabytes}")
    return Folder(to, name, engine, Bulk(name, engine, index, megabytes * 2**20, zeros))


class Bulk:
    """The :class:`align.engines.folder.Format`."""

    def __init__(self, name: str, engine: str, index: Index, most: int, zeros: bool) -> None:
        self._name, self._engine, self._index, self._most, self._zeros = name, engine, index, most, zeros
        self._files: BoundedFiles | None = None

    def begin(self, folder: Path, schema: Schema) -> None:
        """Write the index's body."""
        write_json(folder / "index.json", self._index(schema))
        self._files = BoundedFiles(folder, "bulk", "ndjson", self._most)

    def add(self, table: pa.Table) -> None:
        """Write an action and a source for each row."""
        assert self._files is not None
        if not self._zeros:
            empty = ~vectors_of(table).any(axis=1)
            if empty.any():
                key = table["id"][int(empty.argmax())].as_py()
                raise InputError(f"the vector of id {key!r} is all zeros, which {self._engine} refuses: leave it out")
        for key, source in fields(table):
            if not 0 < len(key.encode()) <= ID_BYTES:
                raise InputError(f"an _id of {self._engine} has 1 to {ID_BYTES} bytes, got {key[:60]!r}")
            action = json.dumps({"index": {"_index": self._name, "_id": key}}, ensure_ascii=False)
            self._files.write(f"{action}\n{source}\n")

    def end(self) -> None:
        """Close the file that is open."""
        if self._files is not None:
            self._files.close()

    def read(self, folder: Path, schema: Schema) -> Iterator[pa.Table]:
        """The rows again, in order."""
        for path in sorted(folder.glob("bulk-*.ndjson")):
            with open(path, encoding="utf-8", newline="\n") as lines:
                sources = (json.loads(line) for line in islice(lines, 1, None, 2))
                while rows := list(islice(sources, 4096)):
                    yield table_of(rows, [row.pop("vector") for row in rows], schema.dtype)


def keywords(schema: Schema, text: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping of id and payload: keywords to filter by, the text as ``text`` has it."""
    kinds: dict[str, Any] = {column: {"type": "keyword"} for column in ("id", *schema.payload)}
    return kinds | ({"text": dict(text)} if schema.texts else {})

"""Vectors in Milvus: one collection, searched by cosine.

    id VARCHAR primary key, text_sha256, language, script[, text] VARCHAR, vector FLOAT_VECTOR or FLOAT16_VECTOR
    [, sparse SPARSE_FLOAT_VECTOR]

What made the vectors is the collection's property ``align.export``, and its description, as JSON. From elsewhere::

    MilvusClient("http://127.0.0.1:19530").search("align", data=[vector], limit=10, filter='language == "hin_Deva"')

and with ``data=[{12: 0.5}], anns_field="sparse"`` by terms, which are known by their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from align.engines.retry import INDEX_WAIT
from align.engines.target import Engine, check_seconds, client
from align.errors import InputError

if TYPE_CHECKING:
    from align.engines.milvus.collection import Collection

PROPERTY = "align.export"
"""Of a collection."""
INDEXES: Mapping[str, tuple[str, ...]] = {
    "FLAT": (), "HNSW": ("M", "efConstruction"), "IVF_FLAT": ("nlist",), "AUTOINDEX": (),
}  # fmt: skip
"""Index types, and the names that Milvus has for what they are built with."""


@dataclass(frozen=True)
class Options:
    """How the vectors are stored, indexed and searched: see :func:`open_target`."""

    index: str | None
    m: int
    ef_construction: int
    nlist: int
    ef: int
    nprobe: int
    float32: bool
    timeout: float
    index_wait: float

    def __post_init__(self) -> None:
        if self.index is not None and self.index not in INDEXES:
            raise InputError(f"index of Milvus is one of {', '.join(INDEXES)}, got {self.index!r}")
        for option in ("m", "ef_construction", "nlist", "ef", "nprobe"):
            value = getattr(self, option)
            if not value > 0:
                raise InputError(f"{option} of Milvus must be more than 0, got {value!r}")
        check_seconds("Milvus", timeout=self.timeout, index_wait=self.index_wait)

    def build(self, index: str) -> dict[str, int]:
        """Parameters that an index is built with."""
        given = {"M": self.m, "efConstruction": self.ef_construction, "nlist": self.nlist}
        return {name: given[name] for name in INDEXES[index]}

    def search(self, index: str, k: int) -> dict[str, int]:
        """Parameters that an index is searched with."""
        return {"HNSW": {"ef": max(self.ef, k)}, "IVF_FLAT": {"nprobe": min(self.nprobe, self.nlist)}}.get(index, {})


def open_target(
    to: str, *, name: str, index: str | None = None, m: int = 16, ef_construction: int = 200, nlist: int = 1024,
    ef: int = 128, nprobe: int = 64, float32: bool = False, timeout: float = 60.0,
    index_wait: float = INDEX_WAIT, token: str = "", database: str = "",
) -> Collection:  # fmt: skip
    """A collection of a server, or of a file of milvus-lite; neither is reached before it is used.

    Args:
        to: ``http://host:19530``, or a path that ends in ``.db`` (milvus-lite runs in this process then).
        name: of the collection: letters, digits and underscores, not a digit first.
        index: ``FLAT`` (exact), ``HNSW``, ``IVF_FLAT`` or ``AUTOINDEX``; ``None``: HNSW, or that of the collection.
        m: neighbours of a node of HNSW.
        ef_construction: candidates when HNSW is built.
        nlist: lists of IVF_FLAT.
        ef: candidates when HNSW is searched; at least k are used.
        nprobe: lists of IVF_FLAT that are searched.
        float32: store float16 vectors as float32: milvus-lite has no FLOAT16_VECTOR.
        timeout: seconds that one call may take.
        index_wait: seconds that an export waits for the index, at the most.
        token: ``user:password``, or an API key.
        database: of the server; "": its default.

    Raises:
        InputError: pymilvus is not installed, or ``to``, ``name`` or an option is none.
    """
    options = Options(index, m, ef_construction, nlist, ef, nprobe, float32, timeout, index_wait)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", name):
        raise InputError(f"a collection's name in Milvus is of letters, digits and _, no digit first, got {name!r}")
    if not (to.startswith(("http://", "https://")) or to.endswith(".db")):
        raise InputError("TO is no address of Milvus: expected http://HOST:PORT, or a file that ends in .db")
    client("milvus", "pymilvus", "align.engines.milvus.collection")
    from align.engines.milvus.collection import Collection

    return Collection(to, name, options, token, database)


ENGINE = Engine("milvus", "http://HOST:19530, or a file that ends in .db (milvus-lite)", open_target)

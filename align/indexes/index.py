"""An index opened: a folder of vectors with ids, texts and labels that is searched by cosine, exactly or with FAISS.

    vectors.npy or index.faiss  the vectors: for exact search, or as FAISS keeps them (ids are row numbers)
    rows.arrow                  id, text_sha256, language, script and, by choice, text of each row (align.indexes.rows)
    manifest.json               written last: what made the vectors, factory, size and SHA-256 of both files, recall

The folder is built under another name and renamed: who has an older one open reads on in that. Nothing in it names a
place, so it can be moved. No pickle is written or read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.files.folders import whole_folder
from align.files.nested import differences
from align.files.whole import existing_file, read_json, sha256, write_json
from align.indexes.approximate import FaissIndex, check_effort, given_effort
from align.indexes.exact import ExactIndex, Found, read_npy
from align.indexes.faiss_gpu import find_gpu
from align.indexes.faiss_module import read_index
from align.indexes.rows import Rows, Where, filters, open_rows, rows_of_vectors
from align.similarity.cosine import check_same_width, normalize
from align.vectors.folder import FORMAT as VECTORS_FORMAT
from align.vectors.folder import MANIFEST, Described, Vectors, open_vectors, plain

FORMAT = "align-index/1"
EXACT = "Flat"
"""The factory of exact search, which needs no FAISS."""
VECTORS, FAISS, ROWS = "vectors.npy", "index.faiss", "rows.arrow"
FIELDS = {"format", "factory", "rows", "dimension", "dtype", "unit", "encoder", "search", "files"}


@dataclass(frozen=True)
class Index(Described):
    """An index, opened; its vectors and rows stay on disk. Build one with :func:`load_index`."""

    engine: ExactIndex | FaissIndex
    rows_file: Rows

    @property
    def vectors(self) -> NDArray[Any] | None:
        """(rows, dimensions) as stored in an exact index, ``None`` of any other."""
        vectors = self.engine.vectors if isinstance(self.engine, ExactIndex) else None
        return None if isinstance(vectors, Vectors) else vectors

    def ids(self, rows: ArrayLike) -> list[str]:
        """The id of each of some row numbers; "" for -1."""
        return [row.get("id", "") for row in self.rows_file.take(rows, ["id"])]

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        languages: Sequence[str] | None = None,
        scripts: Sequence[str] | None = None,
        where: Where | None = None,
        encoder: Mapping[str, Any] | None = None,
        nprobe: int | None = None,
        ef_search: int | None = None,
    ) -> Found:
        """The ``k`` nearest rows of each query by cosine, best first.

        Scores are rounded to six decimals and equal ones go by the lower row; of more equal rows than fit into ``k``,
        FAISS alone chooses. Scores of a compressed FAISS index (PQ, SQ) are estimates.

        Args:
            queries: (n, dimensions), of any length.
            k: how many.
            languages: only rows of these; ``None``: of any.
            scripts: only rows of these; ``None``: of any.
            where: values that a row may have in columns of one's own, as ``{"domain": ["news"]}``.
            encoder: what made the queries; ``None``: not compared.
            nprobe: lists of an IVF index to search; ``None``: as recorded when it was built. Of a filtered search this
                and ``ef_search`` are divided by the share of rows that are left; where few are, all are compared.
            ef_search: candidates to keep on the way through an HNSW graph; ``None``: as recorded.

        Returns:
            Scores (n, k) and rows (n, k). Where there are fewer hits than ``k``, rows are -1 and scores -Inf.

        Raises:
            InputError: the queries come from another encoder (the fields that differ are named) or have other
                dimensions, ``k`` < 1, NaN or Inf, a language, script or value that no row has, or an index that has no
                ``nprobe`` or ``ef_search``, or cannot filter.
        """
        if encoder is not None:
            self.check_encoder(encoder)
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}")
        units = normalize(queries)
        check_same_width(units, np.empty((0, self.dimension), dtype=np.float32))
        chosen = self.rows_file.chosen(filters(languages, scripts, where))
        most = min(k, self.rows if chosen is None else int(chosen.sum()))
        scores = np.full((len(units), k), -np.inf, dtype=np.float32)
        rows = np.full((len(units), k), -1, dtype=np.int64)
        effort = given_effort(nprobe, ef_search)
        find: Callable[..., Found] = self.engine.search
        if isinstance(self.engine, FaissIndex):
            check_effort(effort, self.engine.effort, self.engine.factory)
            find = partial(find, given=effort)
        else:
            check_effort(effort, {}, EXACT)
        if most:
            scores[:, :most], rows[:, :most] = find(units, most, chosen=chosen)
        return scores, rows

    def check_encoder(self, encoder: Mapping[str, Any], *, prompt: bool = True) -> None:
        """Refuse queries of another encoder.

        Args:
            encoder: what made the queries.
            prompt: compare the prompts as well; some encoders have one for queries and another for texts, and then
                offsets that were estimated with either: of these the method is compared.

        Raises:
            InputError: the fields that differ are named.
        """
        sides = self.encoder, as_stored(self.encoder, plain(encoder))
        stored, given = (side if prompt else _without_prompt(side) for side in sides)
        differ = differences(stored, given, "in the index", "in the queries")
        if differ:
            raise InputError(f"the queries come from another encoder than the index: {differ}")


def as_stored(stored: Mapping[str, Any], queries: Mapping[str, Any]) -> dict[str, Any]:
    """What made queries, as it is to be compared with what made the rows that they search.

    Rows by an encoder without a route may be searched with one that has, if it reads native text by the same encoder:
    its encoder of romanised text learnt the vectors of that one.
    """
    return {**queries, "route": queries.get("route") if stored.get("route") else None}


def _without_prompt(encoder: Mapping[str, Any]) -> dict[str, Any]:
    return {**encoder, "prompt": None, "offsets": {**(encoder.get("offsets") or {}), "fingerprint": None}}


def load_index(folder: Path | str, *, verify: bool = True, mmap: bool = True, device: str | None = None) -> Index:
    """Open an index; or a folder of vectors that was not indexed, which is then read part by part for every search.

    Args:
        folder: what ``align index`` or ``align encode`` wrote.
        verify: compare the SHA-256 of every file with the manifest before anything of it is read, which reads it once.
            A damaged FAISS file may well load and find the wrong rows: leave it out only if you have just checked.
        mmap: map the vectors into memory rather than read them.
        device: where it is searched. ``cuda`` or ``cuda:1``: on this GPU, if ``faiss-gpu`` is installed and sees it;
            ``None``: on the first GPU, in the same way; anything else: on the CPU, which also does what a GPU cannot
            (:mod:`align.indexes.faiss_gpu`).

    Raises:
        InputError: a file is missing, damaged or cut short, does not agree with the manifest, or needs FAISS; GPUs
            are seen, but not one of this number.
    """
    folder, gpu = Path(folder), find_gpu(device)
    if not (folder / MANIFEST).is_file():
        raise InputError(
            f"{folder} is no index: it has no {MANIFEST}; expected what align index or align encode writes"
        )
    manifest = read_json(folder / MANIFEST)
    if isinstance(manifest, dict) and manifest.get("format") == VECTORS_FORMAT:
        opened = open_vectors(folder)
        if verify:
            opened.check()
        return Index(folder, manifest, ExactIndex(opened, gpu=gpu), rows_of_vectors(opened))
    if not (isinstance(manifest, dict) and manifest.keys() >= FIELDS and manifest["format"] == FORMAT):
        raise InputError(f"{folder / MANIFEST} is not the manifest of an index ({FORMAT})")
    exact = manifest["factory"] == EXACT
    name = VECTORS if exact else FAISS
    if set(manifest["files"]) != {name, ROWS}:
        raise InputError(f"{folder / MANIFEST} names {sorted(manifest['files'])}: expected {name} and {ROWS}")
    for file, about in manifest["files"].items():
        _check_file(folder / file, about, verify=verify)
    engine: ExactIndex | FaissIndex
    if exact:
        vectors = read_npy(folder / name, mmap=mmap)
        found = [*vectors.shape, str(vectors.dtype)]
        engine = ExactIndex(vectors, unit=manifest["unit"], gpu=gpu)
    else:
        index = read_index(folder / name, mmap=mmap)
        found = [index.ntotal, index.d, manifest["dtype"]]
        engine = FaissIndex(index, manifest["factory"], manifest["search"], gpu)
    rows = open_rows(folder / ROWS)
    found.append(sum(table.num_rows for table in rows.tables(["id"])))
    expected = [manifest["rows"], manifest["dimension"], manifest["dtype"], manifest["rows"]]
    if found != expected:
        raise InputError(f"{folder}: rows, dimension, dtype, ids are {found}, but {MANIFEST} says {expected}")
    return Index(folder, manifest, engine, rows)


@contextmanager
def writing_index(out: Path | str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield a temporary folder and a dictionary to write files and the manifest's fields to; then put it in place.

    Raises:
        InputError: as :func:`align.files.folders.whole_folder`.
    """
    with whole_folder(out, kind="index") as folder:
        manifest: dict[str, Any] = {}
        yield folder, manifest
        files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in folder.iterdir()}
        write_json(folder / MANIFEST, {"format": FORMAT, **manifest, "files": files}, sealed=True)


def _check_file(path: Path, about: Mapping[str, Any], *, verify: bool) -> None:
    size = existing_file(path).stat().st_size
    if size != about["bytes"]:
        raise InputError(f"{path} is damaged: it has {size} bytes, but {MANIFEST} says {about['bytes']}")
    if verify and sha256(path) != about["sha256"]:
        raise InputError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")

"""A folder of vectors augmented with queries: another of equal size, with the same ids and encoder.

It is searched as the first one is. What was done stands in its manifest, as ``augmentation`` beside ``encoder``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tqdm import tqdm

from align.errors import InputError
from align.files.locks import locked
from align.files.whole import read_lines, sha256, whole_file
from align.indexes.augmentation import augment_matrix, best_alpha, check_weight
from align.indexes.index import load_index
from align.indexes.search import query_encoder
from align.vectors.folder import MANIFEST, Vectors, open_vectors, vector_column, vectors_of
from align.vectors.sparse import terms_of, write_terms
from align.vectors.writing import begin, check_vectors, finish, finished_parts, write_part

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

_AT_A_TIME = 65_536


class Asked(NamedTuple):
    """Queries of a file, sorted by their passage."""

    texts: pa.ChunkedArray
    owners: NDArray[np.int64]
    """(M,) row of each query's passage."""


def augment(
    folder: Path | str,
    queries: Path | str,
    out: Path | str,
    *,
    encoder: Encoder,
    prompt: str | None = None,
    alpha: float | None = None,
    dev: Path | str | None = None,
    k: int = 10,
    reduce: str = "sum",
    unit: bool = True,
    progress: bool = False,
) -> Vectors:
    """Write the vectors of a folder, moved towards queries that were supplied for them (``augment_matrix``).

    Vectors are read, moved and written part by part; of the queries, the texts and owners are in memory. A run that
    was stopped goes on where it did.

    Args:
        folder: of vectors, as :func:`align.encode` writes it.
        queries: lines ``id TAB query``, plain or compressed, any number for each id, in any order.
        out: the new folder.
        encoder: the one that made the vectors. Queries are romanised if the passages were, without language rules.
        prompt: put before every query instead of the encoder's own, as in :func:`align.indexes.search.query_encoder`.
        alpha: weight of the queries; ``None``: 0.01, or with ``dev`` the best of
        :data:`align.indexes.augmentation.ALPHAS`.
        dev: lines ``id TAB query``: questions as users ask them, and the passage that answers each. All queries are
            then encoded first, into a temporary file.
        k: of the recall@k on ``dev``.
        reduce: ``sum``, or ``mean``.
        unit: see :func:`align.indexes.augmentation.augment_matrix`.
        progress: show a bar.

    Returns:
        The folder. ``manifest["augmentation"]`` says with what it was made, how many ``queries`` there were, how many
        ``passages_without`` any stayed as they were, and the ``recall`` of each weight on ``dev``.

    Raises:
        InputError: another encoder than that of the vectors, a line that is no query or names no passage, both alpha
            and dev, vectors that are augmented already, or what :func:`align.vectors.writing.begin` refuses.
    """
    folder, queries, out = Path(folder), Path(queries), Path(out)
    dev = None if dev is None else Path(dev)
    vectors = open_vectors(folder)
    check_vectors(out)
    check_weight(0.01 if alpha is None else alpha, reduce)
    if alpha is not None and dev is not None:
        raise InputError("give alpha, or dev queries to choose it on, not both")
    if "augmentation" in vectors.manifest:
        raise InputError(f"{folder} is augmented already: give the vectors it was made from, and all queries together")
    encode_texts = query_encoder(load_index(folder, verify=False), encoder, prompt=prompt)
    ids = pa.chunked_array([table.column("id").combine_chunks() for table in vectors.tables(["id"])], pa.string())
    asked = read_asked(queries, ids, folder)
    about: dict[str, Any] = {
        "source_sha256": sha256(folder / MANIFEST), "queries_sha256": sha256(queries),
        "queries": len(asked.owners), "passages_without": len(ids) - len(np.unique(asked.owners)),
        "prompt": encoder.prompt if prompt is None else prompt, "reduce": reduce, "unit": unit,
    }  # fmt: skip

    def encode(some: Asked, here: slice) -> NDArray[np.float32]:
        texts = some.texts[here].to_pylist()
        found: NDArray[np.float32] = encode_texts(texts)
        bar.update(len(texts))
        return found

    with (
        locked(out / MANIFEST, of=out),
        tempfile.TemporaryDirectory() as scratch,
        tqdm(unit="query", disable=not progress) as bar,
    ):
        if dev is not None:
            wanted = read_asked(dev, ids, folder)
            if not len(wanted.owners):
                raise InputError(f"{dev} is empty: expected lines id TAB query to choose alpha on")
            given = _all_encoded(asked, Path(scratch) / "queries", vectors.dimension, encode)
            alpha, recall = best_alpha(
                lambda: map(vectors_of, vectors.tables(["vector"], verify=False)), given, asked.owners,
                encode(wanted, slice(None)), wanted.owners, k=k, reduce=reduce, unit=unit,
            )  # fmt: skip
            about |= {"dev_sha256": sha256(dev), "k": k, "recall": {str(each): recall[each] for each in recall}}
            _write(vectors, out, asked, lambda here: given[here], about | {"alpha": alpha})
        else:
            weight = 0.01 if alpha is None else alpha
            _write(vectors, out, asked, lambda here: encode(asked, here), about | {"alpha": weight})
        return finish(out, len(vectors.manifest["parts"]))


def _write(
    vectors: Vectors,
    out: Path,
    asked: Asked,
    encoded: Callable[[slice], NDArray[np.float32]],
    about: dict[str, Any],
) -> None:
    """Write the parts that are not there yet."""
    settings = {name: vectors.manifest[name] for name in ("encoder", "dimension", "dtype")}
    settings |= {name: vectors.manifest[name] for name in ("columns", "sparse") if name in vectors.manifest}
    begin(out, settings | {"augmentation": about})
    if terms := terms_of(vectors):  # sparse vectors stay as they are
        write_terms(out, terms)
    how = {name: about[name] for name in ("alpha", "reduce", "unit")}
    done, start = finished_parts(out), 0
    for number, entry in enumerate(vectors.manifest["parts"]):
        here = slice(*np.searchsorted(asked.owners, [start, start + entry["rows"]]))
        if number not in done:
            part = vectors.part(number)
            moved = augment_matrix(vectors_of(part), encoded(here), asked.owners[here] - start, **how)
            place = part.schema.get_field_index("vector")
            write_part(out, number, part.set_column(place, "vector", vector_column(moved)))
        start += entry["rows"]


def _all_encoded(
    asked: Asked, path: Path, dimension: int, encode: Callable[[Asked, slice], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """(M, d) vectors of all queries, in a file: written to, not mapped, while the disk may be full."""
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        for start in range(0, len(asked.owners), _AT_A_TIME):
            file.write(encode(asked, slice(start, start + _AT_A_TIME)).tobytes())
    shape = (len(asked.owners), dimension)
    return np.memmap(path, np.float32, "r", shape=shape) if len(asked.owners) else np.empty(shape, np.float32)


def read_asked(path: Path, ids: pa.ChunkedArray, folder: Path) -> Asked:
    """The queries of a file of lines id TAB query; their ids are among ``ids``, those of the rows of ``folder``.

    Raises:
        InputError: another line, or an id that is not there; file and line are named.
    """
    lines = enumerate(read_lines(path), 1)
    names, texts = [], []
    while block := list(islice(lines, _AT_A_TIME)):
        cells = []
        for number, line in block:
            name, *query = line.split("\t")
            if len(query) != 1 or not name or not query[0].strip():
                raise InputError(f"{path}, line {number}: expected id TAB query, got {line[:60]!r}")
            cells.append((name, query[0]))
        names.append(pa.array([name for name, _ in cells], pa.string()))
        texts.append(pa.array([query for _, query in cells], pa.string()))
    rows = pc.index_in(pa.chunked_array(names, pa.string()), value_set=ids)
    if rows.null_count:
        line = pc.index(rows.is_null(), True).as_py()
        name = pa.chunked_array(names, pa.string())[line].as_py()
        raise InputError(f"{path}, line {line + 1}: {folder} has no passage {name!r}")
    owners = rows.to_numpy().astype(np.int64)
    order = np.argsort(owners, kind="stable")
    return Asked(pa.chunked_array(texts, pa.string()).take(order), owners[order])

"""A folder of vectors carried over to another encoder by a map learnt on a few thousand of its rows.

It is searched with the new encoder; what was done stands in its manifest, as ``upgrade`` beside ``encoder``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from align.errors import InputError
from align.files.locks import locked
from align.files.whole import sha256
from align.mapping.procrustes import procrustes
from align.mapping.ridge import ridge
from align.similarity.cosine import normalize
from align.similarity.nearest import top_k
from align.vectors.folder import MANIFEST, Vectors, open_vectors, plain, vector_column, vectors_of
from align.vectors.sparse import SPARSE
from align.vectors.writing import begin, check_vectors, finish, finished_parts, write_part

log = logging.getLogger(__name__)

Map = Callable[[NDArray[Any]], NDArray[np.float64]]
METHODS = ("ridge", "procrustes")
K = 10


class TextEncoder(Protocol):
    """What is needed of the new encoder."""

    def encode(self, texts: Sequence[str], *, language: Sequence[str], progress: bool) -> NDArray[np.float32]:
        """(n, d) vectors."""

    def identity(self) -> Mapping[str, Any]:
        """What decides a vector."""


def upgrade_index(
    folder: Path | str,
    encoder: TextEncoder,
    out: Path | str,
    *,
    method: str = "ridge",
    rows: int = 4000,
    held_out: int = 2000,
    floor: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> Vectors:
    """Write the vectors of a folder as another encoder would give them, near enough, without encoding them again.

    Some of the rows are encoded by the new encoder. A map from their stored vectors to these is learnt on ``rows`` of
    them and measured on the others: the text of each held-out row, by the new encoder, looks for its nearest ten among
    the other held-out rows, once as the new encoder gives these and once as they are mapped. The recall@10 is the
    share of the first ten that are among the second. Below the floor nothing is written.

    Args:
        folder: of vectors with their texts, as :func:`align.encode` writes it.
        encoder: the new one, with the prompt that rows are encoded with.
        out: the new folder, of the same ids; a run that was stopped goes on where it did.
        method: ``ridge`` (:func:`align.mapping.ridge.ridge`, of any two widths), or ``procrustes``, orthogonal: of
            equal widths.
        rows: to learn on; of fewer rows in the folder two thirds.
        held_out: to measure on; of fewer rows in the folder a third.
        floor: the least recall@10, from 0 to 1.
        seed: of the choice of rows.
        progress: show a bar.

    Returns:
        The folder; its ``encoder`` is the new one. ``manifest["upgrade"]`` has the map's ``fingerprint``, the ``from``
        of the stored vectors, and what was measured: ``recall``; ``unmapped``, the same of the stored vectors as they
        are, if the widths agree; and ``itself``, the share of held-out texts that find their own mapped row among
        ten.

    Raises:
        InputError: vectors without texts, of romanised texts, of the same encoder, or upgraded before; too few rows;
            a recall below the floor; or what :func:`align.vectors.writing.begin` refuses.
    """
    vectors, out = open_vectors(folder), Path(out)
    _check(vectors, encoder, method, rows, held_out, floor)
    check_vectors(out)
    tables = [_drawn(vectors, rows, held_out, seed)]
    sample = tables[0]
    texts, languages = sample["text"].to_pylist(), sample["language"].to_pylist()
    new = normalize(encoder.encode(texts, language=languages, progress=progress))
    old = normalize(vectors_of(sample))
    split = min(rows, len(old) * 2 // 3)
    learnt = _learnt(method, old[:split], new[:split])
    found = _measured(learnt, old[split:], new[split:])
    log.info("recall@%d of the mapped rows: %.4f, on %d held out", K, found["recall"], len(old) - split)
    if found["recall"] < floor:
        raise InputError(
            f"recall@{K} of the mapped rows is {found['recall']:.4f}, below the floor {floor:g}: encode {folder} "
            "again, or lower the floor"
        )
    about = {
        "method": method, "learnt_on": split, "held_out": len(old) - split, "seed": seed, "floor": floor, "k": K,
        "fingerprint": hashlib.sha256(_probe(learnt, vectors.dimension).tobytes()).hexdigest()[:32],
        "from": vectors.encoder, "source_sha256": sha256(vectors.folder / MANIFEST), **found,
    }  # fmt: skip
    with locked(out / MANIFEST, of=out):
        _write(vectors, out, encoder.identity(), new.shape[1], learnt, plain(about))
        return finish(out, len(vectors.manifest["parts"]))


def _check(vectors: Vectors, encoder: TextEncoder, method: str, rows: int, held_out: int, floor: float) -> None:
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}: expected {' or '.join(METHODS)}")
    if not 0 <= floor <= 1:
        raise InputError(f"floor is a share from 0 to 1, got {floor}")
    if rows < 1 or held_out <= K:
        raise InputError(f"expected a row to learn on and more than {K} held out, got {rows} and {held_out}")
    if vectors.rows < 4 * K:
        raise InputError(
            f"{vectors.folder} has {vectors.rows} rows: expected {4 * K} at least, to learn and to measure"
        )
    if "upgrade" in vectors.manifest:
        raise InputError(f"{vectors.folder} was upgraded already: give the vectors it was made from")
    if vectors.encoder.get("romanizer"):
        raise InputError(f"{vectors.folder} is of romanised texts, and has the native ones: encode them again")
    if plain(encoder.identity()) == plain(vectors.encoder):
        raise InputError(f"{vectors.folder} was made by this encoder: there is nothing to upgrade")


def _drawn(vectors: Vectors, rows: int, held_out: int, seed: int) -> pa.Table:
    """Rows by chance, in the order of the draw: those to learn on, then those that are held out."""
    chosen = np.random.default_rng(seed).permutation(vectors.rows)[: rows + held_out]
    kept, start = [], 0
    for table in vectors.tables(["text", "language", "vector"]):
        if "text" not in table.column_names:
            raise InputError(f"{vectors.folder} has no texts: the new encoder needs those of some rows")
        here = np.sort(chosen[(chosen >= start) & (chosen < start + len(table))]) - start
        kept.append(table.take(here))
        start += len(table)
    return pa.concat_tables(kept).take(np.argsort(np.argsort(chosen)))


def _learnt(method: str, old: NDArray[np.float32], new: NDArray[np.float32]) -> Map:
    if method == "ridge":
        return ridge(old, new)
    if old.shape[1] != new.shape[1]:
        raise InputError(f"procrustes maps {old.shape[1]} dimensions to as many, not to {new.shape[1]}: take ridge")
    w = procrustes(old, new)
    return lambda x: x.astype(np.float64) @ w


def _measured(learnt: Map, old: NDArray[np.float32], new: NDArray[np.float32]) -> dict[str, float]:
    """Recall of the mapped rows, and of the stored ones; see :func:`upgrade_index`."""
    right = _others(new, new)
    mapped = normalize(learnt(old))
    found = {"recall": _recall(right, _others(new, mapped))}
    if old.shape == new.shape:
        found["unmapped"] = _recall(right, _others(new, old))
    nearest = top_k(new, mapped, K)[1]
    return found | {"itself": float((nearest == np.arange(len(new))[:, None]).any(axis=1).mean())}


def _others(queries: NDArray[Any], rows: NDArray[Any]) -> list[list[int]]:
    """The nearest rows of each query, of which the one of its own number does not count."""
    nearest = top_k(queries, rows, K + 1)[1].tolist()
    return [[row for row in of_query if row != number][:K] for number, of_query in enumerate(nearest)]


def _recall(right: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> float:
    shared = [len({*a} & {*b}) / len(a) for a, b in zip(right, found, strict=True)]
    return float(np.mean(shared))


def _probe(learnt: Map, width: int) -> NDArray[np.float32]:
    """What the map makes of the origin and of every axis: all of it, as numbers."""
    return learnt(np.vstack([np.zeros(width), np.eye(width)])).astype(np.float32)


def _write(
    vectors: Vectors, out: Path, encoder: Mapping[str, Any], dimension: int, learnt: Map, about: Mapping[str, Any]
) -> None:
    """Write the parts that are not there yet."""
    begin(out, {"encoder": encoder, "dimension": dimension, "dtype": vectors.manifest["dtype"], "upgrade": about})
    if "sparse" in vectors.manifest:
        log.warning("%s: no map leads to the newer encoder's sparse vectors; they are left out", out)
    done = finished_parts(out)
    for number in range(len(vectors.manifest["parts"])):
        if number not in done:
            part = vectors.part(number)
            part = part.drop_columns([name for name in SPARSE if name in part.column_names])
            mapped = normalize(learnt(normalize(vectors_of(part)))).astype(vectors.manifest["dtype"])
            place = part.schema.get_field_index("vector")
            write_part(out, number, part.set_column(place, "vector", vector_column(mapped)))

"""A folder of embeddings with ids and a manifest, and exact search over it.

The folder holds ``embeddings.npy`` (rows, dimensions), ``ids.jsonl`` (an object for each row: ``id``, and with texts
``sha256`` of the text and, by choice, ``text``) and, written last, ``manifest.json`` (rows, dimensions, dtype, SHA-256
of both files, and ``encoder``: what made the embeddings). No pickle is written or read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.files import existing_file, read_json, read_lines, sha256, whole_folder, write_json
from align.similarity import TIE_TOLERANCE, matrix, normalize, top_k

FORMAT = "align-embeddings/1"
ENGINES = ("auto", "exact", "faiss")


@dataclass(frozen=True)
class Embeddings:
    """Vectors with their ids, and what made them."""

    vectors: NDArray[Any]
    """(rows, dimensions) float32 or float16; memory-mapped by choice."""
    ids: tuple[str, ...]
    """One for each row, no two equal."""
    texts: tuple[str, ...] | None
    """One for each row, if they were stored."""
    encoder: Mapping[str, Any]
    """Model fingerprint, layer, pooling, normalisation, prompt, romaniser: whatever was recorded."""


def save_embeddings(
    out: Path,
    embeddings: ArrayLike,
    ids: Sequence[str],
    *,
    encoder: Mapping[str, Any],
    texts: Sequence[str] | None = None,
    store_texts: bool = True,
) -> None:
    """Write an embeddings folder, whole or not at all; an older one of the same name is replaced.

    Args:
        out: the folder.
        embeddings: (rows, dimensions) finite; float16 stays float16, everything else becomes float32.
        ids: one for each row, no two equal.
        encoder: what made the embeddings, as JSON values; ``search`` refuses queries of another.
        texts: one for each row; their SHA-256 are stored.
        store_texts: store the texts themselves as well, so that a search can show them.

    Raises:
        InputError: NaN or Inf, numbers of rows that differ, an id twice, or an encoder that is not JSON.
    """
    rows = matrix(embeddings)
    with np.errstate(over="ignore"):
        rows = rows if rows.dtype == np.float16 else rows.astype(np.float32, copy=False)
    _check_rows(rows, ids, texts)
    lines = []
    for number, name in enumerate(ids):
        line = {"id": name}
        if texts is not None:
            line["sha256"] = hashlib.sha256(texts[number].encode()).hexdigest()
            if store_texts:
                line["text"] = texts[number]
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    manifest = {"format": FORMAT, "rows": len(rows), "dimensions": rows.shape[1], "dtype": str(rows.dtype)}
    recorded = _plain(encoder)
    with whole_folder(Path(out)) as folder:
        np.save(folder / "embeddings.npy", rows, allow_pickle=False)
        (folder / "ids.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")
        files = {name: sha256(folder / name) for name in ("embeddings.npy", "ids.jsonl")}
        write_json(folder / "manifest.json", {**manifest, "sha256": files, "encoder": recorded})


def load_embeddings(folder: Path, *, mmap: bool = True, verify: bool = True) -> Embeddings:
    """Read an embeddings folder.

    Args:
        folder: as written by ``save_embeddings``.
        mmap: map the vectors into memory rather than read them.
        verify: compare the SHA-256 of both files with the manifest (reads them once).

    Raises:
        InputError: a file is missing, damaged, cut short, or does not agree with the manifest.
    """
    folder = Path(folder)
    manifest = read_json(folder / "manifest.json")
    fields = {"format", "rows", "dimensions", "dtype", "sha256", "encoder"}
    if not (isinstance(manifest, dict) and fields <= manifest.keys() and manifest["format"] == FORMAT):
        raise InputError(f"{folder / 'manifest.json'} is not the manifest of an embeddings folder ({FORMAT})")
    for name, digest in manifest["sha256"].items() if verify else ():
        if sha256(existing_file(folder / name)) != digest:
            raise InputError(f"{folder / name} is damaged: its SHA-256 is not the one in manifest.json")
    path = existing_file(folder / "embeddings.npy")
    try:
        vectors = matrix(np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    ids, texts = _read_ids(folder / "ids.jsonl")
    found = (*vectors.shape, str(vectors.dtype), len(ids))
    expected = (manifest["rows"], manifest["dimensions"], manifest["dtype"], manifest["rows"])
    if found != expected:
        raise InputError(f"{folder}: rows, dimensions, dtype, ids are {found}, but manifest.json says {expected}")
    return Embeddings(vectors, ids, texts, manifest["encoder"])


def search(
    embeddings: Embeddings,
    queries: ArrayLike,
    k: int = 10,
    *,
    encoder: Mapping[str, Any] | None = None,
    engine: str = "exact",
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The ``k`` nearest rows of each query by cosine, best first; exact with every engine.

    Args:
        embeddings: what is searched.
        queries: (n, dimensions).
        k: how many; with fewer rows all of them are returned.
        encoder: what made the queries; ``None``: not compared.
        engine: ``exact`` (numpy, bounded memory), ``faiss`` (a flat index, which copies all rows into memory), or
            ``auto`` (faiss where it is installed). Scores are rounded to six decimals and equal ones go by the lower
            row; faiss alone chooses which of more equal rows than fit into ``k`` are among them.

    Returns:
        Scores (n, min(k, rows)) and rows (n, min(k, rows)).

    Raises:
        InputError: the queries come from another encoder (the fields that differ are named) or have other dimensions,
            ``k`` < 1, NaN or Inf, unknown engine, or faiss is not installed.
    """
    if encoder is not None:
        _same_encoder(embeddings.encoder, _plain(encoder))
    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}: expected one of {', '.join(ENGINES)}")
    installed = importlib.util.find_spec("faiss") is not None
    if engine == "faiss" and not installed:
        raise InputError("engine faiss needs faiss: pip install 'align-encoders[faiss]'")
    if engine == "exact" or not installed or not len(embeddings.vectors):
        return top_k(queries, embeddings.vectors, k)
    return _faiss_top_k(queries, embeddings.vectors, k)


def _faiss_top_k(
    queries: ArrayLike, vectors: NDArray[Any], k: int, *, block: int = 65536
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    import faiss

    top_k(queries, vectors[:0], k)  # the same refusals
    index = faiss.IndexFlatIP(vectors.shape[1])
    for start in range(0, len(vectors), block):
        index.add(normalize(vectors[start : start + block], first_row=start))
    scores, rows = index.search(normalize(queries), min(k, len(vectors)))
    steps = np.rint(scores / TIE_TOLERANCE)
    order = np.lexsort((rows, -steps), axis=1)
    steps, rows = np.take_along_axis(steps, order, axis=1), np.take_along_axis(rows, order, axis=1)
    return (steps.astype(np.int64) * TIE_TOLERANCE).astype(np.float32), rows


def _check_rows(rows: NDArray[Any], ids: Sequence[str], texts: Sequence[str] | None) -> None:
    for what, values in (("ids", ids), ("texts", texts)):
        if values is not None and len(values) != len(rows):
            raise InputError(f"{len(rows)} embeddings but {len(values)} {what}: expected one for each row")
    seen: set[str] = set()
    for name in ids:
        if not isinstance(name, str) or name in seen:
            raise InputError(f"id {name!r}: expected text, each id once")
        seen.add(name)
    for start in range(0, len(rows), 65536):
        bad = np.flatnonzero(~np.isfinite(rows[start : start + 65536]).all(axis=1))
        if len(bad):
            raise InputError(f"the embedding of id {ids[start + bad[0]]!r} holds NaN or Inf; expected finite numbers")


def _read_ids(path: Path) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    try:
        rows = [json.loads(line) for line in read_lines(path)]
        ids = tuple(row["id"] for row in rows)
        texts = tuple(row["text"] for row in rows if "text" in row)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: expected an object with an id on each line ({error})") from error
    if len(set(ids)) != len(ids):
        raise InputError(f"{path}: an id stands there twice")
    return ids, texts if rows and len(texts) == len(rows) else None


def _plain(encoder: Mapping[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(encoder), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"the encoder's description is not JSON: {error}") from error
    return plain


def _same_encoder(stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    differ = [
        f"{name} ({json.dumps(stored.get(name))} in the index, {json.dumps(given.get(name))} in the queries)"
        for name in sorted({*stored, *given})
        if stored.get(name) != given.get(name)  # null is as good as absent
    ]
    if differ:
        raise InputError(f"the queries come from another encoder than the index: {', '.join(differ)}")

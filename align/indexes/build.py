"""Building an index from a folder of vectors, or from vectors in memory; ``align.indexes.index`` says what it holds."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from align.errors import InputError
from align.indexes.approximate import FaissIndex, check_effort, default_effort, given_effort, training_rows
from align.indexes.exact import Block, numbered, write_npy
from align.indexes.faiss_gpu import Gpu, named_gpu, on_gpu_or_cpu
from align.indexes.faiss_module import add, import_faiss, new_index, train, write_index
from align.indexes.faiss_probe import check_survives
from align.indexes.index import EXACT, FAISS, ROWS, VECTORS, Index, load_index, writing_index
from align.indexes.recall import HITS, LOOKED_UP, check_scores, measured, questions, summary
from align.indexes.rows import LABELS, rows_of_vectors, writing_rows
from align.similarity.cosine import normalize
from align.text.surrogates import well_formed
from align.vectors.folder import Vectors, plain, vector_table, vectors_of
from align.vectors.shifted import read_vectors

log = logging.getLogger(__name__)

Labels = dict[str, set[str]]
Units = NDArray[np.float32]


def index(
    vectors: Vectors | Path | str,
    out: Path | str,
    *,
    factory: str = EXACT,
    train_rows: int | None = None,
    recall_queries: int = 1000,
    k: int = 10,
    float16: bool | None = None,
    nprobe: int | None = None,
    ef_search: int | None = None,
    seed: int = 0,
    device: str | None = None,
    offsets: Path | str | None = None,
    progress: bool = False,
) -> Index:
    """Build an index from a folder of vectors; they are made unit ones, so that the inner product is the cosine.

    The folder is read twice, part by part, and a third time for FAISS; in memory are the training sample and the FAISS
    index (``Flat``: neither). Of an approximate index the recall@k is measured against exact search, logged, and kept
    in the manifest, and so is that of searches for one of the rarest languages alone. Some rows are looked up: their
    scores must be cosines, and they must find themselves (:func:`align.indexes.recall.check_scores`).

    A recall query is the normalised mean of two random rows, which themselves do not count as hits; of equal rows any
    one may be found, so that copies in the corpus make the recall look lower than it is.

    Args:
        vectors: what ``align encode`` wrote.
        out: the folder of the index; an older index there is replaced, a reader that has it open is not disturbed.
        factory: ``Flat`` (exact, needs no FAISS), or what FAISS's ``index_factory`` understands: ``IVF1024,Flat``,
            ``HNSW32``, ``OPQ16,IVF1024,PQ16``, ...
        train_rows: random rows to train on; ``None``: 64 for each list of an IVF index and at least 50,000; never
            more than there are.
        recall_queries: 0: the recall is not measured.
        k: of the recall.
        float16: store an exact index as float16 or float32; ``None``: as the vectors are.
        nprobe: lists of an IVF index that a search looks at by default; ``None``: a 32nd of them, at least 8.
        ef_search: candidates that a search of an HNSW index keeps by default; ``None``: 64.
        seed: of the training sample and the queries.
        device: where FAISS trains and fills a flat or an IVF index: ``cpu``, ``cuda``, ``cuda:1``; ``None``: on the
            GPU where ``faiss-gpu`` is installed and one is seen, else on the CPU. Whatever filled it, what is written
            is checked, and its recall measured, on the CPU.
        offsets: folder of :func:`align.offsets`, to be taken off vectors that were encoded without.
        progress: show a bar.

    Raises:
        InputError: no folder of vectors, or a damaged one; offsets of another encoder, or taken off before;
            FAISS is missing, does not know the factory or crashes with it; its scores are no cosines, or rows do not
            find themselves; too few rows to train it; an option of another kind of index; a device that FAISS does not
            see; ``out`` holds something else, or the disk is full.
    """
    vectors = read_vectors(vectors, offsets)
    for what, value, least in (("k", k, 1), ("train_rows", train_rows, 1), ("recall_queries", recall_queries, 0)):
        if value is not None and value < least:
            raise InputError(f"{what} must be at least {least}, got {value}")
    given = given_effort(nprobe, ef_search)
    with writing_index(out) as (folder, manifest):
        manifest |= {"factory": factory, "rows": vectors.rows, "dimension": vectors.dimension, "unit": True}
        manifest |= {"metric": "cosine", "encoder": plain(vectors.encoder)}
        if factory == EXACT:
            check_effort(given, {}, factory)
            manifest |= _build_exact(vectors, folder, float16=float16, progress=progress)
        else:
            if float16 is not None:
                raise InputError(f"float16 is for the factory Flat, this one is {factory!r}: see FAISS's SQfp16")
            manifest |= on_gpu_or_cpu(
                named_gpu(device),
                lambda gpu: _build_faiss(
                    vectors, folder, factory, given, train_rows=train_rows, recall_queries=recall_queries, k=k,
                    seed=seed, gpu=gpu, progress=progress,
                ),
            )  # fmt: skip
        size = (folder / (VECTORS if factory == EXACT else FAISS)).stat().st_size
        manifest["built"]["bytes_per_vector"] = round(size / max(1, vectors.rows), 2)
    log.info("%s", summary(manifest))
    return load_index(out, verify=False)


def save_index(
    out: Path | str,
    vectors: ArrayLike,
    ids: Sequence[str],
    *,
    encoder: Mapping[str, Any],
    texts: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    scripts: Sequence[str] | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Index:
    """Write vectors that are in memory as an exact index; they are stored as they are, of whatever length.

    Arguments are those of :func:`align.vectors.writing.save_vectors`; an older index in ``out`` is replaced.

    Raises:
        InputError: NaN or Inf, numbers of rows that differ, an id twice, an encoder that is not JSON, or ``out`` holds
            something else.
    """
    for name, times in Counter(ids).items():
        if not isinstance(name, str) or times > 1 or name != well_formed(name):
            raise InputError(f"id {name!r}: expected well-formed text, each id once")
    table = vector_table(
        ids, vectors, texts=[""] * len(ids) if texts is None else texts, languages=languages, scripts=scripts,
        store_texts=texts is not None, columns=columns,
    )  # fmt: skip
    if texts is None:
        place = table.column_names.index("text_sha256")
        table = table.set_column(place, "text_sha256", pa.nulls(len(table), pa.string()))
    stored = vectors_of(table)
    rows, dimension = stored.shape
    with writing_index(out) as (folder, manifest):
        about = {"factory": EXACT, "rows": rows, "dimension": dimension, "dtype": str(stored.dtype), "unit": False}
        manifest |= {**about, "metric": "cosine", "encoder": plain(encoder), "search": {}, "built": {}, "faiss": None}
        write_npy(folder / VECTORS, [stored], shape=(rows, dimension), dtype=str(stored.dtype))
        labels = {label: set(pc.unique(table.column(label)).to_pylist()) for label in LABELS}
        with writing_rows(folder / ROWS, labels, list(columns or ())) as write:
            write(table)
    return load_index(out, verify=False)


def _build_exact(vectors: Vectors, folder: Path, *, float16: bool | None, progress: bool) -> dict[str, Any]:
    dtype = {None: str(vectors.manifest["dtype"]), True: "float16", False: "float32"}[float16]
    _, labels = _survey(vectors, np.empty(0, dtype=np.int64))
    began = time.perf_counter()
    units = (units for _, units in _blocks(vectors, folder / ROWS, labels, progress=progress))
    write_npy(folder / VECTORS, units, shape=(vectors.rows, vectors.dimension), dtype=dtype)
    built = {"seconds": round(time.perf_counter() - began, 3), "recall": None}
    return {"dtype": dtype, "search": {}, "faiss": None, "built": built}


def _build_faiss(
    vectors: Vectors,
    folder: Path,
    factory: str,
    given: Mapping[str, int],
    *,
    train_rows: int | None,
    recall_queries: int,
    k: int,
    seed: int,
    gpu: Gpu | None,
    progress: bool,
) -> dict[str, Any]:
    import_faiss()
    check_survives(factory, vectors.dimension, min(vectors.rows, train_rows or vectors.rows))
    made = new_index(factory, vectors.dimension)
    effort = default_effort(made)
    check_effort(given, effort, factory)
    effort |= given
    gpu = gpu if gpu and gpu.takes(made) else None
    rng = np.random.default_rng(seed)
    rows, count = vectors.rows, recall_queries if vectors.rows > 2 else 0
    trained_on = np.sort(rng.choice(rows, training_rows(made, rows, train_rows), replace=False, shuffle=False))
    first = rng.integers(rows, size=count) if count else np.empty(0, dtype=np.int64)
    second = (first + rng.integers(1, rows, size=count)) % rows if count else first
    checked = np.sort(rng.choice(rows, min(rows, LOOKED_UP), replace=False))
    wanted = np.unique(np.concatenate([trained_on, first, second, checked]))
    sample, labels = _survey(vectors, wanted)
    queries = normalize(sample[np.searchsorted(wanted, first)] + sample[np.searchsorted(wanted, second)])
    looked_up = sample[np.searchsorted(wanted, checked)]
    seconds = [-time.perf_counter()]  # begins, less; ends, more: their sum leaves out the exact search
    growing, train_, add_ = (gpu.copy(made), gpu.train, gpu.add) if gpu else (made, train, add)
    if not made.is_trained:
        train_(growing, sample[np.searchsorted(wanted, trained_on)], factory)
    seconds.append(time.perf_counter())
    del sample
    asked = questions(queries, rows_of_vectors(vectors), k)
    for numbers, units in _blocks(vectors, folder / ROWS, labels, progress=progress):
        seconds.append(-time.perf_counter())
        add_(growing, units, factory)
        seconds.append(time.perf_counter())
        for question in asked:
            question.add(numbers, units)
    made = gpu.back(growing) if gpu else growing
    write_index(made, folder / FAISS)
    engine = FaissIndex(made, factory, effort)
    built: dict[str, Any] = {"seconds": round(sum(seconds), 3), "train_rows": len(trained_on)}
    built |= {"device": gpu.device} if gpu else {}
    built["checked"] = _checked(vectors, engine, looked_up[looked_up.any(axis=1)])
    built |= measured(engine, asked, queries, np.stack([first, second], axis=1), k, given)
    if built["recall"] is not None:
        built["recall"]["seed"] = seed
    return {"dtype": None, "search": effort, "faiss": import_faiss().__version__, "built": built}


def _checked(vectors: Vectors, engine: FaissIndex, queries: Units) -> dict[str, Any]:
    """Whether the scores of an index are cosines of the rows that it finds; the folder is read for those once more."""
    scores, found = engine.search(queries, min(HITS, max(1, vectors.rows)))
    wanted = np.unique(found[found >= 0])
    units, _ = _survey(vectors, wanted, verify=False)
    hits = np.zeros((*found.shape, vectors.dimension), dtype=np.float32)
    hits[found >= 0] = units[np.searchsorted(wanted, found[found >= 0])]
    return check_scores(engine.factory, queries, scores, hits)


def _survey(vectors: Vectors, wanted: NDArray[np.int64], *, verify: bool = True) -> tuple[Units, Labels]:
    """(rows, dimensions) unit vectors of the wanted rows (rising), and all languages and scripts there are."""
    units = np.empty((len(wanted), vectors.dimension), dtype=np.float32)
    labels: Labels = {label: set() for label in LABELS}
    for start, table in numbered(vectors.tables([*LABELS, *(["vector"] if len(wanted) else [])], verify=verify)):
        for label in LABELS:
            labels[label].update(pc.unique(table.column(label)).to_pylist())
        here = slice(*np.searchsorted(wanted, [start, start + table.num_rows]))
        if here.stop > here.start:
            units[here] = normalize(vectors_of(table)[wanted[here] - start])
    return units, labels


def _blocks(vectors: Vectors, rows_file: Path, labels: Labels, *, progress: bool) -> Iterator[Block]:
    """Numbers and unit vectors of all rows, part by part; what stands beside them is written to ``rows_file``."""
    with (
        writing_rows(rows_file, labels, vectors.columns) as write,
        tqdm(total=vectors.rows, unit=" rows", desc="index", disable=not progress) as bar,
    ):
        for start, table in numbered(vectors.tables(verify=False)):  # the survey has verified them
            write(table)
            yield np.arange(start, start + len(table)), normalize(vectors_of(table), first_row=start)
            bar.update(len(table))

"""Dense, sparse and hybrid search, and BM25: recall@10 of native and romanised queries among native verses.

    pip install bm25s
    python -m scripts.experiments.lexical_search seed --to runs/sparse --bf16 --set train.steps=80 train.max_tokens=32 \
      train.learning_rate=5e-4 sparse_contrastive.ramp_steps=20 --out docs/results/sparse-seed.json

Trained on pairs (verse, as uroman writes it) of the package's ten languages beside English, each time from the same
start on the same batches: by the recipe `sparse`, and without its sparse part. Queries are the first halves of the
held-out verses, as they are and as uroman writes them; the rows are all held-out verses, whole. The weight of the
hybrid is fitted on every fourth verse, which then asks no query. Intervals hold the mean over languages in 95 of 100
samples of verses. A model that is in ``--to`` already is measured.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import regex
from datasets import Dataset
from numpy.typing import NDArray
from scipy.sparse import csr_array

import align
from align.demo import PIVOT, read_verses
from align.encoders.encoder import Encoder
from align.encoders.lexical.encoding import encode_both
from align.encoders.lexical.head import lexical_identity, term_names
from align.encoders.lexical.settings import Lexical as Settings
from align.files.whole import read_lines
from align.indexes.exact import Found
from align.indexes.index import load_index
from align.indexes.lexical import Lexical
from align.similarity.nearest import keep_best, neighbours_of, no_keys
from align.tasks.statistics.intervals import macro_interval
from align.text.languages import latin
from align.text.romanize.romanizer import romanize
from align.training.recipe import Recipe
from align.vectors.sparse import SparseVectors
from align.vectors.writing import save_vectors
from scripts.bench.harness import Row, command_line
from scripts.experiments.romanised import K, cell

KINDS = ("dense alone", "pivot")
"""The recipe without its sparse part, and whole."""
UNTRAINED = Settings(pivot="Latn", top=256)
"""Of an encoder whose head was not trained for it: nearly all terms have about the same weight there."""
VERSES = 120
"""Held-out ones of each language that are rows and queries."""
DEV = 4
"""Every so many verses one is of the dev part."""
WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Myanmar}]|[\p{L}\p{M}\p{N}]+")
"""What BM25 counts: words, and characters of scripts that write no spaces."""


def pairs() -> Dataset:
    """(verse, as uroman writes it) of all languages but English, each language's verses once."""
    rows: dict[str, list[str]] = {"source": [], "target": [], "source_lang": [], "target_lang": [], "group_id": []}
    with as_file(files("align") / "data" / "demo" / "train") as folder:
        for path in sorted(folder.iterdir()):
            code = path.name.partition(".")[0]
            texts = [] if code == PIVOT else list(read_lines(path))
            rows["source"] += texts
            rows["target"] += romanize(texts, lang=code)
            rows["source_lang"] += [code] * len(texts)
            rows["target_lang"] += [latin(code)] * len(texts)
            rows["group_id"] += [str(number) for number in range(len(texts))]
    return Dataset.from_dict(rows)


def trained(model: str, kind: str, folder: Path, changes: Sequence[str]) -> float:
    """CPU seconds of training one of ``KINDS``; what is not trained in it keeps its head."""
    began = time.process_time()
    recipe = align.load_recipe("sparse", changes=changes)
    if kind == "dense alone":
        recipe = Recipe(info_nce=recipe.info_nce, train=recipe.train)
    align.train(align.load_encoder(model), pairs(), recipe, folder)
    return round(time.process_time() - began, 1)


def lexical_search(model: str, *, to: Path = Path("runs/sparse"), bf16: bool = False, set: Sequence[str] = ()) -> Row:
    """Train what is not there, and measure."""
    changes = [*set, *(["train.bf16=true"] if bf16 else [])]
    rows, queries = corpus()
    result: Row = {"settings": {"set": list(set), "bf16": bf16, "k": K, "rows": len(rows)}, "seconds": {}}
    result["queries"] = {form: len(asked) for form, asked in queries.items()}
    result["bm25"] = {form: table(bm25(rows, asked), asked) for form, asked in queries.items()}
    for kind in ("start", *KINDS):
        folder = to / kind.replace(" ", "-")
        if kind != "start" and not folder.is_dir():
            result["seconds"][kind] = trained(model, kind, folder, changes)
        encoder = align.load_encoder(model if kind == "start" else folder)
        encoder.lexical = encoder.lexical or UNTRAINED
        result[kind] = measured(encoder, rows, queries)
        print(kind, result[kind], flush=True)
    return result


class Query(NamedTuple):
    """The first half of a verse."""

    language: str
    row: int
    """Of the whole verse."""
    text: str
    dev: bool


def corpus() -> tuple[list[str], dict[str, list[Query]]]:
    """All held-out verses, and queries for those not in English, as they are and romanised."""
    verses, _ = read_verses()
    rows: list[str] = []
    queries: dict[str, list[Query]] = {"native": [], "romanised": []}
    for code, every in verses.items():
        lines = every[:VERSES]
        halves = [half(line) for line in lines]
        if code != PIVOT:
            for form, texts in (("native", halves), ("romanised", romanize(halves, lang=code))):
                queries[form] += [
                    Query(code, len(rows) + i, text, i % DEV == 0) for i, text in enumerate(texts) if text.strip()
                ]
        rows += lines
    return rows, queries


def half(verse: str) -> str:
    """The first half of its words, or of its characters where it has no spaces.

    >>> half("a b c d e"), half("一二三四")
    ('a b', '一二')
    """
    words = verse.split()
    return " ".join(words[: len(words) // 2]) if len(words) > 3 else verse[: len(verse) // 2]


def measured(encoder: Encoder, rows: Sequence[str], queries: Mapping[str, list[Query]]) -> Row:
    """Recall by each way of search, and what a row costs."""
    dense, sparse = encode_both(encoder, rows)
    found: Row = {"dense bytes": int(dense.shape[1] * 4)}
    for name, top in (("sparse", 0), ("sparse, 256 terms", 256)):
        stored = heaviest(sparse, top)
        found[name] = {"terms": round(stored.nnz / len(rows), 1), "bytes": round(8 * stored.nnz / len(rows), 1)}
        mass = np.sort(np.asarray(stored.sum(axis=0)).ravel())[::-1]
        found[name]["top 20 share"] = round(float(mass[:20].sum() / mass.sum()), 4)
    with tempfile.TemporaryDirectory() as work:
        ids, made = [str(number) for number in range(len(rows))], lexical_identity(encoder)
        vectors = SparseVectors(sparse, term_names(encoder), made)
        folder = Path(work) / "v"
        save_vectors(folder, ids, dense, texts=rows, encoder=encoder.identity(), sparse=vectors)
        lexical = Lexical(load_index(folder), made)
        for form, asked in queries.items():
            q_dense, q_sparse = encode_both(encoder, [query.text for query in asked])
            gold, dev = (np.array([getattr(query, name) for query in asked]) for name in ("row", "dev"))
            weight, _ = lexical.best_weight(q_sparse[dev], q_dense[dev], gold[dev], k=K)
            ways = {
                "dense": lexical.search(q_sparse, q_dense, K, weight=0.0),
                "sparse": lexical.search(q_sparse, None, K),
                "rank fusion": lexical.fused(q_sparse, q_dense, K),
                "weighted": lexical.search(q_sparse, q_dense, K, weight=weight),
                "sparse, 256 terms": _dot(heaviest(q_sparse, 256), heaviest(sparse, 256)),
            }
            found[form] = {"weight": weight} | {way: table(rows, asked) for way, (_, rows) in ways.items()}
    return found


def _dot(queries: csr_array, rows: csr_array) -> Found:
    best = no_keys(queries.shape[0], K)
    keep_best(best, (queries @ rows.T).toarray().astype(np.float32), np.arange(rows.shape[0]))
    return neighbours_of(best)


def heaviest(matrix: csr_array, top: int) -> csr_array:
    """The heaviest terms of each row alone; 0: all that there are."""
    if not top:
        return matrix
    kept = [
        matrix.indptr[row] + np.argsort(-matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]])[:top]
        for row in range(matrix.shape[0])
    ]
    places = np.concatenate(kept)
    ends = np.append(0, np.cumsum([len(one) for one in kept]))
    return csr_array((matrix.data[places], matrix.indices[places], ends), shape=matrix.shape)


def bm25(rows: Sequence[str], asked: Sequence[Query]) -> NDArray[np.int64]:
    """(n, k) rows by BM25 of bm25s (k1 1.5, b .75) over words, or characters where there are no spaces."""
    import bm25s

    index = bm25s.BM25()
    index.index([words_of(row) for row in rows], show_progress=False)
    found, _ = index.retrieve([words_of(query.text) for query in asked], k=K, show_progress=False)
    return np.asarray(found, dtype=np.int64)


def words_of(text: str) -> list[str]:
    """Words in lower case; of scripts without spaces, characters."""
    return WORD.findall(text.lower()) or [""]


def table(rows: NDArray[np.int64], asked: Sequence[Query]) -> Row:
    """Recall of the queries that are not of the dev part: the mean over languages with its interval, and each."""
    gold = np.array([query.row for query in asked])
    right = (rows == gold[:, None]).any(axis=1)
    items = {
        code: np.array(
            [hit for hit, query in zip(right, asked, strict=True) if query.language == code and not query.dev]
        )
        for code in dict.fromkeys(query.language for query in asked)
    }
    mean = float(np.mean([values.mean() for values in items.values()]))
    interval = macro_interval([values.astype(float) for values in items.values()])
    return {"mean": cell(mean, interval), **{code: round(float(values.mean()), 4) for code, values in items.items()}}


if __name__ == "__main__":
    command_line(lexical_search)

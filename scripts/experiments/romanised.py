"""Romanised queries against native text, before and after alignment: recall@1, recall@10 and MRR@10 per language.

    python -m scripts.experiments.romanised E5 MODEL --prompt "query: " --out docs/results/search-romanised.json
    python -m scripts.experiments.romanised E5 ROUTED --prompt "query: " --old-index --out docs/results/old-index.json

The index holds every native sentence of Dakshina's 12 languages, together (some 60,000). The queries are people's
romanisations of the test half, on which nothing was trained or chosen. Intervals hold the score in 95 of 100 samples of
sentences. With --old-index the queries of both look in the vectors of the first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import align
from align.encoders.encoder import Encoder
from align.tasks.statistics.intervals import bootstrap_mean, macro_interval
from align.text.languages import latin
from align.vectors.folder import Vectors
from align.vectors.writing import save_vectors
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import LANGUAGES, romanised

K = 10
METRICS = {
    "recall@1": lambda ranks: (ranks == 1).astype(float),
    f"recall@{K}": lambda ranks: (ranks > 0).astype(float),
    f"mrr@{K}": lambda ranks: np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0),
}


def search(
    before: str, after: str, *, prompt: str | None = None, sentences: int | None = None, old_index: bool = False
) -> Row:
    texts = corpus(sentences)
    result: Row = {"passages": len(texts), "languages": len(LANGUAGES["dakshina"]), "k": K}
    vectors = None
    with tempfile.TemporaryDirectory() as work:
        for when, model in (("before", before), ("after", after)):
            encoder = align.load_encoder(model, prompt=None if old_index and when == "after" else prompt)
            if vectors is None or not old_index:
                vectors = stored(Path(work) / when, texts, encoder)
            found = scores(vectors, encoder, asked("test", texts, sentences))
            result[when] = {"model": Path(model).name, "encoder": encoder.identity(), "scores": found}
            print(when, found["mean"], flush=True)
    return result


def corpus(limit: int | None) -> dict[str, str]:
    """Native sentence -> its language, each once; at most ``limit`` of each language and part."""
    found: dict[str, str] = {}
    for code, language in LANGUAGES["dakshina"].items():
        for part in ("train", "dev", "test"):
            for native, _ in romanised(code, part)[:limit]:
                found.setdefault(native, language)
    return found


def asked(part: str, texts: Mapping[str, str], limit: int | None) -> dict[str, list[tuple[int, str]]]:
    """Language -> (row of the native sentence, its romanisation by a person)."""
    rows = {text: number for number, text in enumerate(texts)}
    return {
        language: [(rows[native], roman) for native, roman in romanised(code, part)[:limit]]
        for code, language in LANGUAGES["dakshina"].items()
    }


def stored(folder: Path, texts: Mapping[str, str], encoder: Encoder) -> Vectors:
    """A folder of the vectors of texts."""
    ids, rows, languages = [str(number) for number in range(len(texts))], list(texts), list(texts.values())
    vectors = encoder.encode(rows, progress=True)
    return save_vectors(folder, ids, vectors, texts=rows, encoder=encoder.identity(), languages=languages)


def scores(vectors: Any, encoder: Encoder, queries: Mapping[str, list[tuple[int, str]]]) -> dict[str, Any]:
    """Language -> metric -> value and interval; ``mean`` is over languages. Search is exact."""
    with tempfile.TemporaryDirectory() as folder:
        index = align.index(vectors, Path(folder) / "index")
        ranks = {}
        for language, pairs in queries.items():
            gold = np.array([row for row, _ in pairs])
            _, rows = index.search(
                encoder.encode([text for _, text in pairs], language=latin(language)), K, encoder=encoder.identity()
            )
            right = rows == gold[:, None]
            ranks[language] = np.where(right.any(axis=1), right.argmax(axis=1) + 1, 0)
    table: dict[str, Any] = {language: {} for language in [*ranks, "mean"]}
    for metric, of in METRICS.items():
        items = {language: of(found) for language, found in ranks.items()}
        for language, values in items.items():
            table[language][metric] = cell(values.mean(), bootstrap_mean(values))
        means = np.mean([values.mean() for values in items.values()])
        table["mean"][metric] = cell(means, macro_interval(list(items.values())))  # no two languages share a sentence
    return table


def cell(value: float, interval: tuple[float, float]) -> list[float]:
    """Value, lower end, upper end."""
    return [round(float(number), 4) for number in (value, *interval)]


if __name__ == "__main__":
    command_line(search)

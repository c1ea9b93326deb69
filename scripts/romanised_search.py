"""Romanised queries against native text, before and after alignment: recall@1, recall@10 and MRR@10 per language.

    ALIGN_DATA=/path/to/data python scripts/romanised_search.py seed runs/barrier/model --out docs/results/search.json

The index holds every native sentence of Dakshina's 12 languages, together (some 60,000). The queries are people's
romanisations of the test half, on which nothing was trained or chosen. Search is exact, over a folder of vectors as
`align encode` writes it. Intervals hold the score in 95 of 100 samples of sentences (Wilson's for recall, the
bootstrap's for MRR).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from provenance import ran
from script_barrier import SCRIPTS, romanised

import align
from align.encoders.encoder import Encoder
from align.files.whole import write_json
from align.indexes.build import index
from align.indexes.index import load_index
from align.tasks.statistics.intervals import bootstrap_mean, macro_interval
from align.vectors.writing import save_vectors

K = 10


def corpus(data: Path, limit: int | None = None) -> dict[str, str]:
    """Native sentence -> its language, each once; at most ``limit`` of each language and part."""
    found: dict[str, str] = {}
    for code, language in SCRIPTS.items():
        for part in ("train", "dev", "test"):
            for native, _ in romanised(data, code, part)[:limit]:
                found.setdefault(native, language)
    return found


def ranks(
    vectors: Path, folder: Path, encoder: Encoder, queries: list[str], gold: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(n,) place of the right row among the first K, from 1; 0: not among them."""
    stored = index(vectors, folder) if not folder.exists() else load_index(folder, verify=False)
    _, rows = stored.search(encoder.encode(queries), K, encoder=encoder.identity())
    right = rows == gold[:, None]
    return np.where(right.any(axis=1), right.argmax(axis=1) + 1, 0)


def scores(found: dict[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Language -> metric -> value and interval; ``mean`` is over languages."""
    metrics = {
        "recall@1": lambda r: (r == 1).astype(float),
        f"recall@{K}": lambda r: (r > 0).astype(float),
        f"mrr@{K}": lambda r: np.where(r > 0, 1 / np.maximum(r, 1), 0.0),
    }
    table: dict[str, Any] = {language: {} for language in [*found, "mean"]}
    for metric, of in metrics.items():
        items = {language: of(r) for language, r in found.items()}
        for language, values in items.items():
            table[language][metric] = cell(values.mean(), bootstrap_mean(values))
        means = np.mean([values.mean() for values in items.values()])
        table["mean"][metric] = cell(means, macro_interval(list(items.values())))  # no two languages share a sentence
    return table


def cell(value: float, interval: tuple[float, float]) -> list[float]:
    """Value, lower end, upper end."""
    return [round(float(number), 4) for number in (value, *interval)]


def measure(model: str, data: Path, prompt: str | None, limit: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores of a model, and its identity."""
    encoder = align.load_encoder(model, prompt=prompt)
    passages = corpus(data, limit)
    row = {text: number for number, text in enumerate(passages)}
    found = {}
    with tempfile.TemporaryDirectory() as work:
        vectors, ids = Path(work) / "vectors", [str(number) for number in range(len(row))]
        save_vectors(
            vectors, ids, encoder.encode(list(row), progress=True), texts=list(row), encoder=encoder.identity(),
            languages=list(passages.values()),
        )  # fmt: skip
        for code, language in SCRIPTS.items():
            pairs = romanised(data, code, "test")[:limit]
            gold = np.array([row[native] for native, _ in pairs])
            found[language] = ranks(vectors, Path(work) / "index", encoder, [roman for _, roman in pairs], gold)
            print(f"  {language} recall@{K} {(found[language] > 0).mean():.4f} of {len(gold)}", flush=True)
    return scores(found), encoder.identity()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="seed, a folder, or a name on the Hub: untouched")
    parser.add_argument("after", help="the same, aligned")
    parser.add_argument("--prompt", default=None)
    parser.add_argument("--sentences", type=int, default=None, help="of each language and part (default: all)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = Path(os.environ["ALIGN_DATA"])
    result: dict[str, Any] = {"passages": len(corpus(data, args.sentences)), "languages": len(SCRIPTS), "k": K}
    for when, model in (("before", args.before), ("after", args.after)):
        print(f"{when}: {Path(model).name}", flush=True)
        table, identity = measure(model, data, args.prompt, args.sentences)
        result[when] = {"model": Path(model).name, "encoder": identity, "scores": table}
    for language, old in result["before"]["scores"].items():
        new = result["after"]["scores"][language]
        cells = (f"{metric} {old[metric][0]:.3f} -> {new[metric][0]:.3f}" for metric in old)
        print(f"{language}  {'  '.join(cells)}", flush=True)
    write_json(args.out, result | ran(args.threads))


if __name__ == "__main__":
    main()

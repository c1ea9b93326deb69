"""Dense, sparse and hybrid search, and BM25: recall@10 of native and romanised queries among native verses.

    pip install bm25s
    python -m scripts.experiments.lexical_search seed --to runs/sparse --bf16 --out docs/results/sparse-seed.json

Trained on pairs (verse, as uroman writes it) of the package's ten languages beside English, three times from the same
start on the same batches: the recipe `sparse`, the same with the pieces of all scripts as terms, and without its sparse
part. Queries are the first halves of the held-out verses, as they are and as uroman writes them; the rows are all
held-out verses, whole. The weight of the hybrid is fitted on every fourth verse, which then asks no query. Intervals hold
the mean over languages in 95 of 100 samples of verses. A model that is in ``--to`` already is measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path

from datasets import Dataset

import align
from align.demo import PIVOT
from align.files.whole import read_lines
from align.text.languages import latin
from align.text.romanize.romanizer import romanize
from align.training.recipe import Recipe

KINDS: Mapping[str, Sequence[str]] = {"pivot": (), "every script": ["sparse_contrastive.pivot="], "dense alone": ()}
DEV = 4
"""Every so many verses one is of the dev part."""


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
    recipe = align.load_recipe("sparse", changes=[*KINDS[kind], *changes])
    if kind == "dense alone":
        recipe = Recipe(info_nce=recipe.info_nce, train=recipe.train)
    align.train(align.load_encoder(model), pairs(), recipe, folder)
    return round(time.process_time() - began, 1)

"""Word alignment before and after training on parallel text (recipe `word_alignment`), and what it costs sentences.

    python -m scripts.experiments.word_alignment E5 --prompt "query: " --to runs/words-align --dev
    python -m scripts.experiments.word_alignment E5 --prompt "query: " --to runs/words-align --bf16 \
        --out docs/results/word-alignment-trained.json

Trains on TICO-19 (lines 1-768) and verses, six languages with English (a model that is in ``--to`` is measured).
AER of links that are nearest neighbours of each other by the cosine of word vectors (the mean of a word's pieces), at
the layer that is best on the first 100 lines of the three sets together; scored are the other lines, ``--dev``: these.
P@1 of 300 lines of SIB-200 to English and rho of 200 pairs of the STS benchmark in English (dev), before and after.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset

import align
from align import read_pairs, translation_pairs
from align.encoders.encoder import Encoder
from align.encoders.pretokenised import word_vectors
from align.similarity.cosine import normalize
from align.tasks import StsSet, read_sts
from align.tasks.measures.ratio import ratio_items
from align.tasks.statistics.intervals import macro_interval
from align.tasks.sts import sts
from align.tasks.texts.gold_links import NULL, find_alignments, read_alignment
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.links import WITHOUT
from scripts.experiments.plans import TICO_TRAIN, lines

SETS = ("enfr", "jaen", "grc_eng")
DEV = 100
TICO = {"en": "eng_Latn", "fr": "fra_Latn", "ru": "rus_Cyrl", "hi": "hin_Deva", "zh": "zho_Hans"}
BIBLE = {"eng": "eng_Latn", "jpn": "jpn_Jpan", "grc": "grc_Grek", "fra": "fra_Latn"}
SENTENCES = ("fra_Latn", "jpn_Jpan")
LINES, PAIRS = 300, 200  # of SIB-200, of the STS benchmark


def word_alignment(
    model: str, *, to: Path = Path("runs/word-alignment"), prompt: str | None = None, dev: bool = False,
    bf16: bool = False, layers: Sequence[int] = (), set: Sequence[str] = (), before_only: bool = False,
) -> Row:  # fmt: skip
    """Train what is not there, and measure before and after."""
    result: Row = {"settings": {"set": list(set), "dev": dev, "bf16": bf16}}
    encoder = align.load_encoder(model, prompt=prompt)
    chosen = [int(layer) for layer in layers] or list(range(1, encoder.depth + 1))
    if not before_only and not (to / "model").is_dir():
        tables = pairs(to)
        changes = [*set, *(f"{stage}.train.bf16=true" for stage in ("warm-up", "links") if bf16)]
        recipe, began = align.load_recipe("word_alignment", changes=changes), time.process_time()
        align.train(align.load_encoder(model, prompt=prompt), tables, recipe, to / "model")
        result["cpu_minutes"] = (time.process_time() - began) / 60
    result["before"] = measured(encoder, chosen, dev=dev, bf16=bf16)
    if not before_only:
        result["after"] = measured(align.load_encoder(to / "model"), chosen, dev=dev, bf16=bf16)
    return result


def pairs(to: Path) -> dict[str, Dataset]:
    """Translation pairs of both corpora below ``to``."""
    texts = to / "tico"
    texts.mkdir(parents=True, exist_ok=True)
    for name, code in TICO.items():
        kept = lines("tico19", f"{name}.txt")[:TICO_TRAIN]
        (texts / f"{code}.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    translation_pairs(texts, to / "tico-pairs", licence="CC0 1.0")
    verses = {code: data() / "bible" / f"{name}.txt" for name, code in BIBLE.items()}
    translation_pairs(verses, to / "bible-pairs", licence="public domain")
    return {name: read_pairs(to / f"{name}-pairs") for name in ("tico", "bible")}


def measured(encoder: Encoder, layers: Sequence[int], *, dev: bool, bf16: bool) -> Row:
    """AER by set at the best layer of the dev part, P@1 and rho."""
    with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
        if len(layers) == 1:
            return tested(encoder, layers[0])
        curves = {name: [error(counts)[0] for counts in scored(encoder, name, layers, slice(DEV))] for name in SETS}
        mean = np.mean(list(curves.values()), axis=0)
        best = layers[int(mean.argmin())]
        found: Row = {"layer": best, "dev": {str(k): float(value) for k, value in zip(layers, mean, strict=True)}}
        found["dev_aer"] = {name: curve[layers.index(best)] for name, curve in curves.items()}
        return found if dev else found | tested(encoder, best)


def tested(encoder: Encoder, layer: int) -> Row:
    """AER of the test lines at a layer, P@1 and rho."""
    found: Row = {"layer": layer, "aer": {}}
    for name in SETS:
        ((value, interval),) = (error(counts) for counts in scored(encoder, name, [layer], slice(DEV, None)))
        found["aer"][name] = {"value": value, "interval": list(interval)}
    found["p1"] = {code: p1(encoder, code) for code in SENTENCES}
    pairs = read_sts(data() / "sts" / "stsb" / "en.dev.tsv")
    cut = {
        name: StsSet(one.scores[:PAIRS], one.first[:PAIRS], one.second[:PAIRS], one.languages)
        for name, one in pairs.items()
    }
    return found | {"sts": sts(lambda texts, _: encoder.encode(texts), cut).headline()}


def scored(encoder: Encoder, name: str, layers: Sequence[int], part: slice) -> Iterator[np.ndarray]:
    """For each layer (lines, 4): |A and S|, |A and P|, |A|, |S|."""
    gold = read_alignment(name, *find_alignments(data() / "word_alignment")[name], without=WITHOUT.get(name, ()))
    every = [[(i, j, sure) for i, j, sure, _ in line if NULL not in (i, j)] for line in gold.links[part]]
    sides = [word_vectors(encoder, side[part], layers=layers) for side in (gold.source, gold.target)]
    for place in range(len(layers)):
        counts = []
        for source, target, of in zip(*sides, every, strict=True):
            sure, possible = ({(i, j) for i, j, certain in of if certain or not asked} for asked in (True, False))
            made = mutual(source.vectors[place], target.vectors[place])
            found = {(int(source.words[i]), int(target.words[j])) for i, j in made}
            counts.append([len(found & sure), len(found & possible), len(found), len(sure)])
        yield np.array(counts)


def mutual(source: np.ndarray, target: np.ndarray) -> list[tuple[int, int]]:
    """Places that are each other's nearest by cosine."""
    if not len(source) or not len(target):
        return []
    scores = normalize(source) @ normalize(target).T
    forward, backward = scores.argmax(1), scores.argmax(0)
    return [(i, int(j)) for i, j in enumerate(forward) if backward[j] == i]


def error(counts: np.ndarray) -> tuple[float, tuple[float, float]]:
    """AER = 1 - (|A and S| + |A and P|) / (|A| + |S|), with its interval by line."""
    both_sure, both, found, sure = counts.T
    items = 1 - ratio_items(both_sure + both, found + sure)
    return float(items.mean()), macro_interval([items])


def p1(encoder: Encoder, code: str) -> float:
    """Share of sentences of SIB-200 that find their English one."""
    own, english = (normalize(encoder.encode(lines("sib200", f"{one}.txt")[:LINES])) for one in (code, "eng_Latn"))
    return float(((own @ english.T).argmax(1) == np.arange(len(own))).mean())


if __name__ == "__main__":
    command_line(word_alignment)

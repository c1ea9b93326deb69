"""Word alignment of an encoder, layer by layer and by four methods, on gold links; beside it a statistical aligner.

    python -m scripts.experiments.links seed --bible DIR --out docs/results/links-seed.json
    python -m scripts.experiments.links E5 --prompt "query: " --bf16 --bible DIR --out docs/results/links-e5.json

Gold: English-French, Japanese-English and Ancient Greek-English of ALIGN_DATA/word_alignment, and, with ``--bible``,
the first 400 verses of Mark, Greek-English, of the package bible-alignments (``pip install --no-deps --target DIR``).
The Greek text has a line, 242, that has no links. The first 100 lines of a set choose layer and threshold, the others
are scored; intervals hold the score in 95 of 100 samples of lines.
"""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import align
from align.encoders.pretokenised import usual_layer, word_vectors
from align.similarity.links import METHODS, Linking, link
from align.tasks.measures.links import Agreement, agreement
from align.tasks.statistics.resampling import percentile_interval, resampled_counts
from align.tasks.texts.gold_links import GoldAlignment, find_alignments, read_alignment
from align.tasks.word_alignment import PROTOCOLS, LinkProtocol, Links, chosen_threshold, counted
from align.text.pharaoh import Link
from scripts.bench.harness import Row, command_line

WITHOUT = {"grc_eng": [242]}
CHUNK = 100
"""Lines whose vectors of all layers are held at a time; the first are those that choose."""
VERSES = 400


def measured(model: str, *, prompt: str | None = None, bf16: bool = False, bible: Path | None = None,
             sets: str = "") -> Row:  # fmt: skip
    encoder = align.load_encoder(model, prompt=prompt, bf16=bf16)
    result: Row = {"model": Path(model).name, "encoder": encoder.identity(), "usual": usual_layer(encoder), "sets": {}}
    for gold in golds(bible, sets):
        found, cut = predictions(encoder, gold)
        result["sets"][gold.name] = {"lines": len(gold.links), "cut": cut, **scored(gold, found, usual_layer(encoder))}
        print(gold.name, {name: one["aer"] for name, one in result["sets"][gold.name]["methods"].items()}, flush=True)
    return result


def golds(bible: Path | None, sets: str) -> list[GoldAlignment]:
    """The sets, by name."""
    folder = Path(os.environ["ALIGN_DATA"]) / "word_alignment"
    made = [
        read_alignment(name, text, links, without=WITHOUT.get(name, ()))
        for name, (text, links) in find_alignments(folder).items()
    ]
    return [one for one in [*made, *([verses(bible)] if bible else [])] if not sets or one.name in sets.split(",")]


def verses(bible: Path) -> GoldAlignment:
    """Mark in Greek and English, a verse a line; links that leave their verse are left out."""
    data = bible / "data"
    sides = []
    for file, prefix, verse in (
        (data / "sources/SBLGNT.tsv", "n41", lambda row: row["id"][1:9]),
        (data / "eng/targets/BSB/nt_BSB.tsv", "41", lambda row: row["source_verse"]),
    ):
        words: dict[str, list[tuple[str, str]]] = defaultdict(list)
        with open(file, encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["id"].startswith(prefix):
                    words[verse(row)].append((row["id"], row["text"]))
        sides.append(words)
    records = json.loads((data / "eng/alignments/BSB/SBLGNT-BSB-manual.json").read_text(encoding="utf-8"))["records"]
    chosen = [name for name in sorted(sides[0]) if name in sides[1]][:VERSES]
    places = [{id_: (v, k) for v in chosen for k, (id_, _) in enumerate(side[v])} for side in sides]
    links: dict[str, set[Link]] = defaultdict(set)
    for record in records:
        for i in record["source"]:
            for j in record["target"]:
                if i in places[0] and j in places[1] and places[0][i][0] == places[1][j][0]:
                    links[places[0][i][0]].add(Link(places[0][i][1], places[1][j][1]))
    source, target = (tuple(tuple(word for _, word in side[v]) for v in chosen) for side in sides)
    return GoldAlignment(
        "bible", ("grc_Grek", "eng_Latn"), source, target, tuple(tuple(sorted(links[v])) for v in chosen)
    )


def predictions(
    encoder: Any, gold: GoldAlignment, layers: Sequence[int] = ()
) -> tuple[dict[tuple[str, int], list[Links]], int]:
    """By method and layer (by default all) the links of each line, and how many words were cut."""
    made: dict[tuple[str, int], list[Links]] = defaultdict(list)
    layers = layers or range(encoder.depth + 1)
    means: list[np.ndarray] = []
    cut = 0
    for start in range(0, len(gold.links), CHUNK):
        sides = [
            word_vectors(encoder, side[start : start + CHUNK], layers=layers) for side in (gold.source, gold.target)
        ]
        cut += sum(one.cut for side in sides for one in side)
        if not means:
            means = [
                np.concatenate([one.vectors for one in side], axis=1).mean(axis=1, keepdims=True) for side in sides
            ]
        for place, layer in enumerate(layers):
            for centred in (False, True):
                rows = [
                    [one.vectors[place] - (mean[place] if centred else 0) for one in side]
                    for side, mean in zip(sides, means, strict=True)
                ]
                for method in METHODS if not centred else ("itermax",):
                    for found, s, t in zip(link(*rows, Linking(method)), *sides, strict=True):
                        pairs = zip(s.words[found.source].tolist(), t.words[found.target].tolist(), strict=True)
                        name = f"{method}, centred" if centred else method
                        made[name, layer].append(dict(zip(pairs, found.scores.tolist(), strict=True)))
        print(gold.name, start, flush=True)
    return made, cut


def scored(gold: GoldAlignment, found: Mapping[tuple[str, int], list[Links]], usual: int) -> Row:
    """Of each method the layer and threshold that the first lines choose, and the scores of the others."""
    methods: Row = {}
    protocol = LinkProtocol()
    for method in dict.fromkeys(name for name, _ in found):
        layers = sorted(layer for name, layer in found if name == method)
        least = {k: chosen_threshold(gold, found[method, k], protocol) for k in layers}
        counts = {k: np.array(counted(gold, found[method, k], least[k], protocol)) for k in layers}
        dev = [agreement(counts[k][:CHUNK]).aer for k in layers]
        best = layers[int(np.argmin(dev))]
        plain = counted(gold, found[method, usual], -1, protocol)[CHUNK:]
        methods[method] = {
            "layer": best, "least": least[best], **described(counts[best][CHUNK:]), "dev": dev,
            "curve": [agreement(counts[k][CHUNK:]).aer for k in layers], "usual": described(np.array(plain)),
        }  # fmt: skip
    best = methods["itermax"]["layer"]
    conventions = {}
    for name, one in PROTOCOLS.items():
        line_counts = counted(gold, found["itermax", best], methods["itermax"]["least"], one)
        conventions[name] = described(np.array(line_counts[CHUNK:]))
    return {"methods": methods, "conventions": conventions}


def described(counts: np.ndarray) -> Row:
    """The measures of (n, 4) counts of lines, and the interval of AER: lines are drawn, and their counts added up."""
    draws = resampled_counts(len(counts), resamples=1000)
    errors = np.array([agreement(drawn @ counts).aer for block in draws for drawn in block])
    found: Agreement = agreement(counts)
    return {**found._asdict(), "interval": percentile_interval(errors)}


if __name__ == "__main__":
    command_line(measured)

"""Named entities of English carried over to German and Russian, against people's labels: by links, and by n-grams.

    python -m scripts.experiments.projected seed --layers 1,2,3 --out docs/results/projected-seed.json
    python -m scripts.experiments.projected E5 --prompt "query: " --bf16 --out docs/results/projected-e5.json

Universal NER on the 1,000 sentences of PUD, the same in all languages. The first 200 sentences choose the layer and
whether means are taken off (by links, bridged); the others are scored: exact spans with their label, micro-F1. The
intervals hold F1, and the difference to links that are bridged, in 95 of 100 samples of sentences.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import align
from align.alignment.aligner import words_linked
from align.alignment.projection import Place, Projecting, Side, by_alignment, exact_f1, placed, ranked
from align.alignment.spans import Labelled, Span, read_iob2
from align.encoders.pretokenised import word_vectors
from align.similarity.cosine import normalize
from align.similarity.links import Linking, link
from align.tasks.statistics.resampling import percentile_interval, resampled_counts
from scripts.bench.harness import Row, command_line

CHOOSING = 200
STRICT, BRIDGED = Projecting("alignment"), Projecting("alignment", bridge=True)
WAYS = {
    "links": STRICT, "links, bridged": BRIDGED, "n-grams, context alone": Projecting(shortlist=1),
    "n-grams": Projecting(), "n-grams, in order": Projecting(monotone=True),
}  # fmt: skip
Found = list[set[Span]]


def projected(model: str, *, prompt: str | None = None, bf16: bool = False, layers: str = "6,8,9,10",
              sentences: int | None = None) -> Row:  # fmt: skip
    encoder = align.load_encoder(model, prompt=prompt, bf16=bf16)
    known: dict[str, np.ndarray] = {}

    def alone(texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, normalize(encoder.encode(new)) if new else (), strict=True))
        return np.array([known[text] for text in texts])

    result: Row = {"model": Path(model).name, "encoder": encoder.identity(), "choosing": CHOOSING, "targets": {}}
    source = labelled("en", sentences)
    numbers = [int(k) for k in layers.split(",")]
    full = [k for k, one in enumerate(source) if one.spans]
    english = word_vectors(encoder, [source[k].words or [] for k in full], layers=numbers)
    for language in ("de", "ru"):
        target = labelled(language, sentences)
        other = word_vectors(encoder, [target[k].words or [] for k in full], layers=numbers)
        settings = {
            (k, centred): prepared(english, other, k, centred) for k in range(len(numbers)) for centred in (False, True)
        }
        gold = [set(one.spans) for one in target]
        dev = {}
        for name, sides in settings.items():
            found = carried(source, target, full, sides, BRIDGED, alone)
            dev[name] = exact_f1(gold[:CHOOSING], found[:CHOOSING])[""][0]
        place, centred = max(dev, key=dev.get)  # type: ignore[arg-type]
        about = {
            "layer": numbers[place],
            "centred": centred,
            "dev": {f"{numbers[k]}{', centred' * c}": f1 for (k, c), f1 in dev.items()},
        }
        ways = {name: carried(source, target, full, settings[place, centred], how, alone) for name, how in WAYS.items()}
        scores = {
            name: described(gold[CHOOSING:], of[CHOOSING:], ways["links, bridged"][CHOOSING:])
            for name, of in ways.items()
        }
        result["targets"][language] = {"spans": sum(map(len, gold[CHOOSING:])), **about, "ways": scores}
        print(language, about, {name: round(one["f1"], 3) for name, one in scores.items()}, flush=True)
    return result


def labelled(language: str, sentences: int | None) -> list[Labelled]:
    name = f"{language}_pud-ud-test.iob2"
    return list(read_iob2(Path(os.environ["ALIGN_DATA"]) / "ner" / name))[:sentences]


def prepared(english: Sequence[Any], other: Sequence[Any], layer: int, centred: bool) -> list[tuple[Any, ...]]:
    """Of each pair (vectors, words) of both sides, and the links."""
    sides = []
    for side in (english, other):
        rows = [one.vectors[layer] for one in side]
        mean = np.concatenate(rows[:CHOOSING]).mean(axis=0) if centred else 0
        sides.append([normalize(one - mean) for one in rows])
    links = link(*sides, Linking())
    return [
        (s, one.words, t, two.words, *words_linked(of, one.words, two.words))
        for s, one, t, two, of in zip(sides[0], english, sides[1], other, links, strict=True)
    ]


def carried(
    source: Sequence[Labelled], target: Sequence[Labelled], full: Sequence[int], sides: Sequence[Any], how: Projecting,
    alone: Any,
) -> Found:  # fmt: skip
    """The spans of each sentence of the target."""
    found: Found = [set() for _ in target]
    for k, (s, s_words, t, t_words, links, scores) in zip(full, sides, strict=True):
        one, other = Side(source[k].words or [], s, s_words), Side(target[k].words or [], t, t_words)
        candidates: list[list[Place]] = [
            (by_alignment(span, links, scores, how) if how.method == "alignment" else
             ranked(span, one, other, links, alone, how))[0] for span in source[k].spans
        ]  # fmt: skip
        places = placed(source[k].spans, candidates, monotone=how.monotone)
        pairs = zip(source[k].spans, places, strict=True)
        found[k] = {Span(place.start, place.end, span.label) for span, (place, _) in pairs if place}
    return found


def described(gold: Found, found: Found, baseline: Found) -> Row:
    """F1 over all labels and by label, its interval, and that of the difference to a baseline."""
    counts, others = (
        np.array([(2 * len(g & f), len(f) + len(g)) for g, f in zip(gold, of, strict=True)]) for of in (found, baseline)
    )
    draws = np.concatenate(list(resampled_counts(len(counts), resamples=1000)))
    values, less = ((draws @ of)[:, 0] / np.maximum(1, (draws @ of)[:, 1]) for of in (counts, others))
    by_label: Mapping[str, Any] = exact_f1(gold, found)
    return {
        "f1": by_label[""][0], "interval": percentile_interval(values), "right": by_label[""][1],
        "found": by_label[""][2], "labels": {label: of[0] for label, of in sorted(by_label.items()) if label},
        "difference": [by_label[""][0] - exact_f1(gold, baseline)[""][0], *(percentile_interval(values - less) or ())],
    }  # fmt: skip


if __name__ == "__main__":
    command_line(projected)

"""Tatoeba with a small encoder: our retrieval beside sentence-transformers' TranslationEvaluator, on the same files.

    python -m scripts.bench.evaluate --threads 2                              # all 112 languages
    python -m scripts.bench.evaluate --languages deu hin swh

Both load the same model folder in float32 and run in one process, language by language in turns. Ours is
``align.tasks.retrieval`` with the protocol ``margin``: it encodes, looks for lines moved by one, and ranks by ratio
margin in both directions. The peer encodes and counts in both directions whether the nearest by cosine has the text of
the translation. Its batch size is the fastest of ``--batch-sizes`` on the first language. Reading files counts for
neither. The peer's accuracies must be our P@1 by cosine, to the ties.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from align.encoders.checkpoint import load_encoder
from align.similarity.margin import both_ranks
from align.tasks import read_sets
from align.tasks.embedding import remembered
from align.tasks.retrieval import retrieval
from scripts.bench.harness import PEER, Row, command_line, compared, data, measured, named
from scripts.bench.timed import load_peer

OURS, THEIRS = "align: retrieval, ratio margin", f"{PEER}: TranslationEvaluator"
ENGLISH = "eng_Latn"


def evaluate(
    *, languages: Sequence[str] = (), model: str = "seed", batch_sizes: Sequence[int] = (16, 32, 64, 128),
) -> Row:  # fmt: skip
    logging.disable(logging.WARNING)  # the peer says that it takes the mean, as ours does
    sets = list(read_sets(data() / "tatoeba", languages=languages or None))
    encoder = load_encoder(model, device="cpu")
    peer = load_peer(model, "cpu", encoder.max_tokens)
    theirs(peer, sets[0], batch_sizes[0])
    rounds, _ = compared({str(size): lambda size=size: theirs(peer, sets[0], size) for size in batch_sizes}, 2)
    size = int(min(rounds, key=lambda name: rounds[name]["processor"]))
    encoder.encode(sets[0][ENGLISH])  # neither pays for the first call

    vectors: dict[str, np.ndarray] = {}
    once = remembered(lambda texts, _: encoder.encode(texts), ENGLISH)  # as `align eval` does
    spent: list[Row] = []
    costs: dict[str, list[Row]] = {OURS: [], THEIRS: []}
    differ, margin, cosine = 0, [], []

    def keep(texts: Any, language: str) -> Any:
        cost, vectors[language] = measured(lambda: np.asarray(once(texts, language)))
        spent.append(cost)
        return vectors[language]

    for number, texts in enumerate(sets):
        work = {
            OURS: lambda texts=texts: retrieval(keep, texts, protocol="margin"),
            THEIRS: lambda texts=texts: theirs(peer, texts, size),
        }
        names = list(work)[:: -1 if number % 2 else 1]
        cost, found = compared({name: work[name] for name in names}, 1)
        for name in names:
            costs[name].append(cost[name])
        x, y = (vectors[code] for code in sides(texts))
        if len(x) == len(texts[ENGLISH]):  # no line is blank
            differ += check(found[THEIRS], x, y)
        margin.append(found[OURS].headline())
        cosine.append(found[THEIRS]["mean_accuracy"])

    total = {name: {key: sum(cost[key] for cost in of) for key in ("wall", "processor")} for name, of in costs.items()}
    for name, of in costs.items():
        total[name]["memory"] = max(cost["memory"] or 0 for cost in of)
    pairs, encoding = sum(len(texts[ENGLISH]) for texts in sets), sum(cost["wall"] for cost in spent)
    print(
        f"{len(sets)} languages, {pairs:,} pairs, the peer's batches of {size}, {encoding:.1f} s of ours are encoding"
    )
    print(f"P@1 {np.mean(margin):.4f} by ratio margin, {np.mean(cosine):.4f} by cosine; {differ} answers may be ties")
    return {"rows": named(total, OURS), "encoding": encoding, "pairs": pairs, "batch_size": size}


def sides(texts: dict[str, list[str]]) -> tuple[str, str]:
    """The other language, and English."""
    (other,) = (code for code in texts if code != ENGLISH)
    return other, ENGLISH


def theirs(peer: Any, texts: dict[str, list[str]], batch_size: int) -> dict[str, float]:
    from sentence_transformers.sentence_transformer.evaluation import TranslationEvaluator

    source, target = (texts[code] for code in sides(texts))
    return dict(TranslationEvaluator(source, target, batch_size=batch_size, write_csv=False)(peer))


def check(accuracies: dict[str, float], x: np.ndarray, y: np.ndarray) -> int:
    """The peer's accuracies lie between our P@1 with ties against the model and for it; how many lines are ties."""
    least, most = (both_ranks(x, y, ties=ties) for ties in ("against", "for"))
    for name, low, high in zip(("src2trg_accuracy", "trg2src_accuracy"), least, most, strict=True):
        right = round(accuracies[name] * len(x))
        assert (low == 1).sum() <= right <= (high == 1).sum(), f"{name}: {right}, ours {(low == 1).sum()}"
    return sum(int(((low == 1) != (high == 1)).sum()) for low, high in zip(least, most, strict=True))


if __name__ == "__main__":
    command_line(evaluate)

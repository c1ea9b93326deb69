"""Tatoeba with a small encoder: our retrieval beside sentence-transformers' TranslationEvaluator, on the same files.

    python scripts/bench_eval.py --data $ALIGN_DATA/tatoeba                         # all 112 languages
    python scripts/bench_eval.py --data $ALIGN_DATA/tatoeba --languages deu,hin,swh

Both load the same model folder in float32 and run in one process with the same threads, language by language in turns,
so that other jobs on the machine slow both. Ours is ``align.tasks.retrieval`` with the protocol ``margin``: it
encodes, looks for lines moved by one, and ranks by ratio margin in both directions (P@1, P@5, P@10, MRR). The peer
encodes and counts in both directions whether the nearest by cosine has the text of the translation. Its batch size is
the fastest of ``--batch-sizes`` on the first language (its default is 16, that of its ``encode`` 32). Reading files
counts for neither. The outputs are compared: the peer's accuracies must be our P@1 by cosine, to the ties. ``memory``
is what a language added to the resident memory at its peak, the greatest over the languages (Linux only).
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import threadpoolctl
import torch
from bench_bli import reset_peak, resident
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import TranslationEvaluator

from align.encoders.checkpoint import load_encoder
from align.encoders.weights import quiet
from align.similarity.margin import both_ranks
from align.tasks import read_sets
from align.tasks.embedding import remembered
from align.tasks.retrieval import retrieval

OURS, PEER = "align: retrieval, ratio margin", "sentence-transformers: TranslationEvaluator"
ENGLISH = "eng_Latn"


@dataclass
class Cost:
    """What one side has taken so far."""

    clock: float = 0.0
    processor: float = 0.0
    memory: float | None = None

    def add(self, work: Callable[[], Any]) -> Any:
        """Run ``work`` and count it."""
        before = reset_peak()
        clock, processor = time.perf_counter(), time.process_time()
        found = work()
        self.clock += time.perf_counter() - clock
        self.processor += time.process_time() - processor
        if before is not None:
            self.memory = max(self.memory or 0.0, (resident("VmHWM") - before) / 1024)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of tatoeba.<xxx>-eng.<xxx> and .eng")
    parser.add_argument("--languages", help="codes, with commas; by default all")
    parser.add_argument("--model", default="seed", help="seed, or a folder that both can load")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--batch-tokens", type=int, help="of ours: padded tokens of a batch; by default the encoder's")
    parser.add_argument("--batch-sizes", default="16,32,64,128", help="of the peer, to choose from")
    options = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if options.threads > 1 else "false")
    os.environ.setdefault("RAYON_NUM_THREADS", str(options.threads))
    torch.set_num_threads(options.threads)
    threadpoolctl.threadpool_limits(options.threads)
    logging.disable(logging.WARNING)  # the peer says that it takes the mean, as ours does

    sets = list(read_sets(options.data, languages=options.languages and options.languages.split(",")))
    encoder = load_encoder(options.model, device="cpu")
    place = str(files("align") / "data" / "seed") if options.model == "seed" else options.model
    with quiet():
        peer = SentenceTransformer(place, device="cpu", model_kwargs={"dtype": torch.float32})
    batch_size = fastest(peer, sets[0], [int(size) for size in options.batch_sizes.split(",")])
    encoder.encode(sets[0][ENGLISH], batch_tokens=options.batch_tokens)  # neither pays for the first call

    costs = {OURS: Cost(), PEER: Cost()}
    encoding, differ, margin, cosine = 0.0, 0, [], []
    vectors: dict[str, np.ndarray] = {}

    def encode(texts: Any, _: str) -> np.ndarray:
        nonlocal encoding
        start = time.perf_counter()
        found = encoder.encode(texts, batch_tokens=options.batch_tokens)
        encoding += time.perf_counter() - start
        return found

    once = remembered(encode, ENGLISH)  # as `align eval retrieval` does

    def keep(texts: Any, language: str) -> Any:
        vectors[language] = np.asarray(once(texts, language))
        return vectors[language]

    for number, texts in enumerate(sets):
        work = {
            OURS: lambda texts=texts: retrieval(keep, texts, protocol="margin"),
            PEER: lambda texts=texts: evaluate(peer, texts, batch_size),
        }
        found = {name: costs[name].add(work[name]) for name in (sorted(work) if number % 2 else sorted(work)[::-1])}
        x, y = (vectors[code] for code in sides(texts))
        if len(x) == len(next(iter(texts.values()))):  # no line is blank
            differ += check(found[PEER], x, y)
        margin.append(found[OURS].headline())
        cosine.append(found[PEER]["mean_accuracy"])

    pairs = sum(len(texts[ENGLISH]) for texts in sets)
    print(f"\n{len(sets)} languages, {pairs:,} pairs, {options.threads} thread(s), the peer's batches of {batch_size}")
    print(f"P@1, mean of both directions: {np.mean(margin):.4f} by ratio margin, {np.mean(cosine):.4f} by cosine")
    print(f"{differ} of {2 * pairs:,} answers by cosine may differ by a tie\n")
    print("| | seconds | processor seconds | seconds to ours | processor to ours | memory |\n|---|---|---|---|---|---|")
    for name, cost in costs.items():
        memory = "" if cost.memory is None else f"{cost.memory:.0f} MiB"
        ratios = f"{cost.clock / costs[OURS].clock:.2f} | {cost.processor / costs[OURS].processor:.2f}"
        print(f"| {name} | {cost.clock:.1f} | {cost.processor:.1f} | {ratios} | {memory} |")
    print(f"\n{encoding:.1f} of our seconds are encoding, {costs[OURS].clock - encoding:.1f} scoring")


def sides(texts: dict[str, list[str]]) -> tuple[str, str]:
    """The other language, and English."""
    (other,) = (code for code in texts if code != ENGLISH)
    return other, ENGLISH


def evaluate(peer: SentenceTransformer, texts: dict[str, list[str]], batch_size: int) -> dict[str, float]:
    source, target = (texts[code] for code in sides(texts))
    evaluator = TranslationEvaluator(source, target, batch_size=batch_size, write_csv=False)
    found: dict[str, float] = evaluator(peer)
    return found


def fastest(peer: SentenceTransformer, texts: dict[str, list[str]], sizes: list[int]) -> int:
    """The batch size with which the peer is fastest, the better of two rounds."""
    evaluate(peer, texts, sizes[0])
    seconds = dict.fromkeys(sizes, np.inf)
    for _ in range(2):
        for size in sizes:
            cost = Cost()
            cost.add(lambda size=size: evaluate(peer, texts, size))
            seconds[size] = min(seconds[size], cost.processor)
    return min(sizes, key=lambda size: seconds[size])


def check(accuracies: dict[str, float], x: np.ndarray, y: np.ndarray) -> int:
    """The peer's accuracies lie between our P@1 with ties against the model and for it; how many lines are ties."""
    least, most = (both_ranks(x, y, ties=ties) for ties in ("against", "for"))
    for name, low, high in zip(("src2trg_accuracy", "trg2src_accuracy"), least, most, strict=True):
        right = round(accuracies[name] * len(x))
        assert (low == 1).sum() <= right <= (high == 1).sum(), f"{name}: {right}, ours {(low == 1).sum()}"
    return sum(int(((low == 1) != (high == 1)).sum()) for low, high in zip(least, most, strict=True))


if __name__ == "__main__":
    main()

"""Word alignment in blocks beside a loop over sentences with the arithmetic of the public code (simalign 0.4).

    python -m scripts.bench.links --out docs/results/performance-links.json

``links``: vectors of words in, links out. The loop takes one pair of sentences at a time: its matrix of cosines,
one-hot matrices of the highest of rows and columns, masks for the second round, and a loop over all cells that gathers
links by method. ``whole``: text in, links out; the loop encodes one pair at a time, padded to the longer, as it is
published. Both give the same links, or the script fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import align
from align.alignment.aligner import word_alignments
from align.encoders.encoder import Encoder
from align.encoders.pretokenised import usual_layer, word_pieces, word_vectors
from align.similarity.links import Linking, link
from scripts.bench.harness import Row, command_line, compared

WAYS = ("argmax", "itermax")
Linked = list[dict[str, list[tuple[int, int]]]]


def links(*, model: str = "seed", languages: Sequence[str] = ("eng_Latn", "fra_Latn"), pairs: int = 1000,
          calls: int = 3) -> Row:  # fmt: skip
    folder = Path(os.environ["ALIGN_DATA"]) / "tico19"
    sides = [
        [line.split() for line in (folder / f"{code}.txt").read_text(encoding="utf-8").splitlines()[:pairs]]
        for code in languages
    ]
    encoder = align.load_encoder(model)
    layer = usual_layer(encoder)
    vectors = [[one.vectors[0] for one in word_vectors(encoder, side, layers=[layer])] for side in sides]
    cost, found = compared({"loop": lambda: loop(*vectors), "ours": lambda: ours(*vectors)}, calls)
    result: Row = {"pairs": len(sides[0]), "cells": int(sum(len(a) * len(b) for a, b in zip(*vectors, strict=True)))}
    result["links"] = {name: of["wall"] for name, of in cost.items()}
    if found["loop"] != found["ours"]:
        sys.exit("the links differ")
    cost, found = compared({"loop": lambda: whole_loop(encoder, *sides), "ours": lambda: whole(encoder, *sides)}, 1)
    result["whole"] = {name: of["wall"] for name, of in cost.items()}
    same = sum(a == b for a, b in zip(found["loop"], found["ours"], strict=True))
    if same < 0.99 * len(sides[0]):
        sys.exit(f"only {same} of {len(sides[0])} lines have the same links")
    result["same lines"] = same
    for name in ("links", "whole"):
        result[name]["ratio"] = result[name]["loop"] / result[name]["ours"]
    return result


def ours(source: Sequence[np.ndarray], target: Sequence[np.ndarray]) -> Linked:
    made = {way: link(source, target, Linking(way)) for way in WAYS}
    return [
        {
            way: list(zip(of.source.tolist(), of.target.tolist(), strict=True))
            for way, of in zip(WAYS, line, strict=True)
        }
        for line in zip(*made.values(), strict=True)
    ]


def loop(source: Sequence[np.ndarray], target: Sequence[np.ndarray]) -> Linked:
    return [one_pair(s, t) for s, t in zip(source, target, strict=True)]


def one_pair(s: np.ndarray, t: np.ndarray) -> dict[str, list[tuple[int, int]]]:
    from sklearn.metrics.pairwise import cosine_similarity

    similarity = (cosine_similarity(s, t) + 1) / 2
    matrices = {"argmax": both_ways(similarity)}
    matrices["itermax"] = second_round(similarity, matrices["argmax"])
    found: dict[str, set[tuple[int, int]]] = {way: set() for way in WAYS}
    for i in range(len(s)):
        for j in range(len(t)):
            for way in WAYS:
                if matrices[way][i, j] > 0:
                    found[way].add((i, j))
    return {way: sorted(pairs) for way, pairs in found.items()}


def both_ways(similarity: np.ndarray) -> np.ndarray:
    m, n = similarity.shape
    return np.eye(n)[similarity.argmax(axis=1)] * np.eye(m)[similarity.argmax(axis=0)].T


def second_round(similarity: np.ndarray, linked: np.ndarray) -> np.ndarray:
    rows, columns = 1 - linked.max(axis=1, keepdims=True), 1 - linked.max(axis=0, keepdims=True)
    if min(similarity.shape) <= 2 or not rows.any() or not columns.any():
        return linked
    weights = np.clip(0.9 * rows + 0.9 * columns, 0, 1)
    return np.maximum(linked, both_ways(similarity * weights) * (1 - (1 - rows) * (1 - columns)))


def whole(encoder: Encoder, source: Sequence[list[str]], target: Sequence[list[str]]) -> list[list[tuple[int, int]]]:
    return [one.links for one in word_alignments(encoder, zip(source, target, strict=True), Linking("itermax"))]


@torch.inference_mode()
def whole_loop(
    encoder: Encoder, source: Sequence[list[str]], target: Sequence[list[str]]
) -> list[list[tuple[int, int]]]:
    made = []
    for pair in zip(source, target, strict=True):
        pieces = word_pieces(encoder, pair)
        ids, attention = encoder.pad([one.ids for one in pieces])
        given = {"input_ids": ids, "attention_mask": attention, "output_hidden_states": True}
        hidden = encoder.body(**given).hidden_states[usual_layer(encoder)].numpy()
        s, t = (means(hidden[k], one.words) for k, one in enumerate(pieces))
        made.append(one_pair(s, t)["itermax"])
    return made


def means(states: np.ndarray, words: np.ndarray) -> np.ndarray:
    """(words, d) mean of the pieces of each word, one word at a time."""
    states = states[: len(words)]
    return np.array([states[words == word].mean(axis=0) for word in np.unique(words[words >= 0])])


if __name__ == "__main__":
    command_line(links)

"""Word alignment: the words of sentences linked with those of their translations, by an encoder's vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.encoders.encoder import Encoder
from align.encoders.pretokenised import WordVectors, usual_layer, word_vectors
from align.errors import InputError
from align.similarity.links import Linking, Links, link

CHUNK = 512
"""Pairs of sentences whose vectors are held at a time."""
Pair = tuple[Sequence[str], Sequence[str]]


class WordAlignment(NamedTuple):
    """The links of one pair of sentences."""

    links: list[tuple[int, int]]
    """(word of the source, word of the target), from 0, ascending, each once."""
    scores: list[float]
    """Of each: the cosine; of ``softmax`` 2PQ / (P + Q)."""
    cut: tuple[int, int]
    """Words at the end of each sentence that the encoder does not read: never linked."""


def word_alignments(
    encoder: Encoder,
    pairs: Iterable[Pair],
    linking: Linking | None = None,
    *,
    layer: int | None = None,
    pooling: str = "mean",
    centred: int = 0,
    batch_tokens: int = 2048,
    start: int = 0,
) -> Iterator[WordAlignment]:
    """Link the words of sentences with those of their translations.

    >>> import align
    >>> encoder = align.load_encoder("seed")  # doctest: +SKIP
    >>> next(align.word_alignments(encoder, [(["the", "dog"], ["der", "Hund"])])).links  # doctest: +SKIP
    [(0, 0), (1, 1)]

    Args:
        encoder: with a fast tokenizer.
        pairs: sentences as words, read a chunk at a time; a side without words has no links.
        linking: the method and its numbers; ``None``: itermax, no threshold.
        layer: k of hidden_states[k]; ``None``: :func:`align.encoders.pretokenised.usual_layer`.
        pooling: a word is the ``mean`` of its pieces, the ``first`` of them; ``all``: pieces are linked, and words are
            linked if any of their pieces are, with the highest of the scores.
        centred: take off each side the mean of its rows over the first so many pairs; 0: of none.
        batch_tokens: padded tokens of one forward pass.
        start: pairs at the beginning that are not aligned, as an interrupted run did; means are of them too.

    Yields:
        The links of each pair, in their order.

    Raises:
        InputError: see :func:`align.encoders.pretokenised.word_vectors`; a negative ``centred``.

    References:
        Jalili Sabet et al. 2020, findings-emnlp.147; Dou and Neubig 2021, eacl-main.181.
    """
    if centred < 0:
        raise InputError(f"centred is a number of pairs, 0 or more, got {centred}")
    layers = [usual_layer(encoder) if layer is None else layer]
    rest = iter(pairs)
    first = list(islice(rest, centred))
    means: Sequence[NDArray[np.float32] | float] = (0.0, 0.0)

    def vectors(chunk: Sequence[Pair], side: int) -> list[WordVectors]:
        sentences = [pair[side] for pair in chunk]
        found = word_vectors(encoder, sentences, layers=layers, pooling=pooling, batch_tokens=batch_tokens)
        return [one._replace(vectors=one.vectors[0] - means[side]) for one in found]

    if first:
        means = [_mean([vectors(first[k : k + CHUNK], side) for k in range(0, len(first), CHUNK)]) for side in (0, 1)]
    every = islice(chain(first, rest), start, None)
    while chunk := list(islice(every, CHUNK)):
        source, target = vectors(chunk, 0), vectors(chunk, 1)
        found = link([one.vectors for one in source], [one.vectors for one in target], linking or Linking())
        for s, t, links in zip(source, target, found, strict=True):
            yield WordAlignment(*words_linked(links, s.words, t.words), (s.cut, t.cut))


def _mean(parts: Sequence[Sequence[WordVectors]]) -> NDArray[np.float32]:
    """(d,) mean over all rows; the sum is made in float64."""
    rows = [one.vectors for part in parts for one in part]
    total = sum(one.sum(axis=0, dtype=np.float64) for one in rows)
    mean: NDArray[np.float32] = (total / max(1, sum(map(len, rows)))).astype(np.float32)
    return mean


def words_linked(
    links: Links, source: NDArray[np.int64], target: NDArray[np.int64]
) -> tuple[list[tuple[int, int]], list[float]]:
    """Links of words, each once and ascending, and the highest score of each, from links of rows.

    Args:
        links: of rows.
        source: the word of each row of the first sentence.
        target: of the second.
    """
    best: dict[tuple[int, int], float] = {}
    words = source[links.source].tolist(), target[links.target].tolist()
    for i, j, score in zip(*words, links.scores.tolist(), strict=True):
        best[i, j] = max(score, best.get((i, j), score))
    ordered = sorted(best)
    return ordered, [best[pair] for pair in ordered]

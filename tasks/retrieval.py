"""Sentence retrieval: does the nearest sentence of the other language say the same?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.similarity import gold_ranks
from align.tasks.alignment import check_aligned, check_shift
from align.tasks.embedding import Encode, Side, embed
from align.tasks.metrics import mean_reciprocal_rank, precision_at
from align.tasks.protocols import Pair, Protocol, find_protocol
from align.tasks.retrieval_result import RetrievalResult, Score, same_language, script_gaps

logger = logging.getLogger(__name__)


def retrieval(
    encode: Encode,
    texts: Mapping[str, Sequence[str]],
    pairs: Sequence[Pair] | None = None,
    *,
    protocol: str | Protocol = "align",
    per_item: bool = False,
    check_alignment: bool = True,
) -> RetrievalResult:
    """Line i of one language should be nearest to line i of the other, by cosine.

    P@k is the share of lines whose translation is among the k nearest, MRR the mean of one over its rank. Candidates
    are all lines of the other language; a candidate as near as the translation (a copy of it, for one) is ahead of it.
    A line that is blank in either language of a pair is left out of that pair, as query and as candidate, and counted.
    Each language is encoded once, and forgotten after its last pair.

    Args:
        encode: (texts, language code) -> (n, d) finite embeddings, never called with a blank text. It must embed as
            the protocol says: layer, pooling and special tokens are the caller's work.
        texts: lines by language code, line-aligned across languages.
        pairs: language codes; ``None``: every language with the protocol's pivot and, when the protocol has both
            directions, the two scripts of a language with each other. Without the pivot two languages are one pair.
        protocol: a name in ``PROTOCOLS`` or a protocol of one's own.
        per_item: keep the rank of every line.
        check_alignment: refuse texts that the embeddings show to be misaligned by one line.

    Returns:
        Scores of each search, averages per script, script gaps.

    Raises:
        InputError: unequal numbers of lines, an unknown language or protocol, a pair the protocol does not score, a
            pair without a line, embeddings of the wrong shape or with NaN, or texts misaligned by one line.
    """
    chosen = find_protocol(protocol)
    check_aligned(texts)
    pairs = _default_pairs(texts, chosen) if pairs is None else _checked_pairs(pairs, texts)
    searches = [chosen.searches(pair) for pair in pairs]  # refused before anything is encoded
    uses = Counter(code for pair in pairs for code in pair)
    sides: dict[str, Side] = {}
    scores: list[Score] = []
    for number, (pair, ways) in enumerate(zip(pairs, searches, strict=True), 1):
        for code in pair:
            if code not in sides:
                sides[code] = embed(encode, texts[code], code)
        lines = _shared_lines(sides, pair)
        if check_alignment:
            first, second = (sides[code].embeddings[lines] for code in pair)
            check_shift(first, second, lines, pair)
        scores += [_score(sides, way, lines, per_item) for way in ways]
        logger.info("retrieval %d/%d: %s, %s", number, len(pairs), *pair)
        for code in pair:
            uses[code] -= 1
            if not uses[code]:
                del sides[code]
    return RetrievalResult(chosen, tuple(scores), script_gaps(scores))


def _shared_lines(sides: Mapping[str, Side], pair: Pair) -> NDArray[np.int64]:
    first, second = (sides[code] for code in pair)
    if first.embeddings.shape != second.embeddings.shape:
        widths = f"{first.embeddings.shape[1]} and {second.embeddings.shape[1]} dimensions"
        raise InputError(f"{pair[0]} and {pair[1]}: the encoder returned {widths}; expected the same")
    lines = np.flatnonzero(first.filled & second.filled)
    if not len(lines):
        raise InputError(f"{pair[0]} and {pair[1]} share no line: each line is blank in one of them")
    return lines


def _score(sides: Mapping[str, Side], search: Pair, lines: NDArray[np.int64], per_item: bool) -> Score:
    queries, candidates = search
    ranks = gold_ranks(sides[queries].embeddings[lines], sides[candidates].embeddings[lines])
    metrics = {f"P@{k}": precision_at(ranks, k) for k in (1, 5, 10)} | {"MRR": mean_reciprocal_rank(ranks)}
    every = np.zeros(len(sides[queries].filled), dtype=np.int64)
    every[lines] = ranks
    kept = tuple(every.tolist()) if per_item else None
    return Score(queries, candidates, len(lines), len(every) - len(lines), metrics, kept)


def _default_pairs(texts: Mapping[str, Sequence[str]], protocol: Protocol) -> list[Pair]:
    others = sorted(code for code in texts if code != protocol.pivot)
    if len(texts) < 2:
        raise InputError(f"retrieval needs at least two languages, got {', '.join(texts)}")
    if protocol.pivot not in texts:
        if len(texts) == 2:
            return [(others[0], others[1])]
        raise InputError(f"no pivot {protocol.pivot} among {', '.join(others)}: expected it, or explicit pairs")
    pairs = [(code, protocol.pivot) for code in others]
    if len(protocol.directions) == 2:  # each pair of scripts follows its languages, so that these are soon forgotten
        direct = [pair for pair in same_language(others) if protocol.pivot not in pair]
        pairs = sorted([*pairs, *direct], key=lambda pair: max(code for code in pair if code != protocol.pivot))
    return pairs


def _checked_pairs(pairs: Sequence[Pair], texts: Mapping[str, Sequence[str]]) -> list[Pair]:
    if not pairs:
        raise InputError("no pairs were given")
    missing = sorted({code for pair in pairs for code in pair} - set(texts))
    if missing:
        raise InputError(f"no text in {', '.join(missing)}; available: {', '.join(sorted(texts))}")
    seen: set[frozenset[str]] = set()
    for pair in pairs:
        if len(set(pair)) != 2 or frozenset(pair) in seen:
            raise InputError(f"pair {pair[0]}, {pair[1]}: expected two languages, each pair once in either order")
        seen.add(frozenset(pair))
    return list(pairs)

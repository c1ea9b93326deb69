"""Sentence retrieval: does the nearest sentence of the other language say the same?"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, there_are
from align.similarity.csls import csls_top_k
from align.similarity.margin import both_ranks
from align.tasks.embedding import Encode, Side, embed
from align.tasks.layers import split_lines
from align.tasks.measures.geometry import anisotropy, hubness
from align.tasks.measures.ranks import expected_by_chance, mean_reciprocal_rank, precision_at
from align.tasks.reranked import Reranked, reranked_by
from align.tasks.result import Result
from align.tasks.retrieval.protocols import PROTOCOLS, ROMANISED, Pair, Protocol, find_protocol, in_headline
from align.tasks.retrieval.twins import twin_pair, with_twins
from align.tasks.task import Halving, Row, Task, Unit, row
from align.tasks.texts.bitext import Texts, parallel_units
from align.tasks.texts.labelled import read_index
from align.tasks.texts.line_checks import check_aligned, check_shift
from align.text.hashing import text_sha256
from align.text.languages import latin

HUB_NEIGHBOURS = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """One search: every line of one language among the lines of another."""

    queries: str
    """Language of the queries."""
    candidates: str
    """Language that is searched."""
    n: int
    """Lines scored; there are as many candidates."""
    left_out: int
    """Lines that are blank on either side."""
    metrics: Mapping[str, float]
    """P@1, P@5, P@10, MRR, from 0 to 1."""
    ranks: tuple[int, ...] | None = field(default=None, repr=False)
    """Rank of the right answer for each line, 0 for a line left out; kept by choice."""
    hubness: float | None = None
    """Skewness of how often each candidate is among the ten nearest, see ``measures.geometry``; by choice."""
    anisotropy: float | None = None
    """Mean cosine of two candidates; by choice."""


def retrieval(
    encode: Encode,
    texts: Mapping[str, Sequence[str]],
    pairs: Sequence[Pair] | None = None,
    *,
    protocol: str | Protocol = "align",
    per_item: bool = False,
    geometry: bool = False,
    check_alignment: bool = True,
    block: int = 2048,
) -> Result[Score]:
    """Line i of one language should be nearest to line i of the other, by the similarity of the protocol.

    P@k is the share of lines whose translation is among the k nearest, MRR the mean of one over its rank. Candidates
    are all lines of the other language. A candidate as near as the translation is ahead of it; one of the same text is
    right as well where the protocol says so, and otherwise a tie. Both directions come from one set of products.
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
        geometry: measure hubness (10 neighbours, by cosine) and anisotropy of the candidates of each search.
        check_alignment: refuse texts that the embeddings show to be misaligned by one line.
        block: lines of either side in one product: memory grows with its square, and not with that of the lines.

    Returns:
        Scores of each search; the headline is the mean over those with the pivot.

    Raises:
        InputError: unequal numbers of lines, an unknown language or protocol, a pair the protocol does not score, a
            pair without a line, embeddings of the wrong shape or with NaN, or texts misaligned by one line.
    """
    chosen = find_protocol(protocol)
    check_aligned(texts)
    pairs = _default_pairs(texts, chosen) if pairs is None else checked_pairs(pairs, texts)
    searches = [chosen.searches(pair) for pair in pairs]  # refused before anything is encoded
    reranked = reranked_by(encode, chosen)
    uses = Counter(code for pair in pairs for code in pair)
    sides: dict[str, Side] = {}
    scores: list[Score] = []
    for number, (pair, ways) in enumerate(zip(pairs, searches, strict=True), 1):
        for code in pair:
            if code not in sides:
                sides[code] = embed(encode, texts[code], code)
        lines = shared_lines(sides, pair)
        if check_alignment:
            first, second = (sides[code].embeddings[lines] for code in pair)
            check_shift(first, second, lines, pair, block=block)
        ranks = _ranks(sides, texts, pair, lines, chosen, block, reranked, ways)
        for queries, candidates in ways:
            score = _score(queries, candidates, ranks[queries], lines, len(texts[queries]), per_item)
            if geometry and len(lines) > 1:
                first, second = (sides[code].embeddings[lines] for code in (queries, candidates))
                nearest = csls_top_k(first, second, HUB_NEIGHBOURS, block=block)[1]
                score = replace(score, hubness=hubness(nearest, len(second)), anisotropy=anisotropy(second))
            scores.append(score)
        if len(pairs) > 1:
            logger.info("retrieval %d/%d: %s, %s", number, len(pairs), *pair)
        for code in pair:
            uses[code] -= 1
            if not uses[code]:
                del sides[code]
    counted = in_headline([direction(score, chosen) for score in scores])
    return Result(tuple(scores), tuple(scores[i].metrics[chosen.headline] for i in counted), chosen)


def direction(score: Score, protocol: Protocol) -> str:
    """``to_pivot``, ``from_pivot`` or ``direct``."""
    if score.candidates == protocol.pivot:
        return "to_pivot"
    return "from_pivot" if score.queries == protocol.pivot else "direct"


def shared_lines(sides: Mapping[str, Side], pair: Pair) -> NDArray[np.int64]:
    """Lines that are blank in neither language.

    Raises:
        InputError: there is none, or the embeddings of the two have another shape.
    """
    first, second = (sides[code] for code in pair)
    if first.embeddings.shape != second.embeddings.shape:
        widths = f"{first.embeddings.shape[1]} and {second.embeddings.shape[1]} dimensions"
        raise InputError(f"{pair[0]} and {pair[1]}: the encoder returned {widths}; expected the same")
    lines = np.flatnonzero(first.filled & second.filled)
    if not len(lines):
        raise InputError(f"{pair[0]} and {pair[1]} share no line: each line is blank in one of them")
    return lines


def _ranks(
    sides: Mapping[str, Side],
    texts: Mapping[str, Sequence[str]],
    pair: Pair,
    lines: NDArray[np.int64],
    protocol: Protocol,
    block: int,
    reranked: Reranked | None,
    ways: Sequence[Pair],
) -> dict[str, NDArray[np.int64]]:
    """Ranks of the answers to the lines of each language of the pair, in the other; re-ranked, if so, in ``ways``."""
    first, second = (sides[code].embeddings[lines] for code in pair)
    groups: list[NDArray[np.int64] | None] = [None, None]
    if protocol.duplicates == "right":
        groups = [numbered([texts[code][line] for line in lines]) for code in pair]
    ranks = both_ranks(
        first, second, score=protocol.similarity, k=protocol.margin_k, x_groups=groups[0], y_groups=groups[1],
        block=block,
    )  # fmt: skip
    found = dict(zip(pair, ranks, strict=True))
    if reranked is not None and protocol.rerank_depth:
        vectors, meanings = dict(zip(pair, (first, second), strict=True)), dict(zip(pair, groups, strict=True))
        for asking, asked in ways:
            queries, candidates = ([texts[code][line] for line in lines] for code in (asking, asked))
            nearest = csls_top_k(vectors[asking], vectors[asked], protocol.rerank_depth, block=block)[1]
            of = meanings[asked]
            same = np.arange(len(lines)) if of is None else of
            found[asking] = reranked.ranks(found[asking], nearest, same[nearest] == same[:, None], queries, candidates)
    return found


def numbered(texts: Sequence[str]) -> NDArray[np.int64]:
    """(n,) integers, the same for equal texts and for no others."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def _score(
    queries: str, candidates: str, ranks: NDArray[np.int64], lines: NDArray[np.int64], total: int, per_item: bool
) -> Score:
    metrics = {f"P@{k}": precision_at(ranks, k) for k in (1, 5, 10)} | {"MRR": mean_reciprocal_rank(ranks)}
    every = np.zeros(total, dtype=np.int64)
    every[lines] = ranks
    return Score(
        queries, candidates, len(lines), total - len(lines), metrics, tuple(every.tolist()) if per_item else None
    )


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


def same_language(codes: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of codes that are one language in two scripts, in alphabetical order."""
    pairs = itertools.combinations(sorted(codes), 2)
    return [(a, b) for a, b in pairs if a.partition("_")[0] == b.partition("_")[0]]


def checked_pairs(pairs: Sequence[Pair], texts: Mapping[str, Sequence[str]]) -> list[Pair]:
    """The pairs, each of two languages that have texts.

    Raises:
        InputError: none, a language without text, or a pair of one language or that came before.
    """
    if not pairs:
        raise InputError("no pairs were given")
    missing = sorted({code for pair in pairs for code in pair} - set(texts))
    if missing:
        raise InputError(f"no text in {', '.join(missing)}; available: {there_are(missing[0], sorted(texts))}")
    seen: set[frozenset[str]] = set()
    for pair in pairs:
        if len(set(pair)) != 2 or frozenset(pair) in seen:
            raise InputError(f"pair {pair[0]}, {pair[1]}: expected two languages, each pair once in either order")
        seen.add(frozenset(pair))
    return list(pairs)


def _read(
    source: str | Path, languages: Sequence[str] | None, protocol: Protocol, *, revision: str | None = None
) -> Iterator[Unit]:
    units = parallel_units(source, languages, pivot=protocol.pivot, revision=revision)
    return with_twins(units, protocol) if protocol.twin else units


def _rows(encode: Encode, unit: Unit, texts: Texts, protocol: Protocol) -> list[Row]:
    if not texts:  # the twin of text that is in Latin letters already
        return []
    twin = twin_pair(texts, protocol)
    if twin:
        return _twin_rows(encode, unit, texts, protocol, *twin)
    first, second = texts
    pair = (first, second) if protocol.pivot != first else (second, first)
    if len(protocol.directions) == 1 and protocol.pivot not in pair:
        raise InputError(f"protocol {protocol.name} scores pairs with {protocol.pivot} only")
    result = retrieval(encode, texts, [pair], protocol=protocol, per_item=True, geometry=True)
    names = _line_names(unit, texts[pair[1]])
    rows = []
    for score in result.scores:
        way = direction(score, protocol)
        sides = (score.queries, score.candidates)
        other, language = sides if way == "from_pivot" else sides[::-1]
        items, lines = _items(score, names, protocol)
        rows.append(row(
            f"{score.queries}>{score.candidates}", language, other, way, items, lines,
            value=score.metrics[protocol.headline], left_out=score.left_out, metrics=dict(score.metrics),
        ))  # fmt: skip
        if language == score.candidates and score.hubness is not None:  # of one line there is none
            rows[-1]["geometry"] = {"hubness": score.hubness, "anisotropy": score.anisotropy}
    return rows


def _twin_rows(
    encode: Encode, unit: Unit, texts: Texts, protocol: Protocol, native: str, twin: str
) -> list[Row]:  # fmt: skip
    one_way = replace(protocol, directions=("to_pivot",))
    coded = {latin(native): texts[twin], protocol.pivot: texts[protocol.pivot]}
    (score,) = retrieval(encode, coded, protocol=one_way, per_item=True, check_alignment=False).scores
    items, lines = _items(score, _line_names(unit, texts[protocol.pivot]), protocol)
    return [row(
        f"{twin}>{protocol.pivot}", latin(native), protocol.pivot, ROMANISED, items, lines, twin_of=native,
        value=score.metrics[protocol.headline], left_out=score.left_out, metrics=dict(score.metrics),
    )]  # fmt: skip


def _line_names(unit: Unit, pivot: Sequence[str]) -> Sequence[int | str]:
    """What a line is known by in other units."""
    return [text_sha256(line)[:12] for line in pivot] if unit.lines == "text" else range(1, len(pivot) + 1)


def _items(
    score: Score, names: Sequence[int | str], protocol: Protocol
) -> tuple[list[float], list[int | str]]:  # fmt: skip
    kept = [(rank, name) for rank, name in zip(score.ranks or (), names, strict=True) if rank]
    return outcomes([rank for rank, _ in kept], protocol.headline), [name for _, name in kept]


def outcomes(ranks: Sequence[float], metric: str) -> list[float]:
    """What each item adds to a metric: of P@k whether its rank is k or less, of MRR one over it; of no rank 0."""
    if metric == "MRR":
        return [round(1 / rank, 6) for rank in ranks]
    k = int(metric.removeprefix("P@"))
    return [int(rank <= k) for rank in ranks]


def _halves(texts: Texts, how: Halving) -> tuple[Texts, Texts, str]:
    """The dev and test lines of an index.tsv (SIB-200) beside the texts, or random halves."""
    if not texts:
        return {}, {}, ""
    index, n = Path(how.source) / "index.tsv", check_aligned(texts)
    dev, test = split_lines(n, seed=how.seed)
    chosen_on = f"a random half of the lines (seed {how.seed})"
    if index.is_file():
        marked = read_index(index)[1]
        if len(marked) != n:
            raise InputError(f"{index} has {len(marked)} rows, the texts have {n} lines: expected as many")
        dev, test = ([i for i, split in enumerate(marked) if split == wanted] for wanted in ("dev", "test"))
        if not dev or not test:
            raise InputError(f"{index} has {len(dev)} dev and {len(test)} test lines: expected some of each")
        chosen_on = f"the {len(dev)} dev lines of index.tsv"
    chosen, scored = ({code: [lines[i] for i in part] for code, lines in texts.items()} for part in (dev, test))
    return chosen, scored, chosen_on


TASK = Task(
    "retrieval", "does a sentence find its translation, and romanised text its native form?", _read, _rows,
    lambda texts: texts.items(), PROTOCOLS, "align", halves=_halves,
    chance=lambda row, protocol: expected_by_chance(protocol.headline, row["n"]),
)  # fmt: skip

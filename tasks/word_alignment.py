"""Word alignment: are the words of a sentence linked with those of its translation as people link them?"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from align.errors import InputError
from align.similarity.links import Linking, link
from align.tasks.measures.links import Agreement, Pairs, agreement, expected_hits, line_counts, ratio_items
from align.tasks.task import Halving, Row, Task, Unit, lost, row
from align.tasks.texts.gold_links import NULL, GoldAlignment, find_alignments, read_alignment, units_found

logger = logging.getLogger(__name__)

EncodeWords = Callable[..., Sequence[Any]]
"""(sentences as words, language, pooling=) -> of each the vectors of its rows, the word of each row, the words cut."""
Links = dict[tuple[int, int], float]
NULL_LINKS = ("dropped", "counted")


@dataclass(frozen=True)
class LinkProtocol:
    """Which links count, and how words are linked. One alignment gets an AER of 39 or 49 by the first three alone."""

    name: str = "sure-possible"
    headline: str = "aer"
    possible: bool = True
    """Whether possible links are as the file says; else they are sure."""
    null_links: str = "dropped"
    """dropped: links with no word do not count; counted: a word without link is linked with no word, on both sides."""
    punctuation: bool = True
    """Whether links of words that are nothing but signs count."""
    method: str = "itermax"
    """argmax, itermax, match or softmax; see align.similarity.links."""
    pooling: str = "mean"
    """Of pieces: mean or first; all: any of its pieces may be linked."""
    threshold: float | None = None
    """Least score of a link; none: the one of least AER on the first ``dev`` lines."""
    centred: bool = False
    """Whether each side's mean over its words in the first ``dev`` lines is taken off."""
    dev: int = 100
    """The first lines: they choose, and are not scored."""

    def __post_init__(self) -> None:
        """Refuse what is no choice."""
        Linking(self.method)
        if self.null_links not in NULL_LINKS:
            raise InputError(f"null_links is {' or '.join(NULL_LINKS)}, got {self.null_links!r}")
        if self.dev < 0 or (self.threshold is None and not self.dev):
            raise InputError(f"a threshold is chosen on the first lines: dev must be above 0, got {self.dev}")

    def describe(self) -> str:
        """One line for the head of a table."""
        possible = "possible links as the file says" if self.possible else "possible links count as sure"
        cutoff = f"chosen on the first {self.dev} lines" if self.threshold is None else f"{self.threshold:g}"
        return (
            f"AER over the lines after the first {self.dev}: {possible}, null links {self.null_links}, punctuation "
            f"{'counts' if self.punctuation else 'left out'}; {self.method} of words ({self.pooling} of pieces"
            f"{', centred' if self.centred else ''}), least score {cutoff}"
        )


PROTOCOLS = {
    one.name: one for one in (
        LinkProtocol(), LinkProtocol("all-sure", possible=False), LinkProtocol("null-links", null_links="counted"),
        LinkProtocol("no-punctuation", punctuation=False),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A set of gold links, and which of its lines are scored."""

    gold: GoldAlignment
    choosing: bool = False
    """The first lines alone, which choose; else those after them."""


def is_sign(word: str) -> bool:
    """Whether a word is nothing but punctuation and symbols."""
    return all(unicodedata.category(letter)[0] in "PS" for letter in word)


def predicted(encode: EncodeWords, gold: GoldAlignment, protocol: LinkProtocol) -> tuple[list[Links], int]:
    """Links of each line with their scores, by no threshold, and how many words were cut."""
    sides = [
        encode(words, language, pooling=protocol.pooling)
        for words, language in zip((gold.source, gold.target), gold.languages, strict=True)
    ]
    rows = [[one[0] for one in side] for side in sides]
    if protocol.centred:
        means = [np.concatenate(side[: protocol.dev]).mean(axis=0) for side in rows]
        rows = [[one - mean for one in side] for side, mean in zip(rows, means, strict=True)]
    made = []
    for found, source, target in zip(link(rows[0], rows[1], Linking(protocol.method)), *sides, strict=True):
        line: Links = {}
        for i, j, score in zip(source[1][found.source], target[1][found.target], found.scores, strict=True):
            line[int(i), int(j)] = max(float(score), line.get((int(i), int(j)), -np.inf))
        made.append(line)
    return made, sum(one[2] for side in sides for one in side)


def counted(gold: GoldAlignment, found: Sequence[Links], least: float, protocol: LinkProtocol) -> list[tuple[int, ...]]:
    """|A|, |S|, |A n S|, |A n P| of each line by the protocol, of links with at least a score."""
    return [line_counts(*sets) for sets, _ in compared(gold, found, least, protocol)]


def compared(
    gold: GoldAlignment, found: Sequence[Links], least: float, protocol: LinkProtocol
) -> Iterator[tuple[tuple[Pairs, Pairs, Pairs], tuple[int, int]]]:
    """A, S, P of each line by the protocol, and how many words of either side may be linked."""
    for source, target, links, line in zip(gold.source, gold.target, gold.links, found, strict=True):
        linked = {pair for pair, score in line.items() if score >= least}
        sure = {one[:2] for one in links if (one.sure or not protocol.possible) and NULL not in one[:2]}
        possible = {one[:2] for one in links if NULL not in one[:2]}
        sizes = len(source), len(target)
        if not protocol.punctuation:
            signs = [{k for k, word in enumerate(words) if is_sign(word)} for words in (source, target)]
            linked, sure, possible = (
                {(i, j) for i, j in pairs if i not in signs[0] and j not in signs[1]}
                for pairs in (linked, sure, possible)
            )
            if protocol.null_links == "dropped":  # else signs stand among the null links
                sizes = sizes[0] - len(signs[0]), sizes[1] - len(signs[1])
        if protocol.null_links == "counted":
            said = {one[:2] for one in links if NULL in one[:2]}
            partners = possible | said
            linked, sure = (
                pairs | _unlinked(taken, len(source), len(target))
                for pairs, taken in ((linked, linked), (sure, partners))
            )
            sure |= said
            possible = possible | sure
        yield (linked, sure, possible), sizes


def _unlinked(pairs: Any, m: int, n: int) -> set[tuple[int, int]]:
    """Null links of the words of both sides that stand in no pair."""
    sources, targets = ({pair[side] for pair in pairs} for side in (0, 1))
    return {(i, NULL) for i in set(range(m)) - sources} | {(NULL, j) for j in set(range(n)) - targets}


def chosen_threshold(gold: GoldAlignment, found: Sequence[Links], protocol: LinkProtocol) -> float:
    """The least score, among 31 quantiles of the scores of the first lines, by which AER is lowest on them.

    Of equal ones the lowest; all links where there are none.
    """
    dev = slice(0, protocol.dev)
    part = replace(gold, source=gold.source[dev], target=gold.target[dev], links=gold.links[dev])
    scores = [score for line in found[dev] for score in line.values()]
    tried = [-1.0, *np.quantile(scores, np.linspace(0, 0.6, 31)).tolist()] if scores else [-1.0]
    return min(tried, key=lambda least: agreement(counted(part, found[dev], least, protocol)).aer)


def score_links(
    encode: EncodeWords, part: Part, protocol: LinkProtocol
) -> tuple[Agreement, list[tuple[int, ...]], dict[str, Any]]:
    """Agreement over the scored lines, the counts of each, and facts: what was chosen, the AER of links at random.

    Raises:
        InputError: the set has no line beyond those that choose.
    """
    gold = part.gold
    if len(gold.links) <= protocol.dev:
        raise InputError(f"{gold.name} has {len(gold.links)} lines: expected more than the {protocol.dev} that choose")
    if part.choosing:
        dev = slice(0, protocol.dev)
        gold = replace(gold, source=gold.source[dev], target=gold.target[dev], links=gold.links[dev])
    found, cut = predicted(encode, gold, protocol)
    least = chosen_threshold(gold, found, protocol) if protocol.threshold is None else protocol.threshold
    lines = list(compared(gold, found, least, protocol))[0 if part.choosing else protocol.dev :]
    counts: list[tuple[int, ...]] = [line_counts(*sets) for sets, _ in lines]
    linked = sum(a + s for a, s, *_ in counts)
    hits = sum(expected_hits(*sets, sizes, NULL) for sets, sizes in lines)
    return agreement(counts), counts, {"least": least, "cut": cut, "chance": 1 - hits / linked if linked else 0.0}


def _read(
    source: str | Path, names: Sequence[str] | None, protocol: LinkProtocol, *, base: int | None = None,
    without: str = "",
) -> Iterator[Unit]:  # fmt: skip
    """A unit for each set; ``without``, such as grc_eng:242, names lines of texts that have no links."""
    lines: dict[str, list[int]] = {}
    for part in filter(None, without.split(",")):
        name, colon, number = part.partition(":")
        if not colon or not number.isdecimal():
            raise InputError(f"without names lines of texts that have no links, such as grc_eng:242, got {part!r}")
        lines.setdefault(name, []).append(int(number))
    known = find_alignments(source)
    yield from (lost(name, f"no set {name}; there are {', '.join(known)}") for name in names or () if name not in known)
    for name, text, links in units_found(source, names):
        read = partial(read_alignment, name, text, links, base=base, without=lines.get(name, ()))
        yield Unit(name, partial(lambda one: Part(one()), read), "unit")


def _score(encode: EncodeWords, unit: Unit, part: Part, protocol: LinkProtocol) -> list[Row]:
    found, counts, facts = score_links(encode, part, protocol)
    a, s, sure, possible = np.array(counts).T
    items = ratio_items(a + s - sure - possible, a + s).round(6).tolist()
    first = 1 if part.choosing else protocol.dev + 1
    lines = [f"{unit.name} {number}" for number in range(first, first + len(counts))]
    return [
        row(
            unit.name, *part.gold.languages, "direct", items, lines, value=found.aer, metrics=found._asdict(),
            left_out=first - 1, facts=facts,
        )
    ]  # fmt: skip


def _texts(part: Part) -> Iterator[tuple[str, Sequence[str]]]:
    for language, side in zip(part.gold.languages, (part.gold.source, part.gold.target), strict=True):
        yield language, [" ".join(words) for words in side]


def _halves(part: Part, how: Halving) -> tuple[Part, Part, str]:
    return replace(part, choosing=True), part, "the first lines of each set"


TASK = Task(
    "word_alignment", "are words linked with those of a translation as people link them?", _read, _score, _texts,
    PROTOCOLS, "sure-possible", higher_is_better=False, inputs="tokens", halves=_halves,
    chance=lambda row, protocol: row["facts"]["chance"],
)  # fmt: skip

"""The units of a dictionary under a protocol: which source words are asked, and which candidates are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from align.errors import InputError
from align.tasks.bli.protocols import BliProtocol
from align.tasks.bli.words import Vocabulary
from align.tasks.texts.dictionaries import Dictionary, is_identical
from align.tasks.texts.named_files import Pair


class Unit(NamedTuple):
    """One question: a source word, or a line of the dictionary."""

    source: str
    """The source word as it is encoded."""
    golds: tuple[int, ...]
    """Rows of the right answers in the target vocabulary, ascending; (): not covered."""


def units(
    pairs: Sequence[Pair],
    protocol: BliProtocol,
    source_rows: Mapping[str, int],
    target_rows: Mapping[str, int],
    *,
    drop_identical: bool,
) -> list[Unit]:
    """The units, in the order of the dictionary, covered or not.

    Args:
        pairs: source word and translation of each line.
        protocol: unit, case rule, and whether a source word has to be in its vocabulary.
        source_rows: row of each word of the source vocabulary, after the case rule.
        target_rows: likewise of the candidates; one that the script filter took is not there.
        drop_identical: leave out the lines whose two words are the same.
    """
    lines: list[tuple[str, int | None]] = []
    for pair in pairs:
        if drop_identical and is_identical(pair):
            continue
        source, target = (word.lower() for word in pair) if protocol.case == "lower both" else pair
        gold = _row(target, target_rows, protocol)
        if protocol.source_in_vocabulary and _row(source, source_rows, protocol) is None:
            gold = None
        lines.append((source, gold))
    if protocol.unit == "pair":
        return [Unit(source, () if gold is None else (gold,)) for source, gold in lines]
    golds: dict[str, set[int]] = {}
    for source, gold in lines:
        golds.setdefault(source, set()).update(() if gold is None else (gold,))
    return [Unit(source, tuple(sorted(rows))) for source, rows in golds.items()]


def _row(word: str, rows: Mapping[str, int], protocol: BliProtocol) -> int | None:
    row = rows.get(word)
    return rows.get(word.lower()) if row is None and protocol.case == "lower candidates" else row


@dataclass(frozen=True)
class Questions:
    """What a dictionary asks, with and without the lines whose two words are the same."""

    dictionary: Dictionary
    kept: tuple[Unit, ...]
    """Of all lines."""
    dropped: tuple[Unit, ...]
    """Of the lines whose words differ."""
    chosen: tuple[Unit, ...]
    """Those of the two that the protocol scores."""

    @property
    def covered(self) -> list[Unit]:
        """Every unit that can be answered, each once, whichever it is of."""
        return [unit for unit in dict.fromkeys([*self.kept, *self.dropped]) if unit.golds]


def questions(dictionary: Dictionary, source: Vocabulary, target: Vocabulary, protocol: BliProtocol) -> Questions:
    """What a dictionary asks under a protocol.

    Raises:
        InputError: nothing of it is covered.
    """
    kept, dropped = (
        tuple(units(dictionary.pairs, protocol, source.rows, target.candidates, drop_identical=drop))
        for drop in (False, True)
    )
    chosen = dropped if protocol.identical == "drop" else kept
    if not any(unit.golds for unit in chosen):
        sources = sum(word.lower() in source.rows for word, _ in dictionary.pairs)
        targets = sum(word.lower() in target.candidates for _, word in dictionary.pairs)
        raise InputError(
            f"{dictionary.label}: no pair is covered by the vocabularies: of {len(dictionary.pairs)} lines {sources} "
            f"have their source word (in lower case) among the {len(source.rows)} words of {source.code}, {targets} "
            f"their translation among the {len(target.candidates)} candidates of {target.code}"
        )
    return Questions(dictionary, kept, dropped, chosen)

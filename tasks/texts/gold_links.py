"""Reading gold word alignments: sentences as words, and the links that people made between them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from align.errors import InputError
from align.files.packed import plain_name
from align.files.whole import existing_file, read_lines
from align.text.pharaoh import Link, read_links
from align.text.tags import language_of_tag

logger = logging.getLogger(__name__)

NULL = -1
"""The number of no word: a link with it says that a word has no partner."""
LAYOUTS = "NAME.gold beside NAME.src-tgt, or alignment_NAME.txt beside text_NAME.txt"
_PAIR = re.compile(r"(?:.*[._])?([a-z]{2,3})[-_]([a-z]{2,3})|([a-z]{2})([a-z]{2})|([a-z]{3})([a-z]{3})")
Words = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class GoldAlignment:
    """Sentences, their translations, and the links between their words."""

    name: str
    languages: tuple[str, str]
    source: Words
    target: Words
    links: tuple[tuple[Link, ...], ...]
    """Of each line, counted from 0; ``NULL`` where the file links a word with no word."""


def find_alignments(source: str | Path) -> dict[str, tuple[Path, Path]]:
    """The sets of a folder, or of one gold file: name -> (text, links).

    Raises:
        InputError: there is none, or a file without its partner.
    """
    place = Path(source)
    given = sorted(place.iterdir()) if place.is_dir() else [existing_file(place)]
    found = {}
    for file in given:
        name = plain_name(file)
        if name.endswith(".gold"):
            called, partner = name.removesuffix(".gold"), name.removesuffix(".gold") + ".src-tgt"
        elif name.startswith("alignment_"):
            called, partner = Path(name).stem.removeprefix("alignment_"), name.replace("alignment_", "text_", 1)
        else:
            continue
        text = next((one for one in file.parent.iterdir() if plain_name(one) == partner), None)
        if text is None:
            raise InputError(f"{file} has no text beside it: expected {LAYOUTS}")
        found[called] = (text, file)
    if not found:
        raise InputError(f"{source} holds no gold alignment: expected {LAYOUTS}")
    return found


def read_alignment(
    name: str, text: Path, links: Path, *, base: int | None = None, without: Sequence[int] = ()
) -> GoldAlignment:
    """A set of gold links: lines ``words ||| words``, and lines of links.

    Args:
        name: of the set; its languages are read off it (``enfr``, ``grc_eng``).
        text: sentences as words, with spaces between.
        links: ``i-j`` (sure), ``ipj`` (possible) or ``i-jS`` and ``i-jP``.
        base: number of the first word, 0 or 1; ``None``: found by the numbers, which is logged. Counted from 1, a 0 is
            no word (a null link).
        without: lines of the text, from 1, that have no line of links.

    Raises:
        InputError: a line that is none of these, unequal numbers of lines, a link beyond the sentence, or numbers that
            do not fit the base or do not tell it.
    """
    rows = [
        _two_sides(line, f"{text}, line {number}") for number, line in enumerate(read_lines(text), 1)
        if number not in without
    ]  # fmt: skip
    gold = [read_links(line, f"{links}, line {number}") for number, line in enumerate(read_lines(links), 1)]
    if len(rows) != len(gold):
        raise InputError(
            f"{text} has {len(rows)} lines and {links} {len(gold)}: expected links for each line"
            f"{_that_fit(name, rows, gold) if len(rows) == len(gold) + 1 else ''}"
        )
    base = _base(rows, gold, links, base)
    made = []
    for number, ((source, target), of) in enumerate(zip(rows, gold, strict=True), 1):
        moved = [one._replace(source=one.source - base, target=one.target - base) for one in of]
        for one, was in zip(moved, of, strict=True):
            if one.source >= len(source) or one.target >= len(target):
                raise InputError(
                    f"{links}, line {number}: the link {was.source}-{was.target} is beyond the sentences of "
                    f"{len(source)} and {len(target)} words, counted from {base}"
                )
        made.append(tuple(moved))
    sides = tuple(zip(*rows, strict=True)) if rows else ((), ())
    return GoldAlignment(name, _languages(name, sides), sides[0], sides[1], tuple(made))


def _that_fit(name: str, rows: Sequence[tuple[Sequence[str], Sequence[str]]], gold: Sequence[Sequence[Link]]) -> str:
    """Which lines of a text that has one too many can be the one without links: no other link is beyond a sentence."""

    def fits(row: tuple[Sequence[str], Sequence[str]], of: Sequence[Link]) -> bool:
        return all(one.source <= len(row[0]) and one.target <= len(row[1]) for one in of)

    before = [fits(row, of) for row, of in zip(rows, gold, strict=False)]
    after = [fits(row, of) for row, of in zip(rows[1:], gold, strict=True)]
    lines = [str(k + 1) for k in range(len(rows)) if all(before[:k]) and all(after[k:])]
    return f"; they fit if line {' or '.join(lines)} of the text has none (without={name}:{lines[0]})" if lines else ""


def _two_sides(line: str, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    parts = f" {line} ".split(" ||| ")
    if len(parts) != 2:
        raise InputError(f"{where}: expected two sentences with ' ||| ' between, got {len(parts)} parts: {line[:60]!r}")
    source, target = (tuple(word for word in re.split("[ \t]+", part) if word) for part in parts)
    return source, target  # other spaces are words: KFTT counts U+3000 as one


def _base(rows: Sequence[tuple[Sequence[str], Sequence[str]]], gold: Sequence[Sequence[Link]], file: Path,
          said: int | None) -> int:  # fmt: skip
    """0 or 1: what was said, if the numbers allow it, or what they tell."""
    zeros = [n for n, of in enumerate(gold, 1) if any(0 in one[:2] for one in of)]
    ends = [
        n for n, ((source, target), of) in enumerate(zip(rows, gold, strict=True), 1)
        if any(one.source == len(source) or one.target == len(target) for one in of)
    ]  # fmt: skip
    if said is None:
        if not zeros and not ends:
            raise InputError(f"{file}: the numbers of the links do not tell if words are counted from 0 or 1: set base")
        found = int(len(ends) > len(zeros))
        seen = f"0 stands in {len(zeros)} lines, the number of words in {len(ends)}"
        logger.info("%s counts words from %d: %s", file, found, seen)
        return found
    if said not in (0, 1):
        raise InputError(f"{file}: words are counted from 0 or 1, base is {said}")
    other = zeros if said else ends
    if other and not (ends if said else zeros):
        why = (
            "has a link with word 0 and none has the last"
            if said
            else "has a link behind the last word and none has word 0"
        )
        raise InputError(f"{file}, line {other[0]} {why}: it counts from {1 - said}, base is {said}")
    return said


def _languages(name: str, sides: Sequence[Words]) -> tuple[str, str]:
    """Codes read off a name, ``und`` where it has none."""
    parts = _PAIR.fullmatch(name.lower())
    tags = [part for part in parts.groups() if part] if parts else ["", ""]
    texts = [" ".join(" ".join(words) for words in side[:20]) for side in sides]
    first, second = (
        language_of_tag(tag, text) or "und" if tag else "und" for tag, text in zip(tags, texts, strict=True)
    )
    return first, second


def units_found(source: str | Path, names: Sequence[str] | None) -> Iterator[tuple[str, Path, Path]]:
    """(name, text, links) of the sets, or of those named."""
    for name, (text, links) in find_alignments(source).items():
        if names is None or name in names:
            yield name, text, links

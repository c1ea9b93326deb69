"""Tables of words as text files: labelled tokens, a lexicon, the actions of tags, a list of words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import read_lines, two_sides
from align.text.normal_forms import normalised, text_hash


def read_labelled(path: Path | str) -> list[list[tuple[str, str]]]:
    """Sentences of (token, tag) out of lines ``token TAB tag``, a blank line between sentences."""
    sentences: list[list[tuple[str, str]]] = [[]]
    for number, line in enumerate(read_lines(path), 1):
        if line.strip(" "):
            sentences[-1].append(_cells(path, number, line, "token TAB tag", most=2))
        elif sentences[-1]:
            sentences.append([])
    if not sentences[0]:
        raise InputError(f"{path} is empty: expected lines of token TAB tag")
    return sentences if sentences[-1] else sentences[:-1]


def read_lexicon(path: Path | str) -> dict[str, str]:
    """Translation of each word out of lines ``word TAB translation``; the first of several, more columns unread.

    A first line that names the two (one of ``align.files.whole.SIDES``) is a header, which says where they are.
    """
    lexicon: dict[str, str] = {}
    sides: tuple[int, int] | None = None
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip(" "):
            continue
        cells = line.split("\t")
        if number == 1:
            sides = two_sides(cells)
        elif sides and len(cells) > max(sides):
            line = "\t".join(cells[place] for place in sides)
        if number > 1 or not sides:
            lexicon.setdefault(*_cells(path, number, line, "word TAB translation"))
    if not lexicon:
        raise InputError(f"{path} is empty: expected lines of word TAB translation")
    return lexicon


def read_actions(path: Path | str) -> dict[str, str]:
    """Action of each tag out of lines ``tag TAB action``."""
    actions: dict[str, str] = {}
    for tag, action in _rows(path, "tag TAB action", most=2):
        if actions.setdefault(tag, action) != action:
            raise InputError(f"{path}: the tag {tag!r} has two actions, {actions[tag]} and {action}")
    if not actions:
        raise InputError(f"{path} is empty: expected lines of tag TAB action")
    return actions


def read_words(path: Path | str) -> list[str]:
    """Words of a file with one a line; blank lines are passed over."""
    words = [line.strip() for line in read_lines(path) if line.strip()]
    if not words:
        raise InputError(f"{path} is empty: expected one word a line")
    return words


def _rows(path: Path | str, expected: str, most: int | None = None) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), 1):
        if line.strip(" "):
            yield _cells(path, number, line, expected, most)


def _cells(path: Path | str, number: int, line: str, expected: str, most: int | None = None) -> tuple[str, str]:
    cells = [cell.strip(" ") for cell in line.split("\t")]
    if len(cells) < 2 or (most and len(cells) > most):
        many = f"{len(cells)} column{'s' if len(cells) > 1 else ''}"
        raise InputError(f"{path}, line {number}: expected {expected}, got {many}")
    if not cells[0] or not cells[1]:
        raise InputError(f"{path}, line {number}: expected {expected}, got an empty column")
    return cells[0], cells[1]


def lexicon_keys(lexicon: Mapping[str, str]) -> dict[str, str]:
    """The lexicon with ``normalised`` words; of words that become equal the first one holds."""
    keys: dict[str, str] = {}
    for word, translation in lexicon.items():
        keys.setdefault(normalised(word), translation.strip())
    return keys


def described_lexicon(lexicon: Mapping[str, str] | None) -> dict[str, Any] | None:
    """Number of words and a hash, for manifests; None for no lexicon."""
    if lexicon is None:
        return None
    rows = json.dumps(sorted(lexicon_keys(lexicon).items()))
    return {"words": len(lexicon), "hash": f"{text_hash(rows):016x}"}

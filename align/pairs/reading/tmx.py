"""Translation memories: TMX, the exchange format of translators, read unit by unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from align.errors import InputError
from align.files.whole import existing_file
from align.pairs.reading.xml import parse_xml

CODES = ("bpt", "ept", "it", "ph", "ut")
"""Elements inside a segment that hold formatting codes of the document, no text."""


class Unit(NamedTuple):
    """One translation unit: the line it begins in, and its (language tag, segment) pairs."""

    number: int
    variants: tuple[tuple[str, str], ...]


def read_tmx(path: Path) -> Iterator[Unit]:
    """Units of a TMX file, plain or ``.gz``, as a stream: memory does not grow with the file.

    A line break inside a segment, with the white space around it, becomes one space.

    Raises:
        InputError: no such file, damaged gzip, XML that is not well-formed, no unit, or a declared or unknown entity
            (declarations can make a small file expand without end); with the line.
    """
    path, units, count = existing_file(path), _Units(), 0
    for _ in parse_xml(path, units.start, units.end, units.text):
        count += len(units.done)
        yield from units.done
        units.done.clear()
    if not count:
        raise InputError(f"{path} holds no translation unit (tu)")


@dataclass
class _Units:
    """What the parser has seen of the unit it stands in, and the units that are complete."""

    done: list[Unit] = field(default_factory=list)
    _number: int = 0
    _variants: list[tuple[str, str]] = field(default_factory=list)
    _tag: str = ""
    _segment: list[str] | None = None
    _codes: int = 0

    def start(self, name: str, attributes: dict[str, str], number: int) -> None:
        if name == "tu":
            self._number, self._variants = number, []
        elif name == "tuv":
            self._tag = attributes.get("xml:lang", attributes.get("lang", ""))
        elif name == "seg":
            self._segment = []
        elif name in CODES:
            self._codes += 1

    def end(self, name: str) -> None:
        if name == "tu":
            self.done.append(Unit(self._number, tuple(self._variants)))
        elif name == "seg" and self._segment is not None:
            text = re.sub(r"\s*[\r\n]\s*", " ", "".join(self._segment)).strip()
            self._variants.append((self._tag, text))
            self._segment = None
        elif name in CODES:
            self._codes -= 1

    def text(self, text: str) -> None:
        if self._segment is not None and not self._codes:
            self._segment.append(text)

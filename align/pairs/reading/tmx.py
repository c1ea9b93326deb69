"""Translation memories: TMX, the exchange format of translators, read unit by unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import regex

from align.errors import InputError
from align.files.whole import existing_file
from align.pairs.reading.xml import parse_xml

PAIRED, SINGLE = ("bpt", "ept", "bx", "ex"), ("ph", "it", "ut", "x")
"""Elements inside a segment that hold formatting codes of the document, no text: around words, and on their own."""
_BLOCK = re.compile(r"</?(address|article|br|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|section|t[dhr]|table|ul)\b", re.I)
"""Tags of HTML that part words, ..."""
_INLINE = re.compile(r"\s*</?(a|abbr|b|big|cf|code|em|font|g|i|mark|s|small|span|strong|su[bp]|tt|u)\b[^>]*>\s*", re.I)
"""... and those that do not."""
_BREAK = "\ufdd1"
_GAP = regex.compile(
    rf"(?<=[^\s\p{{Ps}}\p{{Pi}}{_BREAK}]){_BREAK}+"  # white space or an opening bracket needs no space behind it
    r"(?=[\w\p{Ps}\p{Pi}])(?![\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}])"
)


class Unit(NamedTuple):
    """One translation unit: the line it begins in, and its (language tag, segment) pairs."""

    number: int
    variants: tuple[tuple[str, str], ...]


def read_tmx(path: Path) -> Iterator[Unit]:
    """Units of a TMX file, plain or compressed, as a stream: memory does not grow with the file.

    A line break inside a segment, with the white space around it, becomes one space. So does a code of the document on
    its own (a placeholder, ``<br/>``) between two words, unless it is one of inline formatting; codes in pairs, such as
    those of bold type, leave words whole. What XML forbids stands in a segment as ``align.pairs.reading.xml.ILLEGAL``.

    Raises:
        InputError: no such file, a damaged one, XML that is not well-formed, no unit, or a declared or unknown entity
            (declarations can make a small file expand without end); with the line.
    """
    path, units, count = existing_file(path), _Units(), 0
    for _ in parse_xml(path, units.start, units.end, units.text):
        count += len(units.done)
        yield from units.done
        units.done.clear()
    if not count:
        raise InputError(f"{path} holds no translation unit: expected <tu> with a <tuv> of each language (TMX)")


@dataclass
class _Units:
    """What the parser has seen of the unit it stands in, and the units that are complete."""

    done: list[Unit] = field(default_factory=list)
    _number: int = 0
    _variants: list[tuple[str, str]] = field(default_factory=list)
    _tag: str = ""
    _segment: list[str] | None = None
    _codes: int = 0
    _code: list[str] = field(default_factory=list)

    def start(self, name: str, attributes: dict[str, str], number: int) -> None:
        if name == "tu":
            self._number, self._variants = number, []
        elif name == "tuv":
            self._tag = attributes.get("xml:lang", attributes.get("lang", ""))
        elif name == "seg":
            self._segment = []
        elif name in PAIRED or name in SINGLE:
            self._codes += 1

    def end(self, name: str) -> None:
        if name == "tu":
            self.done.append(Unit(self._number, tuple(self._variants)))
        elif name == "seg" and self._segment is not None:
            text = re.sub(r"\s*[\r\n]\s*", " ", "".join(self._segment)).strip()
            text = _GAP.sub(" ", re.sub(rf"\s{_BREAK}+(\s)", r"\1", text)).replace(_BREAK, "")
            self._variants.append((self._tag, text))
            self._segment = None
        elif name in PAIRED or name in SINGLE:
            self._codes -= 1
            if self._segment is not None and not self._codes:
                code = "".join(self._code)
                if _BLOCK.search(code) or (name in SINGLE and not _INLINE.fullmatch(code)):
                    self._segment.append(_BREAK)
                self._code.clear()

    def text(self, text: str) -> None:
        if self._codes:
            self._code.append(text)
        elif self._segment is not None:
            self._segment.append(text)

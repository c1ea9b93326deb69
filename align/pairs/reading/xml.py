"""XML as a stream: a file of any size, plain or compressed, and nothing in it that is not written there."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from align.errors import InputError
from align.files.lines import encoding_of
from align.files.packed import open_bytes

CHUNK = 1 << 16
ILLEGAL = "\ufdd0"
"""Stands for what XML may not hold, a control character or bytes that are no text: one such does not spoil a file."""
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]+)|([0-9]+));")
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_OPEN = re.compile(r"&#?[0-9a-zA-Z]{0,10}$")
"""The beginning of a reference at the end of a chunk."""
_DECLARED = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z][\w.-]*)[\"']")

codecs.register_error("align.illegal", lambda error: (ILLEGAL, getattr(error, "end", 0)))


def parse_xml(
    path: Path,
    start: Callable[[str, dict[str, str], int], object],
    end: Callable[[str], object],
    text: Callable[[str], object],
) -> Iterator[None]:
    """Call ``start(name, attributes, line)``, ``end(name)`` and ``text(characters)``; yields after every chunk.

    A character that XML forbids, written as such or as a reference (``&#7;``), and bytes that are no character of the
    file's encoding are handed on as ``ILLEGAL``: whoever reads sets the entry aside that holds one.

    Raises:
        InputError: a damaged file, XML that is not well-formed otherwise, an unknown encoding, or an entity that is
            declared or unknown (declarations can make a small file expand without end); with the line.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(name, attributes, parser.CurrentLineNumber)
    parser.EndElementHandler, parser.CharacterDataHandler = end, text

    def refuse(name: str, *_: object) -> NoReturn:
        place = f"{path}, line {parser.CurrentLineNumber}"
        raise InputError(f"{place}: expected plain text, got the entity {name!r}; only &amp; and the like are read")

    parser.EntityDeclHandler = parser.SkippedEntityHandler = refuse
    try:
        for chunk in _legal(_decoded(path)):
            parser.Parse(chunk)
            yield
        parser.Parse("", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise InputError(f"{path}, line {error.lineno}: not well-formed XML ({reason})") from error
    yield


def _decoded(path: Path) -> Iterator[str]:
    with open_bytes(path) as file:
        head = file.read(max(CHUNK, 256))
        name, mark = encoding_of(head)
        try:
            decoder = codecs.getincrementaldecoder(_declared(head[mark:], name))("align.illegal")
            chunk = head[mark:]
            while chunk:
                yield decoder.decode(chunk)
                chunk = file.read(CHUNK)
            yield decoder.decode(b"", True)
        except (LookupError, UnicodeError) as error:
            raise InputError(f"{path}: its encoding cannot be read ({error}); expected UTF-8 or UTF-16") from error


def _declared(head: bytes, marked: str) -> str:
    """Encoding by the declaration, where no byte-order mark says it."""
    if marked != "utf-8" or head[:2] in (b"<\0", b"\0<"):
        return {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(head[:2], marked)
    found = _DECLARED.match(head)
    name = found[1].decode() if found else marked
    "".encode(name)  # refuses what encodes no text
    return "utf-8" if name.lower().startswith(("utf-16", "utf-32", "ucs")) else name  # the bytes say otherwise


def _legal(chunks: Iterator[str]) -> Iterator[str]:
    """The same text in pieces, without forbidden characters and references to them."""
    rest = ""
    for chunk in chunks:
        text = rest + chunk
        cut = _OPEN.search(text, max(0, len(text) - 12))
        rest = text[cut.start() :] if cut else ""
        yield _CONTROL.sub(ILLEGAL, _REFERENCE.sub(_reference, text.removesuffix(rest)))
    yield rest


def _reference(match: re.Match[str]) -> str:
    number = int(match[1], 16) if match[1] else int(match[2])
    return ILLEGAL if number > 0x10FFFF or _CONTROL.match(chr(number)) else match[0]

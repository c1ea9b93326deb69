"""XML as a stream: a file of any size, plain or compressed, and nothing in it that is not written there."""

from __future__ import annotations

import codecs
import html.entities
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from align.errors import InputError
from align.files.guessing import conversion
from align.files.lines import encoding_of
from align.files.packed import open_bytes

logger = logging.getLogger(__name__)

CHUNK = 1 << 16
_CUT_SHORT = ("no element found", "unclosed token", "unclosed CDATA section")
ILLEGAL = "\ufdd0"
"""Stands for what XML may not hold, a control character or bytes that are no text: one such does not spoil a file."""
_TOKEN = re.compile(
    r"<!\[CDATA\[|\]\]>|<!--|-->|&(?:#x([0-9a-fA-F]+);|#([0-9]+);|([A-Za-z][\w.-]*);)?|<(?![^\W\d]|[:/!?])"
)
"""What begins and ends a part without references, and a reference; ``&`` alone is none, ``<`` alone no markup."""
_CLOSES = {"<![CDATA[": "]]>", "<!--": "-->"}
_OF_XML = {"amp", "lt", "gt", "quot", "apos"}
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_OPEN = re.compile(r"[&<\]-][^;>]{0,11}$")
"""What may be the beginning of a token at the end of a chunk."""
_DECLARED = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z][\w.-]*)[\"']")

codecs.register_error("align.illegal", lambda error: (ILLEGAL, getattr(error, "end", 0)))


def parse_xml(
    path: Path,
    start: Callable[[str, dict[str, str], int], object],
    end: Callable[[str], object],
    text: Callable[[str], object],
) -> Iterator[None]:
    """Call ``start(name, attributes, line)``, ``end(name)`` and ``text(characters)``; yields after every chunk.

    What XML forbids is handed on as ``ILLEGAL``, and whoever reads sets the entry aside that holds one: a forbidden
    character, as such or as a reference (``&#7;``), ``&`` or ``<`` alone, an unknown entity, bytes that are no
    character of the file's encoding. The entities of HTML (``&nbsp;``) are read. Names are without their prefix
    (``tu`` of ``t:tu``).

    Raises:
        InputError: a damaged file, XML that is not well-formed otherwise, an unknown encoding, or an entity that is
            declared (declarations can make a small file expand without end); with the line.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(_local(name), attributes, parser.CurrentLineNumber)
    parser.EndElementHandler, parser.CharacterDataHandler = lambda name: end(_local(name)), text

    def refuse(name: str, *_: object) -> NoReturn:
        place = f"{path}, line {parser.CurrentLineNumber}"
        raise InputError(f"{place}: expected plain text, got the entity {name!r}; only those of XML and HTML are read")

    parser.EntityDeclHandler = parser.SkippedEntityHandler = refuse
    try:
        for chunk in _legal(_decoded(path)):
            parser.Parse(chunk)
            yield
        parser.Parse("", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        cut = "; it ends in the middle: is the file whole?" if reason in _CUT_SHORT else ""
        raise InputError(f"{path}, line {error.lineno}: not well-formed XML ({reason}){cut}") from error
    yield


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _decoded(path: Path) -> Iterator[str]:
    with open_bytes(path) as file:
        head = file.read(max(CHUNK, 256))
        name, mark = encoding_of(head)
        try:
            decoder = codecs.getincrementaldecoder(_declared(head[mark:], name))("align.illegal")
            chunk, legal = head[mark:], True
            while chunk:
                text = decoder.decode(chunk)
                if legal and ILLEGAL in text:
                    legal = False
                    logger.warning("%s: some bytes are no %s, as it says to be: %s", path, name, conversion(path))
                yield text
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
    rest = closed_by = ""

    def replaced(match: re.Match[str]) -> str:
        nonlocal closed_by
        token = match[0]
        if closed_by:
            closed_by = "" if token == closed_by else closed_by
        elif token in _CLOSES:
            closed_by = _CLOSES[token]
        elif token.startswith("&"):
            return _reference(match)
        elif token == "<":
            return ILLEGAL
        return token

    for chunk in chunks:
        text = rest + chunk
        cut = _OPEN.search(text, max(0, len(text) - 12))
        rest = text[cut.start() :] if cut else ""
        yield _CONTROL.sub(ILLEGAL, _TOKEN.sub(replaced, text.removesuffix(rest)))
    yield _CONTROL.sub(ILLEGAL, _TOKEN.sub(replaced, rest))


def _reference(match: re.Match[str]) -> str:
    if name := match[3]:
        known = html.entities.html5.get(f"{name};", ILLEGAL)
        return match[0] if name in _OF_XML else known
    if match[1] is None and match[2] is None:
        return ILLEGAL
    number = int(match[1], 16) if match[1] else int(match[2])
    return ILLEGAL if number > 0x10FFFF or _CONTROL.match(chr(number)) else match[0]

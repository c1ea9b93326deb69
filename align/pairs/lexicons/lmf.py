"""WN-LMF, the XML of the Global WordNet Association, read element by element."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple, NoReturn, cast
from xml.parsers import expat

from align.errors import InputError

CHUNK = 1 << 16
SUFFIXES: dict[str, Callable[..., object]] = {".gz": gzip.open, ".xz": lzma.open}
"""Compressed files, and what opens them."""
LEXICONS, ENTRIES = {"Lexicon", "LexiconExtension"}, {"LexicalEntry", "ExternalLexicalEntry"}
READ = {"Lemma", "Sense", "Synset", "Definition", *LEXICONS, *ENTRIES}


class Element(NamedTuple):
    """The beginning of an element: its line, name and attributes; of a definition also the text."""

    number: int
    name: str
    attributes: dict[str, str]
    text: str = ""


def lmf_elements(path: Path) -> Iterator[Element]:
    """The elements of a file, plain, ``.gz`` or ``.xz``, that a lexicon of words needs: in order, streamed.

    Raises:
        InputError: damaged compression, XML that is not well-formed, another root than LexicalResource, or a declared
            or unknown entity (declarations can make a small file expand without end); with the line.
    """
    done: list[Element] = []
    text: list[str] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = True

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal root
        if root and name != "LexicalResource":
            place = f"{path}, line {parser.CurrentLineNumber}"
            raise InputError(f"{place}: expected a wordnet in WN-LMF (LexicalResource), got the element {name!r}")
        root = False
        text.clear()
        if name in READ:
            done.append(Element(parser.CurrentLineNumber, name, attributes))

    def end(name: str) -> None:
        if name == "Definition" and done and done[-1].name == name:
            done[-1] = done[-1]._replace(text=" ".join("".join(text).split()))

    def refuse(name: str, *_: object) -> NoReturn:
        place = f"{path}, line {parser.CurrentLineNumber}"
        raise InputError(f"{place}: expected plain text, got the entity {name!r}; only &amp; and the like are read")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text.append
    parser.EntityDeclHandler, parser.SkippedEntityHandler = refuse, refuse
    try:
        with closing(cast("IO[bytes]", SUFFIXES.get(path.suffix, open)(path, "rb"))) as file:
            while chunk := file.read(CHUNK):
                parser.Parse(chunk)
                yield from done[:-1]  # the last may still get its text
                del done[:-1]
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise InputError(f"{path}, line {error.lineno}: not well-formed XML ({reason})") from error
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path} is not a complete {path.suffix[1:]} file: {error}") from error
    yield from done

"""XML as a stream: a file of any size, plain or compressed, and nothing in it that is not written there."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, NoReturn, cast
from xml.parsers import expat

from align.errors import InputError

CHUNK = 1 << 16
OPENERS: dict[str, Callable[..., object]] = {".gz": gzip.open, ".xz": lzma.open}
"""Compressed files by their ending, and what opens them."""


def opened(path: Path) -> closing[IO[bytes]]:
    """A file, plain, ``.gz`` or ``.xz``, to read its bytes in a with statement."""
    return closing(cast("IO[bytes]", OPENERS.get(path.suffix, open)(path, "rb")))


def parse_xml(
    path: Path,
    start: Callable[[str, dict[str, str], int], object],
    end: Callable[[str], object],
    text: Callable[[str], object],
) -> Iterator[None]:
    """Call ``start(name, attributes, line)``, ``end(name)`` and ``text(characters)``; yields after every chunk."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(name, attributes, parser.CurrentLineNumber)
    parser.EndElementHandler, parser.CharacterDataHandler = end, text

    def refuse(name: str, *_: object) -> NoReturn:
        place = f"{path}, line {parser.CurrentLineNumber}"
        raise InputError(f"{place}: expected plain text, got the entity {name!r}; only &amp; and the like are read")

    parser.EntityDeclHandler = parser.SkippedEntityHandler = refuse
    try:
        with opened(path) as file:
            while chunk := file.read(CHUNK):
                parser.Parse(chunk)
                yield
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise InputError(f"{path}, line {error.lineno}: not well-formed XML ({reason})") from error
    except InputError:
        raise
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        kind = "gzip" if path.suffix == ".gz" else path.suffix[1:]
        raise InputError(f"{path} is not a complete {kind} file: {error}") from error
    except (LookupError, ValueError) as error:  # from the codec of the declared encoding
        raise InputError(f"{path}: its encoding cannot be read ({error}); expected UTF-8 or UTF-16") from error
    yield

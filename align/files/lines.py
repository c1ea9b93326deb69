r"""Lines of a text file, whatever its encoding, its compression and its line ends: the one way in for text.

UTF-8 with or without a byte-order mark; UTF-16 and UTF-32, told by theirs (without one they are refused and
named). Only ``\n``, ``\r\n`` and, in a file that begins without one of them, ``\r`` end a line: U+2028, U+0085 and the
like stay inside (``str.splitlines`` would shift ids).
"""

from __future__ import annotations

import codecs
import io
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from align.errors import InputError
from align.files.guessing import conversion
from align.files.not_text import NUL_BYTE, refuse_format, refuse_unmarked
from align.files.packed import open_bytes

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF8, "utf-8"),
)  # fmt: skip
"""Byte-order marks; that of UTF-32 begins as that of UTF-16 does."""
PEEKED = 4096
NOT_UTF8 = "invalid UTF-8"
"""The problem of a line that is none, which text_lines follows up with how to convert the file, in brackets."""

logger = logging.getLogger(__name__)


def encoding_of(head: bytes) -> tuple[str, int]:
    """Encoding of a text by its first bytes, and how many of them are its byte-order mark.

    >>> encoding_of("ok".encode("utf-16-le")), encoding_of(codecs.BOM_UTF16_LE)
    (('utf-8', 0), ('utf-16-le', 2))
    """
    return next(((name, len(mark)) for mark, name in _MARKS if head.startswith(mark)), ("utf-8", 0))


def byte_lines(path: Path | str) -> Iterator[bytes]:
    r"""Lines of a file as UTF-8, each with the end ``\n`` or ``\r\n`` that it has; no byte-order mark.

    Bytes that are no UTF-8 stay in a file that does not say to be UTF-16 or UTF-32.

    Raises:
        InputError: a damaged file, one that is no text (which is named), or bytes that are no UTF-16 or UTF-32.
    """
    with open_bytes(path) as file:
        head = cast(io.BufferedReader, file).peek(PEEKED)
        refuse_format(head, path)
        encoding, mark = encoding_of(head)
        file.read(mark)
        if encoding == "utf-8":
            refuse_unmarked(head, path)
        start = head if encoding == "utf-8" else head[mark:].decode(encoding, "replace").encode()
        ends = "\n" if b"\n" in start or b"\r" not in start else None
        if encoding == "utf-8" and ends:
            yield from file
        else:
            yield from _decoded_lines(file, encoding, ends, path)


def _decoded_lines(file: IO[bytes], encoding: str, ends: str | None, path: Path | str) -> Iterator[bytes]:
    r"""Lines whose ends the bytes do not show: of wide characters, or with the line end ``\r`` (``ends`` is None)."""
    kept = "surrogateescape" if encoding == "utf-8" else "surrogatepass"
    text = io.TextIOWrapper(cast(Any, file), encoding, kept, newline=ends)
    number = 0
    try:
        for number, line in enumerate(text, 1):  # noqa: B007 (for the message)
            yield line.encode("utf-8", kept)
    except UnicodeDecodeError as error:
        name = encoding[:6].upper()
        raise InputError(f"{path}, after line {number}: no {name}, as its first bytes say ({error.reason})") from error
    finally:
        text.detach()


def text_lines(path: Path | str) -> Iterator[tuple[str, str]]:
    r"""Lines of a file without their ends, each with its problem or ``""``.

    Of a line with a problem, bytes that are no UTF-8 are written as ``\xe9``. What is in brackets in a problem is of
    the file, not of the line: the encoding that it is probably in, and how to convert it. A file that is read to its
    end in spite of such lines is logged.

    Raises:
        InputError: as :func:`byte_lines`.
    """
    wrong = ""
    found = Counter[str]()
    for raw in byte_lines(path):
        try:
            line, problem = raw.decode("utf-8"), ""
        except UnicodeDecodeError:
            wrong = wrong or f"{NOT_UTF8} ({conversion(path)})"
            line, problem = raw.decode("utf-8", "backslashreplace"), wrong
        if problem := problem or (NUL_BYTE if "\0" in line else ""):
            found[problem] += 1
        yield line.removesuffix("\n").removesuffix("\r"), problem
    for problem, count in found.items():
        logger.warning("%s: %d of its lines %s %s", path, count, "hold" if problem == NUL_BYTE else "are", problem)

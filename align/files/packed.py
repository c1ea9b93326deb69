"""Compressed files: gzip, zstd, xz and bzip2, told by the ending of their names, and read as the bytes inside."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from align.errors import InputError
from align.files.archives import file_at, open_file

CHUNK = 1 << 20


def _zstd(file: IO[bytes], mode: str) -> Any:
    import pyarrow as pa  # the one reader of zstd that every installation has

    return io.BufferedReader(pa.input_stream(file, compression="zstd"), CHUNK)


class _Streams(io.RawIOBase):
    """The streams of xz or bzip2 one after the other; Python's own readers take a broken one for the end."""

    def __init__(self, file: IO[bytes], begin: Callable[[], Any]) -> None:
        self._file, self._begin, self._stream = file, begin, begin()

    def readable(self) -> bool:
        """That it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, in part."""
        given = b""
        while True:
            if self._stream.eof:
                given = self._stream.unused_data.lstrip(b"\0")  # between streams is padding
                while not given:
                    if not (more := self._file.read(CHUNK)):
                        return 0
                    given = more.lstrip(b"\0")
                self._stream = self._begin()
            elif self._stream.needs_input and not (given := self._file.read(CHUNK)):
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            data = self._stream.decompress(given, max_length=len(buffer))
            given = b""
            if data:
                buffer[: len(data)] = data
                return len(data)


def _streams(begin: Callable[[], Any]) -> Callable[..., Any]:
    return lambda file, mode: io.BufferedReader(_Streams(file, begin), CHUNK)


_OPENERS: dict[str, tuple[str, Callable[..., Any]]] = {
    ".gz": ("gzip", gzip.open),
    ".zst": ("zstd", _zstd),
    ".xz": ("xz", _streams(lzma.LZMADecompressor)),
    ".bz2": ("bzip2", _streams(bz2.BZ2Decompressor)),
}
PACKED = tuple(_OPENERS)
"""Endings of compressed files. Each may consist of several parts: members of gzip, frames of zstd, streams of xz."""


def is_packed(path: Path | str) -> bool:
    """Whether a file is compressed, by its name."""
    return Path(path).suffix.lower() in PACKED


def plain_name(path: Path | str) -> str:
    """Name of a file without its folder and without the ending of a compressed one; of an archive, of its only file.

    >>> plain_name("data/eng_Latn.tsv.xz"), plain_name("eng_Latn.tsv")
    ('eng_Latn.tsv', 'eng_Latn.tsv')
    """
    path = only_file(path)
    return path.stem if is_packed(path) else path.name


def plain_suffix(path: Path | str) -> str:
    """Last ending of a name, in lower case, that says what is inside.

    >>> plain_suffix("eng_Latn.TSV.gz")
    '.tsv'
    """
    return Path(plain_name(path)).suffix.lower()


def also_packed(endings: Sequence[str]) -> tuple[str, ...]:
    """Each of the endings, and each with that of a compressed file behind it.

    >>> also_packed([".txt"])
    ('.txt', '.txt.gz', '.txt.zst', '.txt.xz', '.txt.bz2')
    """
    return tuple(ending + packed for ending in endings for packed in ("", *PACKED))


def said(endings: Sequence[str]) -> str:
    """Endings for a sentence: those of compressed files once, not behind each.

    >>> said(also_packed([".tsv", ".txt"]))
    '.tsv, .txt (these also with .gz, .zst, .xz, .bz2)'
    """
    plain = [ending for ending in endings if not is_packed(f"file{ending}")]
    return ", ".join(plain) + (f" (these also with {', '.join(PACKED)})" if len(plain) < len(endings) else "")


def only_file(path: Path | str) -> Path:
    """The path of the only file of an archive; any other path as it is."""
    try:
        return file_at(path)
    except InputError:
        return Path(path)


@contextmanager
def open_bytes(path: Path | str) -> Iterator[IO[bytes]]:
    """The bytes of a file, without its compression, to be read once from front to back; they can be peeked at.

    Raises:
        InputError: also in the block: the file is damaged or cut short, or not compressed as its name says; of an
            archive as :func:`align.files.archives.open_file`.
    """
    path = file_at(path)
    _, opener = _OPENERS.get(path.suffix.lower(), ("", None))
    with explained(path), open_file(path) as file:
        if opener is None:
            yield file
            return
        if not file.peek(1):  # type: ignore[attr-defined]
            raise EOFError("it is empty")
        with opener(file, "rb") as unpacked:
            yield unpacked


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """In the block, what readers of compressed files raise becomes an InputError."""
    kind, _ = _OPENERS.get(path.suffix.lower(), ("", None))
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # no permission, a bad disk
            error.filename = error.filename or str(path)
            raise
        if not kind:
            raise
        raise InputError(f"{path} is not a complete {kind} file: {error}") from error

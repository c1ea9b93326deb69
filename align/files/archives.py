"""Files inside zip and tar archives: an archive is read as the folder it was made of, and nothing is unpacked.

``corpus.zip/corpus.de`` names a file in one (or ``corpus.zip:corpus.de``); the archive alone stands for its only file.
"""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from align.errors import InputError, there_are

_ARCHIVE = re.compile(r"(.+?\.(?:zip|tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz|zst)))(?:[:/\\](.*))?", re.I | re.S)
_ABOUT = re.compile(r"readme|licen[cs]e|citation|copying|changelog|notice", re.I)
"""How the names of files begin that say something about the others."""


def parts_of(path: Path | str) -> tuple[Path, str] | None:
    """The archive that a path leads into and the name behind it, which may be ``""``; ``None``: into none."""
    found = _ARCHIVE.fullmatch(str(path))
    if not found or not Path(found[1]).is_file() or (found[2] and Path(path).exists()):
        return None
    return Path(found[1]), (found[2] or "").replace("\\", "/")


def is_there(path: Path | str) -> bool:
    """Whether there is such a file or folder, on the disk or in an archive."""
    inside = parts_of(path)
    return Path(path).exists() or bool(inside and _under(*inside))


def is_folder(path: Path | str) -> bool:
    """Whether a path is a folder, an archive of several files, or a folder in one."""
    inside = parts_of(path)
    if inside is None:
        return Path(path).is_dir()
    archive, name = inside
    return _under(archive, name) not in ([], [name]) if name else len(_worded(archive)) > 1


def files_in(folder: Path | str) -> list[Path]:
    """What is in a folder, by name; of an archive all its files, however deep."""
    inside = parts_of(folder)
    return sorted(Path(folder).iterdir()) if inside is None else [inside[0] / name for name in _under(*inside)]


def on_disk(path: Path | str) -> Path:
    """The file on the disk that holds what is at a path: the archive, or itself."""
    inside = parts_of(path)
    return inside[0] if inside else Path(path)


def file_at(path: Path | str) -> Path:
    """The path of a file in an archive as ``archive/name``; of an archive with one file, of that; others stay.

    Raises:
        InputError: a damaged archive, none or several files in it, no such file, or an archive in the archive.
    """
    inside = parts_of(path)
    if inside is None:
        return Path(path)
    archive, name = inside
    if not name:
        found = _worded(archive)
        if not found:
            raise InputError(f"{archive} is an archive without a file in it")
        if len(found) > 1:
            raise InputError(
                f"{archive} is an archive of several files; expected one: name it, such as {archive / found[0]}; "
                f"there are {there_are('', found)}"
            )
        name = found[0]
    if name not in _names(archive):
        raise InputError(f"{archive} holds no {name!r}: there are {there_are(name, _names(archive))}")
    if _ARCHIVE.fullmatch(name):
        raise InputError(f"{archive / name} is an archive in an archive: unpack {archive} and give {name}")
    return archive / name


def seekable(path: Path) -> Path | io.BytesIO:
    """A file that a reader may go to and fro in: itself, or of one in an archive all its bytes."""
    if parts_of(path) is None:
        return path
    with open_file(path) as file:
        return io.BytesIO(file.read())


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, on the disk or in an archive, to be read once from front to back; they can be peeked at.

    Raises:
        InputError: as :func:`file_at`; also in the block: the archive is damaged, encrypted or packed by a way that is
            not known here.
    """
    inside = parts_of(path)
    if inside is None:
        with open(path, "rb", buffering=1 << 20) as file:
            yield file
        return
    archive, name = parts_of(file_at(path)) or inside
    with _explained(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened, opened.open(name) as member:
                yield io.BufferedReader(member, 1 << 20)  # type: ignore[type-var]  # peeks further than it does itself
        else:
            with _tar(archive) as tar:
                yield next(tar.extractfile(one) for one in tar if one.name.removeprefix("./") == name)  # type: ignore


def _names(archive: Path) -> list[str]:
    """Of the files in an archive, sorted; none that is hidden, no link."""
    about = archive.stat()
    return _listed(archive, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=64)
def _listed(archive: Path, size: int, changed: int) -> list[str]:
    with _explained(archive):
        if archive.suffix.lower() == ".zip":
            with zipfile.ZipFile(archive) as opened:
                names = [one.filename for one in opened.infolist() if not one.is_dir()]
        else:
            with _tar(archive) as tar:
                names = [one.name.removeprefix("./") for one in tar if one.isfile()]
    return sorted(name for name in dict.fromkeys(names) if not re.search(r"(^|/)(\.|__MACOSX/)", name))


def _under(archive: Path, name: str) -> list[str]:
    """A file by its name, or those in a folder, or all."""
    start = f"{name.rstrip('/')}/" if name else ""
    return [one for one in _names(archive) if one == name or one.startswith(start)]


def _worded(archive: Path) -> list[str]:
    """The files that are not about the others, unless all are."""
    names = _names(archive)
    return [name for name in names if not _ABOUT.match(PurePosixPath(name).name)] or names


@contextmanager
def _tar(archive: Path) -> Iterator[tarfile.TarFile]:
    if archive.suffix.lower() == ".zst":
        import pyarrow as pa  # the one reader of zstd that every installation has

        with pa.input_stream(str(archive), compression="zstd") as file, tarfile.open(fileobj=file, mode="r|") as tar:
            yield tar
    else:
        with tarfile.open(archive, "r:*") as tar:
            yield tar


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    """In the block, what readers of archives raise becomes an InputError."""
    damage: tuple[Any, ...] = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)
    try:
        yield
    except (*damage, NotImplementedError) as error:
        raise InputError(f"{archive} is not a complete archive: {error}") from error
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise InputError(f"{archive} is encrypted: unpack it and give what is in it") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise InputError(f"{archive} is not a complete archive: {error}") from error

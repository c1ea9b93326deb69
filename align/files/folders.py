"""Folders appear whole or not at all, and take the place only of what Align itself wrote.

    .align-folder.json   in every such folder, written last: its kind, and the names of its files
    .NAME.new            beside it while it is written; after the exchange, the older one that is to be removed
    .NAME.old            where two names cannot be exchanged: the older one, until the new one has its name
    .NAME.lock           while a process writes it (align.files.locks)

A process that is killed may leave the hidden ones; the next that writes there removes them.
"""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from align.errors import InputError
from align.files.locks import locked
from align.files.whole import explained, flush, sha256, write_json

log = logging.getLogger(__name__)

MARK = ".align-folder.json"
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextmanager
def whole_folder(path: Path | str, *, kind: str, wait: bool = False, hashed: bool = False) -> Iterator[Path]:
    """Yield a new folder beside ``path``; put it in the place of ``path`` only if the block succeeds.

    It is flushed to the disk, then the two folders exchange their names in one step, and the older one is removed: at
    any instant ``path`` is the whole older one or the whole new one. Where the system has no such step, the older one
    is moved aside first; what a process that is killed just then leaves is put right by the next one that writes there.

    Args:
        path: the folder.
        kind: what it holds, a noun such as "encoder": only a folder of the same kind is replaced.
        wait: wait for another process that writes it rather than refuse.
        hashed: keep the hash of each file, for :func:`align.files.intact.check_hashes`.

    Raises:
        InputError: as :func:`check_replaceable` and :func:`align.files.locks.locked`; the parent cannot be written to,
            or the disk is full.
    """
    path = named(path)
    new = _beside(path, "new")
    with writing(path, kind=kind, wait=wait):
        with explained(path):
            new.mkdir()
        try:
            with explained(path):
                yield new
                _seal(new, kind, hashed)
                check_replaceable(path, kind)
                _put(new, path)
        finally:
            shutil.rmtree(new, ignore_errors=True)


@contextmanager
def writing(path: Path | str, *, kind: str, wait: bool = False) -> Iterator[None]:
    """Refuse what :func:`whole_folder` would refuse, now; and while the block lasts no other process writes there.

    For the start of long work that ends with a :func:`whole_folder` of the same path and kind.
    """
    path = named(path)
    with locked(path, wait=wait):
        with explained(path):
            _recover(path)
            check_replaceable(path, kind)
        yield


def check_replaceable(path: Path | str, kind: str) -> None:
    """Refuse a place where something is that Align did not write, or wrote as another kind of folder.

    Raises:
        InputError: ``path`` is a symlink, a file or the root of a file system, or has a file that is not of such a
            folder; the file is named.
    """
    path = named(path)
    check_place(path)
    if os.path.ismount(path):
        raise InputError(f"{path} is where a file system is mounted; expected a folder in it to write to")
    there, files = _written(path)
    ours = {MARK, *files} if there == kind else {MARK} if there else set()
    name = stranger(path, ours.__contains__)
    if name:
        whose = f" of {_a(there)}, not of {_a(kind)}" if there not in ("", kind) else f", which is not of {_a(kind)}"
        raise InputError(f"{path} holds {name}{whose} that Align wrote: give another folder, or move it away")


def check_place(path: Path) -> None:
    """Refuse a place where no folder can be.

    Raises:
        InputError: a symlink or a file.
    """
    if path.is_symlink():
        raise InputError(f"{path} is a symlink; expected a folder to write to")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; expected a folder to write to")


def named(path: Path | str) -> Path:
    """``path`` as it is given if it ends in a name; of ``.`` and ``..`` the folder that they stand for.

    Raises:
        InputError: the root, which has no name.
    """
    path = Path(path)
    path = path.resolve() if path.name in ("", "..") else path
    if not path.name:
        raise InputError(f"{path} is no folder to write to; expected one with a name")
    return path


def stranger(folder: Path, ours: Callable[[str], bool]) -> str:
    """The first file below a folder that is not ours, "" if there is none; a symlink is nobody's.

    Args:
        folder: there or not.
        ours: whether a file is, by its path from the folder, with ``/``.
    """
    for place, folders, names in os.walk(folder):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        for path in sorted(here / name for name in (*names, *links)):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink() or not ours(name):
                return name
        folders.sort()
    return ""


def _written(path: Path) -> tuple[str, set[str]]:
    """Kind and files of a folder that Align wrote; "" and none of any other."""
    try:
        mark = json.loads((path / MARK).read_bytes())
        return str(mark["kind"]), set(mark["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", set()


def _seal(folder: Path, kind: str, hashed: bool) -> None:
    files = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    names = [path.relative_to(folder).as_posix() for path in files]
    kept = {name: sha256(folder / name) for name in names} if hashed else names
    write_json(folder / MARK, {"kind": kind, "files": kept}, sealed=True)
    for path in (*files, *(path for path in folder.rglob("*") if path.is_dir()), folder):
        flush(path)


def _put(new: Path, path: Path) -> None:
    """Give ``new`` the name ``path``; what had it is then called ``new``."""
    try:
        new.rename(path)  # nothing is there, or an empty folder
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not _exchanged(new, path):
            old = _beside(path, "old")
            path.rename(old)
            try:
                new.rename(path)
            except BaseException:
                with suppress(OSError):
                    old.rename(path)
                raise
            flush(path.parent)
            old.rename(new)
    flush(path.parent)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _recover(path: Path) -> None:
    """Put right what a killed process left; the lock says that there is no other."""
    new, old = _beside(path, "new"), _beside(path, "old")
    if old.is_dir() and (new.is_dir() or not path.exists()):  # it was killed between the two renames
        whole = new if (new / MARK).is_file() else old  # the mark was written last
        try:
            whole.rename(path)
        except OSError as error:
            raise InputError(
                f"{path} was being replaced when a process was killed, and has been made anew since: the older one is "
                f"{old}, the newer one {new}; move both away"
            ) from error
        flush(path.parent)
        log.warning("%s was being replaced when a process was killed: the %s one is there", path, whole.suffix[1:])
    for left in (new, old):
        if left.is_dir():
            log.info("%s is removed: a process left it that was killed", left)
            shutil.rmtree(left, ignore_errors=True)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"

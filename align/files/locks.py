"""One writer at a time: a lock on a place that is being written to, which ends with the process that holds it."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from align.errors import InputError
from align.files.whole import explained

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

_UNKNOWN = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # of file systems without locks
_held: dict[Path, int] = {}
_warned: set[str] = set()


@contextmanager
def locked(path: Path | str, *, wait: bool = False, of: Path | str | None = None) -> Iterator[None]:
    """While the block lasts, no other process is in such a block of the same ``path``.

    The lock is ``flock`` on the hidden file ``.NAME.lock`` beside ``path``, in which its holder stands. The system
    releases it when the process ends, however it ends; a file that is left then is taken over. What the process itself
    holds it may lock again. Processes made by ``os.fork`` do not hold the locks of their parent.

    Args:
        path: a file or folder, there or not; missing folders above it are made, and removed again if they stay empty.
        wait: wait for another process rather than refuse.
        of: what the message names instead of ``path``.

    Raises:
        InputError: another process holds it (it is named), or the file cannot be made.
    """
    path = Path(path)
    key = Path(os.path.realpath(path.parent)) / path.name
    if key in _held:
        yield
        return
    above = [folder for folder in key.parents if not folder.exists()]
    file = key.with_name(f".{key.name}.lock")
    try:
        with explained(path):
            _held[key] = _taken(file, f"{of or path}", wait)
        try:
            yield
        finally:
            handle = _held.pop(key)
            with suppress(FileNotFoundError):  # while it is held: who opened it before sees that it is gone
                file.unlink()
            os.close(handle)
    finally:
        for folder in above:
            with suppress(OSError):  # not empty
                folder.rmdir()


def _taken(file: Path, name: str, wait: bool) -> int:
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except FileNotFoundError:  # the folder was removed meanwhile
            continue
        try:
            _lock(handle, name, wait)
            if _is_still(file, handle):
                os.truncate(handle, 0)
                with suppress(OSError):  # the disk is full: locked all the same, by nobody in particular
                    os.pwrite(handle, f"process {os.getpid()} ({_command()}) on {socket.gethostname()}".encode(), 0)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, name: str, wait: bool) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 1000, 0).decode("utf-8", "replace") or "another process"
        if not wait:
            raise InputError(
                f"{name} is being written by {holder}: wait until that has ended, or give another place"
            ) from None
        log.info("%s is being written by %s: waiting", name, holder)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        if name not in _warned:
            log.warning("%s cannot be locked on this file system: do not write to it from two processes", name)
        _warned.add(name)


def _is_still(file: Path, handle: int) -> bool:
    """Whether the name is still that of the file that was locked: its last holder may have removed it."""
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _command() -> str:
    """The program and its verb, without options: these may hold a password."""
    program = Path(sys.argv[0]).name if sys.argv else "python"
    if program not in ("align", "__main__.py"):
        return program
    return " ".join(["align", *[word for word in sys.argv[1:] if not word.startswith("-")][:1]])


def _forget() -> None:
    """In a process that was just forked: its copies of the handles would keep the locks when the parent has ended."""
    for handle in _held.values():
        os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

"""Items made ahead in a background thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")


def ahead(iterable: Iterable[Item], *, depth: int = 2) -> Generator[Item, None, None]:
    """The same items in the same order, while a thread makes the next ones.

    The thread starts with the first item asked for, and ends with the last one. If this generator is closed or dropped
    before, the thread ends after the item it is making, and the iterable, if it is a generator, is closed there too;
    closing waits for that. What the iterable raises is raised here, with its traceback, after the items before it.
    What torch and others keep for each thread (``no_grad``, autocast, the current device) is not the caller's there. A
    forked process has no such thread: it must call this itself.

    Args:
        iterable: iterated in the thread, from first to last.
        depth: items that are made, or being made, and not yet asked for; 0: no thread.

    Raises:
        ValueError: the depth is negative.
        RuntimeError: an item is asked for in a process forked after the first.
    """
    if depth < 0:
        raise ValueError(f"ahead needs a depth of at least 0, got {depth}")
    return _threaded(iterable, depth) if depth else _plain(iterable)


def _plain(iterable: Iterable[Item]) -> Generator[Item, None, None]:
    yield from iterable


def _threaded(iterable: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    made: SimpleQueue[list[Item] | BaseException | None] = SimpleQueue()  # an item in a list, and what ends them
    room = threading.Semaphore(depth)
    closed = threading.Event()

    def make() -> None:
        try:
            items = iter(iterable)
            try:
                while room.acquire() and not closed.is_set():
                    made.put([next(items)])  # no name for it here, that would keep it alive
            except StopIteration:
                pass
            finally:
                if isinstance(items, Generator):
                    items.close()
        except BaseException as error:  # whatever it is, the caller waits for it
            made.put(error)
        else:
            made.put(None)

    thread = threading.Thread(target=make, name="ahead", daemon=True)  # must not keep a failed process alive
    owner = os.getpid()
    thread.start()
    try:
        while isinstance(message := made.get(), list):
            room.release()
            yield message.pop()
            if os.getpid() != owner:
                raise RuntimeError("ahead was started before this process was forked: its thread is not here")
        if message is not None:
            raise message
    finally:
        message = None  # an exception and its traceback would hold each other
        closed.set()
        room.release()
        if thread is not threading.current_thread():  # where garbage may be collected
            thread.join()

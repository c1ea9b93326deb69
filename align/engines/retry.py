"""Waiting for a server, never without a bound: calls again one that is away, and waits for its index."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from align.engines.target import Unreachable
from align.errors import InputError

log = logging.getLogger(__name__)

FIRST = 0.25
"""Seconds before the second try."""
LONGEST = 20.0
"""Seconds before any."""
INDEX_WAIT = 3600.0
"""Seconds that an export waits for the index of its engine, by default."""
BETWEEN = 0.5
"""Seconds from one look at it to the next."""

Answer = TypeVar("Answer")


def again(
    call: Callable[..., Answer],
    *arguments: Any,
    retries: int,
    where: str,
    sleep: Callable[[float], None] = time.sleep,
    **options: Any,
) -> Answer:
    """``call(*arguments, **options)``, and again while it raises :class:`Unreachable`.

    Before try i + 1 it waits min(LONGEST, FIRST * 2^(i - 1)) seconds times a random number from 0.5 to 1, so that many
    clients of one server do not all come back at the same moment. ``call`` may be repeated: what it did before it
    failed does no harm.

    Raises:
        InputError: the last try failed too.
    """
    for attempt in range(retries + 1):
        try:
            return call(*arguments, **options)
        except Unreachable as error:
            cause = str(error)
        if attempt < retries:
            wait = min(LONGEST, FIRST * 2**attempt) * random.uniform(0.5, 1)
            log.warning("%s did not answer (%s): again in %.1f s", where, cause, wait)
            sleep(wait)
    tries = f"{retries + 1} tries" if retries else "1 try"
    raise InputError(f"{where} cannot be reached ({tries}; {cause}): start it, then run the same command again")


def await_index(
    pending: Callable[[], str],
    *,
    seconds: float,
    where: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once nothing is ``pending`` (in words; "": nothing), asking every :data:`BETWEEN` seconds.

    Raises:
        InputError: it is still pending after so many seconds.
    """
    until = clock() + seconds
    while left := pending():
        rest = until - clock()
        if rest <= 0:
            raise index_late(where, seconds, left)
        sleep(min(BETWEEN, rest))


def index_late(where: str, seconds: float, state: str) -> InputError:
    """The error for an index that was not ready in time."""
    return InputError(
        f"{where}: its index is not ready after {seconds:g} s ({state}); every row is written: run the same command "
        "again, with a larger --option index_wait=SECONDS if it needs longer"
    )

"""Calling a server again that is away, a bounded number of times."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from align.errors import InputError
from align.export.target import Unreachable

log = logging.getLogger(__name__)

FIRST = 0.25
"""Seconds before the second try."""
LONGEST = 20.0
"""Seconds before any."""

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
    clients of one server do not all come back at the same moment.

    Args:
        call: may be repeated: what it did before it failed does no harm.
        arguments: of it.
        retries: tries after the first.
        where: the address, as it may be shown.
        sleep: what waits.
        options: of ``call``.

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

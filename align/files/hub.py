"""The Hugging Face Hub where there is no network: its cache, or an answer at once.

Its own client asks six times, in 23 seconds, for each file that is not in its cache.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from align.errors import InputError

log = logging.getLogger(__name__)

SECONDS = 5.0
"""After which the Hub is taken for unreachable."""
REMEMBERED = 60.0
"""Seconds that an answer holds."""


@contextmanager
def hub_or_cache(name: str) -> Iterator[None]:
    """While the context lasts, a model is had from the Hub, or from its cache alone if the Hub cannot be reached.

    Raises:
        OSError: it cannot, and the cache has nothing of that name.
    """
    from huggingface_hub import constants

    if not (why := no_network()):
        yield
        return
    if not (Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "snapshots").is_dir():
        raise OSError(f"no network: {why}")
    log.info("%s is read from the cache: the Hugging Face Hub cannot be reached (%s)", name, why)
    with _offline(constants):
        yield


@contextmanager
def dataset_or_cache(name: str, instead: str = "give a folder") -> Iterator[None]:
    """While the context lasts, a data set is had from the Hub, or from its cache alone if the Hub cannot be reached.

    Raises:
        InputError: it cannot; the sentence says why, and what to do ``instead``.
    """
    from huggingface_hub import constants

    try:
        with ExitStack() as offline:
            if why := no_network():
                from datasets import config

                offline.enter_context(_offline(constants))
                offline.enter_context(_offline(config))
            yield
    except InputError:
        raise
    except Exception as error:  # the client raises its own, network and file errors alike
        reason = f"no network: {why}" if why else str(error).partition("\n")[0]
        raise InputError(
            f"data set {name} could not be loaded from the Hub or its cache (without a network, {instead}): {reason}"
        ) from error


@contextmanager
def _offline(settings: Any) -> Iterator[None]:
    settings.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        settings.HF_HUB_OFFLINE = False


def no_network() -> str:
    """Why the Hub cannot be reached; empty: it can, or nobody asks since the user wants it so (``HF_HUB_OFFLINE``)."""
    from huggingface_hub import constants

    return "" if constants.HF_HUB_OFFLINE else _asked(constants.ENDPOINT, int(time.monotonic() / REMEMBERED))


@lru_cache(maxsize=1)
def _asked(endpoint: str, now: int) -> str:
    from huggingface_hub import get_session

    try:
        get_session().head(endpoint, timeout=SECONDS)
    except Exception as error:  # the client raises those of its transport, of which there have been three
        return str(error).strip().split("\n")[0] or type(error).__name__
    return ""

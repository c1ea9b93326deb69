"""A connection to Ray: one started on this machine for the time of a run, or a cluster that is there."""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from align.errors import InputError

OBJECT_STORE = 512 * 1024**2
"""Bytes of shared memory of a Ray started here; it holds chunks on their way to an actor."""


@contextmanager
def connected(address: str | None, *, cpus: float) -> Iterator[Any]:
    """The module ``ray``, connected; what was started here is shut down after.

    Args:
        address: ``auto`` or host:port joins a cluster; ``None`` starts Ray on this machine, listening to it alone.
            Where this process is connected already, that connection serves and stays.
        cpus: that a Ray started here has at least, whatever the machine has.

    Raises:
        InputError: no Ray installed, or none at the address.
    """
    ray = _ray(alone=address is None)
    if ray.is_initialized():
        yield ray
        return
    if address is None:
        where, options = "started on this machine", {
            "address": "local", "num_cpus": max(os.cpu_count() or 1, math.ceil(cpus)), "include_dashboard": False,
            "object_store_memory": OBJECT_STORE,
        }  # fmt: skip
    else:
        _knock(address)
        where, options = f"reached at {address}", {"address": address}
    try:
        ray.init(**options, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"Ray could not be {where}: {str(error).strip().splitlines()[0]}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _ray(*, alone: bool) -> Any:
    if "ray" not in sys.modules:  # it reads these when it is imported
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # else stdout, where results go, gets its news of nodes
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else one started here reports to its makers
        if alone:
            # on macOS Ray keeps to 127.0.0.1; elsewhere it listens to the network, unless it is told the same
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError("the engine ray needs Ray: pip install 'align-encoders[ray]'") from error
    return ray


def _knock(address: str) -> None:
    """Refuse an address where nobody listens: Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise InputError(f"expected auto or host:port as the address of a Ray cluster, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"Ray could not be reached at {address}: {error}") from error

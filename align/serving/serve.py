"""``align.serve``: an encoder and its indexes on this machine, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.errors import InputError
from align.indexes.index import Index, load_index

if TYPE_CHECKING:
    import uvicorn

    from align.encoders.encoder import Encoder
    from align.serving.served import Limits, Served

log = logging.getLogger(__name__)

HERE = ("127.0.0.1", "localhost", "::1")
PATIENCE = 30
"""Seconds that requests under way have to end, once it is told to stop."""
IDLE = 75
"""Seconds that a connection stays open without a request: more than clients keep one, or theirs would meet its end."""


def serve(
    model: Encoder | str | Path,
    indexes: Sequence[Path | str] | Mapping[str, Index] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: str | None = None,
    query_prompt: str | None = None,
    limits: Limits | None = None,
    verify: bool = True,
    **load: Any,
) -> None:
    """Serve a page to search on, a JSON API, and OpenAI's embeddings; it returns when SIGINT or SIGTERM comes.

    The page is at ``/``, its API ``POST /api/search``; ``POST /v1/embeddings`` and ``GET /v1/models`` are what clients
    of OpenAI call. Requests that come together are encoded together; a text's vector is that of ``Encoder.encode``, but
    for rounding. There are no users and no passwords: whoever reaches the port may ask.

    Args:
        model: an encoder, or what :func:`align.load_encoder` takes.
        indexes: folders of ``align index`` or ``align encode``, each known by its name, or open ones by name; none:
            embeddings alone.
        host: of the machine's addresses, the one to listen on; only ``127.0.0.1`` cannot be reached from elsewhere.
        port: 0: one that is free.
        name: of the model in OpenAI's API; ``None``: that of its folder, or on the Hub.
        query_prompt: put before searches instead of the encoder's own; see :func:`align.indexes.search.query_encoder`.
        limits: of requests.
        verify: compare the files of the indexes with their SHA-256 first.
        load: options of :func:`align.load_encoder`, of a model given by name.

    Raises:
        InputError: the packages of the extra ``serve`` are missing, the port is taken, an index is none, or is of
            another encoder.
    """
    check_installed()
    opened = indexes if isinstance(indexes, Mapping) else open_indexes(indexes, verify=verify)
    with listening(host, port) as place:
        from align.encoders.checkpoint import load_encoder
        from align.encoders.encoder import Encoder
        from align.serving.served import served

        encoder = model if isinstance(model, Encoder) else load_encoder(model, **load)
        name = name or model_name(encoder.name or "encoder")
        what = served(encoder, opened, name=name, query_prompt=query_prompt, limits=limits)
        at = f"http://{f'[{host}]' if ':' in host else host}:{place.getsockname()[1]}"
        found = f"{len(opened)} index{'es' * (len(opened) != 1)}" if opened else "no index"
        log.info("serving %s with %s at %s (OpenAI's API: %s/v1)", what.name, found, at, at)
        if host not in HERE:
            log.warning("%s can be reached from other machines, without a password", at)
        run(server(what, host), place)


def check_installed() -> None:
    """Refuse to begin without the packages of the extra.

    Raises:
        InputError: the sentence says what to install.
    """
    missing = [package for package in ("starlette", "uvicorn") if find_spec(package) is None]
    if missing:
        raise InputError(f"align serve needs {' and '.join(missing)}: pip install 'align-encoders[serve]'")


def run(server: uvicorn.Server, place: socket.socket) -> None:
    """Serve on a socket until SIGINT or SIGTERM, which uvicorn raises again once all is answered that was under way."""
    here = threading.current_thread() is threading.main_thread()  # no other may say what a signal does
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if here else None
    try:
        server.run(sockets=[place])
    except KeyboardInterrupt:
        log.info("stopped")
    finally:
        if here:
            signal.signal(signal.SIGTERM, before)


def server(served: Served, host: str) -> uvicorn.Server:
    """The HTTP server of what is served; it ends what is under way before it stops."""
    import uvicorn

    from align.serving.app import app

    hosts = ["localhost", "127.0.0.1", "[::1]", "::1"] if host in HERE else ["*"]
    config = uvicorn.Config(
        app(served, hosts=hosts), lifespan="on", log_config=None, log_level="warning", access_log=False,
        timeout_graceful_shutdown=PATIENCE, timeout_keep_alive=IDLE,
    )  # fmt: skip
    return uvicorn.Server(config)


def open_indexes(folders: Sequence[Path | str], *, verify: bool = True) -> Mapping[str, Index]:
    """Indexes by the names of their folders.

    Raises:
        InputError: two of one name, or a folder that is no index.
    """
    found: dict[str, Index] = {}
    for folder in map(Path, folders):
        name = folder.resolve().name
        if name in found:
            raise InputError(
                f"two indexes are called {name} ({found[name].folder}, {folder}): rename one of the folders"
            )
        found[name] = load_index(folder, verify=verify)
    return found


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: the address is taken, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on port {port} of {host} ({error}): give another --port or --host") from error


def model_name(name: str) -> str:
    """What a model is called where the place of its folder is nobody's business."""
    return Path(name).resolve().name if Path(name).is_dir() else name

"""``align serve`` under load: ours beside ``SentenceTransformer.encode`` behind the same server, in turns.

    python -m scripts.bench.serve --out docs/results/performance-serve-seed.json
    python -m scripts.bench.serve --no-seed --e5 E5 --out docs/results/performance-serve-e5.json

Each side is a server in a process of its own, with one thread; all are up from the first to the last request. Clients
in this process ask for the vector of one text at a time, each its next one once it has the last: 1, 8 and 32 of them.
The texts are those of ``scripts.bench.encode``, every script equally often. "one by one" is ours without batches across
requests, as the peer has none. Requests a second, p50 and p99 are by the clock, which other work on the machine slows;
"processor" is the server's own seconds of a request. Vectors are compared with the peer's.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from scripts.bench.encode import read, script_of
from scripts.bench.harness import PEER, Row, command_line, limit, process_seconds, turns
from scripts.bench.texts import in_turns

EQUAL = 1e-5
SIDES: Mapping[str, Row] = {
    "align": {}, "align, one by one": {"together": 1}, "align, bfloat16": {"bf16": True}, PEER: {"peer": True},
}  # fmt: skip


def serve(
    *, e5: str | None = None, no_seed: bool = False, clients: Sequence[int] = (1, 8, 32), requests: int = 192,
    repetitions: int = 3,
) -> Row:  # fmt: skip
    rows = []
    for model, place in {"seed": None if no_seed else "seed", "e5": e5}.items():
        if place:
            kept = ((script_of(line), line) for line in dict.fromkeys(read()))
            texts, scripts = in_turns(((script, line) for script, line in kept if script), requests, "the data")
            rows += on_model(
                {"model": model, "requests": requests, "scripts": scripts}, place, texts, clients, repetitions
            )
    for row in rows:
        if "bfloat16" not in row["name"] and row["difference"] > EQUAL:
            sys.exit(f"{row['name']} differs by {row['difference']:.1e}")
    return {"rows": rows}


def on_model(about: Row, place: str, texts: list[str], clients: Sequence[int], repetitions: int) -> list[Row]:
    """A row for each side and number of clients."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(up(place, options)) for name, options in SIDES.items()}
        vectors = {name: asyncio.run(load(port, texts[:64], 8))[1] for name, (port, _) in servers.items()}  # warm too
        rows = []
        for count in clients:
            few = texts if count > 1 else texts[: len(texts) // 4]
            works = {name: partial(measured, *one, few, count) for name, one in servers.items()}
            times = {name: middle_of(found) for name, found in turns(works, repetitions).items()}
            for name, found in times.items():
                rows.append(about | {"clients": count, "name": name} | found | {
                    "rate_ratio": found["per_second"] / times[PEER]["per_second"],
                    "p50_ratio": times[PEER]["p50"] / found["p50"], "p99_ratio": times[PEER]["p99"] / found["p99"],
                    "processor_ratio": times[PEER]["processor"] / found["processor"],
                    "difference": float(abs(vectors[name] - vectors[PEER]).max()),
                    "cosine": float((vectors[name] * vectors[PEER]).sum(axis=1).mean()),
                })  # fmt: skip
                print(rows[-1], flush=True)
    return rows


def measured(port: int, pid: int, texts: list[str], clients: int) -> Row:
    """What so many clients see, and what it costs the server."""
    before, began = process_seconds(pid), time.perf_counter()
    seconds, _ = asyncio.run(load(port, texts, clients))
    wall = time.perf_counter() - began
    return {
        "per_second": len(texts) / wall, "p50": float(np.quantile(seconds, 0.5)),
        "p99": float(np.quantile(seconds, 0.99)), "processor": (process_seconds(pid) - before) / len(texts),
    }  # fmt: skip


def middle_of(found: list[Row]) -> Row:
    """The median of each number over the repetitions."""
    return {name: float(np.median([one[name] for one in found])) for name in found[0]}


async def load(port: int, texts: list[str], clients: int) -> tuple[list[float], np.ndarray]:
    """Seconds of each request, and its vector, in the order of the texts."""
    import httpx

    waiting, seconds = list(enumerate(texts))[::-1], [0.0] * len(texts)
    vectors: list[Any] = [None] * len(texts)

    async def client() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=300) as one:
            while waiting:
                i, text = waiting.pop()
                began = time.perf_counter()
                reply = await one.post("/v1/embeddings", json={"model": "model", "input": text})
                seconds[i] = time.perf_counter() - began
                assert reply.status_code == 200, reply.text
                vectors[i] = reply.json()["data"][0]["embedding"]

    await asyncio.gather(*(client() for _ in range(clients)))
    return seconds, np.array(vectors)


@contextmanager
def up(place: str, options: Row) -> Any:
    """A server in a process of its own: its port and its process id."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=host, args=(place, options, theirs))
    process.start()
    try:
        yield ours.recv(), process.pid
    finally:
        process.terminate()
        process.join()


def host(place: str, options: Row, told: Connection) -> None:
    """Serve until it is told to stop."""
    limit(1)
    from align.serving.embeddings import EMBED
    from align.serving.serve import listening, run, server
    from align.serving.served import Limits, Served
    from align.serving.worker import TOGETHER, Worker

    work, dimension, unit = (peer_work if options.get("peer") else our_work)(place, bf16=options.get("bf16", False))
    together = 1 if options.get("peer") else options.get("together", TOGETHER)
    worker = Worker({EMBED: work}, waiting=1 << 20, together=together)
    with listening("127.0.0.1", 0) as here:
        told.send(here.getsockname()[1])
        run(server(Served("model", dimension, 512, unit, worker, Limits()), "127.0.0.1"), here)


def our_work(place: str, *, bf16: bool) -> tuple[Callable[..., Any], int, bool]:
    from align.encoders.checkpoint import load_encoder
    from align.serving.embeddings import embedding_work

    encoder = load_encoder(place, device="cpu", bf16=bf16)
    return embedding_work(encoder), encoder.dimension, encoder.unit


def peer_work(place: str, *, bf16: bool) -> tuple[Callable[..., Any], int, bool]:
    from align.encoders.checkpoint import load_encoder
    from scripts.bench.timed import load_peer

    encoder = load_encoder(place, device="cpu")
    peer = load_peer(place, "cpu", encoder.max_tokens)

    def work(texts: list[str], language: str | None) -> list[tuple[np.ndarray, int]]:
        found = peer.encode(texts, normalize_embeddings=encoder.unit, show_progress_bar=False)
        return [(row, 0) for row in found]

    return work, encoder.dimension, encoder.unit


if __name__ == "__main__":
    command_line(serve)

"""What every benchmark shares: its command line, turns, runs in processes of their own, seconds, memory, and the JSON.

A benchmark is a function whose keyword arguments are the options of its command line; what it returns is written with
the command and the hardware to ``--out``. Data is read below ALIGN_DATA.
"""

from __future__ import annotations

import argparse
import ctypes
import inspect
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from align.files.whole import write_json
from scripts.document.tables import table

Row = dict[str, Any]
PEER = "sentence-transformers"


def command_line(bench: Callable[..., Row | None], *, threads: int = 1) -> None:
    """Run a function with the options of its signature and ``--threads``; what it returns goes to ``--out``."""
    given = options(bench, sys.argv[1:], threads=threads)
    threads, out = given.pop("threads"), given.pop("out")
    limit(threads)
    result = bench(**given)
    show(result or {})
    if out and result is not None:
        write_json(out, result | {"command": command(sys.argv), "hardware": hardware(threads)})


def options(bench: Callable[..., Any], words: Sequence[str], *, threads: int = 1) -> Row:
    """What the words of a command line say of a function's arguments, and of ``threads`` and ``out``."""
    about = sys.modules[bench.__module__].__doc__
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    types, parameters = typing.get_type_hints(bench), inspect.signature(bench).parameters
    for name, one in parameters.items():
        kinds = [kind for kind in typing.get_args(types[name]) or [types[name]] if kind is not type(None)]
        more: Row = {"type": kinds[0]}
        if types[name] is bool:
            more = {"action": "store_true"}
        elif typing.get_origin(types[name]) in (list, Sequence):
            more |= {"nargs": "*", "action": "extend"}
        parser.add_argument(name if one.default is one.empty else f"--{name.replace('_', '-')}", **more)
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = vars(parser.parse_args(words))
    return {name: parameters[name].default if value is None and name in parameters else value
            for name, value in given.items()}  # fmt: skip


def show(result: Row) -> None:
    """Print every list of rows as a table, its numbers to four digits."""
    for name, rows in result.items():
        if isinstance(rows, list) and rows and isinstance(rows[0], dict):
            keys = [key for key, value in rows[0].items() if value is None or isinstance(value, str | int | float)]
            forms = {key: f"{{{key}:.4g}}" if isinstance(rows[0][key], float) else f"{{{key}}}" for key in keys}
            print(f"\n{name}:\n\n{table(forms, [dict.fromkeys(keys) | row for row in rows])}", flush=True)


def limit(threads: int) -> None:
    """Threads of torch, FAISS, BLAS and tokenizers, here and in processes that start from here."""
    import threadpoolctl

    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    os.environ |= dict.fromkeys(names, str(threads)) | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if "torch" in sys.modules:  # what is loaded later reads the environment
        sys.modules["torch"].set_num_threads(threads)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)


def data() -> Path:
    """The folder of the data."""
    if "ALIGN_DATA" not in os.environ:
        sys.exit("expected the data's folder in ALIGN_DATA")
    return Path(os.environ["ALIGN_DATA"])


def command(argv: Sequence[str]) -> str:
    """What a reader types: folders of this machine by their names in capitals, such as E5."""
    words = [Path(word).name.upper() if Path(word).is_absolute() and Path(word).is_dir() else word for word in argv[1:]]
    if "--out" in words:
        at = words.index("--out") + 1
        words[at] = f"docs/results/{Path(words[at]).name}"
    where = Path(argv[0]).resolve()
    module = ".".join((where.parent if where.stem == "__main__" else where.with_suffix("")).parts[-3:])
    words = ["python", "-m", module[module.index("scripts.") :], *words]
    return " ".join(f'"{word}"' if " " in word else word for word in words)


def hardware(threads: int) -> Row:
    """What the numbers depend on."""
    import torch

    from align.provenance import versions

    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(": ")[2] for line in cpu.splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else "unknown", "cores": os.cpu_count(), "threads": threads,
        "capability": torch.backends.cpu.get_cpu_capability(), "bf16": "avx512_bf16" in cpu, "versions": versions(),
    }  # fmt: skip


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a new process: nothing is warm, no cache is filled, the peak of memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as cache,
        ProcessPoolExecutor(1, mp_context=spawn, initializer=empty, initargs=(cache,)) as pool,
    ):
        return pool.submit(function, *arguments).result()


def empty(cache: str) -> None:
    """How such a process starts."""
    os.environ["XDG_CACHE_HOME"] = cache


def turns(works: Mapping[str, Callable[[], Any]], repetitions: int) -> dict[str, list[Any]]:
    """What each gives, time after time; all take turns, every second time in reverse, so that other jobs slow all."""
    found: dict[str, list[Any]] = {name: [] for name in works}
    for repetition in range(repetitions):
        for name in reversed(found) if repetition % 2 else found:
            found[name].append(works[name]())
    return found


def middle(costs: Sequence[Row]) -> Row:
    """The median of each number; unknown where one is."""
    columns = {name: [cost[name] for cost in costs] for name in costs[0]}
    return {name: None if None in values else statistics.median(values) for name, values in columns.items()}


def measured(work: Callable[[], Any]) -> tuple[Row, Any]:
    """Seconds by the wall and of the processor and MiB added at the peak of a call, and what it returns."""
    before, wall, processor = reset_peak(), time.perf_counter(), processor_seconds()
    found = work()
    cost = {"wall": time.perf_counter() - wall, "processor": processor_seconds() - processor}
    return cost | {"memory": added(before)}, found


def compared(works: Mapping[str, Callable[[], Any]], repetitions: int) -> tuple[dict[str, Row], dict[str, Any]]:
    """The middle cost of each of several calls in this process, and what each returns."""
    found = turns({name: lambda work=work: measured(work) for name, work in works.items()}, repetitions)
    costs = {name: middle([cost for cost, _ in times]) for name, times in found.items()}
    return costs, {name: times[-1][1] for name, times in found.items()}


def named(costs: Mapping[str, Row], base: str) -> list[Row]:
    """Costs as rows, with the ratio of each one's processor time to that of one of them."""
    one = costs[base]["processor"]
    return [{"name": name, **cost, "ratio": cost["processor"] / one} for name, cost in costs.items()]


def processor_seconds() -> float:
    """Of this process, of its children that ended and of those that run (workers of a loader)."""
    running = sum(process_seconds(child.pid) for child in multiprocessing.active_children() if child.pid)
    times = os.times()
    return running + time.process_time() + times.children_user + times.children_system


def process_seconds(pid: int) -> float:
    """Of the processor, that a process which runs has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reset_peak() -> float | None:
    """MiB resident now, the peak being set back to them; ``None`` where the system cannot (not Linux)."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed is given back, so that the next use of it counts
        Path("/proc/self/clear_refs").write_text("5")
        return resident("VmRSS")
    except (AttributeError, OSError):
        return None


def added(before: float | None) -> float | None:
    """MiB at the peak beyond those before it."""
    return None if before is None else resident("VmHWM") - before


def resident(field: str) -> float:
    """MiB of this process now (VmRSS), at its peak (VmHWM), or those of no file (RssAnon)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


@contextmanager
def looking(look: Callable[[], None], every: float) -> Iterator[None]:
    """In the block ``look`` is called again and again, so many seconds apart, by another thread."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(every):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextmanager
def watched() -> Iterator[SimpleNamespace]:
    """``before`` and ``most``: MiB of memory that is no file's, at first and at most, looked up every 20 ms."""
    before = resident("RssAnon")
    seen = SimpleNamespace(before=before, most=before)

    def look() -> None:
        seen.most = max(seen.most, resident("RssAnon"))

    with looking(look, 0.02):
        yield seen

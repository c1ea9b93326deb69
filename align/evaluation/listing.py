"""What there is to evaluate on: the benchmarks, and the languages that each has in a data folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.evaluation.benchmarks import BENCHMARKS, Benchmark, find_benchmark, local_folder
from align.evaluation.reading import languages_of
from align.evaluation.rules import settings_of
from align.tasks.table import markdown
from align.tasks.task import task, tasks


@dataclass(frozen=True)
class Listed:
    """A benchmark, and what a data folder has of it."""

    benchmark: Benchmark
    languages: tuple[str, ...]
    """Codes (of sts and wordsim: names of sets) in the data folder; none: it is not there."""


def list_benchmarks(data: Path | str | None = None) -> list[Listed]:
    """The benchmarks that are known by name.

    Args:
        data: folder with the folders of benchmarks; ``None``: what is there is not looked at.
    """
    listed = []
    for one in BENCHMARKS.values():
        try:
            folder = local_folder(one, Path(data)) if data else None
        except InputError:
            folder = None
        listed.append(Listed(one, tuple(_languages(one, folder) if folder else ())))
    return listed


def benchmark_languages(name: str, data: Path | str | None = None) -> list[str]:
    """The languages (of sts and wordsim: sets) that a benchmark has in a data folder.

    Raises:
        InputError: an unknown benchmark, or one that is not in a data folder.
    """
    one = find_benchmark(name)
    folder = local_folder(one, None if data is None else Path(data))
    if folder is None:
        raise InputError(f"{name} is not in a data folder (--data, or ALIGN_DATA): its languages are on the Hub")
    return _languages(one, folder)


def _languages(benchmark: Benchmark, folder: Path) -> list[str]:
    with _without_log():
        return languages_of(benchmark, folder)


@contextmanager
def _without_log() -> Iterator[None]:
    """What is odd in a file is said when it is scored, not when its name is listed."""
    log = logging.getLogger("align")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def task_table() -> str:
    """The tasks of the registry: what each asks, and by which protocols."""
    rows = [[one.name, one.asks, ", ".join(one.protocols)] for one in tasks().values()]
    return markdown(["task", "question", "protocols"], rows)


def task_settings(name: str) -> tuple[dict[str, Any], str]:
    """What may be set of a task, with its defaults; and that with its protocols as text."""
    one = task(name)
    settings = settings_of(one)
    lines = [f"{one.name}: {one.asks}", *(f"{key} = {value!r}" for key, value in settings.items())]
    return settings, "\n".join([*lines, *(protocol.describe() for protocol in one.protocols.values())])

"""What there is to evaluate on: the benchmarks, and the languages that each has in a data folder."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from align.errors import InputError, unknown
from align.evaluation.benchmarks import BENCHMARKS, Benchmark, find_benchmark, local_folder
from align.evaluation.reading import languages_of
from align.evaluation.rules import settings_of
from align.files.licences import letters
from align.tasks.table import markdown
from align.tasks.task import task as task_of
from align.tasks.task import tasks
from align.text.languages import three_letters
from align.text.tags import is_tagged


@dataclass(frozen=True)
class Listed:
    """A benchmark, and what a data folder has of it."""

    benchmark: Benchmark
    languages: tuple[str, ...]
    """Codes (of sts and wordsim: names of sets) in the data folder; none: it is not there."""


def list_benchmarks(
    data: Path | str | None = None,
    *,
    task: str | None = None,
    language: str | None = None,
    script: str | None = None,
    licence: str | None = None,
) -> list[Listed]:
    """The benchmarks that are known by name, or those of them that are asked for.

    Args:
        data: folder with the folders of benchmarks; ``None``: what is there is not looked at.
        task: of the registry.
        language: a code or a tag (``hin_Deva``, ``hi``): those that have it in ``data``, with it alone.
        script: ISO 15924 code, in the same way.
        licence: what it begins with, whatever its capitals and signs: ``cc-by-sa``.

    Raises:
        InputError: an unknown task; a language or script without ``data``, or that no benchmark there has.
    """
    if task is not None and task not in tasks():
        raise InputError(unknown("task", task, tasks()))
    if (language or script) and data is None:
        raise InputError("languages and scripts are those of a data folder: name it (--data, or ALIGN_DATA)")
    asked = [one for one in BENCHMARKS.values() if task in (None, one.task)]
    asked = [one for one in asked if licence is None or letters(one.licence).startswith(letters(licence))]
    if licence is not None and not asked:
        raise InputError(f"no benchmark is under {licence!r}: there are {', '.join(_licences())}")
    listed = []
    for one in asked:
        try:
            folder = local_folder(one, Path(data)) if data else None
        except InputError:
            folder = None
        listed.append(Listed(one, tuple(_languages(one, folder) if folder else ())))
    if not (language or script):
        return listed
    chosen = [replace(one, languages=tuple(_chosen(one, language, script))) for one in listed]
    if not any(one.languages for one in chosen):
        there = sorted({code.partition("_")[2 if script else 0] for one in listed for code in _codes(one)} - {""})
        raise InputError(unknown("script" if script else "language", script or language or "", there))
    return [one for one in chosen if one.languages]


def _codes(one: Listed) -> list[str]:
    return [] if one.benchmark.task in ("sts", "wordsim") else list(one.languages)


def _chosen(one: Listed, language: str | None, script: str | None) -> Iterator[str]:
    """Languages of a benchmark that are asked for; of sets, those in whose name the language's two letters stand."""
    codes = _codes(one)
    for name in one.languages:
        code = name if name in codes else ""
        named = code == language or (is_tagged(language, code) if language and code else False)
        if not code and language:
            named = three_letters(language.partition("_")[0]) in map(three_letters, re.split("[-_.]", name))
        if (not language or named) and (not script or code.partition("_")[2] == script):
            yield name


def _licences() -> list[str]:
    return sorted({one.licence for one in BENCHMARKS.values()})


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
    one = task_of(name)
    settings = settings_of(one)
    lines = [f"{one.name}: {one.asks}", *(f"{key} = {value!r}" for key, value in settings.items())]
    return settings, "\n".join([*lines, *(protocol.describe() for protocol in one.protocols.values())])

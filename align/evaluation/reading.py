"""The units of a benchmark, as its task reads them; what only one benchmark has, of file names and on the Hub."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.evaluation.benchmarks import Benchmark
from align.files.hub import dataset_or_cache
from align.files.packed import plain_name
from align.files.whole import read_lines
from align.tasks.task import Unit, lost, task
from align.tasks.texts.bitext import PIVOT, Texts, pairs_of, tatoeba_code
from align.text.hashing import text_sha256
from align.text.languages import code_by_script


def units(
    benchmark: Benchmark,
    folder: Path | None,
    languages: Sequence[str] | None = None,
    protocol: Any = None,
    **settings: Any,
) -> Iterator[Unit]:
    """The units of a benchmark, in a fixed order; their text is read when they are loaded.

    Args:
        benchmark: see :func:`align.evaluation.benchmarks.find_benchmark`.
        folder: where its files are; ``None``: on the Hub.
        languages: codes (of sts and wordsim: names of sets); ``None``: all. One that is not there makes a unit that
            fails when it is loaded, so that it is reported and the others are scored.
        protocol: of the task; ``None``: its default.
        settings: of the task's reader.

    Raises:
        InputError: the folder has another layout, or nothing can be read from the Hub.
    """
    own = {"tatoeba": _hub_tatoeba, "bible": _hub_bible}.get(benchmark.name)
    if benchmark.name == "bible" and folder is not None:
        yield from _bible(folder, languages)
    elif own and folder is None:
        yield from own(benchmark, languages)
    else:
        kind = task(benchmark.task)
        source: str | Path = benchmark.source or folder or benchmark.hub
        if not source:
            raise InputError(f"{benchmark.name} is not on the Hub: name the folder that holds it with --data")
        if folder is None and benchmark.revision:
            settings["revision"] = benchmark.revision
        for unit in kind.read(source, languages, protocol or kind.protocols[kind.default], **settings):
            yield replace(unit, lines="number") if benchmark.parallel else unit


def content_hash(content: Any) -> str:
    """SHA-256 of what a unit loaded, as JSON: every text, in order, with its language.

    Where it was read from does not count: of a dataclass, the fields that decide whether two are equal are hashed.
    """
    return text_sha256(json.dumps(content, ensure_ascii=False, default=_compared))


def _compared(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.compare}


def languages_of(benchmark: Benchmark, folder: Path) -> list[str]:
    """Languages (of sts and wordsim: sets) that a folder has; an unreadable one has none."""
    try:
        names = [unit.name for unit in units(benchmark, folder)]
    except InputError:
        return []
    if benchmark.task in ("sts", "wordsim"):
        return names
    if benchmark.name == "tatoeba":
        return sorted([*(tatoeba_code(folder, name) for name in names), PIVOT])
    return sorted({code for name in names for code in name.split("-")})


def _bible(folder: Path, languages: Sequence[str] | None) -> Iterator[Unit]:
    """Files are named by a code, by three letters, or ``cmn_hans``; the script is that of most letters."""
    files = {}
    for path in sorted(folder.iterdir()):
        if re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}\.txt", plain_name(path)):
            files[path.name.partition(".")[0]] = path
        elif (match := re.fullmatch(r"([a-z]{3})(?:_(han[st]))?\.txt", path.name)) and match[1] != "ids":
            language, variant = match.groups()
            named = f"{language}_{variant.capitalize()}" if variant else ""
            files[named or code_by_script(language, "\n".join(read_lines(path)))] = path
    read = functools.cache(lambda code: list(read_lines(files[code])))
    yield from pairs_of(folder, list(files), read, languages)


def _hub_tatoeba(benchmark: Benchmark, languages: Sequence[str] | None) -> Iterator[Unit]:
    def load(code: str) -> tuple[list[str], list[str]]:
        from datasets import load_dataset

        rows = _hub(load_dataset, benchmark, f"{code}-eng", split="test")
        return list(rows["sentence1"]), list(rows["sentence2"])

    return _by_letters(benchmark, languages, lambda config: config.partition("-")[0], load)


def _hub_bible(benchmark: Benchmark, languages: Sequence[str] | None) -> Iterator[Unit]:
    def load(code: str) -> tuple[list[str], list[str]]:
        from datasets import load_dataset

        rows = _hub(load_dataset, benchmark, f"eng-{code}", split="train")
        return list(rows[code]), list(rows["eng"])

    return _by_letters(benchmark, languages, lambda config: config.removeprefix("eng-"), load)


def _by_letters(
    benchmark: Benchmark,
    languages: Sequence[str] | None,
    letters_of: Callable[[str], str],
    load: Callable[[str], tuple[list[str], list[str]]],
) -> Iterator[Unit]:
    """A unit for each configuration of a data set on the Hub, named by three letters, with its own English."""
    from datasets import get_dataset_config_names

    configs = _hub(get_dataset_config_names, benchmark)
    letters = sorted(letters_of(config) for config in configs if "-" in config)

    def texts(code: str) -> Texts:
        own, english = load(code)
        return {code_by_script(code, "\n".join(own)): own, PIVOT: english}

    asked = {code.partition("_")[0]: code for code in languages or letters if code != PIVOT}
    for code, given in asked.items():
        known = code in letters
        yield Unit(code, functools.partial(texts, code), "text") if known else lost(given, f"no text in {given}")


def _hub(function: Callable[..., Any], benchmark: Benchmark, *names: str, **options: Any) -> Any:
    with dataset_or_cache(str(benchmark.hub), "name a folder with --data"):
        return function(benchmark.hub, *names, revision=benchmark.revision, **options)

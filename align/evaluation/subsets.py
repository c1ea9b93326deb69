"""The subsets of a benchmark: the smallest parts that are scored, kept and, if they fail, reported for themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.evaluation.benchmarks import Benchmark
from align.evaluation.subset_readers import PIVOT, Subset, reader, tatoeba_code
from align.text.hashing import text_sha256


def subsets(benchmark: Benchmark, folder: Path | None, languages: Sequence[str] | None = None) -> Iterator[Subset]:
    """The subsets of a benchmark, in a fixed order; their text is read when they are loaded.

    Args:
        benchmark: see :func:`align.evaluation.benchmarks.find_benchmark`.
        folder: where its files are; ``None``: on the Hub.
        languages: codes (of sts and wordsim: names of sets); ``None``: all. One that is not there makes a subset that
            fails when it is loaded, so that it is reported and the others are scored.

    Raises:
        InputError: the folder has another layout, or nothing can be read from the Hub.
    """
    yield from reader(benchmark)(benchmark, folder, languages)


def content_hash(content: Any) -> str:
    """SHA-256 of what a subset loaded, as JSON: every text, in order, with its language.

    Where it was read from does not count: of a dataclass, the fields that decide whether two are equal are hashed.
    """
    return text_sha256(json.dumps(content, ensure_ascii=False, default=_compared))


def _compared(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.compare}


def json_hash(parts: Any) -> str:
    """SHA-256 of JSON values."""
    return text_sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False))


def texts_of(content: Any) -> Iterator[tuple[str, Sequence[str]]]:
    """(language, texts) of what a subset loaded: sentences, words of a dictionary, both sides of scored pairs."""
    if isinstance(content, dict):
        yield from content.items()
    elif isinstance(content, tuple):
        dictionary, _ = content
        for side, language in enumerate(dictionary.languages):
            yield language, [pair[side] for pair in dictionary.pairs]
    else:
        yield content.languages[0], content.first
        yield content.languages[1], content.second


def languages_of(benchmark: Benchmark, folder: Path) -> list[str]:
    """Languages (of sts and wordsim: sets) that a folder has; an unreadable one has none."""
    try:
        names = [subset.name for subset in subsets(benchmark, folder)]
    except InputError:
        return []
    if benchmark.task in ("sts", "wordsim"):
        return names
    if benchmark.name == "tatoeba":
        return sorted([*(tatoeba_code(folder, name) for name in names), PIVOT])
    return sorted({code for name in names for code in name.split("-")})

"""Result files side by side: models in the order given, benchmarks in the order met."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.evaluation.result_names import baseline_first, result_names
from align.evaluation.results import read_result, result_files
from align.reporting.difference import Differences, differences
from align.reporting.numbers import Axis, axis, axis_of

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """What one benchmark says of the models."""

    name: str
    task: str
    results: Mapping[int, Result]
    """By the number of the model; a model without a result is absent."""

    @property
    def title(self) -> str:
        """``tatoeba retrieval``."""
        return self.name if self.task in self.name else f"{self.name} {self.task}"

    @property
    def heading(self) -> str:
        """``tatoeba retrieval, P@1``."""
        metric = str(self.first["metric"])
        return self.title if metric.lower() in self.title.lower() else f"{self.title}, {metric}"

    @property
    def first(self) -> Result:
        """Of the first model that has one."""
        return self.results[min(self.results)]

    @cached_property
    def differences(self) -> Differences:
        """Of the other models to the first."""
        return differences(self.results)

    @cached_property
    def axis(self) -> Axis:
        """Both ends of the scale of its scores."""
        metric = self.first["metric"]
        return axis(score["metrics"].get(metric) for one in self.results.values() for score in one["scores"])

    @property
    def lowest(self) -> float:
        """The lower one."""
        return self.axis[0]

    @cached_property
    def headlines(self) -> Axis:
        """Both ends of the axis of its headlines."""
        return axis_of(one["headline"] for one in self.results.values())

    def having(self, key: str) -> dict[int, Result]:
        """The results that hold something under ``key``."""
        return {model: result for model, result in self.results.items() if result.get(key)}


@dataclass(frozen=True)
class Collection:
    """All results of a report."""

    models: tuple[str, ...]
    """Names; the first is what the others are compared with."""
    benchmarks: tuple[Benchmark, ...]

    @property
    def labels(self) -> list[str]:
        """Short names of the models."""
        return short_names(self.models)

    def having(self, key: str) -> list[Benchmark]:
        """The benchmarks of which some result holds something under ``key``."""
        return [benchmark for benchmark in self.benchmarks if benchmark.having(key)]


def short_names(names: Sequence[str]) -> list[str]:
    """The last two parts of names that are long paths, or as many more as tell them apart.

    >>> short_names(["seed", "intfloat/multilingual-e5-small", "/runs/a/b/model/"])
    ['seed', 'intfloat/multilingual-e5-small', 'b/model']
    """
    parts = [re.split(r"[/\\]", name.rstrip("/\\") or name) for name in names]
    for kept in range(2, max(map(len, parts), default=0)):
        short = ["/".join(part[-kept:]) for part in parts]
        if len(set(short)) == len(set(names)):
            return short
    return list(names)


def collect(results: Sequence[Path], *, names: Sequence[str] | None = None, baseline: str | None = None) -> Collection:
    """Read result files, and those in folders; models that are called the same are told apart by what differs.

    Args:
        results: the files, and folders of them.
        names: of the models, in the order in which they come; ``None``: what the files call them.
        baseline: name of the model to put first; ``None``: the order in which they come, of a folder the alphabet's.

    Raises:
        InputError: no file, a file that is no result, two results of one model on one benchmark and task, names that
            do not fit, or a baseline that is none of the models.
    """
    paths = result_files(results)
    if not paths:
        raise InputError("a report needs at least one result file, got none")
    held = [read_result(path) for path in paths]
    called = result_names(held, [str(path) for path in paths], names)
    models = baseline_first(tuple(dict.fromkeys(called)), baseline)
    found: dict[tuple[str, str], dict[int, Result]] = {}
    for name, result in zip(called, held, strict=True):
        found.setdefault((result["benchmark"], result["task"]), {})[models.index(name)] = result
    benchmarks = (Benchmark(*key, dict(sorted(by_model.items()))) for key, by_model in found.items())
    return Collection(models, tuple(benchmarks))

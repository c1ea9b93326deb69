"""The record of a task: all that evaluation, the command line and the documentation know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from align.errors import InputError
from align.registry import find, registered

Row = dict[str, Any]
"""What was scored, in plain values: id, language, other, script, direction, n, left_out, value, metrics, items and the
line of each (a number, or a name; the same in all rows that share it), and gold where the metric is rho."""
Lines = Literal["number", "text", "unit"]
"""What is one line in several units. ``number``: row i of this one is row i of others; ``text``: a sentence is known by
its English, a word by its language and itself; ``unit``: nothing is."""


@dataclass(frozen=True)
class Unit:
    """The smallest part that is scored, kept and, if it fails, reported for itself: a pair of languages, a set."""

    name: str
    load: Callable[[], Any]
    """Its content, as the task scores it. May raise an InputError."""
    lines: Lines = "number"
    answers: int = 0
    """The best answers to each item that rows keep, as lines of a table."""


@dataclass(frozen=True)
class Halving:
    """What a unit is halved by, so that one part chooses a layer and the other is scored."""

    source: str
    """Of the units: it may have a dev split of its own."""
    name: str
    """Of the unit."""
    names: tuple[str, ...]
    """Of all units."""
    seed: int
    """Of random halves."""


@dataclass(frozen=True)
class OneWay:
    """The protocol of a task that is scored in one way."""

    name: str
    headline: str

    def describe(self) -> str:
        """One line for the head of a table."""
        return self.name


@dataclass(frozen=True)
class Task:
    """A task by its name. A module of this package, or of another, offers it as ``TASK``.

    Another package names such a module, or the record itself, in its entry points of the group ``align.tasks``.
    """

    name: str
    """As in ``align eval MODEL NAME=PATH``."""
    asks: str
    """The question that it answers."""
    read: Callable[..., Iterable[Unit]]
    """(source, languages, protocol) -> units; its keyword-only parameters are settings of the command line."""
    score: Callable[[Any, Unit, Any, Any], list[Row]]
    """(encode, unit, its content, protocol) -> rows; see :func:`row`."""
    texts: Callable[[Any], Iterable[tuple[str, Sequence[str]]]]
    """(language, texts) of the content of a unit: what must not be in training data."""
    protocols: Mapping[str, Any]
    """Frozen dataclasses by name with ``name``, ``headline`` (the metric that a row's items make up) and
    ``describe()``; their other fields are settings."""
    default: str
    """Name of a protocol."""
    statistic: str = "mean"
    """How items make a value: ``mean``, or ``spearman`` with gold scores."""
    higher_is_better: bool = True
    inputs: str = "sentences"
    """What ``encode`` is given: ``sentences``; ``words``, encoded without context; ``layers``: sentences, and it
    returns (layers, n, d); or ``tokens``: sentences as words, and it returns of each the vectors of its words. Or
    ``labels``: in place of ``encode`` it is given an ``align.tasks.learning.Learner``."""
    halves: Callable[[Any, Halving], tuple[Any, Any, str]] | None = None
    """(content, how) -> a part that a layer is chosen on (None: others choose), the part
    that it is scored on, and what the first one is. ``None``: there is no sweep over layers."""
    chance: Callable[[Row, Any], float] = lambda row, protocol: 0.0
    """(row, protocol) -> what its value is on average where vectors know nothing of the texts; a language without
    meaning must score no better (``tests/tasks/test_nonsense.py``)."""


@cache
def tasks() -> dict[str, Task]:
    """All tasks by name.

    Raises:
        InputError: see :func:`align.registry.registered`.
    """
    return registered(Task, "align.tasks")


def task(name: str) -> Task:
    """The task of a name.

    Raises:
        InputError: there is none.
    """
    return find(name, tasks(), "task")


def lost(name: str, reason: str) -> Unit:
    """A unit that was asked for and is not there: it fails when it is loaded, and the others are scored."""

    def load() -> Any:
        raise InputError(reason)

    return Unit(name, load)


def row(
    name: str,
    language: str,
    other: str,
    direction: str,
    items: Sequence[float],
    lines: Sequence[int | str],
    *,
    metrics: Mapping[str, float | None],
    left_out: int = 0,
    **more: Any,
) -> Row:
    """A row of a result.

    Args:
        name: its id, different in all rows.
        language: of what is asked.
        other: of the answers; may be the same.
        direction: ``to_pivot``, ``from_pivot`` or ``direct``; none for one language.
        items: what each item adds to the metric.
        lines: the line that each comes from.
        metrics: by name, that of the items among them.
        left_out: items that were not scored.
        more: ``value`` where it is not the mean of the items; ``gold``; ``facts``.
    """
    return {
        "id": name, "language": language, "other": other, "script": language.partition("_")[2], "direction": direction,
        "n": len(items), "left_out": left_out, "value": float(np.mean(items)) if len(items) else 0.0,
        "metrics": dict(metrics), "items": list(items), "lines": list(lines),
    } | more  # fmt: skip


def both_sides(one: Any) -> Iterator[tuple[str, Sequence[str]]]:
    """(language, texts) of the two sides of scored pairs."""
    yield one.languages[0], one.first
    yield one.languages[1], one.second

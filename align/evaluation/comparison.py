"""What a comparison of models returns: scores, differences, what is not distinguishable; as JSON and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from align.errors import InputError
from align.tasks.table import Cell, markdown

Interval = tuple[float, float]


@dataclass(frozen=True)
class Tested:
    """The score of a model minus the baseline's."""

    value: float
    """Above 0 where the model is better, of an error where it is worse."""
    interval: Interval | None = None
    """Of the paired bootstrap; ``None``: no per-item scores."""
    p: float | None = None
    """Of the paired permutation test; ``None``: no per-item scores."""
    adjusted: float | None = None
    """p after Holm's correction over the tests of one table and model."""
    distinguishable: bool | None = None
    """Whether the adjusted p is 1 - level or less; ``None``: there is no test."""


@dataclass(frozen=True)
class ModelScore:
    """Mean over the compared scores of one benchmark."""

    model: str
    """Its name."""
    value: float
    """Every score counts alike."""
    interval: Interval | None
    """``None``: no per-item scores, and the file's interval is of other scores."""
    difference: Tested | None
    """``None``: it is the baseline."""
    as_good_as_best: bool | None
    """It is the best, or not distinguishable from it; ``None``: there is no test."""


@dataclass(frozen=True)
class Slice:
    """Mean over some of the scores: one, or those of a language, script, family or direction."""

    name: str
    """Id, code or name."""
    scores: int
    """How many were averaged."""
    values: tuple[float, ...]
    """One for each model."""
    differences: tuple[Tested | None, ...]
    """One for each model; ``None`` for the baseline."""


@dataclass(frozen=True)
class LeftOut:
    """A score that not all models have."""

    id: str
    reason: str


@dataclass(frozen=True)
class BenchmarkComparison:
    """Models on one benchmark."""

    benchmark: str
    task: str
    metric: str
    protocol: Mapping[str, Any]
    level: float
    """Of the intervals; differences are told apart at 1 - level."""
    baseline: str
    scores: int
    """How many the mean is over: those that all models have, of retrieval with the pivot."""
    models: tuple[ModelScore, ...]
    slices: Mapping[str, tuple[Slice, ...]]
    """By ``pair`` (every score), language, script, family, direction."""
    groups: tuple[dict[str, Any], ...]
    """Groups as the files have them, over all scores of each file: by, group, and a value and interval a model."""
    left_out: tuple[LeftOut, ...]
    without_items: tuple[str, ...]
    """Models that no test is possible for."""
    lower_is_better: bool = False
    """Whether the metric is an error."""
    without_lines: bool = False
    """Whether scores are averaged of which it is not known which items come from one line."""

    def table(self, by: str | None = None) -> str:
        """Markdown: the models, then what ``by`` names, then what is left out."""
        n = "1 score" if self.scores == 1 else f"mean of {self.scores} scores"
        parts = [f"## {self.benchmark} ({self.task}): {self.metric}, {n}", _models(self)]
        if self.without_items:
            names = ", ".join(self.without_items)
            parts.append(f"No test is possible without per-item scores; the results of {names} have none.")
        if self.without_lines:
            parts.append(
                "The results do not say which items come from one line: each counts as independent. Where languages or "
                "directions share lines, the intervals of means are too short and the p too small; evaluate again."
            )
        if by == "group":
            parts += [_groups(self)] if self.groups else ["The files have no groups."]
        elif by:
            if by not in self.slices:
                raise InputError(f"expected one of {', '.join((*self.slices, 'group'))} to show, got {by!r}")
            parts.append(_slices(by, self.slices[by], self))
        if self.left_out:
            rows = [[one.id, one.reason] for one in self.left_out]
            parts.append("Not compared:\n\n" + markdown(["score", "reason"], rows))
        return "\n\n".join(parts)


@dataclass(frozen=True)
class Comparison:
    """Models on one or more benchmarks."""

    models: tuple[str, ...]
    benchmarks: tuple[BenchmarkComparison, ...]
    resamples: int
    permutations: int
    seed: int
    level: float
    files: tuple[str, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {"format": "align-comparison", "version": 1, **asdict(self)}

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.table()

    def table(self, by: str | None = None) -> str:
        """How to read it, a table of models by benchmarks if these are several, and a section for each.

        Args:
            by: what else to show of each benchmark: ``pair``, ``language``, ``script``, ``family`` or ``direction``
                (among those that were asked for) or ``group``; ``None``: nothing.
        """
        alpha = f"{1 - self.level:.3g}"
        parts = [
            f"Intervals: {100 * self.level:g} %; differences: paired bootstrap of {self.resamples} resamples, paired "
            f"permutation test (exact, or {self.permutations} permutations), both by line, p after Holm's correction; "
            f"seed {self.seed}.\n≈ marks a difference that is not distinguishable from 0 (p > {alpha}), = the best "
            "model and those not distinguishable from it (max-T)."
        ]
        if len(self.benchmarks) > 1:
            parts.append(_summary(self))
        return "\n\n".join([*parts, *(one.table(by) for one in self.benchmarks)])


def _models(of: BenchmarkComparison) -> str:
    header = ["model", of.metric, "low", "high", "best", f"minus {of.baseline}", "low", "high", "p", ""]
    rows: list[list[Cell]] = []
    for one in of.models:
        row: list[Cell] = [one.model, one.value, *(one.interval or ("-", "-")), "=" if one.as_good_as_best else ""]
        tested = one.difference
        if tested is None:
            row += ["", "", "", "", "baseline"]
        else:
            low, high = (_signed(end) for end in tested.interval) if tested.interval else ("-", "-")
            row += [_signed(tested.value), low, high, _p(tested.adjusted), _mark(tested)]
        rows.append(row)
    alone = len(of.models) == 1
    lines = [markdown(header[:4] if alone else header, [row[:4] if alone else row for row in rows])]
    for place, one in enumerate(of.models):
        tests = [row.differences[place] for row in of.slices["pair"]]
        known = [test for test in tests if test is not None and test.distinguishable is not None]
        if known and len(tests) > 1:
            signs = (-1, 1) if of.lower_is_better else (1, -1)
            better, worse = (sum(bool(t.distinguishable) and sign * t.value > 0 for t in known) for sign in signs)
            lines.append(
                f"{one.model} against {of.baseline}, score by score: better in {better}, worse in {worse}, ≈ in "
                f"{len(known) - better - worse} of {len(known)}."
            )
    return "\n\n".join(lines)


def _slices(by: str, slices: Sequence[Slice], of: BenchmarkComparison) -> str:
    others = [place for place, one in enumerate(of.models) if one.difference is not None]
    header = [by, "scores", *(one.model for one in of.models)]
    for place in others:
        header += [f"{of.models[place].model} minus {of.baseline}", "p", ""]
    rows: list[list[Cell]] = []
    for one in slices:
        row: list[Cell] = [one.name, one.scores, *one.values]
        for tested in (one.differences[place] for place in others):
            assert tested is not None
            ends = "" if tested.interval is None else " [{}, {}]".format(*map(_signed, tested.interval))
            row += [_signed(tested.value) + ends, _p(tested.adjusted), _mark(tested)]
        rows.append(row)
    return markdown(header, rows)


def _groups(of: BenchmarkComparison) -> str:
    header = ["by", "group"]
    for one in of.models:
        header += [one.model, "low, high"]
    rows: list[list[Cell]] = []
    for group in of.groups:
        row: list[Cell] = [group["by"], group["group"]]
        for value, ends in zip(group["values"], group["intervals"], strict=True):
            row += ["-" if value is None else value, "-" if ends is None else "{:.3f}, {:.3f}".format(*ends)]
        rows.append(row)
    return markdown(header, rows) + "\n\nGroups are as each file has them, over all its scores: they are not tested."


def _summary(of: Comparison) -> str:
    rows: list[list[Cell]] = []
    for name in of.models:
        row: list[Cell] = [name]
        for benchmark in of.benchmarks:
            found = [one for one in benchmark.models if one.model == name]
            row.append(f"{found[0].value:.3f}{' =' if found[0].as_good_as_best else ''}" if found else "-")
        rows.append(row)
    return markdown(["model", *(f"{one.benchmark} {one.metric}" for one in of.benchmarks)], rows)


def _mark(tested: Tested) -> str:
    return "≈" if tested.distinguishable is False else ""


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"

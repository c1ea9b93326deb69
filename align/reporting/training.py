"""Training curves: losses and evaluations by step, from what training left in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import read_json
from align.reporting.chart import DASHES, Chart, Line, chart
from align.reporting.collection import short_names
from align.reporting.palette import COLORS

NOT_LOSSES = {"step", "epoch", "learning_rate", "grad_norm"}
Rows = Sequence[Mapping[str, float]]


def read_training(folder: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """(name, summary) of each stage that a trained folder tells of.

    Raises:
        InputError: the folder holds no ``align.json`` of a training run.
    """
    path = Path(folder) / "align.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no align.json; expected a folder that align train wrote")
    facts = read_json(path)
    name = short_names([str(Path(folder))])[0]
    summary = facts.get("summary") if isinstance(facts, dict) else None
    if not isinstance(summary, dict):
        raise InputError(f"{path} tells of no training; expected a folder that align train wrote")
    stages = summary.get("stages")
    if stages is None:
        return [(name, summary)]
    return [(f"{name}, stage {stage['name']}", stage) for stage in stages]


def curves(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, list[Chart], bool]]:
    """Name and charts of every stage, and whether anything was evaluated during training."""
    return [(name, _charts(name, facts), bool(facts.get("evaluations"))) for name, facts in runs]


def _charts(name: str, facts: Mapping[str, Any]) -> list[Chart]:
    losses, evaluations = facts.get("losses") or [], facts.get("evaluations") or []
    drawn = [chart(series(losses, ""), x="step", y="loss", label=f"{name}: losses by step")]
    if any(key.startswith("temperature/") for row in losses for key in row):
        label = f"{name}: learned temperatures by step"
        drawn.append(chart(series(losses, "temperature"), x="step", y="temperature", label=label))
    for evaluator in sorted({key.partition("/")[0] for row in evaluations for key in row if key != "step"}):
        label = f"{name}: {evaluator} by step"
        drawn.append(chart(series(evaluations, evaluator), x="step", y=evaluator, label=label))
    return [one for one in drawn if one]


def series(rows: Rows, evaluator: str) -> list[Line]:
    """A line for each loss, or for each score of one evaluator; the whole loss first."""
    names = {key for row in rows for key in row if key not in NOT_LOSSES and (evaluator or "/" not in key)}
    if evaluator:
        names = {name for name in names if name.partition("/")[0] == evaluator}
    elif len(names) == 2 and "loss" in names:
        names -= {"loss"} if _same(rows, *names) else set()
    return [
        Line(
            name.partition("/")[2] or name if evaluator else name,
            f"c{i % COLORS}",
            [(row["step"], row.get(name)) for row in rows],
            dash=DASHES[i // COLORS % len(DASHES)],
        )
        for i, name in enumerate(sorted(names, key=lambda name: (name != "loss", name)))
    ]


def _same(rows: Rows, first: str, second: str) -> bool:
    return all(row.get(first) == row.get(second) for row in rows)

"""What the scores of a benchmark say together: their mean, and means by direction, script, family and training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from align.errors import InputError
from align.files.whole import read_json
from align.tasks.task import Row, Task
from align.text.families import family


@dataclass(frozen=True)
class Averages:
    """Scores with their intervals, and averages."""

    rows: list[Row]
    """With ``interval``, 95 %."""
    statistic: str
    """How items make a value: mean or spearman."""
    headline: dict[str, Any]
    """value, interval, scores: the unweighted mean over the rows with the pivot (see ``in_headline``), how many."""
    groups: list[dict[str, Any]]
    """Means over groups of rows: by, group, scores, value, interval."""
    script_gaps: list[dict[str, Any]]
    twins: list[dict[str, Any]]
    """See :func:`align.tasks.retrieval.twins.twin_gaps`."""


def averages(
    rows: Sequence[Row], task: Task, trained: set[str] | None = None, *, resamples: int = 1000, seed: int = 0
) -> Averages:
    """Intervals of each row, of their mean and of the mean of each group.

    An average is of rows, each of which weighs the same; its interval comes from resampling lines, with their items in
    all rows, so it speaks of these languages, not of others. Groups are by direction, script, family, by
    training (where it is known which languages the encoder was trained on), and the worst tenth of the languages beside
    all others (where there are ten). Two scripts of a language with each other are a group of the directions, and in no
    other mean.

    Args:
        rows: see :func:`align.tasks.task.row`.
        task: that was scored.
        trained: codes of the languages trained on; ``None``: not known.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    from align.tasks.retrieval.protocols import in_headline
    from align.tasks.retrieval.twins import twin_gaps
    from align.tasks.statistics.intervals import macro_interval, samples_interval
    from align.tasks.statistics.samples import Sample, joint_samples

    statistic = task.statistic
    counted = in_headline([row["direction"] for row in rows])
    samples: list[Sample] = []
    if statistic == "spearman":
        golds, lines = ([row[key] for row in rows] for key in ("gold", "lines"))
        drawn = joint_samples(
            [[row["items"]] for row in rows], golds=golds, lines=lines, resamples=resamples, seed=seed
        )  # fmt: skip
        samples = [sample for (sample,) in drawn]

    def interval(places: Sequence[int]) -> list[float] | None:
        if statistic == "spearman":
            found = samples_interval([samples[i] for i in places])
        else:
            items, lines = ([rows[i][key] for i in places] for key in ("items", "lines"))
            found = macro_interval(items, lines=lines, resamples=resamples, seed=seed)
        return None if found is None else list(found)

    def average(places: Sequence[int]) -> dict[str, Any]:
        return {"value": float(np.mean([rows[i]["value"] for i in places])), "interval": interval(places)}

    scores = [row | {"interval": interval([place])} for place, row in enumerate(rows)]
    found = []
    for by, name_of in _kinds([rows[i] for i in counted], trained).items():
        names: dict[str, list[int]] = {}
        for place in range(len(rows)) if by == "direction" else counted:
            if name := name_of(rows[place]):
                names.setdefault(name, []).append(place)
        if len(names) > 1 or by in ("seen", "tail"):
            found += [
                {"by": by, "group": name, "scores": len(places), **average(places)}
                for name, places in sorted(names.items())
            ]
    headline = average(counted) | {"scores": len(counted)}
    gaps = _script_gaps(rows) if task.name == "retrieval" else []
    twins = [asdict(one) for one in twin_gaps(rows, resamples=resamples, seed=seed)]
    return Averages(scores, statistic, headline, found, gaps, twins)


def trained_languages(encoder: Any) -> set[str] | None:
    """Codes of the languages that ``align.train`` trained a saved encoder on; ``None``: it is not known."""
    from align.encoders.checkpoint import model_place

    if not getattr(encoder, "name", None):
        return None
    try:
        path = Path(model_place(encoder.name)) / "align.json"  # "seed" is the package's, whatever lies in this folder
        languages = read_json(path).get("languages") if path.is_file() else None
    except InputError:
        return None
    return set(languages) if languages else None


def _kinds(rows: Sequence[Row], trained: set[str] | None) -> Mapping[str, Callable[[Row], str | None]]:
    by_language: dict[str, list[float]] = {}
    for row in rows:
        by_language.setdefault(row["language"], []).append(row["value"])
    ordered = sorted(by_language, key=lambda code: (float(np.mean(by_language[code])), code))
    worst = set(ordered[: math.ceil(len(ordered) / 10)])
    kinds: dict[str, Callable[[Row], str | None]] = {
        "direction": lambda row: row["direction"] or None,
        "script": lambda row: row["script"] or None,
        "family": lambda row: family(row["language"]),
    }
    if trained:
        known = {code.partition("_")[0] for code in trained}

        def seen(row: Row) -> str:
            return (
                "trained" if {row[side].partition("_")[0] for side in ("language", "other")} <= known else "not trained"
            )

        kinds["seen"] = seen
    if len(ordered) >= 10:
        kinds["tail"] = lambda row: "worst tenth" if row["language"] in worst else "others"
    return kinds


def _script_gaps(rows: Sequence[Row]) -> list[dict[str, Any]]:
    from align.tasks.retrieval.gaps import script_gaps

    found = {}
    for row in rows:
        if "twin_of" in row:
            continue
        queries, candidates = row["id"].split(">")
        found[queries, candidates] = row["metrics"]["P@1"]
    return [asdict(gap) for gap in script_gaps(found)]

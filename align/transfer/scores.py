"""Scores of transfer: how well what was learnt, or is searched, in a source language serves a target language."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from align.errors import InputError, unknown
from align.evaluation.results import read_result, result_files
from align.files.packed import plain_suffix
from align.pairs.reading.records import column, json_records, tsv_records
from align.text.languages import check_language

log = logging.getLogger(__name__)

TABLES = (".tsv", ".csv", ".jsonl")


class Score(NamedTuple):
    """One number of one run; higher is better."""

    source: str
    """Language that was learnt from, or searched in."""
    target: str
    """Language that it was scored in."""
    score: float
    task: str = ""
    """What was scored; scores of several tasks are never mixed."""


def read_scores(paths: Sequence[Path | str], *, task: str | None = None) -> list[Score]:
    """The scores of tables and of Align's result files, of one task.

    A table (TSV, CSV, JSONL) has the columns source, target, score and, by choice, task and model. A result file of
    ``align eval`` gives its rows that have two languages: ``other`` is the source (what a probe learnt from, what is
    searched), ``language`` the target, and the score is the headline's metric, of both directions their mean. Scores of
    a language with itself say nothing of transfer: they are left out, and their number is logged.

    Args:
        paths: files, and folders of result files.
        task: the one to read; ``None``: there must be one alone.

    Raises:
        InputError: a file that cannot be read, a row with an unknown language or no finite score (with its line), a
            task whose scores are better when lower, two scores of one pair, scores of several models or tasks, not the
            task that was asked for, or no score at all.
    """
    every = list(_every(paths))
    names = list(dict.fromkeys(one.score.task for one in every))
    if task is not None and task not in names:
        raise InputError(unknown("task", task, names))
    if task is None and len(names) > 1:
        raise InputError(f"the scores are of {len(names)} tasks, {', '.join(names)}: choose one (--task)")
    kept = [one for one in every if task in (None, one.score.task)]
    if any(one.lower_is_better for one in kept):
        raise InputError(f"of {names[0] if task is None else task} lower is better: expected scores of which higher is")
    if len(models := dict.fromkeys(one.model for one in kept)) > 1:
        raise InputError(f"expected scores of one model, got those of {', '.join(map(repr, models))}")
    places: dict[tuple[str, str], str] = {}
    for one in kept:
        pair = _language(one.score.source, one.place), _language(one.score.target, one.place)
        if pair in places:
            raise InputError(
                f"{one.place}: a second score of {pair[0]} for {pair[1]}, the first is in {places[pair]}; expected one"
            )
        places[pair] = one.place
    across = [one.score for one in kept if one.score.source != one.score.target]
    if len(kept) > len(across):
        log.info("%d scores of a language with itself are left out", len(kept) - len(across))
    if not across:
        given = ", ".join(map(str, paths)) or "no file"
        raise InputError(f"expected scores of pairs of languages (source, target, score), got none in {given}")
    return across


class _Found(NamedTuple):
    score: Score
    place: str
    model: str
    lower_is_better: bool = False


def _every(paths: Sequence[Path | str]) -> Iterator[_Found]:
    for path in map(Path, paths):
        if path.is_dir() or plain_suffix(path) not in TABLES:
            for file in result_files([path]):
                yield from _of_result(file)
        else:
            yield from _of_table(path)


def _of_table(path: Path) -> Iterator[_Found]:
    for number, record in json_records(path) if plain_suffix(path) == ".jsonl" else tsv_records(path):
        place = f"{path}, line {number}"
        source, target, score = (record[column([name], record, place)] for name in ("source", "target", "score"))
        task, model = (str(record.get(name) or "") for name in ("task", "model"))
        yield _Found(Score(str(source), str(target), _number(score, place), task), place, model)


def _of_result(path: Path) -> Iterator[_Found]:
    result = read_result(path)
    task = f"{result['benchmark']} {result['task']} {result['metric']}"
    found: dict[tuple[str, str], list[float]] = {}
    for one in result["scores"]:
        if one["other"]:
            found.setdefault((one["other"], one["language"]), []).append(one["metrics"][result["metric"]])
    for (source, target), numbers in found.items():
        score = Score(source, target, mean(numbers), task)
        yield _Found(score, str(path), result["model"], bool(result.get("lower_is_better")))


def _language(code: str, place: str) -> str:
    try:
        return check_language(code)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _number(value: object, place: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{place}: expected a finite score, got {value!r}")
    return number

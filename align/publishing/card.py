"""The card of a model that is published: what the Hub reads of its head, and the scores as a table for people."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard

from align.errors import InputError
from align.evaluation.results import Result
from align.files.whole import existing_file

START, END = "<!-- scores -->", "<!-- end of scores -->"
NEEDED = {"license": "--license", "base_model": "--base-model"}
"""What a card must say, and the option that says it."""
HUB_TASKS = {"classification": "text-classification", "topic": "text-classification",
             "token_classification": "token-classification"}  # fmt: skip
"""The Hub's name of a task of ours; of any other it is ``sentence-similarity``."""


def complete_card(
    text: str, name: str, results: Sequence[Result], given: Mapping[str, Any], *, emissions: Path | None = None
) -> str:
    """A card with its head complete and its scores in it, those of an older card replaced.

    Args:
        text: README.md of the folder.
        name: of the model.
        results: scores, into ``model-index`` and a table.
        given: fields of the head; ``None`` leaves what the card says.
        emissions: ``emissions.csv`` of codecarbon, if it was there in training: grams of CO2 go into the head.

    Raises:
        InputError: the head cannot be read, or lacks the licence or the model that it was trained from; no file, or
            none of codecarbon.
    """
    try:
        card = ModelCard(text, ignore_metadata_errors=False)
    except Exception as error:  # YAML has errors of its own
        first = str(error).strip().split("\n")[0]
        raise InputError(f"the head of the model card cannot be read: {first}") from error
    head: Any = card.data
    for field, value in given.items():
        if value:
            setattr(head, field, value)
    missing = [f"{field} ({option})" for field, option in NEEDED.items() if not getattr(head, field, None)]
    if missing:
        raise InputError(f"the model card does not say {' and '.join(missing)}")
    if emissions is not None:
        head.co2_eq_emissions = {"emissions": grams(emissions), "source": "codecarbon"}
    if results:
        head.model_name = name
        head.eval_results = [hub_result(result) for result in results]
        before, _, rest = str(card.text).partition(START)
        parts = [before.rstrip(), scores_table(results), rest.partition(END)[2].strip()]
        card.text = "\n\n".join(part for part in parts if part) + "\n"
    return str(card)


def hub_result(result: Result) -> EvalResult:
    """A result as the Hub's ``model-index`` has it; its protocol and its 95 % interval are arguments of the metric."""
    data, headline = result["data"], result["headline"]
    return EvalResult(
        task_type=HUB_TASKS.get(result["task"], "sentence-similarity"), task_name=result["task"],
        dataset_type=str(data.get("source") or result["benchmark"]), dataset_name=result["benchmark"],
        dataset_revision=data.get("revision"), metric_type=metric_id(result["metric"]), metric_name=result["metric"],
        metric_value=round(float(headline["value"]), 6),
        metric_args={"protocol": result["protocol"].get("name"), "interval": headline.get("interval"),
                     "scores": len(result["scores"]), "data_sha256": data["sha256"]},
    )  # fmt: skip


def metric_id(name: str) -> str:
    """As the Hub spells metrics: lower case, no sign.

    >>> metric_id("P@1"), metric_id("spearman")
    ('p_at_1', 'spearman')
    """
    return name.lower().replace("@", "_at_").replace(" ", "_")


def scores_table(results: Sequence[Result]) -> str:
    """The section that a reader sees."""
    lines = [
        "| benchmark | metric | value | 95 % interval | scores | protocol |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for one in results:
        ends = one["headline"].get("interval")
        interval = f"{ends[0]:.3f}-{ends[1]:.3f}" if ends else "-"
        cells = (one["benchmark"], one["metric"], f"{one['headline']['value']:.3f}", interval, str(len(one["scores"])),
                 str(one["protocol"].get("name", "")))  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    table = "\n".join(lines)
    return f"{START}\n## Scores\n\n{table}\n{END}"


def grams(file: Path) -> float:
    """Grams of CO2 that codecarbon counted over all runs of its file.

    Raises:
        InputError: no such file, or not its.
    """
    with open(existing_file(file), encoding="utf-8", newline="") as rows:
        try:
            return round(1000 * sum(float(row["emissions"]) for row in csv.DictReader(rows)), 3)
        except (KeyError, ValueError) as error:
            raise InputError(f"{file} is no emissions.csv of codecarbon: no number in a column emissions") from error

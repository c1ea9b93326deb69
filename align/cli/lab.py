"""``align lab``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from align.cli.options.arguments import AsJson, ResultFile, listed, tell
from align.cli.options.encoder_choice import EncoderChoice, ModelOption, takes_encoder


@takes_encoder(without="bf16 backend offsets head language_tags")
def lab(
    choice: EncoderChoice,
    model: ModelOption = "seed",
    names: Annotated[
        str | None, typer.Option("--objectives", help="Those between commas; by default all that are registered.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of each.")] = 60,
    share: Annotated[
        str, typer.Option(help="Share of pairs with the clone, in equal parts of the run: 0.05_0.65_0.65.")
    ] = "1",
    loans: Annotated[float, typer.Option(help="Share of the pieces that the clone has from the original.")] = 0.0,
    autocast: Annotated[bool, typer.Option("--autocast", help="Train in bfloat16 (train.bf16).")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of clones, lots and training.")] = 0,
    out: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Try every objective on a cloned language: does it align it, how fast, and what does it do to the original?"""
    from align import lab as run
    from align.laboratory.bench import Plan

    plan = Plan(steps=steps, share=share, loans=loans, bf16=autocast, seed=seed)
    result = run(choice.load(), names=listed(names), plan=plan)
    tell(result, as_table(result), as_json=as_json, out=out)


def as_table(result: dict[str, Any]) -> str:
    """A row for each objective, the start before them, what could not be tried behind them."""
    from align.tasks.table import markdown

    rows = [
        [
            row.get("objective", "(start)"), row["clone"], str(row.get("aligned_at") or "-"), row["translation"],
            row.get("kept", 1.0), row["layers"]["cka"][-1],
        ]
        for row in (result["start"], *result["objectives"])
    ]  # fmt: skip
    head = ["objective", "P@1 of clone", "aligned at step", "P@1 of translation", "original kept", "CKA of last layer"]
    left = [f"{one['objective']} could not be tried: {one['reason']}" for one in result["left_out"]]
    return "\n".join([markdown(head, rows), *left])

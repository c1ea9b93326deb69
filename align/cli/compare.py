"""``align compare``: which differences between models are real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import AsJson, ResultFile, tell


def compare(
    results: Annotated[list[Path], typer.Argument(help="Result files of `align eval`, or folders of them.")],
    names: Annotated[
        str | None, typer.Option(help="Of the models, with commas, in the order in which they come.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Name of the model to compare with; by default the first.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Show means too: pair (every score), language, script, family, direction; group: the files'."
        ),
    ] = None,
    out: ResultFile = None,
    as_json: AsJson = False,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 1000,
    permutations: Annotated[int, typer.Option(min=1, help="Where there are too many to try all.")] = 9999,
    seed: Annotated[int, typer.Option(min=0, help="Seed of both.")] = 0,
) -> None:
    """Compare models on the benchmarks they share: differences, their intervals, and which are real."""
    from align.evaluation.compare import compare as run

    found = run(
        results,
        names=None if names is None else [name.strip() for name in names.split(",")],
        baseline=baseline,
        by=[by] if by and by != "group" else [],
        resamples=resamples,
        permutations=permutations,
        seed=seed,
    )
    tell(found.to_json(), found.table(by), out=out, as_json=as_json)

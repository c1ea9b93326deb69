"""``align report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import listed, show


def report(
    results: Annotated[list[Path], typer.Argument(help="Result files of `align eval`, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    names: Annotated[
        str | None, typer.Option(help="Of the models, with commas, in the order in which they come.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Name of the model that is 'before'; by default the first.")
    ] = None,
    training: Annotated[
        list[Path] | None, typer.Option(help="Folder that align train wrote, for its curves; can be repeated.")
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for the figures as PNG and SVG (extra plots).")] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Evaluation report",
) -> None:
    """One HTML file of results, to look at without a network: scores, layers, scripts, a map of sentences."""
    from align import report as run

    page, *drawn = run(
        results, out, names=listed(names), baseline=baseline, training=training or [], plots=plots, title=title
    )
    show({"report": str(page), "plots": [str(path) for path in drawn]})

"""``align report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.arguments import show


def report(
    results: Annotated[
        list[Path], typer.Argument(help="Result files or folders of them; the first model is 'before'.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    training: Annotated[
        list[Path] | None, typer.Option(help="Folder that align train wrote, for its curves; can be repeated.")
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for the figures as PNG and SVG (extra plots).")] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Evaluation report",
) -> None:
    """One HTML file of results, to look at without a network: scores, layers, scripts, a map of sentences."""
    from align.report import plots as draw
    from align.report import report as write

    write(results, out, training=training or [], title=title)
    show({"report": str(out), "plots": [str(path) for path in draw(results, plots)] if plots else []})

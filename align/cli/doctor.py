"""``align doctor``: what this machine has for Align."""

from __future__ import annotations

from typing import Annotated

import typer

from align.cli.options.arguments import AsJson, tell


def doctor(
    ddp: Annotated[
        bool, typer.Option("--ddp", help="Also compare a step of two processes (gloo) with that of one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What is installed, which fast paths are taken and why not, cache sizes; exit code 1 if something is wrong."""
    from align.health.doctor import doctor as run

    found = run(ddp=ddp)
    tell(found.to_json(), found.table(), as_json=as_json)
    if not found.well:
        raise typer.Exit(1)

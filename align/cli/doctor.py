"""``align doctor`` and ``align cache``: what this machine has for Align, and what Align keeps on it."""

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


def cache(
    names: Annotated[list[str] | None, typer.Argument(help="Of caches, such as stores; by default all.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove what is in them; it is made anew if wanted.")] = False,
    days: Annotated[float, typer.Option(help="Clear only what was written more days ago.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Show what Align keeps in the user's cache, or clear it."""
    from align.health.caches import cache as run
    from align.health.caches import shown

    found = run(names or (), clear=clear, days=days)
    lines = [f"{shown(one.bytes):>12}  {one.name:<14}{one.folder}, {one.files:,} files" for one in found]
    head = [f"{'removed':>12}"] if clear and found else []
    values = [one._asdict() | {"folder": str(one.folder)} for one in found]
    tell(values, "\n".join([*head, *lines]) or "nothing is kept", as_json=as_json)

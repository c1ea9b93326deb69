"""``align cache``: what Align keeps to use again, and away with it."""

from __future__ import annotations

from typing import Annotated

import typer

from align.cli.options.arguments import AsJson, tell


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

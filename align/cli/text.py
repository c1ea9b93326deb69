"""Verbs on text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Backend, Processes, show


def romanize(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="Text file, plain or compressed.")],
    target: Annotated[Path, typer.Argument(help="File to write.")],
    lang: Annotated[str | None, typer.Option(help="iso639-3 or iso639-3_Script, such as hin_Deva.")] = None,
    backend: Backend = "uroman",
    processes: Processes = 1,
    cache: Annotated[Path | None, typer.Option(help="File that keeps romanised words between runs.")] = None,
) -> None:
    """Romanise a text file line by line, as uroman does."""
    from align.text.romanize.romanizer import romanize_file, romanizer_version

    lines = romanize_file(
        source, target, lang=lang, backend=backend, processes=processes, cache=cache, progress=context.obj
    )
    show({"lines": lines, "romaniser": romanizer_version(backend), "out": str(target)})

"""``align trim`` and ``align extend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Backend, Out, listed, show
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError


@takes_encoder(without="bf16 backend attention offsets head language_tags")
def trim(
    choice: EncoderChoice,
    out: Out,
    texts: Annotated[
        list[Path] | None, typer.Argument(help="Text of all languages that it shall read, a text a line.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Keep so many layers, evenly, or these (3,6,9,12): to be trained.")
    ] = None,
    held_out: Annotated[
        list[Path] | None, typer.Option(help="Other text, to say how much of it is split as before; repeatable.")
    ] = None,
    scripts: Annotated[str | None, typer.Option(help="Keep every piece of these, such as Deva,Latn.")] = None,
    min_count: Annotated[int, typer.Option(min=1, help="Cut pieces that the text uses less often.")] = 1,
) -> None:
    """Cut the pieces that your languages do not need, or layers.

    Without pieces that no text uses vectors stay the same, to the bit; without layers an encoder has to be trained.
    """
    from align import trim as run

    about = run(
        choice.load(), texts or [], out, layers=_layers(layers), held_out=held_out or [], scripts=listed(scripts) or [],
        min_count=min_count,
    )  # fmt: skip
    show(about | {"out": str(out)})


def _layers(text: str | None) -> int | list[int] | None:
    parts = listed(text) or []
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--layers needs a number, or numbers such as 3,6,9,12, got {text!r}")
    return None if text is None else int(text) if len(parts) == 1 else [int(part) for part in parts]


@takes_encoder(without="bf16 backend attention offsets head language_tags")
def extend(
    choice: EncoderChoice,
    text: Annotated[list[Path], typer.Option("--text", "-t", help="Text, a text a line; repeatable.")],
    out: Out,
    pieces: Annotated[int, typer.Option(min=1, help="How many to add.")] = 1000,
    rows: Annotated[
        str,
        typer.Option(
            help="Each new row is a mean: of the old pieces of its piece (pieces), or of that romanised (romanised)."
        ),
    ] = "pieces",
    romanizer: Backend = "uroman",
) -> None:
    """Add pieces for a language or script: to be trained by the recipe extension."""
    from align import extend as run

    about = run(choice.load(), text, out, pieces=pieces, rows=rows, romanizer=romanizer)
    show(about | {"out": str(out)})

"""``align extend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Backend, Out, show
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder


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
    """Add pieces for a language or script that the tokenizer was not made for; train them by the recipe extension."""
    from align import extend as run

    about = run(choice.load(), text, out, pieces=pieces, rows=rows, romanizer=romanizer)
    show(about | {"out": str(out)})

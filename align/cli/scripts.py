"""``align scripts``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import AsJson, Backend, listed, tell
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder


@takes_encoder(without="bf16 backend attention offsets head language_tags")
def scripts(
    choice: EncoderChoice,
    text: Annotated[
        list[Path] | None,
        typer.Option("--text", "-t", help="Text, a text a line, in any scripts; repeatable. By default verses in 11."),
    ] = None,
    reads: Annotated[
        str | None, typer.Option(help="Scripts that it reads: Latn,Deva; by default those of 100 pieces or more.")
    ] = None,
    romanizer: Backend = "uroman",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save the encoder that romanises what it cannot read.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show how MODEL's tokenizer reads each script; with --out, romanise text in scripts that it cannot read."""
    from align import scripts as run
    from align.encoders.readability import as_text

    about = run(choice.load(), text or [], out, reads=listed(reads), romanizer=romanizer)
    tell(about, as_text(about), as_json=json)

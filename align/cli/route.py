"""``align route``."""

from __future__ import annotations

from typing import Annotated

import typer

from align.cli.options.arguments import Out, listed, show
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder


@takes_encoder(without="offsets head bf16 backend attention language_tags")
def route(
    choice: EncoderChoice,
    romanised: Annotated[str, typer.Argument(help="The same for romanised text: a model that was trained from MODEL.")],
    out: Out,
    languages: Annotated[
        str | None,
        typer.Option(help="Codes of romanised text, with commas: hin_Latn,tam_Latn; und_Latn: Latin of no language."),
    ] = None,
    scripts: Annotated[
        str | None, typer.Option(help="Scripts that it reads too: Tibt,Thaa; or fallback: those that MODEL romanises.")
    ] = None,
) -> None:
    """Give romanised text an encoder of its own: all other text keeps the vectors that MODEL gives it, to the bit."""
    from align import route as run

    asked = scripts if scripts == "fallback" else listed(scripts) or []
    encoder = run(choice.load(), romanised, out, languages=listed(languages) or [], scripts=asked)
    identity = encoder.identity()
    show({"native": identity["fingerprint"], "romanised": identity["route"], "out": str(out)})

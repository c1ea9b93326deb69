"""``align offsets``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Out, show
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError


@takes_encoder(without="offsets head")
def offsets(
    context: typer.Context,
    choice: EncoderChoice,
    text: Annotated[
        list[str],
        typer.Option("--text", "-t", help="CODE=FILE, or a file named by it (hin_Deva.txt); repeatable."),
    ],
    out: Out,
    method: Annotated[
        str,
        typer.Option(help="centre: each language's mean is taken off; shift: onto a pivot; project: see the docs."),
    ] = "centre",
    pivot: Annotated[str, typer.Option(help="Of shift: its vectors stay as they are.")] = "eng_Latn",
    k: Annotated[int | None, typer.Option("-k", help="Of project: directions; by default languages less one.")] = None,
) -> None:
    """Estimate language offsets on text of your own: what to take off vectors so that languages mix, untrained."""
    from align import offsets as run

    texts = _texts(text)
    made = run(choice.load(), texts, out, method=method, pivot=pivot, k=k, progress=bool(context.obj))
    about = {name: made.manifest[name] for name in ("method", "pivot", "languages")}
    show({**about, "rows": len(made.rows), "fingerprint": made.identity["fingerprint"], "out": str(out)})


def _texts(given: Sequence[str]) -> dict[str, Path]:
    from align.text.languages import check_language

    found: dict[str, Path] = {}
    for one in given:
        code, equals, file = one.partition("=")
        path = Path(file if equals else one)
        code = check_language(code if equals else path.name.partition(".")[0])
        if code in found:
            raise InputError(f"two texts of {code}: {found[code]} and {path}; expected one")
        found[code] = path
    return found

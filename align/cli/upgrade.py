"""``align upgrade-index``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Out, show
from align.cli.options.encoder_choice import EncoderChoice, ModelOption, takes_encoder


@takes_encoder()
def upgrade_index(
    context: typer.Context,
    choice: EncoderChoice,
    vectors: Annotated[Path, typer.Argument(help="Folder written by align encode, of an older encoder, with texts.")],
    out: Out,
    model: ModelOption,
    method: Annotated[
        str, typer.Option(help="ridge: least squares, of any widths; procrustes: orthogonal, of equal ones.")
    ] = "ridge",
    rows: Annotated[int, typer.Option(min=1, help="Rows that the new encoder reads, to learn on.")] = 4000,
    held_out: Annotated[int, typer.Option(min=11, help="Others that it reads, to measure on.")] = 2000,
    floor: Annotated[
        float, typer.Option(help="Least recall@10 of the mapped rows; below it nothing is written.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(help="Of the choice of rows.")] = 0,
) -> None:
    """Carry vectors over to another encoder, by a map learnt on some of them: the rest is not encoded again."""
    from align import upgrade_index as run

    made = run(
        vectors, choice.load(), out, method=method, rows=rows, held_out=held_out, floor=floor, seed=seed,
        progress=bool(context.obj),
    )  # fmt: skip
    about = {name: value for name, value in made.manifest["upgrade"].items() if name != "from"}
    show({"rows": made.rows, **about, "out": str(out)})

"""``align eval xsim``: the error of mining bitext, also among hard negatives."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from align.cli.arguments import AsJson, ResultFile, listed, tell
from align.cli.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError


@takes_encoder()
def xsim(
    context: typer.Context,
    choice: EncoderChoice,
    data: Annotated[
        str, typer.Option(help="Folder of line-aligned files, a two-column .tsv, or a Hub dataset by name.")
    ],
    languages: Annotated[str | None, typer.Option(help="Codes, with commas: only these, in this order.")] = None,
    hard: Annotated[
        bool,
        typer.Option("--hard", help="Among English sentences with a number, a name or a negation changed (xsim++)."),
    ] = False,
    similarity: Annotated[str, typer.Option(help="ratio, distance, csls or cosine.")] = "ratio",
    k: Annotated[int, typer.Option("-k", min=1, help="Nearest by cosine that are ranked by the similarity.")] = 4,
    per_kind: Annotated[
        int | None, typer.Option(min=1, help="The most hard negatives of one kind that a line gets; by default 1.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the hard negatives; by default 0.")] = None,
    out: ResultFile = None,
    as_json: AsJson = False,
    per_item: Annotated[bool, typer.Option(help="Keep in the JSON which lines are wrong.")] = False,
) -> None:
    """Error of aligning each line with the lines of English: xsim, and with --hard xsim++."""
    from align.tasks import combine_xsim, read_sets, xsim_plus
    from align.tasks.embedding import remembered
    from align.tasks.xsim import xsim as run

    options: dict[str, Any] = {"similarity": similarity, "k": k, "per_item": per_item}
    if hard:
        options |= {"per_kind": per_kind or 1, "seed": seed or 0}
    elif per_kind is not None or seed is not None:
        raise InputError("--per-kind and --seed are of hard negatives: they need --hard")
    codes = listed(languages)
    sets = list(read_sets(data, languages=codes))
    encoder = choice.load()
    encode = remembered(lambda texts, _: encoder.encode(texts, progress=context.obj), "eng_Latn")
    measure = xsim_plus if hard else run
    result = combine_xsim([measure(encode, texts, **options) for texts in sets])
    tell(result.to_json() | choice.about(encoder), result.table(), out=out, as_json=as_json)

"""``align eval``: measure an encoder."""

from __future__ import annotations

from typing import Annotated

import typer

from align.cli.arguments import Layer, Model, PoolingKind, Prompt, ResultFile, Special, load

app = typer.Typer(no_args_is_help=True, help="Measure an encoder.")


@app.command("retrieval")
def retrieval(
    context: typer.Context,
    model: Model,
    data: Annotated[
        str, typer.Option(help="Folder of line-aligned files, a two-column .tsv, or a Hub dataset by name.")
    ],
    languages: Annotated[str | None, typer.Option(help="Codes, with commas: only these, in this order.")] = None,
    protocol: Annotated[str, typer.Option(help="align, glot500 or xtreme.")] = "align",
    out: ResultFile = None,
    per_item: Annotated[bool, typer.Option(help="Keep the rank of every line in the JSON.")] = False,
    layer: Layer = None,
    pooling: PoolingKind = None,
    special_tokens: Special = None,
    prompt: Prompt = None,
) -> None:
    """Sentence retrieval: the translation, or the other script, among all lines."""
    from align.files import write_json
    from align.tasks import combine, read_sets
    from align.tasks import retrieval as run
    from align.tasks.protocols import find_protocol

    chosen = find_protocol(protocol)
    wanted = [code.strip() for code in languages.split(",")] if languages else None
    sets = list(read_sets(data, languages=wanted))
    if chosen.layer is not None and layer is None:
        layer, pooling, special_tokens = chosen.layer, chosen.pooling, chosen.special_tokens
    encoder = load(model, layer, pooling, special_tokens, prompt)
    result = combine(
        [
            run(lambda texts, _: encoder.encode(texts, progress=context.obj), texts, protocol=chosen, per_item=per_item)
            for texts in sets
        ]
    )
    if out:
        write_json(out, result.to_json() | {"model": model, "encoder": encoder.identity()})
    print(result.table())

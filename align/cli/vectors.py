"""``align encode`` and ``align search``."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from align.cli.arguments import (
    Attention,
    AverageLayers,
    Layer,
    Model,
    Out,
    PoolingKind,
    Prompt,
    Runtime,
    Special,
    load,
    one_of,
    show,
)
from align.errors import InputError

log = logging.getLogger(__name__)


def encode(
    context: typer.Context,
    model: Model,
    texts: Annotated[Path, typer.Argument(help="Text file, one text a line, plain or .gz.")],
    out: Out,
    ids: Annotated[
        Path | None, typer.Option(help="File of ids, one a line; by default the line numbers from 1.")
    ] = None,
    half: Annotated[bool, typer.Option("--float16", help="Store float16 instead of float32.")] = False,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16: faster if the hardware has it.")] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="A vector depends, to the last bit, on its own text alone.")
    ] = False,
    attention: Attention = "auto",
    layer: Layer = None,
    pooling: PoolingKind = None,
    special_tokens: Special = None,
    average_layers: AverageLayers = None,
    prompt: Prompt = None,
    backend: Runtime = "torch",
) -> None:
    """Vectors of a text file, with ids and a manifest that says what made them."""
    import numpy as np

    from align.files import read_lines
    from align.index import save_embeddings

    lines = list(read_lines(texts))
    if not lines:
        raise InputError(f"{texts} is empty: there is nothing to encode")
    names = list(read_lines(ids)) if ids else [str(i) for i in range(1, len(lines) + 1)]
    if len(names) != len(lines):
        raise InputError(f"{ids} has {len(names)} ids, {texts} has {len(lines)} lines: expected one id for each line")
    encoder = load(model, layer, pooling, special_tokens, prompt, average_layers, bf16=bf16, backend=backend)
    encoder.attention = one_of(("auto", "padded"), attention, "--attention")
    log.info("attention %s%s", encoder.attention_in_use(), ", bfloat16" if bf16 else "")
    vectors = np.empty((len(lines), encoder.dimension), dtype=np.float16 if half else np.float32)
    encoder.encode(lines, out=vectors, deterministic=deterministic, progress=context.obj)
    save_embeddings(out, vectors, names, encoder=encoder.identity(), texts=lines)
    show({"rows": len(lines), "dimension": encoder.dimension, "out": str(out)})


def search(
    model: Model,
    index: Annotated[Path, typer.Argument(help="Folder written by align encode.")],
    query: Annotated[list[str], typer.Argument(help="Queries.")],
    k: Annotated[int, typer.Option("-k", help="Results per query.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a result.")] = False,
    layer: Layer = None,
    pooling: PoolingKind = None,
    special_tokens: Special = None,
    average_layers: AverageLayers = None,
    prompt: Prompt = None,
    backend: Runtime = "torch",
) -> None:
    """Exact search: the nearest texts of each query, best first."""
    from align.index import load_embeddings
    from align.index import search as run

    stored = load_embeddings(index)
    encoder = load(model, layer, pooling, special_tokens, prompt, average_layers, backend=backend)
    scores, rows = run(stored, encoder.encode(query), k, encoder=encoder.identity())
    for text, row_scores, row_numbers in zip(query, scores, rows, strict=True):
        if not as_json:
            print(text)
        for rank, (score, row) in enumerate(zip(row_scores, row_numbers, strict=True), 1):
            found = stored.texts[row] if stored.texts else ""
            if as_json:
                hit = {
                    "query": text,
                    "rank": rank,
                    "id": stored.ids[row],
                    "score": round(float(score), 6),
                    "text": found,
                }
                print(json.dumps(hit, ensure_ascii=False))
            else:
                print(f"  {rank}. {score:.3f}  {stored.ids[row]}  {found}")

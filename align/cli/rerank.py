"""``align rerank``."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

log = logging.getLogger(__name__)


def rerank(
    context: typer.Context,
    scorer: Annotated[Path, typer.Argument(help="Folder written by align head fusion.")],
    hits: Annotated[Path, typer.Argument(help="What align search --json printed, in a file.")],
    depth: Annotated[
        int | None, typer.Option(min=1, help="Hits of each query that are scored; the others follow. By default all.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Where the scorer's encoder lies now; by default where it was in training.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, ...; by default a GPU if there is one.")
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="Score in bfloat16: faster where the hardware has it.")] = False,
) -> None:
    """Hits of a search in the order of a scorer of pairs, as JSON lines with both scores."""
    from align.reranking.hits import read_hits
    from align.reranking.hits import rerank as run
    from align.reranking.scorer import load_scorer

    given = read_hits(hits)
    loaded = load_scorer(scorer, encoder, device=device, bf16=bf16)
    began = time.perf_counter()
    found = run(loaded, given, depth=depth, progress=bool(context.obj))
    seconds = time.perf_counter() - began
    pairs = sum(len(of[:depth]) for of in given)
    log.info("%d pairs of %d queries scored in %.2f s", pairs, len(given), seconds)
    for hit in (hit for of in found for hit in of):
        about = {name: value for name, value in asdict(hit).items() if name != "columns" or value}
        print(json.dumps(about, ensure_ascii=False), flush=True)

"""``align mine``: the translations that two corpora hold of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import TakenOff, show


def mine(
    context: typer.Context,
    x: Annotated[Path, typer.Argument(help="Folder of vectors, as align encode writes it.")],
    y: Annotated[Path, typer.Argument(help="Another, of the same encoder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="TSV to write: score, cosine, x_id, y_id, x_text, y_text.")],
    score: Annotated[str, typer.Option(help="ratio, distance, csls or cosine.")] = "ratio",
    k: Annotated[int, typer.Option("-k", help="Nearest that are candidates and make the means of the margin.")] = 4,
    direction: Annotated[
        str, typer.Option(help="intersection (best of each other), forward, backward, or max (best of either).")
    ] = "intersection",
    threshold: Annotated[
        float | None, typer.Option(help="Least score kept; by default the best for --gold, else all are kept.")
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(help="TSV of x_id TAB y_id, right pairs of a part; one id empty: that one has no partner."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="exact; faiss (extra): approximate neighbours; ray (extra): exact, by a cluster.")
    ] = "exact",
    factory: Annotated[
        str | None, typer.Option(help="Of the FAISS index, such as IVF4096,Flat; by default by the number of rows.")
    ] = None,
    probes: Annotated[int, typer.Option(min=1, help="Clusters of an IVF index that are visited.")] = 32,
    block: Annotated[int, typer.Option(help="Rows of each side in one product; bounds memory.")] = 2048,
    temporary: Annotated[
        Path | None, typer.Option(help="Folder for a copy of the vectors while it runs; by default beside --out.")
    ] = None,
    offsets: TakenOff = None,
    shard: Annotated[
        str | None, typer.Option(help="Of an array job: do this share alone, 2/8; then merge by --shards 8.")
    ] = None,
    shards: Annotated[
        int | None, typer.Option(min=1, help="Merge so many shards that were done; of ray, how many tasks (16).")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster: auto or host:port; by default Ray is started here.")
    ] = None,
) -> None:
    """Mine pairs of translations by a margin, best first; no text stands in two pairs."""
    from align.mining.mining import mine as run

    found = run(
        x, y, out, score=score, k=k, direction=direction, threshold=threshold, gold=gold, engine=engine,
        factory=factory, probes=probes, block=block, temporary=temporary, offsets=offsets, shard=shard,
        shards=shards, address=address, progress=context.obj,
    )  # fmt: skip
    show(found.numbers if shard else {**found.numbers, "out": str(out)})

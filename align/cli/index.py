"""``align index``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Out, TakenOff, show


def index(
    context: typer.Context,
    vectors: Annotated[Path, typer.Argument(help="Folder written by align encode.")],
    out: Out,
    factory: Annotated[
        str, typer.Option(help="Flat (exact, needs no FAISS), IVF1024,Flat, HNSW32, OPQ16,IVF1024,PQ16, ...")
    ] = "Flat",
    train_rows: Annotated[
        int | None, typer.Option(help="Random rows to train on; by default 64 for each list, at least 50,000.")
    ] = None,
    nprobe: Annotated[
        int | None,
        typer.Option(help="Lists of an IVF index that a search looks at; by default 1 of 32, at least 8."),
    ] = None,
    ef_search: Annotated[
        int | None, typer.Option("--ef", help="Candidates that a search of an HNSW index keeps; by default 64.")
    ] = None,
    recall_queries: Annotated[int, typer.Option(help="Queries to measure the recall on; 0: not measured.")] = 1000,
    k: Annotated[int, typer.Option("-k", help="Hits of each of them.")] = 10,
    float16: Annotated[
        bool | None, typer.Option("--float16/--float32", help="Of an exact index; by default as the vectors are.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the training rows and of the queries.")] = 0,
    device: Annotated[
        str | None,
        typer.Option(help="Where FAISS builds: cpu, cuda, cuda:1; by default a GPU, if faiss-gpu sees one."),
    ] = None,
    offsets: TakenOff = None,
) -> None:
    """An index of a folder of vectors; its recall against exact search is measured."""
    from align.indexes.build import index as build

    made = build(
        vectors, out, factory=factory, train_rows=train_rows, recall_queries=recall_queries, k=k, float16=float16,
        nprobe=nprobe, ef_search=ef_search, seed=seed, device=device, offsets=offsets, progress=bool(context.obj),
    )  # fmt: skip
    about = {name: made.manifest[name] for name in ("factory", "rows", "dimension", "search")}
    show({**about, **made.manifest["built"], "out": str(out)})

"""``align check-overlap``: test texts that stand in training pairs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Processes, tell

TESTS = (
    "A name of `align list`, or a folder or file of test text: retrieval=, sts=, bli=, wordsim= or text= before it "
    "says how to read it."
)


def check_overlap(
    context: typer.Context,
    pairs: Annotated[Path, typer.Argument(help="Table of training pairs: folder, .parquet, .jsonl or .tsv.")],
    benchmarks: Annotated[list[str], typer.Argument(help=TESTS)],
    romanize: Annotated[
        bool, typer.Option("--romanize", help="Also find texts in another script: romanises the pairs, which is slow.")
    ] = False,
    near: Annotated[float, typer.Option(help="Least Jaccard similarity of near texts, from 0.5; 0: none.")] = 0.8,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="TSV to write: every hit.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON to write: the counts; - prints it, not the table.")] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(help="Exit with 1 if a larger share of a benchmark's texts in one language is found."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="ALIGN_DATA", help="Folder with the folders of benchmarks; none: the Hub.")
    ] = None,
    processes: Processes = 1,
) -> None:
    """Find texts of test sets in training pairs: equal, equal when romanised, and near."""
    from align import check_overlap as run
    from align.pairs.overlap_result import overlap_table

    found = run(
        pairs, benchmarks, data=data, romanize=romanize, near=near, processes=processes, out=out, progress=context.obj
    )
    to_stdout = json == Path("-")
    table = overlap_table(found.to_json()).removesuffix("\n")
    tell(found.to_json(), table, as_json=to_stdout, out=None if to_stdout else json)
    if fail_above is not None and found.share > fail_above:
        print(f"align: {found.share:.2%} of a test set was found, more than {fail_above:.2%}", file=sys.stderr)
        raise SystemExit(1)

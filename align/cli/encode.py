"""``align encode``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import listed, one_of, show
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder


@takes_encoder()
def encode(
    context: typer.Context,
    choice: EncoderChoice,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Text (one a line), .tsv, .csv with a header, .jsonl, also .gz, .zst, .xz, .bz2; .parquet."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of vectors: a new one, or one that this command began.")
    ],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    ids: Annotated[
        str | None,
        typer.Option("--id", help="Column; content: of language and text; line. By default column id, else content."),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Code of all texts, such as hin_Deva.")] = None,
    language_column: Annotated[
        str | None,
        typer.Option(help='Column of codes; by default language or lang, else the start of a file\'s name; "": none.'),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(help="Columns to keep for filters and engines, with commas; domain=Topic: as domain."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", "--license", help="Of all texts; by default what a column licence says.")
    ] = None,
    romanize: Annotated[bool, typer.Option("--romanize", help="Encode what uroman makes of the texts.")] = False,
    sparse: Annotated[
        bool,
        typer.Option("--sparse", help="Weights of terms beside the vectors, by the masked-LM head: docs/sparse.md."),
    ] = False,
    half: Annotated[bool, typer.Option("--float16", help="Store float16 instead of float32.")] = False,
    no_texts: Annotated[bool, typer.Option("--no-store-texts", help="Keep no texts beside the vectors.")] = False,
    part_rows: Annotated[int, typer.Option(help="Lines of a part, which a process has in memory.")] = 50_000,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="A vector depends, to the last bit, on its own text alone.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes that encode.")] = 1,
    engine: Annotated[str, typer.Option(help="local; or ray (extra ray): on the machines of a cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster: auto or host:port; by default Ray is started here.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Of an array job: encode this share of the parts alone, 2/8; the last completes.")
    ] = None,
) -> None:
    """Vectors of a corpus, in parts. Stopped at any time, the same command goes on; each row is there exactly once."""
    started = time.monotonic()
    one_of(("local", "ray"), engine, "--engine")
    from align.vectors.corpus.encoding import encode as run

    made = run(
        choice.model, inputs, out, text=text, id=ids, language=language, language_column=language_column,
        keep=listed(keep) or (), licence=licence,
        romanize=romanize, sparse=sparse, dtype="float16" if half else "float32", store_texts=not no_texts,
        part_rows=part_rows, deterministic=deterministic, attention=choice.attention, backend=choice.backend,
        workers=workers, engine=engine, address=address, shard=shard, progress=context.obj, **choice.options(),
    )  # fmt: skip
    rejected = made.manifest["rejected"]
    show({
        "rows": made.rows, "rejected": rejected, **({"rejects": str(out / "rejects")} if rejected else {}),
        "dimension": made.dimension, "seconds": round(time.monotonic() - started, 1), "out": str(out),
    })  # fmt: skip

"""``align augment`` and ``align augment-queries``."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Out, show
from align.cli.options.encoder_choice import EncoderChoice, ModelOption, QueryPrompt, takes_encoder

log = logging.getLogger(__name__)


@takes_encoder(without="prompt")
def augment(
    context: typer.Context,
    choice: EncoderChoice,
    vectors: Annotated[Path, typer.Argument(help="Folder written by align encode.")],
    queries: Annotated[Path, typer.Argument(help="Queries: lines of id TAB query, plain or compressed.")],
    out: Out,
    model: ModelOption,
    alpha: Annotated[float | None, typer.Option(help="Weight of the queries, 0 to 1; by default 0.01.")] = None,
    dev: Annotated[
        Path | None, typer.Option(help="Choose the weight on these: lines of id TAB query, as users ask them.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Of recall@k on the dev queries.")] = 10,
    reduce: Annotated[str, typer.Option(help="sum of the queries of a passage, or their mean.")] = "sum",
    unit: Annotated[
        bool, typer.Option("--unit/--raw", help="Unit vectors, for cosine; or vectors as they are.")
    ] = True,
    prompt: QueryPrompt = None,
) -> None:
    """Move the vectors of passages towards their queries: an index of equal size that finds more."""
    from align import augment as run

    encoder = replace(choice, prompt=prompt).load()
    made = run(
        vectors, queries, out, encoder=encoder, prompt=prompt, alpha=alpha, dev=dev, k=k, reduce=reduce,
        unit=unit, progress=context.obj,
    )  # fmt: skip
    about = made.manifest["augmentation"]
    for weight, recall in about.get("recall", {}).items():
        log.info("alpha %-6s recall@%d %.4f", weight, about["k"], recall)
    show({"rows": made.rows, **about, "out": str(out)})


def augment_queries(
    vectors: Annotated[Path, typer.Argument(help="Folder written by align encode; for column, a .jsonl or .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: lines of id TAB query.")],
    source: Annotated[str, typer.Option(help="romanized, first-sentence, lexicon or column.")],
    lexicon: Annotated[Path | None, typer.Option(help="For lexicon: a dictionary, word TAB translation.")] = None,
    share: Annotated[float, typer.Option(help="For lexicon: share of the known words that is replaced.")] = 0.5,
    seed: Annotated[int, typer.Option(help="For lexicon: of the words and translations drawn.")] = 0,
    column: Annotated[str, typer.Option(help="For column: its name, such as title.")] = "title",
    id_column: Annotated[str, typer.Option(help="For column: the name of that of the ids.")] = "id",
    language: Annotated[str | None, typer.Option(help="Only passages in this language, such as hin_Deva.")] = None,
) -> None:
    """Make queries for passages offline: romanised, first sentences, words by a dictionary; or a column of a corpus."""
    from align import augment_queries as run

    counts = run(
        vectors, out, source=source, lexicon=lexicon, share=share, seed=seed, column=column, id_column=id_column,
        language=language,
    )  # fmt: skip
    show({**counts, "out": str(out)})

"""``align tm``: translation memory."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from align.cli.options.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError

if TYPE_CHECKING:
    from align.memory.translation_memory import Found


@takes_encoder(without="offsets head language_tags")
def tm(
    choice: EncoderChoice,
    memory: Annotated[
        Path,
        typer.Argument(help="Translations: .tsv (source TAB target), .tmx, .jsonl, .parquet, or a table of pairs."),
    ],
    query: Annotated[list[str] | None, typer.Argument(help="Texts to look up.")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="Texts to look up, one a line, or a table with a column query or text.")
    ] = None,
    terms: Annotated[
        Path | None, typer.Option(help="Terms to find in the texts, in a file as MEMORY: term TAB translation.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Matches of a text, at the most.")] = 5,
    threshold: Annotated[
        float, typer.Option(help="Least cosine of a match that is not exact, from -1 to 1: how near the meaning is.")
    ] = 0.7,
    min_percent: Annotated[
        int, typer.Option(help="Least fuzzy match, from 0 to 100: how many characters agree. 100: exact ones alone.")
    ] = 0,
    vectors: Annotated[
        Path | None,
        typer.Option(help="Folder of the memory's vectors: written once, used ever after; else they are not kept."),
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="Codes of source and target in a .tmx: eng_Latn-hin_Deva.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a text.")] = False,
) -> None:
    """Translations of the segments most like each text, and of the terms in it."""
    from align.memory.translation_memory import tm as run
    from align.pairs.reading.queries import read_queries
    from align.pairs.reading.sources import two_names

    texts = [*(query or []), *(read_queries(queries) if queries else [])]
    if not texts:
        raise InputError("there is nothing to look up: give texts, or --queries FILE")
    codes = two_names(languages) if languages else None
    encoder = choice.load()
    for found in run(
        memory, texts, encoder=encoder, k=k, threshold=threshold, min_percent=min_percent, terms=terms, vectors=vectors,
        languages=codes,
    ):  # fmt: skip
        print(_line(found) if as_json else _table(found))


def _line(found: Found) -> str:
    matches = [asdict(match) | {"percent": match.percent} for match in found.matches]
    return json.dumps(asdict(found) | {"matches": matches}, ensure_ascii=False)


def _table(found: Found) -> str:
    rows = [found.query]
    rows += [f"  {m.percent:3d}%  cosine {m.score:.3f}  {m.source}  ->  {m.target}" for m in found.matches]
    rows += [f"  term  {term.source}  ->  {' | '.join(term.targets)}" for term in found.terms]
    return "\n".join(rows if len(rows) > 1 else [*rows, "  nothing found"])

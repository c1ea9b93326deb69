"""``align search`` and ``align rerank``."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from align.cli.options.arguments import listed, wheres
from align.cli.options.encoder_choice import EncoderChoice, QueryPrompt, takes_encoder
from align.errors import InputError

if TYPE_CHECKING:
    from align.indexes.search import Hit

log = logging.getLogger(__name__)

SHOWN = 8
"""Shared terms of a hit that are printed one by one."""
FEW = 100
"""Queries that are encoded sooner than torch is there to do it."""


@takes_encoder(without="prompt")
def search(
    choice: EncoderChoice,
    index: Annotated[Path, typer.Argument(help="Folder written by align index; or by align encode: exact, slower.")],
    query: Annotated[list[str] | None, typer.Argument(help="Queries.")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="Queries, one a line, or a table with a column query or text.")
    ] = None,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Read queries as they are typed.")] = False,
    k: Annotated[int, typer.Option("-k", help="Results per query.")] = 5,
    language: Annotated[str | None, typer.Option(help="Only texts of these languages, with commas between.")] = None,
    script: Annotated[str | None, typer.Option(help="Only texts in these scripts, with commas between.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only texts with it, as licence=CC0; more of a column: any of them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a result.")] = False,
    romanize: Annotated[
        bool, typer.Option("--romanize", help="Insist on an index of romanised texts; with one it is always done.")
    ] = False,
    query_language: Annotated[str | None, typer.Option(help="Of the queries, for romaniser and offsets.")] = None,
    nprobe: Annotated[int | None, typer.Option(help="Lists of an IVF index to look at: slower, better.")] = None,
    ef_search: Annotated[
        int | None, typer.Option("--ef", help="Candidates to keep in an HNSW index: slower, better.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare the files with their SHA-256 first.")
    ] = True,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="By the weights of terms that align encode --sparse stored.")
    ] = False,
    hybrid: Annotated[
        str | None,
        typer.Option(
            metavar="rrf|WEIGHT|FILE",
            help="By both: ranks fused; weight x sparse + (1 - weight) x dense; fitted on lines id TAB query.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="The terms that each hit shares, whose parts add up to its sparse score.")
    ] = False,
    prompt: QueryPrompt = None,
) -> None:
    """The nearest texts of each query, best first."""
    from align.indexes.hybrid import lexical_searcher
    from align.indexes.index import load_index
    from align.indexes.rows import filters
    from align.indexes.search import find, query_encoder
    from align.pairs.reading.queries import read_queries

    given = [*(query or []), *(read_queries(queries) if queries else [])]
    if not given and not interactive:
        raise InputError("nothing to search for: expected a QUERY, --queries FILE with a line, or --interactive")
    columns = wheres(where)
    stored = load_index(index, verify=verify, device=choice.device)
    asked = replace(choice, prompt=prompt)
    lexical = sparse or explain or hybrid is not None
    asking: dict[str, Any] = {"prompt": prompt, "query_language": query_language, "romanized": romanize}
    if lexical:
        if nprobe is not None or ef_search is not None:
            raise InputError("sparse search is exact: it has no --nprobe and no --ef")
        where_all = filters(listed(language), listed(script), columns)
        find_lexical = lexical_searcher(
            stored, asked.load(), k, hybrid=hybrid, explain=explain, where=where_all, **asking
        )  # fmt: skip
    else:
        encode = query_encoder(stored, asked.for_few() if len(given) <= FEW else asked.load(), **asking)

    def answer(texts: Sequence[str]) -> list[list[Hit]]:
        if lexical:
            return find_lexical(texts)
        began = time.perf_counter()
        vectors = encode(texts)
        encoded = time.perf_counter()
        found = find(
            stored, texts, vectors, k, languages=listed(language), scripts=listed(script), where=columns,
            nprobe=nprobe, ef_search=ef_search,
        )  # fmt: skip
        ended = time.perf_counter()
        log.info(
            "%d quer%s: encoded in %.1f ms, searched in %.1f ms", len(texts), "y" if len(texts) == 1 else "ies",
            1000 * (encoded - began), 1000 * (ended - encoded),
        )  # fmt: skip
        return found

    if given:
        _print(given, answer(given), as_json)
    if interactive:
        _converse(answer, as_json)


def _converse(answer: Callable[[Sequence[str]], list[list[Hit]]], as_json: bool) -> None:
    """Answer each line until the end of the input; the prompt goes to stderr, and only to a person."""
    while True:
        if sys.stdin.isatty():
            print("query> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        if text := line.strip():
            _print([text], answer([text]), as_json)


def _print(queries: Sequence[str], found: Sequence[Sequence[Hit]], as_json: bool) -> None:
    for text, hits in zip(queries, found, strict=True):
        if not as_json:
            print(text if hits else f"{text}\n  nothing found")
        for hit in hits:
            if as_json:
                print(_json(hit), flush=True)
                continue
            print(f"  {hit.rank}. {hit.score:.3f}  {hit.id}  {hit.language}  {hit.text or ''}".rstrip(), flush=True)
            if hit.terms:
                parts = [f"{term} {part:.3f}" for term, part in hit.terms.items()]
                rest = sum([*hit.terms.values()][SHOWN:])
                more = [f"{len(parts) - SHOWN} others {rest:.3f}"] if len(parts) > SHOWN else []
                print(f"     {', '.join([*parts[:SHOWN], *more])}", flush=True)


def _json(hit: Hit) -> str:
    about = {name: of for name, of in asdict(hit).items() if name not in ("columns", "terms") or of}
    return json.dumps(about, ensure_ascii=False)


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
        print(_json(hit), flush=True)

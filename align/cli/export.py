"""What leaves: vectors to engines (``align export``, ``align verify-export``), a model to the Hub (``align push``)."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from align.cli.options.arguments import show
from align.cli.options.encoder_choice import EncoderChoice, QueryPrompt, takes_encoder
from align.errors import InputError

log = logging.getLogger(__name__)

Folder = Annotated[Path, typer.Argument(help="Folder of vectors, as align encode writes it.", metavar="VECTORS")]
EngineName = Annotated[str, typer.Argument(help="One of those above.", metavar="ENGINE")]
To = Annotated[str, typer.Argument(help="URL, DSN, file or folder, as above.", metavar="TO")]
Name = Annotated[str, typer.Option(help="Of the collection, table or index.")]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Of the engine, such as index=FLAT; repeat it."),
]
Retries = Annotated[int, typer.Option(min=0, help="Tries after the first, when a server does not answer.")]


def export(
    context: typer.Context,
    vectors: Folder,
    engine: EngineName,
    to: To,
    name: Name = "align",
    batch_rows: Annotated[int, typer.Option(min=1, help="Rows of one upsert.")] = 1024,
    option: Option = None,
    retries: Retries = 7,
) -> None:
    """Write vectors to a search engine; running it again completes what was cut off."""
    from align import export as run

    given = options_of(option)
    show(
        run(vectors, engine, to, name=name, batch_rows=batch_rows, retries=retries, progress=bool(context.obj), **given)
    )


@takes_encoder(without="prompt")
def verify_export(
    choice: EncoderChoice,
    vectors: Folder,
    engine: EngineName,
    to: To,
    name: Name = "align",
    queries: Annotated[int, typer.Option(min=1, help="How many, made from the vectors themselves.")] = 1000,
    queries_file: Annotated[Path | None, typer.Option(help="Queries of your own, one a line; needs --model.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="What encoded the vectors.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Answers of each query.")] = 10,
    recall: Annotated[float, typer.Option(min=0, max=1, help="The least of an engine that is not exact.")] = 0.99,
    seed: Annotated[int, typer.Option(help="Of the queries.")] = 0,
    option: Option = None,
    retries: Retries = 7,
    prompt: QueryPrompt = None,
) -> None:
    """Send the same queries to the engine and to the exact search; exit code 2 where they do not agree."""
    from align import verify_export as run

    given: Any = queries
    if (queries_file is None) != (model is None):
        raise InputError("expected --queries-file and --model together")
    if queries_file is not None:
        given = encoded(vectors, queries_file, choice, prompt)
    result = run(
        vectors, engine, to, name=name, queries=given, k=k, recall=recall, seed=seed, retries=retries,
        **options_of(option),
    )  # fmt: skip
    show(result)
    if not result["passed"]:
        raise InputError(reason(result))


def options_of(words: list[str] | None) -> dict[str, str]:
    """``["index=FLAT"]`` as a mapping."""
    pairs = [word.partition("=") for word in words or []]
    for key, sign, _ in pairs:
        if not sign or not key:
            raise InputError(f"--option is KEY=VALUE, got {key!r}")
    return {key.replace("-", "_"): value for key, _, value in pairs}


def encoded(vectors: Path, file: Path, choice: EncoderChoice, prompt: str | None) -> Any:
    """Vectors of the lines of a file, by the encoder of the stored ones."""
    from align.indexes.index import load_index
    from align.indexes.search import query_encoder
    from align.pairs.reading.queries import read_queries
    from align.text.normal_forms import normalised

    every = read_queries(file)
    lines = [line for line in every if normalised(line)]
    if not lines:
        raise InputError(f"{file} is empty: there is nothing to ask")
    if len(lines) < len(every):
        log.warning("%d of %d queries of %s are blank, and are not asked", len(every) - len(lines), len(every), file)
    return query_encoder(load_index(vectors), replace(choice, prompt=prompt).load(), prompt=prompt)(lines)


def reason(result: dict[str, Any]) -> str:
    """Why an export did not pass, in a sentence."""
    found = []
    if result["count"] < result["rows"]:
        found.append(f"it has {result['count']} of {result['rows']} rows")
    if result["exact"] and result["wrong_queries"]:
        found.append(f"{result['wrong_queries']} of {result['queries']} queries were answered otherwise")
    if not result["exact"] and result["recall"] < result["least_recall"]:
        found.append(f"recall@{result['k']} is {result['recall']:.4f}, expected {result['least_recall']} or more")
    for one in result["filtered"]:
        if one["wrong_queries"] if result["exact"] else one["recall"] < result["least_recall"]:
            found.append(
                f"of the {one['rows']} rows with {one['column']} {one['value']!r} it found {one['recall']:.4f}, "
                f"{one['wrong_queries']} of {one['queries']} queries were answered otherwise"
            )
    for one, how in (("sparse", "by terms"), ("hybrid", "by vectors and terms")):
        if one in result and not result[one]["passed"]:
            found.append(
                f"to {result[one]['queries']} queries {how} it found {result[one]['recall']:.4f} of the answers"
            )
    if result["unknown_ids"]:
        found.append(f"{result['unknown_ids']} answers are rows that are not in the vectors")
    if result["wrong_payloads"]:
        found.append(f"the payload of id {result['wrong_payloads'][0]!r} differs")
    return f"{result['engine']} at {result['to']} does not answer as the vectors do: {'; '.join(found)}"


def push(
    folder: Annotated[Path, typer.Argument(help="Folder that Align saved.")],
    repo: Annotated[str, typer.Argument(help="NAME or USER/NAME; made if it is not there.")],
    results: Annotated[
        list[Path] | None, typer.Option(help="Files or folders of align eval --out, of this model; repeat it.")
    ] = None,
    license: Annotated[str | None, typer.Option("--license", "--licence", help="If the card does not say it.")] = None,
    base_model: Annotated[str | None, typer.Option(help="The same.")] = None,
    datasets: Annotated[list[str] | None, typer.Option("--dataset", help="Id on the Hub; repeat it.")] = None,
    private: Annotated[bool, typer.Option("--private", help="If it is made: for its owner alone.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print files and the card's head; send nothing.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch; made if it is not there.")] = None,
    commit_message: Annotated[str, typer.Option(help="Of the commit.")] = "Upload a model of Align",
) -> None:
    """Upload a model to the Hugging Face Hub, with its scores in its card."""
    from align.publishing.push import push as upload

    done = upload(
        folder, repo, results=results or (), license=license, base_model=base_model, datasets=datasets, private=private,
        dry_run=dry_run, revision=revision, commit_message=commit_message,
    )  # fmt: skip
    if not dry_run:
        print(done.url)
        return
    width = max(map(len, done.files))
    print("\n".join(f"{name:{width}}  {size:>15,}" for name, size in done.files.items()))
    print(f"\n---\n{done.card.split('---')[1].strip()}\n---\n\nnothing was sent to {repo}")

"""``align eval run`` (or just ``align eval``) and ``align list``: benchmarks by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from align.cli.arguments import AsJson, listed, show, tell
from align.cli.encoder_choice import EncoderChoice, takes_encoder


@takes_encoder()
def run(
    context: typer.Context,
    choice: EncoderChoice,
    benchmark: Annotated[
        list[str], typer.Option("--benchmark", "-b", help="A name of `align list`, or a folder of aligned text.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(envvar="ALIGN_DATA", help="Folder with the benchmark's folder in it; none: from the Hub."),
    ] = None,
    languages: Annotated[str | None, typer.Option(help="Codes, or names of sets, with commas: only these.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Another than the benchmark's own.")] = None,
    candidates: Annotated[
        int | None,
        typer.Option(min=1, help="Of bli: words of each vocabulary; by default the protocol's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write MODEL.BENCHMARK.HASH.json to.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model in results; by default as it was given.")] = None,
    no_items: Annotated[bool, typer.Option("--no-items", help="Smaller files, without tests in comparisons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a benchmark, not tables.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Print every score, not the groups alone.")] = False,
    sentence_map: Annotated[bool, typer.Option("--map", help="A 2-D map of sentences, for the report.")] = False,
    layers: Annotated[
        Path | None, typer.Option(help="What `align eval layers` or `mexa` wrote of this encoder, for the report.")
    ] = None,
    mteb: Annotated[Path | None, typer.Option(help="Folder to write results in MTEB's shape to, too.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of kept scores; by default in the user's cache.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Score everything anew, and keep nothing.")] = False,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
) -> None:
    """Score an encoder on benchmarks: scores with intervals, groups, a file for each that `compare` and `report` read.

    What was scored is kept: the same again costs nothing, and an interrupted run goes on where it stopped.
    """
    from align.evaluation.benchmarks import find_benchmark
    from align.evaluation.evaluate import evaluate, rules_of
    from align.evaluation.result_table import result_table
    from align.evaluation.results import file_part, result_name, write_result
    from align.files.locks import locked
    from align.tasks import Protocol

    chosen = [find_benchmark(one) for one in dict.fromkeys(benchmark)]
    rules = [rules_of(one, protocol, candidates) for one in chosen]
    loaded = choice
    for place, rule in enumerate(rules):
        if isinstance(rule, Protocol):  # all are of one layer, or none is: they have one name
            rules[place], loaded = choice.followed(rule)
    if out:  # other models and benchmarks may be scored into the same folder meanwhile
        short = file_part("-".join(Path(name or choice.model).parts[-2:]))
        for one in chosen:
            context.with_resource(locked(out / f"{short}.{one.name}"))
    encoder = replace(loaded, bf16=choice.bf16 and choice.backend != "torch").load()  # torch: autocast, below
    codes = listed(languages)
    for one, rule in zip(chosen, rules, strict=True):
        result = evaluate(
            encoder, one, data=data, languages=codes, protocol=rule, name=name or choice.model,
            items=not no_items, cache=cache, use_cache=not no_cache, bf16=choice.bf16, resamples=resamples, seed=seed,
            progress=context.obj,
        )  # fmt: skip
        if sentence_map:
            result |= _map(encoder, one, data, codes)
        if layers:
            result |= _layers(layers, result)
        if out:
            write_result(out / f"{result_name(result)}.json", result)
        if mteb:
            _write_mteb(mteb, result)
        if as_json:
            show(result, indent=None)
        else:
            print(result_table(result, scores=scores))


def list_benchmarks(
    name: Annotated[str | None, typer.Argument(help="A benchmark: its languages in the data folder.")] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="ALIGN_DATA", help="Data folder: tells what is there, and in which languages.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tasks, benchmarks, languages, scripts and licences that `align eval` knows."""
    from align import list_benchmarks as run
    from align.evaluation.listing import benchmark_languages

    if name is not None:
        codes = benchmark_languages(name, data)
        tell(codes, "\n".join(codes), as_json=as_json)
        return
    rows = [
        {
            "benchmark": one.benchmark.name, "task": one.benchmark.task, "languages": list(one.languages),
            "licence": one.benchmark.licence, "from": one.benchmark.hub or one.benchmark.origin,
            "what": one.benchmark.about,
        } for one in run(data)
    ]  # fmt: skip
    tell(rows, _benchmark_table(rows), as_json=as_json)


def _benchmark_table(rows: list[dict[str, Any]]) -> str:
    from align.tasks.table import markdown

    header = ["benchmark", "task", "in the data folder", "licence", "from", "what"]
    return markdown(header, [[_counted(cell) for cell in row.values()] for row in rows])


def _counted(cell: str | list[str]) -> str:
    """How many languages and scripts, or sets, are in a list."""
    if isinstance(cell, str):
        return cell
    scripts = len({code.partition("_")[2] for code in cell if "_" in code})
    return f"{len(cell)} languages, {scripts} scripts" if scripts else f"{len(cell)} sets" if cell else "-"


def _map(encoder: Any, benchmark: Any, data: Path | None, languages: list[str] | None) -> dict[str, Any]:
    """A map of some lines of every language of a line-aligned benchmark."""
    from align.errors import InputError
    from align.evaluation.benchmarks import local_folder
    from align.evaluation.projection import sentence_map
    from align.evaluation.subset_readers import PIVOT
    from align.evaluation.subsets import subsets

    if benchmark.task != "retrieval":
        return {}
    texts: dict[str, list[str]] = {}
    for subset in subsets(benchmark, local_folder(benchmark, data), languages):
        try:
            loaded = subset.load()
        except InputError:
            continue  # evaluate has said so
        if texts and loaded.get(PIVOT) != texts[PIVOT]:
            continue  # Tatoeba: lines of one language only mean the same
        texts |= loaded
    return {"map": sentence_map(lambda lines, _: encoder.encode(lines), texts)}


def _layers(path: Path, result: dict[str, Any]) -> dict[str, Any]:
    from align.errors import InputError
    from align.files.whole import read_json

    found = read_json(path)
    if not isinstance(found, dict) or not {"layers", "encoder"} <= found.keys():
        raise InputError(f"{path} holds no scores of layers: expected what `align eval layers` or `mexa` wrote")
    if found["encoder"].get("fingerprint") != result["encoder"]["fingerprint"]:
        raise InputError(f"{path} is of another encoder than {result['model']}: expected the same weights")
    return {"layers": found["layers"]}


def _write_mteb(folder: Path, result: dict[str, Any]) -> None:
    from align.evaluation.mteb_shape import mteb_result
    from align.evaluation.results import file_part, result_name
    from align.files.whole import write_json

    shaped = mteb_result(result)
    revision = result_name(result).rpartition(".")[2]  # as MTEB: model, revision, task; nothing else has this one
    write_json(folder / file_part(result["model"]) / revision / f"{file_part(shaped['task_name'])}.json", shaped)

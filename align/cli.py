"""The command line: one verb per library function. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from align.errors import InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
pairs_app = typer.Typer(no_args_is_help=True, help="Build a table of pairs from raw text.")
eval_app = typer.Typer(no_args_is_help=True, help="Measure an encoder.")
app.add_typer(pairs_app, name="pairs")
app.add_typer(eval_app, name="eval")

Model = Annotated[str, typer.Argument(help="seed, a folder, or a name on the Hugging Face Hub.")]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="seed, a folder, or a name on the Hugging Face Hub.")]
Layer = Annotated[int | None, typer.Option(help="k of hidden_states[k]; by default what the model was saved with.")]
PoolingKind = Annotated[str | None, typer.Option("--pooling", help="mean, cls or weighted (by position).")]
Special = Annotated[bool | None, typer.Option("--special-tokens/--no-special-tokens", help="Whether <s>, </s> count.")]
Prompt = Annotated[str | None, typer.Option(help='Text before every input, such as "query: " for E5.')]
Processes = Annotated[int, typer.Option(min=1, help="Processes that romanise.")]
Backend = Annotated[str, typer.Option(help="uroman, or fast (extra fast-romanize: the same output, sooner).")]
Identity = Literal["drop", "keep"]
Groups = Literal["text", "line"]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write, whole or not at all.")]


def main() -> None:
    """Entry point: bad input is one sentence on stderr and exit code 2."""
    try:
        app()
    except InputError as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}")


def _fail(sentence: str) -> NoReturn:
    print(f"align: {sentence}", file=sys.stderr)
    raise SystemExit(2)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no log.")] = False,
) -> None:
    """Align multilingual encoders: scripts, languages, words."""
    if version:
        from align import __version__

        print(__version__)
        raise typer.Exit
    logging.basicConfig(level=logging.ERROR if quiet else logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("httpx", "httpx2", "sentence_transformers", "datasets", "torch", "faiss", "uroman"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # The libraries' own bars ("Generating train split") tell a user nothing; ours follow --quiet.
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    context.obj = not quiet


@app.command()
def romanize(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="Text file, plain or .gz.")],
    target: Annotated[Path, typer.Argument(help="File to write.")],
    lang: Annotated[str | None, typer.Option(help="iso639-3 or iso639-3_Script, such as hin_Deva.")] = None,
    backend: Backend = "uroman",
    processes: Processes = 1,
    cache: Annotated[Path | None, typer.Option(help="File that keeps romanised words between runs.")] = None,
) -> None:
    """Romanise a text file line by line, as uroman does."""
    from align.romanize import romanize_file, romanizer_version

    lines = romanize_file(
        source, target, lang=lang, backend=backend, processes=processes, cache=cache, progress=context.obj
    )
    _print({"lines": lines, "romaniser": romanizer_version(backend), "out": str(target)})


@pairs_app.command("transliteration")
def pairs_transliteration(
    texts: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders of <lang_Script>.txt[.gz], .jsonl, .parquet.")
    ] = None,
    out: Out = Path("pairs"),
    human: Annotated[
        list[Path] | None, typer.Option(help="Files of native TAB roman, named <lang_Script>.tsv.")
    ] = None,
    hub: Annotated[str | None, typer.Option(help="Dataset on the Hub, name or name:config, streamed.")] = None,
    lang: Annotated[str | None, typer.Option(help="Language of the Hub dataset, such as hin_Deva.")] = None,
    share: Annotated[float, typer.Option(help="Share of each language's lines (TransliCo 0.05, PPA 0.10).")] = 1.0,
    minimum: Annotated[int, typer.Option(help="At least so many lines of each language (PPA 10000).")] = 1,
    cap: Annotated[int | None, typer.Option(help="At most so many lines of each language.")] = None,
    temperature: Annotated[float, typer.Option(help="Over languages: 1 natural, 0 uniform.")] = 1.0,
    identity: Annotated[Identity, typer.Option(help="drop or keep pairs whose sides are equal.")] = "drop",
    groups: Annotated[Groups, typer.Option(help="text, or line if the files are line-aligned translations.")] = "text",
    licence: Annotated[str, typer.Option(help="Licence of the text, for the manifest.")] = "unknown",
    backend: Backend = "uroman",
    processes: Processes = 1,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
) -> None:
    """Pairs of a text and its romanisation, as Parquet with a manifest."""
    from align.pairs import Filters, HubText, Share, transliteration_pairs

    given: list[Any] = list(texts or [])
    if hub:
        name, _, config = hub.partition(":")
        given.append(HubText(name, config=config or None, language=lang, licence=licence))
    manifest = transliteration_pairs(
        given, out, human=human or (), share=Share(share, minimum, cap, temperature, seed),
        filters=Filters(identity=identity), groups=groups, backend=backend, processes=processes, licence=licence,
    )  # fmt: skip
    _print(
        {key: manifest[key] for key in ("rows", "languages", "rejects", "identity_pairs", "romaniser")}
        | {"out": str(out)}
    )


@app.command()
def train(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(help="A recipe in this package (transliteration, translico) or a .toml file.")
    ],
    pairs: Annotated[
        list[Path],
        typer.Option("--pairs", "-p", help="Table of pairs: folder, .parquet, .jsonl or .tsv; may be repeated."),
    ],
    out: Out,
    model: ModelOption = "seed",
    change: Annotated[list[str] | None, typer.Option("--set", help="A setting such as train.steps=100.")] = None,
    rehearse: Annotated[list[Path] | None, typer.Option(help="Text files whose vectors shall not move.")] = None,
    prompt: Prompt = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint of OUT.")] = False,
    report_to: Annotated[str, typer.Option(help="Tracker as transformers names it: tensorboard, wandb, ...")] = "none",
) -> None:
    """Align an encoder on pairs by a recipe."""
    from align.config import load_recipe
    from align.files import read_json, read_lines
    from align.pairs import read_pairs

    chosen = load_recipe(recipe, changes=change or ())
    table = read_pairs(*pairs)
    rehearsal = [line for path in rehearse or () for line in read_lines(path) if line.strip()]
    from align.callbacks import TrainingStopped
    from align.trainer import train as run

    encoder = _encoder(model, chosen.encoder.layer, chosen.encoder.pooling, chosen.encoder.special_tokens, prompt)
    manifests = [read_json(path / "manifest.json") for path in pairs if (path / "manifest.json").is_file()]
    about = {
        "romaniser": ", ".join(sorted({m["romaniser"] for m in manifests if "romaniser" in m})) or "not recorded",
        "sources": [source for m in manifests for source in m.get("sources", [])],
    }
    try:
        facts = run(
            encoder,
            table,
            chosen,
            out,
            rehearsal=rehearsal,
            resume=resume,
            report_to=report_to,
            about=about,
            progress=context.obj,
        )
    except TrainingStopped as error:
        print(f"align: training stopped: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    if os.environ.get("RANK", "0") == "0":  # the first process of torchrun, or the only one
        _print({key: value for key, value in facts.items() if key not in ("losses", "evaluations")} | {"out": str(out)})


@eval_app.command("retrieval")
def eval_retrieval(
    context: typer.Context,
    model: Model,
    data: Annotated[
        str, typer.Option(help="Folder of line-aligned files, a two-column .tsv, or a Hub dataset by name.")
    ],
    languages: Annotated[str | None, typer.Option(help="Codes, with commas: only these, in this order.")] = None,
    protocol: Annotated[str, typer.Option(help="align, glot500 or xtreme.")] = "align",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")] = None,
    per_item: Annotated[bool, typer.Option(help="Keep the rank of every line in the JSON.")] = False,
    layer: Layer = None,
    pooling: PoolingKind = None,
    special_tokens: Special = None,
    prompt: Prompt = None,
) -> None:
    """Sentence retrieval: the translation, or the other script, among all lines."""
    from align.files import write_json
    from align.tasks import combine, read_sets
    from align.tasks import retrieval as run
    from align.tasks.protocols import find_protocol

    chosen = find_protocol(protocol)
    wanted = [code.strip() for code in languages.split(",")] if languages else None
    sets = list(read_sets(data, languages=wanted))
    if chosen.layer is not None and layer is None:
        layer, pooling, special_tokens = chosen.layer, chosen.pooling, chosen.special_tokens
    encoder = _encoder(model, layer, pooling, special_tokens, prompt)
    result = combine(
        [
            run(lambda texts, _: encoder.encode(texts, progress=context.obj), texts, protocol=chosen, per_item=per_item)
            for texts in sets
        ]
    )
    if out:
        write_json(out, result.to_json() | {"model": model, "encoder": encoder.identity()})
    print(result.table())


@app.command()
def encode(
    context: typer.Context,
    model: Model,
    texts: Annotated[Path, typer.Argument(help="Text file, one text a line, plain or .gz.")],
    out: Out,
    ids: Annotated[
        Path | None, typer.Option(help="File of ids, one a line; by default the line numbers from 1.")
    ] = None,
    half: Annotated[bool, typer.Option("--float16", help="Store float16 instead of float32.")] = False,
    layer: Layer = None,
    pooling: PoolingKind = None,
    special_tokens: Special = None,
    prompt: Prompt = None,
) -> None:
    """Vectors of a text file, with ids and a manifest that says what made them."""
    import numpy as np

    from align.files import read_lines
    from align.index import save_embeddings

    lines = list(read_lines(texts))
    if not lines:
        raise InputError(f"{texts} is empty: there is nothing to encode")
    names = list(read_lines(ids)) if ids else [str(i) for i in range(1, len(lines) + 1)]
    if len(names) != len(lines):
        raise InputError(f"{ids} has {len(names)} ids, {texts} has {len(lines)} lines: expected one id for each line")
    encoder = _encoder(model, layer, pooling, special_tokens, prompt)
    vectors = encoder.encode(lines, progress=context.obj)
    save_embeddings(
        out, vectors.astype(np.float16) if half else vectors, names, encoder=encoder.identity(), texts=lines
    )
    _print({"rows": len(lines), "dimension": encoder.dimension, "out": str(out)})


@app.command()
def search(
    model: Model,
    index: Annotated[Path, typer.Argument(help="Folder written by align encode.")],
    query: Annotated[list[str], typer.Argument(help="Queries.")],
    k: Annotated[int, typer.Option("-k", help="Results per query.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a result.")] = False,
    layer: Layer = None,
    pooling: PoolingKind = None,
    special_tokens: Special = None,
    prompt: Prompt = None,
) -> None:
    """Exact search: the nearest texts of each query, best first."""
    from align.index import load_embeddings
    from align.index import search as run

    stored = load_embeddings(index)
    encoder = _encoder(model, layer, pooling, special_tokens, prompt)
    scores, rows = run(stored, encoder.encode(query), k, encoder=encoder.identity())
    for text, row_scores, row_numbers in zip(query, scores, rows, strict=True):
        if not as_json:
            print(text)
        for rank, (score, row) in enumerate(zip(row_scores, row_numbers, strict=True), 1):
            found = stored.texts[row] if stored.texts else ""
            if as_json:
                hit = {
                    "query": text,
                    "rank": rank,
                    "id": stored.ids[row],
                    "score": round(float(score), 6),
                    "text": found,
                }
                print(json.dumps(hit, ensure_ascii=False))
            else:
                print(f"  {rank}. {score:.3f}  {stored.ids[row]}  {found}")


@app.command()
def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything that the demo makes.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of training.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; by default the demo's own.")] = None,
) -> None:
    """Watch an encoder lose its script barrier: pairs, training, scores before and after, search; under 5 minutes."""
    from align.demo import run

    run(out, seed=seed, steps=steps, progress=context.obj)


def _encoder(
    model: str, layer: int | None, pooling: str | None, special_tokens: bool | None, prompt: str | None
) -> Any:
    from align.checkpoint import load_encoder

    return load_encoder(model, layer=layer, kind=pooling, special_tokens=special_tokens, prompt=prompt)


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()

"""``align train`` and ``align demo``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from align.cli.arguments import ModelOption, Out, Prompt, load, show
from align.errors import InputError


def train(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(help="A recipe in this package (transliteration, translico) or a .toml file.")
    ],
    pairs: Annotated[
        list[str],
        typer.Option("--pairs", "-p", help="Table: folder, .parquet, .jsonl or .tsv, or name=table; may be repeated."),
    ],
    out: Out,
    model: ModelOption = "seed",
    change: Annotated[list[str] | None, typer.Option("--set", help="A setting such as train.steps=100.")] = None,
    teacher: Annotated[str | None, typer.Option(help="Encoder whose vectors `distil` learns.")] = None,
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
    paths = named_tables(pairs)
    tables = {name: read_pairs(path) for name, path in paths.items()}
    rehearsal = [line for path in rehearse or () for line in read_lines(path) if line.strip()]
    from align.callbacks import TrainingStopped
    from align.trainer import train as run

    vector = chosen.encoder
    encoder = load(model, vector.layer, vector.pooling, vector.special_tokens, prompt, vector.average_layers)
    guide = load(teacher, None, None, None, None) if teacher else None
    manifests = [read_json(path / "manifest.json") for path in paths.values() if (path / "manifest.json").is_file()]
    about = {
        "romaniser": ", ".join(sorted({m["romaniser"] for m in manifests if "romaniser" in m})) or "not recorded",
        "sources": [source for m in manifests for source in m.get("sources", [])],
    }
    try:
        facts = run(
            encoder,
            tables,
            chosen,
            out,
            teacher=guide,
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
        stages = facts.get("stages", [facts])
        brief = [{k: v for k, v in stage.items() if k not in ("losses", "evaluations")} for stage in stages]
        show(({"stages": brief} if "stages" in facts else brief[0]) | {"out": str(out)})


def recipe(
    name: Annotated[
        str | None, typer.Argument(help="A recipe in this package or a .toml file; none: list them.")
    ] = None,
) -> None:
    """What a recipe does: every setting with its value and meaning, as TOML to start your own from."""
    from align.config import load_recipe, recipes
    from align.explain import explain

    if name is None:
        for one in recipes():
            chosen = load_recipe(one)
            stages = [", ".join(stage.objectives) for stage in chosen.stages or (chosen,)]
            print(f"{one:16} {'; then '.join(stages)}")
    else:
        print(explain(load_recipe(name)), end="")


def named_tables(given: list[str]) -> dict[str, Path]:
    """Paths by name: ``name=path``, or the path's own last part."""
    tables: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or Path(text).exists():
            name, path = Path(text).name.partition(".")[0], text
        if name in tables:
            raise InputError(f"two tables are called {name!r}: {tables[name]} and {path}; give name=path")
        tables[name] = Path(path)
    return tables


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything that the demo makes.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of training.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; by default the demo's own.")] = None,
) -> None:
    """Watch an encoder lose its script barrier: pairs, training, scores before and after, search; under 5 minutes."""
    from align.demo import run

    run(out, seed=seed, steps=steps, progress=context.obj)

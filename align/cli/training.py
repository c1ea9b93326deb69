"""``align train`` and ``align demo``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from align.cli.options.arguments import AllowLicences, AsJson, Out, listed, show, tell
from align.cli.options.encoder_choice import EncoderChoice, ModelOption, takes_encoder
from align.errors import InputError, there_are

if TYPE_CHECKING:
    from datasets import Dataset

    from align.encoders.encoder import Encoder
    from align.training.callbacks import Evaluator
    from align.training.recipe import Recipe

log = logging.getLogger(__name__)


@takes_encoder(
    without="layer pooling special_tokens average_layers bf16 backend attention offsets head language_tags"
)  # the recipe's
def train(
    context: typer.Context,
    choice: EncoderChoice,
    recipe: Annotated[
        str, typer.Argument(help="A recipe in this package (transliteration, translico) or a .toml file.")
    ],
    pairs: Annotated[
        list[str],
        typer.Option("--pairs", "-p", help="Table: folder, .parquet, .jsonl or .tsv, or name=table; may be repeated."),
    ],
    out: Out,
    model: ModelOption = "seed",
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting such as train.steps=100, in all stages, or STAGE.train.steps=100; may be repeated.",
        ),
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Encoder whose vectors `distil` learns, or that guides `guided`.")
    ] = None,
    rehearse: Annotated[list[Path] | None, typer.Option(help="Text files whose vectors shall not move.")] = None,
    evaluate: Annotated[
        list[str] | None,
        typer.Option(
            help="Score while training, every train.evaluate_every steps: TASK=PATH, a task of retrieval, xsim, mexa, "
            "bli, sts, wordsim, classification; TASK:NAME=PATH if a task comes twice; may be repeated."
        ),
    ] = None,
    evaluate_lines: Annotated[int, typer.Option(help="Lines of each set that are scored, the same every time.")] = 200,
    best: Annotated[str | None, typer.Option(help="Score that decides which weights are kept: retrieval/P@1.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many evaluations without a better --best: train.patience.")
    ] = None,
    check_overlap: Annotated[
        list[str] | None,
        typer.Option(help="Look for the texts of this test set in the pairs, for the model card; may be repeated."),
    ] = None,
    attention: Annotated[str | None, typer.Option(help="auto or padded: train.attention, in all stages.")] = None,
    loss: Annotated[str | None, typer.Option(help="auto or plain: train.loss, in all stages.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint of OUT.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove the checkpoints that an earlier run to OUT left, and start anew.")
    ] = False,
    allow_licences: AllowLicences = None,
    report_to: Annotated[str, typer.Option(help="Tracker as transformers names it: tensorboard, wandb, ...")] = "none",
) -> None:
    """Align an encoder on pairs by a recipe."""
    from align import read_pairs
    from align.encoders.saving import ENCODER
    from align.files.folders import check_replaceable, writing
    from align.files.licences import allowing
    from align.files.whole import read_json, read_lines
    from align.training.config import load_recipe
    from align.training.distributed import first_of_launch

    check_replaceable(out, ENCODER)
    context.with_resource(allowing(listed(allow_licences)))
    if first_of_launch():
        context.with_resource(writing(out, kind=ENCODER))
    chosen = load_recipe(recipe, changes=change or ())
    asked = {"patience": patience, "attention": attention, "loss": loss}
    chosen = with_training(chosen, {name: value for name, value in asked.items() if value is not None})
    paths = named_tables(pairs)
    tables = {name: read_pairs(path) for name, path in paths.items()}
    rehearsal = [line for path in rehearse or () for line in read_lines(path) if line.strip()]
    from align.training.callbacks import TrainingStopped
    from align.training.train import train as run

    encoder = replace(choice, **asdict(chosen.encoder)).load()
    guide = EncoderChoice(teacher, device=choice.device).load() if teacher else None
    manifests = [read_json(path / "manifest.json") for path in paths.values() if (path / "manifest.json").is_file()]
    about: dict[str, Any] = {
        "romaniser": ", ".join(sorted({m["romaniser"] for m in manifests if "romaniser" in m})) or "not recorded",
        "sources": [source for m in manifests for source in m.get("sources", [])],
    }
    if check_overlap and first_of_launch():
        about["overlap"] = overlap_of(tables, check_overlap, progress=context.obj)
    scored = scores_before(encoder, evaluate, evaluate_lines, best) if evaluate else None
    try:
        facts = run(
            encoder, tables, chosen, out, teacher=guide, rehearsal=rehearsal, evaluators=scored, best=best,
            resume=resume, fresh=fresh, report_to=report_to, about=about, progress=context.obj,
        )  # fmt: skip
    except TrainingStopped as error:
        print(f"align: training stopped: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    if first_of_launch():
        stages = facts.get("stages", [facts])
        brief = [{k: v for k, v in stage.items() if k not in ("losses", "evaluations")} for stage in stages]
        show(({"stages": brief} if "stages" in facts else brief[0]) | {"out": str(out)})


def with_training(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings of ``train`` in all its stages."""
    if recipe.stages:
        return replace(recipe, stages=tuple(with_training(stage, settings) for stage in recipe.stages))
    return replace(recipe, train=replace(recipe.train, **settings))


def overlap_of(tables: Mapping[str, Dataset], tests: Sequence[str], *, progress: bool) -> dict[str, Any]:
    """What ``align check-overlap`` finds in the tables, for the model card; its table goes to the log."""
    from align import check_overlap
    from align.pairs.overlap_result import overlap_table

    found = check_overlap(tables, tests, progress=progress).to_json()
    log.info("%s", overlap_table(found, most=10))
    return found


def scores_before(encoder: Encoder, specs: Sequence[str], lines: int, best: str | None) -> dict[str, Evaluator]:
    """The evaluators, after they scored the encoder as it is: what cannot be scored shows before the first step."""
    from align.evaluation.evaluators import evaluators
    from align.training.distributed import first_of_launch

    found = evaluators(specs, lines=lines)
    if first_of_launch():
        scores = {f"{name}/{score}": v for name, one in found.items() for score, v in one(encoder).items()}
        log.info("before training  %s", "  ".join(f"{name} {value:.4g}" for name, value in scores.items()))
        if best is not None and best not in scores:
            raise InputError(f"--best {best} is no score: the evaluators give {there_are(best, scores)}")
    return found


def recipe(
    name: Annotated[
        str | None,
        typer.Argument(help="A recipe in this package or a .toml file; none: list them and the objectives."),
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="A setting such as train.steps=100; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a recipe does: every setting with its value and meaning, as TOML to start your own from."""
    from align.objectives.registry import objectives
    from align.training.config import explain, load_changed, load_recipe, objectives_table, recipes

    if name is None:
        if change:
            raise InputError(f"--set {change[0]} changes no recipe: expected the name of one")
        loaded = {one: load_recipe(one) for one in recipes()}
        names = {one: [list(stage.objectives) for stage in each.stages or (each,)] for one, each in loaded.items()}
        lines = [f"{one:16} {'; then '.join(map(', '.join, stages))}" for one, stages in names.items()]
        about = {"recipes": names, "objectives": {name: one.summary for name, one in objectives().items()}}
        tell(about, "\n".join([*lines, "", objectives_table().removesuffix("\n")]), as_json=as_json)
    else:
        chosen, added = load_changed(name, change or ())
        tell(asdict(chosen), explain(chosen, added=added).removesuffix("\n"), as_json=as_json)


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

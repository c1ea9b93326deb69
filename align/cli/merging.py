"""``align merge``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from align.cli.options.arguments import Out, show
from align.errors import InputError, there_are

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

Method = Literal["linear", "slerp", "task", "ties", "dare"]


def merge(
    models: Annotated[list[str], typer.Argument(help="Two or more encoders of one architecture: folders or names.")],
    out: Out,
    method: Annotated[
        Method, typer.Option(help="linear, slerp; or of changes since --start: task (their sum), ties, dare.")
    ] = "linear",
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", "-w", help="With commas, one a model; repeatable: a sweep, which --best chooses of."),
    ] = None,
    start: Annotated[str | None, typer.Option(help="The encoder that all were trained from.")] = None,
    density: Annotated[
        float | None, typer.Option(help="Of ties and dare: share of each change that stays.  [default: 0.2; 0.5]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what dare drops.")] = 0,
    evaluate: Annotated[
        list[str] | None, typer.Option(help="Of a sweep: TASK=PATH on a dev part, as of align train; repeatable.")
    ] = None,
    evaluate_lines: Annotated[int, typer.Option(help="Lines of each set that are scored.")] = 200,
    best: Annotated[
        str | None, typer.Option(help="Score that a sweep chooses by: retrieval/P@1; with commas, their mean.")
    ] = None,
) -> None:
    """Merge encoders of one architecture into one: by their weights."""
    from align import merge as run

    if (best is None) != (not evaluate):
        raise InputError("a sweep needs --evaluate and --best, the score among its to choose by")
    sets = [_numbers(one) for one in weights or ()]
    made = run(
        models, out, method=method, weights=(sets if len(sets) > 1 else sets[0]) if sets else None, start=start,
        density=density, seed=seed, score=_score(evaluate, evaluate_lines, best) if evaluate and best else None,
    )  # fmt: skip
    show({**asdict(made), "out": str(out)})


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--weights {text}: expected numbers with commas, such as 0.7,1") from None


def _score(specs: list[str], lines: int, best: str) -> Callable[[Encoder], float]:
    from align.evaluation.evaluators import evaluators

    scored = evaluators(specs, lines=lines)

    def score(encoder: Encoder) -> float:
        found = {f"{name}/{key}": value for name, one in scored.items() for key, value in one(encoder).items()}
        names = best.split(",")
        if absent := [name for name in names if name not in found]:
            raise InputError(f"--best {absent[0]} is no score: the evaluators give {there_are(absent[0], found)}")
        return sum(found[name] for name in names) / len(names)

    return score

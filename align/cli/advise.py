"""``align advise``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from align.cli.options.arguments import AsJson, ResultFile, listed, tell
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder


@takes_encoder(without="offsets head backend language_tags")
def advise(
    choice: EncoderChoice,
    scores: Annotated[
        list[Path],
        typer.Argument(help="Tables (source, target, score), result files of `align eval`, folders of them."),
    ],
    target: Annotated[
        str | None, typer.Option(help="Languages to rank sources for, known or new, with commas.")
    ] = None,
    sources: Annotated[str | None, typer.Option(help="Sources to rank beside those that have scores.")] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", "-t", help="Folder of texts named hin_Deva.txt, or CODE=FILE; repeatable."),
    ] = None,
    parallel: Annotated[bool, typer.Option("--parallel", help="Line i says the same in all texts.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Encoder: seed, a folder, or a name on the Hub.")
    ] = None,
    sizes: Annotated[Path | None, typer.Option(help="Table (language, size) of the corpora it learnt from.")] = None,
    features: Annotated[str | None, typer.Option(help="Use these features, or kinds of them, alone.")] = None,
    task: Annotated[str | None, typer.Option(help="Of scores of several tasks, this one.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Sources shown of each target.")] = 5,
    as_json: AsJson = False,
    out: ResultFile = None,
) -> None:
    """Rank source languages for a target: known or new, by scores of other pairs; and say how well that holds."""
    from align import advise as run
    from align.transfer.evidence import Evidence, read_sizes, read_texts
    from align.transfer.scores import read_scores

    given = read_scores(scores, task=task)
    evidence = Evidence(
        read_texts(text or []), parallel, None if model is None else replace(choice, model=model).load(),
        {} if sizes is None else read_sizes(sizes),
    )  # fmt: skip
    found = run(
        given, listed(target) or [], evidence=evidence, sources=listed(sources) or [], features=listed(features)
    )
    tell(found, _table(found, top), as_json=as_json, out=out)


def _table(found: Mapping[str, Any], top: int) -> str:
    """The sources of each target, then how well such ranks hold and what they rest on."""
    from align.tasks.table import markdown

    parts = []
    for target, ranked in found["targets"].items():
        rows = [
            [place, one["source"], f"{one['gain']:+.4f}", "-" if one["measured"] is None else f"{one['measured']:.4f}"]
            for place, one in enumerate(ranked[:top], 1)
        ]
        parts.append(markdown([f"for {target}", "source", "gain", "measured"], rows))
    ways = found["held_out"]
    names = list(ways["predicted"])
    rows = [[way, *(_cell(of[name]) for name in names)] for way, of in ways.items()]
    parts.append(markdown([f"{found['held_out_targets']} targets held out", *names], rows))
    parts.append(markdown(["shuffled", "fall of rho"], [[name, _cell(of)] for name, of in found["importance"].items()]))
    parts += [f"without {name}: {reason}" for name, reason in found["lacking"].items()]
    parts += [f"{name} is not known of {', '.join(of)}" for name, of in found["unknown"].items()]
    return "\n\n".join(parts)


def _cell(value: list[float]) -> str:
    return "{:.3f} ({:.3f}, {:.3f})".format(*value)

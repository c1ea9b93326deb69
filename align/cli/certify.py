"""``align certify``: what rose and what fell between two encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import AsJson, listed, tell
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError


@takes_encoder(without="layer pooling special_tokens average_layers backend attention")
def certify(
    context: typer.Context,
    choice: EncoderChoice,
    model: Annotated[str, typer.Argument(metavar="BEFORE", help="seed, a folder, or a name on the Hub.")],
    after: Annotated[str, typer.Argument(help="The same, of the other encoder.")],
    data: Annotated[
        Path | None, typer.Option(envvar="ALIGN_DATA", help="Folder with the benchmarks' folders in it.")
    ] = None,
    grains: Annotated[
        str | None, typer.Option(help="With commas, of sentences, scripts, words, likeness, bias; by default all.")
    ] = None,
    languages: Annotated[str | None, typer.Option(help="Codes with commas, of sentences, scripts and bias.")] = None,
    offsets: Annotated[Path | None, typer.Option(help="Folder of align offsets, of AFTER.")] = None,
    head: Annotated[Path | None, typer.Option(help="Folder of align head words, for the words of AFTER.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the results, certificate.json and report.html."),
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write the table into the model card of AFTER, a folder.")
    ] = False,
    names: Annotated[str, typer.Option(help="Of the two, with a comma.")] = "before,after",
    as_json: AsJson = False,
    cache: Annotated[Path | None, typer.Option(help="Folder of kept scores; by default in the user's cache.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Score everything anew, and keep nothing.")] = False,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 1000,
    permutations: Annotated[int, typer.Option(min=1, help="Where there are too many to try all.")] = 9999,
    seed: Annotated[int, typer.Option(min=0, help="Seed of both.")] = 0,
) -> None:
    """What rose and what fell between two encoders: sentences, scripts, words, likeness and language bias."""
    from align import certify as run
    from align.evaluation.certificate import GRAINS
    from align.evaluation.results import result_name, write_result
    from align.files.whole import write_json
    from align.reporting.report import report
    from align.training.model_card import check_card, put_certificate

    called = [name.strip() for name in names.split(",")]
    if len(called) != 2:
        raise InputError(f"--names {names}: expected two names with a comma")
    if card:
        check_card(Path(after))
    plain = replace(choice, bf16=False, offsets=None, head=None)
    other = replace(plain, model=after, offsets=offsets)
    words = replace(plain, model=after, head=head).load if head else None
    found = run(
        plain.load, other.load, words=words, names=(called[0], called[1]), data=data,
        grains=listed(grains) or (*GRAINS,), languages=listed(languages), bf16=choice.bf16, cache=cache,
        use_cache=not no_cache, resamples=resamples, permutations=permutations, seed=seed, progress=bool(context.obj),
    )  # fmt: skip
    if out:
        kept = out / "results"
        for result in found.results:
            write_result(kept / f"{result_name(result)}.json", result)
        write_json(out / "certificate.json", found.to_json())
        report([kept], out / "report.html", baseline=called[0], title="Certificate", certificate=found)
    if card:
        put_certificate(Path(after), found.table())
    tell(found.to_json(), found.table(), as_json=as_json)

"""``align pairs``: tables of pairs from raw data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from align.cli.arguments import Backend, Licence, Out, Processes, show

app = typer.Typer(no_args_is_help=True, help="Build a table of pairs from raw data.")
Identity = Literal["drop", "keep"]
Groups = Literal["text", "line"]


@app.command("transliteration")
def transliteration(
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
    licence: Licence = "unknown",
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
    show(
        {key: manifest[key] for key in ("rows", "languages", "rejects", "identity_pairs", "romaniser")}
        | {"out": str(out)}
    )

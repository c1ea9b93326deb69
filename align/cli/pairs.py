"""``align pairs``: tables of pairs from raw data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from align.cli.arguments import Backend, Licence, Out, Processes, show
from align.cli.conditional import conditional
from align.cli.help_pages import Verbs, add_verbs
from align.cli.sources import Hub, Parallel, Split, Texts, pair_of, sources
from align.cli.synonyms import synonyms

Identity = Literal["drop", "keep"]
Groups = Literal["text", "line"]
Form = Literal["triplets", "pairs", "labels"]
Side = Literal["source", "target"]


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
    from align import transliteration_pairs
    from align.pairs import Filters, HubText, Share

    given: list[Any] = list(texts or [])
    if hub:
        name, _, config = hub.partition(":")
        given.append(HubText(name, config=config or None, language=lang, licence=licence))
    manifest = transliteration_pairs(
        given, out, human=human or (), share=Share(share, minimum, cap, temperature, seed),
        filters=Filters(identity=identity), groups=groups, backend=backend, processes=processes, licence=licence,
    )  # fmt: skip
    _show(manifest, out, "languages", "rejects", "identity_pairs", "romaniser")


def translation(
    texts: Texts = None,
    out: Out = Path("pairs"),
    hub: Hub = None,
    split: Split = "train",
    pivot: Annotated[
        str | None, typer.Option(help="Language in every pair of line-aligned text; by default eng_Latn.")
    ] = None,
    pivot_side: Annotated[Side, typer.Option(help="Side of the pivot.")] = "source",
    pair: Annotated[
        list[str] | None,
        typer.Option(help="Instead of the pivot: languages to pair, hin_Deva-tam_Taml; again for more."),
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Names of the two columns, or in .tsv numbers: 2,4.")] = None,
    exclude: Annotated[
        list[Path] | None, typer.Option(help="Test set, file or folder, whose texts no pair may hold; again for more.")
    ] = None,
    min_chars: Annotated[int, typer.Option(help="Shortest text kept.")] = 2,
    max_chars: Annotated[int, typer.Option(help="Longest text kept.")] = 1000,
    max_ratio: Annotated[float, typer.Option(help="Longest side to shortest, in letters.")] = 4.0,
    min_script_share: Annotated[float, typer.Option(help="Share of letters in the script of the language.")] = 0.3,
    copies: Annotated[Identity, typer.Option(help="drop or keep pairs whose sides are equal.")] = "drop",
    identify: Annotated[
        float | None,
        typer.Option(
            help="Reject a side that py3langid (extra langid) is so certain, 0.9 say, to be in another language."
        ),
    ] = None,
    licence: Licence = "unknown",
) -> None:
    """Pairs of translations: line-aligned files, .tsv, .tmx, .jsonl, .parquet or a Hub dataset."""
    from align import translation_pairs
    from align.pairs import TranslationFilters, language_identifier

    manifest = translation_pairs(
        sources(texts, hub, split, licence), out, pivot=pivot, pivot_side=pivot_side,
        pairs=[pair_of(each) for each in pair or ()], columns=pair_of(columns) if columns else None,
        filters=TranslationFilters(min_chars, max_chars, max_ratio, min_script_share=min_script_share, copies=copies),
        exclude=exclude or (), identify=language_identifier(certainty=identify) if identify else None, licence=licence,
    )  # fmt: skip
    _show(manifest, out, "lines", "language_pairs", "rejects", "excluded")


def nli(
    texts: Texts = None,
    out: Out = Path("pairs"),
    hub: Hub = None,
    split: Split = "train",
    form: Annotated[
        Form, typer.Option(help="triplets (entailed, contradicting), pairs (entailed) or labels (every row).")
    ] = "triplets",
    parallel: Parallel = False,
    numbers: Annotated[
        str, typer.Option(help="The labels that 0, 1, 2 stand for.")
    ] = "entailment,neutral,contradiction",
    licence: Licence = "unknown",
) -> None:
    """Pairs of natural language inference: label, premise, hypothesis in .tsv, .jsonl, .parquet or a Hub dataset."""
    from align import nli_pairs

    given = [label.strip() for label in numbers.split(",")]
    manifest = nli_pairs(
        sources(texts, hub, split, licence), out, form=form, parallel=parallel, numbers=given, licence=licence
    )
    _show(manifest, out, "lines", "languages", "labels", "negatives", "left_out", "rejects")


def sts(
    texts: Texts = None,
    out: Out = Path("pairs"),
    hub: Hub = None,
    split: Split = "train",
    scale: Annotated[tuple[float, float], typer.Option(help="Lowest and highest score the data can have.")] = (0, 5),
    parallel: Parallel = False,
    cross: Annotated[bool, typer.Option("--cross", help="Also pair the languages of row-aligned files.")] = False,
    per_row: Annotated[int | None, typer.Option(help="At most so many language combinations a row.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of their draw.")] = 0,
    licence: Licence = "unknown",
) -> None:
    """Scored pairs: score, sentence1, sentence2 in .tsv, .jsonl, .parquet or a Hub dataset."""
    from align import sts_pairs

    manifest = sts_pairs(
        sources(texts, hub, split, licence), out, scale=scale, parallel=parallel, cross=cross, per_row=per_row,
        seed=seed, licence=licence,
    )  # fmt: skip
    _show(manifest, out, "lines", "language_pairs", "cross_rows", "scale", "observed", "rejects")


def _show(manifest: dict[str, Any], out: Path, *keys: str) -> None:
    """The counts that a user looks at first; the manifest has the rest."""
    show({key: manifest[key] for key in ("rows", *keys)} | {"out": str(out)})


app = typer.Typer(cls=Verbs, no_args_is_help=True, help="Build a table of pairs from raw data.")
add_verbs(
    app,
    {
        "transliteration": transliteration,
        "translation": translation,
        "nli": nli,
        "sts": sts,
        "synonyms": synonyms,
        "conditional": conditional,
    },
)

"""``align pairs conditional``: tokens romanised, translated or passed, as a tagger decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from align.cli.arguments import Backend, Licence, Out, Processes, show
from align.errors import InputError

if TYPE_CHECKING:
    from align.pairs.tagging.tagger import Tagger

Variant = Literal["full", "partial", "mixed"]
Tokens = Literal["words", "spaces"]
Identity = Literal["drop", "keep"]
COUNTS = ("tokens", "actions", "tags", "lexicon_misses", "empty_romanisations", "joined")


def conditional(
    texts: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders of <lang_Script>.txt[.gz], .jsonl, .parquet.")
    ] = None,
    out: Out = Path("pairs"),
    variant: Annotated[
        Variant, typer.Option(help="Romanise every token (full), or by tag: or pass (partial), also translate (mixed).")
    ] = "partial",
    labelled: Annotated[
        Path | None, typer.Option(help="File to fit the tagger on: token TAB tag, blank line between sentences.")
    ] = None,
    tagger: Annotated[Path | None, typer.Option(help="Saved tagger, instead.")] = None,
    save_tagger: Annotated[Path | None, typer.Option(help="JSON file to save the tagger to.")] = None,
    lang: Annotated[str | None, typer.Option(help="Language of --labelled and --conll, such as mlt_Latn.")] = None,
    action: Annotated[
        list[str] | None, typer.Option(help="TAG=translit, TAG=translate or TAG=pass; again for more.")
    ] = None,
    actions: Annotated[Path | None, typer.Option(help="The same in a file: tag TAB action.")] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Translations: word TAB translation.")] = None,
    closed: Annotated[Path | None, typer.Option(help="Closed-class words, one a line, for the tagger.")] = None,
    folds: Annotated[int, typer.Option(help="Of the tagger's cross-validation; 0 for none.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of its split.")] = 0,
    tokens: Annotated[Tokens, typer.Option(help="Cut lines into words, or at spaces if they are tokens.")] = "words",
    identity: Annotated[Identity, typer.Option(help="drop or keep pairs whose sides are equal.")] = "drop",
    conll: Annotated[
        Path | None, typer.Option(help="Instead of texts: file of columns, a token a line; --out is the file to write.")
    ] = None,
    column: Annotated[int, typer.Option(help="Its column of tokens, from 1; 2 in CoNLL-U.")] = 1,
    licence: Licence = "unknown",
    backend: Backend = "uroman",
    processes: Processes = 1,
) -> None:
    """Pairs of a text and its conversion, token by token, as a tagger decides; or a converted CoNLL file."""
    from align.pairs.conditional import conditional_pairs
    from align.pairs.conversion import Conversion
    from align.pairs.filters.lines import Filters
    from align.pairs.reading.token_columns import convert_columns
    from align.pairs.tagging.word_tables import read_lexicon

    if conll and (texts or lang is None):
        raise InputError("--conll is one file, without texts beside it, and needs its --lang, such as mlt_Latn")
    if save_tagger and not (labelled or tagger):
        raise InputError("--save-tagger needs a tagger: give --labelled")
    words = read_lexicon(lexicon) if lexicon else None
    conversion = Conversion(variant, _actions(actions, action or []), words)
    romaniser: dict[str, Any] = {"backend": backend, "processes": processes}
    fit = {"lang": lang, "lexicon": words, "folds": folds, "seed": seed} | romaniser
    made = _tagger(labelled, tagger, closed=closed, **fit)
    if conll:
        counts = convert_columns(conll, out, made, conversion, lang=lang or "", column=column, **romaniser)
    else:
        counts = conditional_pairs(
            texts or [], out, made, conversion, tokens=tokens, filters=Filters(identity=identity), licence=licence,
            **romaniser,
        )  # fmt: skip
    if made and save_tagger:
        made.save(save_tagger)
    about = {key: counts[key] for key in ("rows", "languages", "rejects", "identity_pairs") if not conll}
    accuracy = made.facts.get("cross_validation") if made else None
    show(about | {key: counts[key] for key in COUNTS} | {"cross_validation": accuracy, "out": str(out)})


def _actions(file: Path | None, given: list[str]) -> dict[str, str]:
    from align.pairs.tagging.word_tables import read_actions

    actions = read_actions(file) if file else {}
    for text in given:
        tag, equals, action = text.rpartition("=")
        if not tag or not equals:
            raise InputError(f"expected TAG=ACTION, such as Arabic=translit, got {text!r}")
        actions[tag] = action
    return actions


def _tagger(labelled: Path | None, saved: Path | None, *, closed: Path | None, **options: Any) -> Tagger | None:
    from align.pairs.tagging.labelled_tagger import fit_tagger
    from align.pairs.tagging.tagger import Tagger
    from align.pairs.tagging.word_tables import read_words

    if labelled and saved:
        raise InputError("--labelled fits a tagger and --tagger loads one: give one of the two")
    if saved:
        return Tagger.load(saved)
    return fit_tagger(labelled, closed=read_words(closed) if closed else (), **options) if labelled else None

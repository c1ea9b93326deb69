"""Pairs of a text and its conditional transliteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from align.errors import InputError
from align.pairs.builder import Backend, Builder, Licence, Processes
from align.pairs.conversion import Conversion, Converter, Variant, convert_columns
from align.pairs.filters.shares import Share
from align.pairs.filters.texts import Filters
from align.pairs.reading.finding import find_sources
from align.pairs.reading.lines import Line
from align.pairs.reading.sources import Given
from align.pairs.romanizers import Romanizer, chosen_romanizer, each_language
from align.pairs.selection import Selection, write_selected
from align.pairs.table import pair_writer, text_group
from align.pairs.tagging.labelled_tagger import fit_tagger
from align.pairs.tagging.tagger import Tagger
from align.pairs.tagging.tokens import Tokens, join_tokens, split_tokens
from align.pairs.tagging.word_tables import described_lexicon, read_actions, read_lexicon, read_words
from align.text.languages import check_language

KIND = "conditional transliteration"
BLOCK_LINES = 20_000
COUNTS = ("tokens", "actions", "tags", "lexicon_misses", "empty_romanisations", "joined")


def conditional_pairs(
    texts: Given,
    out: Path | str,
    tagger: Tagger | None = None,
    conversion: Conversion | None = None,
    *,
    tokens: Tokens = "words",
    share: Share | None = None,
    filters: Filters | None = None,
    target_script: str = "Latn",
    backend: str = "uroman",
    processes: int = 1,
    licence: str = "unknown",
    romanizer: Romanizer | None = None,
) -> dict[str, Any]:
    """Write a table of texts and their conversions to the folder ``out`` and return its manifest.

    The source is the line as it was; in the target each token is converted and the white space between them is the
    same. Each line ends as in ``transliteration_pairs``: ``lines = rows + sum(rejects) + not_sampled``. So do identity
    pairs, of which texts that are passed whole are most. ``tokens``, ``actions``, ``tags``, ``lexicon_misses``,
    ``empty_romanisations`` and ``joined`` in the manifest count the tokens of all converted lines, identity pairs
    included.

    Args:
        texts: a file, a folder, a list of files, ``Source`` and ``HubText``, or ``{code: file or files}``, as in
            ``transliteration_pairs``.
        out: folder of the table; an older table there is replaced.
        tagger: as in ``convert``; its facts go into the manifest.
        conversion: as in ``convert``.
        tokens: how a line is cut into tokens, as in ``split_tokens``.
        share: how many lines of each language; all by default.
        filters: lengths, duplicates, identity pairs.
        target_script: script of the targets' language codes; another one only with a ``romanizer`` that writes it.
        backend: romaniser, as ``align.text.romanize.romanizer`` names them.
        processes: processes that romanise.
        licence: of the sources that do not carry their own, for the manifest.
        romanizer: a function to use instead of ``backend``; it sees each token on its own.

    Raises:
        InputError: as ``convert``; also a source that is missing, empty, damaged or misnamed, or no pair is left.
            Nothing is written.
    """
    sources = find_sources(texts, licence=licence)
    if not sources:
        raise InputError("no text is given: expected files, a folder or a dataset")
    split_tokens("", tokens)  # refuses an unknown way before anything is read
    check_language(f"und_{target_script}")
    share, filters, conversion = share or Share(), filters or Filters(), conversion or Conversion()
    run, version = chosen_romanizer(romanizer, backend=backend, processes=processes)
    converter = Converter(tagger, conversion, run)

    def converted(texts: list[str], language: str) -> list[str]:
        cut = [split_tokens(text, tokens) for text in texts]
        made = converter.convert([words for words, _ in cut], language)
        return [join_tokens(words, between) for words, (_, between) in zip(made, cut, strict=True)]

    def targets(lines: Sequence[Line]) -> list[str]:
        return each_language([line.text for line in lines], [line.language for line in lines], converted)

    def row(line: Line) -> dict[str, str]:
        target_lang = f"{line.language.partition('_')[0]}_{target_script}"
        codes = {"source_lang": line.language, "target_lang": target_lang}
        return codes | {"kind": KIND, "group_id": text_group(line.text)}

    with pair_writer(out) as writer:
        writer.manifest |= write_selected(
            sources, Selection(filters, share), writer, targets, row, identity=filters.identity, block_lines=BLOCK_LINES
        )
        writer.manifest |= converter.counts() | {
            "kind": KIND,
            "romaniser": version,
            "tagger": dict(tagger.facts) if tagger else None,
            "options": {
                "variant": conversion.variant,
                "actions": dict(conversion.actions),
                "lexicon": described_lexicon(conversion.lexicon),
                "tokens": tokens,
                "share": asdict(share),
                "filters": asdict(filters),
                "target_script": target_script,
            },
        }
    return writer.manifest


@dataclass(frozen=True)
class Options:
    """Pairs of a text and its conversion, token by token, as a tagger decides; or a converted CoNLL file."""

    texts: Annotated[list[Path] | None, "Files or folders of <lang_Script>.txt, .jsonl, .parquet."] = None
    variant: Annotated[
        Variant, "Romanise every token (full), or by tag: or pass (partial), also translate (mixed)."
    ] = "partial"
    labelled: Annotated[Path | None, "File to fit the tagger on: token TAB tag, blank line between sentences."] = None
    tagger: Annotated[Path | None, "Saved tagger, instead."] = None
    save_tagger: Annotated[Path | None, "JSON file to save the tagger to."] = None
    lang: Annotated[str | None, "Language of --labelled and --conll, such as mlt_Latn."] = None
    action: Annotated[list[str] | None, "TAG=translit, TAG=translate or TAG=pass; again for more."] = None
    actions: Annotated[Path | None, "The same in a file: tag TAB action."] = None
    lexicon: Annotated[Path | None, "Translations: word TAB translation."] = None
    closed: Annotated[Path | None, "Closed-class words, one a line, for the tagger."] = None
    folds: Annotated[int, "Of the tagger's cross-validation; 0 for none."] = 10
    seed: Annotated[int, "Seed of its split."] = 0
    tokens: Annotated[Tokens, "Cut lines into words, or at spaces if they are tokens."] = "words"
    filters: Filters = field(default_factory=Filters)
    conll: Annotated[Path | None, "Instead of texts: file of columns, a token a line; --out is the file to write."] = (
        None
    )
    column: Annotated[int, "Its column of tokens, from 1; 2 in CoNLL-U."] = 1
    licence: Licence = "unknown"
    backend: Backend = "uroman"
    processes: Processes = 1


def _build(given: Options, out: Path) -> dict[str, Any]:
    if given.conll and (given.texts or given.lang is None):
        raise InputError("--conll is one file, without texts beside it, and needs its --lang, such as mlt_Latn")
    if given.save_tagger and not (given.labelled or given.tagger):
        raise InputError("--save-tagger needs a tagger: give --labelled")
    words = read_lexicon(given.lexicon) if given.lexicon else None
    conversion = Conversion(given.variant, _actions(given.actions, given.action or []), words)
    romaniser: dict[str, Any] = {"backend": given.backend, "processes": given.processes}
    tagger = _tagger(given, words, romaniser)
    if given.conll:
        counts = convert_columns(
            given.conll, out, tagger, conversion, lang=given.lang or "", column=given.column, **romaniser
        )
    else:
        counts = conditional_pairs(
            given.texts or [], out, tagger, conversion, tokens=given.tokens, filters=given.filters,
            licence=given.licence, **romaniser,
        )  # fmt: skip
    if tagger and given.save_tagger:
        tagger.save(given.save_tagger)
    about = () if given.conll else ("rows", "languages", "rejects", "identity_pairs")
    accuracy = tagger.facts.get("cross_validation") if tagger else None
    return {key: counts[key] for key in (*about, *COUNTS)} | {"cross_validation": accuracy}


def _actions(file: Path | None, given: list[str]) -> dict[str, str]:
    actions = read_actions(file) if file else {}
    for text in given:
        tag, equals, action = text.rpartition("=")
        if not tag or not equals:
            raise InputError(f"expected TAG=ACTION, such as Arabic=translit, got {text!r}")
        actions[tag] = action
    return actions


def _tagger(given: Options, lexicon: dict[str, str] | None, romaniser: dict[str, Any]) -> Tagger | None:
    if given.labelled and given.tagger:
        raise InputError("--labelled fits a tagger and --tagger loads one: give one of the two")
    if given.tagger:
        return Tagger.load(given.tagger)
    if not given.labelled:
        return None
    closed = read_words(given.closed) if given.closed else ()
    options: dict[str, Any] = {"lang": given.lang, "lexicon": lexicon, "folds": given.folds, "seed": given.seed}
    return fit_tagger(given.labelled, closed=closed, **options, **romaniser)


BUILDER = Builder("conditional", Options, _build)

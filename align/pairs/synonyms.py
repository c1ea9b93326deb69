"""Synonym pairs: words of one meaning, in one language or in two."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from align.errors import InputError
from align.pairs.builder import Builder, Licence
from align.pairs.filters.held_out import EvaluationWords, GivenTests, Level
from align.pairs.filters.shares import PairShare, draw, language_pair_quotas, pair_name
from align.pairs.filters.texts import WordFilters
from align.pairs.lexicons.candidates import Candidates, Span, check_options
from align.pairs.lexicons.format import WordPair
from align.pairs.lexicons.lexicon import GivenLexicons, described, find_lexicons, given_lexicon
from align.pairs.lexicons.pivot import Pivot
from align.pairs.lexicons.registry import DICTIONARY, formats
from align.pairs.table import PairWriter, pair_writer
from align.text.case import lower
from align.text.languages import check_language

logger = logging.getLogger(__name__)

COUNTS = ("lines", "words", "concepts", "pairs", "left_out", "identical_pairs", "rejects", "excluded", "pivot")
"""Of the manifest, what the verb prints."""
SHOWN = 20


def synonym_pairs(
    sources: GivenLexicons,
    out: Path | str,
    *,
    languages: Sequence[str] = (),
    span: Span = "both",
    per_concept: int | None = 10,
    share: PairShare | None = None,
    filters: WordFilters | None = None,
    exclude: GivenTests = (),
    exclude_level: Level = "word",
    glosses: bool = False,
    self_pairs: bool = False,
    pivot: Pivot | str | None = None,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of synonym pairs to the folder ``out`` and return its manifest.

    Rows are words of concepts (PanLex, wordnets, names of entities, Wiktionary), of which pairs are made, and lines of
    dictionaries, which are pairs. ``group_id`` is the concept, of a dictionary its headword: ``eng_Latn:dog``. The kind
    is ``synonym``, ``gloss``, ``self`` or ``pivot``. In the manifest::

        lines                = words.read + pairs.lines
        words.read           = words.kept + words.rejected + words.left_out
        sum(pairs)           = rows + (sum(rejects) - words.rejected) + sum(left_out)

    where ``pairs`` counts all that could be: lines, from concepts, glosses, self, joined. Rejects are listed with file,
    line and reason in ``rejects.tsv``. A pair of the same two words in either order is a ``duplicate``, wherever it
    comes from. Memory: some 200 bytes a word of a concept, 70 a pair; with ``share`` some 150 a pair.

    Args:
        sources: dictionaries and other lexicons; ``GivenLexicons`` and ``Lexicon`` say how they are given.
        out: folder of the table; an older table there is replaced.
        languages: keep words of these only; (): of all (PanLex needs them). The pivot may be missing here.
        span: of concepts, pairs ``within`` a language, ``across`` languages, or ``both``.
        per_concept: of concepts, at most so many pairs, drawn; None: all.
        share: how many pairs to take of each two languages; None: all.
        filters: which words, glosses and pairs to keep.
        exclude: evaluation dictionaries, files, folders or patterns; ``EvaluationWords`` says how they are read.
        exclude_level: ``word``: no pair holds one of their words; ``pair``: no pair is one of theirs.
        glosses: also pair words with their glosses, where a source has them (the second kind of the paper's pairs).
        self_pairs: also pair every word with itself; dropout makes the two views differ (Mirror-BERT).
        pivot: also join dictionaries through this language: a-en and en-b give a-b.
        licence: of the sources whose licence is not known, for the manifest.

    Raises:
        InputError: a source is missing, empty, damaged or misnamed; a page of XML or HTML instead of a dictionary; a
            line of other than two columns; an unknown code or option; no pair is left. Nothing is written.

    References:
        Green, Ponzetto and Glavaš 2023, Massively Multilingual Lexical Specialization of Multilingual Transformers.
    """
    check_options(span, per_concept)
    languages = tuple(check_language(code) for code in languages)
    pivot = Pivot(pivot) if isinstance(pivot, str) else pivot
    filters, share, lexicons = filters or WordFilters(), share or PairShare(), find_lexicons(sources)
    with pair_writer(out) as writer:
        held_out = EvaluationWords(exclude, level=exclude_level)
        candidates = Candidates(
            writer, held_out, filters, frozenset(languages), span, per_concept, share.seed, glosses, self_pairs, pivot
        )
        entries: list[dict[str, Any]] = []
        kept = (pair for pair in _all(candidates, lexicons, entries, licence) if candidates.accepts(pair))
        cased = kept if filters.case == "keep" else map(_lower, kept)
        written = _write(cased, writer, share, candidates.left_out)
        if not writer.rows:
            candidates.check_languages()
        writer.manifest |= candidates.counts() | {
            "kind": "synonym",
            "language_pairs": written,
            "excluded": held_out.described(),
            "languages_without_pairs": _without_pairs(languages, written),
            "licences": sorted({entry["licence"] for entry in entries}),
            "sources": entries,
            "options": {
                "languages": list(languages),
                "span": span,
                "per_concept": per_concept,
                "share": asdict(share),
                "filters": asdict(filters),
                "exclude_level": exclude_level,
                "glosses": glosses,
                "self_pairs": self_pairs,
                "pivot": {**asdict(pivot), "direct": _names(pivot)} if pivot else None,
            },
        }
    return writer.manifest


def _names(pivot: Pivot) -> list[str]:
    return [lexicon.name for lexicon in find_lexicons(pivot.direct)] if pivot.direct else []


def _all(
    candidates: Candidates, lexicons: Sequence[Any], entries: list[dict[str, Any]], licence: str
) -> Iterator[WordPair]:
    for lexicon in lexicons:
        before = candidates.lines
        codes: set[str] = set()
        yield from candidates.read(lexicon, codes)
        entries.append(described(lexicon, candidates.lines - before, sorted(codes), licence))
    yield from candidates.from_concepts()
    yield from candidates.joined()
    yield from candidates.with_themselves()


def _write(kept: Iterator[WordPair], writer: PairWriter, share: PairShare, left_out: dict[str, int]) -> dict[str, int]:
    written: dict[str, int] = {}
    if share.rows is None and share.cap is None:
        for pair in kept:
            name = pair_name(pair.source_lang, pair.target_lang)
            written[name] = written.get(name, 0) + 1
            _add(pair, writer)
        return written
    pools: dict[str, list[WordPair]] = {}
    for pair in kept:
        pools.setdefault(pair_name(pair.source_lang, pair.target_lang), []).append(pair)
    available = {name: len(pool) for name, pool in pools.items()}
    written = language_pair_quotas(available, share)
    for name, wanted in written.items():
        for position in draw(available[name], wanted, language=name, seed=share.seed):
            _add(pools[name][position], writer)
    left_out["not sampled"] = sum(available.values()) - sum(written.values())
    return written


def _lower(pair: WordPair) -> WordPair:
    target = pair.target if pair.kind == "gloss" else lower(pair.target, pair.target_lang)
    return pair._replace(source=lower(pair.source, pair.source_lang), target=target)


def _add(pair: WordPair, writer: PairWriter) -> None:
    row = {"source": pair.source, "target": pair.target, "source_lang": pair.source_lang}
    writer.add(row | {"target_lang": pair.target_lang, "kind": pair.kind, "group_id": pair.concept})


def _without_pairs(languages: Sequence[str], written: dict[str, int]) -> list[str]:
    found = {code for name, rows in written.items() if rows for code in name.split("-")}
    missing = sorted(set(languages) - found)
    if missing and found:
        logger.warning("no pair is left of %s", ", ".join(missing))
    return missing


def _formats() -> dict[str, str]:
    """An option for each format but that of dictionaries, and its help."""
    return {name: one.help for name, one in formats().items() if name != DICTIONARY}


@dataclass(frozen=True)
class Options:
    """Synonym pairs, across languages and within, from free word lists."""

    texts: Annotated[
        list[str] | None,
        "Dictionaries, source TAB target (or a space): eng_Latn-deu_Latn=FILE, or files named so, or folders; and "
        "files of other formats, which are told by their first bytes.",
        "[CODE-CODE=]PATH",
    ] = None
    lexicons: Annotated[dict[str, list[str]], _formats] = field(default_factory=dict)
    languages: Annotated[str | None, "Words of these only: eng_Latn,deu_Latn,hin_Deva."] = None
    span: Annotated[Span, "Of concepts: pairs within a language, across languages, both."] = "both"
    per_concept: Annotated[int, "Of concepts: at most so many pairs; 0: all."] = 10
    glosses: Annotated[bool, "Also pair words with their glosses."] = False
    self_pairs: Annotated[bool, "Also pair every word with itself.", "--self"] = False
    pivot: Annotated[str | None, "Also join dictionaries through this language: eng_Latn."] = None
    min_routes: Annotated[int, "Joined pairs need so many pivot words."] = 1
    direct: Annotated[list[str] | None, "CODE-CODE=FILE to measure joined pairs against."] = None
    exclude: Annotated[list[str] | None, "Evaluation dictionary: file, folder or 'pattern/*'; again for more."] = None
    exclude_level: Annotated[Level, "No pair holds its words (word), or is one of it (pair)."] = "word"
    share: PairShare = field(default_factory=PairShare)
    filters: WordFilters = field(default_factory=WordFilters)
    lower: Annotated[bool, "Write words in lower case, as BLI has them."] = False
    licence: Licence = "unknown"


def _build(given: Options, out: Path) -> dict[str, Any]:
    if given.pivot is None and (given.direct or given.min_routes != 1):
        raise InputError("--direct and --min-routes are about joined pairs: give --pivot, such as eng_Latn")
    sources = [given_lexicon(text) for text in given.texts or ()]
    sources += [given_lexicon(text, name) for name, texts in given.lexicons.items() for text in texts]
    direct = tuple(given_lexicon(text, DICTIONARY) for text in given.direct or ())
    manifest = synonym_pairs(
        sources, out, languages=[code.strip() for code in given.languages.split(",")] if given.languages else (),
        span=given.span, per_concept=given.per_concept or None, glosses=given.glosses, self_pairs=given.self_pairs,
        share=given.share, filters=replace(given.filters, case="lower") if given.lower else given.filters,
        exclude=given.exclude or (), exclude_level=given.exclude_level, licence=given.licence,
        pivot=Pivot(given.pivot, given.min_routes, direct) if given.pivot else None,
    )  # fmt: skip
    counts = {key: _nonzero(manifest[key]) for key in ("rows", *COUNTS) if _nonzero(manifest[key])}
    return counts | {"language_pairs": _largest(manifest["language_pairs"])}


def _nonzero(count: Any) -> Any:
    return {key: value for key, value in count.items() if value} if isinstance(count, dict) else count


def _largest(pairs: dict[str, int]) -> dict[str, int]:
    """The language pairs with most rows, and the rest as one."""
    ranked = sorted(pairs.items(), key=lambda item: -item[1])
    rest = ranked[SHOWN:]
    return dict(ranked[:SHOWN]) | ({f"{len(rest)} more": sum(rows for _, rows in rest)} if rest else {})


BUILDER = Builder("synonyms", Options, _build)

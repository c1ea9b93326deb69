"""Synonym pairs: words of one meaning, in one language or in two."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from align.pairs.filters.evaluation_words import EvaluationWords, Level
from align.pairs.filters.held_out import GivenTests
from align.pairs.filters.language_pairs import PairShare, language_pair_quotas, pair_name
from align.pairs.filters.shares import draw
from align.pairs.filters.words import WordFilters
from align.pairs.lexicons.candidates import Candidates, Wanted
from align.pairs.lexicons.concepts import Span, check_options
from align.pairs.lexicons.kinds import GivenLexicons, described, find_lexicons
from align.pairs.lexicons.pivot import Pivot
from align.pairs.lexicons.rows import WordPair
from align.pairs.table import PairWriter, pair_writer
from align.text.languages import check_language

logger = logging.getLogger(__name__)


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
        wanted = Wanted(filters, frozenset(languages), span, per_concept, share.seed, glosses, self_pairs, pivot)
        candidates = Candidates(writer, held_out, wanted)
        entries: list[dict[str, Any]] = []
        kept = (pair for pair in _all(candidates, lexicons, entries, licence) if candidates.accepts(pair))
        cased = kept if filters.case == "keep" else map(_lower, kept)
        written = _write(cased, writer, share, candidates.left_out)
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
    target = pair.target if pair.kind == "gloss" else pair.target.lower()
    return pair._replace(source=pair.source.lower(), target=target)


def _add(pair: WordPair, writer: PairWriter) -> None:
    row = {"source": pair.source, "target": pair.target, "source_lang": pair.source_lang}
    writer.add(row | {"target_lang": pair.target_lang, "kind": pair.kind, "group_id": pair.concept})


def _without_pairs(languages: Sequence[str], written: dict[str, int]) -> list[str]:
    found = {code for name, rows in written.items() if rows for code in name.split("-")}
    missing = sorted(set(languages) - found)
    if missing and found:
        logger.warning("no pair is left of %s", ", ".join(missing))
    return missing

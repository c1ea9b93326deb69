"""Code-switched pairs: a sentence with words of another language in it, and the sentence, or its translation."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np

from align.errors import InputError
from align.pairs.builder import Builder, Licence, shown
from align.pairs.choices import check_choice
from align.pairs.lexicons.lexicon import GivenLexicons, given_lexicon
from align.pairs.reading.finding import find_sources
from align.pairs.reading.lines import read_source
from align.pairs.reading.sources import Given
from align.pairs.reading.table import read_pairs
from align.pairs.switching.lexicon import Languages, Switching, coverage, read_translations, switch_words
from align.pairs.switching.sentence import Sentence, cut
from align.pairs.table import PairWriter, pair_writer, text_group
from align.pairs.tagging.tokens import Tokens
from align.streams import stream

log = logging.getLogger(__name__)

Rows = Literal["both", "original", "translation"]


class Text(NamedTuple):
    """A text that is to be switched, into the language of its translation, or into any if it has none."""

    file: str
    number: int
    language: str
    text: str
    other: str = ""
    translation: str = ""
    group: str = ""
    problem: str = ""


def switched_pairs(
    tables: Path | str | Sequence[Path | str],
    lexicons: Path | str | GivenLexicons,
    out: Path | str,
    *,
    texts: Given = (),
    how: Switching | None = None,
    rows: Rows = "both",
    tokens: Tokens = "words",
    seed: int = 0,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of code-switched pairs to the folder ``out`` and return its manifest.

    Each side of a translation pair is switched into the language of the other one, as ``switch_words`` says. The
    mixed text is a source, whose targets are the text as it was (``original``) and its ``translation``; a text without
    translation is switched into one language of the dictionaries, drawn for each, and has the former alone. All of a
    text have one ``group_id``, that of the pair. What stays as it was is set aside: ``no word has a translation``; and
    text of a script without spaces between words, unless ``tokens`` are given.

    The share of words (tokens with a letter) that the dictionaries know is logged for each two languages before
    anything is written, and kept as ``coverage``.

    Args:
        tables: translation pairs, as :func:`align.read_pairs` reads them; ``()`` for none.
        lexicons: a table of ``align pairs synonyms``, or what :func:`align.synonym_pairs` takes; of a word the first
            translations are taken, in both directions.
        out: folder of the table; an older table there is replaced.
        texts: texts without translation, as :func:`align.transliteration_pairs` takes them.
        how: how much of a sentence is switched.
        rows: which pairs are written of a mixed text.
        tokens: how a text is cut into words, see :func:`align.pairs.tagging.tokens.split_tokens`; ``spaces`` if words
            are given with spaces between them, which in Chinese or Thai are then left out.
        seed: of what is drawn: each text has a stream of its own, by its number.
        licence: of the texts that do not carry their own, for the manifest.

    Raises:
        InputError: what the readers refuse; no dictionary of the languages of the texts; no word of any has a
            translation. Nothing is written.
    """
    check_choice("rows", rows, Rows)
    how = how or Switching()
    known, about = read_translations(lexicons)
    given = [*_given(tables, texts, licence)]
    ways = {way for one in given for way in _ways(one, known)}
    if not ways:
        languages = sorted({one.language for one in given})
        made = ", ".join(sorted("-".join(way) for way in known))
        raise InputError(f"no dictionary of the languages of the texts, {', '.join(languages)}; there are {made}")
    sentences = [cut(one.text, one.language, tokens) for one in given]
    covered = _coverage(given, sentences, known)
    with pair_writer(out) as writer:
        counts: Counter[str] = Counter()
        for number, one in enumerate(zip(given, sentences, strict=True)):
            counts += _write(writer, *one, known, how, rows, stream(seed, "switched", number))
        writer.manifest |= {
            "kind": "switched", "texts": len(given), **counts, "coverage": covered, "lexicons": about,
            "licences": sorted({source.get("licence", "unknown") for source in about} | {licence}),
            "options": asdict(how) | {"rows": rows, "tokens": tokens, "seed": seed},
        }  # fmt: skip
    return writer.manifest


def _given(tables: Path | str | Sequence[Path | str], texts: Given, licence: str) -> Iterator[Text]:
    """Both sides of each translation, and the texts without one."""
    tables = [tables] if isinstance(tables, (str, Path)) else list(tables)
    sources = find_sources(texts, licence=licence)
    if not (tables or sources):
        raise InputError("no text is given: expected tables of translation pairs, or texts")
    for number, row in enumerate(read_pairs(*tables) if tables else (), 1):
        sides = [(row["source_lang"], row["source"]), (row["target_lang"], row["target"])]
        if sides[0][0] == sides[1][0]:
            yield Text(str(tables[0]), number, *sides[0], problem="both texts are of one language")
            continue
        for (language, text), (other, translation) in (sides, sides[::-1]):
            yield Text(str(tables[0]), number, language, text, other, translation, row["group_id"])
    for source in sources:
        for line in read_source(source):
            yield Text(line.file, line.number, line.language, line.text, problem=line.problem or _empty(line.text))


def _empty(text: str) -> str:
    return "" if text else "empty"


def _ways(one: Text, known: Any) -> list[Languages]:
    """The two languages of its dictionary; of a text without translation those of all that are from its own."""
    ways = [(one.language, one.other)] if one.other else sorted(way for way in known if way[0] == one.language)
    return [way for way in ways if way in known and not one.problem]


def _coverage(given: Sequence[Text], sentences: Sequence[Sentence], known: Any) -> dict[str, dict[str, int]]:
    """Words that have a translation, of all, by two languages; logged.

    Raises:
        InputError: there is none.
    """
    of: dict[Languages, list[Sentence]] = {}
    for one, sentence in zip(given, sentences, strict=True):
        for way in _ways(one, known):
            of.setdefault(way, []).append(sentence)
    found: dict[str, dict[str, int]] = {}
    for way, some in sorted(of.items()):
        covered, words = coverage(some, known[way], way[0])
        found["-".join(way)] = {"covered": covered, "words": words}
        log.info("%s into %s: %d of %d words have a translation", *way, covered, words)
        if not covered:
            log.warning("%s into %s: none of %d words has a translation", *way, words)
    if not any(one["covered"] for one in found.values()):
        raise InputError(
            f"the dictionaries know no word of the texts, of {', '.join(found)}: are the texts and the dictionaries of "
            "these languages, and are words given as --tokens says?"
        )
    return found


def _write(
    writer: PairWriter, one: Text, sentence: Sentence, known: Any, how: Switching, rows: Rows, rng: np.random.Generator
) -> Counter[str]:
    ways = _ways(one, known)
    if not ways:
        problem = one.problem or f"no dictionary of {one.language}" + (f" into {one.other}" if one.other else "")
        writer.reject(problem, one.file, one.number, one.text)
        return Counter()
    way = ways[int(rng.integers(len(ways)))]
    made = switch_words(sentence, known[way], way, rng, how)
    counts = Counter(words=len(sentence.words), switched=len(made.changes), unknown=made.unknown)
    if not made.changes:
        problem = "no word has a translation" if sentence.words else "no spaces between words: give tokens"
        writer.reject(problem, one.file, one.number, one.text)
        return counts
    row = {"source": made.text, "source_lang": one.language, "kind": "switched"}
    row["group_id"] = one.group or text_group(one.text)
    if rows != "translation":
        writer.add(row | {"target": sentence.replaced({}), "target_lang": one.language})
    if rows != "original" and one.translation:
        writer.add(row | {"target": one.translation, "target_lang": one.other})
    return counts


@dataclass(frozen=True)
class Options:
    """Pairs of a text with words of another language in it, and the text as it was, or its translation."""

    tables: Annotated[
        list[Path] | None, "Tables of translation pairs: folders, or .tsv, .jsonl, .parquet.", "TABLE"
    ] = None
    lexicon: Annotated[
        list[str] | None, "Dictionary, eng_Latn-deu_Latn=FILE, or a table of align pairs synonyms; again for more."
    ] = None
    texts: Annotated[list[Path] | None, "Texts without translation: files or folders of <lang_Script>.txt."] = None
    how: Switching = field(default_factory=Switching)
    rows: Annotated[Rows, "Pairs of a mixed text: with the original, the translation, or both."] = "both"
    tokens: Annotated[Tokens, "Words are cut out, or given with spaces between them."] = "words"
    seed: Annotated[int, "Of what is drawn."] = 0
    licence: Licence = "unknown"


def _build(given: Options, out: Path) -> dict[str, Any]:
    lexicons = given.lexicon or []
    if not (given.tables or given.texts):
        raise InputError("no text is given: expected tables of translation pairs, or --texts")
    if not lexicons:
        raise InputError("no dictionary is given: expected --lexicon eng_Latn-deu_Latn=FILE, or a table of synonyms")
    alone = lexicons[0] if len(lexicons) == 1 and Path(lexicons[0]).is_dir() else [*map(given_lexicon, lexicons)]
    manifest = switched_pairs(
        given.tables or [], alone, out, texts=given.texts or (), how=given.how, rows=given.rows, tokens=given.tokens,
        seed=given.seed, licence=given.licence,
    )  # fmt: skip
    return shown(manifest, "texts", "words", "switched", "unknown", "coverage", "rejects")


BUILDER = Builder("switched", Options, _build)

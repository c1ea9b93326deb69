"""Texts with a class, such as a topic, in some languages, and without in others: each is paired with itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from align.errors import InputError, there_are
from align.pairs.builder import Builder, RowOptions, shown
from align.pairs.reading.finding import find_rows
from align.pairs.reading.records import bad_row, column, other_split, place_of, read_rows, text_of
from align.pairs.reading.sources import AnyRows, GivenRows, described
from align.pairs.table import pair_writer, text_group
from align.text.languages import check_language
from align.text.surrogates import SURROGATES

TEXT_COLUMNS = ("text", "sentence")
CLASS_COLUMNS = ("class", "category", "topic", "label")


class ClassRow(NamedTuple):
    """A text and its class, ``""`` if there is none; ``problem`` says why it cannot be used."""

    number: int
    text: str
    of: str
    problem: str


def class_pairs(
    texts: GivenRows, out: Path | str, *, labelled: Sequence[str] = (), licence: str = "unknown"
) -> dict[str, Any]:
    """Write a table of texts and their classes to the folder ``out`` and return its manifest.

    Source and target of a row are the same text, of which dropout makes two views; its ``class`` is empty where it is
    not known, or not to be known (``labelled``). ``lines = rows + sum(rejects)`` in the manifest, and ``classes`` has
    the texts of each; ``unlabelled`` has those without.

    Args:
        texts: files, folders, ``RowFile``, ``HubRows``, or ``{code: file or files}``. Files end in ``.tsv`` (with a
            header), ``.jsonl``, compressed or not, or ``.parquet``, have a column ``text`` (or ``sentence``) and may
            have one of ``class``, ``category``, ``topic``, ``label``, and are named ``eng_Latn.train.tsv``. A row whose
            column ``split`` is not train is set aside.
        out: folder of the table; an older table there is replaced.
        labelled: languages whose classes are kept; (): of all. Those of the others are dropped, and counted.
        licence: of the sources that do not carry their own, for the manifest.

    Raises:
        InputError: a source is missing, empty, damaged, misnamed or of two languages, or has no column of text; a
            language of ``labelled`` that no source has, or whose texts have no class; no text is left. Nothing is
            written.
    """
    wanted = [check_language(code) for code in labelled]
    sources = find_rows(texts, licence=licence)
    given = list(dict.fromkeys(_language(source) for source in sources))
    for code in wanted:
        if code not in given:
            raise InputError(f"no text is in {code}, whose classes are to be kept: there are {there_are(code, given)}")
    classes: Counter[str] = Counter()
    by_language: Counter[str] = Counter()
    entries, unlabelled, dropped = [], 0, 0
    with pair_writer(out) as writer:
        for source in sources:
            language, lines = source.languages[0], 0
            for row in read_classes(source):
                lines += 1
                if row.problem:
                    writer.reject(row.problem, source.name, row.number, row.text)
                    continue
                of = row.of if not wanted or language in wanted else ""
                dropped += bool(row.of) and not of
                unlabelled += not of
                classes[of] += bool(of)
                by_language[language] += bool(of)
                writer.add({
                    "source": row.text, "target": row.text, "source_lang": language, "target_lang": language,
                    "kind": "classes", "group_id": text_group(row.text), "class": of or None,
                })  # fmt: skip
            entries.append(described(source, lines, source.languages))
        without = next((code for code in wanted if not by_language[code]), "")
        if without or len(+classes) < 2:
            found = f"{without} has no text with a class" if without else f"the texts have {len(+classes)} classes"
            raise InputError(f"{found}: expected two classes or more, in a column {' or '.join(CLASS_COLUMNS)}")
        writer.manifest |= {
            "kind": "classes", "lines": sum(entry["lines"] for entry in entries), "classes": dict(+classes),
            "unlabelled": unlabelled, "classes_dropped": dropped,
            "licences": sorted({source.licence for source in sources}), "sources": entries,
            "options": {"labelled": wanted},
        }  # fmt: skip
    return writer.manifest


def read_classes(source: AnyRows) -> Iterator[ClassRow]:
    """Rows of one file or dataset, in order; a class is the text of its cell, whatever its case.

    Raises:
        InputError: the source is empty or damaged, or lacks a column of text; a class is no text and no number.
    """
    of_text = of_class = ""
    for number, record in read_rows(source):
        if bad := bad_row(record):
            yield ClassRow(number, "", "", bad)
            continue
        if not of_text:
            of_text = column(TEXT_COLUMNS, record, source.name)
        if not of_class:  # JSON may leave it out of a row
            named = [name for name in CLASS_COLUMNS if name in record]
            of_class = named[0] if named else ""
        text, problem = text_of(record.get(of_text))
        problem = problem or ("" if text else "empty") or ("lone surrogate" if SURROGATES.search(text) else "")
        value = record.get(of_class)
        of = "" if value is None or value != value else str(value).strip()  # NaN is not itself
        if isinstance(value, (list, dict)):
            raise InputError(f"{place_of(source, number)}: expected a text or a number as {of_class}, got {value!r}")
        yield ClassRow(number, text, of, other_split(record, source, number) or problem)


def _language(source: AnyRows) -> str:
    if len(set(source.languages)) != 1:
        raise InputError(f"{source.name} is in {'-'.join(source.languages)}: expected texts of one language")
    return source.languages[0]


@dataclass(frozen=True)
class Options(RowOptions):
    """Texts with a class (a topic) in some languages and without in others: .tsv, .jsonl, .parquet or a Hub dataset."""

    labelled: Annotated[str, "Languages whose classes are kept, with commas; by default all."] = ""


def _build(given: Options, out: Path) -> dict[str, Any]:
    labelled = [code for code in given.labelled.split(",") if code]
    manifest = class_pairs(given.sources(), out, labelled=labelled, licence=given.licence)
    return shown(manifest, "lines", "classes", "unlabelled", "classes_dropped", "rejects")


BUILDER = Builder("classes", Options, _build)

"""Rows of natural language inference: premise, hypothesis, label; and which of their premises are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from align.errors import InputError
from align.pairs.reading.bitexts import ENGLISH
from align.pairs.reading.records import (
    bad_row,
    check_aligned,
    column,
    missing_group,
    other_split,
    place_of,
    read_rows,
    two_texts,
)
from align.pairs.reading.sources import AnyRows
from align.pairs.table import LABELS, text_group
from align.text.surrogates import SURROGATES
from align.text.tags import is_tagged, row_language

UNDECIDED = ("", "-", "-1", "na", "nan", "none", "null")
"""What stands in the place of a label that the annotators did not agree on."""
XNLI_LANGUAGES = {
    "ar": "arb_Arab", "bg": "bul_Cyrl", "de": "deu_Latn", "el": "ell_Grek", "en": "eng_Latn", "es": "spa_Latn",
    "fr": "fra_Latn", "hi": "hin_Deva", "ru": "rus_Cyrl", "sw": "swh_Latn", "th": "tha_Thai", "tr": "tur_Latn",
    "ur": "urd_Arab", "vi": "vie_Latn", "zh": "zho_Hans",
}  # fmt: skip
"""Codes of the languages that XNLI writes with two letters (Conneau et al. 2018, arXiv:1809.05053)."""


class NliRow(NamedTuple):
    """One premise and hypothesis, and their place. ``label`` is one of ``LABELS``, or ``""`` if there is none.

    ``pair`` names the row in every language, where the data does (pairID of XNLI). ``problem`` says why the row cannot
    be used.
    """

    file: str
    number: int
    premise_lang: str
    hypothesis_lang: str
    premise: str
    hypothesis: str
    label: str
    pair: str
    problem: str


def read_nli(source: AnyRows, numbers: Sequence[str] = LABELS) -> Iterator[NliRow]:
    """Rows of one file or dataset, in order.

    The columns are ``label`` or ``gold_label``, ``premise`` or ``sentence1``, ``hypothesis`` or ``sentence2``; a column
    ``language``, if the source has no code of its own, names the language of a row, as XNLI does. Labels are words,
    their first letters, or 0, 1, 2, which stand for ``numbers`` in this order. A row whose column ``split`` is not
    train has that as its problem, and no label.

    Raises:
        InputError: the source is empty or damaged, lacks a column, or has an unknown label or language.
    """
    spelled = {label: label for label in LABELS} | {label[0]: label for label in LABELS}
    spelled |= {str(number): label for number, label in enumerate(numbers)}
    names: tuple[str, str, str] | None = None
    for number, record in read_rows(source):
        if bad := bad_row(record):
            codes = source.languages or ("", "")
            yield NliRow(source.name, number, codes[0], codes[-1], "", "", "", "", bad)
            continue
        names = names or _columns(record, source)
        place = place_of(source, number)
        premise, hypothesis, problem = two_texts(record, names[1:])
        premise_lang, hypothesis_lang = _languages(record.get("language"), source, place, premise)
        aside = other_split(record, source, number)
        label, problem = ("", aside) if aside else (_label(record.get(names[0]), spelled, place), problem)
        pair = str(record.get("pairID") or "")
        yield NliRow(source.name, number, premise_lang, hypothesis_lang, premise, hypothesis, label, pair, problem)


def _columns(record: Mapping[str, Any], source: AnyRows) -> tuple[str, str, str]:
    if not source.languages and "language" not in record:
        raise InputError(
            f"{source.name}: its language is not known: name the file by it, give CODE=FILE, in Python {{code: file}}, "
            "or a column 'language'"
        )
    label, premise = ("gold_label", "label"), ("premise", "sentence1")
    place, last = source.name, ("hypothesis", "sentence2")
    return column(label, record, place), column(premise, record, place), column(last, record, place)


def _languages(value: Any, source: AnyRows, place: str, text: str) -> tuple[str, str]:
    if source.languages:
        code = source.languages[0]
        if value in XNLI_LANGUAGES and not is_tagged(value, code):
            raise InputError(f"{place}: the row is in {value!r}, but the source was given as {code}")
        return code, source.languages[-1]
    try:
        code = XNLI_LANGUAGES.get(str(value)) or row_language(str(value), text)
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
    return code, code


def _label(value: Any, spelled: dict[str, str], place: str) -> str:
    label = "" if value is None else str(value).strip().casefold()
    label = re.sub(r"^(-?\d+)\.0+$", r"\1", label)  # pandas writes whole numbers so where some are missing
    if label in UNDECIDED:
        return ""
    if label not in spelled:
        raise InputError(f"{place}: unknown label {value!r}; expected one of {', '.join(spelled)}, or - for none")
    return spelled[label]


def premise_groups(rows: Sequence[NliRow]) -> list[str]:
    """``group_id`` of each row: of its premise, or of the premise of the same ``pair`` in one language.

    That language is English or, without it, the first to name the pair. Only rows of several languages are compared.
    """
    anchors: dict[str, str] = {}
    if len({row.premise_lang for row in rows}) > 1:
        for row in rows:
            if row.pair and (row.pair not in anchors or row.premise_lang == ENGLISH):
                anchors[row.pair] = _group(row)
    return [anchors.get(row.pair) or _group(row) for row in rows]


def _group(row: NliRow) -> str:
    usable = row.premise and not SURROGATES.search(row.premise)
    return text_group(row.premise) if usable else ""


class AlignedPremises:
    """Row-aligned translations, one source after another: row i of each has the premise of row i of the first."""

    def __init__(self) -> None:
        self._first: tuple[AnyRows, list[_Label]] | None = None
        self._groups: list[str] = []

    def groups(self, source: AnyRows, rows: Sequence[NliRow]) -> list[str]:
        """``group_id`` of each row of the next source."""
        labels = [_Label(row.number, row.label) for row in rows]
        if self._first is None:
            self._first = (source, labels)
            # a premise that is missing in the first source is still one premise in the others
            self._groups = [_group(row) or missing_group(source, row.number) for row in rows]
        check_aligned(
            self._first, (source, labels), lambda a, b: a.label == b.label, lambda one: f"the label {one.label or '-'}"
        )
        return self._groups


class _Label(NamedTuple):
    """What is kept of a row of the first source."""

    number: int
    label: str

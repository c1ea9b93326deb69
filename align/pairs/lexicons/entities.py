"""Names of territories, languages, scripts, currencies and emoji in many locales (CLDR, iso-codes)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from align.errors import InputError
from align.files.whole import existing_file
from align.pairs.lexicons.rows import ConceptWord
from align.pairs.reading.records import json_records
from align.pairs.reading.rows import tsv_records
from align.text.languages import check_language

LICENCES = {"cldr-": "Unicode-3.0", "iso-codes-": "LGPL-2.1-or-later"}
"""By the start of the file name: the collections that these files are taken from."""

INDIVIDUAL = {
    "ara": "arb", "aze": "azj", "fas": "pes", "kok": "gom", "kur": "kmr", "lav": "lvs", "mlg": "plt", "mon": "khk",
    "msa": "zsm", "nep": "npi", "nor": "nob", "ori": "ory", "orm": "gaz", "pus": "pbt", "que": "quy", "sqi": "als",
    "swa": "swh", "uzb": "uzn", "yid": "ydd", "zho": "cmn",
}  # fmt: skip
"""The language that is meant where a locale names a macrolanguage, as FLORES has it."""
SCRIPTS = {
    "Arab": "arb bgn ckb kas lrc mzn pbt pes snd uig urd",
    "Beng": "asm ben mni",
    "Cakm": "ccp",
    "Cans": "iku",
    "Cher": "chr",
    "Cyrl": "abk bak bel bul che chv kaa kaz khk kir kom kpv mhr mkd oss rus sah srp tat tgk tyv ukr",
    "Deva": "brx doi gom hin mai mar npi pli san xnr",
    "Ethi": "amh byn gez tig tir wal",
    "Geor": "kat",
    "Grek": "ell",
    "Gujr": "guj",
    "Guru": "pan",
    "Hang": "kor",
    "Hans": "cmn",
    "Hant": "yue",
    "Hebr": "heb ydd",
    "Armn": "hye",
    "Jpan": "jpn",
    "Khmr": "khm",
    "Knda": "kan",
    "Laoo": "lao",
    "Mlym": "mal",
    "Mymr": "mya shn",
    "Nkoo": "nqo",
    "Olck": "sat",
    "Orya": "ory",
    "Sinh": "sin",
    "Syrc": "syr",
    "Taml": "tam",
    "Telu": "tel",
    "Tfng": "shi zgh",
    "Thaa": "div",
    "Thai": "tha",
    "Tibt": "bod dzo",
    "Vaii": "vai",
    "Yiii": "iii",
}
"""Languages whose locales are not Latin when they do not name a script."""
NOT_LATIN = {language: script for script, languages in SCRIPTS.items() for language in languages.split()}
REGIONS = {
    "zh-cn": "Hans", "zh-sg": "Hans", "zh-tw": "Hant", "zh-hk": "Hant", "zh-mo": "Hant", "pa-pk": "Arab",
}  # fmt: skip
NAMES = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva", "iqtelif": "Latn"}
"""Scripts as the modifiers of POSIX locales name them (``sr@latin``)."""
LOCALE = re.compile(r"[a-z]{2,3}([-_@][A-Za-z0-9]+)*")


@functools.cache
def locale_language(locale: str) -> str:
    """Code of a locale, or ``""`` if it is not known.

    >>> [locale_language(name) for name in ("en", "sr@latin", "zh_TW", "pt_BR", "yue-Hans")]
    ['eng_Latn', 'srp_Latn', 'cmn_Hant', 'por_Latn', 'yue_Hans']
    """
    if not LOCALE.fullmatch(locale):
        return ""
    first, *rest = re.split("[-_@]", locale)
    language = _three_letters(first)
    language = INDIVIDUAL.get(language, language)
    named = [part for part in rest if re.fullmatch("[A-Z][a-z]{3}", part)]
    named += [NAMES[part] for part in rest if part in NAMES]
    region = REGIONS.get("-".join((first, *rest[:1])).lower(), "")
    try:
        return check_language(f"{language}_{(named or [region or NOT_LATIN.get(language, 'Latn')])[0]}")
    except InputError:
        return ""


def _three_letters(letters: str) -> str:
    from iso639 import Language, LanguageNotFoundError  # 0.3 s to import

    try:
        find = Language.from_part1 if len(letters) == 2 else Language.from_part3
        return str(find(letters).part3)
    except LanguageNotFoundError:
        return ""


def entity_words(path: Path | str) -> Iterator[ConceptWord]:
    """Names of a wide table, a row an entity and a column a locale, or of JSON Lines of lists of names.

    ``.tsv``: the first column is the key, every other one is headed by a locale (``en, sr-Latn, zh_CN, sr@latin``). A
    first column headed ``en`` is the key and the English name. An empty cell is no name. ``.jsonl``: the first member
    of an object is the key, every other one ``locale: [names]``; all names of an entity share the concept, which for
    emoji keywords means that they are related. The concept is ``file:key``. A name in a locale that has no code is a
    row with the problem ``unknown locale mo``.

    Raises:
        InputError: no such file, another ending, a header without locales, a line of other columns than the header, or
            names that are no text.
    """
    path = existing_file(path)
    stem = re.sub(r"\.(tsv|jsonl)(\.gz)?$", "", path.name)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _from_lists(path, stem)
    if path.name.endswith((".tsv", ".tsv.gz")):
        return _from_table(path, stem)
    raise InputError(f"{path}: expected names in a file that ends in .tsv, .jsonl or .gz of these")


def _from_table(path: Path, stem: str) -> Iterator[ConceptWord]:
    def check(header: list[str]) -> None:
        if not any(map(locale_language, header[1:])):
            found = ", ".join(header[:5])
            raise InputError(f"{path}, line 1: expected a key and locales, such as code TAB en TAB de, got {found}")

    for number, record in tsv_records(path, check):
        (first, key), *names = record.items()
        for locale, name in ([(first, key)] if first == "en" else []) + names:
            if name:
                yield _word(path, number, f"{stem}:{key}", locale, name)


def _from_lists(path: Path, stem: str) -> Iterator[ConceptWord]:
    for number, record in json_records(path):
        (_, key), *lists = record.items()
        for locale, names in lists:
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InputError(f"{path}, line {number}: expected a list of names in {locale!r}, got {names!r:.60}")
            for name in names:
                yield _word(path, number, f"{stem}:{key}", locale, name)


def _word(path: Path, number: int, concept: str, locale: str, name: str) -> ConceptWord:
    language = locale_language(locale)
    problem = "" if language else f"unknown locale {locale}"
    return ConceptWord(str(path), number, concept, language, name.strip(), problem=problem)

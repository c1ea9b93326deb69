"""Names of territories, languages, scripts, currencies and emoji in many locales (CLDR, iso-codes)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from align.errors import InputError
from align.files.whole import existing_file
from align.pairs.lexicons.format import ConceptWord, Format
from align.pairs.reading.records import json_records, tsv_records
from align.text.languages import check_language

LICENCES = {"cldr-": "Unicode-3.0", "iso-codes-": "LGPL-2.1-or-later"}
"""By the start of the file name: the collections that these files are taken from."""

INDIVIDUAL = {
    "ara": "arb", "aze": "azj", "fas": "pes", "kok": "gom", "kur": "kmr", "lav": "lvs", "mlg": "plt", "mon": "khk",
    "msa": "zsm", "nep": "npi", "nor": "nob", "ori": "ory", "orm": "gaz", "pus": "pbt", "que": "quy", "sqi": "als",
    "swa": "swh", "uzb": "uzn", "yid": "ydd", "zho": "cmn",
}  # fmt: skip
"""The language that is meant where a locale names a macrolanguage, as FLORES has it."""
LOCALES = (
    "abk_Cyrl amh_Ethi arb_Arab asm_Beng bak_Cyrl bel_Cyrl ben_Beng bgn_Arab bod_Tibt brx_Deva bul_Cyrl byn_Ethi "
    "ccp_Cakm che_Cyrl chr_Cher chv_Cyrl ckb_Arab cmn_Hans div_Thaa doi_Deva dzo_Tibt ell_Grek gez_Ethi gom_Deva "
    "guj_Gujr heb_Hebr hin_Deva hye_Armn iii_Yiii iku_Cans jpn_Jpan kaa_Cyrl kan_Knda kas_Arab kat_Geor kaz_Cyrl "
    "khk_Cyrl khm_Khmr kir_Cyrl kom_Cyrl kor_Hang kpv_Cyrl lao_Laoo lrc_Arab mai_Deva mal_Mlym mar_Deva mhr_Cyrl "
    "mkd_Cyrl mni_Beng mya_Mymr mzn_Arab npi_Deva nqo_Nkoo ory_Orya oss_Cyrl pan_Guru pbt_Arab pes_Arab pli_Deva "
    "rus_Cyrl sah_Cyrl san_Deva sat_Olck shi_Tfng shn_Mymr sin_Sinh snd_Arab srp_Cyrl syr_Syrc tam_Taml tat_Cyrl "
    "tel_Telu tgk_Cyrl tha_Thai tig_Ethi tir_Ethi tyv_Cyrl uig_Arab ukr_Cyrl urd_Arab vai_Vaii wal_Ethi xnr_Deva "
    "ydd_Hebr yue_Hant zgh_Tfng"
)
"""Languages whose locales are not Latin when they do not name a script."""
NOT_LATIN = dict(code.split("_") for code in LOCALES.split())
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


def _recognised(name: str, head: bytes) -> bool:
    """Whether the first line is a key and locales: two or more that are known, and most, of a heading or an object."""
    line = head.partition(b"\n")[0].decode("utf-8", "replace").strip("\ufeff\r")
    if name.endswith((".tsv", ".tsv.gz")):
        locales = line.split("\t")[1:]
    else:
        locales = re.findall(r'"([^"]*)": *\[', line) if name.endswith((".jsonl", ".jsonl.gz")) else []
    known = sum(map(bool, map(locale_language, locales)))
    return known > 1 and 2 * known > len(locales)


FORMAT = Format(
    "entities",
    lambda source, sides, languages: entity_words(source),
    help="Names: a .tsv of a key and locales, or .jsonl of lists.",
    recognises=_recognised,
    turn=4,
    licence=lambda source: next((held for start, held in LICENCES.items() if Path(source).name.startswith(start)), ""),
    page=(
        "CLDR, iso-codes", "names of territories, languages, ...", "a table, key and locales", "Unicode-3.0, LGPL-2.1"
    ),
)  # fmt: skip

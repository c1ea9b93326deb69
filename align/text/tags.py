"""Language tags of other people's files (``fr``, ``iw``, ``zh-TW``, ``sr@latin``) and the codes that they name."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

from align.errors import InputError
from align.text.language_names import named_language
from align.text.languages import (
    SCRIPT_VARIANTS,
    check_language,
    dominant_script,
    macrolanguage,
    script_share,
    three_letters,
)

INDIVIDUAL = {
    "ara": "arb", "aze": "azj", "fas": "pes", "kok": "gom", "kur": "kmr", "lav": "lvs", "mlg": "plt", "mon": "khk",
    "msa": "zsm", "nep": "npi", "nor": "nob", "ori": "ory", "orm": "gaz", "pus": "pbt", "que": "quy", "sqi": "als",
    "swa": "swh", "uzb": "uzn", "yid": "ydd", "zho": "cmn",
}  # fmt: skip
"""The language that is meant where a tag names a macrolanguage, as FLORES has it."""
OF_SCRIPT = {"kur_Arab": "ckb"}
"""The same where the script says it: Kurdish in Arabic letters is mostly Sorani."""
USUAL = (
    "abk_Cyrl acm_Arab ady_Cyrl aeb_Arab alt_Cyrl amh_Ethi apc_Arab arb_Arab arc_Syrc ars_Arab ary_Arab arz_Arab "
    "asm_Beng ava_Cyrl awa_Deva azb_Arab bak_Cyrl bal_Arab bel_Cyrl ben_Beng bgc_Deva bgn_Arab bho_Deva bod_Tibt "
    "bpy_Beng brx_Deva bua_Cyrl bul_Cyrl bxr_Cyrl byn_Ethi ccp_Cakm che_Cyrl chr_Cher chu_Cyrl chv_Cyrl ckb_Arab "
    "cmn_Hans cop_Copt dar_Cyrl div_Thaa doi_Deva dty_Deva dzo_Tibt ell_Grek gez_Ethi glk_Arab gom_Deva got_Goth "
    "grc_Grek guj_Gujr heb_Hebr hin_Deva hne_Deva hye_Armn iii_Yiii iku_Cans inh_Cyrl jpn_Jpan kaa_Cyrl kan_Knda "
    "kas_Arab kat_Geor kaz_Cyrl kbd_Cyrl khk_Cyrl khm_Khmr kir_Cyrl kjh_Cyrl kom_Cyrl kor_Hang kpv_Cyrl krc_Cyrl "
    "ksw_Mymr lao_Laoo lbe_Cyrl lez_Cyrl lrc_Arab lzh_Hant mag_Deva mai_Deva mal_Mlym mar_Deva mdf_Cyrl mhr_Cyrl "
    "mkd_Cyrl mni_Beng mnw_Mymr mrj_Cyrl mya_Mymr myv_Cyrl mzn_Arab new_Deva npi_Deva nqo_Nkoo orv_Cyrl ory_Orya "
    "oss_Cyrl pan_Guru pbt_Arab pes_Arab pli_Deva pnb_Arab prs_Arab rue_Cyrl rus_Cyrl sah_Cyrl san_Deva sat_Olck "
    "sdh_Arab shi_Tfng shn_Mymr sin_Sinh skr_Arab snd_Arab srp_Cyrl syr_Syrc tam_Taml tat_Cyrl tcy_Knda tel_Telu "
    "tgk_Cyrl tha_Thai tig_Ethi tir_Ethi tyv_Cyrl udm_Cyrl uig_Arab ukr_Cyrl urd_Arab vai_Vaii wal_Ethi wuu_Hans "
    "xal_Cyrl xmf_Geor xnr_Deva ydd_Hebr yue_Hant zgh_Tfng"
)
NOT_LATIN = dict(code.split("_") for code in USUAL.split())
"""The usual script of languages where that is not Latin."""
SEVERAL = {
    "azj", "cre", "hbs", "kas", "kaz", "khk", "kmr", "kur", "msa", "oji", "pan", "snd", "srp", "tat", "tgk", "tuk",
    "uzn", "zsm",
}  # fmt: skip
"""Languages of several scripts, of which the text decides; others are in that of ``NOT_LATIN``, or in Latin letters."""
MOLDAVIAN = ("mo", "mol")
"""Withdrawn codes of Romanian, which are in Cyrillic letters, too."""
REGIONS = {
    "zho": {"chs": "Hans", "cn": "Hans", "sg": "Hans", "cht": "Hant", "tw": "Hant", "hk": "Hant", "mo": "Hant"},
    "pan": {"pk": "Arab"}, "uzb": {"af": "Arab"}, "aze": {"ir": "Arab"}, "kaz": {"cn": "Arab"}, "kir": {"cn": "Arab"},
    "mon": {"cn": "Mong"},
}  # fmt: skip
"""Script that a region stands for, by macrolanguage (CLDR, likely subtags); ``zh-CHS`` and ``zh-CHT`` are Windows'."""
NAMES = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva", "iqtelif": "Latn"}
"""Scripts as the modifiers of POSIX locales name them (``sr@latin``)."""


AROUND_TAG = re.compile(r"^(?:text|sentence|sent|word|translation)[ _.-]|[ _.-](?:text|sentence|sent|word)$", re.I)
"""What stands beside a tag in the name of a column: ``sentence_eng_Latn``, ``en text``."""


class Tag(NamedTuple):
    """What a tag says."""

    first: str
    """Its first part, in lower case."""
    language: str
    """ISO 639-3; ``""``: unknown, or no living language (``gem-pro``)."""
    scripts: tuple[str, ...]
    """Named by it, or by its region; of several the first is meant."""


@functools.cache
def parsed(tag: str) -> Tag:
    """Language and script that a tag names, in BCP 47 or as a POSIX locale, deprecated codes (``iw``) too.

    >>> [parsed(tag)[1:] for tag in ("zh_TW.UTF-8", "sr@latin", "iw-IL", "mns-pro", "zh-yue", "uz-AF")]
    [('zho', ('Hant',)), ('srp', ('Latn',)), ('heb', ()), ('', ()), ('yue', ()), ('uzb', ('Arab',))]
    """
    first, *rest = re.split("[-_@]", re.sub(r"\.[^@]*", "", tag.lower()))  # without the encoding of a locale
    language = three_letters(first) if len(first) in (2, 3) and "pro" not in rest else ""
    if narrower := [part for part in rest if re.fullmatch("[a-z]{3}", part) and macrolanguage(part) == language]:
        language = first = narrower[0]  # an extended language of BCP 47: zh-min-nan
    scripts = [part.title() for part in rest if len(part) == 4 and part.isalpha()]
    scripts += [NAMES[part] for part in rest if part in NAMES]
    if not scripts:
        regions = REGIONS.get(macrolanguage(language), {}) if language else {}
        scripts = [regions[part] for part in rest if part in regions]
    return Tag(first, language, tuple(scripts))


@functools.cache
def is_tagged(tag: str, code: str) -> bool:
    """Whether a language tag (``en``, ``EN-us``, ``zh-Hant``, ``hin``) can name the language ``code``.

    The language is the same, or one is the macrolanguage of the other: ``ar`` for ``arb_Arab``, and ``cmn`` for
    ``zho_Hans``, since that is meant by it. A script in the tag must be that of the code, or a variant
    of it (``zh-Hant`` for ``zho_Hani``); the region of Chinese stands for one.
    """
    language, _, script = code.partition("_")
    named = parsed(tag)
    if script not in (*(named.scripts or [script]), *(SCRIPT_VARIANTS.get(one) for one in named.scripts)):
        return False
    can = (language, macrolanguage(language), INDIVIDUAL.get(language), OF_SCRIPT.get(code))
    return named.first == language or (named.language or three_letters(named.first)) in can


@functools.cache
def is_named(name: str, code: str) -> bool:
    """Whether a name (``German``, ``Deutsch``, ``allemand``) can mean the language ``code``, as :func:`is_tagged`."""
    return is_tagged(named_language(name) or "-", code)


def tagged_sides(cells: Sequence[str], source_lang: str, target_lang: str) -> tuple[int, int] | None:
    """Places of the two languages in a header, as tags or names; ``None``: ``cells`` do not hold one of each.

    No translation is taken for a header: its sides never name two languages.

    >>> tagged_sides(["id", "de", "eng_Latn"], "eng_Latn", "deu_Latn")
    (2, 1)
    >>> tagged_sides(["text_en", "text_de"], "eng_Latn", "deu_Latn")
    (0, 1)
    >>> tagged_sides(["Deutsch", "Englisch"], "eng_Latn", "deu_Latn"), tagged_sides(["German", "Deutsch"], "eng_Latn",
    ... "deu_Latn")
    ((1, 0), None)
    """
    tags = [AROUND_TAG.sub("", cell) for cell in cells]
    for known in (is_tagged, is_named):
        one, two = ([i for i, tag in enumerate(tags) if known(tag, code)] for code in (source_lang, target_lang))
        if len(one) == len(two) == 1 and one != two:
            return one[0], two[0]
    return None


def language_of_tag(tag: str, text: str, languages: Sequence[str] = ()) -> str:
    """Code of the language that a tag names and that ``text`` is in, or ``""`` if the tag names none.

    The script is the tag's own, else the usual one of the language, else that of most letters of ``text``. Of
    ``languages``, codes that the user wants, one that the tag can name goes before: ``zho_Hans`` for ``zh``, and of
    several (``srp_Latn``, ``srp_Cyrl``) the one whose script most letters of ``text`` have.

    >>> language_of_tag("fr", "chien"), language_of_tag("sh", "пас"), language_of_tag("cmn-Hans", "狗")
    ('fra_Latn', 'hbs_Cyrl', 'cmn_Hans')
    """
    if wanted := wanted_language(tag, text, languages):
        return wanted
    language, script = _with_usual_script(tag)
    return _checked(language, script or dominant_script(text).replace("Zyyy", "Latn"))


def row_language(value: str, text: str) -> str:
    """Code of what a column of languages holds: a code; or a tag (``en``, ``zh-Hans``) or name, and the text beside it.

    >>> row_language("hin_Deva", "x"), row_language("eng", "good morning"), row_language("Serbian", "добар дан")
    ('hin_Deva', 'eng_Latn', 'srp_Cyrl')

    Raises:
        InputError: none of these; for what is nearly a code the sentence names the right one.
    """
    named = _code(value) or language_of_tag(value, text) or language_of_tag(named_language(value) or "-", text)
    return named or check_language(value)


@functools.cache
def _code(value: str) -> str:
    """The value if it is a code, else ``""``."""
    try:
        return check_language(value)
    except InputError:
        return ""


def wanted_language(tag: str, text: str, languages: Sequence[str]) -> str:
    """The one of ``languages`` that a tag can name, or ``""``; see :func:`language_of_tag`."""
    wanted = _wanted(tag, tuple(languages))
    return max(wanted, key=lambda code: script_share(text, code.partition("_")[2])) if wanted[1:] else "".join(wanted)


@functools.cache
def locale_language(locale: str) -> str:
    """Code of a locale, whose script is its own, else the usual one of the language; ``""`` if it is not known.

    >>> [locale_language(name) for name in ("en", "sr@latin", "zh_TW", "pt_BR", "yue-Hans")]
    ['eng_Latn', 'srp_Latn', 'cmn_Hant', 'por_Latn', 'yue_Hans']
    """
    if not re.fullmatch(r"[a-z]{2,3}([-_@][A-Za-z0-9]+)*", locale):
        return ""
    named = parsed(locale)
    language = INDIVIDUAL.get(named.language, named.language)
    return _checked(language, (*named.scripts, NOT_LATIN.get(language, "Latn"))[0])


@functools.cache
def _wanted(tag: str, languages: tuple[str, ...]) -> list[str]:
    named = [code for code in languages if is_tagged(tag, code)]
    return [code for code in named if code.partition("_")[0] == parsed(tag).language] or named


@functools.cache
def _with_usual_script(tag: str) -> tuple[str, str]:
    """ISO 639-3 code and script of a tag, each ``""`` if it is not known."""
    named = parsed(tag)
    language = INDIVIDUAL.get(named.language, named.language)
    usual = (
        ""
        if language in SEVERAL or named.first in MOLDAVIAN
        else NOT_LATIN.get(language, "Latn" if len(named.first) == 2 else "")
    )
    return language, (*named.scripts, "Hani" if usual in ("Hans", "Hant") else usual)[0]


@functools.cache
def _checked(language: str, script: str) -> str:
    try:
        return check_language(f"{language}_{script}") if script != "Zzzz" else ""
    except InputError:
        return ""

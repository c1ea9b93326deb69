"""Language codes: ``iso639-3_Script`` (``hin_Deva``), as FLORES and Glot500 write them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

import regex

from align.errors import InputError

if TYPE_CHECKING:
    from iso639 import Language

# ISO 15924 codes that name a mixture or variant of Unicode scripts.
SCRIPT_VARIANTS = {
    "Hans": "Hani", "Hant": "Hani", "Jpan": "Hani", "Kore": "Hang", "Hrkt": "Kana", "Aran": "Arab", "Latf": "Latn",
    "Latg": "Latn", "Cyrs": "Cyrl", "Syre": "Syrc", "Syrj": "Syrc", "Syrn": "Syrc", "Geok": "Geor",
}  # fmt: skip
MIXED = {"Jpan": ("Hani", "Hira", "Kana"), "Kore": ("Hang", "Hani")}
"""ISO 15924 codes that stand for several Unicode scripts."""
DEPRECATED = {
    "iw": "heb", "in": "ind", "ji": "yid", "jw": "jav", "mo": "ron", "mol": "ron", "scc": "srp", "scr": "hrv",
}  # fmt: skip
"""Codes that were withdrawn, and are still in files and in Java's locales."""


@functools.cache
def check_language(code: str) -> str:
    """Return ``code`` if it is a known ISO 639-3 code, an underscore and a known ISO 15924 script.

    >>> check_language("hin_Deva")
    'hin_Deva'

    Raises:
        InputError: anything else; for a two-letter code the sentence names the three-letter one.
    """
    language, _, script = code.partition("_")
    if language in DEPRECATED or not (regex.fullmatch("[a-z]{3}", language) and _known_language(language)):
        raise InputError(f"unknown language code {code!r}: expected iso639-3_Script such as hin_Deva{_meant(code)}")
    if not (regex.fullmatch("[A-Z][a-z]{3}", script) and _script_pattern(script)):
        raise InputError(
            f"unknown script in language code {code!r}: expected an ISO 15924 code such as {language}_Latn"
            f"{_meant(code)}"
        )
    return code


def _meant(code: str) -> str:
    """The code that is meant by one that is nearly so: ``en_Latn``, ``hin-deva``, ``ell_Gre``; as a question, or ""."""
    first, *rest = regex.split("[-_]", code)
    language = three_letters(first.lower())
    scripts = get_close_matches(rest[0].title(), COMMON_SCRIPTS.split(), 1, 0.7) if rest else []
    if rest and regex.fullmatch("[A-Za-z]{4}", rest[0]) and _script_pattern(rest[0].title()):
        scripts = [rest[0].title()]
    if not language or "pro" in rest or (not scripts and language == first):
        return ""
    return f"; did you mean {language}_{scripts[0] if scripts else 'Script'}?"


def _known_language(code: str) -> bool:
    found = _language(code)
    return found.part3 == code if found else "qaa" <= code <= "qtz"  # reserved for private use


def _language(code: str) -> Language | None:
    from iso639 import Language, LanguageNotFoundError  # 0.3 s to import

    try:
        return Language.from_part3(code)
    except LanguageNotFoundError:
        return None


def three_letters(code: str) -> str:
    """ISO 639-3 code of a language given by another code of it, or by its English name; ``""`` if there is none.

    >>> three_letters("hi"), three_letters("chi"), three_letters("iw"), three_letters("Hindi")
    ('hin', 'zho', 'heb', 'hin')
    """
    from iso639 import Language, LanguageNotFoundError

    if code in DEPRECATED:
        return DEPRECATED[code]
    for name in dict.fromkeys([code, code.capitalize(), code.title()] if len(code) > 3 else [code]):
        try:
            return Language.match(name).part3
        except LanguageNotFoundError:
            continue
    return ""


@functools.cache
def macrolanguage(language: str) -> str:
    """ISO 639-3 code of the macrolanguage that a language belongs to, or its own.

    >>> macrolanguage("pes"), macrolanguage("hin")
    ('fas', 'hin')
    """
    found = _language(language)
    return found.macrolanguage or language if found else language


@functools.cache
def language_name(code: str) -> str:
    """English name of the language of a code, or ``""``.

    >>> language_name("hin_Deva")
    'Hindi'
    """
    found = _language(code.partition("_")[0])
    return found.name if found else ""


@functools.cache
def web_language(code: str) -> str | None:
    """BCP 47 tag of a code, which browsers choose fonts by; ``None`` if the code is not known.

    >>> web_language("zho_Hans"), web_language("ace_Arab")
    ('zh-Hans', 'ace-Arab')
    """
    try:
        language, _, script = check_language(code).partition("_")
    except InputError:
        return None
    found = _language(language)
    return f"{found.part1 or language}-{script}" if found else None


@functools.cache
def _script_pattern(*scripts: str) -> regex.Pattern[str] | None:
    """A letter of one of these scripts, or one that several share (Script Common), this one among them."""
    names = [SCRIPT_VARIANTS.get(script, script) for script in scripts]
    one = (rf"\p{{sc={name}}}|[\p{{scx={name}}}&&[\p{{sc=Zyyy}}\p{{sc=Zinh}}]]" for name in names)
    try:
        return regex.compile("|".join(one), regex.V1)
    except regex.error:
        return None


def script_share(text: str, script: str) -> float:
    """Share of the letters of ``text`` that belong to ``script`` (0 when it has no letter).

    ``Jpan`` counts Han and both Kana, ``Kore`` Hangul and Han. A letter that scripts share, such as the stroke that
    lengthens Arabic words or the mark of long vowels in Kana, belongs to each of them (Script_Extensions of Unicode).

    Raises:
        InputError: an unknown script.
    """
    letters = regex.findall(r"\p{L}", text)
    inside = _script_pattern(*MIXED.get(script, (script,)))
    if inside is None:
        raise InputError(f"unknown script {script!r}: expected an ISO 15924 code such as Latn")
    if not letters:
        return 0.0
    return sum(1 for letter in letters if inside.match(letter)) / len(letters)


def dominant_script(text: str) -> str:
    """ISO 15924 code of the Unicode script that most letters of ``text`` have; ``Zyyy`` when there is no letter.

    Letters that scripts share do not count.
    """
    counts: Counter[str] = Counter()
    for letter in regex.findall(r"[\p{L}--[\p{sc=Zyyy}\p{sc=Zinh}]]", text, regex.V1):
        counts[_script_of(letter)] += 1
    return counts.most_common(1)[0][0] if counts else "Zyyy"


def code_by_script(language: str, text: str) -> str:
    """``language`` with the script that most letters of ``text`` have; that of Kana is Jpan.

    >>> code_by_script("hin", "नमस्ते")
    'hin_Deva'
    """
    script = dominant_script(text)
    return f"{language}_{'Jpan' if script in ('Hira', 'Kana') else script}"


def latin(code: str) -> str:
    """The code of a language in Latin letters; "" of "", which is not known.

    >>> latin("hin_Deva")
    'hin_Latn'
    """
    return f"{code.partition('_')[0]}_Latn" if code else ""


def by_script(codes: Iterable[str]) -> dict[str, str]:
    """The code that each Unicode script stands for where it is that of one of the codes alone.

    >>> by_script(["hin_Deva", "rus_Cyrl", "ukr_Cyrl"])
    {'Deva': 'hin_Deva'}
    """
    found: dict[str, list[str]] = {}
    for code in codes:
        script = code.partition("_")[2]
        for name in MIXED.get(script, (SCRIPT_VARIANTS.get(script, script),)):
            found.setdefault(name, []).append(code)
    return {script: of[0] for script, of in found.items() if len(of) == 1}


COMMON_SCRIPTS = (
    "Latn Cyrl Grek Arab Hebr Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Thai Laoo Khmr Mymr Tibt Geor Armn "
    "Ethi Hang Hani Hira Kana Bopo Syrc Thaa Cher Cans Mong Yiii Tfng Nkoo Vaii Adlm Java Bali Olck Cakm Mtei Copt Goth"
)
RARE_SCRIPTS = (
    "Aghb Ahom Armi Avst Bamu Bass Batk Bhks Brah Brai Bugi Buhd Cari Cham Chrs Cpmn Cprt Diak Dogr Dsrt Dupl "
    "Egyp Elba Elym Gara Glag Gong Gonm Gran Gukh Hano Hatr Hluw Hmng Hmnp Hung Ital Kali Kawi Khar Khoj Kits "
    "Krai Kthi Lana Lepc Limb Lina Linb Lisu Lyci Lydi Mahj Maka Mand Mani Marc Medf Mend Merc Mero Modi Mroo "
    "Mult Nagm Nand Narb Nbat Newa Nshu Ogam Onao Orkh Osge Osma Ougr Palm Pauc Perm Phag Phli Phlp Phnx Plrd "
    "Prti Rjng Rohg Runr Samr Sarb Saur Sgnw Shaw Shrd Sidd Sind Sogd Sogo Sora Soyo Sund Sunu Sylo Tagb Takr "
    "Tale Talu Tang Tavt Tglg Tirh Tnsa Todr Toto Tutg Ugar Vith Wara Wcho Xpeo Xsux Yezi Zanb"
)
"""The other scripts of Unicode 16 that have letters; one that the installed ``regex`` does not know has none here."""


SCRIPTS = (*COMMON_SCRIPTS.split(), *RARE_SCRIPTS.split())
"""ISO 15924 codes of the scripts of Unicode."""


def check_script(code: str) -> str:
    """Return ``code`` if it is one of ``SCRIPTS``.

    Raises:
        InputError: anything else; a mixture such as Jpan is none.
    """
    if code not in SCRIPTS:
        near = get_close_matches(code.title(), SCRIPTS, 1, 0.6)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"unknown script {code!r}: expected an ISO 15924 code of one script, such as Tibt{meant}")
    return code


@functools.cache
def _script_of(letter: str) -> str:
    for script in SCRIPTS:
        pattern = _script_pattern(script)
        if pattern and pattern.match(letter):
            return script
    return "Zzzz"

"""From the language tags of lexicons (``fr``, ``cmn-Hans``, Wiktionary's ``sh``) to codes (``fra_Latn``)."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from align.errors import InputError
from align.pairs.lexicons.entities import INDIVIDUAL, NOT_LATIN
from align.pairs.reading.tmx import CHINESE_SCRIPTS, is_tagged
from align.text.languages import check_language, dominant_script, script_share, three_letters

SEVERAL = {"azj", "cre", "hbs", "kas", "kaz", "khk", "kur", "oji", "pan", "snd", "srp", "tat", "tgk", "tuk", "uzn"}
"""Languages of several scripts, of which the text decides; others are in that of ``NOT_LATIN``, or in Latin letters."""


def language_of_tag(tag: str, text: str, languages: Sequence[str] = ()) -> str:
    """Code of the language that a tag names and that ``text`` is in, or ``""`` if the tag names none.

    The script is the tag's own, else the usual one of the language, else that of most letters of ``text``. Of
    ``languages``, codes that the user wants, one that the tag can name goes before: ``zho_Hans`` for ``zh``, and of
    several (``srp_Latn``, ``srp_Cyrl``) the one whose script most letters of ``text`` have.

    >>> language_of_tag("fr", "chien"), language_of_tag("sh", "пас"), language_of_tag("cmn-Hans", "狗")
    ('fra_Latn', 'hbs_Cyrl', 'cmn_Hans')
    """
    wanted = _wanted(tag, tuple(languages))
    if wanted:
        return max(wanted, key=lambda code: script_share(text, code.partition("_")[2])) if wanted[1:] else wanted[0]
    language, script = _parts(tag)
    return _checked(language, script or dominant_script(text).replace("Zyyy", "Latn"))


@functools.cache
def _wanted(tag: str, languages: tuple[str, ...]) -> list[str]:
    named = [code for code in languages if is_tagged(tag, code)]
    if not named and tag.startswith("cmn"):  # which FLORES calls zho
        return [code for code in languages if code.startswith("zho_") and is_tagged("zho" + tag[3:], code)]
    return named


@functools.cache
def _parts(tag: str) -> tuple[str, str]:
    """ISO 639-3 code and script of a tag, each ``""`` if it is not known."""
    first, *rest = tag.lower().replace("_", "-").split("-")
    language = three_letters(first) if len(first) in (2, 3) else ""
    language = INDIVIDUAL.get(language, language)
    scripts = [part.title() for part in rest if len(part) == 4 and part.isalpha()]
    if language == "cmn":
        scripts += [CHINESE_SCRIPTS[part] for part in rest if part in CHINESE_SCRIPTS]
    usual = "" if language in SEVERAL else NOT_LATIN.get(language, "Latn" if len(first) == 2 else "")
    return language, (scripts or ["Hani" if usual in ("Hans", "Hant") else usual])[0]


@functools.cache
def _checked(language: str, script: str) -> str:
    try:
        return check_language(f"{language}_{script}") if script != "Zzzz" else ""
    except InputError:
        return ""

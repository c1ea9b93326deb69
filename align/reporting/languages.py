"""Languages as people and browsers name them."""

from __future__ import annotations

import functools

from align.errors import InputError
from align.text.languages import check_language


@functools.cache
def language_name(code: str) -> str:
    """English name of the language of a code, or ``""``.

    >>> language_name("hin_Deva")
    'Hindi'
    """
    from iso639 import Language, LanguageNotFoundError

    try:
        return Language.from_part3(code.partition("_")[0]).name
    except LanguageNotFoundError:
        return ""


@functools.cache
def web_language(code: str) -> str | None:
    """BCP 47 tag of a code, which browsers choose fonts by; ``None`` if the code is not known.

    >>> web_language("zho_Hans"), web_language("ace_Arab")
    ('zh-Hans', 'ace-Arab')
    """
    from iso639 import Language, LanguageNotFoundError

    try:
        language, _, script = check_language(code).partition("_")
        return f"{Language.from_part3(language).part1 or language}-{script}"
    except (InputError, LanguageNotFoundError):
        return None

"""Lower case as a language has it."""

from __future__ import annotations

TWO_I = {"tur_Latn", "azj_Latn", "aze_Latn", "crh_Latn", "gag_Latn"}
"""Languages whose I with and without a dot are two letters, as capitals too."""


def lower(text: str, code: str) -> str:
    """``text.lower()``; in Turkish and its like, I becomes ı and İ becomes i (SpecialCasing of Unicode).

    >>> lower("IŞIK İstanbul", "tur_Latn"), lower("ISIK", "eng_Latn")
    ('ışık istanbul', 'isik')
    """
    if code in TWO_I:
        text = text.replace("I\u0307", "i").replace("İ", "i").replace("I", "ı")
    return text.lower()


def one_i(text: str) -> str:
    """Text in lower case with one letter for i and ı: what two spellings share when their language is not known.

    >>> one_i("ışık") == one_i("IŞIK".casefold()), one_i("İ".casefold())
    (True, 'i')
    """
    return text if text.isascii() else text.replace("i\u0307", "i").replace("ı", "i")


def like_case(word: str, model: str, code: str) -> str:
    """``word`` with the capitals of ``model``: all, the first, or those that it has.

    >>> like_case("istanbul", "City", "tur_Latn"), like_case("haus", "HOUSE", "deu_Latn"), like_case("Haus", "it", "")
    ('İstanbul', 'HAUS', 'Haus')
    """
    if model.isupper() and len(model) > 1:
        return _upper(word, code)
    return _upper(word[:1], code) + word[1:] if model[:1].isupper() else word


def _upper(text: str, code: str) -> str:
    return (text.replace("i", "İ") if code in TWO_I else text).upper()

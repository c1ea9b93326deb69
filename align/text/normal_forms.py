"""When two texts are the same text: one normal form, wherever duplicates, test sets or meanings are compared."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b

import regex

# Scripts whose letters neither join nor stack: a joiner beside them changes nothing that a reader sees.
_UNSHAPED = ("Latn", "Grek", "Cyrl", "Armn", "Geor", "Hebr", "Ethi", "Cher", "Hani", "Hira", "Kana", "Hang", "Bopo",
             "Thai", "Laoo", "Zinh")  # fmt: skip
_SHAPED = r"[[\p{L}\p{M}]--[" + "".join(rf"\p{{scx={script}}}" for script in _UNSHAPED) + "]]"
_PICTURE = r"\p{Extended_Pictographic}\p{Emoji_Modifier}"
_MARK = regex.compile(r"(?V1)[\p{Default_Ignorable_Code_Point}--[\u180e\u200c\u200d]]")
_IDLE_JOINER = regex.compile(
    rf"(?V1)(?<!{_SHAPED})\u200c"  # of no letter that joins
    rf"|(?<!\u0647)\u200c(?!{_SHAPED})"  # after a word; but Kurdish writes the letter ae as heh and this mark
    rf"|(?<![{_SHAPED}{_PICTURE}])\u200d"
)


def visible(text: str) -> str:
    r"""The text without characters that nothing shows: ``Default_Ignorable_Code_Point`` of Unicode.

    Byte-order marks, zero-width spaces, marks and isolates of direction, soft hyphens, variation selectors. Joiners
    (U+200C, U+200D) stay where they carry meaning: beside letters that join or stack, as in Persian and in the scripts
    of India, and between the parts of an emoji; so does the Mongolian vowel separator.

    >>> visible("Snow\u200b fell.\ufeff")
    'Snow fell.'
    """
    if text.isascii():
        return text
    return str(_IDLE_JOINER.sub("", _MARK.sub("", text)))


def normalised(text: str) -> str:
    """``visible``, NFKC, case folded, each run of white space one space: texts equal here are the same text."""
    folded = unicodedata.normalize("NFKC", visible(text)).casefold()
    return " ".join((folded if folded.isascii() else unicodedata.normalize("NFKC", folded)).split())


def folded(text: str) -> str:
    """``visible``, case folded, each run of white space one space: texts equal here teach an encoder nothing.

    Not NFKC: full-width letters are other characters than those of ASCII.
    """
    return " ".join(visible(text).casefold().split())


def text_hash(text: str) -> int:
    """64 bits; among ten million texts two different ones meet with probability 3e-6."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())

"""uroman-fast for the characters on which it was shown to equal uroman, and for nothing else.

It differs on Han, Kana, Thai, Khmer, Myanmar, Tibetan, Yi and on many marks (the Indic nukta, pointed Hebrew, Persian
tanwin, combining accents), and it panics on lone surrogates and on Latin letters that uroman leaves as they are. Each
range below was compared with uroman on random strings of its characters, under the language codes that uroman has
rules for, and on real text.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Callable

from align.errors import InputError
from align.text.romanize import units
from align.text.romanize.registry import Romanizer

CHECKED_FAST = "0.1.0b0"

_COMMON = "0-9A-Za-z.‘’“”–—…«»"
EQUAL_RANGES = {
    "Latn": (
        "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0181\u0186\u018a\u018e\u018f\u0190\u0198\u0199\u01b3\u01b4"
        "\u01cd-\u01dd\u0218-\u021b\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u0269\u0272\u0289\u028b"
        "\u1e00-\u1eff"
    ),
    "Cyrl": "\u0400-\u0482\u048a-\u052f",
    "Grek": "\u0386\u0388-\u03ce\u1f00-\u1fbc\u1fc2-\u1fcc\u1fd0-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ffc",
    "Armn": "\u0531-\u0556\u0559-\u055f\u0561-\u0587\u0589\u058a",
    "Geor": "\u10d0-\u10f2",
    "Hebr": "\u05be\u05d0-\u05ea\u05f0-\u05f4",
    "Arab": "\u060c\u061b\u061f-\u064a\u064e-\u0655\u0660-\u06d4\u06f0-\u06f9\u200c",
    "Syrc": "\u0700-\u070a\u0710-\u074a",
    "Thaa": "\u0780-\u07b1",
    "Deva": "\u0902\u0903\u0905-\u0928\u092a-\u0930\u0932\u0933\u0935-\u0939\u093d-\u094d\u0964-\u096f",
    "Beng": "\u0982\u0983\u0985-\u09b9\u09be-\u09ce\u09dc-\u09df\u09e6-\u09f1\u0964",
    "Guru": "\u0a02\u0a05-\u0a39\u0a3e-\u0a4d\u0a59-\u0a5e\u0a66-\u0a6f\u0964",
    "Gujr": "\u0a82\u0a85-\u0ab9\u0abe-\u0acd\u0ae6-\u0aef\u0964",
    "Orya": "\u0b02\u0b03\u0b05-\u0b39\u0b3e-\u0b4d\u0b5c\u0b5d\u0b5f\u0b66-\u0b6f\u0964",
    "Taml": "\u0b83-\u0bb9\u0bbe-\u0bcd\u0be6-\u0bef",
    "Telu": "\u0c02\u0c03\u0c05-\u0c39\u0c3e-\u0c4d\u0c66-\u0c6f",
    "Knda": "\u0c82\u0c83\u0c85-\u0cb9\u0cbe-\u0ccd\u0ce6-\u0cef",
    "Mlym": "\u0d02\u0d03\u0d05-\u0d39\u0d3e-\u0d4d\u0d66-\u0d6f\u0d7a-\u0d7f",
    "Sinh": "\u0d82\u0d85-\u0dc6\u0dca-\u0ddf",
    "Laoo": "\u0e81-\u0ebd\u0ec0-\u0ecd\u0ed0-\u0edf",
    "Ethi": "\u1200-\u135a",
    "Hang": "\uac00-\ud7a3",
    "Cher": "\u13a0-\u13fd\uab70-\uabbf",
    "Cans": "\u1401-\u166c\u166f-\u167f",
    "Mong": "\u1820-\u1878",
    "Tfng": "\u2d30-\u2d67",
    "Nkoo": "\u07ca-\u07ea",
    "Olck": "\u1c5a-\u1c7d",
}
# One script a unit: a mixture goes to the reference.
_EQUAL = re.compile("|".join(f"[{_COMMON}{ranges}]+" for ranges in EQUAL_RANGES.values()))


def served_by_fast(unit: str) -> bool:
    """Whether uroman-fast is known to give what uroman gives for ``unit``."""
    return _EQUAL.fullmatch(unit) is not None


@functools.cache
def fast_version() -> str:
    """Version of the installed ``uroman-fast``.

    Raises:
        InputError: it is missing, or not the release that was compared with uroman.
    """
    install = "pip install align-encoders[fast-romanize]"
    try:
        version = importlib.metadata.version("uroman-fast")
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(
            f"the fast romaniser is not installed (it has no wheel for Python 3.13+): {install}"
        ) from error
    if version != CHECKED_FAST:
        raise InputError(f"uroman-fast {version} was not compared with uroman, {CHECKED_FAST} was: {install}")
    return version


def _of_language(lcode: str | None) -> Callable[[str], str]:
    """What romanises a unit: uroman-fast where it is known to be equal, else uroman."""
    fast_version()
    from uroman_fast import romanize

    def romanized(unit: str) -> str:
        if served_by_fast(unit) and units.uroman_version() == units.CHECKED_UROMAN:
            try:
                return str(romanize(unit, lang=lcode))
            except BaseException as error:  # a Rust panic is no Exception
                if type(error).__name__ != "PanicException":
                    raise
        return units.romanize_unit(unit, lcode)

    return romanized


def _start() -> None:
    units.load_uroman()
    _of_language(None)


ROMANIZER = Romanizer(
    "fast",
    "the same, sooner, with uroman-fast (extra `fast-romanize`)",
    version=lambda: f"uroman {units.uroman_version()} + uroman-fast {fast_version()}",
    of_language=_of_language,
    units=units.split_units,
    plain=units.is_plain,
    start=_start,
)

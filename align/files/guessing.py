"""Which encoding a text that is no UTF-8 is probably in, so that a message can say how to convert it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from align.errors import InputError
from align.files.packed import is_packed, open_bytes

SAMPLE = 1 << 20
"""So many bytes of a file are looked at."""
LEAST = 0.6
"""What a guess must score at least, of 1."""
FEW = 4
"""Bytes beyond ASCII from which another script than Latin is told."""
SHOWN = 24
_LATIN = (
    "äöüß", "àâæçéèêëîïôœùû", "áéíñóúü¿¡", "àáâãçéêíóôõú", "àèéìòù", "åäöé", "æøåé", "áðéíóúýþæö", "àçèéíïòóúü·",
    "ëïéèöü", "áéíóú", "çë",
)  # fmt: skip
_CYRILLIC = (
    "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф",
    "оеаинтсрвлкмдпуяыьгзбчйхжшюцщіїєґ",
    "оеаинтсрвлкмдпуяђјљњћџгзбчхжшцѓќѕ",
)
_POLISH, _HUNGARIAN, _CZECH = "ąćęłńóśźż", "áéíóöőúüű", "áčďéěíňóřšťúůýžäĺľŕô"
_CENTRAL = (_POLISH, _HUNGARIAN, _CZECH, "čćđšž", "ăâîşţ")
_TURKISH = ("çğıöşüâî",)
_GREEK = ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋ",)
_HEBREW = ("אבגדהוזחטיכלמנסעפצקרשתםןףץך",)
_ARABIC = ("ابتثجحخدذرزسشصضطظعغفقكلمنهويةىأإآءؤئ،؟", "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنهویآءئ،؟")
_THAI = ("กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหอฮะัาำิีึืุูเแโใไ่้็์ๆ",)
_KANA = ("のにはをたがでてとしれさいるならすこもかりあくうよきめまわせどそ。、ンースルトイアリラックド",)
_SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过后作里，。",
)
_TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過後作裡，。",
)
_HANGUL = ("이다는을의에가고하도지은기로사어한인나시자대리수아일해서그들라",)
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")
_CANDIDATES: tuple[tuple[str, str, tuple[str, ...], float], ...] = (
    ("cp1252", "WINDOWS-1252", _LATIN, 1), ("cp1250", "WINDOWS-1250", _CENTRAL, 1),
    ("iso8859_2", "ISO-8859-2", _CENTRAL, 1), ("cp1254", "WINDOWS-1254", _TURKISH, 1),
    ("cp1257", "WINDOWS-1257", _BALTIC, 1), ("mac_roman", "MACINTOSH", _LATIN, 1),
    ("cp850", "CP850", _LATIN, 1), ("cp1251", "WINDOWS-1251", _CYRILLIC, 1),
    ("koi8_r", "KOI8-R", _CYRILLIC[:1], 1), ("koi8_u", "KOI8-U", _CYRILLIC[1:2], 1),
    ("iso8859_5", "ISO-8859-5", _CYRILLIC, 1), ("cp866", "CP866", _CYRILLIC[:1], 1),
    ("cp1253", "WINDOWS-1253", _GREEK, 1), ("cp1255", "WINDOWS-1255", _HEBREW, 1),
    ("cp1256", "WINDOWS-1256", _ARABIC, 1), ("iso8859_6", "ISO-8859-6", _ARABIC, 1), ("cp874", "CP874", _THAI, 1),
    ("cp932", "SHIFT_JIS", _KANA, 2), ("euc_jp", "EUC-JP", _KANA, 2), ("gb18030", "GB18030", _SIMPLIFIED, 4),
    ("big5", "BIG5", _TRADITIONAL, 4), ("cp949", "CP949", _HANGUL, 3),
)  # fmt: skip
"""Codec, its name for iconv, the usual letters beyond ASCII of its languages in lower case, the most frequent first,
and by how much their share falls short of 1 where a script has more letters than are named here. Of equal ones the
first is taken."""
_LATIN_TABLES = {*_LATIN, *_CENTRAL, *_TURKISH, *_BALTIC}
_ASCII = re.compile(r"[\0-\x7f]")
_MARKS = re.compile("[“”„‚‘’–—…•€«»]")
"""All that text of English has beyond ASCII."""
_MIXED = re.compile(r"(?<=[A-Za-z])[^\0-\x7f]+|[^\0-\x7f]+(?=[A-Za-z])")
NAMES = {codec: name for codec, name, _, _ in _CANDIDATES} | {
    codec: codec.upper().replace("-LE", "LE").replace("-BE", "BE")
    for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
}


class Guess(NamedTuple):
    """An encoding by its codec, and the first text in it that ASCII does not have."""

    codec: str
    shown: str


def guess(data: bytes) -> Guess | None:
    """The encoding that text is probably in which is no UTF-8, by the letters that it gives; ``None``: none fits.

    Each candidate that can decode the text is scored by the share of its characters beyond ASCII that are the usual
    letters, in lower case, of one of its languages: a wrong table gives capitals, symbols and letters of several.

    >>> guess("Добрый день, Россия".encode("koi8-r"))
    Guess(codec='koi8_r', shown='Добрый день, Россия')
    """
    if b"\0" in data:
        return _wide(data)
    lines = b"\n".join(line for line in data.splitlines() if not line.isascii())
    few = sum(byte > 127 for byte in lines) < FEW
    scored = [
        (_score(text, usual, factor), codec, text)
        for codec, usual, factor, text in _decoded(lines)
        if not few or usual[0] in _LATIN_TABLES
    ]
    score, codec, text = max(scored, key=lambda one: one[0], default=(0.0, "", ""))
    return Guess(codec, _shown(text)) if score >= LEAST else None


def _decoded(data: bytes) -> list[tuple[str, tuple[str, ...], float, str]]:
    found = []
    for codec, _, usual, factor in _CANDIDATES:
        try:
            found.append((codec, usual, factor, data.decode(codec)))
        except UnicodeDecodeError as error:
            if error.start > len(data) - 4 > 0:  # a character that the end of the sample cuts
                found.append((codec, usual, factor, data[: error.start].decode(codec)))
    return found


def _score(text: str, languages: Sequence[str], factor: float) -> float:
    count = len(text) - len(_ASCII.findall(text))
    if count and not _ASCII.sub("", _MARKS.sub("", text)):
        return 1.0 if languages[0] in _LATIN_TABLES else 0.0
    if languages[0] not in _LATIN_TABLES:
        text = _MIXED.sub("", text)  # Latin letters with others in one word are of a wrong table
    best = max(sum(map(_weights(usual).get, text, repeat(0.0))) for usual in languages)
    return min(1.0, factor * best / count) if count else 0.0


@cache
def _weights(usual: str) -> dict[str, float]:
    """1 for the most frequent letter, a little less for each that follows, and half of that for its capital."""
    falling = {letter: 1 - 0.003 * place for place, letter in enumerate(usual)}
    return {letter.upper(): weight / 2 for letter, weight in falling.items() if len(letter.upper()) == 1} | falling


def _wide(data: bytes) -> Guess | None:
    """UTF-32 or UTF-16 without a byte-order mark: a byte of each character says its block, the same for most."""
    for codec in ("utf-32-le", "utf-32-be"):  # what is not UTF-32 gives numbers beyond all characters
        try:
            text = data[: len(data) // 4 * 4].decode(codec)
        except UnicodeDecodeError:
            continue
        if text and "\0" not in text:
            return Guess(codec, _shown(text))
    for codec, high in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        if len(set(high)) <= min(8, len(high) // 2) and b"\0" in high:
            text = data[: len(data) // 2 * 2].decode(codec, "replace")
            if "\0" not in text and (" " in text or "\n" in text):
                return Guess(codec, _shown(text))
    return None


def _shown(text: str) -> str:
    line = next((line for line in text.splitlines() if not line.isascii()), text.partition("\n")[0])
    place = next((place for place, character in enumerate(line) if not character.isascii()), 0)
    start = max(line.rfind(mark, 0, place) for mark in " >\t") + 1 if place > SHOWN // 2 else 0
    return line[start : start + SHOWN].strip()


def conversion(path: Path | str) -> str:
    """What a file that is no UTF-8 is probably in, and the command that converts it, for a message.

    >>> conversion("missing.txt")
    'its encoding is none that is known here: convert it to UTF-8'
    """
    try:
        with open_bytes(path) as file:
            data = file.read(SAMPLE)
    except (OSError, InputError):
        data = b""
    if 2 * _damaged(data) < 1:
        return "most of it is UTF-8: look at these lines"
    found = guess(data)
    if found is None:
        return "its encoding is none that is known here: convert it to UTF-8"
    unpack = "unpack it and " if is_packed(path) else ""
    name = NAMES[found.codec]
    return f"probably {name}, {found.shown!r}: {unpack}convert it by iconv -f {name} -t UTF-8"


def _damaged(data: bytes) -> float:
    """Share of the lines beyond ASCII that are no UTF-8."""
    lines = [line for line in data.splitlines() if not line.isascii()]
    return sum("\ufffd" in line.decode("utf-8", "replace") for line in lines) / len(lines) if lines else 1.0

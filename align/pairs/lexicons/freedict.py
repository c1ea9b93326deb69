"""Bilingual dictionaries of FreeDict: headwords and the translations of each sense, out of the printed entries.

They are files of the DICT protocol (dictd): an index of headwords, and a text that it cuts into entries.
"""

from __future__ import annotations

import gzip
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from align.errors import InputError
from align.files.not_text import NUL_BYTE
from align.files.whole import existing_file, read_lines
from align.pairs.lexicons.format import Format, WordPair
from align.text.languages import check_language

DIGITS = {digit: value for value, digit in enumerate(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)}  # fmt: skip
"""Base 64 as dictd writes numbers: the most significant digit first, no padding."""
LONGEST = 10
"""Digits of an offset: 64 ** 10 is 2 ** 60, and a file has fewer than 2 ** 63 bytes."""
METADATA = ("00database", "00-database")
"""How the headwords of the entries about the dictionary itself begin."""
PRONUNCIATION = re.compile(r"(?:^|(?<=[\s,>]))/[^\s/][^/]*/(?=[\s,;)]|$)")
ABBREVIATION = re.compile(r"\s*<[^<>]*>(?=[^\s,;<(\[])[^,;<]*|(?<=[^\W\d_A-Z])[A-Z]{2,}\w*(?=,?\s+/)")
"""``<n>ROM,  /rom/`` or ``countWBC,  /…/``: the abbreviation of a translation stands right behind it."""
MARKS = re.compile(r"<[^<>]*>|\{[^{}]*\}|(?<!\w)(?:\[[^\[\]]*\]|\([^()]*\))(?!\w)")
"""Grammar marks, cross-references, and labels and notes: brackets inside a word, ``colo(u)r``, are none."""
BRACKETS = re.compile(r"[<>\[\]{}()]")
GRAMMAR = re.compile(r"^(?:[a-d]|n|v|vi|vt|adj|adv|conj|interj|prep|pron)\.\s*(?=\w)")
SENSE = re.compile(r"\s*(?:[IVX]+\.(?:\s\s|$)|(?P<number>\d+)\.(?:\s|$))(?:\s*<[^<>]*>(?=\s))?")
PHRASE = re.compile(r"\s*<[^<>]*>\w")
"""Another headword inside an entry: a compound or phrasal verb, right behind its grammar mark."""
REFERENCE = re.compile(r"\s*\w[\w ]*(?::|\bof)\s*\{")
TWO = re.compile(r"\w\s\s+\w")
SIGN = re.compile(r"[^\w\s]|_")
COMMA = re.compile(r"[,;]\s|[،؛]")


def freedict_pairs(index: Path | str, *, source_lang: str, target_lang: str) -> Iterator[WordPair]:
    """Pairs of headword and translation of a FreeDict dictionary in dictd's format (Debian's ``dict-freedict-*``).

    The first line of a sense holds its translations, between commas; grammar marks, labels, notes in brackets and
    pronunciations are cut off, and definitions, examples, notes and cross-references that follow are not read. Each
    sense of a headword is a concept of its own, ``deu_Latn:Bank#2``, counted over all entries of that headword; the
    only sense of an entry that is the first of its headword bears no number. What cannot be parsed comes out with a
    problem: ``no translation``, ``alternatives`` (a slash), ``brackets`` that do not match, ``commas`` (in the
    headword too, so that those of the translations may separate or not).
    """
    check_language(source_lang), check_language(target_lang)
    seen: Counter[str] = Counter()
    dictionary = Path(index).stem
    for entry in read_dictd(index):
        header, _, body = entry.text.partition("\n")
        forms = _forms(header, entry)
        senses = _senses(body.split("\n"))
        for text in senses:
            seen[forms[0]] += 1
            number = f"#{dictionary}:{seen[forms[0]]}" if len(senses) > 1 or seen[forms[0]] > 1 else ""
            concept = f"{source_lang}:{forms[0]}{number}"
            for source in forms:
                for target, problem in _translations(text, source):
                    yield WordPair(str(index), entry.number, source_lang, target_lang, source, target, concept, problem)


def _forms(header: str, entry: Entry) -> list[str]:
    """The spellings of a headword: of what stands between commas, the parts that the index lists."""
    listed = {_folded(headword) for headword in entry.headwords}
    text = _stripped(_unmarked(PRONUNCIATION.sub("", header)))
    parts = [_stripped(part) for part in COMMA.split(text)]
    found = [] if _folded(text) in listed else [part for part in parts if _folded(part) in listed]
    return list(dict.fromkeys(found)) or [text]


def _folded(text: str) -> str:
    """How dictd writes a headword in its index: letters, digits and white space, in lower case."""
    return " ".join(SIGN.sub("", text.lower()).split())


def _senses(lines: Sequence[str]) -> list[str]:
    """The line of translations of each sense; of a sense without one, the empty string."""
    senses = [""]
    last, marked, phrase = 0, False, False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        note = line.startswith("   ") or line.lstrip().startswith("- ") or bool(REFERENCE.match(line))
        while (match := SENSE.match(line)) and (match["number"] is None or int(match["number"]) in (1, last + 1)):
            if senses[-1] or (marked and not (match["number"] == "1" and not last)):  # "I. <adj> 1." opens one sense
                senses.append("")
            last, marked = int(match["number"] or 0), True
            line, note = line[match.end() :], False
            phrase = bool(PHRASE.match(line)) or (phrase and last > 0)
        expression = following.lstrip().startswith("- ")  # its translation is on the next line
        if not (senses[-1] or note or phrase or expression) and _unmarked(line).strip():
            senses[-1] = line
    return senses


def _translations(text: str, source: str) -> Iterator[tuple[str, str]]:
    """The translations in a line, each with its problem or the empty string."""
    text = PRONUNCIATION.sub("", ABBREVIATION.sub("", text))
    if TWO.search(text):
        yield _stripped(text), "two columns"
        return
    text = _unmarked(text).replace("~", " ")  # some dictionaries join the words of a phrase by a tilde
    if COMMA.search(source) and COMMA.search(text):
        yield text.strip(), "commas"
        return
    found = [_stripped(GRAMMAR.sub("", part.strip())) for part in COMMA.split(text)]
    found = list(dict.fromkeys(part for part in found if part))
    if not found:
        yield "", "no translation"
    for part in found:
        if BRACKETS.search(part) or BRACKETS.search(source):
            yield part, "brackets"
        else:
            yield part, "alternatives" if "/" in part + source else ""


def _unmarked(text: str) -> str:
    while BRACKETS.search(text) and (shorter := MARKS.sub("", text)) != text:
        text = shorter
    return text


def _stripped(text: str) -> str:
    """``text`` with single spaces, without dots of omission at its ends and the number of a sense at its end."""
    text = " ".join(text.replace("…", "...").split()).removeprefix("...").removesuffix("...")
    return re.sub(r"\s\d\.$", "", text).strip(" ,;")


class Entry(NamedTuple):
    """One text, and the headwords that lead to it; ``number`` is the line in the index of the first of them."""

    number: int
    headwords: tuple[str, ...]
    text: str


class _Row(NamedTuple):
    offset: int
    length: int
    number: int
    headword: str


def read_dictd(index: Path | str) -> Iterator[Entry]:
    """Entries of a dictionary in the order of its text; headwords that share a text make one entry.

    Beside ``NAME.index`` lies ``NAME.dict.dz`` or ``NAME.dict``. It is read from front to back, so that memory holds
    the index (about 200 bytes a headword) and one entry. The entries about the dictionary itself are left out.

    Raises:
        InputError: a file is missing, empty, damaged or not what its name says, a line of the index is not headword,
            offset and length, or an entry lies beyond the end of the text or is not UTF-8; with path and line.
    """
    index = existing_file(index)
    rows = sorted(row for row in _rows(index) if not row.headword.startswith(METADATA))
    if not rows:
        raise InputError(f"{index} holds no headword: expected lines of headword TAB offset TAB length")
    text = _text_of(index)
    try:
        with cast("IO[bytes]", gzip.open(text, "rb") if text.suffix == ".dz" else open(text, "rb")) as file:
            for _, group in itertools.groupby(rows, key=lambda row: row[:2]):
                same = list(group)
                yield Entry(same[0].number, tuple(row.headword for row in same), _cut(file, same[0], index, text))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{text} is not a complete dictzip file: {error}") from error


def _rows(index: Path) -> Iterator[_Row]:
    for number, line in enumerate(read_lines(index), 1):
        headword, *rest = line.split("\t")
        if len(rest) not in (2, 3):  # a fourth column spells the headword as it is printed
            raise InputError(
                f"{index}, line {number}: expected headword TAB offset TAB length, as in dictd, got {line[:40]!r}"
            )
        yield _Row(_number(rest[0], index, number), _number(rest[1], index, number), number, headword)


def _number(digits: str, index: Path, line: int) -> int:
    value = 0
    for digit in digits:
        value = value * 64 + DIGITS.get(digit, 0)
    if not 0 < len(digits) <= LONGEST or not DIGITS.keys() >= set(digits):
        place = f"{index}, line {line}"
        told = f"{place}: expected a number in base 64 (A-Z a-z 0-9 + /), got {digits[:40]!r}"
        raise InputError(f"{told}, longer than {LONGEST} digits" if len(digits) > LONGEST else told)
    return value


def _text_of(index: Path) -> Path:
    candidates = [index.with_suffix(suffix) for suffix in (".dict.dz", ".dict")]
    found = [path for path in candidates if path.is_file()]
    if index.suffix != ".index" or not found:
        names = " or ".join(path.name for path in candidates)
        raise InputError(f"{index}: expected the .index of a dictionary, and {names} beside it")
    return found[0]


def _cut(file: IO[bytes], row: _Row, index: Path, text: Path) -> str:
    file.seek(row.offset)
    raw = file.read(row.length)
    if len(raw) < row.length:
        end = row.offset + row.length
        raise InputError(f"{index}, line {row.number}: the entry ends at byte {end}, {text} before that")
    if b"\0" in raw:
        raise InputError(f"{index}, line {row.number}: its entry in {text} holds {NUL_BYTE}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"{index}, line {row.number}: the bytes {row.offset} to {row.offset + row.length} of {text}"
        raise InputError(f"{place} are not UTF-8; is it of this index?") from error


FORMAT = Format(
    "freedict",
    lambda source, sides, languages: freedict_pairs(source, source_lang=sides[0], target_lang=sides[1]),
    help="CODE-CODE=FILE.index of a FreeDict dictionary.",
    recognises=lambda name, head: name.endswith(".index"),
    two_sides=True,
    licence=lambda source: "GPL (FreeDict; see the notice of the dictionary)",
    page=("FreeDict", "pairs by sense", "Debian `dict-freedict-*`, freedict.org", "by dictionary, mostly GPL"),
    given="CODE-CODE=FILE`",
)

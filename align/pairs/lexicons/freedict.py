"""Bilingual dictionaries of FreeDict: headwords and the translations of each sense, out of the printed entries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from align.pairs.lexicons.dictd import Entry, read_dictd
from align.pairs.lexicons.rows import WordPair
from align.text.languages import check_language

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

    Raises:
        InputError: as ``read_dictd``, or an unknown language code.
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

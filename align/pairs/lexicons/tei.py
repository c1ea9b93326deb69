"""Dictionaries in TEI, as FreeDict publishes their sources: headwords, and the translations of each sense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from align.errors import InputError
from align.files.whole import existing_file
from align.pairs.lexicons.format import Format, WordPair
from align.pairs.reading.xml import ILLEGAL, parse_xml
from align.text.languages import check_language

TRANSLATIONS = ("trans", "translation", "translationEquivalent")
"""What the attribute ``type`` of a ``cit`` says of a translation; an example has another."""


def tei_pairs(path: Path | str, *, source_lang: str, target_lang: str) -> Iterator[WordPair]:
    """Pairs of headword (``orth``) and translation (``quote`` in ``cit type="trans"``, or ``tr``), streamed.

    Each sense of a headword is a concept of its own, ``deu_Latn:Bank#2``, counted over all entries of the headword; the
    first bears no number. The translations of examples and of expressions inside an entry (``re``) are not read.
    Problems: ``no translation``, ``no headword``, ``illegal character``. ``number`` is the line of the entry.

    Raises:
        InputError: no such file, XML that is not well-formed or no TEI, or no entry.
    """
    check_language(source_lang), check_language(target_lang)
    path, found, seen, count = existing_file(path), _Entries(str(path)), Counter[str](), 0
    for _ in parse_xml(path, found.start, found.end, found.text):
        for entry in found.done:
            count += 1
            headwords = list(dict.fromkeys(entry.headwords)) or [""]
            senses = [sense for sense in entry.senses if sense] or [[]]
            for sense in senses:
                seen[headwords[0]] += 1
                many = seen[headwords[0]]
                concept = f"{source_lang}:{headwords[0]}" + (
                    f"#{path.name.partition('.')[0]}:{many}" if many > 1 else ""
                )
                for source in headwords:
                    for target in dict.fromkeys(sense) or [""]:
                        problem = "illegal character" * (ILLEGAL in source + target)
                        problem = problem or ("no headword" * (not source) or "no translation" * (not target))
                        one, other = (text.replace(ILLEGAL, "\ufffd") for text in (source, target))
                        yield WordPair(str(path), entry.number, source_lang, target_lang, one, other, concept, problem)
        found.done.clear()
    if not count:
        raise InputError(f"{path} holds no entry (entry); expected a dictionary in TEI")


@dataclass
class _Entry:
    number: int
    headwords: list[str] = field(default_factory=list)
    senses: list[list[str]] = field(default_factory=lambda: [[]])


@dataclass
class _Entries:
    """What the parser has seen of the entry it stands in, and the entries that are complete."""

    path: str
    done: list[_Entry] = field(default_factory=list)
    _entry: _Entry | None = None
    _inside: list[str] = field(default_factory=list)
    """Open elements of the entry; of a ``cit`` also its type."""
    _text: list[str] = field(default_factory=list)
    _root: bool = True

    def start(self, name: str, attributes: dict[str, str], number: int) -> None:
        if self._root and name not in ("TEI", "TEI.2"):
            raise InputError(f"{self.path}, line {number}: expected a dictionary in TEI, got the element {name!r}")
        self._root = False
        if name == "entry":
            self._entry, self._inside = _Entry(number), []
        elif self._entry:
            self._inside.append(f"cit {attributes.get('type', '')}" if name == "cit" else name)
            if name == "sense" and self._entry.senses[-1]:
                self._entry.senses.append([])
            self._text.clear()

    def end(self, name: str) -> None:
        if not self._entry:
            return
        if name == "entry":
            self.done.append(self._entry)
            self._entry = None
            return
        text, around = " ".join("".join(self._text).split()), self._inside[:-1]
        if name == "orth" and text and "re" not in around and not any(one.startswith("cit") for one in around):
            self._entry.headwords.append(text)
        elif name in ("quote", "tr") and text and "re" not in around and self._translates(around):
            self._entry.senses[-1].append(text)
        self._inside.pop()

    @staticmethod
    def _translates(around: list[str]) -> bool:
        cited = [one.partition(" ")[2] for one in around if one.startswith("cit")]
        return all(kind in TRANSLATIONS for kind in cited) and (bool(cited) or "trans" in around)

    def text(self, text: str) -> None:
        if self._entry:
            self._text.append(text)


FORMAT = Format(
    "tei",
    lambda source, sides, languages: tei_pairs(source, source_lang=sides[0], target_lang=sides[1]),
    help="CODE-CODE=FILE of a dictionary in TEI, as FreeDict's sources.",
    recognises=lambda name, head: b"<TEI" in head,
    two_sides=True,
    page=("FreeDict's sources", "pairs by sense, TEI", "freedict.org", "by dictionary, mostly GPL"),
    given="CODE-CODE=FILE`",
)

"""What tatoeba.org exports: sentences with their languages in one file or several, and links between them."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from align.errors import InputError, there_are
from align.files.archives import files_in, is_folder
from align.files.lines import text_lines
from align.files.packed import plain_name
from align.pairs.reading.sources import LocalFile
from align.text.tags import is_tagged

logger = logging.getLogger(__name__)

_SENTENCES = re.compile(r"(sentences(_detailed)?\.csv|[a-z]{3}_sentences(_detailed)?\.tsv)")
_LINKS = re.compile(r"(links\.csv|[a-z]{3}-[a-z]{3}_links\.tsv)")


@dataclass(frozen=True)
class Export(LocalFile):
    """A folder with ``sentences.csv`` and ``links.csv``, or with those of languages (``deu_sentences.tsv``)."""

    languages: tuple[str, ...] = ()
    """Codes of the two sides."""
    licence: str = "CC-BY-2.0-FR"
    """That of Tatoeba's sentences."""


@dataclass(frozen=True)
class Linked:
    """A sentence and a translation of it; ``number`` is the line of the link."""

    number: int
    source: str
    target: str


def is_export(folder: Path) -> bool:
    """Whether a folder holds sentences and links."""
    names = list(map(plain_name, files_in(folder))) if is_folder(folder) else []
    return any(map(_SENTENCES.fullmatch, names)) and any(map(_LINKS.fullmatch, names))


def files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files of sentences and of links; of one that is there packed, too, the plain one."""
    kinds: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    for file in reversed(files_in(folder)):
        for found, pattern in zip(kinds, (_SENTENCES, _LINKS), strict=True):
            if pattern.fullmatch(plain_name(file)):
                found[plain_name(file).replace("_detailed", "")] = file
    return sorted(kinds[0].values()), sorted(kinds[1].values())


def read_export(export: Export) -> Iterator[Linked]:
    """Translations of the two languages in the order of the links, each pair once whichever way the links go.

    Memory holds the sentences of the two languages. A link to a sentence of another language, or to one that is gone,
    is none of theirs; other lines that are no sentence or no link are counted and logged.

    Raises:
        InputError: no sentence in one of the languages, with those that there are, or no link between them.
    """
    sentences, links = files_of(export.path)
    texts = _texts(export, sentences)
    seen: set[tuple[str, str]] = set()
    for file in links:
        for number, (one, two) in _rows(file, 2):
            if one not in texts[0]:
                one, two = two, one
            if one in texts[0] and two in texts[1] and (one, two) not in seen:
                seen.add((one, two))
                yield Linked(number, texts[0][one], texts[1][two])
    if not seen:
        raise InputError(f"{export.path}: no link between sentences in {' and '.join(export.languages)}")


def _rows(file: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """The first columns of each line, with its number; quotation marks are part of the text."""
    odd, first = 0, ""
    for number, (line, problem) in enumerate(text_lines(file), 1):
        cells = line.split("\t")
        if problem or len(cells) < columns:
            odd, first = odd + 1, first or f"line {number}: {problem or f'{len(cells)} columns'}"
        else:
            yield number, cells[:columns]
    if odd:
        logger.warning("%s: %d lines are set aside, expected %d columns between tabs; %s", file, odd, columns, first)


def _texts(export: Export, files: Sequence[Path]) -> tuple[dict[str, str], dict[str, str]]:
    texts: tuple[dict[str, str], dict[str, str]] = ({}, {})
    tags: Counter[str] = Counter()
    for file in files:
        for _, (name, tag, text) in _rows(file, 3):
            tags[tag] += 1
            for code, kept in zip(export.languages, texts, strict=True):
                if is_tagged(tag, code):
                    kept[name] = text.strip()
    for code, kept in zip(export.languages, texts, strict=True):
        if not kept:
            known = [tag for tag, _ in tags.most_common()]
            raise InputError(f"{export.path}: no sentence in {code}; there are {there_are(code[:3], known)}")
    return texts

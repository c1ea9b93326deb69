"""Reading sentences whose words have labels: a folder of CoNLL-U or IOB2 files, named by language and split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from align.errors import InputError
from align.files.conllu import read_conllu
from align.files.iob import read_iob
from align.files.packed import plain_name
from align.files.whole import SPLITS
from align.tasks.texts.named_files import USUAL_CODES
from align.text.languages import check_language, code_by_script, three_letters

SPANS = "spans"
"""In place of a column of CoNLL-U: the tags of IOB2."""
CONLLU = ("conllu",)
IOB = ("iob2", "iob", "bio", "conll", "txt", "tsv")
UPOS = frozenset((
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
))  # fmt: skip
HELD_OUT = 10
"""One sentence in so many is held out of the training part where there is no dev part."""
_LABEL = "[a-z]{3}_[A-Z][a-z]{3}|[a-z]{2,3}"
_NAME = re.compile(rf"({_LABEL})(?:[._-]([A-Za-z0-9]+))?(?:-ud)?[._-]({'|'.join(SPLITS)})\.({'|'.join(CONLLU + IOB)})")


class File(NamedTuple):
    """What the name of a file says."""

    path: Path
    label: str
    """Of the language: ``en``, ``hsb`` or ``eng_Latn``."""
    treebank: str
    """As in ``en_pud-ud-test.conllu``; "": none."""
    split: str
    conllu: bool


@dataclass(frozen=True)
class TaggedSentence:
    """Words, each with a label."""

    words: tuple[str, ...]
    labels: tuple[str, ...]
    """(n,) one a word."""
    name: str
    """The same in all languages where the file says so (``sent_id``), else of the file and the sentence."""
    place: str = field(default="", compare=False)
    """File and line of its first word."""


@dataclass(frozen=True)
class TaggedTest:
    """The test sentences of one file."""

    language: str
    """Its code."""
    treebank: str
    """Its name; "": none."""
    sentences: tuple[TaggedSentence, ...]


@dataclass(frozen=True)
class TaggedSets:
    """What is learnt from, what stops the learning, and what is scored."""

    train: tuple[TaggedSentence, ...]
    dev: tuple[TaggedSentence, ...]
    tests: tuple[TaggedTest, ...]
    learnt_on: str
    """What the first two are, in words."""


def tagged_files(folder: Path | str) -> list[File]:
    """Files of a folder that are named as ``en_pud-ud-test.conllu``, ``eng_Latn.test.iob2`` or ``de-dev.conll``.

    Raises:
        InputError: no such folder, or none of its files is named so.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"no such folder: {path}")
    found = []
    for file in sorted(path.iterdir()):
        if match := _NAME.fullmatch(plain_name(file)):
            label, treebank, split, ending = match.groups()
            found.append(File(file, label, treebank or "", SPLITS[split], ending in CONLLU))
    if not found:
        raise InputError(f"{path}: no file is named as en_pud-ud-test.conllu or eng_Latn.test.iob2")
    return found


def read_tagged(
    folder: Path | str, labels: str, *, train: str = "eng_Latn", languages: Sequence[str] | None = None
) -> TaggedSets:
    """The sets of a folder: train and dev of one language, test of all.

    Where the language to learn from has no train file, its dev files are learnt from; where none is left for the dev
    part, every tenth sentence is held out.

    Args:
        folder: see :func:`tagged_files`.
        labels: a column of CoNLL-U, or ``SPANS``. Only files of that format are read.
        train: language to learn from.
        languages: codes to test; ``None``: all.

    Raises:
        InputError: no file of that format, nothing to learn from, a language without a test file, or a file that is
            refused (with its line).
    """
    spans = labels == SPANS
    files = [file for file in tagged_files(folder) if file.conllu is not spans]
    if not files:
        kind, other = ("IOB2", "pos") if spans else ("CoNLL-U", "ner")
        raise InputError(f"{folder}: no {kind} file (is --protocol {other} meant?)")
    of_language: dict[str, list[File]] = {}
    for file in files:
        of_language.setdefault(language_of(file), []).append(file)
    tested = {code for code, some in of_language.items() if any(file.split == "test" for file in some)}
    for code in languages or ():
        if code not in tested:
            raise InputError(f"{folder}: no test file of {code}; there are those of {', '.join(sorted(tested))}")

    def read(code: str, split: str) -> list[TaggedSentence]:
        return [
            one for file in of_language.get(code, ()) if file.split == split for one in read_sentences(file, labels)
        ]

    learnt, held, origin = read(train, "train"), read(train, "dev"), "train"
    if not learnt:
        learnt, held, origin = held, [], "dev"
    if not learnt:
        raise InputError(f"{folder}: no train or dev file of {train} to learn from; --set train=CODE names another")
    if not held:
        every = learnt
        held = every[HELD_OUT - 1 :: HELD_OUT]
        learnt = [one for place, one in enumerate(every, 1) if place % HELD_OUT]
    if not held:
        raise InputError(f"{folder}: {len(learnt)} sentences of {train} to learn from; expected at least {HELD_OUT}")
    tests = [
        TaggedTest(code, file.treebank, tuple(read_sentences(file, labels)))
        for code in sorted(tested if languages is None else set(languages), key=lambda code: (code != train, code))
        for file in of_language[code]
        if file.split == "test"
    ]
    said = f"{len(learnt)} sentences of the {origin} files of {train}; dev part: {len(held)} sentences"
    return TaggedSets(tuple(learnt), tuple(held), tuple(tests), said)


def read_sentences(file: File, labels: str = "form") -> Iterator[TaggedSentence]:
    """The sentences of a file that have words.

    Args:
        file: see :func:`tagged_files`.
        labels: a column of CoNLL-U; of IOB2 there is one.

    Raises:
        InputError: as the readers; a part of speech that Universal Dependencies do not have, a word without a label.
    """
    names: set[str] = set()
    for number, (words, given, called, lines) in enumerate(_rows(file, labels), 1):
        where = [f"{file.path}, line {line}" for line in lines]
        for word, label, place in zip(words, given, where, strict=True):
            if label == "_" and labels not in ("form", "misc"):
                raise InputError(f"{place}: {word[:40]!r} has no {labels}; --set labels=COLUMN names another column")
            if file.conllu and labels == "upos" and label not in UPOS:
                raise InputError(f"{place}: {label!r} is no part of speech of Universal Dependencies")
        name = called if called and called not in names else f"{plain_name(file.path)}:{number}"
        names.add(name)
        if words:
            yield TaggedSentence(words, given, name, where[0])


def language_of(file: File) -> str:
    """The code of a file: by two letters the usual one, by three the script of most of its letters.

    Raises:
        InputError: no language is called so.
    """
    if "_" in file.label:
        return check_language(file.label)
    if file.label in USUAL_CODES:
        return USUAL_CODES[file.label]
    language = three_letters(file.label)
    if not language:
        raise InputError(f"{file.path}: no language is called {file.label!r}")
    return code_by_script(language, " ".join(word for words, *_ in _rows(file, "form") for word in words))


def _rows(file: File, labels: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str, tuple[int, ...]]]:
    """Words, labels, name and lines of each sentence."""
    if file.conllu:
        for one in read_conllu(file.path):
            yield one.column("form"), one.column(labels), one.name, one.lines
    else:
        for tagged in read_iob(file.path):
            yield tagged.words, tagged.tags, tagged.name, tagged.lines

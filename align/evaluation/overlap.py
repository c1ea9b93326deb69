"""Test sets by name, by path or as texts, looked for in training pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.errors import InputError
from align.evaluation.benchmarks import BENCHMARKS, local_folder
from align.evaluation.reading import content_hash, units
from align.files.archives import is_folder, is_there
from align.files.packed import plain_name, plain_suffix
from align.files.whole import read_lines
from align.pairs.filters.held_out import file_texts, visible_files
from align.pairs.overlap import TestSet, find_overlap
from align.pairs.overlap_result import Overlap
from align.pairs.reading.table import read_pairs
from align.tasks import find_dictionaries, read_dictionary, read_sets, read_sts, read_wordsim
from align.tasks.task import task
from align.tasks.texts.named_files import language_of_name, pair_of_name

if TYPE_CHECKING:
    from datasets import Dataset

_CODE = r"[a-z]{3}_[A-Z][a-z]{3}"


def check_overlap(
    pairs: Dataset | Path | str | Mapping[str, Dataset],
    tests: Sequence[TestSet | Path | str],
    *,
    data: Path | str | None = None,
    **options: Any,
) -> Overlap:
    """Find the texts of test sets in training pairs: equal, equal when romanised, and near.

    Args:
        pairs: a table, where one lies, or several tables by name.
        tests: of each a name of ``align list``; a folder or file, as :func:`read_tests` reads it; or (name, language,
            texts).
        data: folder with the folders of benchmarks; ``None``: the Hub.
        options: of :func:`align.pairs.overlap.find_overlap`: ``romanize``, ``near``, ``out``, ...

    Raises:
        InputError: no such table or test set, or as :func:`align.pairs.overlap.find_overlap`.
    """
    if isinstance(tests, str | Path):
        raise InputError(f"expected a list of test sets, got {str(tests)!r}")
    sets: list[TestSet] = []
    for one in tests:
        sets += [one] if isinstance(one, tuple) else read_tests([str(one)], None if data is None else Path(data))
    return find_overlap(read_pairs(pairs) if isinstance(pairs, str | Path) else pairs, sets, **options)


def read_tests(given: Sequence[str], data: Path | None = None) -> Iterator[TestSet]:
    """(name, language, texts) of benchmarks by name, of folders and of files.

    A folder or file is read as what its names say it is, or as ``KIND=PATH`` says.

    Raises:
        InputError: no such file or folder, or what the reader of its kind says.
    """
    for one in given:
        if one in BENCHMARKS and not Path(one).exists():
            yield from _named(one, data)
            continue
        kind, path = _kind(one)
        name = Path(path).name.partition(".")[0]
        if kind == "retrieval":
            for texts in read_sets(path):
                code = next(iter(texts))
                several = is_folder(path) and len(texts) == 2  # Tatoeba: a set for each language
                for language, lines in texts.items():
                    yield f"{name}/{code}" if several else name, language, lines
        elif kind in ("sts", "wordsim"):
            for label, scored in (read_sts(path) if kind == "sts" else read_wordsim(path)).items():
                yield f"{name}/{label}", scored.languages[0], scored.first
                yield f"{name}/{label}", scored.languages[1], scored.second
        elif kind == "bli":
            for languages, file in find_dictionaries([path]).items():
                pairs = read_dictionary(file, languages).pairs
                for side, language in enumerate(languages):
                    yield f"{name}/{'-'.join(languages)}", language, [pair[side] for pair in pairs]
        else:
            files = visible_files(Path(path)) if is_folder(path) else [Path(path)]
            for file in files:
                called = name if len(files) == 1 else f"{name}/{file.name}"
                yield called, language_of_name(file) or "unknown", list(file_texts(file))


def _named(name: str, data: Path | None) -> Iterator[TestSet]:
    """Every text of a benchmark once: English, say, is in each of its subsets."""
    given: set[str] = set()
    texts_of = task(BENCHMARKS[name].task).texts
    for unit in units(BENCHMARKS[name], local_folder(BENCHMARKS[name], data)):
        for language, texts in texts_of(unit.load()):
            digest = content_hash([language, texts])
            if digest not in given:
                given.add(digest)
                yield f"{name}/{unit.name}" if name in ("tatoeba", "sts17") else name, language, texts


def _kind(given: str) -> tuple[str, str]:
    """How to read what was given, and its path."""
    kind, equals, path = given.partition("=")
    if equals and kind in ("retrieval", "sts", "bli", "wordsim", "text"):
        return kind, path
    return _guess(given), given


def _guess(given: str) -> str:
    path = Path(given)
    if not is_there(path):
        if "=" in given:  # CODE-CODE=PATH
            return "bli"
        raise InputError(f"no such file or folder of test text: {given}")
    files = visible_files(path) if is_folder(path) else [path]
    if is_folder(path) and any(re.fullmatch(rf"{_CODE}\.txt|tatoeba\..*", plain_name(file)) for file in files):
        return "retrieval"
    head = next((file for file in files if plain_suffix(file) == ".tsv"), None)
    cells = next(read_lines(head), "").split("\t") if head else []
    if any(file.name.startswith(("STS.input.", "sts-")) for file in files) or "sentence1" in cells:
        return "sts"
    if not is_folder(path) and cells and all(re.fullmatch(_CODE, cell) for cell in cells):
        return "retrieval"
    return "bli" if any(map(pair_of_name, files)) else "text"

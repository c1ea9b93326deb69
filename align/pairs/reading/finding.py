"""The files and datasets that a user names: one by one, in folders, by their languages."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.archives import file_at, files_in, is_folder
from align.files.licences import check_licence, known_licence
from align.files.packed import plain_name, said
from align.files.whole import SPLITS, existing_file
from align.pairs.reading.sources import (
    NAMED,
    ROW_SUFFIXES,
    TEXT_SUFFIXES,
    TSV_SUFFIXES,
    AnyRows,
    AnySource,
    Given,
    GivenRows,
    HubDataset,
    HubRows,
    HubText,
    LocalFile,
    RowFile,
    Source,
    has_records,
    language_of_ending,
    language_of_name,
    languages_of,
)
from align.text.languages import check_language

logger = logging.getLogger(__name__)


def find_sources(given: Given, *, human: bool = False, licence: str = "unknown") -> list[AnySource]:
    """The sources of text that ``given`` names, sorted by name, so that the order of a list does not matter."""
    found: list[AnySource] = _named(
        given,
        lambda path, code: Source(file_at(path), code, licence),
        lambda path: [Source(file, None, licence) for file in _files(path, TSV_SUFFIXES if human else TEXT_SUFFIXES)],
    )
    checked = [_licensed(_checked_text(source, human)) for source in found]
    return sorted(checked, key=lambda source: (source.name, source.language or ""))


def find_rows(
    given: GivenRows, *, suffixes: Sequence[str] = ROW_SUFFIXES, licence: str = "unknown", unnamed: Sequence[str] = ()
) -> list[AnyRows]:
    """The files and datasets of rows that ``given`` names, in that order; those of a folder by name.

    Of a folder, files whose names end in dev or test (``eng_Latn.snli.test.tsv``) are passed over and logged.

    A file without codes has them at the start of its name: ``eng_Latn.snli.tsv``, ``eng_Latn-hin_Deva.tsv``. With
    an ending in ``unnamed`` it may also do without: its rows name the language, or the user.
    """
    found: list[AnyRows] = _named(
        given,
        lambda path, label: RowFile(file_at(path), languages_of(label), licence),
        lambda path: (
            [RowFile(file, (code,), licence) for file, code in _moses(path)]
            or [RowFile(file, (), licence) for file in _files(path, suffixes, to_train_on=True)]
        ),
    )
    if not found:
        raise InputError("no text is given: expected files, a folder or a dataset")
    for name, count in Counter(source.name for source in found).items():
        if count > 1:
            raise InputError(f"{name} is given {count} times; expected each source once")
    return [_licensed(_checked_rows(source, unnamed)) for source in found]


def _moses(folder: Path) -> list[tuple[Path, str]]:
    """The files of a folder as OPUS and Moses name them, ``Tatoeba.de-en.de`` and ``corpus.en``, each with its code.

    Raises:
        InputError: it holds several corpora, whose lines do not belong together.
    """
    if not is_folder(folder) or any(NAMED.match(file.name) for file in files_in(folder)):
        return []
    found: dict[str, list[tuple[Path, str]]] = {}
    for file in files_in(folder):
        if code := language_of_ending(file):
            found.setdefault(plain_name(file).rpartition(".")[0], []).append((file, code))
    corpora = {stem: files for stem, files in found.items() if len(files) > 1}
    to_train_on = {stem: files for stem, files in corpora.items() if not _of_a_test(stem)}
    if to_train_on and len(to_train_on) < len(corpora):
        logger.warning("%s: not read, their names say dev or test: %s", folder, ", ".join(corpora.keys() - to_train_on))
        corpora = to_train_on
    if len(corpora) > 1:
        raise InputError(
            f"{folder} holds several corpora: {', '.join(corpora)}; expected one, or CODE=FILE of each side"
        )
    return next(iter(corpora.values()), [])


def _of_a_test(stem: str) -> bool:
    return any(SPLITS.get(part.casefold(), "train") != "train" for part in re.split(r"[._-]", stem))


def _licensed(source: Any) -> Any:
    """A source with the licence that is known of it; refused if the user does not allow it."""
    if isinstance(source, Source | RowFile):
        source = replace(source, licence=known_licence(source.path, source.licence))
    check_licence(source.name, source.licence)
    return source


def _named(given: Any, of_label: Callable[[Path, str], Any], of_path: Callable[[Path], Sequence[Any]]) -> list[Any]:
    """Sources of all that is given: of ``{label: path or paths}``, of paths; what is a source already stays."""
    if isinstance(given, Mapping):
        return [of_label(Path(path), label) for label, paths in given.items() for path in listed(paths)]
    found: list[Any] = []
    for item in listed(given):
        found += [item] if isinstance(item, (LocalFile, HubDataset)) else of_path(Path(item))
    return found


def listed(given: Any) -> Sequence[Any]:
    """``given`` as a sequence, if it is one path or one source."""
    return [given] if isinstance(given, (str, Path, LocalFile, HubDataset)) else given


def _files(path: Path, suffixes: Sequence[str], *, to_train_on: bool = False) -> list[Path]:
    if not is_folder(path):
        return [file_at(path)]
    visible = [file for file in files_in(path) if not file.name.startswith(".")]
    files = [file for file in visible if file.name.endswith(tuple(suffixes))]
    if to_train_on:
        files = [file for file in files if NAMED.match(file.name)]
    others = [file.name for file in visible if file not in files]
    files = _without_tests(path, files) if to_train_on else files
    if not files:
        found = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        expected = f"expected files named <lang_Script>, with the ending {said(suffixes)}"
        raise InputError(f"{path} holds no text: {expected}; found {found or 'nothing'}")
    if others:
        logger.warning("%s: not read: %s", path, ", ".join(others))
    return files


def _without_tests(folder: Path, files: list[Path]) -> list[Path]:
    """The files that are not named by another split than train, as ``eng_Latn.snli.test.tsv`` is."""
    stems = [re.sub(r"\.(tsv|jsonl|ndjson|parquet|txt|tmx|gz|zst|xz|bz2)\b", "", file.name) for file in files]
    splits = [SPLITS.get(re.split(r"[._-]", stem)[-1].casefold(), "") for stem in stems]
    held_out = [file for file, split in zip(files, splits, strict=True) if split in ("dev", "test")]
    names = ", ".join(file.name for file in held_out)
    if held_out and len(held_out) == len(files):
        names = ", ".join(file.name for file in files[:3])
        raise InputError(f"{folder} holds files of the splits dev and test alone: {names}; name those to train on")
    if held_out:
        logger.warning("%s: not read, their names say dev or test: %s", folder, names)
    return [file for file in files if file not in held_out]


def _checked_text(source: AnySource, human: bool) -> AnySource:
    if source.language is not None:
        check_language(source.language)
    if human and has_records(source):
        raise InputError(f"{source.name}: human romanisations are read from files of native TAB roman")
    if isinstance(source, HubText):
        return source
    if not human and source.name.endswith(TSV_SUFFIXES):
        raise InputError(
            f"{source.name}: expected one text a line; native TAB roman belongs to the human romanisations"
        )
    path, language = existing_file(source.path), source.language
    if language is None and not has_records(source):
        language = language_of_name(path)
    return replace(source, path=path, language=language, human=human)


def _checked_rows(source: AnyRows, unnamed: Sequence[str]) -> AnyRows:
    if source.languages:
        languages_of("-".join(source.languages))
    if isinstance(source, HubRows):
        if not source.languages and not unnamed:
            raise InputError(f"{source.name}: its language is not known: give its code, such as hin_Deva")
        return source
    path = existing_file(source.path)
    if source.languages:
        return replace(source, path=path)
    try:
        return replace(source, path=path, languages=languages_of(path.name.partition(".")[0]))
    except InputError as error:
        if code := language_of_ending(path):
            return replace(source, path=path, languages=(code,))
        if path.name.endswith(tuple(unnamed)):
            return replace(source, path=path)
        raise InputError(
            f"{path}: {error}; name the file by its language or give CODE=FILE, in Python {{code: file}}"
        ) from error

"""Where rows of two texts come from: files and Hub datasets, with their languages."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import SPLITS, existing_file, sha256
from align.pairs.reading.sources import HubText
from align.text.languages import check_language

logger = logging.getLogger(__name__)

ROW_SUFFIXES = (".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet")
NAMED = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}(-[a-z]{3}_[A-Z][a-z]{3})?\.")


@dataclass(frozen=True)
class RowFile:
    """One file of rows."""

    path: Path
    """The file."""
    languages: tuple[str, ...] = ()
    """Code of the text, or codes of the first and the second text of a row; (): not known without reading."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""

    @property
    def name(self) -> str:
        """The path as given."""
        return str(self.path)


@dataclass(frozen=True)
class HubRows:
    """One dataset on the Hugging Face Hub, streamed: ``HubRows("facebook/xnli", "ur", languages=("urd_Arab",))``."""

    dataset: str
    """Name on the Hub."""
    config: str | None = None
    """Configuration, where the dataset has several."""
    split: str = "train"
    """Split to read."""
    languages: tuple[str, ...] = ()
    """Code of the text, or codes of the first and the second text of a row."""
    revision: str | None = None
    """Commit to read, for the same rows next year; None: the newest."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""

    @property
    def name(self) -> str:
        """``hub:dataset/configuration/split``."""
        return HubText(self.dataset, self.config, self.split).name


AnyRows = RowFile | HubRows
GivenRows = Mapping[str, "Path | str | Sequence[Path | str]"] | Sequence["Path | str | AnyRows"] | Path | str | AnyRows
"""What a user may give: a file, a folder, a list of files, folders and rows, or ``{code: file or files}``."""


def languages_of(label: str) -> tuple[str, ...]:
    """The codes of a label: ``eng_Latn``, or ``eng_Latn-hin_Deva`` for the first and the second text of a row.

    Raises:
        InputError: an unknown code, or more than two.
    """
    codes = tuple(check_language(code) for code in label.split("-"))
    if len(codes) > 2:
        raise InputError(f"expected one code or two, such as eng_Latn-hin_Deva, got {label!r}")
    return codes


def find_rows(
    given: GivenRows, *, suffixes: Sequence[str] = ROW_SUFFIXES, licence: str = "unknown", unnamed: bool = False
) -> list[AnyRows]:
    """The files and datasets that ``given`` names, in that order; those of a folder by name.

    Of a folder, files whose names end in dev or test (``eng_Latn.snli.test.tsv``) are passed over and logged.

    A file without codes has them at the start of its name: ``eng_Latn.snli.tsv``, ``eng_Latn-hin_Deva.tsv``. With
    ``unnamed`` it may also do without, for its rows name the language.

    Raises:
        InputError: nothing is given, no such file, a folder without rows or with none for training, or
            an unknown code.
    """
    if isinstance(given, Mapping):
        pairs = [(Path(path), label) for label, paths in given.items() for path in listed(paths)]
        found: list[AnyRows] = [RowFile(path, languages_of(label), licence) for path, label in pairs]
    else:
        found = []
        for item in listed(given):
            rows = isinstance(item, (RowFile, HubRows))
            found += [item] if rows else [RowFile(path, (), licence) for path in _files(Path(item), suffixes)]
    if not found:
        raise InputError("no text is given: expected files, a folder or a dataset")
    for name, count in Counter(source.name for source in found).items():
        if count > 1:
            raise InputError(f"{name} is given {count} times; expected each source once")
    return [_checked(source, unnamed) for source in found]


def listed(given: Any) -> Sequence[Any]:
    """``given`` as a sequence, if it is one path or one source."""
    return [given] if isinstance(given, (str, Path, RowFile, HubRows)) else given


def _files(path: Path, suffixes: Sequence[str]) -> list[Path]:
    if not path.is_dir():
        return [path]
    visible = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    files = [file for file in visible if NAMED.match(file.name) and file.name.endswith(tuple(suffixes))]
    others = [file.name for file in visible if file not in files]
    held_out = [file for file in files if _split(file) in ("dev", "test")]
    if held_out and len(held_out) == len(files):
        names = ", ".join(file.name for file in files[:3])
        raise InputError(f"{path} holds files of the splits dev and test alone: {names}; name those to train on")
    if held_out:
        logger.warning("%s: not read, their names say dev or test: %s", path, ", ".join(file.name for file in held_out))
        files = [file for file in files if file not in held_out]
    if not files:
        found = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        expected = f"expected files named <lang_Script>, with the ending {', '.join(suffixes)}"
        raise InputError(f"{path} holds no text: {expected}; found {found or 'nothing'}")
    if others:
        logger.warning("%s: not read: %s", path, ", ".join(others))
    return files


def _split(path: Path) -> str:
    """The split that a file is named by, as ``eng_Latn.snli.test.tsv`` or ``eng_Latn-test.tsv.gz``; "": by none."""
    name = re.sub(r"\.(tsv|jsonl|parquet|txt|tmx|gz)\b", "", path.name)
    return SPLITS.get(re.split(r"[._-]", name)[-1].casefold(), "")


def _checked(source: AnyRows, unnamed: bool) -> AnyRows:
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
        if unnamed:
            return replace(source, path=path)
        raise InputError(
            f"{path}: {error}; name the file by its language or give CODE=FILE, in Python {{code: file}}"
        ) from error


def described(source: AnyRows, lines: int, languages: Iterable[str]) -> dict[str, Any]:
    """Entry of a source in the manifest."""
    about = {"name": source.name, "languages": sorted(languages), "licence": source.licence, "lines": lines}
    if isinstance(source, HubRows):
        return about | {"revision": source.revision}
    return about | {"sha256": sha256(source.path)}

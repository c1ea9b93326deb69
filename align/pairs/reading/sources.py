"""Where text comes from: files named by their language, and Hub datasets."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import existing_file
from align.text.languages import check_language

logger = logging.getLogger(__name__)

RECORD_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
TEXT_SUFFIXES = (".txt", ".txt.gz", *RECORD_SUFFIXES)
HUMAN_SUFFIXES = (".tsv", ".tsv.gz")


@dataclass(frozen=True)
class Source:
    """One file of text: ``.txt`` (one text a line), ``.jsonl`` or ``.parquet`` (column ``text``), ``.gz`` but the last.

    With ``human`` it is ``.tsv``: ``native TAB roman``, under a header of these two words or none.
    """

    path: Path
    """The file."""
    language: str | None = None
    """Code of the text; None: the column ``lang`` or ``language``, else the name up to its first dot."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""
    human: bool = False
    """Whether the file holds human romanisations, ``native TAB roman``, and no plain text."""

    @property
    def name(self) -> str:
        """The path as given."""
        return str(self.path)

    @property
    def has_records(self) -> bool:
        """Whether rows have named columns."""
        return self.name.endswith(RECORD_SUFFIXES)


@dataclass(frozen=True)
class HubText:
    """One dataset on the Hugging Face Hub: ``HubText("cis-lmu/Glot500", "hin_Deva")``.

    It is streamed, twice (to count, then to choose): nothing of it is kept on the disk.
    """

    dataset: str
    """Name on the Hub."""
    config: str | None = None
    """Configuration, where the dataset has several."""
    split: str = "train"
    """Split to read."""
    language: str | None = None
    """Code of the text; None: the column ``lang`` or ``language``, else the configuration."""
    column: str = "text"
    """Column with the text."""
    revision: str | None = None
    """Commit to read, for the same rows next year; None: the newest."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""
    human = False
    has_records = True

    @property
    def name(self) -> str:
        """``hub:dataset/configuration/split``."""
        return "hub:" + "/".join(filter(None, (self.dataset, self.config, self.split)))


AnySource = Source | HubText
Given = Mapping[str, "Path | str | Sequence[Path | str]"] | Sequence["Path | str | AnySource"] | Path | str | AnySource
"""What a user may give: a file, a folder, a list of files, folders and sources, or ``{code: file or files}``."""


def find_sources(given: Given, *, human: bool = False, licence: str = "unknown") -> list[AnySource]:
    """The sources that ``given`` names, sorted by name, so that the order of a list does not matter.

    Raises:
        InputError: no such file, a folder without text, or a file whose name does not start with a language code.
    """
    if isinstance(given, Mapping):
        pairs = [(Path(path), code) for code, paths in given.items() for path in _listed(paths)]
        found: list[AnySource] = [Source(path, code, licence) for path, code in pairs]
    else:
        found = []
        for item in _listed(given):
            is_source = isinstance(item, (Source, HubText))
            found += [item] if is_source else [Source(path, None, licence) for path in _files(Path(item), human)]
    checked = [_checked(source, human) for source in found]
    return sorted(checked, key=lambda source: (source.name, source.language or ""))


def _listed(given: Any) -> Sequence[Any]:
    return [given] if isinstance(given, (str, Path, Source, HubText)) else given


def _files(path: Path, human: bool) -> list[Path]:
    if not path.is_dir():
        return [path]
    suffixes = HUMAN_SUFFIXES if human else TEXT_SUFFIXES
    visible = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    files = [file for file in visible if file.name.endswith(suffixes)]
    if len(files) < len(visible):
        logger.warning("%s: not read: %s", path, ", ".join(file.name for file in visible if file not in files))
    if not files:
        raise InputError(f"{path} holds no text; expected files named <lang_Script>{' or '.join(suffixes)}")
    return files


def _checked(source: AnySource, human: bool) -> AnySource:
    if source.language is not None:
        check_language(source.language)
    if human and source.has_records:
        raise InputError(f"{source.name}: human romanisations are read from files of native TAB roman")
    if isinstance(source, HubText):
        return source
    if not human and source.name.endswith(HUMAN_SUFFIXES):
        raise InputError(
            f"{source.name}: expected one text a line; native TAB roman belongs to the human romanisations"
        )
    language = source.language
    if language is None and not source.has_records:
        language = language_of_name(existing_file(source.path))
    return replace(source, path=existing_file(source.path), language=language, human=human)


def language_of_name(path: Path) -> str:
    """Code at the start of a file name: ``hin_Deva`` of ``hin_Deva.dev.txt.gz``."""
    try:
        return check_language(path.name.partition(".")[0])
    except InputError as error:
        raise InputError(f"{path}: {error}; name the file by its language or give {{code: file}}") from error

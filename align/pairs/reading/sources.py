"""Where text comes from: files, named by their languages or given with them, and Hub datasets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.archives import is_there
from align.files.packed import also_packed, plain_name
from align.files.whole import sha256
from align.text.languages import check_language
from align.text.tags import locale_language

RECORD_SUFFIXES = (*also_packed([".jsonl", ".ndjson"]), ".parquet")
TSV_SUFFIXES = also_packed([".tsv", ".csv"])
"""Endings of tables in text."""
TMX_SUFFIXES = also_packed([".tmx"])
TEXT_SUFFIXES = (*also_packed([".txt"]), *RECORD_SUFFIXES)
ROW_SUFFIXES = (*TSV_SUFFIXES, *RECORD_SUFFIXES)

NAMED = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}(-[a-z]{3}_[A-Z][a-z]{3})?\.")
"""How the name of a file begins that names its languages."""


@dataclass(frozen=True)
class LocalFile:
    """A file with text in it."""

    path: Path
    """The file."""

    @property
    def name(self) -> str:
        """The path as given."""
        return str(self.path)


@dataclass(frozen=True)
class Source(LocalFile):
    """One file of text: ``.txt`` (one text a line), ``.jsonl`` or ``.parquet`` (column ``text``), compressed or not.

    With ``human`` it is ``.tsv``: ``native TAB roman``, under a header of these two words or none.
    """

    language: str | None = None
    """Code of the text; None: the column ``lang`` or ``language``, else the name up to its first dot."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""
    human: bool = False
    """Whether the file holds human romanisations, ``native TAB roman``, and no plain text."""


@dataclass(frozen=True)
class RowFile(LocalFile):
    """One file of rows."""

    languages: tuple[str, ...] = ()
    """Code of the text, or codes of the first and the second text of a row; (): not known without reading."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""


@dataclass(frozen=True)
class HubDataset:
    """A dataset on the Hugging Face Hub, streamed: nothing of it is kept on the disk."""

    dataset: str
    """Name on the Hub."""
    config: str | None = None
    """Configuration, where the dataset has several."""
    split: str = "train"
    """Split to read."""

    @property
    def name(self) -> str:
        """``hub:dataset/configuration/split``."""
        return "hub:" + "/".join(filter(None, (self.dataset, self.config, self.split)))


@dataclass(frozen=True)
class HubText(HubDataset):
    """A dataset of texts, read twice (to count, then to choose): ``HubText("cis-lmu/Glot500", "hin_Deva")``."""

    language: str | None = None
    """Code of the text; None: the column ``lang`` or ``language``, else the configuration."""
    column: str = "text"
    """Column with the text."""
    revision: str | None = None
    """Commit to read, for the same rows next year; None: the newest."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""
    human = False


@dataclass(frozen=True)
class HubRows(HubDataset):
    """A dataset of rows: ``HubRows("facebook/xnli", "ur", languages=("urd_Arab",))``."""

    languages: tuple[str, ...] = ()
    """Code of the text, or codes of the first and the second text of a row."""
    revision: str | None = None
    """Commit to read, for the same rows next year; None: the newest."""
    licence: str = "unknown"
    """Licence of the text, for the manifest."""


AnySource = Source | HubText
AnyRows = RowFile | HubRows
_ByCode = Mapping[str, "Path | str | Sequence[Path | str]"]
Given = _ByCode | Sequence["Path | str | AnySource"] | Path | str | AnySource
GivenRows = _ByCode | Sequence["Path | str | AnyRows"] | Path | str | AnyRows
"""What a user may give: a file, a folder, a list of files, folders and sources, or ``{code: file or files}``."""


def languages_of(label: str) -> tuple[str, ...]:
    """The codes of a label: ``eng_Latn``, or ``eng_Latn-hin_Deva`` for the first and the second text of a row."""
    codes = tuple(check_language(code) for code in label.split("-"))
    if len(codes) > 2:
        raise InputError(f"expected one code or two, such as eng_Latn-hin_Deva, got {label!r}")
    return codes


def language_of_name(path: Path) -> str:
    """Code at the start of a file name, ``hin_Deva`` of ``hin_Deva.dev.txt.gz``, or of the tag that it ends in."""
    try:
        return check_language(path.name.partition(".")[0])
    except InputError as error:
        if code := language_of_ending(path):
            return code
        raise InputError(f"{path}: {error}; name the file by its language or give {{code: file}}") from error


def language_of_ending(path: Path) -> str:
    """Code of the tag that a name ends in, as OPUS and Moses name their files (``corpus.de``); ``""``: it is no tag.

    One of three letters stands in the pair before it, too, for many other endings are codes of small languages.

    >>> [language_of_ending(Path(name)) for name in ("corpus.de", "News.en-zh_TW.zh_TW.gz", "corpus.txt", "a.mdx")]
    ['deu_Latn', 'cmn_Hant', '', '']
    """
    stem, _, tag = plain_name(path).rpartition(".")
    paired = tag in stem.rpartition(".")[2].split("-")
    return locale_language(tag) if stem and (paired or len(re.split("[-_@]", tag)[0]) == 2) else ""


def labelled_path(text: str) -> tuple[str, str]:
    """``("eng_Latn", "corpus.en")`` of ``eng_Latn=corpus.en``; a path without a label has ``""``."""
    label, equals, path = text.partition("=")
    return (label, path) if equals and "/" not in label and not is_there(text) else ("", text)


def two_names(text: str) -> tuple[str, str]:
    """``("hin_Deva", "tam_Taml")`` of ``hin_Deva-tam_Taml``; names of columns may be parted by a comma."""
    one, _, two = text.partition("," if "," in text else "-")
    if not one or not two:
        raise InputError(f"expected two names, such as hin_Deva-tam_Taml, got {text!r}")
    return one.strip(), two.strip()


def has_records(source: AnySource) -> bool:
    """Whether its rows have named columns."""
    return isinstance(source, HubText) or source.name.endswith(RECORD_SUFFIXES)


def described(source: AnySource | AnyRows, lines: int, languages: Iterable[str], **more: Any) -> dict[str, Any]:
    """Entry of a source in the manifest."""
    about = {"name": source.name, "languages": sorted(languages), "licence": source.licence, "lines": lines} | more
    if isinstance(source, HubDataset):
        return about | {"revision": source.revision}
    return about | {"sha256": sha256(source.path)}

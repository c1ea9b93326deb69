"""Rows of a corpus: plain text, TSV, JSON lines or Parquet, read as they come, whatever their number.

A line that holds no row becomes a reject with its place and the reason: it stops nothing and moves no other line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from align.errors import InputError, there_are
from align.files.cells import Cells
from align.text.hashing import text_sha256
from align.text.languages import check_language
from align.text.surrogates import SURROGATES
from align.text.tags import row_language
from align.vectors.corpus.files import BadLine, Source, open_source
from align.vectors.folder import check_names

KEPT_CHARACTERS = 200
MOST = 2**53  # whole numbers that a float tells apart
LANGUAGE_COLUMNS = ("language", "lang")
LICENCE, LICENCE_COLUMNS = "licence", ("licence", "license")
CONTENT, LINE = "content", "line"


class Row(NamedTuple):
    """A text to encode, and where it stands."""

    id: str
    text: str
    language: str
    """Code such as hin_Deva; "" when not known."""
    script: str
    """That of the code; "" when there is none: whoever encodes looks at the letters."""
    line: int
    """From 1; in a Parquet file the row's number."""
    file: str
    kept: tuple[str, ...] = ()
    """Of the columns that :attr:`Corpus.keep` names."""


class Reject(NamedTuple):
    """A line that cannot be encoded, why, and what is known of it."""

    file: str
    line: int
    reason: str
    id: str | None = None
    text: str | None = None

    def known(self) -> dict[str, object]:
        """What a rejects file says: the fields that are known, of the text its beginning."""
        fields = self._asdict() | {"text": self.text and self.text[:KEPT_CHARACTERS]}
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Corpus:
    """Files, and what of a line is text, id and language. Build one with :func:`open_corpus`."""

    sources: tuple[Source, ...]
    text: str
    """Column."""
    id: str
    """``content``, ``line``, or a column."""
    language: str | None
    """Of all lines."""
    language_column: str | None
    """``None``: that of ``LANGUAGE_COLUMNS`` which a file has, else the code that its name begins with; "": none."""
    keep: Mapping[str, str]
    """Columns that stand beside the vectors, and what they are called in the files."""
    licence: str | None
    """Of all texts."""

    def rows(self, *, wanted: Callable[[int], bool] | None = None) -> Iterator[Row | Reject | None]:
        """One for each line, in order; ``None`` for those whose position, from 0 over all files, is not ``wanted``.

        Raises:
            InputError: a file is damaged or cut short.
        """
        position = 0
        for source in self.sources:
            for row in self.rows_of(source, wanted=wanted, position=position):
                yield row
                position += 1

    def rows_of(
        self, source: Source, *, wanted: Callable[[int], bool] | None = None, position: int = 0
    ) -> Iterator[Row | Reject | None]:
        """The same of one file, whose first line has this ``position``."""
        column = self._language_column(source)
        code = self.language or (_named(source.path) if column is None else "")
        before = "" if len(self.sources) == 1 else f"{self.name(source)}:"
        kept = {name: self._kept_from(name, source) for name in self.keep}
        read = dict.fromkeys((self.text, self.id, column, *kept.values()))
        columns = [name for name in read if name in source.columns]
        for number, record in enumerate(source.records(columns)):
            if wanted is None or wanted(position + number):
                yield self._row(source, column, code, before, source.first_line + number, record, kept)
            else:
                yield None

    def name(self, source: Source) -> str:
        """What stands for a file in ids and manifests: its name without its folder, unless two have the same."""
        names = [other.path.name for other in self.sources]
        return source.path.name if names.count(source.path.name) == 1 else source.path.as_posix()

    def _language_column(self, source: Source) -> str | None:
        """A column; "": no language is looked for; ``None``: there is no column, the file's name may say it."""
        if self.language or self.language_column is not None:
            return self.language_column or ""
        return next((name for name in LANGUAGE_COLUMNS if name in source.columns), None)

    def _kept_from(self, name: str, source: Source) -> str:
        """The column of a file that a kept one is; "": it has none."""
        if name == LICENCE and name not in source.columns:
            return next((column for column in LICENCE_COLUMNS if column in source.columns), "")
        return self.keep[name]

    def _row(
        self,
        source: Source,
        column: str | None,
        code: str,
        before: str,
        line: int,
        record: Any,
        kept: Mapping[str, str],
    ) -> Row | Reject:
        file, name, text = str(source.path), None, None
        line = record.number if isinstance(record, Cells) else line  # of CSV a row may have several
        try:
            fields = source.fields(record)
            text = _text(fields, "text" if source.kind == "text" else self.text)
            name = None if self.id == CONTENT else self._id(fields, f"{before}{line}")
            code = code or _language(fields.get(column) if column else None, column, text)
            values = tuple(
                _value(fields.get(column), column) or (self.licence or "" if name == LICENCE else "")
                for name, column in kept.items()
            )
        except BadLine as error:
            shown = record.decode("utf-8", "backslashreplace").rstrip() if isinstance(record, bytes) else None
            return Reject(file, line, str(error), name, text or shown)
        return Row(name or content_id(text, code), text, code, code.partition("_")[2], line, file, values)

    def _id(self, fields: dict[str, Any], place: str) -> str:
        if self.id == LINE:
            return place
        value = fields.get(self.id)
        if value is None:
            raise BadLine(f"the id is missing: no value of {self.id!r}")
        if isinstance(value, float) and value.is_integer() and abs(value) < MOST:
            value = int(value)  # as pandas writes whole numbers beside missing ones
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise BadLine(f"the id is {type(value).__name__}, expected a string")
        if not value.strip() or "\0" in value or SURROGATES.search(value):
            raise BadLine("the id is no Unicode text" if value.strip() else "the id is empty")
        return value


def content_id(text: str, language: str = "") -> str:
    r"""32 hex digits, the beginning of the SHA-256 of ``language``, ``\0`` and ``text`` as UTF-8.

    Of a text whose language is not known they are those of the text alone. No text holds ``\0``, so that no two rows
    of different languages or texts have the same bytes: a word that two languages share is a row in each.
    """
    return text_sha256(f"{language}\0{text}" if language else text)[:32]


def open_corpus(
    paths: Sequence[Path | str],
    *,
    text: str = "text",
    id: str | None = None,
    language: str | None = None,
    language_column: str | None = None,
    keep: Sequence[str] = (),
    licence: str | None = None,
) -> Corpus:
    """Look at the beginning of every file, and settle what is text, id and language.

    Args:
        paths: plain text (a text a line), .tsv and .csv with a header, .jsonl, each also compressed; .parquet.
        text: column of the text; of plain text it is the line.
        id: column; ``content``: 32 hex digits of the SHA-256 of the language and the text; ``line``: the line's number,
            after the file's name when there are several. ``None``: column ``id`` where there is one, else ``content``.
        language: code of all texts.
        language_column: column of codes or tags (``en``, ``zh-Hans``); ``None``: ``language`` or ``lang`` where there
            is one, else the code that a file's name begins with, as ``hin_Deva.txt``; "": none.
        keep: columns to keep beside the vectors, each NAME, or NAME=COLUMN if it is to have another name than in the
            files. Their values become text: "" where there is none, numbers and lists as JSON has them. A column
            ``licence`` (or ``license``) is kept without being named.
        licence: of all texts that have none in such a column.

    Raises:
        InputError: no file, no such column (the known ones are named), a file twice, or an unknown language code.
    """
    if isinstance(paths, (str, Path)) or not paths:
        raise InputError(f"expected a list of files, got {paths!r}")
    if language:
        check_language(language)
        if language_column:
            raise InputError("a language of all texts and a column of languages: expected one of them")
    named = [entry.partition("=") for entry in keep]
    kept = {name: column or name for name, _, column in named}
    check_names(kept)
    sources = tuple(open_source(path) for path in paths)
    places = [source.path.resolve() for source in sources]
    again = next((path for path in places if places.count(path) > 1), None)
    if again:
        raise InputError(f"{again} is given twice; expected each file once")
    for source in sources:
        wanted = {"text": None if source.kind == "text" else text, "language": language_column or None}
        wanted["id"] = None if id in (None, CONTENT, LINE) else id
        wanted |= {f"payload {name}": column for name, column in kept.items()}
        for what, column in wanted.items():
            if column and column not in source.columns:
                known = there_are(column, source.columns) if source.columns else _listed(source)
                raise InputError(f"{source.path} has no column {column!r} for the {what}: it has {known}")
    if licence or any(name in source.columns for source in sources for name in LICENCE_COLUMNS):
        kept.setdefault(LICENCE, LICENCE)
    return Corpus(sources, text, id or _default_id(sources), language, language_column, kept, licence)


def _default_id(sources: Sequence[Source]) -> str:
    having = [source.path for source in sources if "id" in source.columns]
    without = [source.path for source in sources if "id" not in source.columns]
    if having and without:
        raise InputError(f"{having[0]} has a column 'id', {without[0]} has none: say content or line (--id)")
    return "id" if having else CONTENT


def _listed(source: Source) -> str:
    return "lines of text alone" if source.kind == "text" else "no JSON object at its beginning"


def _text(fields: dict[str, Any], column: str) -> str:
    text = fields.get(column)
    if text is None:
        raise BadLine(f"the text is missing: no value of {column!r}")
    if not isinstance(text, str):
        raise BadLine(f"the text is {type(text).__name__}, expected a string")
    if not text.strip():
        raise BadLine("the text is blank")
    if "\0" in text:
        raise BadLine("the text holds the character NUL")
    return text


def _named(path: Path) -> str:
    """The language code that a file's name begins with; "" if with none."""
    try:
        return check_language(path.name.partition(".")[0])
    except InputError:
        return ""


def _value(value: Any, column: str) -> str:
    """A value of a column that is kept, as text."""
    if value is None or value != value:  # NaN is not itself
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if "\0" in text:
        raise BadLine(f"{column!r} holds the character NUL")
    return text


def _language(code: Any, column: str | None, text: str) -> str:
    if code is None or code in ("", "nan") or code != code:  # NaN is not itself
        return ""
    if not isinstance(code, str):
        raise BadLine(f"{column!r} is {type(code).__name__}, expected a language code")
    try:
        return row_language(code, text)
    except InputError as error:
        raise BadLine(str(error)) from error

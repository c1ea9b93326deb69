"""What the verbs share: arguments of the same name and meaning, printing a result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from align.errors import InputError
from align.files.whole import json_values, write_json

Template = Annotated[
    str | None, typer.Option(help='Words in context: "This is {word}."; the vector is of the word\'s own subwords.')
]
Processes = Annotated[int, typer.Option(min=1, help="Processes that romanise.")]
Backend = Annotated[str, typer.Option(help="Romaniser, of those in docs/romanizer.md; fast writes what uroman does.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write, whole or not at all.")]
TakenOff = Annotated[
    Path | None, typer.Option("--offsets", help="Folder of align offsets, to be taken off vectors encoded without.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
AllowLicences = Annotated[
    str | None,
    typer.Option(
        "--allow-licenses", "--allow-licences", envvar="ALIGN_ALLOW_LICENSES",
        help="Read data of these licences alone, as cc-by-nc-4.0,cc0; any; unknown: of none. By default all but what "
        "is not for commercial use.",
    ),
]  # fmt: skip
ResultFile = Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")]


def one_of(choices: Sequence[str], given: str, option: str) -> str:
    """The given value of an option, if it is one of the choices."""
    if given not in choices:
        raise InputError(f"{option} must be {' or '.join(choices)}, got {given!r}")
    return given


def listed(text: str | None) -> list[str] | None:
    """What stands between commas; ``None``: nothing was given."""
    return [part.strip() for part in text.split(",")] if text else None


def wheres(given: Sequence[str] | None) -> dict[str, list[str]]:
    """Filters COLUMN=VALUE by column; a value may hold anything."""
    found: dict[str, list[str]] = {}
    for text in given or ():
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise InputError(f"a filter is COLUMN=VALUE, such as licence=CC0, got {text!r}")
        found.setdefault(column.strip(), []).append(value)
    return found


def show(value: Any, *, indent: int | None = 2) -> None:
    """Print a result as JSON on stdout; NaN and Inf, which JSON does not know, are null."""
    print(json.dumps(json_values(value), ensure_ascii=False, indent=indent, allow_nan=False))


def tell(value: Any, table: str, *, as_json: bool, out: Path | None = None) -> None:
    """Write a result to a JSON file, if there is to be one, and print its table, or that JSON."""
    if out:
        write_json(out, value)
    if as_json:
        show(value)
    else:
        print(table)

"""What the verbs share: arguments of the same name and meaning, printing a result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from align.errors import InputError

Template = Annotated[
    str | None, typer.Option(help='Words in context: "This is {word}."; the vector is of the word\'s own subwords.')
]
Processes = Annotated[int, typer.Option(min=1, help="Processes that romanise.")]
Backend = Annotated[str, typer.Option(help="uroman, or fast (extra fast-romanize: the same output, sooner).")]
Licence = Annotated[str, typer.Option(help="Licence of the text, for the manifest.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write, whole or not at all.")]
ResultFile = Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")]


def one_of(choices: Sequence[str], given: str, option: str) -> str:
    """The given value of an option, if it is one of the choices."""
    if given not in choices:
        raise InputError(f"{option} must be {' or '.join(choices)}, got {given!r}")
    return given


def listed(text: str | None) -> list[str] | None:
    """What stands between commas; ``None``: nothing was given."""
    return [part.strip() for part in text.split(",")] if text else None


def show(value: dict[str, Any]) -> None:
    """Print a result as JSON on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))

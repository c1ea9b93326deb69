"""How verbs name files and datasets and their languages: ``CODE=PATH``, ``CODE=NAME:CONFIGURATION``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from align.errors import InputError

if TYPE_CHECKING:
    from align.pairs import HubRows, RowFile

Texts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CODE=]PATH",
        help="Files, or folders of files named by language, such as eng_Latn.train.tsv; or eng_Latn=FILE. "
        "Of two languages: eng_Latn-hin_Deva.",
    ),
]
Hub = Annotated[
    list[str] | None,
    typer.Option(help="Dataset on the Hub, streamed: CODE=NAME or CODE=NAME:CONFIGURATION; again for more."),
]
Split = Annotated[str, typer.Option(help="Split of the Hub datasets.")]
Parallel = Annotated[bool, typer.Option("--parallel", help="The files are row-aligned translations; this is checked.")]


def sources(texts: list[str] | None, hub: list[str] | None, split: str, licence: str) -> list[str | RowFile | HubRows]:
    """What the arguments name, in their order.

    Raises:
        InputError: an unknown code.
    """
    from align.pairs import HubRows, RowFile
    from align.pairs.reading.row_sources import languages_of

    found: list[str | RowFile | HubRows] = []
    for text in texts or []:
        label, equals, path = text.partition("=")
        if equals and "/" not in label and not Path(text).exists():
            found.append(RowFile(Path(path), languages_of(label), licence))
        else:
            found.append(text)
    for text in hub or []:
        label, equals, name = text.partition("=")
        if not equals:
            raise InputError(f"expected CODE=NAME, such as hin_Deva={text}, got {text!r}")
        name, _, config = name.partition(":")
        found.append(HubRows(name, config or None, split, languages_of(label), licence=licence))
    return found


def pair_of(text: str) -> tuple[str, str]:
    """``("hin_Deva", "tam_Taml")`` of ``hin_Deva-tam_Taml``; names of columns may be parted by a comma.

    Raises:
        InputError: not two names.
    """
    one, _, two = text.partition("," if "," in text else "-")
    if not one or not two:
        raise InputError(f"expected two names, such as hin_Deva-tam_Taml, got {text!r}")
    return one.strip(), two.strip()

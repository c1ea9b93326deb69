"""Where translations come from: line-aligned files two by two, files and datasets that hold both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.pairs.directions import Directions
from align.pairs.reading.row_sources import (
    ROW_SUFFIXES,
    AnyRows,
    GivenRows,
    HubRows,
    RowFile,
    described,
    find_rows,
    listed,
)

SUFFIXES = (".txt", ".txt.gz", ".tmx", ".tmx.gz", *ROW_SUFFIXES)


@dataclass(frozen=True)
class LineFiles:
    """Two files; line i of one translates line i of the other. ``collection`` names the folder of many languages."""

    source: RowFile
    target: RowFile
    collection: str = ""


AnyBitext = LineFiles | RowFile | HubRows


def find_bitexts(given: GivenRows, directions: Directions, *, licence: str = "unknown") -> list[AnyBitext]:
    """Line-aligned files, two by two, then whatever holds both sides: TMX, tables, datasets.

    The files of one language in a folder are aligned with each other, and so are those given by themselves.

    Raises:
        InputError: as ``find_rows`` and ``Directions.of`` do; two files of one language; codes that do not fit a file.
    """
    folders, others = _folders(given)
    sets = [(str(path), path.resolve().name, find_rows(path, suffixes=SUFFIXES, licence=licence)) for path in folders]
    if others or not folders:
        rows = find_rows(others, licence=licence)
        sets.append(("the files given", _collection(rows), rows))
    found: list[AnyBitext] = []
    for place, collection, rows in sets:
        lines = [row for row in rows if isinstance(row, RowFile) and len(row.languages) == 1]
        found += _two_by_two(lines, directions, place, collection) if lines else []
        found += [_checked(row) for row in rows if row not in lines]
    return found


def _folders(given: GivenRows) -> tuple[list[Path], GivenRows]:
    if isinstance(given, Mapping):
        return [], given
    items = [Path(item) if isinstance(item, str) else item for item in listed(given)]
    folders = [item for item in items if isinstance(item, Path) and item.is_dir()]
    return folders, [item for item in items if item not in folders]


def _collection(rows: Sequence[AnyRows]) -> str:
    lines = [row for row in rows if isinstance(row, RowFile) and len(row.languages) == 1]
    return lines[0].path.resolve().parent.name if len(lines) > 2 else ""


def _two_by_two(lines: list[RowFile], directions: Directions, place: str, collection: str) -> list[AnyBitext]:
    by_code: dict[str, RowFile] = {}
    for file in lines:
        other = by_code.setdefault(file.languages[0], file)
        if other is not file:
            raise InputError(f"{other.name} and {file.name} are both {file.languages[0]}: expected one file a language")
        if file.name.endswith((*ROW_SUFFIXES, ".tmx", ".tmx.gz")):
            raise InputError(f"{file.name}: expected two codes such as eng_Latn-hin_Deva, got {file.languages[0]}")
    return [LineFiles(by_code[a], by_code[b], collection) for a, b in directions.of(list(by_code), place)]


def _checked(source: AnyRows) -> AnyRows:
    if len(source.languages) != 2 or source.languages[0] == source.languages[1]:
        got = "-".join(source.languages) or "none"
        raise InputError(f"{source.name}: expected the codes of two languages, such as eng_Latn-hin_Deva, got {got}")
    if isinstance(source, RowFile) and not source.name.endswith(SUFFIXES[2:]):
        raise InputError(f"{source.name}: expected a file of both languages that ends in {', '.join(SUFFIXES[2:])}")
    return source


def described_bitexts(lines: dict[AnyBitext, int]) -> list[dict[str, Any]]:
    """Entries of the manifest, one a file or dataset; ``lines`` counts the lines of each bitext."""
    entries: dict[str, dict[str, Any]] = {}
    for bitext, count in lines.items():
        for source in (bitext.source, bitext.target) if isinstance(bitext, LineFiles) else (bitext,):
            if source.name not in entries:
                entries[source.name] = described(source, count, source.languages)
    return list(entries.values())

"""Where translations come from: line-aligned files two by two, files and datasets that hold both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from align.errors import InputError, there_are
from align.files.archives import is_folder
from align.files.licences import check_licence
from align.files.packed import also_packed, said
from align.pairs.reading.finding import find_rows, listed
from align.pairs.reading.sources import ROW_SUFFIXES, TMX_SUFFIXES, AnyRows, GivenRows, HubRows, RowFile, described
from align.pairs.reading.tatoeba import Export, files_of, is_export
from align.text.languages import check_language

BOTH_SIDES = (*TMX_SUFFIXES, *ROW_SUFFIXES)
"""Endings of files that hold both sides."""
SUFFIXES = (*also_packed([".txt"]), *BOTH_SIDES)
Side = Literal["source", "target"]
ENGLISH = "eng_Latn"


@dataclass(frozen=True)
class Directions:
    """Language pairs out of line-aligned files: each language with a pivot, or the pairs that are named."""

    pairs: tuple[tuple[str, str], ...] = ()
    """(source, target) pairs to make; (): every language with the pivot."""
    pivot: str | None = None
    """Language in every pair; None: eng_Latn if it is there, else the first of two."""
    pivot_side: Side = "source"
    """Side of the pivot."""

    def __post_init__(self) -> None:
        if self.pivot_side not in get_args(Side):
            raise InputError(f"the side of the pivot is source or target; got {self.pivot_side!r}")
        for code in [*(code for pair in self.pairs for code in pair), *([self.pivot] if self.pivot else [])]:
            check_language(code)
        for pair in self.pairs:
            if len(pair) != 2 or pair[0] == pair[1]:
                raise InputError(f"expected a pair of two languages, got {'-'.join(pair)}")

    def of(self, codes: Sequence[str], place: str) -> list[tuple[str, str]]:
        """The (source, target) pairs among ``codes``, the languages of the files at ``place``."""
        for code in [code for pair in self.pairs for code in pair] or ([self.pivot] if self.pivot else []):
            if code not in codes:
                raise InputError(f"{place}: expected text in {code}, found {there_are(code, codes)}")
        if self.pairs:
            return list(self.pairs)
        if len(codes) < 2:
            raise InputError(f"{place}: expected two languages or more, found {codes[0]} only")
        pivot = self.pivot or (ENGLISH if ENGLISH in codes else codes[0] if len(codes) == 2 else "")
        if not pivot:
            raise InputError(f"{place}: the pivot {ENGLISH} is not there; name one of {', '.join(codes)}")
        others = [code for code in codes if code != pivot]
        return [(pivot, code) if self.pivot_side == "source" else (code, pivot) for code in others]


@dataclass(frozen=True)
class LineFiles:
    """Two files; line i of one translates line i of the other. ``collection`` names the folder of many languages."""

    source: RowFile
    target: RowFile
    collection: str = ""


AnyBitext = LineFiles | RowFile | HubRows | Export


def find_bitexts(given: GivenRows, directions: Directions, *, licence: str = "unknown") -> list[AnyBitext]:
    """Line-aligned files, two by two, then whatever holds both sides: TMX, tables, datasets.

    The files of one language in a folder are aligned with each other, and so are those given by themselves. What holds
    both sides and does not name them (``memory.tmx``) has the languages of the pairs that are asked for.
    """
    folders, others = _folders(given)
    exports = [folder for folder in folders if is_export(folder)]
    folders = [folder for folder in folders if folder not in exports]
    sets = [(str(path), path.resolve().name, find_rows(path, suffixes=SUFFIXES, licence=licence)) for path in folders]
    if others or not (folders or exports):
        rows = find_rows(others, licence=licence, unnamed=BOTH_SIDES if directions.pairs else ())
        sets.append(("the files given", _collection(rows), rows))
    found: list[AnyBitext] = []
    for place, collection, rows in sets:
        lines = [row for row in rows if isinstance(row, RowFile) and len(row.languages) == 1]
        found += _two_by_two(lines, directions, place, collection) if lines else []
        found += [_checked(each) for row in rows if row not in lines for each in _of_pairs(row, directions.pairs)]
    return found + [export for folder in exports for export in _exports(folder, directions)]


def _of_pairs(source: AnyRows, pairs: Sequence[tuple[str, str]]) -> list[AnyRows]:
    """A source that names no language, once for each of the pairs; its text tells them apart in TMX alone."""
    if source.languages:
        return [source]
    if len(pairs) > 1 and not source.name.endswith(TMX_SUFFIXES):
        named = ", ".join("-".join(pair) for pair in pairs)
        raise InputError(f"{source.name}: expected one pair of languages, which its name does not tell, got {named}")
    return [replace(source, languages=pair) for pair in pairs]


def _exports(folder: Path, directions: Directions) -> list[AnyBitext]:
    """An export for each pair of languages that is asked for: it has too many to take all."""
    if not directions.pairs:
        raise InputError(f"{folder} is an export of Tatoeba: name its languages by --pair, such as eng_Latn-deu_Latn")
    exports = [Export(folder, pair) for pair in directions.pairs]
    check_licence(str(folder), exports[0].licence)
    return list(exports)


def _folders(given: GivenRows) -> tuple[list[Path], GivenRows]:
    if isinstance(given, Mapping):
        return [], given
    items = [Path(item) if isinstance(item, str) else item for item in listed(given)]
    folders = [item for item in items if isinstance(item, Path) and is_folder(item)]
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
        if file.name.endswith(BOTH_SIDES):
            raise InputError(f"{file.name}: expected two codes such as eng_Latn-hin_Deva, got {file.languages[0]}")
    return [LineFiles(by_code[a], by_code[b], collection) for a, b in directions.of(list(by_code), place)]


def _checked(source: AnyRows) -> AnyRows:
    if len(source.languages) != 2 or source.languages[0] == source.languages[1]:
        got = "-".join(source.languages) or "none"
        raise InputError(f"{source.name}: expected the codes of two languages, such as eng_Latn-hin_Deva, got {got}")
    if isinstance(source, RowFile) and not source.name.endswith(BOTH_SIDES):
        raise InputError(f"{source.name}: expected a file of both languages that ends in {said(BOTH_SIDES)}")
    return source


def files_of_export(export: Export) -> list[RowFile]:
    """The files of sentences and links of an export, for the manifest."""
    return [RowFile(file, export.languages, export.licence) for files in files_of(export.path) for file in files]


def described_bitexts(lines: dict[AnyBitext, int]) -> list[dict[str, Any]]:
    """Entries of the manifest, one a file or dataset; ``lines`` counts the lines of each bitext."""
    entries: dict[str, dict[str, Any]] = {}
    for bitext, count in lines.items():
        for source in (bitext.source, bitext.target) if isinstance(bitext, LineFiles) else (bitext,):
            for file in files_of_export(source) if isinstance(source, Export) else (source,):
                if file.name not in entries:
                    entries[file.name] = described(file, count, source.languages)
                entries[file.name]["languages"] = sorted({*entries[file.name]["languages"], *source.languages})
    return list(entries.values())

"""What is known of languages, for features to read: texts, an encoder, sizes of corpora."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from align.errors import InputError
from align.files.packed import plain_name
from align.files.whole import read_lines
from align.pairs.reading.records import column, tsv_records
from align.text.languages import check_language

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder


@dataclass(frozen=True)
class Evidence:
    """What the caller has; any of it may be missing."""

    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Lines by language code."""
    parallel: bool = False
    """Line i says the same in all texts."""
    encoder: Encoder | None = None
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Of the corpora that the encoder learnt from, by language code, in any one unit."""

    def __post_init__(self) -> None:
        """Refuse parallel texts of different lengths."""
        lengths = {code: len(lines) for code, lines in self.texts.items()}
        if self.parallel and len(set(lengths.values())) > 1:
            (least, few), *_, (most, many) = sorted(lengths.items(), key=lambda one: one[1])
            raise InputError(f"parallel texts have equal numbers of lines: {least} has {few}, {most} has {many}")


def read_texts(places: Iterable[Path | str]) -> dict[str, list[str]]:
    """Lines by language code, of ``CODE=FILE``, files named by it (hin_Deva.txt), and all such files of folders.

    Raises:
        InputError: a file that is not there or is no text, one that is not named by a language, a folder that holds no
            text of a language, two texts of one.
    """
    files: dict[str, Path] = {}
    for given in places:
        label, equals, file = str(given).partition("=")
        path = Path(file if equals else given)
        if path.is_dir() and not equals:
            named = [(code, one) for one in sorted(path.iterdir()) if (code := _code_of(one))]
            if not named:
                raise InputError(f"{path}: expected texts named by their language, such as hin_Deva.txt, found none")
        else:
            named = [(check_language(label if equals else path.name.partition(".")[0]), path)]
        for code, one in named:
            if code in files:
                raise InputError(f"two texts of {code}: {files[code]} and {one}; expected one")
            files[code] = one
    return {code: list(read_lines(path, blank_bad=True)) for code, path in files.items()}


def read_sizes(path: Path | str) -> dict[str, float]:
    """Sizes by language code, of a table (TSV, CSV) with the columns language and size.

    Raises:
        InputError: a file that cannot be read, an unknown language, a second row of one, a size that is not above 0.
    """
    sizes: dict[str, float] = {}
    for number, record in tsv_records(Path(path)):
        place = f"{path}, line {number}"
        code, given = (str(record[column([name], record, place)]) for name in ("language", "size"))
        try:
            size = float(given)
        except ValueError:
            size = math.nan
        if not 0 < size < math.inf:
            raise InputError(f"{place}: expected a size above 0, got {given!r}")
        if check_language(code) in sizes:
            raise InputError(f"{place}: a second size of {code}")
        sizes[code] = size
    return sizes


def _code_of(path: Path) -> str:
    """The language that a file of text is named by; "" of any other."""
    name, _, end = plain_name(path).partition(".")
    try:
        return check_language(name) if end == "txt" else ""
    except InputError:
        return ""

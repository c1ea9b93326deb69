"""Reading line-aligned text whose lines have a class and a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from align.errors import InputError
from align.files.archives import is_folder
from align.files.whole import read_lines
from align.tasks.texts.bitext import read_aligned
from align.tasks.texts.line_checks import check_aligned

SPLITS = ("train", "dev", "test")
CLASS_COLUMNS = ("category", "topic", "label")


@dataclass(frozen=True)
class LabelledTexts:
    """The same lines in several languages; line i has one class and one split in all of them."""

    texts: Mapping[str, Sequence[str]]
    """Lines by language code."""
    classes: Sequence[str]
    """(n,) class of each line."""
    splits: Sequence[str]
    """(n,) ``train``, ``dev`` or ``test``."""

    def __post_init__(self) -> None:
        """Refuse unequal numbers of lines and unknown splits."""
        n = check_aligned(self.texts)
        if not n == len(self.classes) == len(self.splits):
            raise InputError(
                f"{n} lines of text have {len(self.classes)} classes and {len(self.splits)} splits: expected one each"
            )
        unknown = sorted(set(self.splits) - set(SPLITS))
        if unknown:
            raise InputError(f"unknown split {unknown[0]!r}: expected {', '.join(SPLITS)}")


def read_classification(folder: str | Path, *, languages: Sequence[str] | None = None) -> LabelledTexts:
    """A folder of ``<lang_Script>.txt`` and ``index.tsv``, as SIB-200 is laid out.

    The header of ``index.tsv`` names a column ``split`` (train, dev, test) and one of ``category``, ``topic`` and
    ``label``; others, such as an id, are passed over. Its rows are in the order of the lines.

    Args:
        folder: see above.
        languages: codes to read, in this order; ``None``: all.

    Raises:
        InputError: no such folder, file, column or language, a row with the wrong number of columns, another split or
            no class (with path and line), or another number of rows than of lines.
    """
    path = Path(folder)
    if not is_folder(path):
        raise InputError(f"no such folder: {path}")
    index = path / "index.tsv"
    classes, splits = read_index(index)
    texts = read_aligned(path, languages=languages)
    first = next(iter(texts))
    if len(texts[first]) != len(classes):
        raise InputError(f"{index} has {len(classes)} rows, {first} has {len(texts[first])} lines: expected as many")
    return LabelledTexts(texts, tuple(classes), tuple(splits))


def read_index(path: Path) -> tuple[list[str], list[str]]:
    """Rows of an ``index.tsv``."""
    lines = enumerate(read_lines(path), 1)
    head = next(lines, (1, ""))[1].split("\t")
    named = [column for column in CLASS_COLUMNS if column in head]
    if "split" not in head or len(named) != 1:
        expected = f"split and one of {', '.join(CLASS_COLUMNS)}"
        raise InputError(f"{path}, line 1: expected a header with {expected} between tabs, got {head}")
    classes, splits = [], []
    for number, line in lines:
        cells = dict(zip(head, line.split("\t"), strict=False))
        if line.count("\t") + 1 != len(head):
            raise InputError(f"{path}, line {number}: {line.count(chr(9)) + 1} columns, expected {len(head)}")
        if cells["split"] not in SPLITS:
            raise InputError(f"{path}, line {number}: split {cells['split']!r}, expected {', '.join(SPLITS)}")
        if not cells[named[0]].strip():
            raise InputError(f"{path}, line {number}: the {named[0]} is empty")
        classes.append(cells[named[0]])
        splits.append(cells["split"])
    return classes, splits

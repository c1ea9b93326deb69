"""Evaluation dictionaries of bilingual lexicon induction: MUSE (``src tgt``), XLING and PanLex (``src TAB tgt``)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from align.errors import InputError
from align.files.archives import files_in, is_folder, is_there
from align.files.cells import tsv_lines
from align.files.packed import also_packed
from align.files.whole import existing_file, refuse_markup, two_sides
from align.tasks.texts.named_files import Pair, language_code, pair_of_name
from align.text.tags import tagged_sides

logger = logging.getLogger(__name__)

_ENDINGS = also_packed([".tsv", ".txt", ".trans"])
_TRAINING = re.compile(r"train|\.0-5000\.")  # yacle.train.freq.5k, x.train.5000.cc.trans; MUSE's en-de.0-5000.txt


@dataclass(frozen=True)
class Dictionary:
    """Translations to be found; a source word may stand on several lines, each with one of its translations."""

    languages: Pair
    """Codes of the source and the target words."""
    pairs: tuple[Pair, ...]
    """(n,) source word and translation of each line, in the order of the file."""
    name: str = field(default="", compare=False)
    """Where it comes from, for messages; no part of what it is."""

    def __post_init__(self) -> None:
        """Refuse an empty dictionary and one within a language."""
        if not self.pairs:
            raise InputError(f"{self.label} is empty: expected a source word and its translation on each line")
        if self.languages[0] == self.languages[1]:
            raise InputError(f"{self.label} is of {self.languages[0]} only; expected two languages")

    @property
    def label(self) -> str:
        """Its name, or else its languages."""
        return self.name or "the dictionary {}-{}".format(*self.languages)

    @property
    def duplicates(self) -> int:
        """Lines that repeat an earlier one. They stay: a protocol that scores lines scores them again."""
        return len(self.pairs) - len(set(self.pairs))

    @property
    def identical(self) -> float:
        """Share of the lines whose two words are the same but for case."""
        return sum(is_identical(pair) for pair in self.pairs) / len(self.pairs)

    def reversed(self) -> Dictionary:
        """The dictionary of the other direction, line by line."""
        return replace(self, languages=self.languages[::-1], pairs=tuple((t, s) for s, t in self.pairs))


def is_identical(pair: Pair) -> bool:
    """Whether copying the source word finds its translation, case aside."""
    return pair[0].lower() == pair[1].lower()


def read_dictionary(path: Path | str, languages: Pair) -> Dictionary:
    """Read a dictionary, plain or compressed: two columns, parted by a TAB if line 1 holds one and by spaces otherwise.

    Entries of several words need the TAB. Blank lines are passed over, and lines that are no two words are set aside;
    they and repeated lines are counted and logged.
    A first line that names the two columns (languages by tag or name, or ``align.files.whole.SIDES``) is a header: it
    says where they are, whatever else stands beside them.

    Raises:
        InputError: no such file, an empty one, a web page or XML, or no line of two words (with the first line).
    """
    pairs: list[Pair] = []
    blank, tab, started, number = 0, False, False, 0
    places, columns = (0, 1), 2
    odd: list[str] = []
    for number, line, problem in tsv_lines(existing_file(path)):
        if problem:
            odd.append(f"{path}, line {number}: {problem}")
            continue
        if not line.strip():
            blank += 1
            continue
        if not started:
            started, tab = True, "\t" in line
            refuse_markup(line, path, number, expected="a dictionary")
            cells = _cells(line, tab)
            if header := two_sides(cells) or tagged_sides(cells, *languages):
                places, columns = header, len(cells)
                continue
        try:
            pairs.append(_columns(line, tab, places, columns, f"{path}, line {number}"))
        except InputError as error:
            odd.append(str(error))
    if odd and not pairs:
        raise InputError(odd[0])
    if odd:
        logger.warning("%s: %d of %d lines are set aside, the first: %s", path, len(odd), number, odd[0])
    found = Dictionary(languages, tuple(pairs), str(path))
    for count, what in ((blank, "are blank and were passed over"), (found.duplicates, "repeat an earlier one")):
        if count:
            logger.warning("%s: %d of %d lines %s", path, count, len(pairs) + blank + len(odd), what)
    return found


def _cells(line: str, tab: bool) -> list[str]:
    # str.split() would also part words at U+00A0 and the like
    return [cell.strip() for cell in line.split("\t")] if tab else [cell for cell in line.strip().split(" ") if cell]


def _columns(line: str, tab: bool, places: tuple[int, int], columns: int, where: str) -> Pair:
    cells = _cells(line, tab)
    if len(cells) == columns:
        source, target = (cells[place] for place in places)
        if source and target and (tab or "\t" not in line):
            return source, target
        expected = "no word is empty" if tab else "line 1 has no TAB, so that no line has one"
        raise InputError(f"{where}: expected a source word and its translation, {expected}, got {line[:60]!r}")
    hint = "" if tab or len(cells) < 2 else "; entries of several words need a TAB between source and translation"
    between = "a TAB" if tab else "a space"
    raise InputError(f"{where}: {len(cells)} columns, expected {columns} parted by {between}{hint}, got {line[:60]!r}")


def find_dictionaries(given: Sequence[Path | str]) -> dict[Pair, Path]:
    """Dictionaries by their languages: ``CODE-CODE=PATH``, files named by them, or folders of such, at any depth.

    Of a folder, test files are taken: those whose names say ``train`` (or MUSE's ``0-5000``) and those that name no two
    languages are passed over and logged. Two-letter codes get the language's usual script.

    Raises:
        InputError: no such path, nothing found, a file without languages, or two files of one pair.
    """
    found: dict[Pair, Path] = {}

    def add(languages: Pair, path: Path) -> None:
        if languages in found:
            both = f"{found[languages]} and {path}"
            raise InputError(f"two dictionaries are {'-'.join(languages)}: {both}; give one, as CODE-CODE=PATH")
        found[languages] = path

    for item in given:
        label, equals, name = str(item).partition("=")
        path = Path(item)
        if equals and "/" not in label and not is_there(path):
            codes = [language_code(code) for code in label.split("-")]
            if len(codes) != 2:
                raise InputError(f"expected CODE-CODE=PATH, such as eng_Latn-deu_Latn={name}, got {item}")
            add((codes[0], codes[1]), Path(name))
        elif is_folder(path):
            for languages, file in _in_folder(path):
                add(languages, file)
        elif not is_there(path):
            raise InputError(f"no such dictionary or folder: {path}")
        else:
            pair = pair_of_name(path) or pair_of_name(path := existing_file(path))
            if pair is None:
                raise InputError(f"{path}: its name holds no two languages, such as en-de; give CODE-CODE={path}")
            add(pair, path)
    if not found:
        raise InputError("no dictionary was given")
    return found


def _in_folder(folder: Path) -> list[tuple[Pair, Path]]:
    inside = sorted(folder.rglob("*")) if folder.is_dir() else files_in(folder)
    visible = [path for path in inside if not path.is_dir() and not path.name.startswith(".")]
    named = [(pair_of_name(path), path) for path in visible if path.name.endswith(_ENDINGS)]
    files = [(pair, path) for pair, path in named if pair and not _TRAINING.search(path.name)]
    if not files:
        names = "eng_Latn-deu_Latn.tsv, x.test.en-de.tsv, en-de.test.trans or en-de.5000-6500.txt"
        raise InputError(f"{folder} holds no test dictionary: expected files such as {names}")
    taken = {path for _, path in files}
    passed = [path.name for path in visible if path not in taken]
    if passed:
        more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
        logger.info("%s: %d files are no test dictionaries: %s%s", folder, len(passed), ", ".join(passed[:3]), more)
    return files

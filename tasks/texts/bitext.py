"""Reading line-aligned evaluation text: folders, pairs of files, tables, data sets on the Hub; whole, or by pairs."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from align.errors import InputError, there_are
from align.files.archives import files_in, is_folder, is_there
from align.files.cells import cell_lines
from align.files.hub import dataset_or_cache
from align.files.packed import plain_name, plain_suffix
from align.files.whole import INDEX, existing_file, read_lines, two_sides
from align.tasks.task import Unit, lost
from align.tasks.texts.line_checks import check_aligned
from align.text.languages import check_language, code_by_script
from align.text.tags import locale_language, tagged_sides

logger = logging.getLogger(__name__)

Texts = dict[str, list[str]]
PIVOT = "eng_Latn"
_T = TypeVar("_T")

_CODE = "[a-z]{3}_[A-Z][a-z]{3}"
_LAYOUTS = "<lang_Script>.txt (such as hin_Deva.txt) or tatoeba.<xxx>-eng.<xxx> and .eng"


def read_sets(source: str | Path | Mapping[str, Path], *, languages: Sequence[str] | None = None) -> Iterator[Texts]:
    """Line-aligned texts, one set at a time: lines by language code.

    ``source`` is one of

    - files by language code: one set; a line with broken bytes is blank, and so left out with its translations;
    - a folder of ``<lang_Script>.txt`` (the layout of FLORES): one set of all its languages;
    - a folder of ``tatoeba.<xxx>-eng.<xxx>`` and ``.eng`` (the layout of LASER): one set for each language with its own
      English lines. The script is the one of most letters; the three letters are taken as they are (``ber`` is no
      language of ISO 639-3);
    - a ``.tsv`` file (see ``read_columns``): one set;
    - the name of a data set on the Hub (see ``read_hub``): one set.

    Args:
        source: see above.
        languages: codes to read, in this order; ``None``: all. For Tatoeba the letters alone will do, and English is
            always there.

    Raises:
        InputError: unknown layout, a language that is not there (the available ones are listed), unequal numbers of
            lines, or invalid text.
    """
    if isinstance(source, Mapping):
        yield read_files(wanted({code: Path(path) for code, path in source.items()}, languages))
    elif is_folder(source):
        yield from _read_folder(Path(source), languages)
    elif plain_suffix(source) in (".tsv", ".csv"):
        yield read_columns(Path(source), languages)
    else:
        yield wanted(_read_table_or_hub(source, languages), languages)


def read_aligned(source: str | Path | Mapping[str, Path], *, languages: Sequence[str] | None = None) -> Texts:
    """The only set of ``source`` (see ``read_sets``).

    Raises:
        InputError: as ``read_sets``, or there are several sets (a Tatoeba folder, unless ``languages`` names one).
    """
    sets = read_sets(source, languages=languages)
    first = next(sets)
    if next(sets, None) is not None:
        raise InputError(f"{source} holds several sets, each aligned for itself: name one language")
    return first


def read_files(files: Mapping[str, Path]) -> Texts:
    """Lines of files, plain or compressed, by language code.

    Raises:
        InputError: an unknown code, a file that cannot be read, or unequal numbers of lines.
    """
    texts = {check_language(code): list(read_lines(path, blank_bad=True)) for code, path in files.items()}
    return _aligned(texts, ", ".join(str(path) for path in files.values()))


def read_columns(path: Path, languages: Sequence[str] | None = None) -> Texts:
    r"""Columns of a tab-separated file (or CSV), one sentence a cell; see :func:`align.files.cells.cell_lines`.

    A first line with two language codes or more names the columns, and so does one of tags alone (``en TAB de``); those
    with other names are passed over. Otherwise ``languages`` says of what the two columns are, in order: those of these
    tags in line 1, or of the names ``align.files.whole.SIDES``, such as ``source`` and ``target`` or Dakshina's
    ``native`` and ``roman``; without such a header there are just two. Blank lines are passed over. A line that cannot
    be read, or has another number of columns, is blank in all, and logged.

    Raises:
        InputError: no codes, an unknown code, or no line that can be read (with the first).
    """
    lines = [line for line in cell_lines(existing_file(path)) if any(map(str.strip, line.cells)) or line.problem]
    head = [cell.strip() for cell in lines[0].cells] if lines else []
    known = _codes(head)
    if languages and two_sides(head) and not {*known.values()} & {*languages}:
        known = {}  # src and tgt are names of sides, and languages of Sardinia and Palawan
    places = list(known)
    named = len(places) > 1 or 0 < len(places) == len(head)
    if not named and (languages is None or len(languages) != 2):
        raise InputError(f"{path} has no header of language codes: expected the codes of its two columns, got {head}")
    codes = list(known.values()) if named else list(languages or [])
    if len(set(codes)) != len(codes):
        raise InputError(f"{path}: a language code stands twice in {', '.join(codes)}")
    sides = None if named else two_sides(head) or tagged_sides(head, codes[0], codes[1])
    first = 1 if named or sides else 0
    places = places if named else list(sides or (0, 1))
    expected = len(head) if first else len(codes)
    columns: Texts = {check_language(code): [] for code in codes}
    odd: list[str] = []
    for number, cells, problem in lines[first:]:
        if len(cells) != expected:
            problem = problem or f"{len(cells)} columns, expected {expected} ({', '.join(codes)})"
        if problem:
            odd.append(f"{path}, line {number}: {problem}")
        for code, place in zip(codes, places, strict=True):
            columns[code].append("" if problem else cells[place])
    if odd and len(odd) == len(lines) - first:
        raise InputError(odd[0])
    if odd:
        logger.warning("%d lines are left out: %s", len(odd), odd[0])
    return _aligned(wanted(columns, languages), str(path))


def _codes(head: Sequence[str]) -> dict[int, str]:
    """The columns that a header names by a language, and their codes: two codes or more, or tags alone."""
    codes = {place: cell for place, cell in enumerate(head) if re.fullmatch(_CODE, cell)}
    named = {place: cell for place, cell in enumerate(head) if not INDEX.fullmatch(cell)}
    tags = {place: locale_language(cell.lower() if cell.isupper() else cell) for place, cell in named.items()}
    return tags if len(codes) < 2 <= len(tags) and all(tags.values()) else codes


def read_hub(name: str, languages: Sequence[str] | None = None, *, revision: str | None = None) -> Texts:
    """A data set of the Hugging Face Hub with a column for each language, such as ``mteb/FloresBitextMining``.

    The columns are language codes, or ``sentence_`` and a code. Of several splits the test split is read (``devtest``,
    ``test``). Of several revisions (commits) the newest is read, or the one that is asked for.

    Raises:
        InputError: it cannot be loaded (no network, no such name), or it has no such columns or split.
    """
    from datasets import load_dataset

    with dataset_or_cache(name):
        loaded = load_dataset(name, revision=revision)
    splits = [split for split in ("devtest", "test") if split in loaded] or list(loaded)
    if splits[0] not in ("devtest", "test") and len(splits) > 1:
        raise InputError(f"data set {name} has the splits {', '.join(splits)}: expected devtest or test")
    rows = loaded[splits[0]]
    columns = {column.removeprefix("sentence_"): column for column in rows.column_names}
    columns = {code: column for code, column in columns.items() if re.fullmatch(_CODE, code)}
    if not columns:
        raise InputError(f"data set {name} has no column named by a language code: {', '.join(rows.column_names)}")
    return _aligned({code: list(rows[c]) for code, c in wanted(columns, languages).items()}, name)


def parallel_units(
    source: str | Path,
    languages: Sequence[str] | None = None,
    *,
    pivot: str = PIVOT,
    scripts: bool = True,
    revision: str | None = None,
) -> Iterator[Unit]:
    """Units of two languages: each with the pivot, read when it is loaded.

    Without the pivot two languages are one unit. In Tatoeba's layout a language comes with its own English, and a line
    is known by its English.

    Args:
        source: see ``read_sets``.
        languages: codes; ``None``: all. The pivot is always there; a code without text makes a unit that fails.
        pivot: the language that all come with.
        scripts: also the two scripts of a language with each other.
        revision: of a data set on the Hub.

    Raises:
        InputError: unknown layout, or neither the pivot nor two languages.
    """
    path = Path(source)
    if is_folder(path):
        files = _by_code(path)
        if not files:
            yield from _tatoeba_units(path, languages)
            return
        read = functools.cache(lambda code: list(read_lines(files[code], blank_bad=True)))
        yield from pairs_of(path, list(files), read, languages, pivot=pivot, scripts=scripts)
    else:
        texts = _read_table_or_hub(source, languages, revision)
        yield from pairs_of(source, list(texts), texts.__getitem__, languages, pivot=pivot, scripts=scripts)


def pairs_of(
    where: str | Path,
    codes: Sequence[str],
    read: Callable[[str], list[str]],
    languages: Sequence[str] | None,
    *,
    pivot: str = PIVOT,
    scripts: bool = True,
) -> Iterator[Unit]:
    """Units of the languages that are there; arguments as of ``parallel_units``."""
    kept, absent = chosen(codes, languages, pivot)
    yield from absent

    def load(first: str, second: str) -> Texts:
        return {first: read(first), second: read(second)}

    if pivot not in codes:
        if len(kept) != 2:
            raise InputError(f"{where} has no {pivot}: expected it beside the other languages, or two languages")
        yield Unit("-".join(kept), functools.partial(load, *kept))
        return
    others = [code for code in kept if code != pivot]
    for place, code in enumerate(others):
        yield Unit(f"{code}-{pivot}", functools.partial(load, code, pivot))
        for other in others[:place] if scripts else ():
            if other[:3] == code[:3]:
                yield Unit(f"{other}-{code}", functools.partial(load, other, code))


def chosen(
    available: Sequence[str], languages: Sequence[str] | None, pivot: str = PIVOT
) -> tuple[list[str], list[Unit]]:
    """Codes to read in the source's order, and units that tell of those that are not there."""
    if languages is None:
        return list(available), []
    absent = [
        lost(code, f"no text in {code}; available: {there_are(code, available)}")
        for code in languages
        if code not in available and code != pivot
    ]
    return [code for code in available if code in languages or code == pivot], absent


def _tatoeba_units(folder: Path, languages: Sequence[str] | None) -> Iterator[Unit]:
    letters = _tatoeba_letters(folder)
    asked = {code.partition("_")[0]: code for code in languages or letters if code != PIVOT}
    for code, given in asked.items():
        if code in letters:
            yield Unit(code, functools.partial(_read_tatoeba, folder, code, given), "text")
        else:
            yield lost(given, f"no text in {given}")


def tatoeba_code(folder: Path, letters: str) -> str:
    """By the script of the first lines, without reading them all."""
    return code_by_script(
        letters, "\n".join(islice(read_lines(folder / f"tatoeba.{letters}-eng.{letters}", blank_bad=True), 50))
    )


def _tatoeba_letters(folder: Path) -> list[str]:
    found = (re.fullmatch(r"tatoeba\.([a-z]{3})-eng\.\1", path.name) for path in files_in(folder))
    letters = sorted(match[1] for match in found if match)
    if not letters:
        raise InputError(f"{folder} has no known layout: expected {_LAYOUTS}")
    return letters


def _read_table_or_hub(source: str | Path, languages: Sequence[str] | None, revision: str | None = None) -> Texts:
    if plain_suffix(source) in (".tsv", ".csv"):
        first = next(cell_lines(existing_file(source)), None)
        named = first is not None and len(_codes([cell.strip() for cell in first.cells])) > 1
        return read_columns(Path(source), None if named else languages)
    if re.fullmatch(r"[\w-]+/[\w.-]+", str(source)) and not is_there(source):
        return read_hub(str(source), None, revision=revision)
    raise InputError(f"{source} is no folder, .tsv file or data set on the Hub (owner/name)")


def _by_code(folder: Path) -> dict[str, Path]:
    """Files named by a language code; what else is there is logged."""
    files: dict[str, Path] = {}
    ignored = []
    for path in files_in(folder):
        match = re.fullmatch(rf"({_CODE})\.txt", plain_name(path))
        if match and match[1] in files:
            raise InputError(f"{folder} holds {match[1]} twice: {files[match[1]].name} and {path.name}")
        if match:
            files[match[1]] = path
        else:
            ignored.append(path.name)
    if files and ignored:
        logger.info("%s: %d entries are not named by a language code: %s", folder, len(ignored), ", ".join(ignored))
    return files


def _read_folder(folder: Path, languages: Sequence[str] | None) -> Iterator[Texts]:
    if files := _by_code(folder):
        yield read_files(wanted(files, languages))
        return
    letters = _tatoeba_letters(folder)
    asked = {code.partition("_")[0]: code for code in languages or letters}
    asked.pop("eng", None)
    for code in wanted(dict.fromkeys(letters, folder), list(asked)):
        yield _read_tatoeba(folder, code, asked[code])


def _read_tatoeba(folder: Path, letters: str, asked: str) -> Texts:
    stem = folder / f"tatoeba.{letters}-eng"
    lines = list(read_lines(f"{stem}.{letters}", blank_bad=True))
    code = code_by_script(letters, "\n".join(lines))
    if asked not in (letters, code):
        raise InputError(f"{stem}.{letters} is mostly in the script of {code}; {asked} was asked for")
    return _aligned({code: lines, "eng_Latn": list(read_lines(f"{stem}.eng", blank_bad=True))}, f"{stem}.*")


def wanted(available: Mapping[str, _T], languages: Sequence[str] | None) -> dict[str, _T]:
    """Those of ``available`` that were asked for, in that order; None: all. An absent one is an InputError."""
    missing = [code for code in languages or () if code not in available]
    if missing:
        raise InputError(f"no text in {', '.join(missing)}; available: {there_are(missing[0], sorted(available))}")
    return dict(available) if languages is None else {code: available[code] for code in languages}


def _aligned(texts: Texts, where: str) -> Texts:
    try:
        check_aligned(texts)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return texts

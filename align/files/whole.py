"""Files appear whole or not at all, and text is read strictly."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.archives import file_at, is_there, open_file
from align.files.lines import text_lines

# not any tag: <unk> is a word of some vocabularies
MARKUP = re.compile(r"<(\?xml\b|!doctype\b|!--|html\b|error\b)", re.IGNORECASE)


SEAL = "seal"
UNWRITTEN = re.compile(r"os error (28|5)\b|No space left on device|PytorchStreamWriter failed")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` only if the block succeeds.

    Raises:
        InputError: the folder cannot be written to, or the disk is full. Nothing is left behind.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with explained(path):
            yield temporary
            flush(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, is on the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():  # a system that opens no folders, or one that only others may list
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Of writing to ``path``: a full or failing disk, and a place where one may not write, become an InputError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{path} was not written: no space left on the disk") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EPERM, errno.EIO):
            raise InputError(f"{path} was not written: {error.strerror}") from error
        raise
    except Exception as error:  # libraries in Rust and C++ have exceptions of their own
        if isinstance(error, InputError) or not UNWRITTEN.search(str(error)):
            raise
        raise InputError(f"{path} was not written: no space left on the disk, or it fails ({error})") from error


def write_json(path: Path, value: Any, *, sealed: bool = False) -> None:
    """Write JSON with sorted keys, whole or not at all; a ``sealed`` object says its own hash, which is compared."""
    if sealed:
        value = {**value, SEAL: seal_of(value)}
    with whole_file(path) as temporary:
        text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
        temporary.write_text(text + "\n", encoding="utf-8")


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """In the block an error of the system has the name of the file, which those of a failing disk lack."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def json_values(value: Any) -> Any:
    """What JSON knows of a value: lists for tuples and numpy's arrays, null for NaN and Inf."""
    if isinstance(value, Mapping):
        return {str(key): json_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(inner) for inner in value]
    if hasattr(value, "tolist"):
        return json_values(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or damaged one is an InputError with its path."""
    path = existing_file(path)
    try:
        with of_file(path):
            value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error
    if isinstance(value, dict) and (seal := value.pop(SEAL, None)) is not None and seal != seal_of(value):
        raise InputError(
            f"{path} is damaged: what it holds is not what its {SEAL!r} says; a file that was changed by hand is read "
            f"without {SEAL!r}"
        )
    return value


def seal_of(value: Mapping[str, Any]) -> str:
    """SHA-256 of JSON values, however they are laid out."""
    text = json.dumps(json.loads(json.dumps(value)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def user_cache(name: str) -> Path:
    """``name`` in align's folder of the user's cache: ``$XDG_CACHE_HOME/align``, else ``~/.cache/align``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "align" / name


def existing_file(path: Path | str) -> Path:
    """``path`` if it is a file, else an InputError that says so, with the nearest name beside it.

    A file in an archive has its archive before it: see :mod:`align.files.archives`.

    Raises:
        InputError: there is none, or it is a folder or an archive of several files.
    """
    path = file_at(path)
    if not is_there(path):
        beside = {file.stem: file.name for file in path.parent.iterdir()} if path.parent.is_dir() else {}
        near = get_close_matches(path.stem, beside, 1)  # any two names that end in .tsv are alike
        raise InputError(f"no such file: {path}" + (f"; did you mean {path.parent / beside[near[0]]}?" if near else ""))
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a file")
    return path


def read_lines(path: Path | str, *, blank_bad: bool = False) -> Iterator[str]:
    r"""Lines of a text file, plain or compressed, without their line ends: see :mod:`align.files.lines`.

    With ``blank_bad`` a line that cannot be read is blank, and logged: the others keep their numbers, and are read.

    Raises:
        InputError: no such file, a damaged one, or a file of another format, which is named; invalid UTF-8 or a NUL
            byte (with its line number), with ``blank_bad`` only where no line can be read.
    """
    path, first, read = existing_file(path), "", False
    for number, (line, problem) in enumerate(text_lines(path), 1):
        first = first or (problem and f"{path}, line {number}: {problem}")
        if first and not blank_bad:
            raise InputError(first)
        read = read or bool(line.strip() and not problem)
        yield "" if problem else line
    if first and not read:
        raise InputError(first)


def refuse_markup(line: str, path: Path | str, number: int, *, expected: str) -> None:
    """Refuse the first line of a page: what a server sends instead of a file that it does not give.

    Raises:
        InputError: the line begins with a tag of XML or HTML; the sentence says what was ``expected``.
    """
    if MARKUP.match(line.lstrip()):
        raise InputError(
            f"{path}, line {number}: expected {expected}, got an XML or HTML page, perhaps the error page of a "
            f"download: {line.strip()[:40]!r}"
        )


INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__")
"""Names of columns that hold the index of a table of pandas."""


SIDES = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("english", "nonenglish"), ("native", "roman"),
    ("sourcetext", "targettext"), ("srctext", "tgttext"), ("sourcesentence", "targetsentence"),
    ("sourceword", "targetword"), ("word", "translation"), ("sentence1", "sentence2"), ("text1", "text2"),
    ("xtext", "ytext"), ("sent1", "sent2"), ("l1", "l2"), ("s1", "s2"), ("anchor", "positive"), ("query", "passage"),
    ("input", "output"), ("original", "translation"), ("originaltext", "translatedtext"),
    ("text", "translation"), ("sentence", "translation"), ("src", "mt"), ("src", "ref"), ("source", "reference"),
    ("original", "translated"), ("sentencea", "sentenceb"), ("texta", "textb"),
)  # fmt: skip
"""What the two sides of translations are called in headers, as :func:`column_names` gives them."""


SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    **dict.fromkeys(("dev", "development", "valid", "validation", "val"), "dev"),
}  # fmt: skip
"""The split that a name stands for, in a column ``split`` and at the end of the name of a file."""


def column_names(cells: Sequence[str]) -> list[str]:
    """The names in a header, each as its letters and digits in lower case.

    >>> column_names(["Word 1", "Human (mean)", "# POS"])
    ['word1', 'humanmean', 'pos']
    """
    return ["".join(filter(str.isalnum, cell)).casefold() for cell in cells]


def row_split(value: object, where: str) -> str:
    """Split of a row by its column ``split``: train, dev or test.

    Raises:
        InputError: it is none of the names in ``SPLITS``.
    """
    name = str(value).strip().casefold()
    if name not in SPLITS:
        raise InputError(
            f"{where}: the split is {value!r}, expected one of {', '.join(dict.fromkeys(SPLITS.values()))}"
        )
    return SPLITS[name]


def two_sides(cells: Sequence[str], known: Sequence[tuple[str, str]] = SIDES) -> tuple[int, int] | None:
    """Places of the columns that are the first of the ``known`` pairs; ``None``: ``cells`` are no such header.

    >>> two_sides(["id", "Target", "Source"])
    (2, 1)
    """
    names = column_names(cells)
    return next(((names.index(a), names.index(b)) for a, b in known if a in names and b in names), None)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with of_file(path), open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]

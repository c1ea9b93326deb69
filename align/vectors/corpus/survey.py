"""A first look at a whole corpus: its rows counted, ids that come again found, in bounded memory; then its chunks."""

from __future__ import annotations

import hashlib
import logging
import shutil
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from align.errors import InputError
from align.files.folders import whole_folder
from align.files.guessing import conversion
from align.files.lines import NOT_UTF8
from align.files.whole import read_json, sha256, write_json
from align.vectors.corpus.parts import Chunk
from align.vectors.corpus.repeats import KEY_BYTES, Repeats
from align.vectors.corpus.rows import CONTENT, LINE, Corpus, Reject, Row

logger = logging.getLogger(__name__)

SHOWN_AT = 1 << 12  # rows from one movement of the bar to the next


@dataclass(frozen=True)
class Survey:
    """What a first look found. A position counts the lines of all files, from 0."""

    lines: int
    """Rows, copies and rejects."""
    starts: tuple[int, ...]
    """Position of each file's first line."""
    rejected: int
    """Lines that hold no row."""
    rejected_first: str
    """The first of them, in words; "" if there is none."""
    copies: int
    """Rows whose text stood before in the same language, where ids are made of the two."""

    @property
    def rows(self) -> int:
        """Those to encode."""
        return self.lines - self.rejected - self.copies

    def place(self, corpus: Corpus, position: int) -> str:
        """File and line of a position, in words."""
        number = bisect_right(self.starts, position) - 1  # of files with the same start all but the last are empty
        source = corpus.sources[number]
        return f"{source.path}, line {position - self.starts[number] + source.first_line}"


def survey(corpus: Corpus, folder: Path, *, of: Mapping[str, Any], progress: bool = False) -> Survey:
    """Read a corpus once; what is found is kept in ``folder``, and taken from there when it is of the same.

    Ids are compared by 128 bits of SHA-256: among 10 billion different ones, the probability that any two are taken for
    the same is 1e-19.

    Args:
        corpus: to read.
        folder: where the survey is kept; the ids wait beside it, 24 bytes a row.
        of: what decides it, as JSON: the inputs' hashes, the rules.
        progress: show a bar.

    Raises:
        InputError: an id of a column twice, a corpus without a row, a damaged file, a full disk.
    """
    kept = _kept(folder, of)
    if kept:
        return kept
    with whole_folder(folder, kind="survey") as temporary:
        (temporary / "ids").mkdir()
        repeats = Repeats(temporary / "ids")
        found = _read(corpus, repeats, progress=progress)
        copies = repeats.write(temporary / "copies.npy")
        if corpus.id != CONTENT and copies:
            raise InputError(_twice(corpus, found, copies, *next(copies_of(temporary))))
        if not found.rows:
            raise InputError(_nothing(corpus, found))
        found = replace(found, copies=copies)
        shutil.rmtree(temporary / "ids")
        kept_as = {"of": dict(of), "sha256": sha256(temporary / "copies.npy"), **asdict(found)}
        write_json(temporary / "survey.json", kept_as, sealed=True)
    return found


def copies_of(folder: Path) -> Iterator[tuple[int, int]]:
    """Position of each copy, in order, and that of the first row with its text."""
    stored = np.load(folder / "copies.npy", mmap_mode="r", allow_pickle=False)
    for start in range(0, len(stored), SHOWN_AT):
        yield from ((position, first) for position, first in stored[start : start + SHOWN_AT].tolist())


def read_chunks(
    corpus: Corpus,
    found: Survey,
    copies: Iterator[tuple[int, int]],
    *,
    part_rows: int,
    finished: Collection[int] = (),
) -> Iterator[Chunk]:
    """The corpus in chunks of ``part_rows`` lines; copies become rejects. Of ``finished`` parts no line is looked at.

    Raises:
        InputError: the corpus has not the lines that the survey counted.
    """
    rows = enumerate(corpus.rows(wanted=lambda position: position // part_rows not in finished))
    copy, first = next(copies, (-1, -1))
    for number in range(part_count(found, part_rows)):
        kept: list[Row] = []
        rejects: list[Reject] = []
        position = number * part_rows - 1
        for position, row in islice(rows, part_rows):
            if isinstance(row, Reject):
                rejects.append(row)
            elif row and position == copy:
                reason = f"the same text as {found.place(corpus, first)}"
                rejects.append(Reject(row.file, row.line, reason, row.id))
            elif row:
                kept.append(row)
            if position == copy:
                copy, first = next(copies, (-1, -1))
        if position + 1 != min((number + 1) * part_rows, found.lines):
            raise InputError(f"the corpus had {found.lines} lines and now has {position + 1}: it was changed meanwhile")
        if number not in finished:
            yield Chunk(number, kept, rejects)


def part_count(found: Survey, part_rows: int) -> int:
    """Parts of a corpus."""
    return -(-found.lines // part_rows)


def _kept(folder: Path, of: Mapping[str, Any]) -> Survey | None:
    try:
        kept = read_json(folder / "survey.json")
        if kept.pop("of") != of or kept.pop("sha256") != sha256(folder / "copies.npy"):
            return None
        return Survey(**kept | {"starts": tuple(kept["starts"])})
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None


def _read(corpus: Corpus, repeats: Repeats, *, progress: bool) -> Survey:
    lines, rejected, first = 0, 0, ""
    starts = []
    with tqdm(desc="survey", unit=" rows", unit_scale=True, disable=not progress) as bar:
        for source in corpus.sources:
            starts.append(lines)
            cure = ""
            for row in corpus.rows_of(source):
                if isinstance(row, Reject):
                    rejected += 1
                    place = f"{row.file}, line {row.line}: {row.reason}"
                    if row.reason == NOT_UTF8 and not cure:
                        cure = f" ({conversion(source.path)})"
                        logger.warning("%s%s", place, cure)
                        first = first or place + cure
                    first = first or place
                elif isinstance(row, Row) and corpus.id != LINE:  # numbers of lines differ anyhow
                    repeats.add(_key(row.id, made=corpus.id == CONTENT), lines)
                lines += 1
                if lines % SHOWN_AT == 0:
                    bar.update(SHOWN_AT)
        bar.update(lines % SHOWN_AT)
    return Survey(lines, tuple(starts), rejected, first, 0)


def _key(name: str, *, made: bool) -> bytes:
    return bytes.fromhex(name) if made else hashlib.sha256(name.encode()).digest()[:KEY_BYTES]


def _twice(corpus: Corpus, found: Survey, copies: int, position: int, first: int) -> str:
    row = next(row for row in corpus.rows(wanted=lambda given: given == position) if row is not None)
    others = f" (and {copies - 1} more)" if copies > 1 else ""
    places = f"{found.place(corpus, first)} and {found.place(corpus, position)}"
    return f"id {row.id!r} is there twice: {places}{others}; expected each id once"


def _nothing(corpus: Corpus, found: Survey) -> str:
    if found.lines == 0:
        files = [str(source.path) for source in corpus.sources]
        return f"{', '.join(files)} {'is' if len(files) == 1 else 'are'} empty: there is nothing to encode"
    return f"none of the {found.lines} lines can be encoded; the first is {found.rejected_first}"

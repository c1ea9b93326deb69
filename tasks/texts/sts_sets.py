"""Reading test sets of semantic textual similarity: tables, STS benchmark, SemEval-2017, data sets on the Hub."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from align.errors import InputError, unknown
from align.files.archives import files_in, is_folder, is_there
from align.files.cells import Cells, cell_lines
from align.files.hub import dataset_or_cache
from align.files.packed import plain_name
from align.files.whole import SPLITS as SPLIT_NAMES
from align.files.whole import column_names, existing_file, read_lines, row_split
from align.tasks.texts.bitext import wanted
from align.text.languages import check_language

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test")
_LABEL = "[a-z]{2,3}(?:_[A-Z][a-z]{3})?"
_SCORES = ("score", "similarityscore", "relatednessscore", "similarity", "goldscore", "gold")
_SENTENCES = (("sentence1", "sentence2"), ("sentencea", "sentenceb"), ("sent1", "sent2"), ("text1", "text2"))
"""What columns go by, as ``align.files.whole.column_names`` gives them."""
_SPLIT = "|".join(SPLIT_NAMES)
UNSCORED = ("", "na", "nan", "none", "null")
"""What stands in the place of a score that is missing."""
_LAYOUTS = (
    "<name>.tsv, <name>.test.tsv, test.tsv, sts-test.csv or STS.input.<name>.txt with STS.gs.<name>.txt, "
    "plain or compressed"
)

Row = tuple[float, str, str]


@dataclass(frozen=True)
class StsSet:
    """Pairs of sentences with the similarity that people gave them."""

    scores: tuple[float, ...]
    """(n,) gold scores, on any scale."""
    first: tuple[str, ...]
    """(n,) sentence 1 of each pair."""
    second: tuple[str, ...]
    """(n,) sentence 2 of each pair."""
    languages: tuple[str, str]
    """Of sentence 1 and of sentence 2: labels such as ``de`` or ``deu_Latn``, handed to the encoder."""
    unread: int = field(default=0, compare=False)
    """Rows of the source that are not among these: without a score, or such as cannot be read."""

    def __post_init__(self) -> None:
        """Refuse sides of unequal length and unknown ``lang_Script`` codes."""
        if not len(self.scores) == len(self.first) == len(self.second):
            sizes = f"{len(self.scores)} scores, {len(self.first)} and {len(self.second)} sentences"
            raise InputError(f"STS set of {sizes}: expected as many of each")
        for label in self.languages:
            if "_" in label:
                check_language(label)


def read_sts(
    source: str | Path, *, languages: Sequence[str] | None = None, split: str = "test", revision: str | None = None
) -> dict[str, StsSet]:
    """Test sets by name.

    ``source`` is one of

    - a tab-separated file (or CSV) whose header names ``score`` (or ``similarity_score``, ...), ``sentence1`` and
      ``sentence2``, in any case; of one with a column ``split`` the rows of ``split`` alone are read; other columns are
      passed over, and quotes are text unless they are doubled inside (:func:`align.files.cells.cell_lines`);
    - ``sts-test.csv`` (``sts-dev``, ``sts-train``) of the STS benchmark: no header, columns 5 to 7 of at least 7; its
      name is ``en``;
    - ``STS.input.<name>.txt`` of SemEval, with ``STS.gs.<name>.txt`` beside it: columns after the second are passed
      over, pairs that nobody scored (a blank line) are left out, counted and logged;
    - a folder of such files: those of ``split`` (``de.test.tsv``, ``sts-test.tsv``, ``test.tsv``) and those whose name
      has no split (``de.tsv``);
    - the name of a data set on the Hub (``mteb/sts17-crosslingual-sts``, ``mteb/stsb_multi_mt``): its configurations
      are the names, ``default`` beside others is passed over.

    A set's name is that of its file without ending and split, ``sts`` if nothing is left. The last of its parts between
    dots labels the language: ``de``, ``deu_Latn``, or two of them, as in ``track4a.es-en``, for sentence 1 and 2.
    ``lang_Script`` is checked, any other label is taken as it is.

    Args:
        source: see above.
        languages: names to read, in this order; ``None``: all.
        split: ``train``, ``dev`` or ``test``; a single file is read whatever split its name has.
        revision: of a data set on the Hub, its commit; ``None``: the newest.

    Raises:
        InputError: no such layout or name, a row with the wrong number of columns or a score that is no number (with
            path and line), no row of the split, or a data set that cannot be loaded.
    """
    if split not in SPLITS:
        raise InputError(unknown("split", split, SPLITS))
    path = Path(source)
    if is_folder(path):
        files = wanted(_files(path, split), languages)
        return {name: _read_file(file, name, split) for name, file in files.items()}
    if is_there(path):
        path = existing_file(path)
        named = _name(path)
        if named is None:
            raise InputError(f"{path} is no STS file: expected {_LAYOUTS}")
        return {name: _read_file(path, name, split) for name in wanted({named[0]: path}, languages)}
    if re.fullmatch(r"[\w-]+/[\w.-]+", str(source)) and not re.search(r"\.(tsv|csv|txt)$", plain_name(path)):
        return _read_hub(str(source), languages, split, revision)
    raise InputError(f"{source} is no folder, STS file or data set on the Hub (owner/name)")


def labels(name: str) -> tuple[str, str]:
    """Labels of the languages of sentence 1 and 2 in the name of a set.

    >>> labels("de"), labels("track4a.es-en")
    (('de', 'de'), ('es', 'en'))
    """
    last = name.rpartition(".")[2]
    two = re.fullmatch(f"({_LABEL})-({_LABEL})", last)
    return (two[1], two[2]) if two else (last, last)


def _files(folder: Path, split: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    passed = []
    for path in files_in(folder):
        named = _name(path)
        if named is None or named[1] not in (None, split):
            if not path.name.startswith("STS.gs."):
                passed.append(path.name)
            continue
        if named[0] in files:
            raise InputError(f"{folder} holds {named[0]} twice: {files[named[0]].name} and {path.name}")
        files[named[0]] = path
    if not files:
        raise InputError(f"{folder} has no STS file of the split {split}: expected {_LAYOUTS}")
    if passed:
        logger.info("%s: %d entries are no STS files of split %s: %s", folder, len(passed), split, ", ".join(passed))
    return files


def _name(path: Path) -> tuple[str, str | None] | None:
    """Name and split (``None``: the file names none) of an STS file; ``None``: it is no such file."""
    name = plain_name(path)
    if match := re.fullmatch(r"STS\.input\.(.+)\.txt", name):
        return match[1], None
    if match := re.fullmatch(rf"sts-({'|'.join(SPLITS)})\.csv", name):
        return "en", match[1]
    if match := re.fullmatch(rf"(?:(.+?)[._-])?({_SPLIT})\.[tc]sv", name):
        return match[1] or "sts", SPLIT_NAMES[match[2]]
    if match := re.fullmatch(r"(.+?)\.[tc]sv", name):
        return match[1], None
    return None


def _read_file(path: Path, name: str, split: str) -> StsSet:
    if path.name.startswith("STS.input."):
        return _as_set(name, _semeval(path))
    start = next(read_lines(path, blank_bad=True), "").split("\t")
    if start[0].startswith("main-") and len(start) >= 7:
        return _as_set(name, _benchmark(path))
    lines = cell_lines(existing_file(path))
    head = next(lines, Cells(1, [""], "")).cells
    names = column_names(head)
    places = _places(names)
    if places is None:
        raise InputError(f"{path}, line 1: expected a header with score, sentence1, sentence2 between tabs, got {head}")
    marked = names.index("split") if "split" in names else None
    others: Counter[str] = Counter()
    odd: list[str] = []

    def rows() -> Iterator[Row | str]:
        for number, cells, problem in lines:
            where = f"{path}, line {number}"
            if not problem and not any(map(str.strip, cells)):
                continue
            if len(cells) != len(head):
                problem = problem or f"{len(cells)} columns, expected {len(head)} as in the header"
            if problem:
                odd.append(f"{where}: {problem}")
            elif marked is not None and (other := row_split(cells[marked], where)) != split:
                others[other] += 1
            else:
                yield _row(*(cells[place] for place in places), where=where)

    found = _as_set(name, rows())
    if others and not found.scores:
        raise InputError(f"{path} has no row of the split {split}: its column split has {', '.join(others)}")
    if odd and not found.scores:
        raise InputError(odd[0])
    if odd:
        logger.warning("%d rows are left out: %s", len(odd), odd[0])
    if others:
        logger.info("%s: rows of other splits are not read: %s", path, dict(others))
    return replace(found, unread=found.unread + len(odd))


def _places(names: Sequence[str]) -> tuple[int, int, int] | None:
    """Where the score and the two sentences stand in a header, as ``column_names`` gives it; ``None``: it is none."""
    score = next((names.index(name) for name in _SCORES if name in names), None)
    sides = next(((names.index(a), names.index(b)) for a, b in _SENTENCES if a in names and b in names), None)
    return None if score is None or sides is None else (score, *sides)


def _benchmark(path: Path) -> Iterator[Row | str]:
    for number, line in enumerate(read_lines(path, blank_bad=True), 1):
        cells = line.split("\t")
        if not line.strip():
            continue
        if len(cells) < 7:
            raise InputError(f"{path}, line {number}: {len(cells)} columns, expected at least 7 (genre to sentence2)")
        yield _row(*cells[4:7], where=f"{path}, line {number}")


def _semeval(path: Path) -> Iterator[Row | str]:
    gold = path.with_name(path.name.replace("STS.input.", "STS.gs.", 1))
    if not gold.exists():
        raise InputError(f"{path} has no gold scores: expected {gold.name} beside it")
    pairs, scores = list(read_lines(path, blank_bad=True)), list(read_lines(gold))
    if len(pairs) != len(scores):
        raise InputError(f"{path} has {len(pairs)} lines, {gold.name} has {len(scores)}: expected a score for each")
    for number, (pair, score) in enumerate(zip(pairs, scores, strict=True), 1):
        cells = pair.split("\t")
        if not pair.strip():
            continue
        if len(cells) < 2:
            raise InputError(f"{path}, line {number}: {len(cells)} columns, expected 2 sentences")
        yield _row(score, *cells[:2], where=f"{gold}, line {number}")


def _row(score: str, first: str, second: str, *, where: str) -> Row | str:
    """A pair; its place if nobody scored it."""
    if score.strip().casefold() in UNSCORED:
        return where
    try:
        value = float(score)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: the score is {score!r}, expected a number")
    return value, first, second


def _as_set(name: str, rows: Iterable[Row | str]) -> StsSet:
    every = list(rows)
    kept = [row for row in every if not isinstance(row, str)]
    unscored = [row for row in every if isinstance(row, str)]
    if unscored and not kept:
        raise InputError(f"{unscored[0]}: expected a score, got none, as in each of its {len(unscored)} pairs")
    if unscored:
        logger.warning("%d of %d pairs have no score and are left out: %s", len(unscored), len(every), unscored[0])
    scores, first, second = zip(*kept, strict=True) if kept else ((), (), ())
    return StsSet(scores, first, second, labels(name), len(unscored))


def _read_hub(name: str, languages: Sequence[str] | None, split: str, revision: str | None = None) -> dict[str, StsSet]:
    from datasets import get_dataset_config_names, load_dataset

    with dataset_or_cache(name):
        found = get_dataset_config_names(name, revision=revision)
        configs = {config: config for config in found if config != "default" or len(found) == 1}
        chosen = wanted(configs, languages)
        tables = {config: load_dataset(name, config, split=split, revision=revision) for config in chosen}
    return {config: _as_set(config, _hub_rows(rows, f"data set {name}, {config}")) for config, rows in tables.items()}


def _hub_rows(rows: Dataset, where: str) -> Iterator[Row | str]:
    places = _places(column_names(rows.column_names))
    if places is None:
        found = ", ".join(rows.column_names)
        raise InputError(f"{where}: expected the columns score, sentence1 and sentence2, got {found}")
    columns = (rows[rows.column_names[place]] for place in places)
    for number, cells in enumerate(zip(*columns, strict=True), 1):
        yield _row(*map(str, cells), where=f"{where}, row {number}")

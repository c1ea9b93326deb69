"""Which texts of a test set stand in training pairs: as they are, in another script, or nearly."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import regex
from tqdm import tqdm

from align.errors import InputError
from align.files.whole import whole_file
from align.pairs.minhash import NearTexts
from align.pairs.overlap_result import KINDS, Count, Overlap
from align.pairs.romanizers import each_language
from align.pairs.table import negative_columns
from align.text.languages import check_language
from align.text.normal_forms import normalised
from align.text.romanize.romanizer import romanize as to_latin
from align.text.romanize.romanizer import romanizer_version

if TYPE_CHECKING:
    from datasets import Dataset

TestSet = tuple[str, str, Sequence[str]]
"""Name of a benchmark, language, texts."""
BLOCK_ROWS = 2_000
COLUMNS = ("benchmark", "language", "line", "test", "table", "row", "side", "training", "kind", "jaccard")
"""Of the TSV of hits. Lines and rows count from 1."""
_DROPPED = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


class _Item(NamedTuple):
    """A text to look for: number of its set, its place there from 0."""

    test: int
    place: int


class _Match(NamedTuple):
    """How a text of training meets an item; the smaller is the stronger."""

    kind: int
    distance: float


class _Form:
    """The texts of test sets in one form, by what is compared."""

    def __init__(self, kind: str, near: float, ngram: int, seed: int) -> None:
        self.kind, self.items = KINDS.index(kind), defaultdict[str, list[_Item]](list)
        self._near, self._ngram, self._seed = near, ngram, seed
        self._index: NearTexts | None = None

    def add(self, texts: Sequence[str], test: int) -> None:
        for place, text in enumerate(map(match_key, texts)):
            if text:
                self.items[text].append(_Item(test, place))

    def find(self, texts: Sequence[str]) -> Iterator[tuple[int, _Item, _Match]]:
        """(number of the text, item, match) for each that meets."""
        keys = {i: key for i, key in enumerate(map(match_key, texts)) if key}
        for i, key in keys.items():
            for item in self.items.get(key, ()):
                yield i, item, _Match(self.kind, 0.0)
        if self._near and keys and self.items:
            if self._index is None:
                self._index = NearTexts(list(self.items), threshold=self._near, n=self._ngram, seed=self._seed)
            places = list(keys)
            for query, found, similarity in self._index.search(list(keys.values())):
                for item in self.items[self._index.texts[found]]:
                    yield places[query], item, _Match(KINDS.index("near"), 1 - similarity)


def match_key(text: str) -> str:
    """What of a text is compared: NFKC, case folded, without all but letters, marks and numbers.

    >>> match_key("Straße  Nr. ５!")
    'strassenr5'
    """
    return str(_DROPPED.sub("", normalised(text)))


def find_overlap(
    pairs: Dataset | Mapping[str, Dataset],
    tests: Iterable[TestSet],
    *,
    romanize: bool = False,
    near: float = 0.8,
    ngram: int = 5,
    seed: int = 0,
    processes: int = 1,
    out: Path | None = None,
    progress: bool = False,
) -> Overlap:
    """Find the texts of test sets in the sources, targets and negatives of training pairs, whatever their language.

    A text is found ``equal`` if ``match_key`` makes it so; ``romanised`` if that holds once both were romanised, each
    by the rules of its language, so that a text in another script is found; ``near`` if the Jaccard similarity of
    their character n-grams, of either form, is at least ``near`` (see ``NearTexts``: a pair at the threshold is missed
    with probability 0.001, anything reported is exact). The pairs are streamed, some 2,000 rows at a time; memory
    grows with the test sets only.

    Args:
        pairs: a table of ``align.read_pairs``, or several by name.
        tests: (name, language, texts); two sets of one name and language are counted together.
        romanize: look for other scripts, too; the pairs are romanised, which takes time.
        near: 0.5 to 1, or 0: look for no near texts.
        ngram: characters of an n-gram.
        seed: of MinHash.
        processes: that romanise.
        out: TSV to write, a line for each text of a row that meets a test text (``COLUMNS``).
        progress: show a bar.

    Raises:
        InputError: no text to look for, or an option outside its range.
    """
    if not (near == 0 or 0.5 <= near <= 1):
        raise InputError(f"near is a Jaccard similarity from 0.5 to 1, or 0 for none, got {near}")
    if ngram < 1:
        raise InputError(f"ngram must be at least 1, got {ngram}")
    sets = list(tests)
    forms = [_Form("equal", near, ngram, seed)]
    if romanize:
        forms.append(_Form("romanised", near, ngram, seed))
    for number, (_, language, texts) in enumerate(sets):
        forms[0].add(texts, number)
        for form in forms[1:]:
            form.add(_romanised(texts, [language] * len(texts), processes), number)
    if not forms[0].items:
        raise InputError("there is no test text to look for: every line is blank or without a letter")
    tables = pairs if isinstance(pairs, Mapping) else {"pairs": pairs}
    total = sum(map(len, tables.values()))
    best: dict[_Item, _Match] = {}
    paired: set[_Item] = set()
    with _tsv(out) as write, tqdm(total=total, unit=" pairs", disable=not progress) as bar:
        for name, first, block in _blocks(tables):
            found, order = _found(block, forms, processes), sides(block)
            for (row, side), matches in sorted(found.items(), key=lambda one: (one[0][0], order.index(one[0][1]))):
                for item, match in sorted(matches.items()):
                    best[item] = min(best.get(item, match), match)
                    benchmark, language, texts = sets[item.test]
                    what = (benchmark, language, item.place + 1, texts[item.place])
                    where = (name, first + row, side, block[side][row])
                    write(*what, *where, KINDS[match.kind], 1 - match.distance)
            paired |= _pairs(found, sets)
            bar.update(len(block["source"]))
    romaniser = romanizer_version() if romanize else ""
    return Overlap(_counts(sets, forms[0], best, paired), total, near, ngram, romaniser)


def _blocks(tables: Mapping[str, Dataset]) -> Iterator[tuple[str, int, Mapping[str, Sequence[str]]]]:
    """Name of the table, number of the first row from 1, columns of some rows."""
    for name, table in tables.items():
        first = 1
        for block in table.iter(batch_size=BLOCK_ROWS):
            yield name, first, block
            first += len(block["source"])


def sides(names: Iterable[str]) -> list[str]:
    """The columns of a table that are texts to train on, in order."""
    return ["source", "target", *negative_columns(names)]


def _found(
    block: Mapping[str, Sequence[str]], forms: Sequence[_Form], processes: int
) -> dict[tuple[int, str], dict[_Item, _Match]]:
    """Strongest match with each item, by (row of the block, name of the side)."""
    places: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for side in sides(block):
        languages = block["source_lang" if side == "source" else "target_lang"]
        for row, (language, text) in enumerate(zip(languages, block[side], strict=True)):
            if text:  # a row may have fewer negatives than others
                places[language, text].append((row, side))
    languages, texts = zip(*places, strict=True)
    found: dict[tuple[int, str], dict[_Item, _Match]] = defaultdict(dict)
    for form in forms:
        given = texts if form.kind == 0 else _romanised(texts, languages, processes)
        for i, item, match in form.find(given):
            for place in places[languages[i], texts[i]]:
                found[place][item] = min(found[place].get(item, match), match)
    return found


def _pairs(found: Mapping[tuple[int, str], Mapping[_Item, _Match]], sets: Sequence[TestSet]) -> set[_Item]:
    """Items of which one row has another item of the same benchmark and line on its other side."""
    paired: set[_Item] = set()
    for row in {row for row, _ in found}:
        lines: dict[tuple[str, int], set[_Item]] = defaultdict(set)
        for item in found.get((row, "target"), ()):
            lines[sets[item.test][0], item.place].add(item)
        for item in found.get((row, "source"), ()):
            others = lines.get((sets[item.test][0], item.place), set()) - {item}
            paired |= {item, *others} if others else others
    return paired


def _counts(
    sets: Sequence[TestSet], form: _Form, best: Mapping[_Item, _Match], paired: set[_Item]
) -> tuple[Count, ...]:
    names = ("texts", "left_out", *KINDS, "pairs")
    tallies: dict[tuple[str, str], dict[str, int]] = {(name, code): dict.fromkeys(names, 0) for name, code, _ in sets}
    by_set = [tallies[name, code] for name, code, _ in sets]
    for tally, (_, _, texts) in zip(by_set, sets, strict=True):
        tally["left_out"] += len(texts)
    for item in itertools.chain.from_iterable(form.items.values()):
        tally = by_set[item.test]
        tally["texts"] += 1
        tally["left_out"] -= 1
        if item in best:
            tally[KINDS[best[item].kind]] += 1
            tally["pairs"] += item in paired
    return tuple(Count(name, language, **tally) for (name, language), tally in tallies.items())


def _romanised(texts: Sequence[str], languages: Sequence[str], processes: int) -> list[str]:
    """Each text in Latin letters, by the rules of its language where that is a known one."""
    known = [_known(language) for language in languages]
    return each_language(texts, known, lambda some, code: to_latin(some, lang=code, processes=processes))


def _known(language: str) -> str | None:
    try:
        return check_language(language)
    except InputError:
        return None


@contextmanager
def _tsv(path: Path | None) -> Iterator[Callable[..., None]]:
    """A function that writes the cells of a line; white space that would break it becomes a space."""
    if path is None:
        yield lambda *_: None
        return
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:

        def write(*cells: str | int | float) -> None:
            texts = (f"{cell:.4f}" if isinstance(cell, float) else " ".join(str(cell).splitlines()) for cell in cells)
            file.write("\t".join(text.replace("\t", " ") for text in texts) + "\n")

        write(*COLUMNS)
        yield write

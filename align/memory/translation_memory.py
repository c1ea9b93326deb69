"""Translation memory: the segments most like a text with their translations, and the terms in it.

Segments are found by the cosine of an aligned encoder, so that a romanised or translated text finds a native segment.
The percent of a match is the fuzzy match of translators, which compares letters: a "not" hardly moves a cosine.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.nested import differences
from align.files.whole import existing_file, read_json
from align.indexes.exact import ExactIndex
from align.indexes.index import as_stored
from align.memory.terms import Term, find_terms, term_list
from align.similarity.cosine import normalize
from align.text.edit_distance import fuzzy_match, plain_text
from align.text.hashing import text_sha256
from align.vectors.folder import MANIFEST, Vectors, open_vectors, plain
from align.vectors.writing import save_vectors

log = logging.getLogger(__name__)

CANDIDATES = 100
"""Nearest segments by cosine among which those of at least ``min_percent`` are looked for."""

Pairs = Iterable[tuple[str, str]]


class TextEncoder(Protocol):
    """What a memory needs of an encoder."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) vectors."""

    def identity(self) -> Mapping[str, Any]:
        """What decides a vector."""


@dataclass(frozen=True)
class Match:
    """A segment of the memory that is like a query."""

    source: str
    target: str
    score: float
    """Cosine of query and source, to six decimals."""
    edit: float
    """1 - Levenshtein distance / characters of the longer of the two (:func:`align.text.edit_distance.fuzzy_match`)."""
    exact: bool
    """They are equal, but for Unicode normalisation and white space."""

    @property
    def percent(self) -> int:
        """The fuzzy match: 100 for an exact match only; else ``edit`` in percent, rounded down, from 0 to 99."""
        return 100 if self.exact else min(99, int(100 * self.edit + 1e-6))  # 100 * 0.29 is a little less than 29


@dataclass(frozen=True)
class Found:
    """What a memory knows of one query."""

    query: str
    matches: tuple[Match, ...]
    """Exact ones first, then by falling score (not percent); of equal ones in the order of the memory."""
    terms: tuple[Term, ...]
    """In the order of the query."""


def tm(
    memory: Path | str | Pairs,
    queries: Sequence[str],
    *,
    encoder: TextEncoder,
    k: int = 5,
    threshold: float = 0.7,
    min_percent: int = 0,
    terms: Path | str | Pairs | None = None,
    vectors: Path | str | None = None,
    languages: tuple[str, str] | None = None,
) -> list[Found]:
    """Look queries up in a translation memory.

    Args:
        memory: pairs (source, target), or a file or pair table of them: see :func:`read_memory`.
        queries: texts. An empty one matches nothing.
        encoder: makes the vectors of segments and queries.
        k: matches of a query, at the most; a segment with two translations makes two.
        threshold: least cosine of a match that is not exact.
        min_percent: least :attr:`Match.percent`, from 0 to 100; above 0, segments are looked for among the
            :data:`CANDIDATES` nearest by cosine.
        terms: pairs (term, translation) or a file of them, to be found in the queries.
        vectors: folder of the vectors of the sources: written if it is not there, else used, and refused if another
            encoder made it or a source is missing. ``None``: they are computed and not kept.
        languages: codes of source and target, which a TMX file not named by them needs.

    Raises:
        InputError: an empty or damaged memory or term list, ``k`` < 1, a threshold that is not from -1 to 1, a
            ``min_percent`` that is not from 0 to 100, or vectors of another encoder or other texts.
    """
    if isinstance(queries, str):
        raise InputError("tm needs a list of queries, got one string")
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    if not -1 <= threshold <= 1:
        raise InputError(f"the threshold is {threshold}: expected a cosine, from -1 to 1")
    if not 0 <= min_percent <= 100:
        raise InputError(f"the least percent is {min_percent}: expected 0 to 100")
    known = term_list(_pairs(terms, languages)) if terms is not None else {}
    targets: dict[str, dict[str, None]] = {}
    for source, target in _pairs(memory, languages):
        targets.setdefault(source, {})[target] = None
    if not targets:
        raise InputError(f"{memory}: the memory holds no pair; expected a source and its translation on each line")
    sources = list(targets)
    wanted = max(k, CANDIDATES) if min_percent else k
    scores, places = _nearest(queries, sources, encoder, None if vectors is None else Path(vectors), wanted)
    exact: dict[str, list[int]] = {}
    for place, source in enumerate(sources):
        exact.setdefault(plain_text(source), []).append(place)
    found = []
    for number, query in enumerate(queries):
        same = exact.get(plain_text(query), [])
        hits = [(1.0, place) for place in same]
        near = zip(scores[number].tolist(), places[number].tolist(), strict=True)
        hits += [(score, place) for score, place in near if score >= threshold and place not in same]
        matches = [
            Match(sources[place], target, round(score, 6), _edit(query, sources[place]), place in same)
            for score, place in hits
            for target in targets[sources[place]]
        ]
        matches = [match for match in matches if match.percent >= min_percent]
        terms_found = find_terms(query, known) if known else ()
        found.append(Found(query, tuple(matches[:k]) if plain_text(query) else (), terms_found))
    return found


def read_memory(path: Path | str, languages: tuple[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Pairs (source, target) of a file: TSV of source TAB target, TMX, JSON Lines, Parquet, or of an align pairs table.

    Rows without one of the two are left out, and counted in a warning.

    Raises:
        InputError: no such file, damaged, of another format, or a TMX file whose languages are not known.
    """
    from align.pairs.reading.bitext import read_bitext
    from align.pairs.reading.sources import TMX_SUFFIXES, RowFile, languages_of

    path = Path(path)
    if path.is_dir():
        from align.pairs.reading.table import read_pairs

        yield from ((row["source"], row["target"]) for row in read_pairs(path))
        return
    existing_file(path)
    codes: tuple[str, ...] = languages or ("source", "target")
    if path.name.endswith(TMX_SUFFIXES):
        try:
            codes = languages_of("-".join(languages or path.name.partition(".")[:1]))
        except InputError as error:
            raise InputError(f"{path}: {error}; name the two languages, such as eng_Latn-hin_Deva") from error
        if len(codes) != 2:
            raise InputError(f"{path}: expected the codes of two languages, such as eng_Latn-hin_Deva, got {codes[0]}")
    problems: Counter[str] = Counter()
    first = 0
    for row in read_bitext(RowFile(path, codes)):
        problem = row.problem or ("" if row.source and row.target else "empty")
        if not problem:
            yield row.source, row.target
            continue
        problems[problem] += 1
        first = first or row.number
    if problems:
        reasons = ", ".join(f"{count} {reason}" for reason, count in problems.items())
        log.warning("%s: left out: %s; the first is row %d", path, reasons, first)


def _pairs(given: Path | str | Pairs, languages: tuple[str, str] | None) -> Pairs:
    return read_memory(given, languages) if isinstance(given, (str, Path)) else given


def _edit(query: str, source: str) -> float:
    return round(fuzzy_match(plain_text(query), plain_text(source)), 6)


def _nearest(
    queries: Sequence[str], sources: list[str], encoder: TextEncoder, folder: Path | None, k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(q, k) cosines, best first, and places in ``sources``."""
    k = min(k, len(sources))
    if not len(queries):
        return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
    if folder is None:
        from align.similarity.nearest import top_k

        return top_k(encoder.encode(queries), encoder.encode(sources), k)
    stored = _stored(folder, sources, encoder)
    wanted = {text_sha256(source): place for place, source in enumerate(sources)}
    hashes = (name for table in stored.tables(["text_sha256"]) for name in table["text_sha256"].to_pylist())
    places = np.array([wanted.pop(name, -1) for name in hashes])  # of several copies the first
    if wanted:
        missing = sources[next(iter(wanted.values()))]
        raise InputError(
            f"{folder} lacks {len(wanted)} of {len(sources)} sources of the memory, the first is {missing[:60]!r}: "
            "remove it, or give another folder"
        )
    units = normalize(encoder.encode(queries))
    scores, rows = ExactIndex(stored).search(units, k, chosen=places >= 0)
    return scores, places[rows]


def _stored(folder: Path, sources: list[str], encoder: TextEncoder) -> Vectors:
    """The folder of vectors, made if it is not there."""
    identity = plain(encoder.identity())
    if (folder / MANIFEST).exists() and _complete(folder):
        stored = open_vectors(folder)
        differ = differences(stored.encoder, as_stored(stored.encoder, identity), "in the memory", "in the queries")
        if differ:
            raise InputError(f"{folder} was made by another encoder: {differ}")
        return stored
    log.info("encoding %d segments into %s", len(sources), folder)
    ids = [str(number) for number in range(1, len(sources) + 1)]
    return save_vectors(folder, ids, encoder.encode(sources), texts=sources, encoder=identity)


def _complete(folder: Path) -> bool:
    """Whether there is nothing to go on with: what ``save_vectors`` was stopped in, it writes again."""
    manifest = read_json(folder / MANIFEST)
    return not isinstance(manifest, dict) or manifest.get("complete") is not False

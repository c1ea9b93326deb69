"""The words of one language in bilingual lexicon induction: a vocabulary under a protocol, and its vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, there_are
from align.tasks.bli.protocols import BliProtocol
from align.tasks.bli.word_vectors import word_vectors
from align.tasks.embedding import Encode
from align.tasks.texts.vocabulary import candidate_words, outside_script
from align.text.languages import check_language


@dataclass(frozen=True)
class Vocabulary:
    """The words of a language that count, after case rule and limit."""

    code: str
    words: tuple[str, ...]
    """(n,) distinct words."""
    rows: Mapping[str, int]
    """Row of each word."""
    candidates: Mapping[str, int]
    """Row of each word that is a candidate: all but those that a script filter takes."""
    outside_script: float
    """Share of the words in another script than the language's."""

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """(n,) whether a word is a candidate; ``None``: all are."""
        if len(self.candidates) == len(self.words):
            return None
        mask = np.zeros(len(self.words), dtype=np.bool_)
        mask[list(self.candidates.values())] = True
        return mask


@dataclass(frozen=True)
class Side:
    """Vectors of a vocabulary, and of the source words that are not in it as they are written."""

    vectors: NDArray[np.float32]
    """(n, d) of the vocabulary."""
    others: Mapping[str, NDArray[np.float32]]
    """(d,) of each other source word."""
    rows: Mapping[str, int]
    """Of the vocabulary."""

    def look_up(self, words: Sequence[str]) -> NDArray[np.float32]:
        """(len(words), d) vectors of source words."""
        return np.stack([self.vectors[self.rows[w]] if w in self.rows else self.others[w] for w in words])


def vocabulary_of(code: str, vocabularies: Mapping[str, Sequence[str]], protocol: BliProtocol) -> Vocabulary:
    """The vocabulary of a language under a protocol.

    Raises:
        InputError: an unknown code, no vocabulary of it, an empty one, or one without a word in the language's script
            where the protocol filters by it.
    """
    check_language(code)
    if code not in vocabularies:
        raise InputError(f"no vocabulary of {code}; there are those of {there_are(code, sorted(vocabularies))}")
    words = candidate_words(vocabularies[code], lowercase=protocol.lowercase, limit=protocol.candidates)
    if not words:
        raise InputError(f"the vocabulary of {code} is empty: there is nothing to search")
    outside = outside_script(words, code)
    rows = {word: row for row, word in enumerate(words)}
    candidates = rows
    if protocol.script_filter:
        candidates = {word: row for row, word in enumerate(words) if not outside[row]}
        if not candidates:
            raise InputError(f"no candidate of {code} is left: all {len(words)} words are in another script")
    return Vocabulary(code, words, rows, candidates, float(outside.mean()))


def encode_side(encode: Encode, vocabulary: Vocabulary, sources: Iterable[str]) -> Side:
    """Vectors of the vocabulary, and of the source words that it lacks, each encoded once.

    Raises:
        InputError: as ``word_vectors``, or the two have different dimensions.
    """
    vectors = word_vectors(encode, vocabulary.words, vocabulary.code)
    lacking = list(dict.fromkeys(word for word in sources if word not in vocabulary.rows))
    found = word_vectors(encode, lacking, vocabulary.code) if lacking else vectors[:0]
    if found.shape[1] != vectors.shape[1]:
        widths = f"{vectors.shape[1]} dimensions for the vocabulary, {found.shape[1]} for the source words"
        raise InputError(f"{vocabulary.code}: the encoder returned {widths}; expected the same")
    return Side(vectors, dict(zip(lacking, found, strict=True)), vocabulary.rows)

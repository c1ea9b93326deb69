"""Vectors of words: what a task does with the function it is given, and a mix of two such functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.similarity.cosine import matrix, normalize
from align.tasks.embedding import Encode


def word_vectors(encode: Encode, words: Sequence[str], language: str) -> NDArray[np.float32]:
    """The vectors of words, checked.

    Args:
        encode: (words, language) -> (n, d).
        words: n words.
        language: their code, handed on.

    Returns:
        (n, d) float32, without a copy where they are float32 already.

    Raises:
        InputError: another number of vectors, no matrix, NaN or infinity (with the word).
    """
    given = encode(words, language)
    try:
        found = matrix(given)
    except InputError as error:
        raise InputError(f"{language}: no vectors of {len(words)} words: {error}") from error
    if len(found) != len(words):
        raise InputError(f"{language}: the encoder returned {len(found)} vectors for {len(words)} words")
    with np.errstate(over="ignore", invalid="ignore"):
        vectors = found.astype(np.float32, copy=False)
        sums = vectors.sum(axis=1, dtype=np.float64)  # finite float32 cannot overflow it: no (n, d) array of flags
    bad = np.flatnonzero(~np.isfinite(sums))
    if len(bad):
        raise InputError(
            f"{language}: the vectors of {len(bad)} words hold NaN or infinity, first that of {words[bad[0]]!r} "
            f"(word {bad[0] + 1})"
        )
    return vectors


def mixed(first: Encode, second: Encode, *, weight: float = 0.8) -> Encode:
    """The function whose vectors are weight * u + (1 - weight) * v, u and v the unit vectors of the other two.

    Args:
        first: say static vectors, mapped into the space of ``second``.
        second: say an encoder, of the same dimension.
        weight: of ``first``, 0 to 1.

    Raises:
        InputError: a weight outside 0 to 1; and, when it is called, vectors of different dimension.

    References:
        Li et al. 2022, 2022.acl-long.299 (ContrastiveBLI, C2: 0.8 of static vectors, 0.2 of mBERT).
    """
    if not 0 <= weight <= 1:
        raise InputError(f"the weight of a mix must be from 0 to 1, got {weight}")

    def encode(words: Sequence[str], language: str) -> NDArray[np.float32]:
        u, v = (word_vectors(one, words, language) for one in (first, second))
        if u.shape != v.shape:
            raise InputError(
                f"{language}: vectors of {u.shape[1]} and of {v.shape[1]} dimensions cannot be mixed; expected the "
                "same: map one side into the space of the other first"
            )
        mix: NDArray[np.float32] = np.float32(weight) * normalize(u) + np.float32(1 - weight) * normalize(v)
        return mix

    return encode

"""The vectors of one side: what a task does with the function it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import matrix

Encode = Callable[[Sequence[str], str], ArrayLike]
"""(texts, language) -> (n, d) finite embeddings; never called with a blank text."""


@dataclass(frozen=True)
class Side:
    """The lines of one language as vectors."""

    embeddings: NDArray[np.float32]
    """(lines, d), zeros for a blank line."""
    filled: NDArray[np.bool_]
    """(lines,) whether a line is more than blanks."""


def embed(encode: Encode, lines: Sequence[str], code: str) -> Side:
    """Encode the lines that are not blank, and check what comes back.

    Raises:
        InputError: all lines are blank, or the encoder returned the wrong shape, NaN or infinity (with the line).
    """
    filled = np.array([bool(line.strip()) for line in lines])
    given = [line for line in lines if line.strip()]
    if not given:
        raise InputError(f"{code}: all {len(lines)} lines are blank")
    try:
        rows: NDArray[Any] = matrix(encode(given, code))
    except InputError as error:
        raise InputError(f"{code}: the encoder returned no embeddings: {error}") from error
    if len(rows) != len(given):
        raise InputError(f"{code}: the encoder returned {len(rows)} embeddings for {len(given)} texts")
    with np.errstate(over="ignore"):
        rows = rows.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        line = np.flatnonzero(filled)[bad[0]] + 1
        raise InputError(f"{code}: the encoder returned NaN or Inf for {len(bad)} texts, the first on line {line}")
    embeddings = np.zeros((len(lines), rows.shape[1]), dtype=np.float32)
    embeddings[filled] = rows
    return Side(embeddings, filled)


def remembered(encode: Encode, language: str, *, most: int = 100_000) -> Encode:
    """``encode`` that is asked for each text of ``language`` once, however often it comes.

    Sets that share lines (a fifth of the English ones of Tatoeba stand in several of its 112) cost less that way.

    Args:
        encode: see above.
        language: whose vectors are kept; the others go through as they are.
        most: vectors kept, the first that come; bounds memory.
    """
    kept: dict[str, NDArray[Any]] = {}

    def known(texts: Sequence[str], code: str) -> ArrayLike:
        if code != language:
            return encode(texts, code)
        new = list(dict.fromkeys(text for text in texts if text not in kept))
        rows = matrix(encode(new, code)) if new else np.empty((0, 0))
        if len(rows) != len(new):
            raise InputError(f"{code}: the encoder returned {len(rows)} embeddings for {len(new)} texts")
        found = dict(zip(new, rows, strict=True))
        for text in new[: max(0, most - len(kept))]:
            kept[text] = found[text].copy()  # a view would keep the whole matrix
        return np.array([found[text] if text in found else kept[text] for text in texts])

    return known

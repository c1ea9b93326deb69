"""Which pairs mean the same: those that share a group or a text, and those that such pairs link."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.pairs.text_columns import as_text
from align.text.normal_forms import normalised

Ints = NDArray[np.int64]


def group_numbers(groups: Any) -> Ints:
    """(n,) 63-bit hashes of the names of meanings: equal names have equal numbers in every table and every run.

    Two of g different names collide with a probability of about g ** 2 / 2 ** 64: 5e-6 for ten million. All that a
    collision does is to spare one pair from being the negative of another, and a batch from holding both.
    """
    return _numbers(groups, str, kind=b"")


def text_numbers(texts: Any) -> Ints:
    """(n,) 63-bit hashes of texts: those that ``normalised`` makes equal have equal numbers, in any column.

    A text that reads like the name of a group has another number than the group.
    """
    return _numbers(texts, normalised, kind=b"text")


def _numbers(column: Any, name: Callable[[str], str], *, kind: bytes) -> Ints:
    """(n,) hash of the name of each value, other hashes for each kind; a value that occurs often is named once."""
    coded = as_text(column).dictionary_encode()
    hashes = (
        hashlib.blake2b(name(value).encode(), digest_size=8, person=kind).digest()
        for value in coded.dictionary.to_pylist()
    )
    numbers = np.fromiter((int.from_bytes(h) >> 1 for h in hashes), dtype=np.int64, count=len(coded.dictionary))
    rows: NDArray[np.int32] = coded.indices.to_numpy()
    return numbers[rows]


def linked(keys: Ints) -> Ints:
    """(n,) meaning of each row: rows that share a key have one, and so have the rows that others link.

    boat-Kahn and skiff-Kahn share a text, and so do skiff-Kahn and skiff-Ruderboot: all three are one meaning.

    Args:
        keys: (n, k) integers, or (n,), which are the meanings already.

    Returns:
        The smallest key of all rows of a meaning.

    >>> linked(np.array([[1, 10, 20], [2, 11, 20], [3, 11, 21], [4, 12, 22]])).tolist()
    [1, 1, 1, 4]
    """
    if keys.ndim == 1:
        return keys
    distinct, places = np.unique(keys, return_inverse=True)
    smallest: Ints = keys.min(axis=1)
    if len(distinct) == keys.size:
        return smallest
    from scipy.sparse import coo_array  # half a second to import, which the help of a verb should not take
    from scipy.sparse.csgraph import connected_components

    rows, count = np.repeat(np.arange(len(keys)), keys.shape[1]), len(keys)
    edges = (np.ones(keys.size, dtype=np.int8), (rows, count + places.ravel()))
    size = count + len(distinct)
    _, component = connected_components(coo_array(edges, shape=(size, size)), directed=False)
    least = np.full(component.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, component[:count], smallest)
    meanings: Ints = least[component[:count]]
    return meanings


def same_text(texts: Ints, keys: Ints, meanings: Ints) -> Ints:
    """(m,) meaning of each text: that of the row which has it among its (n, k) keys, else the text itself.

    >>> same_text(np.array([20, 30]), np.array([[10, 20], [11, 21]]), np.array([5, 6])).tolist()
    [5, 30]
    """
    flat, owner = keys.ravel(), np.repeat(meanings, keys.shape[1])
    order = np.argsort(flat)
    place = order[np.searchsorted(flat[order], texts).clip(max=len(flat) - 1)]
    return np.where(flat[place] == texts, owner[place], texts)

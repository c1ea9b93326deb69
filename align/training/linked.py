"""Which pairs of a batch mean the same: those that share a group or a text, and those that such pairs link."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = NDArray[np.int64]


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

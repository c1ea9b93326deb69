from __future__ import annotations

import numpy as np
import pytest

from align.pairs.meanings import linked, same_text


def by_loops(keys):
    meanings = [set(row) for row in keys]
    owner = list(range(len(keys)))
    changed = True
    while changed:
        changed = False
        for i in range(len(keys)):
            for j in range(i):
                if owner[i] != owner[j] and meanings[owner[i]] & meanings[owner[j]]:
                    kept, gone = owner[j], owner[i]
                    meanings[kept] |= meanings[gone]
                    owner = [kept if o == gone else o for o in owner]
                    changed = True
    return [min(meanings[o]) for o in owner]


@pytest.mark.parametrize("seed", range(20))
def test_meanings_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, rng.integers(2, 90), (rng.integers(1, 30), 3))
    assert linked(keys).tolist() == by_loops(keys.tolist())


def test_one_column_is_the_meaning_and_none_is_none():
    assert linked(np.array([5, 3, 5])).tolist() == [5, 3, 5]
    assert linked(np.empty((0, 3), dtype=np.int64)).tolist() == []


def test_texts_are_found_among_the_keys_of_rows():
    keys, meanings = np.array([[10, 20], [11, 20], [12, 22]]), np.array([1, 1, 3])
    assert same_text(np.array([20, 11, 22, 7, 99]), keys, meanings).tolist() == [1, 1, 3, 7, 99]

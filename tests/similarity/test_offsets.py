from __future__ import annotations

import math

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.offsets import language_directions, language_mean, project_out, shift_onto


def rows(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def directions_by_definition(means: np.ndarray, k: int) -> np.ndarray:
    """LSAR as it is printed, with the means as columns; (d, k)."""
    m = means.T
    count = m.shape[1]
    ones = np.ones((count, 1))
    w = m @ ones / count
    left, sizes, right = np.linalg.svd(m - w @ ones.T, full_matrices=False)
    b = w @ ones.T + left[:, :k] @ np.diag(sizes[:k]) @ right[:k]
    z = np.linalg.pinv(b).T @ ones
    common = z / (z.T @ z).item()
    return np.linalg.svd(b - common @ ones.T, full_matrices=False)[0][:, :k]


def test_the_mean_of_a_language():
    assert language_mean([[1, 2], [3, 6]]).tolist() == [2, 4]
    assert language_mean([[0.5, -1]]).tolist() == [0.5, -1]  # one line
    x = rows(7)
    by_loop = [sum(float(row[i]) for row in x) / 7 for i in range(6)]
    assert language_mean(x) == pytest.approx(by_loop)
    assert language_mean(x - language_mean(x)) == pytest.approx(np.zeros(6), abs=1e-12)


def test_the_shift_onto_a_pivot():
    assert shift_onto([[3, 1], [5, 2]], [[1, 1], [1, 0]]).tolist() == [3, 1]
    x, pivot = rows(5), rows(5, seed=1)
    by_loop = [sum(float(x[r][i] - pivot[r][i]) for r in range(5)) / 5 for i in range(6)]
    assert shift_onto(x, pivot) == pytest.approx(by_loop)
    assert (x - shift_onto(x, pivot)).mean(axis=0) == pytest.approx(pivot.mean(axis=0))
    assert not shift_onto(pivot, pivot).any()


def test_directions_by_hand():
    """Means (3, 0) and (0, 1): z = (1/3, 1), w* = (.3, .9), and both differ from it along (3, -1) / sqrt 10."""
    (found,) = language_directions([[3, 0], [0, 1]], 1)
    assert found * np.sign(found[0]) == pytest.approx([3 / math.sqrt(10), -1 / math.sqrt(10)])
    both = project_out(np.array([[3, 0], [0, 1]], np.float32), found[None].astype(np.float32))
    assert both == pytest.approx(np.array([[0.3, 0.9], [0.3, 0.9]]), abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_directions_by_definition(k):
    means = rows(5, 8) + 2
    found = language_directions(means, k)
    assert found.shape == (k, 8) and found @ found.T == pytest.approx(np.eye(k), abs=1e-12)
    expected = directions_by_definition(means, k)
    assert found.T @ found == pytest.approx(expected @ expected.T, abs=1e-9)  # whatever the signs


def test_all_directions_make_all_means_one():
    means = rows(4, 9) + 1
    moved = project_out(means.astype(np.float32), language_directions(means, 3).astype(np.float32))
    assert moved == pytest.approx(np.repeat(moved[:1], 4, axis=0), abs=1e-5) and np.abs(moved).max() > 0.1


def test_no_direction_where_means_do_not_differ():
    assert language_directions(rows(3), 0).shape == (0, 6)
    assert language_directions(rows(1), 0).shape == (0, 6)
    assert language_directions([[1, 2], [1, 2], [1, 2]], 2).shape == (0, 2)  # any direction would be rounding
    assert language_directions(np.zeros((2, 3)), 1).shape == (0, 3)
    line = np.arange(4)[:, None] * np.array([[0, 1, 0]]) + np.array([[5, 0, 0]])
    assert language_directions(line, 3).shape == (1, 3)


def test_projecting_out_is_row_by_row():
    x, directions = rows(9).astype(np.float32), np.linalg.qr(rows(6, 6))[0][:3].astype(np.float32)
    moved = project_out(x, directions)
    assert moved == pytest.approx(x - x @ directions.T @ directions, abs=1e-6)
    for row, alone in zip(moved, x, strict=True):
        assert np.array_equal(row, project_out(alone[None], directions)[0])
    assert np.array_equal(project_out(x, directions[:0]), x)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: language_mean(np.empty((0, 3))), "the text of a language has no vector: expected at least one"),
        (lambda: language_mean([[1, 2], [np.nan, 0]]), "the text of a language: row 1 holds NaN or Inf"),
        (lambda: shift_onto(rows(2), rows(3)), r"vectors of shape \(2, 6\), of the pivot \(3, 6\): expected the same"),
        (lambda: shift_onto(rows(1), [[np.inf] * 6]), "the pivot's text: row 0 holds NaN or Inf"),
        (lambda: language_directions(rows(3), 3), "3 languages differ along 2 directions at most, got k = 3"),
        (lambda: language_directions(rows(3), -1), "3 languages differ along 2 directions at most, got k = -1"),
    ],
)
def test_what_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()

"""Numbers that others compute too."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import label_ranking_average_precision_score, top_k_accuracy_score

from align.similarity.ranks import gold_ranks
from align.tasks.measures.logistic import fit_logistic
from align.tasks.measures.ranks import mean_reciprocal_rank, precision_at


@pytest.mark.parametrize("n", [2, 40, 300])
def test_V1_ranks(n):
    """P@1, P@5 and MRR of random similarities are computed by scikit-learn as well.

    They agree to the last digits.
    """
    rng = np.random.default_rng(n)
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in rng.normal(size=(2, n, 16)))
    b = b + a
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    scores, own = a @ b.T, np.arange(n)
    ranks = gold_ranks(a, b)
    assert mean_reciprocal_rank(ranks) == pytest.approx(label_ranking_average_precision_score(np.eye(n), scores))
    for k in (1, min(5, n - 1)):
        expected = np.mean(own == scores.argmax(1)) if n == 2 else top_k_accuracy_score(own, scores, k=k)
        assert precision_at(ranks, k) == pytest.approx(expected)


def test_V1_logistic_regression():
    """Three classes are learnt by scikit-learn's logistic regression as well.

    Weights and predictions of both agree.
    """
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(90, 5)), np.repeat([0, 1, 2], 30)
    rows += labels[:, None] * 0.5
    penalty = 1 / len(rows)
    theirs = LogisticRegression(C=1 / (len(rows) * penalty), tol=1e-10, max_iter=10_000)
    theirs.fit((rows - rows.mean(0)) / rows.std(0), labels)
    ours = fit_logistic(rows, labels, count=3, penalty=penalty)
    np.testing.assert_allclose(ours.weights, theirs.coef_.T, atol=1e-3)
    assert np.array_equal(ours.predict(rows), theirs.predict((rows - rows.mean(0)) / rows.std(0)))

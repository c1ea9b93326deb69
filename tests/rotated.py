"""Synthetic vocabularies: clusters, a falling spectrum, and a rotation that translates."""

from __future__ import annotations

import numpy as np

from align.similarity.csls import csls_top_k, neighbourhood_means


def rotated(n=2000, d=50, *, noise=0.01, seed=0):
    """Source vectors, target vectors in another order, and the target row of each source row."""
    draw = np.random.default_rng(seed)
    spectrum = 1 / np.sqrt(np.arange(1, d + 1))
    weight = 1 / np.arange(1, 61)
    centres = draw.standard_normal((60, d)) * spectrum
    x = centres[draw.choice(60, n, p=weight / weight.sum())] + 0.7 * draw.standard_normal((n, d)) * spectrum
    rotation = np.linalg.qr(draw.standard_normal((d, d)))[0]
    gold = draw.permutation(n)
    y = np.empty_like(x)
    y[gold] = x @ rotation + noise * draw.standard_normal((n, d)) * spectrum
    return x.astype(np.float32), y.astype(np.float32), gold


def pairs_of_gold(gold, n=None):
    return np.stack([np.arange(len(gold)), gold], axis=1)[:n]


def precision(fit, x, y, gold):
    """P@1 by CSLS."""
    left, right = fit.source(x), fit.target(y)
    means_x, means_y = neighbourhood_means(left, right)
    return float((csls_top_k(left, right, 1, query_means=means_x, candidate_means=means_y)[1][:, 0] == gold).mean())

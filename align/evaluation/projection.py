"""A flat map of sentence vectors, to look at."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.similarity.cosine import normalize
from align.tasks.embedding import Encode, embed
from align.tasks.texts.line_checks import check_aligned

METHODS = ("pca", "umap")
Map = NDArray[np.float64]


def sentence_map(
    encode: Encode,
    texts: Mapping[str, Sequence[str]],
    *,
    lines: int = 40,
    method: str = "pca",
    seed: int = 0,
    pivot: str = "eng_Latn",
) -> dict[str, Any]:
    """Two coordinates for each of some parallel sentences, all languages in one map.

    The lines are those that most languages have, the earlier of equals first. A blank line has no point.

    Args:
        encode: (texts, language code) -> (n, d) finite embeddings, never called with a blank text.
        texts: lines by language code, line-aligned.
        lines: of each language, at most.
        method: ``pca`` or ``umap`` (package umap-learn), both of unit vectors.
        seed: of UMAP; PCA draws nothing.
        pivot: language whose lines are the translations; without it they are empty.

    Returns:
        JSON values: ``method``; ``points``, each with x, y, language, script, text, translation; ``explained``, the
        share of the variance along x and along y (empty for UMAP); ``missing``, languages without a point.

    Raises:
        InputError: unequal numbers of lines, no text at all, an unknown method, umap-learn is not installed, or
            embeddings of the wrong shape or with NaN.
    """
    if method not in METHODS:
        raise InputError(f"unknown method {method!r} of a sentence map: expected pca or umap")
    if method == "umap" and importlib.util.find_spec("umap") is None:
        raise InputError("method umap needs umap-learn: pip install 'align-encoders[umap]'")
    if lines < 1:
        raise InputError(f"a sentence map needs at least one line of each language, got lines={lines}")
    check_aligned(texts)
    filled = np.array([[bool(line.strip()) for line in column] for column in texts.values()])  # (languages, lines)
    rows = np.sort(np.argsort(-filled.sum(0), kind="stable")[:lines])
    points, vectors, missing = [], [], []
    for code, has in zip(texts, filled, strict=True):
        kept = [int(row) for row in rows if has[row]]
        if not kept:
            missing.append(code)
            continue
        vectors.append(embed(encode, [texts[code][row] for row in kept], code).embeddings)
        for row in kept:
            translation = texts[pivot][row] if pivot in texts else ""
            point = {"language": code, "script": code.partition("_")[2], "text": texts[code][row]}
            points.append(point | {"translation": translation})
    if not points:
        raise InputError("a sentence map needs text: all lines are blank")
    widths = {array.shape[1] for array in vectors}
    if len(widths) > 1:
        raise InputError(f"the encoder returned vectors of {' and '.join(map(str, sorted(widths)))} dimensions")
    flat, explained = (umap(normalize(np.vstack(vectors)), seed=seed), []) if method == "umap" else (
        pca(normalize(np.vstack(vectors)))
    )  # fmt: skip
    places = [{"x": round(float(x), 5), "y": round(float(y), 5)} for x, y in flat]
    return {
        "method": method,
        "points": [place | point for place, point in zip(places, points, strict=True)],
        "explained": [round(share, 5) for share in explained],
        "missing": missing,
    }


def pca(vectors: NDArray[Any]) -> tuple[Map, list[float]]:
    """The two directions of largest variance: X - mean = U S V', coordinates (U S)[:, :2].

    Each direction's largest component in absolute value (the first of equals) is positive, so that no sign is left
    to chance.

    Args:
        vectors: (n, d).

    Returns:
        (n, 2) coordinates, zeros where there is no second direction, and the share of the variance along each:
        s_k^2 / sum s^2, 0 when there is none.
    """
    centred = np.asarray(vectors, dtype=np.float64)
    centred = centred - centred.mean(0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(1)])
    flat = np.zeros((len(centred), 2))
    k = min(2, len(values))
    flat[:, :k] = (left * values * signs)[:, :k]
    total = float((values**2).sum())
    shares = [float(value**2) / total if total > 0 else 0.0 for value in values[:2]]
    return flat, [*shares, 0.0][:2]


def umap(vectors: NDArray[Any], *, seed: int, neighbours: int = 15) -> Map:
    """UMAP (McInnes et al. 2018, arXiv:1802.03426) by cosine, one thread, so that the seed decides all.

    Args:
        vectors: (n, d), n > 3.
        seed: of the layout.
        neighbours: size of the local neighbourhood, at most n - 1.

    Returns:
        (n, 2) coordinates.
    """
    if len(vectors) < 4:
        raise InputError(f"UMAP needs at least 4 sentences, got {len(vectors)}")
    from umap import UMAP

    # the spectral start needs more points than this
    init = "spectral" if len(vectors) > 10 else "random"
    layout = UMAP(
        n_neighbors=min(neighbours, len(vectors) - 1), metric="cosine", init=init, random_state=seed, n_jobs=1
    )
    return np.asarray(layout.fit_transform(vectors), dtype=np.float64)

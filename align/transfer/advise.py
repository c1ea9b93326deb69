"""Which sources to take for a target language, and how far to trust that."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.text.languages import check_language
from align.transfer.evidence import Evidence
from align.transfer.feature import KINDS, Table, feature_table
from align.transfer.held_out import hold_out, importance, summary
from align.transfer.predictor import fit_predictor
from align.transfer.ridge import Array
from align.transfer.rows import USUAL, Rows
from align.transfer.scores import Score

log = logging.getLogger(__name__)


def advise(
    scores: Sequence[Score],
    targets: Sequence[str] = (),
    *,
    evidence: Evidence | None = None,
    sources: Sequence[str] = (),
    features: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Rank source languages for targets, known and new, by scores of other pairs; and say how well such ranks hold.

    A ridge regression (:func:`align.transfer.ridge.fit_ridge`) on the features of pairs says by how much a source is
    above or below the mean source of a target. How well it ranks is measured on each known target in turn, held out
    with every row that it has a part in. A score that was measured goes before one that is predicted.

    Args:
        scores: of one task; see :func:`align.transfer.scores.read_scores`.
        targets: codes; of a new one no score is needed.
        evidence: what features are computed from; ``None``: typology and scripts alone.
        sources: further ones to rank, beside those that have scores.
        features: names, or kinds, of those to use; ``usual``, how good a source is for other targets, is one of them.
            ``None``: all that can be had.
        seed: of shuffles and intervals.

    Returns:
        ``held_out`` and ``importance``: mean over targets and the ends of its interval, see
        :func:`align.transfer.held_out.summary` and ``importance``; ``targets``: for each one its sources, best first,
        with ``gain`` (over the mean source) and ``measured`` (the score; None: it is predicted); ``features``,
        ``lacking`` and ``unknown``: see :class:`align.transfer.feature.Table`; ``scores``, ``penalty``.

    Raises:
        InputError: an unknown language or feature, no feature that can be had, too few scores.

    References:
        Lin et al. 2019, "Choosing transfer languages for cross-lingual learning", ACL (ranking by features of pairs);
        Littell et al. 2017, "URIEL and lang2vec", EACL.
    """
    wanted = list(dict.fromkeys(map(check_language, targets)))
    candidates = list(dict.fromkeys([*sorted({one.source for one in scores}), *map(check_language, sources)]))
    pairs = [(one.source, one.target) for one in scores]
    asked = [(source, target) for target in wanted for source in candidates if source != target]
    with_usual = features is None or USUAL in features
    names = None if features is None else [name for name in features if name != USUAL]
    if not (with_usual or names is None or names):
        raise InputError("no feature is chosen: expected names of features, or None for all")
    table = feature_table([*pairs, *asked], evidence or Evidence(), names)
    for name, reason in table.lacking.items():
        log.info("without %s: %s", name, reason)
    known = Rows.of(pairs, [one.score for one in scores], table.values[: len(pairs)])
    others = Rows.of(asked, [nan] * len(asked), table.values[len(pairs) :])
    held = hold_out(known, with_usual=with_usual)
    predictor = fit_predictor(known, with_usual=with_usual)
    predicted = predictor.predict(others)
    return {
        "scores": len(scores), "held_out_targets": len(held), "penalty": predictor.penalty,
        "features": [one.name for one in table.features] + [USUAL] * with_usual,
        "lacking": dict(table.lacking), "unknown": dict(table.unknown), "held_out": summary(held, seed=seed),
        "importance": importance(held, _groups(table, with_usual), seed=seed),
        "targets": {
            target: _ranked(others.sources[own], predicted[own], _measured(scores, target))
            for target in wanted
            for own in [others.targets == target]
        },
    }  # fmt: skip


def _groups(table: Table, with_usual: bool) -> dict[str, list[int]]:
    """Columns of a predictor's inputs, and of their being unknown, by feature; then by kind, where it has several."""
    names = [one.name for one in table.features] + [USUAL] * with_usual
    kinds = {kind: [i for i, one in enumerate(table.features) if one.kind == kind] for kind in KINDS}
    several = {f"{kind}, all": places for kind, places in kinds.items() if len(places) > 1}
    return {name: [place] for place, name in enumerate(names)} | several


def _measured(scores: Sequence[Score], target: str) -> dict[str, float]:
    return {one.source: one.score for one in scores if one.target == target}


def _ranked(sources: NDArray[np.str_], predicted: Array, measured: Mapping[str, float]) -> list[dict[str, Any]]:
    """Sources of one target, best first, each by how far it is above the mean of those measured; of none: of all."""
    base = np.array([source in measured for source in sources]) if measured else np.ones(len(sources), dtype=bool)
    middle = float(np.mean([*measured.values()])) if measured else 0.0
    level = float(predicted[base].mean()) if base.any() else 0.0
    rows = [
        {
            "source": str(source), "measured": measured.get(str(source)),
            "gain": measured[str(source)] - middle if source in measured else float(p) - level,
        }
        for source, p in zip(sources, predicted, strict=True)
    ]  # fmt: skip
    return sorted(rows, key=lambda one: -one["gain"])

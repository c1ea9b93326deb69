"""How well advice holds: each target is held out as a language that nothing was scored for, and its sources ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.tasks.statistics.correlation import spearman
from align.tasks.statistics.resampling import percentile_interval, resampled_counts
from align.transfer.predictor import Predictor, apart, fit_predictor
from align.transfer.regret import regret
from align.transfer.ridge import Array
from align.transfer.rows import Rows, usual

TRIED = (1, 3)
"""k of the regrets."""
SOURCES, TARGETS = 3, 4
"""That there must be at least."""
SHUFFLES = 100


@dataclass(frozen=True)
class HeldOut:
    """One target that was held out."""

    target: str
    rows: Rows
    """Its sources."""
    predictor: Predictor
    """Learnt without the target."""
    predicted: Array
    """(n,) of its sources."""

    def measures(self, predicted: Array | None = None) -> dict[str, float]:
        """rho, regret@1 and regret@3 of its predictions, or of others."""
        p = self.predicted if predicted is None else predicted
        return {"rho": rank_correlation(p, self.rows.scores)} | {
            f"regret@{k}": regret(p, self.rows.scores, k=k) for k in TRIED
        }


def hold_out(rows: Rows, *, with_usual: bool = True) -> list[HeldOut]:
    """Predict for each target in turn by what is learnt from the rows that it has no part in, as target or source.

    Targets with fewer than ``SOURCES`` sources, or with one score for all, have nothing to rank: they are learnt from,
    and not held out.

    Raises:
        InputError: fewer than ``TARGETS`` targets are left.
    """
    held = []
    for rest, own in apart(rows):
        if len(own.scores) >= SOURCES and np.ptp(own.scores) > 0:
            predictor = fit_predictor(rest, with_usual=with_usual)
            held.append(HeldOut(str(own.targets[0]), own, predictor, predictor.predict(own)))
    if len(held) < TARGETS:
        raise InputError(
            f"expected scores of at least {TARGETS} targets by {SOURCES} sources or more that differ, got {len(held)} "
            f"such of {len(np.unique(rows.targets))} targets"
        )
    return held


def summary(held: Sequence[HeldOut], *, seed: int = 0) -> dict[str, dict[str, list[float]]]:
    """Mean over targets, and its interval, of rho and regrets: of the predictions, of a simpler ranking, and of chance.

    ``usual`` ranks the sources by what they are usually worth (:func:`align.transfer.rows.usual`), whatever the target;
    a source that is not known stands in the middle. ``chance`` is any order.
    """
    ways: Mapping[str, Sequence[Array]] = {
        "predicted": [one.predicted for one in held],
        "usual": [np.nan_to_num(usual(one.predictor.known, one.rows)) for one in held],
        "chance": [np.zeros(len(one.predicted)) for one in held],
    }
    found: dict[str, dict[str, list[float]]] = {}
    for way, predictions in ways.items():
        every = [one.measures(p) for one, p in zip(held, predictions, strict=True)]
        found[way] = {name: over_targets([one[name] for one in every], seed=seed) for name in every[0]}
    return found


def importance(
    held: Sequence[HeldOut], groups: Mapping[str, Sequence[int]], *, shuffles: int = SHUFFLES, seed: int = 0
) -> dict[str, list[float]]:
    """How much rho falls when features are shuffled among the sources of each held-out target.

    The fits stay as they are. Mean over ``shuffles`` shuffles, then over targets, with the interval over targets; 0:
    the fits do not use it, below 0: they would do better without.

    Args:
        held: of ``hold_out``.
        groups: name -> places of the columns that are shuffled together (features that say the same can stand in for
            each other when one alone is shuffled).
        shuffles: of each target.
        seed: of the shuffles and the interval.

    References:
        Breiman 2001, "Random forests", section 10; Fisher, Rudin and Dominici 2019.
    """
    found = {}
    for name, columns in groups.items():
        generator = np.random.default_rng(seed)
        falls = []
        for one in held:
            inputs = one.predictor.inputs(one.rows)
            rhos = []
            for _ in range(shuffles):
                shuffled = inputs.copy()
                shuffled[:, columns] = inputs[generator.permutation(len(inputs))][:, columns]
                rhos.append(rank_correlation(one.predictor.ridge.predict(shuffled), one.rows.scores))
            falls.append(rank_correlation(one.predicted, one.rows.scores) - float(np.mean(rhos)))
        found[name] = over_targets(falls, seed=seed)
    return found


def rank_correlation(predicted: Array, scores: Array) -> float:
    """Spearman's rho; 0 of predictions that are all equal, but for rounding, which order nothing."""
    p = np.round(predicted, 12)
    return spearman(p, scores) if np.ptp(p) > 0 else 0.0


def over_targets(values: Sequence[float] | NDArray[np.float64], *, seed: int = 0, resamples: int = 1000) -> list[float]:
    """Mean, and the ends of its 95 % interval by a bootstrap of targets.

    Targets share their sources, so that they are not as independent as the interval takes them to be.
    """
    items = np.asarray(values, dtype=np.float64)
    draws = np.concatenate(list(resampled_counts(len(items), resamples=resamples, seed=seed)))
    interval = percentile_interval(draws @ items / len(items))
    assert interval is not None
    return [float(items.mean()), *interval]

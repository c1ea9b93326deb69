"""The record of a feature: one number for a source and a target, of what is known of languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, unknown
from align.registry import registered
from align.transfer.evidence import Evidence

KINDS = ("typology", "lexical", "data", "encoder")
Pair = tuple[str, str]
Measure = Callable[[str, str], float]
"""(source, target) -> the feature; NaN where it is not known of one of them."""


@dataclass(frozen=True)
class Feature:
    """A feature by its name. A module of ``align.transfer.features``, or of another package, offers it as ``FEATURE``.

    Another package names such a module in its entry points of the group ``align.transfer.features``.
    """

    name: str
    kind: str
    """One of ``KINDS``: features of one kind are chosen, and permuted, together by its name."""
    measure: Callable[[Evidence, Sequence[str]], Measure]
    """(evidence, all languages) -> the function of a pair."""
    lacks: Callable[[Evidence], str] = lambda evidence: ""
    """Why the evidence does not do for it, and what would; ``""``: it does."""


@dataclass(frozen=True)
class Table:
    """The features of pairs."""

    features: tuple[Feature, ...]
    """Those that could be had."""
    values: NDArray[np.float64]
    """(pairs, features); NaN: not known."""
    lacking: Mapping[str, str]
    """Feature -> why it could not be had."""
    unknown: Mapping[str, list[str]]
    """Feature -> languages that nothing is known of."""


@cache
def features() -> dict[str, Feature]:
    """All features by name.

    Raises:
        InputError: see :func:`align.registry.registered`; or one is of an unknown kind.
    """
    found = registered(Feature, "align.transfer.features", check=_check)
    return dict(sorted(found.items(), key=lambda item: KINDS.index(item[1].kind)))


def chosen(names: Sequence[str] | None) -> list[Feature]:
    """The features of these names, or of these kinds; ``None``: all.

    Raises:
        InputError: none has that name or kind.
    """
    if names is None:
        return list(features().values())
    for name in names:
        if name not in features() and name not in KINDS:
            raise InputError(unknown("feature", name, [*KINDS, *features()]))
    return [one for one in features().values() if one.name in names or one.kind in names]


def feature_table(pairs: Sequence[Pair], evidence: Evidence, names: Sequence[str] | None = None) -> Table:
    """The features of all pairs, one row each.

    Args:
        pairs: (source, target) codes.
        evidence: what the features read.
        names: of features or kinds; ``None``: all that can be had.

    Raises:
        InputError: an unknown name, or no feature can be had of those that are asked for.
    """
    languages = list(dict.fromkeys(code for pair in pairs for code in pair))
    wanted = chosen(names)
    lacking = {one.name: reason for one in wanted if (reason := one.lacks(evidence))}
    had = [one for one in wanted if one.name not in lacking]
    if lacking and not had:
        raise InputError(f"no feature to predict from: {'; '.join(dict.fromkeys(lacking.values()))}")
    columns, missing = [], {}
    for one in had:
        measure = one.measure(evidence, languages)
        columns.append([measure(*pair) for pair in pairs])
        nowhere = [code for code in languages if _unknown(code, pairs, columns[-1])]
        if nowhere:
            missing[one.name] = nowhere
    values = np.array(columns, dtype=np.float64).reshape(len(had), len(pairs)).T
    return Table(tuple(had), values, lacking, missing)


def _unknown(code: str, pairs: Sequence[Pair], values: Sequence[float]) -> bool:
    """Whether the feature is known of no pair that a language is in."""
    return all(value != value for pair, value in zip(pairs, values, strict=True) if code in pair)  # NaN is not itself


def _check(one: Feature, place: str) -> None:
    if one.kind not in KINDS:
        raise InputError(f"{place}: {one.name} is of kind {one.kind!r}, expected one of {', '.join(KINDS)}")

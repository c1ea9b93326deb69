"""What to call the models of several results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from align.errors import InputError, there_are
from align.files.nested import flattened

Identity = tuple[str, ...]
"""Model and fingerprint; and, where two results of one benchmark share these, the encoder's settings as JSON."""


def result_names(
    results: Sequence[Mapping[str, Any]], wheres: Sequence[str], names: Sequence[str] | None = None
) -> list[str]:
    """A name for each result; results of one model, on different benchmarks, have the same.

    It is what the file calls the model. Where two models are called the same, what tells them apart follows in
    brackets: the first letters of the fingerprint, or the settings that differ.

    Args:
        results: of ``align.read_result``.
        wheres: for messages, where each comes from.
        names: other names, one for each model in the order in which they come.

    Raises:
        InputError: two results of one model with one setting on one benchmark, or ``names`` are too few, too many or
            not all different.
    """
    identities = _identities(results, wheres)
    models = list(dict.fromkeys(identities))
    chosen = [_name(one, [other for other in models if other[0] == one[0]]) for one in models]
    if names is not None:
        if len(names) != len(models) or len(set(names)) != len(names):
            raise InputError(
                f"expected {len(models)} different names, for {', '.join(chosen)}; got {', '.join(names) or 'none'}"
            )
        chosen = list(names)
    return [chosen[models.index(identity)] for identity in identities]


def baseline_first(models: tuple[str, ...], baseline: str | None) -> tuple[str, ...]:
    """The names with the baseline in front, the others in their order; ``None``: as they are.

    Raises:
        InputError: the baseline is none of them.
    """
    if baseline is not None and baseline not in models:
        raise InputError(f"baseline {baseline!r} is none of the models: {there_are(baseline, models)}")
    return models if baseline is None else tuple(sorted(models, key=lambda name: name != baseline))


def _identities(results: Sequence[Mapping[str, Any]], wheres: Sequence[str]) -> list[Identity]:
    found: list[Identity] = [(one["model"], one["encoder"]["fingerprint"]) for one in results]
    tests = [(one["benchmark"], one["task"]) for one in results]
    twice = {
        one
        for one, test in zip(found, tests, strict=True)
        if list(zip(found, tests, strict=True)).count((one, test)) > 1
    }
    found = [
        (*one, json.dumps(result["encoder"], sort_keys=True)) if one in twice else one
        for one, result in zip(found, results, strict=True)
    ]
    first: dict[tuple[Identity, tuple[str, str]], str] = {}
    for one, test, where in zip(found, tests, wheres, strict=True):
        if (one, test) in first:
            raise InputError(
                f"{where} and {first[one, test]} are both of model {one[0]} on {test[0]}: give one of them"
            )
        first[one, test] = where
    return found


def _name(one: Identity, namesakes: Sequence[Identity]) -> str:
    parts = [one[1][:8]] if len({other[1] for other in namesakes}) > 1 else []
    settings = [dict(flattened(json.loads(other[2]))) for other in namesakes if len(other) > 2]
    if len(one) > 2:
        for key, value in flattened(json.loads(one[2])):
            if key != "fingerprint" and len({json.dumps(other.get(key)) for other in settings}) > 1:
                parts.append(f"{key} {value}")
    return f"{one[0]} ({', '.join(parts)})" if parts else one[0]

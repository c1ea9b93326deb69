"""Merge encoders of one architecture into one, with what it was made of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from align.encoders.checkpoint import load_encoder, model_place
from align.encoders.encoder import Encoder
from align.encoders.merging.formulas import dare, linear, slerp, task, ties
from align.encoders.route import refuse_route
from align.encoders.saving import ENCODER, save_encoder
from align.errors import InputError, unknown
from align.files.folders import writing
from align.files.whole import read_json

log = logging.getLogger(__name__)

METHODS = ("linear", "slerp", "task", "ties", "dare")
FROM_START = ("task", "ties", "dare")
SPARSE = ("ties", "dare")
Weights = Sequence[float]
Score = Callable[[Encoder], float]


@dataclass(frozen=True)
class Merged:
    """What was merged how."""

    method: str
    models: tuple[str, ...]
    start: str | None
    density: float | None
    seed: int | None
    weights: tuple[float, ...]
    """Those of the encoder that was written."""
    trials: tuple[dict[str, Any], ...]
    """Of a sweep: ``weights`` and their ``score``, in order; none where one set of weights was given."""
    fingerprints: Mapping[str, str]
    """By the names of the models."""


def merge(
    models: Sequence[str | Path],
    out: str | Path,
    *,
    method: str = "linear",
    weights: Weights | Sequence[Weights] | None = None,
    start: str | Path | None = None,
    density: float | None = None,
    seed: int = 0,
    score: Score | None = None,
) -> Merged:
    """Write one encoder whose weights are made of those of several, by :mod:`align.encoders.merging.formulas`.

    All that is learnt is merged, a masked-LM head and the modules after the pooling too; tokenizer, pooling and prompts
    are those of the first. What was merged how stands in ``align.json``, as ``merge``, and in the card.

    Args:
        models: two or more folders or names, of one architecture and vocabulary.
        out: the folder, whole or not at all; an older encoder is replaced.
        method: ``linear`` and ``slerp`` (of two), whose weights sum to 1; ``task``, ``ties`` and ``dare``, which weigh
            what training changed in each since ``start``.
        weights: one for each model; ``None``: equal ones that sum to 1 for linear and slerp, else 1 each. Several sets
            of them are a sweep: the one with the best ``score`` is written, of equal ones the first.
        start: of task, ties and dare: the encoder that all were trained from.
        density: of ties and dare: share of the numbers of a change that stays; ``None``: 0.2 for ties, 0.5 for dare.
        seed: of what dare drops.
        score: of a sweep: an encoder's score on data that nothing is reported of; higher is better.

    Raises:
        InputError: an unknown method, too few models, weights of another number or sum, a start or density too many or
            too few, a sweep without score, or encoders that differ in what weights can be merged by.
    """
    sets = _checked(models, method, weights, start, density, score)
    density = density if density is not None or method not in SPARSE else {"ties": 0.2, "dare": 0.5}[method]
    with writing(out, kind=ENCODER):
        encoders = [load_encoder(one, device="cpu") for one in models]
        for each in encoders:
            refuse_route(each, "merge")
        first = encoders[0]
        origin = None if start is None else load_encoder(start, device="cpu")
        for name, other in [*zip(models, encoders, strict=True), (start, origin)][1:]:
            if other is not None:
                _check_alike(first, other, str(models[0]), str(name))
        names = [str(one) for one in (*models, *([start] if start is not None else []))]
        whole = encoders if origin is None else [*encoders, origin]
        fingerprints = {name: one.fingerprint() for name, one in zip(names, whole, strict=True)}
        states = [weights_of(one) for one in whole]
        states[0] = {name: value.clone() for name, value in states[0].items()}  # the first becomes the merged one
        trials: list[dict[str, Any]] = []
        for one in sets:
            put_weights(first, _made(states, method, one, density, seed))
            if score is not None:
                trials.append({"weights": list(one), "score": float(score(first))})
                log.info("weights %s: score %.4f", ", ".join(f"{w:g}" for w in one), trials[-1]["score"])
        best = max(range(len(sets)), key=lambda i: (trials[i]["score"], -i)) if trials else 0
        if best != len(sets) - 1:
            put_weights(first, _made(states, method, sets[best], density, seed))
        made = Merged(
            method, tuple(map(str, models)), None if start is None else str(start), density,
            seed if method == "dare" else None, tuple(sets[best]), tuple(trials), fingerprints,
        )  # fmt: skip
        save_encoder(first, out, card=_card(first.card, made), extra={"merge": asdict(made)} | _languages(models))
    return made


def weights_of(encoder: Encoder) -> dict[str, Tensor]:
    """All that is learnt, by name: of the model with its head, and of what comes after the pooling; tied ones once."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for part, module in _parts(encoder).items():
        for name, value in module.state_dict().items():
            if value.data_ptr() not in seen:
                found[f"{part}.{name}"] = value
            seen.add(value.data_ptr())
    return found


def put_weights(encoder: Encoder, weights: Mapping[str, Tensor]) -> None:
    """Give an encoder the weights that :func:`weights_of` names."""
    for name, own in weights_of(encoder).items():
        own.copy_(weights[name])


def _parts(encoder: Encoder) -> dict[str, nn.Module]:
    return {"model": encoder.model, "tail": encoder.tail}


def merged(
    tensors: Sequence[Tensor],
    method: str,
    weights: Weights,
    start: Tensor | None,
    density: float,
    draw: torch.Generator,
) -> Tensor:
    """One tensor of the merged encoder; sums are in float64."""
    wide = [tensor.double() for tensor in tensors]
    if method == "linear":
        return linear(wide, weights)
    if method == "slerp":
        return slerp(wide[0], wide[1], weights[1])
    assert start is not None
    if method == "task":
        return task(start.double(), wide, weights)
    if method == "ties":
        return ties(start.double(), wide, weights, density)
    return dare(start.double(), wide, weights, density, draw)


def _made(
    states: Sequence[Mapping[str, Tensor]], method: str, weights: Weights, density: float | None, seed: int
) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    several, start = states[: len(weights)], states[-1] if method in FROM_START else {}
    return {
        name: merged([state[name] for state in several], method, weights, start.get(name), density or 1.0, draw)
        .to(first.dtype) if first.is_floating_point() else first
        for name, first in several[0].items()
    }  # fmt: skip


def _checked(
    models: Sequence[str | Path],
    method: str,
    weights: Weights | Sequence[Weights] | None,
    start: str | Path | None,
    density: float | None,
    score: Score | None,
) -> list[tuple[float, ...]]:
    """The sets of weights to try."""
    if method not in METHODS:
        raise InputError(unknown("method of merging", method, METHODS))
    count = len(models)
    if count < 2 or (method == "slerp" and count != 2):
        raise InputError(f"{method} merges {'two' if method == 'slerp' else 'two or more'} encoders, got {count}")
    if (start is None) == (method in FROM_START):
        needs = "needs the encoder that all were trained from (start)" if start is None else "takes no start"
        raise InputError(f"{method} {needs}")
    if density is not None and (method not in SPARSE or not 0 < density <= 1):
        raise InputError(f"a density, above 0 and at most 1, is of {' and '.join(SPARSE)}: got {density} for {method}")
    if weights is None:
        weights = [1 / count if method not in FROM_START else 1.0] * count
    several = [tuple(map(float, one)) for one in weights if not isinstance(one, int | float)]
    sets = several or [tuple(float(one) for one in weights if isinstance(one, int | float))]
    for one in sets:
        if len(one) != count or any(w != w or abs(w) == float("inf") for w in one):
            raise InputError(f"{count} encoders have {len(one)} weights {list(one)}: expected a number for each")
        if method not in FROM_START and abs(sum(one) - 1) > 1e-6:
            raise InputError(f"weights of {method} are shares: expected a sum of 1, got {list(one)}")
    if (len(sets) > 1) != (score is not None):
        missing = "a score to choose by" if score is None else "several sets of weights to choose from"
        raise InputError(f"a sweep needs {missing}")
    return sets


def _check_alike(first: Encoder, other: Encoder, one: str, two: str) -> None:
    """Refuse encoders that no formula joins; the reason is the first thing in which they differ."""
    kinds = type(first.model).__name__, type(other.model).__name__
    if kinds[0] != kinds[1]:
        raise InputError(f"{one} is a {kinds[0]}, {two} a {kinds[1]}: only encoders of one architecture merge")
    shapes = [{name: tuple(value.shape) for name, value in weights_of(each).items()} for each in (first, other)]
    for name in (*shapes[0], *shapes[1]):
        here, there = (str(each.get(name, "none")) for each in shapes)
        if here != there:
            raise InputError(f"only encoders of one architecture merge: {name} is {here} in {one}, {there} in {two}")
    pieces = [each.tokenizer.get_vocab() for each in (first, other)]
    if pieces[0] != pieces[1]:
        differ = sorted(dict(pieces[0].items() ^ pieces[1].items()))[:3]
        raise InputError(f"{one} and {two} have other vocabularies ({', '.join(map(repr, differ))}): they do not merge")
    ways = [(each.pooling.kind, each.layer, each.pooling.special_tokens, each.prompt) for each in (first, other)]
    if ways[0] != ways[1]:
        raise InputError(
            f"{one} and {two} make vectors in other ways (kind, layer, special tokens, prompt: {ways[0]} and {ways[1]})"
        )


def _languages(models: Sequence[str | Path]) -> dict[str, Any]:
    """What all were trained on together, where their folders say."""
    files = [Path(model_place(one)) / "align.json" for one in models]
    known = [read_json(file).get("languages", []) for file in files if file.is_file()]
    languages = sorted({code for one in known for code in one})
    return {"languages": languages} if languages else {}


def _card(card: str, made: Merged) -> str:
    weights = ", ".join(f"{w:g} of {Path(name).name}" for w, name in zip(made.weights, made.models, strict=True))
    since = "" if made.start is None else f", changes since {Path(made.start).name}"
    sparse = "" if made.density is None else f", density {made.density:g}"
    chosen = f" Chosen of {len(made.trials)} sets of weights by a score on a dev part." if made.trials else ""
    return f"{card.rstrip()}\n\n## Merged\n\n`align merge`, {made.method}{since}{sparse}: {weights}.{chosen}\n".lstrip()

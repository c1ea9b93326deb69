"""A task at every layer: each text is encoded once, a dev part chooses the layer, and the test part is scored there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from align.errors import InputError
from align.evaluation.encoding import Asked, keeping_lists, words_of_sentences
from align.evaluation.run import Run
from align.tasks.layers import layers_object
from align.tasks.task import Halving, Row, Unit

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.tasks.embedding import Encode

Values = dict[tuple[bool, str], float]
"""By whether it is with the pivot, and language or id."""


@dataclass(frozen=True)
class Layers:
    """Which layers, and where their vectors are kept meanwhile."""

    numbers: Sequence[int] | None = None
    """k of hidden_states[k]; ``None``: all."""
    keep: str = "disk"
    """``disk`` (temporary, exact), or ``float16`` in memory."""


def sweep(
    run: Run, encoder: Any, units: Sequence[Unit], source: str, layers: Layers, asked: Asked, seed: int
) -> tuple[list[Row], dict[str, Any]]:
    """Rows of the test parts at the layer that the dev parts choose, and the ``layers`` object of a result file.

    Args:
        run: what is scored how.
        encoder: whose layers.
        units: of the task; a unit that fails at a layer is reported as missing.
        source: of the units, for a dev split of its own.
        layers: which.
        asked: how the encoder is asked.
        seed: of random halves, where the source has no dev split.

    Raises:
        InputError: a task without layers, or a protocol that names one.
    """
    halves, protocol = run.task.halves, run.rules.protocol
    if halves is None or not hasattr(encoder, "pooling"):
        raise InputError(f"{run.task.name} is of no layer, or of all: a sweep needs another task and an encoder")
    if getattr(protocol, "layer", None) is not None:
        raise InputError(f"protocol {protocol.name} is of layer {protocol.layer}: a sweep over layers expects another")
    dev: dict[str, list[Values]] = {}
    test: dict[str, list[Values]] = {}
    rows: dict[str, list[list[Row]]] = {}
    where: dict[str, None] = {}
    numbers: tuple[int, ...] = ()
    names = tuple(unit.name for unit in units)
    apart = run.task.inputs == "sentences" and any(unit.lines == "text" for unit in units)  # no text in several units
    vectors = _words if run.task.inputs == "tokens" else _vectors
    for group in [[unit] for unit in units] if apart else [list(units)]:
        with vectors(encoder, layers, asked) as (known, at):
            numbers = known
            for unit in group:
                content = run.load(unit)
                if content is None:
                    continue
                try:
                    choosing, scored, chosen_on = halves(content, Halving(source, unit.name, names, seed))
                    found = [run.score(unit, scored, at(k)) for k in numbers]
                    if choosing is not None:
                        dev[unit.name] = [_values(run.score(unit, choosing, at(k))) for k in numbers]
                except InputError as error:
                    run.fails(unit, error)
                    continue
                where[chosen_on] = None
                test[unit.name] = [_values(one) for one in found]
                rows[unit.name] = [[row | {"sha256": run.hashes[-1]} for row in one] for one in found]
    if not rows:
        return [], {}
    found_layers = layers_object(
        protocol.headline, numbers, _curves(dev), _curves(test), "; ".join(where),
        higher_is_better=run.task.higher_is_better,
    )  # fmt: skip
    best = numbers.index(found_layers["best"])
    return [row for of in rows.values() for row in of[best]], found_layers


@contextmanager
def _words(encoder: Any, layers: Layers, asked: Asked) -> Iterator[tuple[tuple[int, ...], Callable[[int], Any]]]:
    """Of tasks on words in sentences: each layer is encoded for itself, so that no vector is kept."""
    from align.encoders.layers import layer_numbers

    yield layer_numbers(encoder, layers.numbers), lambda k: words_of_sentences(encoder, asked, k)


@contextmanager
def _vectors(encoder: Any, layers: Layers, asked: Asked) -> Iterator[tuple[tuple[int, ...], Callable[[int], Encode]]]:
    import torch

    from align.encoders.layer_vectors import LayerVectors
    from align.encoders.words import word_encoder

    with LayerVectors(encoder, layers=layers.numbers, keep=layers.keep, batch_tokens=asked.batch_tokens) as vectors:

        def at(k: int) -> Encode:
            inner: Encode = vectors.at(k)
            if asked.template:
                inner = word_encoder(_at_layer(encoder, k), template=asked.template)

            def encode(texts: Sequence[str], language: str) -> ArrayLike:
                with torch.autocast(encoder.device.type, torch.bfloat16, enabled=asked.bf16):
                    return inner(texts, language)

            return keeping_lists(encode) if asked.template else encode

        yield vectors.layers, at


def _at_layer(encoder: Encoder, k: int) -> Encoder:
    from align.encoders.encoder import Encoder

    one = Encoder(
        encoder.model, encoder.tokenizer, replace(encoder.pooling, layer=k), tail=list(encoder.tail),
        unit=encoder.unit, prompt=encoder.prompt, max_tokens=encoder.max_tokens,
    )  # fmt: skip
    one.attention, one.fallback = encoder.attention, encoder.fallback
    return one


def _values(rows: Sequence[Row]) -> Values:
    """The value of each language with the pivot, its directions averaged; of other rows by id."""
    found: dict[tuple[bool, str], list[float]] = {}
    for row in rows:
        named = row["direction"] in ("to_pivot", "from_pivot")
        found.setdefault((named, row["language"] if named else row["id"]), []).append(row["value"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def _curves(of: dict[str, list[Values]]) -> dict[str, tuple[float, ...]]:
    """By language or id; where there are values with the pivot, of these alone, as in a headline."""
    curves = {key: tuple(one[key] for one in found) for found in of.values() for key in found[0]}
    with_pivot = any(named for named, _ in curves)
    return {name: curve for (named, name), curve in curves.items() if named or not with_pivot}

"""Recipes: what to train, as frozen dataclasses read from TOML, with strict keys."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files import existing_file


@dataclass(frozen=True)
class EncoderOptions:
    """What makes the vector. Unset values are what the model folder says."""

    layer: int | None = None
    """k of hidden_states[k]; unset: the last layer, or what the model was saved with."""
    pooling: str | None = None
    """mean, cls or weighted (by position)."""
    special_tokens: bool | None = None
    """Whether <s> and </s> count in the mean."""


@dataclass(frozen=True)
class ContrastiveOptions:
    """A contrastive objective over the pairs of a batch."""

    weight: float = 1.0
    """Factor of this objective in the sum."""
    temperature: float = 0.05
    """Divides the similarities."""
    learn_temperature: bool = False
    """Train log(temperature) too."""
    cosine: bool = True
    """Compare directions; false: raw dot products."""
    frozen: bool = False
    """Contrast the target side with the vectors that the starting encoder gives the sources, not with current ones."""
    bank: int = 0
    """With info_nce and frozen: starting vectors of so many other sources as extra negatives, at no cost."""


@dataclass(frozen=True)
class MlmOptions:
    """Masked language modelling on both sides; the contrastive views are then the masked texts."""

    weight: float = 1.0
    """Factor of each side's mean loss in the sum."""
    rate: float = 0.15
    """Share of tokens to predict."""


@dataclass(frozen=True)
class AnchorOptions:
    """Stay near the vectors of the starting encoder, so that nothing it knows is forgotten."""

    source: float = 0.0
    """Weight of the distance of each source (native side) to its own starting vector."""
    target: float = 0.0
    """Weight of the distance of each target to its source's starting vector."""
    rehearsal: float = 0.0
    """Weight of the distance of rehearsal texts to their own starting vectors."""
    rehearsal_size: int = 8
    """Rehearsal texts per process and step."""
    distance: str = "cosine"
    """cosine or mse."""


@dataclass(frozen=True)
class TrainOptions:
    """The optimisation."""

    steps: int = 200
    """Optimiser steps."""
    batch_size: int = 64
    """Pairs per process in one forward pass: its in-batch negatives come from these and from other processes."""
    accumulate: int = 1
    """Forward passes per optimiser step (adds no negatives)."""
    learning_rate: float = 5e-5
    """Peak learning rate of AdamW."""
    warmup: float = 0.1
    """Share of the steps with a rising learning rate."""
    schedule: str = "linear"
    """linear, cosine or constant, after the warm-up."""
    weight_decay: float = 0.0
    """AdamW's weight decay."""
    max_tokens: int = 128
    """Longer texts are cut in training."""
    language_temperature: float = 1.0
    """Language l is drawn in proportion to n_l ** this: 1 natural, 0 uniform."""
    batches_by_language: bool = False
    """Fill a batch from one language where that is possible: its negatives are harder."""
    freeze_embeddings: bool = False
    """Keep the word embeddings as they are (69 % of XLM-R-base's parameters)."""
    interpolate: float = 1.0
    """Share a of the trained weights in the result: a * trained + (1 - a) * start."""
    bf16: bool = False
    """bfloat16 autocast with float32 weights."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, more time."""
    seed: int = 0
    """Seed of batches, masks and dropout."""
    save_every: int = 0
    """Steps between checkpoints from which a run resumes; 0: none."""
    evaluate_every: int = 0
    """Steps between evaluations by the given callables; 0: none."""
    log_every: int = 10
    """Steps between lines of metrics."""


@dataclass(frozen=True)
class Recipe:
    """A weighted sum of objectives, the vector they act on, and the optimisation."""

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    nt_xent: ContrastiveOptions | None = None
    info_nce: ContrastiveOptions | None = None
    mlm: MlmOptions | None = None
    anchor: AnchorOptions | None = None
    train: TrainOptions = field(default_factory=TrainOptions)

    def __post_init__(self) -> None:
        """Refuse what could only fail, or do nothing, later."""
        if not (self.nt_xent or self.info_nce or self.mlm or self.anchor):
            raise InputError("the recipe trains nothing: expected one of nt_xent, info_nce, mlm, anchor")
        train = self.train
        for name in ("steps", "batch_size", "accumulate", "max_tokens", "log_every"):
            _need(getattr(train, name) >= 1, f"train.{name} must be at least 1", getattr(train, name))
        _need(
            train.schedule in ("linear", "cosine", "constant"),
            "train.schedule must be linear, cosine or constant",
            train.schedule,
        )
        for name in ("warmup", "interpolate", "language_temperature"):
            _need(0 <= getattr(train, name) <= 1, f"train.{name} must be in 0..1", getattr(train, name))
        _need(train.learning_rate > 0, "train.learning_rate must be positive", train.learning_rate)
        for name in ("nt_xent", "info_nce"):
            options = getattr(self, name)
            if options:
                _need(options.temperature > 0, f"{name}.temperature must be positive", options.temperature)
        if self.mlm:
            _need(0 < self.mlm.rate <= 1, "mlm.rate must be in 0..1, and not 0", self.mlm.rate)
        if self.nt_xent:
            _need(
                not self.nt_xent.bank, "nt_xent has no use for a bank (info_nce has): it must be 0", self.nt_xent.bank
            )
        if self.info_nce and self.info_nce.bank:
            _need(self.info_nce.frozen, "info_nce.bank needs info_nce.frozen = true", self.info_nce.frozen)
        if self.anchor:
            anchor = self.anchor
            weights = (anchor.source, anchor.target, anchor.rehearsal)
            _need(
                min(weights) >= 0 and max(weights) > 0, "anchor needs a positive source, target or rehearsal", weights
            )
            _need(anchor.rehearsal_size >= 1, "anchor.rehearsal_size must be at least 1", anchor.rehearsal_size)
            _need(anchor.distance in ("cosine", "mse"), "anchor.distance must be cosine or mse", anchor.distance)

    @property
    def needs_start(self) -> bool:
        """Whether the starting encoder's vectors of the sources are needed."""
        frozen = any(options and options.frozen for options in (self.nt_xent, self.info_nce))
        return frozen or bool(self.anchor and (self.anchor.source or self.anchor.target))

    @property
    def needs_source(self) -> bool:
        """Whether the source side is encoded in training at all."""
        current = any(options and not options.frozen for options in (self.nt_xent, self.info_nce))
        return current or bool(self.mlm) or bool(self.anchor and self.anchor.source)


def _need(true: bool, sentence: str, value: Any) -> None:
    if not true:
        raise InputError(f"{sentence}, got {value!r}")


def recipes() -> list[str]:
    """Names of the recipes in this package."""
    return sorted(
        file.name.removesuffix(".toml")
        for file in (files("align") / "recipes").iterdir()
        if file.name.endswith(".toml")
    )


def load_recipe(name: str | Path, *, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its name in this package (``transliteration``) or from a TOML file.

    Args:
        name: a name of :func:`recipes`, or the path of a TOML file.
        changes: settings such as ``train.steps=100``, values as TOML writes them (bare words are strings).

    Raises:
        InputError: no such recipe or file, bad TOML, an unknown key (the sentence names the nearest one), or a value
            of another type.
    """
    if str(name) in recipes():
        text, place = (files("align") / "recipes" / f"{name}.toml").read_text(encoding="utf-8"), f"recipe {name}"
    elif str(name).endswith(".toml"):
        text, place = existing_file(name).read_text(encoding="utf-8"), str(name)
    else:
        raise InputError(f"no recipe {str(name)!r}: expected a .toml file or one of {', '.join(recipes())}")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{place} is not valid TOML: {error}") from error
    for change in changes:
        _apply(table, change)
    return typing.cast(Recipe, _build(Recipe, table, place, ""))


def _apply(table: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise InputError(f"expected a change such as train.steps=100, got {change!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"{change!r} goes through {parent}, which is a value and no table")
    table[last] = value


def _build(kind: type, table: Mapping[str, Any], place: str, prefix: str) -> Any:
    types_of = typing.get_type_hints(kind)
    values = {}
    for key, value in table.items():
        if key not in types_of:
            near = difflib.get_close_matches(key, types_of, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(types_of)}"
            raise InputError(f"{place}: unknown key {prefix}{key}; {hint}")
        values[key] = _value(types_of[key], value, place, f"{prefix}{key}")
    return kind(**values)


def _value(expected: Any, value: Any, place: str, name: str) -> Any:
    options = typing.get_args(expected) if isinstance(expected, types.UnionType) else (expected,)
    for option in options:
        if dataclasses.is_dataclass(option) and isinstance(value, dict):
            return _build(typing.cast(type, option), value, place, f"{name}.")
        if option is float and type(value) in (int, float):
            return float(value)
        if type(value) is option:  # not isinstance: true is no 1
            return value
    wanted = " or ".join("table" if dataclasses.is_dataclass(o) else o.__name__ for o in options if o is not type(None))
    raise InputError(f"{place}: {name} must be {wanted}, got {value!r}")


def as_table(recipe: Recipe) -> dict[str, Any]:
    """The resolved recipe as JSON values, unset objectives left out."""
    return {key: value for key, value in dataclasses.asdict(recipe).items() if value is not None}


def field_help(kind: type) -> dict[str, str]:
    """The docstring under each field of an options class: help for the command line and the docs."""
    import ast
    import inspect
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    body = typing.cast(ast.ClassDef, tree).body
    help_of = {}
    for statement, text in itertools.pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            help_of[typing.cast(ast.Name, statement.target).id] = str(text.value.value)
    return help_of

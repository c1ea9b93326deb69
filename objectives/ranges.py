"""Which values an option may have, said beside its type: ``steps: Annotated[int, AT_LEAST_1]``."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from align.errors import InputError


class Limit(NamedTuple):
    """What a value must be, in words and as a condition that NaN fails."""

    words: str
    holds: Callable[[Any], bool]


def one_of(*names: str) -> Limit:
    """One of these words."""
    return Limit(f"{', '.join(names[:-1])} or {names[-1]}", lambda value: value in names)


AT_LEAST_1 = Limit("at least 1", lambda value: value >= 1)
AT_LEAST_0 = Limit("at least 0", lambda value: value >= 0)
POSITIVE = Limit("positive", lambda value: value > 0)
SHARE = Limit("in 0..1", lambda value: 0 <= value <= 1)
SHARE_NOT_0 = Limit("in 0..1, and not 0", lambda value: 0 < value <= 1)
SHARE_NOT_1 = Limit("in 0..1, and not 1", lambda value: 0 <= value < 1)
COSINE = Limit("a cosine, in -1..1", lambda value: -1 <= value <= 1)
COSINE_DIFFERENCE = Limit("in 0..2", lambda value: 0 <= value <= 2)
SEED = Limit("in 0..4294967295", lambda value: 0 <= value < 2**32)  # what numpy takes


def check_options(options: Any, name: str = "") -> None:
    """Refuse a value of another type, one outside its limit, NaN and infinity, in an options class or inside it.

    Args:
        options: a dataclass whose fields are annotated; those of a limit as ``Annotated[type, limit]``.
        name: of ``options``, the start of the names in messages.

    Raises:
        InputError: names the first such field as ``train.steps``.
    """
    for field, hint in typing.get_type_hints(type(options), include_extras=True).items():
        _check(getattr(options, field), hint, f"{name}.{field}" if name else field)


def _check(value: Any, hint: Any, name: str) -> None:
    kinds = alternatives(hint)
    if value is None and type(None) in kinds:
        return
    kind, limit = kinds[0], None
    if typing.get_origin(kind) is Annotated:
        kind, limit = typing.get_args(kind)
    if typing.get_origin(kind) is Mapping:  # options of objectives, checked by their own names
        return
    if typing.get_origin(kind) is tuple:
        need(isinstance(value, Sequence) and not isinstance(value, str), f"{name} must be a list", value)
        for i, item in enumerate(value):
            _check(item, typing.get_args(kind)[0], f"{name}[{i}]")
        return
    accepted = (float, int) if kind is float else kind  # 1 is a number; true and 2.0 are no integers
    right = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    need(right, f"{name} must be {called(kind)}", value)
    need(limit is None or limit.holds(value), f"{name} must be {limit.words if limit else ''}", value)
    need(kind is not float or abs(value) <= sys.float_info.max, f"{name} must be finite", value)
    if dataclasses.is_dataclass(kind) and name.partition("[")[0] != "stages":  # each stage has checked itself
        check_options(value, name)


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types that a hint such as ``int | None`` allows."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def called(kind: Any) -> str:
    """A type in the words of messages."""
    if typing.get_origin(kind) is tuple:
        return f"a list of {called(typing.get_args(kind)[0])}"
    return "table" if dataclasses.is_dataclass(kind) else str(kind.__name__)


def need(true: bool, sentence: str, value: Any) -> None:
    """Raise an InputError of this sentence and the value that was given, unless it is true."""
    if not true:
        raise InputError(f"{sentence}, got {value!r}")

"""Recipes from TOML, with strict keys."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
import tomllib
import typing
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files import existing_file
from align.options import Recipe
from align.ranges import alternatives, called


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
        changes: settings such as ``train.steps=100``, values as TOML writes them (bare words are strings). In a
            recipe with stages the name of the stage comes first: ``nli.train.steps=100``.

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
    try:
        return typing.cast(Recipe, _build(Recipe, table, ""))
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _apply(table: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise InputError(f"expected a change such as train.steps=100, got {change!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    stages = {stage.get("name"): stage for stage in table.get("stages", []) if isinstance(stage, dict)}
    if parents and parents[0] in stages:
        table = stages[parents.pop(0)]
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"{change!r} goes through {parent}, which is a value and no table")
    table[last] = value


def _build(kind: type, table: Mapping[str, Any], prefix: str) -> Any:
    types_of = typing.get_type_hints(kind)
    values = {}
    for key, value in table.items():
        if key not in types_of:
            near = difflib.get_close_matches(key, types_of, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(types_of)}"
            raise InputError(f"unknown key {prefix}{key}; {hint}")
        values[key] = _value(types_of[key], value, f"{prefix}{key}")
    return kind(**values)


def _value(expected: Any, value: Any, name: str) -> Any:
    options = alternatives(expected)
    for option in options:
        if typing.get_origin(option) is tuple and isinstance(value, list):
            inner = typing.get_args(option)[0]
            return tuple(_value(inner, item, f"{name}[{i}]") for i, item in enumerate(value))
        if dataclasses.is_dataclass(option) and isinstance(value, dict):
            return _build(typing.cast(type, option), value, f"{name}.")
        if option is float and type(value) is int and abs(value) <= sys.float_info.max:
            return float(value)
        if type(value) is option:  # not isinstance: true is no 1
            return value
    wanted = " or ".join(called(option) for option in options if option is not type(None))
    raise InputError(f"{name} must be {wanted}, got {value!r}")


def as_table(recipe: Recipe) -> dict[str, Any]:
    """The resolved recipe as JSON values, unset objectives left out."""
    if recipe.stages:
        return {"encoder": dataclasses.asdict(recipe.encoder), "stages": [as_table(stage) for stage in recipe.stages]}
    table = {key: value for key, value in dataclasses.asdict(recipe).items() if value not in (None, "", ())}
    return typing.cast(dict[str, Any], json.loads(json.dumps(table)))  # lists, not tuples: as it is read back

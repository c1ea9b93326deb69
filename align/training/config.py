"""Recipes from TOML, with strict keys, and back: with a word on every setting, as `align recipe` prints them."""

from __future__ import annotations

import ast
import copy
import dataclasses
import difflib
import inspect
import itertools
import json
import logging
import re
import sys
import textwrap
import tomllib
import typing
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from align.errors import InputError, there_are
from align.files.whole import read_lines
from align.objectives.ranges import alternatives, called
from align.objectives.registry import objectives
from align.training.options import EncoderOptions
from align.training.recipe import Recipe

log = logging.getLogger(__name__)


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
            recipe with stages the name of the stage comes first: ``nli.train.steps=100``; without it, ``train`` is
            that of all stages. Objectives that a change adds to the recipe are said in the log.

    Raises:
        InputError: no such recipe or file, bad TOML, an unknown key (the sentence names the nearest one), or a value
            of another type or outside its range.
    """
    recipe, added = load_changed(name, changes)
    for section in added:
        log.info("a change adds %s to the recipe %s, which does not have it", section, name)
    return recipe


def load_changed(name: str | Path, changes: Sequence[str]) -> tuple[Recipe, list[str]]:
    """What :func:`load_recipe` gives, and the sections that the changes add to it: ``nt_xent``, ``STAGE.nt_xent``."""
    if str(name) in recipes():
        text, place = (files("align") / "recipes" / f"{name}.toml").read_text(encoding="utf-8"), f"recipe {name}"
    elif str(name).endswith(".toml"):
        text, place = "".join(f"{line}\n" for line in read_lines(name)), str(name)
    else:
        raise InputError(f"no recipe {str(name)!r}: expected a .toml file or one of {there_are(str(name), recipes())}")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is not valid TOML: {error}") from error
    try:
        before = _sections(table)
        for change in changes:
            _apply(table, change)
        recipe = typing.cast(Recipe, _build(Recipe, table, ""))
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return recipe, sorted(_sections(table) - before)


def _apply(table: dict[str, Any], change: str) -> None:
    """Set one value in the table of a recipe; ``train`` of a recipe with stages is that of each stage."""
    key, equals, text = change.partition("=")
    if not equals:
        raise InputError(f"expected a change such as train.steps=100, got {change!r}")
    value = _written(text)
    first, *rest = key.strip().split(".")
    stages = _stages(table)
    if first in stages and rest:
        _set(stages[first], rest, value, change)
    elif stages and first == "train":
        for stage in stages.values():
            _set(stage, [first, *rest], copy.deepcopy(value), change)
    elif stages and first != "encoder":
        example = ".".join([next(iter(stages)), *([first] if first in sections() else ["train"]), *(rest or ["steps"])])
        raise InputError(
            f"{change!r} names no stage: expected one of {', '.join(stages)} first ({example}=...), or train (all of "
            "them) or encoder"
        )
    else:
        _set(table, [first, *rest], value, change)


def _written(text: str) -> Any:
    """A value of TOML, of which ``.1`` and ``1.`` are none; anything else is a text."""
    pointed = re.sub(r"(?<![\w.])\.(?=\d)", "0.", re.sub(r"(?<=\d)\.(?![\w.])", ".0", text))
    for written in (text, pointed):
        try:
            return tomllib.loads(f"value = {written}")["value"]
        except (ValueError, RecursionError):
            continue
    return text.strip()


def _set(table: dict[str, Any], path: Sequence[str], value: Any, change: str) -> None:
    *parents, last = path
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"{change!r} goes through {parent}, which is a value and no table")
    table[last] = value


def _stages(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables of a recipe's stages by name."""
    stages = table.get("stages", [])
    return {str(one.get("name")): one for one in stages if isinstance(one, dict)} if isinstance(stages, list) else {}


def _sections(table: Mapping[str, Any]) -> set[str]:
    """Names of the tables in a recipe but ``encoder`` and ``train``: ``nt_xent``, or ``STAGE.nt_xent``."""
    names = {name for name in sections() if name in table and name not in ("encoder", "train")}
    return names.union(*({f"{stage}.{name}" for name in _sections(one)} for stage, one in _stages(table).items()))


def _build(kind: type, table: Mapping[str, Any], prefix: str) -> Any:
    types_of = keys() if kind is Recipe else typing.get_type_hints(kind)
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
    values = dataclasses.asdict(recipe)
    values |= values.pop("objectives")
    table = {key: values[key] for key in keys() if values.get(key) not in (None, "", ())}
    return typing.cast(dict[str, Any], json.loads(json.dumps(table)))  # lists, not tuples: as it is read back


def sections() -> dict[str, Any]:
    """The tables of a recipe and of a stage by name, with the class of each."""
    hints = typing.get_type_hints(Recipe)
    plain = {
        name: next(iter(typing.get_args(hints[name])), hints[name])
        for name in ("matryoshka", "lora", "bottleneck", "train")
    }
    return {"encoder": EncoderOptions} | {name: one.options for name, one in objectives().items()} | plain


def keys() -> dict[str, Any]:
    """All keys of a recipe and their types, the tables of objectives among them."""
    hints = {name: hint for name, hint in typing.get_type_hints(Recipe).items() if name != "objectives"}
    first = {name: hints.pop(name) for name in ("encoder", "name", "pairs")}
    return first | {name: one.options for name, one in objectives().items()} | hints


def explain(recipe: Recipe, *, added: Collection[str] = ()) -> str:
    """Every setting of a recipe with its value and meaning; objectives that it does not use are named at the end.

    Sections that were ``added`` by a change, ``nt_xent`` or ``STAGE.nt_xent``, are marked.
    """
    parts = []
    for stage in recipe.stages or (recipe,):
        prefix = ""
        if recipe.stages:
            prefix = "stages."
            parts.append(f"[[stages]]\nname = {json.dumps(stage.name)}\npairs = {json.dumps(list(stage.pairs))}")
        for name in sections():
            options = getattr(recipe if name == "encoder" else stage, name)
            if options is not None and not (prefix and name == "encoder"):
                new = (f"{stage.name}.{name}" if prefix else name) in added
                parts.append("# added by --set\n" * new + _section(prefix + name, options))
    unused = [name for name in sections() if not _used(recipe, name)]
    if recipe.stages:
        parts.insert(0, _section("encoder", recipe.encoder))
    return "\n\n".join([*parts, f"# not used here: {', '.join(unused)}"]) + "\n"


def objectives_table() -> str:
    """Every objective and the first line of its documentation, as a table of Markdown: that of docs/training.md."""
    lines = [f"| `{name}` | {one.summary.replace('``', '`').removesuffix('.')} |" for name, one in objectives().items()]
    return "\n".join(["| objective | what it does |", "|---|---|", *lines]) + "\n"


def _used(recipe: Recipe, name: str) -> bool:
    return any(getattr(stage, name) is not None for stage in recipe.stages or (recipe,))


def _section(name: str, options: Any) -> str:
    lines = [f"# {(inspect.getdoc(type(options)) or '').splitlines()[0]}", f"[{name}]"]
    help_of = field_help(type(options))
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        setting = f"# {field.name} unset" if value is None else f"{field.name} = {_toml(value)}"
        lines.append(f"{setting:32} # {help_of[field.name]}")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def field_help(kind: type) -> dict[str, str]:
    """The docstring under each field of an options class, inherited or not, in a line: help, and comments in TOML."""
    owners = filter(dataclasses.is_dataclass, reversed(kind.__mro__))
    trees = [ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0] for owner in owners]
    help_of = {}
    for statement, text in (
        pair for tree in trees for pair in itertools.pairwise(typing.cast(ast.ClassDef, tree).body)
    ):
        if isinstance(statement, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            help_of[typing.cast(ast.Name, statement.target).id] = " ".join(str(text.value.value).split())
    return help_of

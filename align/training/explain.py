"""A recipe as TOML with a word on every setting: what `align recipe` prints, and what --set can change."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import textwrap
import typing
from collections.abc import Collection
from typing import Any

from align.objectives.registry import objectives
from align.training.recipe import Recipe, sections


def explain(recipe: Recipe, *, added: Collection[str] = ()) -> str:
    """Every setting of a recipe with its value and meaning; objectives that it does not use are named at the end.

    Args:
        recipe: to be explained.
        added: sections, as ``nt_xent`` or ``STAGE.nt_xent``, to be marked as added by a change.
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
    """Every objective and the first line of its documentation, as a table of Markdown: the README's."""
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
    """The docstring under each field of an options class, inherited or its own: help in the command line and docs."""
    owners = filter(dataclasses.is_dataclass, reversed(kind.__mro__))
    trees = [ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0] for owner in owners]
    help_of = {}
    for statement, text in (
        pair for tree in trees for pair in itertools.pairwise(typing.cast(ast.ClassDef, tree).body)
    ):
        if isinstance(statement, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            help_of[typing.cast(ast.Name, statement.target).id] = str(text.value.value)
    return help_of

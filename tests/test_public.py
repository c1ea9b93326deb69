"""What is public: every verb of the command line is a function of ``align``, and each name has one spelling."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import align
from align.cli import app

ROOT = Path(__file__).parent.parent
NAMED_OTHERWISE = {
    "list": "list_benchmarks",  # align.list would say nothing of what is listed
    "eval": "evaluate",
    "recipe": "load_recipe",  # the verb prints what the function returns
    "pairs classes": "class_pairs",
    "pairs synonyms": "synonym_pairs",
    "pairs negatives": "negative_pairs",
    "pairs fragments": "fragment_pairs",
    "pairs entities": "entity_pairs",
    "head words": "word_head",
    "head fusion": "fusion_head",
    "words-align": "word_alignments",
}
WITHOUT_FUNCTION = {"demo"}
"""A show that prints as it goes."""


def verbs(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command: ("pairs", "nli")."""
    commands = getattr(group, "commands", None)
    if commands is None:
        return [path]
    return [words for name, command in commands.items() for words in verbs(command, (*path, name))]


VERBS = [" ".join(words) for words in verbs(typer.main.get_command(app))]


def function_of(verb: str) -> str:
    group, _, name = verb.rpartition(" ")
    return NAMED_OTHERWISE.get(verb, f"{name}_pairs" if group == "pairs" else name.replace("-", "_"))


def test_the_verbs_are_found():
    assert {"train", "eval", "pairs nli", "verify-export", "map"} <= set(VERBS)


@pytest.mark.parametrize(
    "verb",
    [v for v in VERBS if v not in WITHOUT_FUNCTION],
)
def test_every_verb_is_a_function(verb):
    name = function_of(verb)
    assert name in align.__all__
    function = getattr(align, name)
    assert callable(function) and not isinstance(function, ModuleType)
    assert function.__name__ == name and not function.__module__.startswith("align.cli")


def test_exceptions_are_verbs():
    assert not {*NAMED_OTHERWISE, *WITHOUT_FUNCTION} - set(VERBS)


def modules() -> dict[str, ModuleType]:
    found = {"align": align}
    for one in pkgutil.walk_packages(align.__path__, "align."):
        if not one.name.startswith(("align.cli", "align.data", "align.recipes")):
            found[one.name] = importlib.import_module(one.name)
    return found


MODULES = modules()


def origin(module: str, name: str) -> Any:
    """What says that two names are of one thing."""
    thing = getattr(MODULES[module], name)
    return (thing.__module__, thing.__qualname__) if hasattr(thing, "__qualname__") else id(thing)


def spellings() -> dict[Any, list[str]]:
    found = defaultdict(list)
    for module, loaded in MODULES.items():
        for name in getattr(loaded, "__all__", ()):
            if name != "__version__":
                found[origin(module, name)].append(f"{module}.{name}")
    return found


def test_one_spelling():
    assert [names for names in spellings().values() if len(names) > 1] == []


def test_only_packages_pass_names_on():
    passed_on = [
        f"{module}.{name}"
        for module, loaded in MODULES.items()
        if not hasattr(loaded, "__path__")
        for name in getattr(loaded, "__all__", ())
        if getattr(getattr(loaded, name), "__module__", module) != module
    ]
    assert passed_on == []


def test_type_checkers_see_what_is_imported_on_first_use():
    tree = ast.parse(Path(align.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {one.names[0].name: one.module for one in block.body if isinstance(one, ast.ImportFrom)}
    assert seen == align._HOMES
    assert [name for name in seen if getattr(align, name).__module__ != seen[name]] == []


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="only in a checkout of the source")
def test_pages_spell_names_so():
    wanted = {key: names[0] for key, names in spellings().items()}
    wrong = []
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        written = set(re.findall(r"\balign(?:\.\w+)+", text))
        for module, names in re.findall(r"^ *from (align[\w.]*) import ([\w, ]+)$", text, re.MULTILINE):
            written |= {f"{module}.{name.strip()}" for name in names.split(",")}
        for path in sorted(written):
            module, _, name = path.rpartition(".")
            if module in MODULES and path not in MODULES and hasattr(MODULES[module], name):
                spelled = wanted.get(origin(module, name), path)
                wrong += [f"{page.name}: {path} is {spelled}"] if spelled != path else []
    assert wrong == []


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = align.nothing
    assert set(dir(align)) == set(align.__all__)

"""The reference of the site, made of the registries, the command line and docstrings, so that what is new is there.

A line ``::: align.x.y`` is filled by mkdocstrings with what ``y`` says of itself.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import typer

import align
from align.cli import app
from align.engines.registry import engines
from align.evaluation.benchmarks import BENCHMARKS
from align.evaluation.listing import task_settings
from align.objectives.registry import objectives
from align.pairs.lexicons.registry import formats
from align.pairs.registry import builders
from align.tasks.task import tasks
from align.text.romanize.registry import romanizers
from align.training.config import explain, field_help, load_recipe, objectives_table, recipes
from align.transfer.feature import features
from scripts.document.tables import ROOT

WIDTH = 100
"""Of help, in characters."""


def pages() -> dict[str, str]:
    """Path below docs -> Markdown, in the order of the menu."""
    lists = {"recipes": recipe_list, "objectives": objective_list, "tasks": task_list, "benchmarks": benchmark_list,
             "engines": engine_list, "sources": source_list}  # fmt: skip
    found = {f"reference/cli/{title.lower()}.md": text for title, text in command_line()}
    found |= {f"reference/{name}.md": "\n\n".join(parts()) + "\n" for name, parts in lists.items()}
    return found | {f"reference/api/{room}.md": text for room, text in api()}


def command_line() -> Iterator[tuple[str, str]]:
    """A page for each group of verbs, with the help of every verb as it is printed."""
    root: Any = typer.main.get_command(app)
    top = root.context_class(root, info_name="align")
    for title, verbs in root.groups.items():
        helps = "".join(_help(root.commands[name], name, top) for name in verbs)
        yield title, f"# Command line: {title.lower()}\n\n{helps}"


def _help(command: Any, name: str, parent: Any) -> str:
    """Of a verb, and of the verbs below it."""
    context = command.context_class(command, info_name=name, parent=parent, terminal_width=WIDTH)
    inner = "".join(_help(one, verb, context) for verb, one in getattr(command, "commands", {}).items())
    return f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n\n{inner}"


def recipe_list() -> Iterator[str]:
    """Every recipe with each of its settings."""
    yield "# Recipes\n\n`align recipe NAME` prints one, to start your own from; `--set` changes any of its settings."
    for name in recipes():
        text = (ROOT / "align" / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
        about = "\n".join(line.lstrip("# ") for line in text.partition("\n\n")[0].splitlines() if line[:1] == "#")
        yield f"## {name}\n\n{about}\n\n```toml\n{explain(load_recipe(name))}```"


def objective_list() -> Iterator[str]:
    """Every objective: its formula and source, and the settings of its table."""
    yield f"# Objectives\n\n{objectives_table()}"
    for name, one in objectives().items():
        fields, meanings = dataclasses.fields(one.options), field_help(one.options)
        rows = [[f"`{field.name}`", _code(field.default), meanings[field.name]] for field in fields]
        yield f"## {name}\n\n{_documented(one.function)}\n\n{_table(['setting', 'default', 'meaning'], rows)}"


def task_list() -> Iterator[str]:
    """Every task, its protocols in words, and its settings."""
    rows = [[f"[{one.name}](#{one.name})", one.asks] for one in tasks().values()]
    yield "# Tasks and protocols\n\n`align list TASK` prints what is here; `--protocol` and `--set` choose."
    yield _table(["task", "question"], rows)
    for name, one in tasks().items():
        described = [f"- `{key}`: {protocol.describe()}" for key, protocol in one.protocols.items()]
        settings = [[f"`{key}`", _code(value)] for key, value in task_settings(name)[0].items()]
        yield f"## {name}\n\n`align eval MODEL {name}=PATH`: {one.asks} By default `{one.default}`.\n"
        yield "\n".join(described)
        yield _table(["setting", "default"], settings)


def benchmark_list() -> Iterator[str]:
    """Every benchmark that has a name."""
    heads = ["benchmark", "what", "task", "protocol", "licence", "from"]
    yield "# Benchmarks\n\n`align eval MODEL NAME`, with `--data FOLDER`, or from the Hub where it is there."
    yield _table(heads, (
        [f"`{one.name}`", one.about, f"[{one.task}](tasks.md#{one.task})", one.protocol or tasks()[one.task].default,
         one.licence, one.hub or one.origin] for one in BENCHMARKS.values()
    ))  # fmt: skip


def engine_list() -> Iterator[str]:
    """Every engine with its options."""
    yield "# Engines\n\n`align export VECTORS ENGINE TO` writes to one, `align verify-export` checks what is there."
    yield _table(["engine", "TO"], ([f"[{one.name}](#{one.name})", one.to] for one in engines().values()))
    for name, one in engines().items():
        yield f"## {name}\n\nTO is {one.to}.\n\n{_documented(one.open_target)}"


def source_list() -> Iterator[str]:
    """What is read and made of raw data: kinds of pairs, formats of word lists, romanisers, features of transfer."""
    yield "# Pairs, word lists, romanisers\n\n## Kinds of pairs"
    yield _table(
        ["verb", "what it builds"], [[f"`align pairs {name}`", one.summary] for name, one in builders().items()]
    )
    yield "## Formats of word lists"
    heads = ["format", "sources", "what they give", "where", "licence"]
    yield _table(heads, [[f"`{name}`", *one.page] for name, one in formats().items()])
    yield "## Romanisers"
    yield _table(["`--backend`", "what it writes"], [[f"`{name}`", one.help] for name, one in romanizers().items()])
    yield "## What a transfer is predicted from"
    yield _table(["feature", "kind"], [[f"`{name}`", one.kind] for name, one in features().items()])


def api() -> Iterator[tuple[str, str]]:
    """A page for each room that has public names, with their docstrings."""
    rooms: dict[str, list[str]] = {}
    for name in align.__all__:
        home = getattr(getattr(align, name), "__module__", "align")
        rooms.setdefault(home.split(".")[1] if "." in home else "", []).append(f"{home}.{name}")
    for room, names in sorted(rooms.items()):
        if room:
            example, text = names[0].rpartition(".")[2], "\n\n".join(f"::: {name}" for name in sorted(names))
            yield room, f"# align: {room}\n\nEach is a name of `align` itself, as `align.{example}`.\n\n{text}\n"


def _documented(function: Any) -> str:
    """What stands for the documentation of a function or class; of one that is no name of its module, its own words."""
    if "<locals>" in function.__qualname__:
        return f"```text\n{inspect.getdoc(function)}\n```"
    options = "\n      ".join(["    options:", "show_root_heading: false", "show_root_toc_entry: false"])
    return f"::: {function.__module__}.{function.__qualname__}\n{options}"


def _code(value: Any) -> str:
    return f"`{value!r}`"


def _table(heads: list[str], rows: Iterable[Iterable[str]]) -> str:
    body = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    lines = [heads, ["---"] * len(heads), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

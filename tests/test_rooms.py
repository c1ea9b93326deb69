"""The house: which room may import which, checked over every import of every module, also inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from align import cli

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only in a checkout of the source")

LOOSE = ("errors", "provenance", "registry", "streams", "demo")
"""Modules of ``align`` itself. All rooms may import them, but ``demo``; and the room ``files``."""
MAY_IMPORT = {
    "files": "",
    "text": "",
    "similarity": "",
    "objectives": "",
    "pairs": "text similarity",  # the tagger is a logistic regression
    "encoders": "similarity text",  # language offsets, which an encoder takes off
    "alignment": "encoders pairs similarity text",  # tables whose words are exchanged
    "training": "encoders objectives pairs text",
    "vectors": "encoders similarity text",
    "indexes": "vectors similarity encoders pairs text",  # queries for augmentation come from dictionaries and records
    "memory": "indexes vectors similarity pairs text",  # translation memories are read as bitext is
    "mining": "vectors similarity indexes encoders pairs text",  # negatives are mined for tables of pairs
    "mapping": "vectors similarity encoders pairs text",  # a head is learnt on an encoder's own words
    "engines": "indexes vectors similarity",  # verified against the rows that an index finds
    "publishing": "evaluation",  # scores stand in the card
    "serving": "indexes encoders text",
    "reranking": "indexes encoders pairs text",  # hits of an index, pairs with negatives
    "tasks": "similarity text",
    "evaluation": "tasks encoders indexes vectors pairs similarity text",  # vectors of vocabularies are kept as indexes
    "transfer": "evaluation encoders tasks pairs similarity text",  # scores are results, or tables read as pairs are
    "reporting": "evaluation tasks text",
    "laboratory": "training encoders objectives similarity text",
    "health": "training encoders objectives indexes text",  # what a machine does of all these
}
"""Room -> rooms. ``cli`` and ``demo`` may import all."""
MOST_MODULES = 30


def modules() -> dict[str, Path]:
    homes = {"align": ROOT / "align", "align.objectives": ROOT / "objectives", "align.tasks": ROOT / "tasks"}
    found = {}
    for name, home in homes.items():
        for path in home.rglob("*.py"):
            parts = path.relative_to(home).with_suffix("").parts
            if name != "align" or parts[0] not in ("objectives", "tasks", "data"):
                found[".".join([name, *parts]).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(path: Path, module: str) -> list[tuple[str, str]]:
    """(module, name or "") of everything of this project that a file imports, at any depth."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names if alias.name.split(".")[0] == "align"]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            if node.module and node.module.split(".")[0] == "align":
                found += [(node.module, alias.name) for alias in node.names]
    return [(f"{base}.{name}", "") if f"{base}.{name}" in MODULES else (base, name) for base, name in found]


def room(module: str) -> str:
    """``text`` for ``align.text.languages``; ``""`` for the loose modules and the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] not in LOOSE else ""


def test_every_module_has_a_room():
    loose = {module.removeprefix("align.") for module in MODULES if module.count(".") == 1 and not is_package(module)}
    assert loose == set(LOOSE)
    assert {room(module) for module in MODULES} == {*MAY_IMPORT, "cli", ""}


def is_package(module: str) -> bool:
    return MODULES[module].name == "__init__.py"


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(name):
    allowed = {name, "", "files", *MAY_IMPORT[name].split()}
    wrong = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        if room(module) == name
        for imported, what in imports(path, module)
        if room(imported) not in allowed or imported == "align.demo" or (imported == "align" and what != "__version__")
    ]
    assert not wrong


def test_no_private_name_crosses_files():
    wrong = [
        f"{module} takes {name} of {imported}"
        for module, path in MODULES.items()
        for imported, name in imports(path, module)
        if name.startswith("_") and not name.startswith("__")
    ]
    assert not wrong


def test_no_circle_of_rooms_nor_of_modules():
    order: list[str] = []

    def visit(node: str, graph: dict[str, set[str]], path: tuple[str, ...]) -> None:
        assert node not in path, f"a circle: {' -> '.join((*path, node))}"
        if node not in order:
            for other in sorted(graph[node]):
                visit(other, graph, (*path, node))
            order.append(node)

    for graph in (
        {name: set(may.split()) for name, may in MAY_IMPORT.items()},
        {module: at_import(path, module) for module, path in MODULES.items()},
    ):
        order.clear()
        for node in sorted(graph):
            visit(node, graph, ())


def at_import(path: Path, module: str) -> set[str]:
    """What a module needs before it is there itself: not what its functions import, nor what only types need."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("align"):
            found |= {
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module for a in node.names
            }
    return (found & set(MODULES)) - {module, "align"}


def test_no_room_is_crowded():
    sizes: dict[str, int] = defaultdict(int)
    for path in MODULES.values():
        sizes[str(path.parent.relative_to(ROOT))] += 1
    assert {place: size for place, size in sizes.items() if size > MOST_MODULES} == {}


def test_every_room_says_what_it_is_for():
    for module, path in MODULES.items():
        if is_package(module) and module != "align":
            assert len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") > 40, module


def test_no_verb_is_a_module():
    """``align.encode`` is the function, so nothing may be called so."""
    import align

    names = {module.rpartition(".")[2] for module in MODULES if module.count(".") == 1}
    assert not names & set(align.__all__)


def verbs(group: Any, *before: str) -> Iterator[tuple[str, ...]]:
    """The words of every verb, and of every group of verbs."""
    yield before
    for name, command in getattr(group, "commands", {}).items():
        yield from verbs(command, *before, name)


def test_help_costs_no_torch():
    asked = list(verbs(typer.main.get_command(cli.app)))
    assert len(asked) > 25
    code = (
        "import sys\nfrom align.cli import main\n"
        "for line in sys.stdin.read().split('\\n'):\n"
        "    sys.argv = ['align', *line.split(), '--help']\n"
        "    try: main()\n    except SystemExit as stopped: assert not stopped.code, line\n"
        "    heavy = {'torch', 'transformers', 'datasets', 'scipy'} & set(sys.modules)\n"
        "    assert not heavy, f'align {line} --help imports {heavy}'"
    )
    lines = "\n".join(" ".join(words) for words in asked)
    done = subprocess.run([sys.executable, "-c", code], input=lines, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: ") == len(asked)

"""The tutorials as notebooks, made of their Markdown; ``python -m scripts.document.write`` writes them beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.document.tables import ROOT

FOLDER = ROOT / "docs" / "tutorials"
ONLINE = "https://github.com/align-encoders/align/blob/main/"
FIRST = "In Colab, or wherever this package is missing, run this first: `%pip install 'align-encoders[qdrant]'`"
BLOCK = re.compile(r"^```(bash|python|toml)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w/]+\.\w+)\n")
"""The first line of a block that is a file."""


def notebook(page: Path) -> dict[str, Any]:
    """The notebook of a page: its text, and a cell for each block of commands, Python, or a file to write."""

    def link(found: re.Match[str]) -> str:
        return f"]({ONLINE}{(page.parent / found[1]).resolve().relative_to(ROOT).as_posix()}"

    cells = [_markdown(FIRST), *_cells(re.sub(r"\]\((?!\w+:)([^)#]+)", link, page.read_text(encoding="utf-8")))]
    numbered = [{"id": f"{page.stem}-{number}"[:64], **cell} for number, cell in enumerate(cells)]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": numbered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def notebooks() -> dict[Path, str]:
    """The file of every tutorial's notebook, and what is in it."""
    made = {page.with_suffix(".ipynb"): notebook(page) for page in sorted(FOLDER.glob("*.md"))}
    return {path: json.dumps(held, indent=1, ensure_ascii=False) + "\n" for path, held in made.items()}


def _cells(text: str) -> Iterator[dict[str, Any]]:
    place = 0
    for block in BLOCK.finditer(text):
        if between := text[place : block.start()].strip():
            yield _markdown(between)
        yield _code(block[1], block[2])
        place = block.end()
    yield _markdown(text[place:])


def _code(language: str, text: str) -> dict[str, Any]:
    if file := FILE.match(text):
        text = f"%%writefile {file[1]}\n{text}"
    elif language == "bash":
        text = f"%%bash -e\n{text}"
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": _lines(text)}


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(text)}


def _lines(text: str) -> list[str]:
    return text.strip("\n").splitlines(keepends=True)

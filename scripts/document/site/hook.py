"""What mkdocs asks while it builds the site: pages that are made, their place in the menu, the script for search."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from scripts.document.site.reference import pages
from scripts.document.tables import ROOT

BESIDE = ("CONTRIBUTING", "CHANGELOG")
WORKER = "assets/iframe-worker.js"
LOADED = re.compile(r"""<(?!a\b)\w+\b[^>]*?\b(?:src|href|data)=["']?(?:https?:)?//[^>]*>""")
"""What a page would load from elsewhere; a link that somebody follows is none."""
MOVED = {"../README.md#which-recipe": "guides.md"} | {f"../{name}.md": f"{name.lower()}.md" for name in BESIDE}
"""Where pages of docs link to what stands beside that folder, and where that is on the site."""


@cache
def made() -> dict[str, str]:
    """Pages that are no file of docs: the reference, and what stands elsewhere in the repository."""
    readme, *others = (_beside(name) for name in ("README", *BESIDE))
    recipes = re.search(r"## Which recipe\n(.*?)\n## ", readme, re.DOTALL)[1]
    names = [f"{name.lower()}.md" for name in BESIDE]
    return pages() | dict(zip(names, others, strict=True)) | {"guides.md": f"# By the data you have\n{recipes}"}


def _beside(name: str) -> str:
    text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
    return re.sub(r"\](\(?)docs/", r"]\1", text).replace("[docs/", "[")


def on_config(config: Any) -> Any:
    """Put the reference into the menu."""
    groups: dict[str, list[str]] = {"Command line": [], "Registries": [], "Python": []}
    for path in pages_of_reference():
        groups["Command line" if "/cli/" in path else "Python" if "/api/" in path else "Registries"].append(path)
    place = next(one for one in config.nav if "Reference" in one)
    place["Reference"] = [{title: paths} for title, paths in groups.items()]
    return config


def pages_of_reference() -> list[str]:
    """In the order of the menu."""
    return [path for path in made() if path.startswith("reference/")]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made, and the script."""
    for path, text in made().items():
        files.append(File.generated(config, path, content=text))
    script = (ROOT / "scripts" / "document" / "site" / "iframe_worker.js").read_text(encoding="utf-8")
    files.append(File.generated(config, WORKER, content=script))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to the site's place of what stands beside docs."""
    for there, here in MOVED.items():
        markdown = markdown.replace(there, here)
    return markdown


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The page as it is; it can be read without a network, or it is no page."""
    if found := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads {found[0]}")
    return output

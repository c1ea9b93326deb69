"""Write the numbers of README.md and of the pages of docs anew, from docs/results.

    python -m scripts.document.write

What stands between `<!-- NAME -->` and `<!-- end -->` is written by the function of that name, or, where the name is
`FILE: {FIELD}`, is a field of docs/results/FILE.json. Those files are what the commands printed on the pages wrote.
"""

from __future__ import annotations

import re
from pathlib import Path

from align import demo
from scripts.document import (
    advise,
    clusters,
    heads,
    laboratory,
    lexicons,
    licences,
    pairs,
    performance,
    reliability,
    results,
    romanised,
    search,
    tokens,
    unread,
    word_alignment,
)
from scripts.document.tables import ROOT, filled, kept

MARKED = re.compile(r"<!-- (?P<name>[^>]+) -->(?P<old>.*?)<!-- end -->", re.DOTALL)


def demo_table() -> str:
    scores = kept("demo-0")["scores"]
    return f"```\n{demo.table(scores)}\n\n{demo.in_words(scores)}\n```"


PAGES = {
    "README.md": {"demo table": demo_table},
    "align/data/seed/README.md": {"seed scores": results.seed_scores},
    "docs/advise.md": advise.PARTS,
    "docs/bli.md": heads.PARTS,
    "docs/clusters.md": clusters.PARTS,
    "docs/dependencies.md": licences.PARTS,
    "docs/laboratory.md": laboratory.PARTS,
    "docs/lexicons.md": lexicons.PARTS,
    "docs/pairs.md": pairs.PARTS,
    "docs/performance.md": performance.PARTS,
    "docs/reliability.md": reliability.PARTS,
    "docs/results.md": results.PARTS,
    "docs/romanised.md": romanised.PARTS,
    "docs/scripts.md": unread.PARTS,
    "docs/search.md": search.PARTS,
    "docs/token_tasks.md": tokens.PARTS,
    "docs/trimming.md": {},
    "docs/word_alignment.md": word_alignment.PARTS,
}


def written(name: str) -> str:
    """A page with its numbers; what stands outside the markers stays."""
    parts = PAGES[name]

    def part(match: re.Match[str]) -> str:
        if match["name"] in parts:
            text = parts[match["name"]]()
        else:
            file, _, form = match["name"].partition(": ")
            text = filled(form, kept(file))
        gap = "\n" if match["old"].startswith("\n") else ""
        return f"<!-- {match['name']} -->{gap}{text}{gap}<!-- end -->"

    return MARKED.sub(part, (ROOT / name).read_text(encoding="utf-8"))


def main() -> None:
    for name in PAGES:
        Path(ROOT / name).write_text(written(name), encoding="utf-8")
    performance.plot(ROOT / "docs" / "performance.png")


if __name__ == "__main__":
    main()

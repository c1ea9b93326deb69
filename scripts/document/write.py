"""Write the numbers of README.md and of the pages of docs anew, from docs/results; and the table of objectives.

    python -m scripts.document.write

What stands between `<!-- NAME -->` and `<!-- end -->` is written by the function of that name, or, where the name is
`FILE: {FIELD}`, is a field of docs/results/FILE.json. Those files are what the commands printed on the pages wrote.
"""

from __future__ import annotations

import re
from pathlib import Path

from align import demo
from align.demo import COLUMNS
from align.training.config import objectives_table
from scripts.document import (
    advise,
    certificate,
    clusters,
    heads,
    laboratory,
    layers,
    lexicons,
    licences,
    mixture,
    pairs,
    performance,
    prototypes,
    reliability,
    rerank,
    results,
    romanised,
    search,
    sparse,
    steady,
    switched,
    systems,
    tokens,
    unread,
    word_alignment,
)
from scripts.document.notebooks import notebooks
from scripts.document.tables import ROOT, filled, kept

MARKED = re.compile(r"<!-- (?P<name>[^>]+) -->(?P<old>.*?)<!-- end -->", re.DOTALL)


def demo_table() -> str:
    scores = kept("demo-0")["scores"]
    return f"```\n{demo.table(scores)}\n\n{demo.in_words(scores)}\n```"


def demo_gain() -> str:
    """What romanised queries of the demo find of their native form, before and after, and what translation does."""
    found = [[kept("demo-0")["scores"][name][when]["mean"] for when in ("before", "after")] for name in COLUMNS[1:3]]
    texts = (
        "Of romanised verses {:.1%} find their native form before, {:.1%} after",
        "of native ones {:.1%} and {:.1%} their translation",
    )
    return f"{'; '.join(text.format(*both) for text, both in zip(texts, found, strict=True))}."


PAGES = {
    "README.md": {"demo gain": demo_gain},
    "align/data/seed/README.md": {"seed scores": results.seed_scores},
    "docs/adapters.md": mixture.PARTS,
    "docs/advise.md": advise.PARTS,
    "docs/bli.md": heads.PARTS,
    "docs/classes.md": prototypes.PARTS,
    "docs/clusters.md": clusters.PARTS,
    "docs/code_switching.md": switched.PARTS,
    "docs/dependencies.md": licences.PARTS,
    "docs/evaluation.md": certificate.PARTS,
    "docs/index.md": {"demo table": demo_table},
    "docs/laboratory.md": laboratory.PARTS,
    "docs/lexicons.md": lexicons.PARTS,
    "docs/pairs.md": pairs.PARTS,
    "docs/performance.md": performance.PARTS | {"steady": steady.shown},
    "docs/reliability.md": reliability.PARTS,
    "docs/rerank.md": rerank.PARTS,
    "docs/results.md": results.PARTS,
    "docs/romanised.md": romanised.PARTS,
    "docs/scripts.md": unread.PARTS,
    "docs/sparse.md": sparse.PARTS,
    "docs/search.md": search.PARTS,
    "docs/systems.md": systems.PARTS,
    "docs/token_tasks.md": tokens.PARTS,
    "docs/training.md": {"objectives": lambda: objectives_table().rstrip()} | layers.INTERLINEAR,
    "docs/trimming.md": layers.STUDENTS,
    "docs/tutorials/low-resource-script.md": {},
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
    for path, text in notebooks().items():
        path.write_text(text, encoding="utf-8")
    performance.plot(ROOT / "docs" / "performance.png")
    steady.plot(ROOT / "docs" / "steady.png")


if __name__ == "__main__":
    main()

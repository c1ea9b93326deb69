"""What the readers of word lists find in whole files of other people: rows by problem, for docs/lexicons.md.

    python -m scripts.experiments.lexicons docs/results/lexicons.json swh_Latn-eng_Latn=freedict-swh-eng.index ...

The files are those of Debian: `apt-get download dict-freedict-swh-eng`, then `dpkg -x` unpacks it.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from align.files.whole import write_json
from align.pairs.lexicons.lexicon import find_lexicons, given_lexicon, lexicon_rows


def counts(given: str) -> dict[str, Any]:
    """Rows of one lexicon, those without a problem, the headwords, and each problem with an example."""
    lexicon = find_lexicons([given_lexicon(given)])[0]
    problems: Counter[str] = Counter()
    concepts: set[str] = set()
    rows = 0
    for row in lexicon_rows(lexicon):
        rows += 1
        problems[row.problem] += 1
        concepts.add(row.concept)
    good = problems.pop("", 0)
    return {
        "name": Path(lexicon.name).name, "languages": "-".join(lexicon.languages), "rows": rows, "good": good,
        "concepts": len(concepts), "problems": dict(problems.most_common()),
    }  # fmt: skip


def main(out: str, *given: str) -> None:
    """Write the counts of each."""
    write_json(Path(out), {"lexicons": [counts(one) for one in given]})


if __name__ == "__main__":
    main(*sys.argv[1:])

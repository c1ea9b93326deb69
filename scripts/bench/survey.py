"""How fast the first reading of a corpus is, which finds copies and bad lines before anything is encoded.

    python -m scripts.bench.survey --lines 500000 --out docs/results/survey.json

Lines are made up, some ten words each; ids are hashes of the text. The reading is of one process, whatever encodes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from scripts.bench.harness import Row, command_line, measured


def survey(*, lines: int = 500_000) -> Row:
    from align.vectors.corpus.rows import open_corpus
    from align.vectors.corpus.survey import survey as run

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.txt"
        with path.open("w") as file:
            file.writelines(f"{' '.join(f'{i * k % 99991:x}' for k in range(1, 11))} {i}\n" for i in range(lines))
        corpus = open_corpus([path])
        cost, found = measured(lambda: run(corpus, Path(folder) / "survey", of={}))
        size = path.stat().st_size
    return {"rows": [{"lines": lines, "bytes": size, "kept": found.rows, **cost}]}


if __name__ == "__main__":
    command_line(survey)

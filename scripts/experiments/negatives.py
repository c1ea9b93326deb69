"""Hard negatives of a real table, exact, by FAISS and with a guide, for docs/pairs.md.

    align pairs translation tico19 --out tico            # eng_Latn.txt, fra_Latn.txt, ... of TICO-19, CC0
    python -m scripts.experiments.negatives tico seed E5 25 docs/results/negatives.json

Every 25th pair is read. Of the negatives that each way gives, the guide says how many are as near to the source as its
own translation is, or nearer: these are probably right, and no negatives.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import align
from align.files.whole import write_json
from align.mining.negatives import negative_pairs
from align.pairs.table import negative_columns

WAYS: dict[str, dict[str, Any]] = {
    "exact": {}, "FAISS": {"engine": "faiss", "factory": "HNSW32"}, "exact, with a guide": {"guide": True},
}  # fmt: skip


def main(table: str, model: str, guide: str, every: int, out: str) -> None:
    """Write the counts of each way."""
    encoder, judge = align.load_encoder(model), align.load_encoder(guide)
    found: dict[str, set[tuple[int, str]]] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.parquet"
        pairs = align.read_pairs(table)
        pairs = pairs.select(range(0, len(pairs), every))
        pairs.to_parquet(str(part))
        texts = sorted({*pairs["source"], *pairs["target"]})
        vectors = dict(zip(texts, judge.encode(texts), strict=True))
        for way, options in WAYS.items():
            options = {name: judge if name == "guide" else value for name, value in options.items()}
            manifest = negative_pairs(part, encoder, Path(folder) / way.replace(" ", "-"), number=3, **options)
            mined = align.read_pairs(Path(folder) / way.replace(" ", "-"))
            found[way] = {
                (number, row[name])
                for number, row in enumerate(mined)
                for name in negative_columns(mined.column_names)
                if row[name]
            }
            near = [
                float(np.dot(vectors[mined[n]["source"]], vectors[text] - vectors[mined[n]["target"]])) >= 0
                for n, text in sorted(found[way])
            ]
            rows.append(
                {
                    "way": way, "pairs": len(mined), "without": manifest["without"], "negatives": len(near),
                    "near": sum(near), "shared": len(found[way] & found["exact"]),
                }
            )  # fmt: skip
    about = {"model": Path(model).name, "guide": judge.identity(), "every": every, "ways": rows}
    write_json(Path(out), about)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])

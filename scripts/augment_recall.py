"""Index-time augmentation on real text: recall@10 of people's romanised queries before and after, at equal index size.

    ALIGN_DATA=/path/to/data python scripts/augment_recall.py seed --out docs/results/augmentation-seed.json

Passages: the native sentences of Dakshina's 12 languages, and TICO-19's in 31 others (distractors). Each gets one
query, made by uroman (`align augment-queries --source romanized`); nothing written by people is supplied. The weight
is chosen on people's romanisations of the dev part, and reported on those of the test half.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from provenance import ran
from romanised_search import K, corpus, ranks, scores
from script_barrier import SCRIPTS, TICO, lines, romanised

import align
from align.encoders.encoder import Encoder
from align.files.whole import write_json
from align.indexes.queries import make_queries
from align.indexes.query_sources import romanized
from align.vectors.writing import save_vectors


def passages(data: Path, sentences: int | None, distractors: int) -> dict[str, str]:
    """Text -> language: those of ``corpus``, and ``distractors`` lines of TICO-19 in each of its languages."""
    found = corpus(data, sentences)
    for name, language in TICO.items():
        for text in lines(data / "tico19" / f"{name}.txt")[:distractors]:
            if text.strip():
                found.setdefault(text.strip(), language)
    return found


def asked(data: Path, part: str, row: dict[str, int], limit: int | None) -> dict[str, list[tuple[int, str]]]:
    """Language -> (row of the native sentence, its romanisation by a person)."""
    return {
        language: [(row[native], roman) for native, roman in romanised(data, code, part)[:limit]]
        for code, language in SCRIPTS.items()
    }


def search(folder: Path, encoder: Encoder, queries: dict[str, list[tuple[int, str]]]) -> dict[str, Any]:
    """Scores by language on a folder of vectors."""
    found: dict[str, NDArray[np.int64]] = {}
    for language, pairs in queries.items():
        gold = np.array([number for number, _ in pairs])
        found[language] = ranks(folder, folder.with_suffix(".index"), encoder, [roman for _, roman in pairs], gold)
    return scores(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--prompt", default=None)
    parser.add_argument("--sentences", type=int, default=None, help="of each language and part (default: all)")
    parser.add_argument("--distractors", type=int, default=1024, help="lines of TICO-19 in each of its languages")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = Path(os.environ["ALIGN_DATA"])
    encoder = align.load_encoder(args.model, prompt=args.prompt)
    texts = passages(data, args.sentences, args.distractors)
    row = {text: number for number, text in enumerate(texts)}
    dev, test = (asked(data, part, row, args.sentences) for part in ("dev", "test"))
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        stored = save_vectors(
            work / "vectors", [str(number) for number in range(len(row))], encoder.encode(list(row), progress=True),
            texts=list(row), encoder=encoder.identity(), languages=list(texts.values()),
        )  # fmt: skip
        counts = make_queries(stored, work / "queries.tsv", romanized)
        pairs = [f"{number}\t{' '.join(roman.split())}\n" for of in dev.values() for number, roman in of]
        (work / "dev.tsv").write_text("".join(pairs), encoding="utf-8")
        made = align.augment(
            work / "vectors", work / "queries.tsv", work / "augmented", encoder=encoder, dev=work / "dev.tsv", k=K,
            progress=True,
        )  # fmt: skip
        about = {
            name: made.manifest["augmentation"][name] for name in ("alpha", "recall", "passages_without", "reduce")
        }
        size = {
            name: sum(path.stat().st_size for path in (work / name).glob("*.parquet"))
            for name in ("vectors", "augmented")
        }
        result = {
            "model": Path(args.model).name, "encoder": encoder.identity(), "passages": len(row), "queries": counts,
            "dev": {"queries": len(pairs), **about}, "test_queries": sum(map(len, test.values())),
            "bytes": size, "k": K,
            "before": search(work / "vectors", encoder, test), "after": search(work / "augmented", encoder, test),
        }  # fmt: skip
    print(f"alpha {about['alpha']} of {about['recall']}", flush=True)
    for language, old in result["before"].items():
        new = result["after"][language]
        print(f"{language}  " + "  ".join(f"{m} {old[m][0]:.3f} -> {new[m][0]:.3f}" for m in old), flush=True)
    write_json(args.out, result | ran(args.threads))


if __name__ == "__main__":
    main()

"""Index-time augmentation on real text: recall@10 of people's romanised queries before and after, at equal index size.

    python -m scripts.experiments.augmented E5 --prompt "query: " --out docs/results/search-augmented.json

Passages: the native sentences of Dakshina's 12 languages, and TICO-19's in 31 others (distractors). Each gets one
query, made by uroman (`align augment-queries --source romanized`); nothing written by people is supplied. The weight
is chosen on people's romanisations of the dev part, and reported on those of the test half.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import align
from align.indexes.queries import make_queries
from align.indexes.query_sources import romanized
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import LANGUAGES, lines
from scripts.experiments.romanised import K, asked, corpus, scores, stored


def augment(model: str, *, prompt: str | None = None, sentences: int | None = None, distractors: int = 1024) -> Row:
    encoder = align.load_encoder(model, prompt=prompt)
    texts = corpus(sentences)
    for name, language in LANGUAGES["tico19"].items():
        for text in lines("tico19", f"{name}.txt")[:distractors]:
            if text.strip():
                texts.setdefault(text.strip(), language)
    dev, test = (asked(part, texts, sentences) for part in ("dev", "test"))
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        plain = stored(work / "vectors", texts, encoder)
        counts = make_queries(plain, work / "queries.tsv", romanized)
        pairs = [f"{number}\t{' '.join(roman.split())}\n" for of in dev.values() for number, roman in of]
        (work / "dev.tsv").write_text("".join(pairs), encoding="utf-8")
        made = align.augment(
            work / "vectors", work / "queries.tsv", work / "augmented", encoder=encoder, dev=work / "dev.tsv", k=K,
            progress=True,
        )  # fmt: skip
        about = made.manifest["augmentation"]
        sizes = {part: sum(path.stat().st_size for path in (work / part).glob("*.parquet"))
                 for part in ("vectors", "augmented")}  # fmt: skip
        result = {"before": scores(plain, encoder, test), "after": scores(work / "augmented", encoder, test)}
    kept = {name: about[name] for name in ("alpha", "recall", "passages_without", "reduce")}
    print(f"alpha {about['alpha']} of {about['recall']}; {result['before']['mean']} -> {result['after']['mean']}")
    return result | {
        "model": Path(model).name, "encoder": encoder.identity(), "passages": len(texts), "queries": counts,
        "dev": {"queries": len(pairs), **kept}, "test_queries": sum(map(len, test.values())), "bytes": sizes, "k": K,
    }  # fmt: skip


if __name__ == "__main__":
    command_line(augment)

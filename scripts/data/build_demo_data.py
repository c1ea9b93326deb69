"""Build the text of the demo: Bible verses in 11 languages and scripts (public domain), TICO-19 (CC0) by article.

    ALIGN_DATA=/path/to/data python scripts/data/build_demo_data.py

Takes the verses of Mark and John that all 11 have. Every fifth verse (of all slots, as the seed encoder's training
counts them) goes to test/, the others to train/: neither the encoder nor the demo's training ever sees the former.
The lines of TICO-19 that come from ten long articles go to topics/, split alike, for classification by article.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from pathlib import Path

LANGUAGES = {
    "eng_Latn": "eng", "ell_Grek": "ell", "rus_Cyrl": "rus", "hye_Armn": "hye", "syc_Syrc": "syr", "mal_Mlym": "mal",
    "mya_Mymr": "mya", "kor_Hang": "kor", "jpn_Jpan": "jpn", "cmn_Hans": "cmn_hans", "chr_Cher": "chr",
}  # fmt: skip
TOPIC_LANGUAGES = {
    "eng_Latn": "en", "rus_Cyrl": "ru", "cmn_Hans": "zh", "mya_Mymr": "my", "hin_Deva": "hi", "arb_Arab": "ar",
}  # fmt: skip
LONG = 40  # lines of an article
HELD_OUT = 5
OUT = Path(__file__).parents[2] / "align" / "data" / "demo"


def main() -> None:
    folder = Path(os.environ["ALIGN_DATA"]) / "bible"
    verses = {
        code: (folder / f"{name}.txt").read_text(encoding="utf-8").split("\n") for code, name in LANGUAGES.items()
    }
    everywhere = [i for i in range(len(verses["eng_Latn"])) if all(v[i].strip() for v in verses.values())]
    for part, rows in (
        ("train", [i for i in everywhere if i % HELD_OUT != HELD_OUT - 1]),
        ("test", [i for i in everywhere if i % HELD_OUT == HELD_OUT - 1]),
    ):
        (OUT / part).mkdir(parents=True, exist_ok=True)
        for code, lines in verses.items():
            write(OUT / part / f"{code}.txt.gz", [lines[i] for i in rows])
        print(f"{part}: {len(rows)} verses in {len(verses)} languages")
    topics(Path(os.environ["ALIGN_DATA"]) / "tico19", OUT / "topics")
    size = sum(file.stat().st_size for file in OUT.rglob("*.gz"))
    print(f"{OUT}: {size / 1e6:.2f} MB")


def topics(folder: Path, out: Path) -> None:
    """Lines of long articles, in the layout of SIB-200."""
    with open(folder / "ids.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    lines = {
        code: (folder / f"{name}.txt").read_text(encoding="utf-8").split("\n") for code, name in TOPIC_LANGUAGES.items()
    }
    articles = Counter(row["source_note"] for row in rows)
    kept = [i for i, row in enumerate(rows) if articles[row["source_note"]] >= LONG]
    index = ["id\tsplit\ttopic"]
    for i in kept:
        split = "test" if i % HELD_OUT == HELD_OUT - 1 else "train"
        index.append(f"{rows[i]['id']}\t{split}\t{rows[i]['source_note']}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.tsv").write_text("\n".join(index) + "\n", encoding="utf-8")
    for code, texts in lines.items():
        write(out / f"{code}.txt.gz", [texts[i] for i in kept])
    print(
        f"topics: {len(kept)} lines of {sum(n >= LONG for n in articles.values())} articles in {len(lines)} languages"
    )


def write(path: Path, lines: list[str]) -> None:
    text = "".join(line.strip() + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))


if __name__ == "__main__":
    main()

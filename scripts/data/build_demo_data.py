"""Build the text of the demo: the same Bible verses in 11 languages and 11 scripts, all in the public domain.

    ALIGN_DATA=/path/to/data python scripts/data/build_demo_data.py

Takes the verses of Mark and John that all 11 have. Every fifth verse (of all slots, as the seed encoder's pretraining
counts them) goes to test/, the others to train/: neither the encoder nor the demo's training ever sees the former.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

LANGUAGES = {
    "eng_Latn": "eng", "ell_Grek": "ell", "rus_Cyrl": "rus", "hye_Armn": "hye", "syc_Syrc": "syr", "mal_Mlym": "mal",
    "mya_Mymr": "mya", "kor_Hang": "kor", "jpn_Jpan": "jpn", "cmn_Hans": "cmn_hans", "chr_Cher": "chr",
}  # fmt: skip
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
            text = "".join(lines[i].strip() + "\n" for i in rows)
            (OUT / part / f"{code}.txt.gz").write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))
        print(f"{part}: {len(rows)} verses in {len(verses)} languages")
    size = sum(file.stat().st_size for file in OUT.rglob("*.gz"))
    print(f"{OUT}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

"""An encoder trimmed to twelve South Asian languages and English: size, loading, encoding, and what other text loses.

    python -m scripts.bench.trim E5 --prompt "query: " --out docs/results/trim-e5.json

The text is four of five native sentences of Dakshina, and TICO-19 and the declaration of human rights in these
languages; each fifth sentence is held out. The script fails if the vector of one
whose pieces are kept differs in a bit.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import align
from align.files.whole import read_lines
from scripts.bench.harness import Row, command_line, compared, data

LANGUAGES = ["bn", "gu", "hi", "kn", "ml", "mr", "pa", "sd", "si", "ta", "te", "ur"]
TICO = ["bn", "en", "hi", "mr", "ne", "ta", "ur"]
DECLARATIONS = ["ben", "guj", "hin", "kan", "mal", "mar", "pan", "npi", "sin", "tam", "tel", "urd", "eng"]


def trim(model: str, *, prompt: str = "", lines: int = 300, repetitions: int = 3) -> Row:
    text, held_out = sentences(data())
    some = held_out[:: len(held_out) // lines]
    with tempfile.TemporaryDirectory() as place:
        files = {name: Path(place) / f"{name}.txt" for name in ("text", "held_out")}
        for file, part in zip(files.values(), (text, held_out), strict=True):
            file.write_text("\n".join(part) + "\n", encoding="utf-8")
        places = {"before": Path(model), "after": Path(place) / "small"}
        about = align.trim(model, [files["text"]], places["after"], held_out=[files["held_out"]], prompt=prompt)
        about["bytes"] = {name: (folder / "model.safetensors").stat().st_size for name, folder in places.items()}
        loading = {name: lambda folder=folder: align.load_encoder(folder) for name, folder in places.items()}
        seconds, _ = compared(loading, repetitions)
        about["loading"] = {name: cost["wall"] for name, cost in seconds.items()}
        encoders = {name: align.load_encoder(folder, prompt=prompt) for name, folder in places.items()}
    encoding = {name: lambda encoder=encoder: encoder.encode(some) for name, encoder in encoders.items()}
    seconds, vectors = compared(encoding, repetitions)
    about["encoding"] = {name: cost["wall"] for name, cost in seconds.items()}
    pieces = [[one.tokenizer.convert_ids_to_tokens(row) for row in one.tokenize(some)] for one in encoders.values()]
    same = [before == after for before, after in zip(*pieces, strict=True)]
    if not np.array_equal(vectors["before"][same], vectors["after"][same]):
        sys.exit("the vector of a sentence of kept pieces differs")
    return about | {"compared": sum(same), "encoded": len(some)}


def sentences(folder: Path) -> tuple[list[str], list[str]]:
    """Text to trim to, and Dakshina's held-out sentences."""
    text, held_out = [], []
    for code in LANGUAGES:
        with open(folder / "dakshina" / "sentences" / f"{code}.dev.tsv", encoding="utf-8") as file:
            for i, row in enumerate(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)):
                (held_out if i % 5 == 4 else text).append(row["native"])
    for code in TICO:
        text += read_lines(folder / "tico19" / f"{code}.txt")
    for line in read_lines(folder / "udhr" / "articles.jsonl"):
        article = json.loads(line)
        text += [article[code] for code in DECLARATIONS if code in article]
    return text, held_out


if __name__ == "__main__":
    command_line(trim)

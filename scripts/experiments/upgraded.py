"""Vectors of one encoder carried over to another by a map: the recall that is left, by method and rows to learn on.

    python -m scripts.experiments.upgraded seed E5 --prompt "query: " --out docs/results/upgraded.json

The vectors are of TICO-19 in eight languages. ``--prompt`` is of the second encoder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import align
from align.encoders.encoder import Encoder
from align.mapping.upgrade import METHODS
from align.vectors.writing import save_vectors
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import TICO_TRAIN, lines

LANGUAGES = {
    "en": "eng_Latn", "hi": "hin_Deva", "ru": "rus_Cyrl", "zh": "zho_Hans", "ar": "arb_Arab", "sw": "swh_Latn",
    "ta": "tam_Taml", "fr": "fra_Latn",
}  # fmt: skip


class Once:
    """An encoder that reads each text once."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.kept: dict[str, NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str], *, language: Sequence[str], progress: bool) -> NDArray[np.float32]:
        """Vectors, of whatever language."""
        new = [text for text in texts if text not in self.kept]
        self.kept |= dict(zip(new, self.encoder.encode(new), strict=True)) if new else {}
        return np.stack([self.kept[text] for text in texts])

    def identity(self) -> dict[str, Any]:
        """That of the encoder."""
        return self.encoder.identity()


def upgraded(old: str, new: str, *, prompt: str | None = None, rows: Sequence[int] = (500, 1000)) -> Row:
    texts = {line: code for name, code in LANGUAGES.items() for line in lines("tico19", f"{name}.txt")[:TICO_TRAIN]}
    first, second = align.load_encoder(old), Once(align.load_encoder(new, prompt=prompt))
    found = []
    with tempfile.TemporaryDirectory() as work, torch.autocast("cpu", torch.bfloat16):
        stored = save_vectors(
            Path(work) / "old", [*map(str, range(len(texts)))], first.encode(list(texts)), texts=list(texts),
            encoder=first.identity(), languages=list(texts.values()),
        )  # fmt: skip
        for method in METHODS:
            if method == "procrustes" and first.dimension != second.encoder.dimension:
                continue
            for some in rows:
                made = align.upgrade_index(
                    stored.folder,
                    second,
                    Path(work) / f"{method}{some}",
                    method=method,
                    rows=some,
                    held_out=500,
                    floor=0,
                )
                about = {name: made.manifest["upgrade"].get(name) for name in ("recall", "unmapped", "itself")}
                found.append({"method": method, "rows": some, **about})
                print(found[-1], flush=True)
    return {"old": Path(old).name, "new": Path(new).name, "corpus": len(texts), "held_out": 500, "maps": found}


if __name__ == "__main__":
    command_line(upgraded)

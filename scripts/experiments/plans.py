"""What experiments.toml says, and what all experiments read and encode with."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from align.encoders.encoder import Encoder
from scripts.bench.harness import data

Encode = Callable[..., NDArray[np.float32]]

PLANS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "experiments.toml").read_text(encoding="utf-8"))
LANGUAGES = {
    name: dict(zip(text.split()[::2], text.split()[1::2], strict=True)) for name, text in PLANS["languages"].items()
}
DEV_PAIRS, TICO_TRAIN = 200, 768


def lines(*parts: str) -> list[str]:
    """Of a file of the data."""
    return data().joinpath(*parts).read_text(encoding="utf-8").rstrip("\n").split("\n")


def romanised(code: str, part: str) -> list[tuple[str, str]]:
    """(native, roman) sentences of one part of Dakshina: train, dev (its last 200) or test (every second row)."""
    rows = [tuple(line.split("\t")) for line in lines("dakshina", "sentences", f"{code}.dev.tsv")[1:]]
    half = rows[::2]
    chosen = {"train": half[:-DEV_PAIRS], "dev": half[-DEV_PAIRS:], "test": rows[1::2]}[part]
    return [(native, roman) for native, roman in chosen]


def encode_with(encoder: Encoder, *, bf16: bool) -> Encode:
    """Vectors of texts, whatever their language; each text is encoded once and kept."""
    place: dict[str, int] = {}
    kept: list[NDArray[np.float32]] = []

    def encode(texts: Sequence[str], _: str = "") -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in place]
        if new:
            place.update(zip(new, range(len(place), len(place) + len(new)), strict=True))
            with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
                kept.append(encoder.encode(new))
            kept[:] = [np.concatenate(kept)]
        return kept[0][[place[text] for text in texts]]

    return encode

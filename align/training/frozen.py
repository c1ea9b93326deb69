"""What objectives read of encoders that do not move: vectors of the pairs, made before the first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from align.encoders.encoder import Encoder
from align.training.distributed import in_shares
from align.training.features import layer_vectors

if TYPE_CHECKING:
    from datasets import Dataset


class Frozen(NamedTuple):
    """Vectors of one column of the pairs."""

    name: str
    """In the batch."""
    by: str
    """start, teacher, or guide: the teacher if there is one, else the start."""
    column: str
    """Whose texts."""
    layered: bool = False
    """Of several layers, one behind the other."""


FROZEN = {
    "start": [Frozen("start", "start", "source")],
    "teacher": [Frozen("teacher", "teacher", "source")],
    "features": [Frozen(f"features_{side}", "teacher", side, layered=True) for side in ("source", "target")],
    "guide": [Frozen("guide_source", "guide", "source"), Frozen("guide_target", "guide", "target")],
}


def frozen(needs: frozenset[str]) -> list[Frozen]:
    """What has to be made before the first step."""
    return [one for need, several in FROZEN.items() if need in needs for one in several]


def frozen_vectors(
    needs: frozenset[str], encoder: Encoder, teacher: Encoder | None, tables: Mapping[str, Dataset],
    drawn: NDArray[np.int64], *, layers: Sequence[int] = (), max_tokens: int, progress: bool,
) -> dict[str, NDArray[np.float32]]:  # fmt: skip
    """(n, D) raw vectors by their names in the batch, layered ones of these layers; NaN for pairs drawn 0 times."""
    encoders = {"start": encoder, "teacher": teacher, "guide": teacher or encoder}
    rows = np.flatnonzero(drawn)
    made: dict[tuple[int, str, bool], NDArray[np.float32]] = {}
    found = {}
    for name, by, column, layered in frozen(needs):
        one = encoders[by]
        assert one is not None  # checked before
        key = id(one), column, layered
        if key not in made:
            texts = [text for table in tables.values() for text in table[column]]
            vectors = raw_vectors(
                one, [texts[row] for row in rows], max_tokens=max_tokens, device=encoder.device, progress=progress,
                layers=layers if layered else (),
            )  # fmt: skip
            made[key] = np.full((len(texts), vectors.shape[1]), np.nan, dtype=np.float32)
            made[key][rows] = vectors
        found[name] = made[key]
    return found


def raw_vectors(
    encoder: Encoder, texts: Sequence[str], *, max_tokens: int, device: torch.device, progress: bool,
    layers: Sequence[int] = (),
) -> NDArray[np.float32]:  # fmt: skip
    """(n, D) vectors of texts as pooled, or at these layers, cut as in training; each process encodes its share."""

    def encode(share: Sequence[str]) -> NDArray[np.float32]:
        if layers:
            return layer_vectors(encoder, share, layers, max_tokens=max_tokens, progress=progress)
        return encoder.encode(share, max_tokens=max_tokens, raw=True, progress=progress)

    place = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    dimension = len(layers) * encoder.body.config.hidden_size if layers else encoder.dimension
    vectors = in_shares(encode, list(place), dimension=dimension, device=device)
    return vectors if len(place) == len(texts) else vectors[[place[text] for text in texts]]

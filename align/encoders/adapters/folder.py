"""Bottleneck adapters on disk, beside the encoder that they are of.

align.json              ``bottlenecks``: the blocks, and the shares of adapters fused
base/                   the encoder without them, as ``save_encoder`` writes it; plain sentence-transformers loads it
bottlenecks.safetensors the weights, by block
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from align.encoders.adapters.bottleneck import Bottleneck, Bottlenecks, put_bottlenecks
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.files.folders import MARK

BASE, WEIGHTS = "base", "bottlenecks.safetensors"
CARD = """

## Adapters

This encoder has bottleneck adapters on its blocks, which cannot be merged into the weights: load it with
`align.load_encoder`. Plain sentence-transformers refuses this folder; it loads `base`, the encoder without them.
"""


def write_base(encoder: Encoder, folder: Path, save: Callable[[Encoder, Path], None]) -> None:
    """Write an encoder without what lies beside it, by ``save``, as a part of ``folder``."""
    save(encoder, folder / BASE)
    (folder / BASE / MARK).unlink()  # it is no folder of its own


def write_bottlenecks(folder: Path, on: Mapping[int, Bottlenecks]) -> dict[str, Any]:
    """Write the weights, and return what ``align.json`` says of them."""
    state = {
        f"{number}.{name}": value.detach().cpu().contiguous()
        for number, adapters in on.items() for name, value in adapters.state_dict().items()
    }  # fmt: skip
    save_file(state, folder / WEIGHTS)
    shares = next(iter(on.values())).shares.tolist()
    return {"blocks": sorted(on), "shares": shares}


def read_bottlenecks(folder: Path, about: Mapping[str, Any], model: PreTrainedModel) -> None:
    """Put the adapters of a folder on the blocks of a model.

    Raises:
        InputError: the weights are not those of the blocks that ``align.json`` names.
    """
    state = load_file(folder / WEIGHTS)
    made: dict[int, Bottlenecks] = {}
    for number in about["blocks"]:
        own = {name.partition(".")[2]: value for name, value in state.items() if name.partition(".")[0] == str(number)}
        sizes = [
            own[f"each.{i}.down.weight"].shape for i in range(len(about["shares"])) if f"each.{i}.down.weight" in own
        ]
        adapters = Bottlenecks([Bottleneck(width, size) for size, width in sizes], about["shares"])
        try:
            adapters.load_state_dict(own)
        except RuntimeError as error:
            raise InputError(f"{folder / WEIGHTS}: no adapter of block {number} as align.json has it") from error
        made[number] = adapters
    put_bottlenecks(model, made)

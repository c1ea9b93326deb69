"""Which blocks an adapter is on, and that nothing else is trained."""

from __future__ import annotations

from align.encoders.blocks import blocks
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.training.recipe import Recipe


def adapted_blocks(encoder: Encoder, recipe: Recipe) -> range:
    """Numbers of the blocks that the recipe trains.

    They go from ``train.freeze_blocks`` to the pooled layer, or to the last one where a masked-LM head reads it.

    Raises:
        InputError: there is none.
    """
    top = len(blocks(encoder.model)) if recipe.trains_head else encoder.layer
    if recipe.train.freeze_blocks >= top:
        name = "lora" if recipe.lora else "bottleneck"
        raise InputError(
            f"{name} has no block to adapt: {top} are used, the lowest {recipe.train.freeze_blocks} frozen"
        )
    return range(recipe.train.freeze_blocks, top)


def train_only(encoder: Encoder, mark: str) -> None:
    """Freeze all parameters of the encoder but those that have this in their name."""
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and mark in name)

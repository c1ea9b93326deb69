"""Bottleneck adapters on the blocks that a recipe trains; they stay there, and are saved beside the weights."""

from __future__ import annotations

from align.encoders.adapters.bottleneck import NAME, bottlenecks, new_bottlenecks, put_bottlenecks
from align.encoders.encoder import Encoder
from align.streams import drawn_from
from align.training.adapters.blocks import adapted_blocks
from align.training.recipe import Recipe

MARK = f".{NAME}."
"""In the name of every parameter of an adapter, and of no other."""


def add_bottlenecks(encoder: Encoder, recipe: Recipe) -> None:
    """Put the adapters that ``recipe.bottleneck`` asks for on the blocks it trains; those that are there go on.

    W_d is drawn from the recipe's seed; at the start nothing is added to the states.
    """
    if recipe.bottleneck is None:
        return
    missing = [number for number in adapted_blocks(encoder, recipe) if number not in bottlenecks(encoder.model)]
    with drawn_from(recipe.train.seed, "bottleneck"):
        made = new_bottlenecks(encoder.model, missing, recipe.bottleneck.reduction)
    put_bottlenecks(encoder.model, made)
    encoder.to(encoder.device)

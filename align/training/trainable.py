"""Which weights a stage trains, and whether those that it does not are the same, to the last bit, at its end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from align.encoders.blocks import blocks, word_table
from align.encoders.encoder import Encoder
from align.encoders.text_model import value_bytes
from align.errors import InputError
from align.training.adapters import bottleneck, lora
from align.training.adapters.blocks import train_only
from align.training.callbacks import TrainingStopped
from align.training.step import Alignment

SHOWN = 5


def set_trainable(module: Alignment) -> int:
    """Freeze what gets no gradient (blocks above the pooled layer, an unused head) or must not move; count the rest."""
    encoder, recipe = module.encoder, module.recipe
    module.requires_grad_(True)
    for name, learner in module.learned.items():
        learner.requires_grad_(name in recipe.trained)
    if not recipe.trains_head:
        for name, parameter in encoder.model.named_parameters():
            if encoder.model is not encoder.body and not name.startswith(f"{encoder.model.base_model_prefix}."):
                parameter.requires_grad_(False)
        blocks(encoder.model)[encoder.layer :].requires_grad_(False)
    blocks(encoder.model)[: recipe.train.freeze_blocks].requires_grad_(False)
    words = word_table(encoder.body)
    if recipe.train.freeze_blocks and (below := getattr(encoder.body, "embeddings", None)) is not None:
        below.requires_grad_(False)  # positions and norm
        if words is not None:
            words.requires_grad_(True)
    if recipe.train.freeze_embeddings and words is not None:
        words.requires_grad_(False)
    if recipe.lora or recipe.bottleneck:
        train_only(encoder, lora.MARK if recipe.lora else bottleneck.MARK)
    if recipe.train.trainable:
        train_named_only(encoder, recipe.train.trainable)
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def start_weights(module: Alignment) -> dict[str, Tensor]:
    """A copy of what will be trained."""
    return {name: p.detach().clone() for name, p in module.encoder.named_parameters() if p.requires_grad}


@torch.no_grad()
def interpolate(module: Alignment, start: Mapping[str, Tensor], share: float) -> None:
    """Set the weights to share * trained + (1 - share) * start (Wortsman et al. 2022, arXiv:2109.01903, eq. 1)."""
    for name, parameter in module.encoder.named_parameters():
        if name in start:
            parameter.lerp_(start[name].to(parameter.device), 1 - share)


def train_named_only(encoder: Encoder, patterns: Sequence[str]) -> None:
    """Freeze those of the encoder's weights in whose name none of the regular expressions is found.

    Names are those of the model: ``bert.embeddings.word_embeddings.weight``, ``encoder.layer.0.attention...``.

    Raises:
        InputError: an expression that is none, or that finds nothing that could be trained.
    """
    known = {name: p for name, p in encoder.model.named_parameters() if p.requires_grad}
    for pattern in patterns:
        try:
            found = [name for name in known if re.search(pattern, name)]
        except re.error as error:
            raise InputError(f"train.trainable: {pattern!r} is no regular expression: {error}") from error
        if not found:
            some = ", ".join(list(known)[:SHOWN])
            raise InputError(
                f"train.trainable: {pattern!r} is in the name of nothing that this stage may train: {some}, ..."
            )
    for name, parameter in known.items():
        parameter.requires_grad_(any(re.search(pattern, name) for pattern in patterns))


def frozen_hashes(encoder: Encoder) -> dict[str, str]:
    """SHA-256 of each of the encoder's weights that is not trained, by name; buffers too."""
    kept = {name: p for name, p in encoder.named_parameters() if not p.requires_grad} | dict(encoder.named_buffers())
    return {name: hashlib.sha256(value_bytes(value)).hexdigest() for name, value in kept.items()}


def check_frozen(encoder: Encoder, before: Mapping[str, str]) -> None:
    """Refuse to go on from a stage that changed what it was not to train.

    Raises:
        TrainingStopped: names the first such weight.
    """
    now = {**dict(encoder.named_parameters()), **dict(encoder.named_buffers())}
    for name, digest in before.items():
        if hashlib.sha256(value_bytes(now[name])).hexdigest() != digest:
            raise TrainingStopped(f"{name} was to stay as it was in this stage, and has changed: nothing is saved")

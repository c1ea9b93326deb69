"""What feature distillation reads: hidden states of the encoder, and those of its teacher that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from align.encoders.batching import evaluating
from align.encoders.blocks import block_states, even_layers, first_blocks
from align.encoders.encoder import Encoder
from align.encoders.layers import encode_layers, layer_numbers
from align.encoders.packing import pack, packed_inputs
from align.encoders.pooling import after_prompt
from align.encoders.route import refuse_route
from align.errors import InputError
from align.objectives.feature_distil import Features
from align.training.tokens import tokenizer_digest


def teacher_layers(encoder: Encoder, teacher: Encoder, chosen: Sequence[int] = ()) -> tuple[int, ...]:
    """The teacher's layers that layers 1..L of the encoder stand for: the chosen ones, or ceil(k L_t / L).

    Raises:
        InputError: the teacher is the encoder itself, layers that do not exist, or an encoder without single layers.
    """
    if teacher is encoder:
        raise InputError("feature_distil needs a teacher that stands still, not the encoder that is trained")
    refuse_route(teacher, "feature_distil")
    layer_numbers(encoder)  # refuses what has none
    layers = tuple(chosen) or tuple(even_layers(encoder.layer, teacher.layer))
    if len(layers) != encoder.layer or not layers:
        raise InputError(
            f"feature_distil.layers must be {encoder.layer} of the teacher's layers, one for each of the encoder's up "
            f"to the one it pools, got {list(layers)}"
        )
    if max(layers) > teacher.depth:
        raise InputError(f"feature_distil.layers: the teacher has layers 1 to {teacher.depth}, got {max(layers)}")
    layer_numbers(teacher)
    return layers


def same_pieces(encoder: Encoder, teacher: Encoder) -> bool:
    """Whether both split every text alike, so that the teacher can read what the encoder reads, its prompt included."""
    return tokenizer_digest(encoder, prompt=False) == tokenizer_digest(teacher, prompt=False)


def features(
    encoder: Encoder, texts: Mapping[str, Any], teacher: Encoder, layers: Sequence[int], given: Mapping[str, Any]
) -> Features:
    """States of the ids, attention and lengths of ``texts``, token by token where the teacher reads the same pieces.

    Where ``given`` has features_source and features_target, (B, K D') each, they are the teacher's of whole texts.
    """
    ids, attention, lengths = texts["ids"], texts["attention"], texts["lengths"]
    own = states(encoder, ids, attention, lengths, range(1, encoder.layer + 1))
    if "features_source" in given:
        right = torch.cat([given["features_source"], given["features_target"]])
        special = torch.isin(ids, torch.tensor(encoder.added_ids, device=ids.device))
        counted = after_prompt(attention, encoder.prompt_tokens)
        pooled = torch.stack([encoder.pooling(state, counted, special) for state in own])
        return Features(pooled, right.reshape(len(ids), len(own), -1).transpose(0, 1).to(pooled.dtype))
    with torch.no_grad(), evaluating(teacher):
        theirs = states(teacher, ids.to(teacher.device), attention.to(teacher.device), lengths, layers)
    real = attention.bool()
    exact = torch.promote_types(own[0].dtype, torch.float32)
    mine, other = (torch.stack([state.to(real.device)[real] for state in each]).to(exact) for each in (own, theirs))
    return Features(mine, other)


def states(
    encoder: Encoder, ids: Tensor, attention: Tensor, lengths: Sequence[int], layers: Iterable[int]
) -> list[Tensor]:
    """(B, T, D) hidden states at some layers, of which the last may have a norm behind it, as transformers gives it."""
    layers = list(layers)
    packing = pack(lengths, ids.shape[1], round_to=encoder.round_to).to(ids.device) if encoder.packs else None
    given: Mapping[str, Any] = {"input_ids": ids, "attention_mask": attention}
    if packing is not None:
        given = packed_inputs(encoder.model, ids, packing)
    top = max(layers)
    with first_blocks(encoder.model, top), block_states(encoder.model) as found:
        found[top] = encoder.body(**given).last_hidden_state
    return [found[k] if packing is None else packing.padded(found[k]) for k in layers]


def layer_vectors(
    teacher: Encoder, texts: Sequence[str], layers: Sequence[int], *, max_tokens: int, progress: bool = False
) -> NDArray[np.float32]:
    """(n, K D) pooled states of texts at K layers, one behind the other, before any tail."""
    reader = Encoder(
        teacher.model, teacher.tokenizer, replace(teacher.pooling, average_layers=False), unit=False,
        prompt=teacher.prompt, max_tokens=min(max_tokens, teacher.max_tokens),
    )  # fmt: skip
    reader.fallback = teacher.fallback
    vectors: NDArray[np.float32] = encode_layers(reader, texts, layers=layers, progress=progress)
    return vectors.transpose(1, 0, 2).reshape(len(texts), -1)

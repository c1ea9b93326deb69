"""How alike a language and its clone are to an encoder: in its states, layer by layer, and in what it would learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cosine_similarity

from align.encoders.batching import evaluating
from align.encoders.blocks import blocks
from align.encoders.encoder import Encoder
from align.encoders.layers import encode_layers
from align.similarity.cka import linear_cka, partners_and_strangers
from align.similarity.cosine import normalize


def retrieval(encoder: Encoder, first: Sequence[str], second: Sequence[str]) -> float:
    """P@1 by cosine, the mean of both directions; of equally near candidates none is right."""
    a, b = (normalize(encoder.encode(texts)) for texts in (first, second))
    cosines = a @ b.T
    return float(np.mean([one_way(cosines), one_way(cosines.T)]))


def one_way(cosines: NDArray[np.floating[Any]]) -> float:
    """Share of rows whose own column is above all others."""
    own = np.diag(cosines)
    return float(((cosines >= own[:, None] - 1e-6).sum(axis=1) == 1).mean())


def by_layer(encoder: Encoder, first: Sequence[str], second: Sequence[str]) -> dict[str, list[float]]:
    """At each of hidden_states[0..L]: ``cka``, and the mean cosine of ``partners`` and of ``strangers``."""
    layers = list(zip(*(encode_layers(encoder, texts) for texts in (first, second)), strict=True))
    near = [partners_and_strangers(a, b) for a, b in layers]
    return {
        "cka": [linear_cka(a, b) for a, b in layers], "partners": [own for own, _ in near],
        "strangers": [other for _, other in near],
    }  # fmt: skip


def gradients(
    encoder: Encoder, first: Sequence[str], second: Sequence[str], *, rate: float = 0.3, seed: int = 0
) -> list[float]:
    """Of each block, the cosine of the gradients that masked-LM has on some texts and on the same in another language.

    The same places are masked in both; the texts of the two have as many tokens. 1: what is learnt of one language is
    learnt of the other; 0: nothing is. The tables of pieces are no part of it: no language reads another's rows.

    Args:
        encoder: with a masked-LM head; nothing of it changes.
        first: n texts.
        second: the same in another language, each of as many tokens.
        rate: share of the tokens that are masked.
        seed: of the places.
    """
    rows = [encoder.pad(encoder.tokenize(texts)) for texts in (first, second)]
    lots = torch.rand(rows[0][0].shape, generator=torch.Generator().manual_seed(seed)).to(encoder.device)
    found = []
    for ids, attention in rows:
        special = torch.isin(ids, torch.tensor(encoder.added_ids, device=ids.device))
        masked = (lots < rate) & attention.bool() & ~special
        labels = ids.masked_fill(~masked, -100)
        with evaluating(encoder), torch.inference_mode(False), torch.enable_grad():
            loss = encoder.model(
                input_ids=ids.masked_fill(masked, encoder.tokenizer.mask_token_id), attention_mask=attention,
                labels=labels,
            ).loss  # fmt: skip
            found.append([
                _flat(torch.autograd.grad(loss, [*block.parameters()], retain_graph=True))
                for block in blocks(encoder.model)
            ])  # fmt: skip
    return [float(cosine_similarity(a, b, dim=0)) for a, b in zip(*found, strict=True)]


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])

"""From token states to one vector: which layer, which tokens, which weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from align.errors import InputError, unknown

KINDS = ("mean", "cls", "weighted")


@dataclass(frozen=True)
class Pooling:
    """How an encoder turns its token states into a vector. Padding never counts.

    The vector is sum_t w_t h_t / sum_t w_t over ``hidden_states[layer]``, or over the mean of the states up to it,
    where w_t is 1 (``mean``), t = 1, 2, ... (``weighted``: position-weighted, as in MEXA), or 1 at the first token that
    counts only (``cls``).
    """

    layer: int | None = None
    """k of hidden_states[k]: 0 = embeddings, 1 = first block, None = the last one."""
    kind: str = "mean"
    """mean, cls, or weighted (by position)."""
    special_tokens: bool = True
    """Whether the tokens that the tokenizer adds (<s>, </s>) count: TransliCo trains without, Glot500 tests with."""
    average_layers: bool = False
    """Pool the mean of hidden_states[0..layer] (embeddings included) instead of hidden_states[layer]."""
    include_prompt: bool = True
    """Whether the tokens of the prompt count, and what the tokenizer puts before them (INSTRUCTOR: they do not)."""
    with_average: bool = False
    """Put the pooled mean of hidden_states[0..layer] behind the pooled hidden_states[layer]: (B, 2 D) vectors."""

    def __post_init__(self) -> None:
        """Check the kind and its fit with special tokens, and with both kinds of layers."""
        if self.kind not in KINDS:
            raise InputError(unknown("pooling", self.kind, KINDS))
        if self.kind == "cls" and not self.special_tokens:
            raise InputError("cls pooling reads a special token: it needs special_tokens = true")
        if self.with_average and (self.kind != "mean" or self.average_layers or self.layer == 0):
            raise InputError(
                "a layer above 0 with the mean of layers behind it is pooled by mean, and not of that alone"
            )
        if self.layer is not None and self.layer < 0:
            raise InputError(f"pooling layer must be 0 or more (hidden_states[k]), got {self.layer}")

    def __call__(self, hidden: Tensor, attention: Tensor, special: Tensor) -> Tensor:
        """Pool token states.

        Args:
            hidden: (B, T, D) states of the layer, or their mean over layers.
            attention: (B, T), 1 at tokens and 0 at padding, and at a prompt that does not count; see
                :func:`after_prompt`.
            special: (B, T) bool, True at tokens that the tokenizer added.

        Returns:
            (B, D) vectors, float32 at least; zero where no token counts (an empty text without special tokens).
        """
        exact = torch.promote_types(hidden.dtype, torch.float32)
        if self.kind == "cls":
            first = attention.int().argmax(1)  # (B,)
            return hidden[torch.arange(len(hidden), device=hidden.device), first].to(exact)
        counts = attention.bool() if self.special_tokens else attention.bool() & ~special
        weights = counts.to(exact)  # (B, T)
        if self.kind == "weighted":
            weights = weights * torch.arange(1, hidden.shape[1] + 1, device=hidden.device)
        total = weights.sum(1, keepdim=True).clamp(min=1e-9)  # (B, 1)
        with torch.autocast(hidden.device.type, enabled=False):  # which would round the sum
            return torch.einsum("bt,btd->bd", weights, hidden.to(exact)) / total


def after_prompt(attention: Tensor, tokens: int) -> Tensor:
    """The (B, T) attention mask of texts padded on the right, 0 also at the first ``tokens`` of each."""
    if not tokens:
        return attention
    return attention.masked_fill(torch.arange(attention.shape[1], device=attention.device) < tokens, 0)


class Cut(nn.Module):
    """The first dimensions of a vector, as ``truncate_dim`` of sentence-transformers keeps them: the end of a tail.

    They come after a ``Normalize``, so that what is left is no unit vector.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.out_features = dimensions

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """``sentence_embedding`` cut."""
        return {**features, "sentence_embedding": features["sentence_embedding"][..., : self.out_features]}


def through(tail: Iterable[nn.Module], vectors: Tensor) -> Tensor:
    """(B, D') what the modules after a pooling (Dense, ...) make of (B, D) vectors.

    Pooled vectors are float32 whatever the encoder is: each module gets them in the number format of its own weights.
    """
    with torch.autocast(vectors.device.type, enabled=False):  # which would round what was pooled in float32
        for module in tail:
            given = vectors.to(next((p.dtype for p in module.parameters()), vectors.dtype))
            vectors = module({"sentence_embedding": given})["sentence_embedding"]
    return vectors

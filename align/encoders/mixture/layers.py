"""Linear modules with several low-rank adapters beside them, and the router that weighs these for each text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

from align.encoders.blocks import word_table
from align.encoders.encoder import Encoder
from align.encoders.packing import Packing
from align.errors import InputError


@dataclass(frozen=True)
class MixtureOptions:
    """How large a mixture is, and where."""

    modules: tuple[str, ...]
    """Paths in the encoder's body of the linear modules that have adapters."""
    experts: int
    """Adapters of each."""
    rank: int
    """Rows of each A and columns of each B."""
    alpha: float
    """Their product is divided by rank / alpha."""
    top: int = 0
    """So many adapters read a text, those with the largest weights; 0: all."""


class Gates:
    """The weights of the adapters for the texts that run through the model now."""

    tokens: Tensor | None = None
    """(B, 1, E) of padded texts, (1, N, E) of packed ones."""


class MixedLinear(nn.Module):
    """y = W x + b + (alpha / rank) sum over i of g_i B_i A_i x, with the weights g of x's text.

    A starts as torch starts linear weights, B at 0, so that the mixture starts as W. (Hu et al. 2022, arXiv:2106.09685,
    eq. 3, for each adapter.)
    """

    def __init__(self, base: nn.Linear, gates: Gates, options: MixtureOptions) -> None:
        super().__init__()
        self.base, self.gates, self.experts = base, gates, options.experts
        self.scale = options.alpha / options.rank
        rows = options.experts * options.rank
        self.lora_A = nn.Parameter(base.weight.new_empty(rows, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, rows))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """(..., T, out) of (..., T, in).

        Raises:
            RuntimeError: no text was routed: the model was run by itself, and not by its encoder.
        """
        gates = self.gates.tokens
        if gates is None:
            raise RuntimeError("a mixture of adapters is weighed by whole texts: run it through its Encoder")
        read = linear(x, self.lora_A)
        low = read.reshape(*read.shape[:-1], self.experts, -1) * gates[..., None]
        y: Tensor = self.base(x) + self.scale * linear(low.flatten(-2), self.lora_B)
        return y


class Mixture(nn.Module):
    """The router: weights of the adapters by the mean of a text's word embeddings (not of its positions or states)."""

    def __init__(self, options: MixtureOptions, width: int) -> None:
        super().__init__()
        self.options, self.gates = options, Gates()
        self.lora_router = nn.Linear(width, options.experts, bias=False)
        self.seen: list[Tensor] = []

    def read(self, words: Tensor, attention: Tensor, packing: Packing | None) -> Tensor:
        """(B, E) weights of the texts whose (B, T, D) word embeddings these are, which the next forward pass uses."""
        with torch.autocast(words.device.type, enabled=False):
            real = attention[..., None].to(words.dtype)
            logits = self.lora_router((words * real).sum(1) / real.sum(1).clamp(min=1))
        if self.training:
            self.seen.append(logits.softmax(dim=-1))
        gates = weights_of(logits, top=self.options.top)
        each = gates[:, None]
        self.gates.tokens = each if packing is None else packing.flat(each.expand(-1, attention.shape[1], -1))
        return gates

    def balance(self) -> Tensor:
        """() the load balance of the texts read since the last call."""
        probabilities = torch.cat(self.seen)
        self.seen.clear()
        return load_balance(probabilities)


def weights_of(logits: Tensor, *, top: int = 0) -> Tensor:
    """(..., E) softmax over the ``top`` largest logits, exactly 0 for the others; 0: over all.

    What is left out is -inf before the softmax: a second softmax over zeroed weights would give it exp(0).
    """
    if top and top < logits.shape[-1]:
        kept = logits.topk(top, dim=-1).indices
        logits = torch.full_like(logits, float("-inf")).scatter(-1, kept, logits.gather(-1, kept))
    return logits.softmax(dim=-1)


def load_balance(probabilities: Tensor) -> Tensor:
    """E times the sum over experts of f_i P_i: 1 when all are used alike, E when one reads everything.

    f_i is the share of the (N, E) texts whose largest probability is i, a constant; P_i the mean probability of i.
    (Fedus et al. 2022, arXiv:2101.03961, eq. 4 to 6.)
    """
    count = probabilities.shape[-1]
    shares = torch.bincount(probabilities.argmax(dim=-1), minlength=count) / len(probabilities)
    return count * (shares * probabilities.mean(dim=0)).sum()


def mixture_of(body: PreTrainedModel) -> Mixture | None:
    """The mixture that a model has."""
    found: Mixture | None = getattr(body, "mixture", None)
    return found


def add_mixture(encoder: Encoder, options: MixtureOptions) -> Mixture:
    """Put adapters beside the linear modules, and the router into the model's body.

    Raises:
        InputError: the model has no table of word embeddings, or no such linear module.
    """
    table = word_table(encoder.body)
    if table is None:
        raise InputError(f"{type(encoder.body).__name__} has no table of word embeddings, which the router reads")
    assert encoder.packs in (True, False)  # asked before there are adapters, which answer to whole texts alone
    made = Mixture(options, int(encoder.body.config.hidden_size))
    for path in options.modules:
        parent, name = _place(encoder.body, path)
        base = getattr(parent, name, None)
        if not isinstance(base, nn.Linear):
            raise InputError(f"{type(encoder.body).__name__} has no linear module {path}")
        setattr(parent, name, MixedLinear(base, made.gates, options))
    encoder.body.mixture = made
    return made.to(encoder.device)


@contextmanager
def without_mixture(encoder: Encoder) -> Iterator[None]:
    """While the context lasts, the encoder is the one that the mixture was put on."""
    made = mixture_of(encoder.body)
    assert made is not None
    places = [_place(encoder.body, path) for path in made.options.modules]
    mixed = [getattr(parent, name) for parent, name in places]
    del encoder.body.mixture
    for (parent, name), one in zip(places, mixed, strict=True):
        setattr(parent, name, one.base)
    try:
        yield
    finally:
        for (parent, name), one in zip(places, mixed, strict=True):
            setattr(parent, name, one)
        encoder.body.mixture = made


def _place(body: PreTrainedModel, path: str) -> tuple[nn.Module, str]:
    parent, _, name = path.rpartition(".")
    return body.get_submodule(parent), name


def entropy(weights: Sequence[float] | Tensor) -> float:
    """-sum of p log p in nats; 0 log 0 is 0."""
    shares: list[float] = torch.as_tensor(weights).tolist()
    return -sum(p * math.log(p) for p in shares if p > 0)

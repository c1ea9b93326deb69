"""The masked-LM head of an encoder as what gives texts the weights of their terms."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from align.encoders.blocks import masked_lm_head
from align.encoders.lexical.max_logits import max_logits
from align.encoders.lexical.pieces import prompt_pieces
from align.encoders.lexical.settings import Lexical
from align.encoders.text_model import value_bytes
from align.errors import InputError

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder


class LexicalHead:
    """The masked-LM head as what gives texts their weights; built once for many batches.

    Raises:
        InputError: the encoder has no such head, or there are no terms.
    """

    def __init__(self, encoder: Encoder, settings: Lexical) -> None:
        self.settings, self._head = settings, masked_lm_head(encoder.model)
        self.numbers = torch.from_numpy(settings.terms(encoder)).to(encoder.device)
        self.size = len(self._head[1])
        self._special = torch.tensor(encoder.added_ids, device=encoder.device)
        self._prompt = prompt_pieces(encoder)

    def read(self, ids: Tensor, attention: Tensor) -> Tensor:
        """(B, T) bool: the tokens that speak, of (B, T) ids: neither special ones nor the prompt's."""
        real = attention.bool() & ~torch.isin(ids, self._special.to(ids.device))
        real[:, : self._prompt] = False
        return real

    def __call__(self, states: Tensor, lengths: Sequence[int]) -> Tensor:
        """(N, K) weights of N texts, from the (T, D) last states of the tokens that speak and how many each text has.

        With the logits z of a text's tokens, s_v = max over t of f(z_tv), f the activation.
        """
        transform, weight, bias = self._head
        rows = weight[self.numbers]
        logits = max_logits(transform(states), rows, None if bias is None else bias[self.numbers], lengths)
        weights: Tensor = self.settings.activated(logits)
        return weights

    def kept(self, weights: Tensor) -> Tensor:
        """(N, K) unit rows of which only the heaviest terms are left; those that fall are 0."""
        units: Tensor = normalize(weights, dim=-1)
        if not self.settings.top:
            return units.where(units >= units.shape[1] ** -0.5, 0.0)
        best = units.topk(min(self.settings.top, units.shape[1]), dim=-1)
        return torch.zeros_like(units).scatter(1, best.indices, best.values)


def head_of(encoder: Encoder) -> LexicalHead:
    """The head with the encoder's settings, or the usual ones.

    Raises:
        InputError: the model has no masked-LM head, or does not run in torch here.
    """
    if getattr(encoder, "backend", "torch") != "torch":
        raise InputError(f"backend {encoder.backend} gives no sparse vectors: use torch")
    if encoder.route is not None:
        raise InputError("an encoder with a route gives no sparse vectors: give one of its two encoders")
    return LexicalHead(encoder, encoder.lexical or Lexical())


def lexical_identity(encoder: Encoder) -> dict[str, Any]:
    """What decides the sparse vectors beside what decides the dense ones: settings, and a hash of the head.

    Raises:
        InputError: as :func:`head_of`.
    """
    made = asdict(head_of(encoder).settings)
    return made | {"head": encoder.head_fingerprint or head_fingerprint(encoder)}


def head_fingerprint(encoder: Encoder) -> str:
    """Hash of the weights of the masked-LM head; output embeddings that are the word embeddings are not its own."""
    transform, weight, bias = masked_lm_head(encoder.model)
    digest = hashlib.sha256()
    for name, value in sorted(transform.state_dict().items()):
        digest.update(name.encode() + value_bytes(value))
    if weight is not encoder.model.get_input_embeddings().weight:
        digest.update(value_bytes(weight))
    digest.update(value_bytes(bias) if bias is not None else b"")
    return digest.hexdigest()[:32]


def term_names(encoder: Encoder) -> list[str]:
    """What the columns of a matrix are called: pieces by number; rows that no piece reads have names like <123>."""
    names = [f"<{number}>" for number in range(len(masked_lm_head(encoder.model)[1]))]
    for piece, number in encoder.tokenizer.get_vocab().items():
        if number < len(names):
            names[number] = piece
    return names

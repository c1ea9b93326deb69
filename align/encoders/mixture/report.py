"""Who reads what: how sure the router is of each language's texts, and whether adapters keep to languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from align.encoders.encoder import Encoder
from align.encoders.mixture.layers import entropy, mixture_of
from align.errors import InputError


@torch.no_grad()
def routing(encoder: Encoder, texts: Mapping[str, Sequence[str]], *, batch: int = 64) -> dict[str, Any]:
    """Weights of the adapters by language, their entropy, and the purity of the adapters.

    With g the weights of a text, and its adapter the one of the largest weight::

        entropy  = mean over the texts of a language of -sum over i of g_i log g_i     in 0..log E nats
        purity   = sum over i of (texts of the language that i reads most of) / texts  in 1/L..1 for L equal languages

    A purity of 1/L says that the adapters do not know languages, 1 that each reads one alone (or that one of them reads
    a single language). Between them stands what one adapter for all would have: the share of the largest language.

    Args:
        encoder: with a mixture.
        texts: by language code.
        batch: texts read at once.

    Raises:
        InputError: the encoder has no mixture, or there is no text in a language.
    """
    made = mixture_of(encoder.body)
    if made is None:
        raise InputError(
            f"{encoder.name} has no mixture of adapters: expected one trained with lora.experts = 2 or more"
        )
    table, was_training = encoder.body.get_input_embeddings(), made.training
    made.eval()
    languages: dict[str, Any] = {}
    counts = []
    for code, lines in texts.items():
        if not len(lines):
            raise InputError(f"no text in {code}: expected one or more")
        parts = []
        for start in range(0, len(lines), batch):
            ids, attention = encoder.pad(encoder.tokenize(list(lines[start : start + batch])))
            parts.append(made.read(table(ids), attention, None).float().cpu())
        weights = torch.cat(parts)  # (n, E)
        counts.append(torch.bincount(weights.argmax(dim=1), minlength=made.options.experts))
        languages[code] = {
            "texts": len(lines), "weights": [round(value, 4) for value in weights.mean(dim=0).tolist()],
            "entropy": round(sum(map(entropy, weights)) / len(weights), 4),
        }  # fmt: skip
    made.train(was_training)
    read = torch.stack(counts)  # (L, E)
    return {
        "experts": made.options.experts, "languages": languages,
        "purity": round(float(read.max(dim=0).values.sum() / read.sum()), 4),
        "purity_of_one": round(float(read.sum(dim=1).max() / read.sum()), 4),
    }  # fmt: skip

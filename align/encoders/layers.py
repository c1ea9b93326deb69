"""The vectors of every layer, from one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from align.encoders.batching import budget_batches, evaluating
from align.encoders.blocks import first_states, norms_last_layer, reads_molecules
from align.encoders.decoder import Decoder
from align.encoders.encoder import Encoder
from align.encoders.language_tags import tagged
from align.encoders.pooling import after_prompt, through
from align.encoders.route import refuse_route
from align.errors import InputError, unknown

LAYER_KINDS = ("mean", "weighted", "last", "cls")

Layered = Encoder | Decoder
Pool = Callable[[Tensor, Tensor, Tensor], Tensor]


@torch.inference_mode()
def encode_layers(
    encoder: Layered,
    texts: Sequence[str],
    *,
    language: str | None = None,
    layers: Sequence[int] | None = None,
    kinds: Sequence[str] | None = None,
    batch_tokens: int = 4096,
    out: Mapping[str, NDArray[Any]] | None = None,
    progress: bool = False,
) -> Any:
    """Vectors of texts at several layers, from one forward pass over each text.

    Row k is what the same encoder with ``Pooling(layer=k)`` gives: pooled by its kind and special-token rule (and, if
    it averages layers, from the mean of hidden_states[0..k]), then passed through its tail, then made a unit vector if
    it makes such. So a tail (Dense), made for one layer, is put on every layer. Of a model that norms its last layer
    only (ModernBERT, decoders), hidden_states[L] is normed and the layers below are not, as in transformers; there an
    encoder with ``Pooling(layer=k)``, k < L, does not exist.

    The states of a batch are pooled and dropped: at a time there are (L + 1) * batch_tokens * D numbers of them.

    Args:
        encoder: an encoder or a decoder-only model.
        texts: n strings; the prompt is put before each.
        language: of all texts, for the encoder's language tags, if it puts them.
        layers: k of hidden_states[k], 0 = embeddings; None: all, 0 to L.
        kinds: pool by each of these instead of the encoder's own kind: ``mean``, ``weighted`` (by position), ``last``
            (last token), ``cls`` (first token). Special tokens count in ``mean`` and ``weighted`` if they do for the
            encoder, and are always there for ``last`` and ``cls``.
        batch_tokens: padded tokens of one forward pass; bounds memory.
        out: by the kinds, or "", arrays to fill instead of new ones.
        progress: show a bar.

    Returns:
        (L', n, D) float32 in the order of ``layers``; with ``kinds`` one of these for each kind.

    Raises:
        InputError: a layer or kind that does not exist, or one twice, ``cls`` of a decoder, a text without a token, a
            vector that is NaN or infinite (the sentence names layer and text).
    """
    refuse_route(encoder, "what reads every layer")
    chosen, pools = layer_numbers(encoder, layers), poolings(encoder, kinds)
    if isinstance(texts, str):
        raise InputError("encode_layers needs a list of texts, got one string")
    shape = (len(chosen), len(texts), encoder.dimension)
    vectors = {kind: np.empty(shape, dtype=np.float32) for kind in pools} if out is None else out
    rows = encoder.tokenize(tagged(encoder, texts, language) if encoder.language_tags else texts)
    empty = [i for i, row in enumerate(rows) if not row]
    if empty:
        raise InputError(f"text {empty[0]} has no token: {texts[empty[0]][:60]!r}")
    added = torch.tensor(encoder.added_ids, device=encoder.device)
    with evaluating(encoder), tqdm(total=len(texts), unit="text", disable=not progress) as bar:
        for batch in budget_batches(np.array([len(row) for row in rows], dtype=np.int64), batch_tokens):
            ids, attention = encoder.pad([rows[i] for i in batch])
            pooled = _pooled_layers(encoder, ids, attention, torch.isin(ids, added), chosen, pools)
            for kind, parts in pooled.items():
                for place, part in enumerate(parts):
                    found = part.float().cpu().numpy()  # (B, D)
                    bad = batch[~np.isfinite(found).all(axis=1)]
                    if len(bad):
                        where = f"at layer {chosen[place]} for text {bad[0]}: {texts[bad[0]][:60]!r}"
                        raise InputError(f"the encoder gives NaN or infinity {where}")
                    vectors[kind][place, batch] = found
            bar.update(len(batch))
    return vectors[""] if kinds is None else vectors


def layer_numbers(encoder: Layered, layers: Sequence[int] | None = None) -> tuple[int, ...]:
    """Every layer of the encoder, 0 to L, or those that were asked for.

    Raises:
        InputError: one that does not exist, one twice, or none.
    """
    if encoder.pooling.with_average:
        raise InputError(
            "this encoder's vectors are of a layer and of the mean of layers: it has none of single layers"
        )
    if reads_molecules(encoder.model):
        raise InputError(f"{type(encoder.model).__name__} has layers of molecules, not of tokens: none can be pooled")
    depth = encoder.depth
    chosen = tuple(range(depth + 1) if layers is None else layers)
    wrong = [k for k in chosen if not 0 <= k <= depth]
    if wrong:
        raise InputError(f"layer {wrong[0]} does not exist: the encoder has layers 0 to {depth}")
    if not chosen or len(set(chosen)) < len(chosen):
        raise InputError(f"expected at least one layer, each once, got {list(chosen)}")
    return chosen


def last_token(hidden: Tensor, attention: Tensor, special: Tensor) -> Tensor:
    """(B, D) states of the last token that is no padding, on whichever side the padding is."""
    last = attention.cumsum(1).argmax(1)  # (B,): the first place where all tokens are behind it
    exact = torch.promote_types(hidden.dtype, torch.float32)  # as Pooling gives
    return hidden[torch.arange(len(hidden), device=hidden.device), last].to(exact)


def poolings(encoder: Layered, kinds: Sequence[str] | None) -> dict[str, Pool]:
    """What pools the states of a layer, by kind; ``None``: the encoder's own, by no name."""
    if kinds is None:
        return {"": encoder.pooling}
    wrong = [kind for kind in kinds if kind not in LAYER_KINDS]
    if wrong:
        raise InputError(unknown("pooling", wrong[0], LAYER_KINDS))
    if not kinds or len(set(kinds)) < len(kinds):
        raise InputError(f"expected at least one pooling, each once, got {list(kinds)}")
    if "cls" in kinds and isinstance(encoder, Decoder):
        raise InputError("cls pooling of a decoder reads a token that sees no other: pool by weighted, last or mean")
    pooling = encoder.pooling
    pools: dict[str, Pool] = {}
    for kind in kinds:
        special_tokens = pooling.special_tokens or kind == "cls"
        pools[kind] = last_token if kind == "last" else replace(pooling, kind=kind, special_tokens=special_tokens)
    return pools


def _pooled_layers(
    encoder: Layered,
    ids: Tensor,
    attention: Tensor,
    special: Tensor,
    layers: tuple[int, ...],
    pools: Mapping[str, Pool],
) -> dict[str, list[Tensor]]:
    """(B, D) vectors by kind, for each of the layers in their order."""
    states = _states(encoder, ids, attention, max(layers))
    pooled = after_prompt(attention, encoder.prompt_tokens)
    average = encoder.pooling.average_layers
    read: dict[int, Tensor] = {}
    total = states[0]
    for k, state in enumerate(states):
        total = total + state if average and k else state
        if k in layers:
            read[k] = total / (k + 1) if average and k else state
    made: dict[str, list[Tensor]] = {kind: [] for kind in pools}
    for kind, pool in pools.items():
        for k in layers:
            vectors = through(encoder.tail, pool(read[k], pooled, special))
            made[kind].append(normalize(vectors, dim=-1) if encoder.unit else vectors)
    return made


def _states(encoder: Layered, ids: Tensor, attention: Tensor, top: int) -> tuple[Tensor, ...]:
    """(B, T, D) hidden_states[0..top]; blocks above are not run where the last layer is as the others."""
    given = {"input_ids": ids, "attention_mask": attention}
    if isinstance(encoder, Decoder) or norms_last_layer(encoder.model):
        states: tuple[Tensor, ...] = encoder.body(**given, output_hidden_states=True).hidden_states
        return states[: top + 1]
    return first_states(encoder.model, given, top)

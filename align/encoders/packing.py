"""The packed forward: texts end to end in one row of tokens, so that nothing is computed on padding.

Of an encoder, only attention and positions know where a text ends; the rest works token by token. So the texts of a
batch are put end to end, the model is told the position of each token, and attention is asked to stay inside the texts.
transformers calls attention by name: ours is registered under ``align`` and is its ``sdpa`` wherever no
:class:`Packing` comes along. The name stays set while the encoder lives, since activations that are recomputed in the
backward pass ask for it once more.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from align.encoders.blocks import first_position

NAME = "align"
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-8}  # of hidden states, packed against padded; others 0.1


@dataclass(eq=False)  # a tuple would be looked into by compiled blocks, and each number of groups compiled anew
class Packing:
    """Where the texts of a packed batch lie."""

    tokens: Tensor
    """(N,) places of the tokens in the flattened (B, T) batch, longest text first."""
    positions: Tensor
    """(N,) number of each token in its text, from 0."""
    starts: Tensor
    """(texts + 1,) int32: where each text starts among the N tokens, and N."""
    real: Tensor
    """(B, T) bool, True at tokens: the batch as it was."""
    groups: list[tuple[int, int]]
    """(texts, tokens of each) of neighbouring texts of equal length."""
    filling: int
    """Tokens at the end that belong to no text, so that N is a round number."""

    def to(self, device: torch.device) -> Packing:
        """The same on a device."""
        tokens, positions, starts, real = (
            x.to(device, non_blocking=True) for x in (self.tokens, self.positions, self.starts, self.real)
        )
        return Packing(tokens, positions, starts, real, self.groups, self.filling)

    def flat(self, batch: Tensor) -> Tensor:
        """(1, N, ...) values of the tokens from a padded (B, T, ...) tensor."""
        return batch.flatten(0, 1)[self.tokens][None]

    def padded(self, states: Tensor) -> Tensor:
        """(B, T, ...) values from (1, N, ...), zero at padding."""
        count = len(self.tokens) - self.filling
        empty = states.new_zeros(self.real.numel(), *states.shape[2:])
        return empty.index_copy(0, self.tokens[:count], states[0, :count]).view(*self.real.shape, *states.shape[2:])


def pack(lengths: Sequence[int] | NDArray[np.int64], width: int, *, round_to: int = 1) -> Packing:
    """How to pack texts of these lengths that lie in rows of ``width`` tokens, each at the start of its row.

    Made on the host, so that a GPU is never waited for. A text without tokens takes no place; the whole is filled up to
    a multiple of ``round_to`` tokens, so that compiled blocks see few different sizes.

    >>> packing = pack([2, 3], 3)
    >>> packing.tokens.tolist(), packing.positions.tolist(), packing.starts.tolist(), packing.groups
    ([3, 4, 5, 0, 1], [0, 1, 2, 0, 1], [0, 3, 5], [(1, 3), (1, 2)])
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    real = torch.from_numpy(np.arange(width) < sizes[:, None])
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    sizes = sizes[order]
    filling = int(-sizes.sum() % round_to)
    ends = np.cumsum(sizes)
    positions = np.arange(sizes.sum()) - np.repeat(ends - sizes, sizes)
    tokens = np.repeat(order * width, sizes) + positions
    lasting, counts = np.unique(-sizes, return_counts=True)
    groups = [(int(n), int(-size)) for size, n in zip(lasting, counts, strict=True)]
    starts = np.concatenate([[0], ends])
    if filling:
        groups.append((1, filling))
        starts = np.append(starts, starts[-1] + filling)
        tokens, positions = (np.append(x, np.full(filling, x[0])) for x in (tokens, positions))
    places, numbers, begins = (torch.from_numpy(x) for x in (tokens, positions, starts.astype(np.int32)))
    return Packing(places, numbers, begins, real, groups, filling)


def packed_attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    *, packing: Packing | None = None, dropout: float = 0.0, scaling: float | None = None, **others: Any,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Attention as transformers calls it; (1, H, N, d) inputs stay inside their texts if there is a ``packing``.

    Returns:
        (1, N, H, d) what each token reads, and no weights.

    Raises:
        NotImplementedError: the model wants more of its attention (a window, a bias) than staying inside the text.
    """
    if packing is None:
        plain = AttentionInterface()["sdpa"]
        found: tuple[Tensor, Tensor | None] = plain(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return found
    wanted = [name for name in ("sliding_window", "position_bias", "softcap") if others.get(name) is not None]
    if attention_mask is not None or wanted or query.shape[1] != key.shape[1] or getattr(module, "is_causal", False):
        raise NotImplementedError(f"packed attention of {type(module).__name__} with {wanted or 'a mask'}")
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))  # (N, H, d) each, as the projections made them
    kernel = kernel_for(q.device, q.dtype, dropout)
    if kernel == "grouped":
        return _grouped(q, k, v, packing, dropout, scaling)[None], None
    if kernel == "masked":
        return _masked(q, k, v, packing, dropout, scaling)[None], None
    return _variable_length(kernel, q, k, v, packing, dropout, scaling)[None], None


def kernel_for(device: torch.device, dtype: torch.dtype, dropout: float) -> str:
    """The attention that packed texts get: torch-varlen or flash-attn on a GPU in half precision, grouped on a CPU.

    torch's own kernel has no dropout; flash-attn's has, where that package is installed. Else the texts are padded for
    the attention alone (masked): a GPU would take longer to be told of many groups.
    """
    if device.type == "cpu":
        return "grouped"
    if device.type == "cuda" and dtype in (torch.float16, torch.bfloat16):
        if _installed("flash_attn"):
            return "flash-attn"
        if not dropout and _installed("torch.nn.attention.varlen"):
            return "torch-varlen"
    return "masked"


@cache  # every block of every forward pass asks
def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _grouped(q: Tensor, k: Tensor, v: Tensor, packing: Packing, dropout: float, scaling: float | None) -> Tensor:
    """(N, H, d): texts of equal length together, without padding or mask."""
    sizes = [texts * length for texts, length in packing.groups]
    parts = []
    # Split, not sliced: the backward pass of each slice would fill a tensor of all N tokens.
    for (texts, length), *group in zip(packing.groups, *(torch.split(x, sizes) for x in (q, k, v)), strict=True):
        a, b, c = (x.unflatten(0, (texts, length)).transpose(1, 2) for x in group)  # (texts, H, length, d)
        if q.dtype == torch.bfloat16 and q.device.type == "cpu" and not dropout and scaling:
            # Two products and a softmax take 2/3 of the time that torch's own takes here, up to 256 tokens at least.
            read = (a * scaling @ b.transpose(-1, -2)).softmax(-1) @ c
        else:
            read = scaled_dot_product_attention(a, b, c, dropout_p=dropout, scale=scaling)
        parts.append(read.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


def _masked(q: Tensor, k: Tensor, v: Tensor, packing: Packing, dropout: float, scaling: float | None) -> Tensor:
    """(N, H, d): the texts padded, and no token that reads padding."""
    a, b, c = (packing.padded(x[None]).transpose(1, 2) for x in (q, k, v))  # (B, H, T, d)
    read = scaled_dot_product_attention(
        a, b, c, attn_mask=packing.real[:, None, None], dropout_p=dropout, scale=scaling
    )
    return packing.flat(read.transpose(1, 2))[0]


def _variable_length(
    kernel: str, q: Tensor, k: Tensor, v: Tensor, packing: Packing, dropout: float, scaling: float | None
) -> Tensor:
    """(N, H, d) by a kernel that is told where each text starts."""
    longest = max(length for _, length in packing.groups)
    places = (packing.starts, packing.starts, longest, longest)
    if kernel == "flash-attn":
        from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found]

        flash: Tensor = flash_attn_varlen_func(q, k, v, *places, dropout_p=dropout, softmax_scale=scaling)
        return flash
    from torch.nn.attention.varlen import varlen_attn

    read = varlen_attn(q, k, v, *places, scale=scaling)
    assert isinstance(read, Tensor)
    return read


AttentionInterface.register(NAME, torch.compiler.disable(packed_attention))  # type: ignore[no-untyped-call]
AttentionMaskInterface.register(NAME, AttentionMaskInterface()["sdpa"])


def lengths_of(attention: Tensor) -> NDArray[np.int64]:
    """(B,) tokens of each text, from its (B, T) mask.

    Raises:
        ValueError: a text does not start in the first column: padding stands on its left, or inside.
    """
    found = attention.cpu().numpy().astype(bool)
    lengths: NDArray[np.int64] = found.sum(1)
    if (found != (np.arange(found.shape[1]) < lengths[:, None])).any():
        raise ValueError("the packed forward needs texts padded on the right: 1 at tokens, then 0")
    return lengths


def packed_inputs(model: PreTrainedModel, ids: Tensor, packing: Packing) -> dict[str, Any]:
    """What a model is given to run (B, T) ids packed, beside token types and positions of one's own."""
    first = first_position(model)
    positions = packing.positions[None]
    if first:  # RoBERTa counts pieces that are not its padding, wherever one stands: a text may say "<pad>"
        counted = ids != first - 1
        positions = packing.flat(counted.cumsum(1) * counted) + first - 1
    return {"input_ids": packing.flat(ids), "position_ids": positions, "packing": packing}


@torch.no_grad()
def can_pack(model: PreTrainedModel) -> bool:
    """Whether a model gives the same states packed as padded: it is asked, with two short texts.

    Sets the model's attention to ours if it does. Models with their own idea of attention (windows, relative positions)
    or of positions, and those that were given another implementation than ``sdpa``, do not.
    """
    config = model.config
    if getattr(config, "_attn_implementation", None) == NAME:
        return True
    if getattr(config, "_attn_implementation", None) != "sdpa" or getattr(config, "is_decoder", False):
        return False
    device = next(model.parameters()).device
    pieces = [i for i in range(config.vocab_size) if i != config.pad_token_id][-8:]
    ids = torch.tensor((pieces * 8)[:8], device=device).reshape(2, 4)
    attention = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]], device=device)
    was_training, body = model.training, model.base_model
    model.eval()
    try:
        with torch.autocast(device.type, enabled=False):  # its rounding is more than the two differ by
            expected = body(input_ids=ids, attention_mask=attention).last_hidden_state
            config._attn_implementation = NAME
            packing = pack([2, 4], 4).to(device)
            got = packing.padded(body(**packed_inputs(model, ids, packing)).last_hidden_state)
        same = torch.allclose(got, expected * attention[..., None], atol=TOLERANCE.get(got.dtype, 0.1), rtol=0)
    except (TypeError, NotImplementedError, RuntimeError):
        same = False
    finally:
        model.train(was_training)
    if not same:
        config._attn_implementation = "sdpa"
    return same

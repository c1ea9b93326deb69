"""The length of the whole gradient: whether it is a number, and what it is cut down to."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm


@torch.no_grad()
def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """() length of all gradients as one vector; those of a table come out coalesced, with one entry a row."""
    values = []
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
        if parameter.grad is not None:
            values.append(_values(parameter.grad))
    norm: Tensor = get_total_norm(values)
    return norm


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], norm: Tensor, *, limit: float) -> None:
    """Scale gradients of length ``norm``, as :func:`gradient_norm` left them, by min(1, limit / (norm + 1e-6))."""
    dense = []
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad.values().mul_((limit / (norm + 1e-6)).clamp(max=1.0))
        else:
            dense.append(parameter)
    clip_grads_with_norm_(dense, limit, norm)


def not_finite(named: Iterable[tuple[str, nn.Parameter]]) -> str | None:
    """Name of the first parameter whose gradient, as :func:`gradient_norm` left it, has NaN or infinity."""
    bad = (name for name, p in named if p.grad is not None and not _values(p.grad).isfinite().all())
    return next(bad, None)


def _values(gradient: Tensor) -> Tensor:
    return gradient.values() if gradient.is_sparse else gradient

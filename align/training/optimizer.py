"""AdamW, by choice of only those rows of the word embeddings that a batch reads; the gradient's length, and its cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from align.training.options import TrainOptions


class AdamW(torch.optim.AdamW):
    """torch's AdamW, which leaves alone the rows of a table that a sparse gradient does not name.

    A row R with gradient g at step t, by learning rate a, decay w and the moments m and v::

        m_R = b1 m_R + (1 - b1) g          p_R = p_R (1 - a w) - a (m_R / (1 - b1^t)) / (sqrt(v_R / (1 - b2^t)) + eps)
        v_R = b2 v_R + (1 - b2) g^2

    t counts all steps of the table. Other rows keep their values and their moments: no decay, and no step by the
    momentum that is left, as the dense AdamW would take. With a gradient at every row both are the same. Parameters
    with dense gradients, and all state, are torch's, so that a saved state goes on in either.

    References:
        Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2, by rows.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient, and return what ``closure`` gave.

        Raises:
            ValueError: a gradient is sparse, and ``amsgrad`` or ``maximize`` is on.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        kept = []
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    self._update_rows(parameter, parameter.grad.coalesce(), group)
                    kept.append((parameter, parameter.grad))
                    parameter.grad = None  # torch passes it over
        super().step()
        for parameter, gradient in kept:
            parameter.grad = gradient
        return loss

    def _update_rows(self, parameter: Tensor, gradient: Tensor, options: dict[str, Any]) -> None:
        if options["amsgrad"] or options["maximize"]:
            raise ValueError("rows are updated without amsgrad and maximize, got one of them and a sparse gradient")
        state = self.state[parameter]
        if not state:
            on_device = options["fused"] or options["capturable"]
            state["step"] = torch.zeros((), device=parameter.device if on_device else "cpu")
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        rows, g = gradient.indices()[0], gradient.values()  # (R,), (R, D)
        first, second, weights = (x.index_select(0, rows) for x in (state["exp_avg"], state["exp_avg_sq"], parameter))
        (beta1, beta2), rate = options["betas"], options["lr"]
        first.lerp_(g, 1 - beta1)
        second.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        state["exp_avg"].index_copy_(0, rows, first)
        state["exp_avg_sq"].index_copy_(0, rows, second)
        bias1, bias2 = (_bias_correction(beta, state["step"]).to(g.device) for beta in (beta1, beta2))
        change = first.div_(bias1) / second.div_(bias2).sqrt_().add_(options["eps"])
        weights.mul_(1 - rate * options["weight_decay"]).sub_(change.mul_(rate))
        parameter.index_copy_(0, rows, weights)


def _bias_correction(beta: float, step: Tensor) -> Tensor:
    """1 - beta^step, exact in float32, and without waiting for a GPU."""
    return -torch.expm1(step * (math.log(beta) if beta else -math.inf))


def parameter_groups(module: nn.Module, options: TrainOptions) -> list[dict[str, Any]]:
    """What moves, in groups for AdamW: matrices, which decay; norms, biases and other vectors, which do not; the rest.

    Word embeddings have the learning rate ``train.embedding_rate``, if it is set, and decay as matrices do. The rest is
    the numbers that objectives learn (temperatures): decay would pull them to 1. They have the learning rate
    ``train.temperature_rate``: Adam steps by about the learning rate whatever the gradient, and one that suits the
    weights of an encoder changes a temperature by less than a percent in a hundred steps.
    """
    encoder = getattr(module, "encoder", None)
    apart: set[int] = set()
    if encoder is not None and options.embedding_rate is not None:
        apart = {id(parameter) for parameter in encoder.model.get_input_embeddings().parameters()}
    embeddings: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    numbers: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in apart:
            embeddings.append(parameter)
        elif name.startswith("learned.") and parameter.dim() == 0:
            numbers.append(parameter)
        else:
            (matrices if parameter.dim() > 1 else vectors).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0},
    ]  # fmt: skip
    if embeddings:
        groups.append({"params": embeddings, "weight_decay": options.weight_decay, "lr": options.embedding_rate})
    if numbers:
        groups.append({"params": numbers, "weight_decay": 0.0, "lr": options.temperature_rate})
    return groups


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

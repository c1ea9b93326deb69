"""AdamW, by choice of only those rows of the word embeddings that a batch reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from align.encoders.encoder import Encoder
from align.errors import InputError
from align.training.distributed import backend, world
from align.training.recipe import Recipe, TrainOptions


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

    That is the numbers that objectives learn (temperatures): decay would pull them to 1. They have the learning rate
    ``train.temperature_rate``: Adam steps by about the learning rate whatever the gradient, and one that suits the
    weights of an encoder changes a temperature by less than a percent in a hundred steps.
    """
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    numbers: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            number = name.startswith("learned.") and parameter.dim() == 0
            kind = numbers if number else matrices if parameter.dim() > 1 else vectors
            kind.append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0},
    ]  # fmt: skip
    if numbers:
        groups.append({"params": numbers, "weight_decay": 0.0, "lr": options.temperature_rate})
    return groups


def sparse_embeddings(model: PreTrainedModel, on: bool) -> None:
    """Give the word embeddings row-sparse gradients, or dense ones again.

    Such a gradient holds a row of D numbers for each token read since the last step, the table one for each piece.

    Raises:
        InputError: the model's word embeddings are no plain table.
    """
    table = model.get_input_embeddings()
    if on and not isinstance(table, nn.Embedding):
        raise InputError(
            f"train.sparse_embeddings needs a table of word embeddings (torch.nn.Embedding); {type(model).__name__} "
            f"has {type(table).__name__}"
        )
    table.sparse = on


def check_sparse_embeddings(encoder: Encoder, recipe: Recipe) -> None:
    """Refuse ``train.sparse_embeddings`` where the gradient of the word embeddings is dense, or there is none.

    Raises:
        InputError: says why.
    """
    if not recipe.train.sparse_embeddings:
        return
    table, head = encoder.body.get_input_embeddings(), encoder.model.get_output_embeddings()
    names = [name for name in recipe.trained if not recipe.reads(name).isdisjoint(("masked", "joint"))]
    tied = head is not None and head.weight is table.weight
    if names and tied:
        raise InputError(
            f"train.sparse_embeddings needs gradients of the read rows only, but {names[0]} trains a head of "
            f"{type(encoder.model).__name__} whose weights are the word embeddings: all rows get one"
        )
    frozen = "train.freeze_embeddings" if recipe.train.freeze_embeddings else "lora" if recipe.lora else ""
    if frozen:
        raise InputError(f"train.sparse_embeddings has nothing to update: {frozen} keeps the word embeddings fixed")
    if world()[1] > 1 and backend(encoder.device) == "nccl":
        raise InputError("train.sparse_embeddings needs one process a run on GPUs: NCCL adds up no sparse gradients")


def optimizer_in_use(recipe: Recipe) -> str:
    """For the log: what updates the weights."""
    return "fused AdamW" + ", rows of the word embeddings only" * recipe.train.sparse_embeddings

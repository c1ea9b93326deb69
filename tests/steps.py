"""The forward passes of optimiser steps, and their masked-LM losses by the whole logits."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy
from transformers import TrainerCallback


class Passes(TrainerCallback):
    """At each optimiser step the (clipped) gradient, and the arguments of the forward passes it is the sum of."""

    def __init__(self):
        self.steps, self.batches = [], []

    def on_train_begin(self, args, state, control, *, model, **_):
        self.encoder = model.encoder
        self.hook = model.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, module, given, named):
        self.batches.append(named)

    def on_pre_optimizer_step(self, *_, **__):
        self.steps.append((flat_gradient(self.encoder), self.batches))
        self.batches = []

    def on_train_end(self, *_, **__):
        self.hook.remove()


def flat_gradient(encoder):
    """All gradients of the encoder's model as one vector, 0 where there is none."""
    return torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in encoder.model.parameters()]
    )


def masked_losses(encoder, batches, weights):
    """Means over all masked positions of all batches, by term, and the clipped gradient of their weighted sum."""
    sums, counts = {}, {}

    def add(name, ids, attention, labels):
        logits = encoder.model(ids, attention_mask=attention).logits
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        sums[name] = sums.get(name, 0) + loss
        counts[name] = counts.get(name, 0) + int((labels != -100).sum())

    for batch in batches:
        if "labels" in batch:
            parts = (torch.split(batch[name], batch["sides"]) for name in ("ids", "attention", "labels"))
            for name, *side in list(zip(("mlm_source", "mlm_target"), *parts, strict=False)):
                add(name, *side)
        if "joint" in batch:
            add("tlm", *(batch["joint"][name] for name in ("ids", "attention", "labels")))
    means = {name: value / counts[name] for name, value in sums.items()}
    encoder.zero_grad()
    sum(weights[name] * value for name, value in means.items()).backward()
    gradient = flat_gradient(encoder)
    encoder.zero_grad()
    terms = {name: value.item() for name, value in means.items()}
    return terms | {"grad_norm": gradient.norm().item()}, gradient / max(1.0, gradient.norm().item())

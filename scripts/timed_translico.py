"""One timed training run of TransliCo's objective: by our recipe, or by the public arrangement of its passes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import public_translico as public
import torch
from benchmark_text import Pairs
from timed_training import MAX_TOKENS, RATE, Clock, gradients, table

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.training.batches import Batches
from align.training.config import load_recipe
from align.training.engine import engine
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

MASKED = 0.15


def load(place: str) -> Encoder:
    """The encoder with the pooling of TransliCo, at two thirds of its layers, as 8 of 12."""
    from align.encoders.blocks import blocks

    depth = len(blocks(load_encoder(place, device="cpu").model))
    return load_encoder(
        place, device="cpu", layer=round(depth * 8 / 12), kind="mean", special_tokens=False, max_tokens=MAX_TOKENS
    )


def translico(encoder: Encoder, *, batch: int, steps: int) -> Recipe:
    """Our recipe, on few steps."""
    changes = [
        f"encoder.layer={encoder.layer}", f"train.steps={steps}", f"train.batch_size={batch}", "train.accumulate=1",
        f"train.learning_rate={RATE}", f"train.max_tokens={MAX_TOKENS}", "train.log_every=1",
    ]  # fmt: skip
    return load_recipe("translico", changes=changes)


def train_ours(place: str, pairs: Pairs, *, batch: int, steps: int) -> dict[str, Any]:
    """``align.train`` with the recipe ``translico``."""
    encoder = load(place)
    with tempfile.TemporaryDirectory() as folder:
        options = translico(encoder, batch=batch, steps=steps)
        clock = Clock("cpu", asked=partial(engine, encoder, options))
        train(encoder, table(pairs), options, Path(folder) / "model", callbacks=[clock], progress=False)
    return clock.cost(steps)


def train_public(
    place: str, pairs: Pairs, *, batch: int, steps: int, forwards: int, full_logits: bool
) -> dict[str, Any]:
    """The public arrangement in a bare loop, with AdamW and clipping as transformers' Trainer has them."""
    encoder = load(place)
    model = encoder.model.train()
    clock = Clock("cpu")
    rows = [[np.array(row, dtype=np.int32) for row in encoder.tokenize(texts)] for texts in zip(*pairs, strict=True)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    generator = torch.Generator().manual_seed(0)
    clock.on_step_begin(None, SimpleNamespace(global_step=0), None)
    for chosen in public.random_batches(len(pairs), batch):
        source, target = (
            public.side([side[i] for i in chosen], encoder, rate=MASKED, generator=generator) for side in rows
        )
        found = public.terms(model, source, target, layer=encoder.layer, forwards=forwards, full_logits=full_logits)
        value = public.loss(found)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        clock.losses.append(value.item())
    clock.on_step_end(None, SimpleNamespace(global_step=steps, max_steps=steps), None)
    return clock.cost(steps)


def compare(place: str, pairs: Pairs, variants: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Terms and gradients of one masked batch, without dropout: ours beside each public arrangement."""
    encoder = load(place)
    recipe = translico(encoder, batch=len(pairs), steps=1)
    store = build_store(table(pairs), encoder, max_tokens=MAX_TOKENS)
    batch = Batches(store, encoder, recipe)[(0, np.arange(len(pairs)))]
    batch.pop("rows")
    module = Alignment(encoder, recipe).eval()
    ours = module(**batch)
    ours["loss"].backward()
    expected = gradients(encoder.model)
    source, target = public.split(batch, encoder)
    results = []
    for name, options in variants:
        encoder.model.zero_grad(set_to_none=True)
        found = public.terms(encoder.model, source, target, layer=encoder.layer, **options)
        value = public.loss(found)
        value.backward()
        got = gradients(encoder.model)
        a, b = (torch.cat([one[key].flatten() for key in sorted(expected)]).double() for one in (expected, got))
        apart = max(abs(found[term].item() - ours[term].item()) / abs(ours[term].item()) for term in found)
        results.append(
            {
                "name": "align", "beside": name, "bf16": False, "ours": ours["loss"].item(), "peer": value.item(),
                "loss": abs(value.item() - ours["loss"].item()), "terms": apart,
                "gradient_cosine": torch.nn.functional.cosine_similarity(a, b, dim=0).item(),
            }
        )  # fmt: skip
    return results

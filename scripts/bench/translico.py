"""TransliCo's training step by our recipe, and in plain transformers: padded passes, one for each side of the pairs.

As its code runs: states of one layer are averaged over a side's own tokens; the loss is both masked-LM losses and half
of NT-Xent over raw dot products, times 0.5. Its own model class applies the masked-LM head to the masked positions
alone (``full_logits=False``); transformers' applies it to all. ``forwards=3`` takes the states for the contrast from a
pass of their own over both sides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from align.encoders.blocks import blocks
from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.objectives.mlm import IGNORED
from align.training.batches import Batches
from align.training.config import load_recipe
from align.training.engine import engine
from align.training.recipe import Recipe
from align.training.store import build_store
from align.training.train import train
from scripts.bench.harness import Row
from scripts.bench.texts import Pairs
from scripts.bench.timed import MAX_TOKENS, RATE, Clock, columns, difference, gradients, one_batch

VARIANTS: list[tuple[str, Row]] = [
    ("three padded forwards, logits everywhere", {"forwards": 3, "full_logits": True}),
    ("two padded forwards, logits everywhere", {"forwards": 2, "full_logits": True}),
    ("two padded forwards, logits where masked (its code)", {"forwards": 2, "full_logits": False}),
]


def load(place: str, *, batch: int, steps: int) -> tuple[Encoder, Recipe]:
    """The encoder with the pooling of TransliCo, at two thirds of its layers, as 8 of 12, and our recipe."""
    depth = len(blocks(load_encoder(place, device="cpu").model))
    encoder = load_encoder(
        place, device="cpu", layer=round(depth * 8 / 12), kind="mean", special_tokens=False, max_tokens=MAX_TOKENS
    )
    changes = [
        f"encoder.layer={encoder.layer}", f"train.steps={steps}", f"train.batch_size={batch}", "train.accumulate=1",
        f"train.learning_rate={RATE}", f"train.max_tokens={MAX_TOKENS}", "train.log_every=1",
    ]  # fmt: skip
    return encoder, load_recipe("translico", changes=changes)


def train_ours(place: str, pairs: Pairs, *, batch: int, steps: int) -> Row:
    """``align.train`` with the recipe ``translico``."""
    encoder, recipe = load(place, batch=batch, steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock("cpu", asked=partial(engine, encoder, recipe))
        train(encoder, columns(pairs), recipe, Path(folder) / "model", callbacks=[clock], progress=False)
    return clock.cost(steps)


def train_public(place: str, pairs: Pairs, *, batch: int, steps: int, **variant: Any) -> Row:
    """The public arrangement in a bare loop, with AdamW and clipping as transformers' Trainer has them."""
    encoder, recipe = load(place, batch=batch, steps=steps)
    model = encoder.model.train()
    clock = Clock("cpu")
    batches = Batches(build_store(columns(pairs), encoder, max_tokens=MAX_TOKENS), encoder, recipe)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    clock.on_step_begin(None, SimpleNamespace(global_step=0), None)
    for step, rows in enumerate(np.random.default_rng(0).permutation(len(pairs)).reshape(-1, batch)):
        value = loss(terms(encoder, split(batches[(step, rows)], encoder), **variant))
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        clock.losses.append(value.item())
    clock.on_step_end(None, SimpleNamespace(global_step=steps, max_steps=steps), None)
    return clock.cost(steps)


def compare(place: str, pairs: Pairs, variants: Sequence[tuple[str, Row]] = VARIANTS) -> list[Row]:
    """Terms and gradients of one masked batch, without dropout: ours beside each public arrangement."""
    encoder, recipe = load(place, batch=len(pairs), steps=1)
    ours, batch = one_batch(encoder, recipe, pairs)
    ours["loss"].backward()
    expected = gradients(encoder.model)
    results = []
    for name, variant in variants:
        encoder.model.zero_grad(set_to_none=True)
        found = terms(encoder, split(batch, encoder), **variant)
        value = loss(found)
        value.backward()
        got = {key: grad for key, grad in gradients(encoder.model).items() if key in expected}
        apart = max(abs(found[term].item() - ours[term].item()) / abs(ours[term].item()) for term in found)
        about = {"name": "align", "beside": name, "bf16": False, "terms": apart}
        results.append(about | difference((ours["loss"].item(), expected), (value.item(), got)))
    return results


@dataclass(frozen=True)
class Side:
    """One side of a batch: masked ids, attention (0 at padding), labels (-100 where none), and where its text is."""

    ids: Tensor
    attention: Tensor
    labels: Tensor
    text: Tensor


def split(batch: Row, encoder: Encoder) -> list[Side]:
    """The two sides of a batch of ours, each cut to its own longest text."""
    sizes, added = list(batch["sides"]), torch.tensor(encoder.added_ids)
    sides = []
    for parts in zip(*(torch.split(batch[name], sizes) for name in ("ids", "attention", "labels")), strict=True):
        if len(parts[0]):
            width = int(parts[1].sum(1).max())
            ids, attention, labels = (part[:, :width].contiguous() for part in parts)
            # a piece that masking replaced by a token of the tokenizer's own is text
            special = torch.isin(ids, added) & (labels == IGNORED)
            sides.append(Side(ids, attention, labels, attention.bool() & ~special))
    return sides


def terms(encoder: Encoder, sides: list[Side], *, forwards: int, full_logits: bool) -> dict[str, Tensor]:
    """The three terms of a batch, unweighted: mlm_source, mlm_target, nt_xent."""
    model, states = encoder.model, forwards == 2
    head = model.cls if hasattr(model, "cls") else model.lm_head  # BERT's, and XLM-R's
    found, views = {}, []
    for name, side in zip(("mlm_source", "mlm_target"), sides, strict=True):
        given = {"input_ids": side.ids, "attention_mask": side.attention, "output_hidden_states": states}
        if full_logits:
            out = model(**given, labels=side.labels)
            found[name] = out.loss
        else:
            out = model.base_model(**given)
            chosen = side.labels != IGNORED
            found[name] = cross_entropy(head(out.last_hidden_state[chosen]), side.labels[chosen])
        if states:
            views.append(mean(out.hidden_states[encoder.layer], side.text))
    if not states:
        width = max(side.ids.shape[1] for side in sides)
        ids, attention, text = (
            torch.cat([pad(getattr(side, part), (0, width - side.ids.shape[1])) for side in sides])
            for part in ("ids", "attention", "text")
        )
        out = model.base_model(input_ids=ids, attention_mask=attention, output_hidden_states=True)
        views = list(mean(out.hidden_states[encoder.layer], text).chunk(2))
    return found | {"nt_xent": nt_xent(*views)}


def loss(found: dict[str, Tensor]) -> Tensor:
    """Both masked-LM terms, and the contrast at the weight that its scripts give it."""
    return found["mlm_source"] + found["mlm_target"] + 0.5 * (0.5 * found["nt_xent"])


def mean(states: Tensor, text: Tensor) -> Tensor:
    """(B, D) means of (B, T, D) states over the tokens of the text."""
    kept = text.unsqueeze(-1).to(states.dtype)
    return (states * kept).sum(1) / kept.sum(1)


def nt_xent(source: Tensor, target: Tensor) -> Tensor:
    """Every row picks its partner out of all others, by raw dot products."""
    rows = torch.cat([source, target])
    scores = (rows @ rows.T).fill_diagonal_(float("-inf"))
    return cross_entropy(scores, torch.arange(len(rows), device=rows.device).roll(len(source)))

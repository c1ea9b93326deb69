"""Train a fusion scorer on a table of pairs with hard negatives, and write it as a folder."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from tqdm import tqdm

from align.encoders.checkpoint import given_encoder
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.files.folders import writing
from align.pairs.reading.table import read_pairs
from align.pairs.table import negative_columns
from align.reranking.fusion import Fusion, Shape
from align.reranking.scorer import KIND, Scorer, load_scorer, save_scorer
from align.streams import stream

log = logging.getLogger(__name__)

LOSSES = ("softmax", "bce")
Question = tuple[str, Sequence[str]]
"""A source, and its candidates: the target first, then texts known to be wrong."""


@dataclass(frozen=True)
class FusionOptions:
    """How a scorer is trained."""

    joint: int = 1
    """Layers that read both texts together."""
    rest: int = 0
    """Layers above them that read each for itself again; those below both are the encoder's own, and stay."""
    loss: str = "softmax"
    """softmax: the target out of all its candidates; bce: each candidate alone is right or wrong."""
    steps: int = 300
    batch: int = 16
    """Sources of a step."""
    negatives: int = 3
    """Of each source, drawn anew each time; fewer where the table has fewer."""
    rate: float = 1e-4
    """Of AdamW; it rises over a tenth of the steps, and falls to 0 along a line."""
    head_rate: float = 1e-3
    """Of the weights of the cosine, the bias and the vectors of the sides."""
    max_tokens: int = 64
    """Of each text."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot train."""
        if self.loss not in LOSSES:
            raise InputError(f"the loss of a scorer is {' or '.join(LOSSES)}, got {self.loss!r}")
        if min(self.joint, self.steps, self.batch, self.negatives, self.max_tokens) < 1 or self.rest < 0:
            raise InputError("a scorer needs joint, steps, batch, negatives and max_tokens of at least 1, rest of 0")
        if not (self.rate > 0 and self.head_rate > 0):
            raise InputError(f"a scorer needs rates above 0, got {self.rate} and {self.head_rate}")


def fusion_head(
    model: Encoder | str | Path,
    pairs: Path | str | Sequence[Path | str],
    out: Path | str,
    *,
    options: FusionOptions | None = None,
    bf16: bool = False,
    progress: bool = False,
    **load: Any,
) -> Scorer:
    """Train a scorer on a frozen encoder and write it as a folder for :func:`align.load_scorer`.

    The shape and the score are those of :class:`align.reranking.fusion.Fusion`: only the layers above the separate
    ones are trained, copies of the encoder's. Of a source with the scores s_0 of its target and s_1, ..., s_n of its
    negatives, mean over the batch::

        softmax   -log( exp s_0 / sum over c of exp s_c )
        bce       mean over c of  -log sigmoid(s_0) for the target, -log sigmoid(-s_c) for the others

    Args:
        model: an encoder, or what :func:`align.load_encoder` takes.
        pairs: tables with ``negative`` or ``negative_1``, ..., as ``align pairs negatives`` makes them. A row without
            any is left out, and counted in the manifest.
        out: folder; an older scorer there is replaced.
        options: see :class:`FusionOptions`.
        bf16: compute in bfloat16 (autocast).
        progress: show a bar.
        load: further options of :func:`align.load_encoder`.

    Raises:
        InputError: as :func:`align.load_encoder`, :func:`align.read_pairs` and ``Fusion``; no row has a negative; or
            the loss is not finite. Nothing is written.

    References:
        Fang et al. 2021 (FILTER), arXiv:2009.05166; Nogueira and Cho 2019, arXiv:1901.04085 (bce); Gao et al. 2021,
        arXiv:2101.08751 (softmax over one target and mined negatives).
    """
    options = options or FusionOptions()
    encoder = given_encoder(model, load)
    with writing(out, kind=KIND):
        questions, left_out = _questions(pairs)
        separate = encoder.layer - options.joint - options.rest
        made = Fusion(encoder, Shape(separate, options.joint))
        scorer = Scorer(encoder, made, min(options.max_tokens, encoder.max_tokens), bf16)
        losses = _train(scorer, questions, options, progress=progress)
        save_scorer(scorer, out, {
            "options": asdict(options), "pairs": len(questions), "without_negatives": left_out,
            "loss": {"first": losses[0], "last": float(np.mean(losses[-10:]))},
        })  # fmt: skip
    return load_scorer(out, encoder, bf16=bf16)


def _questions(pairs: Path | str | Sequence[Path | str]) -> tuple[list[Question], int]:
    """Those that have a wrong candidate, and how many have none.

    Raises:
        InputError: none has.
    """
    table = read_pairs(*([pairs] if isinstance(pairs, (str, Path)) else pairs))
    wrong = negative_columns(table.column_names)
    columns = [table[name] for name in ("source", "target", *wrong)]
    rows: list[Question] = [
        (source, [text for text in texts if text and text.strip()]) for source, *texts in zip(*columns, strict=True)
    ]
    questions: list[Question] = [(source, texts) for source, texts in rows if len(texts) > 1]
    if not questions:
        raise InputError("no pair has a negative: a scorer learns from tables of align pairs negatives")
    left_out = len(rows) - len(questions)
    if left_out:
        log.warning("%d of %d pairs have no negative, and are left out", left_out, len(rows))
    return questions, left_out


def _train(scorer: Scorer, questions: Sequence[Question], options: FusionOptions, *, progress: bool) -> list[float]:
    """The loss of each step."""
    fusion, device = scorer.fusion, scorer.encoder.device
    heads = [fusion.sides, fusion.weights, fusion.bias]
    optimizer = torch.optim.AdamW(
        [{"params": [*fusion.blocks.parameters()], "lr": options.rate}, {"params": heads, "lr": options.head_rate}],
        weight_decay=0.0,
    )
    warm = math.ceil(options.steps / 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (options.steps - step) / max(1, options.steps - warm))
    )
    order, drawn = _in_turn(len(questions), options), stream(options.seed, "negatives")
    losses = []
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        tqdm(total=options.steps, unit="step", disable=not progress) as bar,
    ):
        torch.manual_seed(options.seed)  # of dropout
        fusion.train()
        for step in range(options.steps):
            batch = [questions[i] for i in next(order)]
            chosen = [(source, _some(texts, options.negatives, drawn)) for source, texts in batch]
            with scorer.autocast():
                scores = _scores(scorer, chosen)
            loss = loss_of(scores.float(), options.loss)
            if not torch.isfinite(loss):
                raise InputError(f"the loss of step {step + 1} is {loss.item()}: lower rate and head_rate")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(fusion.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            bar.update(1)
        fusion.eval()
    log.info("scorer: loss %.3f -> %.3f", losses[0], float(np.mean(losses[-10:])))
    return losses


def _in_turn(size: int, options: FusionOptions) -> Any:
    """Rows of each batch: all in a drawn order, then all in another one."""
    order, rows = stream(options.seed, "order"), np.empty(0, dtype=np.int64)
    while True:
        while len(rows) < options.batch:
            rows = np.append(rows, order.permutation(size))
        yield rows[: options.batch]
        rows = rows[options.batch :]


def _some(texts: Sequence[str], most: int, drawn: np.random.Generator) -> list[str]:
    """The target, and at most so many of the others."""
    return [texts[0], *(texts[1 + i] for i in drawn.permutation(len(texts) - 1)[:most])]


def _scores(scorer: Scorer, chosen: Sequence[Question]) -> Tensor:
    """(B, C) scores, the target's first; -inf where a source has fewer candidates."""
    distinct = {text: i for i, text in enumerate(dict.fromkeys(t for s, texts in chosen for t in (s, *texts)))}
    states = scorer.states(list(distinct))
    rows = [(place, distinct[source], distinct[text]) for place, (source, of) in enumerate(chosen) for text in of]
    _, first, second = (list(column) for column in zip(*rows, strict=True))
    found = scorer.fusion(*(type(states)(*(part[side] for part in states)) for side in (first, second)))
    parts = torch.split(found, [len(texts) for _, texts in chosen])
    return nn.utils.rnn.pad_sequence([*parts], batch_first=True, padding_value=float("-inf"))


def loss_of(scores: Tensor, loss: str) -> Tensor:
    """() loss of (B, C) scores, the target's first, -inf where there is no candidate; see :func:`fusion_head`."""
    if loss == "softmax":
        return cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long, device=scores.device))
    there = scores != float("-inf")
    truth = torch.zeros_like(scores)
    truth[:, 0] = 1
    each = binary_cross_entropy_with_logits(scores.masked_fill(~there, 0), truth, reduction="none") * there
    return (each.sum(dim=1) / there.sum(dim=1)).mean()

"""One timed training run of ours, or of sentence-transformers', on the same pairs, for bench_train and bench_gpu.

Each run belongs in a process of its own, so that nothing is warm and the peak of its memory is its own. Both sides run
transformers' Trainer with AdamW, gradient clipping and the same learning rate, and both are timed by the same callback,
from the start of one step to the end of the last: what a step waits for is in it, what happens once is not.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from bench_bli import reset_peak, resident
from benchmark_text import Pairs
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, TrainerCallback

MAX_TOKENS = 128
SCALE = 20.0  # of sentence-transformers; our temperature is 1 / SCALE
RATE = 2e-5


class Clock(TrainerCallback):
    """Wall and processor time of the steps, the first ``skip`` left out, and memory at its peak.

    Args:
        device: synchronised before a time is taken.
        skip: steps that warm up.
        asked: says, in a step, what it runs on.
    """

    def __init__(self, device: str, *, skip: int = 0, asked: Callable[[], str] = str) -> None:
        self.device, self.skip, self.asked = device, skip, asked
        self.engine = ""
        self.losses: list[float] = []
        self.before = reset_peak() if device == "cpu" else None
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self.start = self.now()
        self.first = self.last = self.start

    def now(self) -> tuple[float, float]:
        """Seconds by the wall and of the processor, once the device has nothing left to do."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), processor_seconds()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock at the first step that counts."""
        if state.global_step == self.skip:
            self.engine = self.asked()
            self.first = self.now()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop it at the last."""
        if state.global_step == state.max_steps:
            self.last = self.now()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Keep the losses."""
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def cost(self, steps: int) -> dict[str, Any]:
        """Seconds of a step and of the whole run, MiB at the peak."""
        if self.device == "cuda":
            memory = torch.cuda.max_memory_allocated() / 2**20
        else:
            memory = (resident("VmHWM") - self.before) / 1024 if self.before is not None else None
        timed = steps - self.skip
        return {
            "wall": (self.last[0] - self.first[0]) / timed, "processor": (self.last[1] - self.first[1]) / timed,
            "whole_wall": self.last[0] - self.start[0], "whole_processor": self.last[1] - self.start[1],
            "memory": memory, "losses": self.losses, "engine": self.engine,
        }  # fmt: skip


def processor_seconds() -> float:
    """Processor time of this process, of its children that ended and of those that run (workers of a loader)."""
    running = 0.0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2].split()
        running += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    times = os.times()
    return running + times.user + times.system + times.children_user + times.children_system


def count_tokens(place: str, pairs: Pairs) -> int:
    """Tokens of both sides, padding not counted."""
    from align.encoders.checkpoint import load_encoder

    encoder = load_encoder(place, device="cpu")
    return sum(len(row) for side in zip(*pairs, strict=True) for row in encoder.tokenize(side, max_tokens=MAX_TOKENS))


def model_folder(place: str) -> str:
    """Of ``seed``, the folder that sentence-transformers can load too."""
    return str(files("align") / "data" / "seed") if place == "seed" else place


def table(pairs: Pairs) -> Any:
    """Our columns; every pair means something of its own, as sentence-transformers takes it."""
    columns = {
        "source": [source for source, _ in pairs], "target": [target for _, target in pairs],
        "source_lang": ["und_Zyyy"] * len(pairs), "target_lang": ["eng_Latn"] * len(pairs),
        "group_id": [str(number) for number in range(len(pairs))],
    }  # fmt: skip
    if find_spec("datasets"):
        from datasets import Dataset

        return Dataset.from_dict(columns)
    import pyarrow

    return Columns(pyarrow.table(columns))


class Columns:
    """What stands in for a ``datasets.Dataset`` where that package is missing."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.column_names = table.column_names

    def __len__(self) -> int:
        """Rows."""
        return len(self.table)

    def __getitem__(self, name: str) -> list[Any]:
        """A column."""
        return self.table.column(name).to_pylist()

    def select_columns(self, names: list[str]) -> Columns:
        """Some of the columns."""
        return Columns(self.table.select(names))

    def with_format(self, _: str) -> Columns:
        """The same: it has but one format."""
        return self

    def iter(self, batch_size: int) -> Iterator[Any]:
        """Arrow tables of so many rows."""
        yield from (self.table.slice(start, batch_size) for start in range(0, len(self), batch_size))


def recipe(settings: dict[str, Any]) -> Any:
    """Multiple negatives ranking as sentence-transformers defines it, with settings of [train]."""
    from align.objectives.multiple_negatives import MultipleNegativesOptions
    from align.training.options import TrainOptions
    from align.training.recipe import Recipe

    objective = MultipleNegativesOptions(temperature=1 / SCALE, hard_negatives=False)
    return Recipe(multiple_negatives=objective, train=TrainOptions(**settings))


def train_ours(
    place: str,
    pairs: Pairs,
    *,
    batch: int,
    steps: int,
    skip: int = 0,
    device: str = "cpu",
    random: bool = False,
    halves: bool = False,
    max_tokens: int = MAX_TOKENS,
    **settings: Any,
) -> dict[str, Any]:
    """``align.train``; ``random``: batches are not sorted by length; ``halves``: a forward pass for each side."""
    from align.encoders.checkpoint import load_encoder
    from align.training.engine import engine
    from align.training.train import train

    encoder = load_encoder(place, device=device, max_tokens=max_tokens)
    options = {"steps": steps, "batch_size": batch, "learning_rate": RATE, "max_tokens": max_tokens, "log_every": 1}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if random:
            stack.enter_context(random_batches())
        if halves:
            two_forwards(encoder)
        chosen = recipe(options | settings)
        clock = Clock(device, skip=skip, asked=partial(engine, encoder, chosen))
        train(encoder, table(pairs), chosen, Path(folder) / "model", callbacks=[clock], progress=False)
    return clock.cost(steps)


def train_peer(
    place: str,
    pairs: Pairs,
    *,
    batch: int,
    steps: int,
    skip: int = 0,
    device: str = "cpu",
    workers: int = 1,
    bf16: bool = False,
    cached: dict[str, int] | None = None,
    max_tokens: int = MAX_TOKENS,
) -> dict[str, Any]:
    """SentenceTransformerTrainer with MultipleNegativesRankingLoss; ``cached``: arguments of its cached form."""
    model = load_peer(place, device, max_tokens)
    loss = peer_loss(model, cached)
    if not find_spec("datasets"):
        clock = Clock(device, skip=skip)
        bare_loop(model, loss, pairs, clock, batch=batch, steps=steps, workers=workers, bf16=bf16)
        return clock.cost(steps)
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from transformers import PrinterCallback

    rows = table(pairs).select_columns(["source", "target"])
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=batch, learning_rate=RATE,
            warmup_steps=-(-steps // 10), bf16=bf16, dataloader_num_workers=workers, use_cpu=device == "cpu",
            dataloader_pin_memory=device == "cuda", save_strategy="no", logging_steps=1, disable_tqdm=True,
            report_to="none", seed=0,
        )  # fmt: skip
        clock = Clock(device, skip=skip)
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=rows, loss=loss, callbacks=[clock]
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return clock.cost(steps)


def trains_in() -> str:
    """What sentence-transformers' steps run in."""
    return "its Trainer" if find_spec("datasets") else "a bare loop: its Trainer needs the package datasets"


def bare_loop(
    model: Any, loss: Any, pairs: Pairs, clock: Clock, *, batch: int, steps: int, workers: int, bf16: bool
) -> None:
    """What its Trainer does, without its bookkeeping: for machines that lack ``datasets``."""
    device = clock.device
    loader = DataLoader(
        pairs, batch_size=batch, shuffle=True, num_workers=workers, drop_last=True, pin_memory=device == "cuda",
        collate_fn=lambda rows: [features(model, side) for side in zip(*rows, strict=True)],
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    model.train()
    for step, sides in zip(range(steps), loader, strict=False):
        clock.on_step_begin(None, SimpleNamespace(global_step=step), None)
        moved = [{name: value.to(device, non_blocking=True) for name, value in side.items()} for side in sides]
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            value = loss(moved, None)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        clock.on_step_end(None, SimpleNamespace(global_step=step + 1, max_steps=steps), None)


def features(model: Any, texts: Sequence[str]) -> dict[str, Tensor]:
    """Texts as its models read them."""
    prepare = getattr(model, "preprocess", None) or model.tokenize
    return {name: value for name, value in prepare(list(texts)).items() if isinstance(value, Tensor)}


def load_peer(place: str, device: str, max_tokens: int) -> Any:
    """The model as sentence-transformers loads it, in float32 with torch's own attention (SDPA)."""
    from sentence_transformers import SentenceTransformer

    from align.encoders.checkpoint import quiet

    with quiet():
        model = SentenceTransformer(
            model_folder(place), device=device, model_kwargs={"dtype": torch.float32, "attn_implementation": "sdpa"}
        )
    model.max_seq_length = max_tokens
    return model


def peer_loss(model: Any, cached: dict[str, int] | None) -> Any:
    """The loss of sentence-transformers."""
    from sentence_transformers.sentence_transformer import losses

    if cached is None:
        return losses.MultipleNegativesRankingLoss(model, scale=SCALE)
    return losses.CachedMultipleNegativesRankingLoss(model, scale=SCALE, **cached)


@contextmanager
def random_batches() -> Iterator[None]:
    """Our sampler sees equal lengths, so that its batches are as random as sentence-transformers'."""
    from align.training import stage as trainer

    real = trainer.BatchStream
    trainer.BatchStream = lambda lengths, *rest, **more: real(np.ones_like(lengths), *rest, **more)
    try:
        yield
    finally:
        trainer.BatchStream = real


def two_forwards(encoder: Any) -> None:
    """Make the encoder run the two sides of a batch one after the other, each padded to its own longest text."""
    whole = encoder.hidden

    def halves(ids: Tensor, attention: Tensor, **more: Any) -> Any:
        middle, parts = len(ids) // 2, []
        lengths = more.pop("lengths", None) or attention.sum(1).tolist()
        for rows in (slice(None, middle), slice(middle, None)):
            longest = max(lengths[rows])
            parts.append(whole(ids[rows, :longest], attention[rows, :longest], lengths=lengths[rows], **more))
        return type(parts[0])(*(joined([part[i] for part in parts], ids.shape[1]) for i in range(len(parts[0]))))

    encoder.hidden = halves


def joined(states: Sequence[Tensor], width: int) -> Tensor:
    """States of several batches as one, filled up with zeros to (B, width, D)."""
    return torch.cat([torch.nn.functional.pad(one, (0, 0, 0, width - one.shape[1])) for one in states])


def gradients(model: PreTrainedModel) -> dict[str, Tensor]:
    """Gradients of the body by name, those that are there."""
    named = model.base_model.named_parameters()
    return {name: p.grad.detach().clone() for name, p in named if p.grad is not None}


def ours_once(place: str, pairs: Pairs, *, device: str = "cpu", **settings: Any) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients of one batch, without dropout."""
    from align.encoders.checkpoint import load_encoder
    from align.training.batches import Batches
    from align.training.step import Alignment
    from align.training.store import build_store

    encoder = load_encoder(place, device=device, max_tokens=MAX_TOKENS)
    chosen = recipe({"batch_size": len(pairs), "max_tokens": MAX_TOKENS} | settings)
    store = build_store(table(pairs), encoder, max_tokens=MAX_TOKENS)
    batch = Batches(store, encoder, chosen)[(0, np.arange(len(pairs)))]
    module = Alignment(encoder, chosen).eval()
    batch = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
    batch.pop("rows")
    encoder.attention = chosen.train.attention
    with torch.autocast(device, torch.bfloat16, enabled=chosen.train.bf16):
        loss = module(**batch)["loss"]
    loss.backward()
    return loss.item(), gradients(encoder.model)


def peer_once(place: str, pairs: Pairs, *, device: str = "cpu") -> tuple[float, dict[str, Tensor]]:
    """The same by sentence-transformers."""
    model = load_peer(place, device, MAX_TOKENS).eval()
    sides = [features(model, side) for side in zip(*pairs, strict=True)]
    moved = [{name: value.to(device) for name, value in side.items()} for side in sides]
    loss = peer_loss(model, None)(moved, None)
    loss.backward()
    return loss.item(), gradients(transformer_of(model))


def transformer_of(model: Any) -> PreTrainedModel:
    """The transformers model inside a sentence-transformers one."""
    return next(part for part in model.modules() if isinstance(part, PreTrainedModel))


def difference(ours: tuple[float, dict[str, Tensor]], peer: tuple[float, dict[str, Tensor]]) -> dict[str, float]:
    """How far two (loss, gradients) are apart.

    Raises:
        SystemExit: one has a gradient that the other lacks.
    """
    if ours[1].keys() != peer[1].keys():
        raise SystemExit(f"gradients of one side only: {sorted(ours[1].keys() ^ peer[1].keys())[:5]}")
    a, b = (torch.cat([one[1][name].flatten() for name in sorted(one[1])]).double() for one in (ours, peer))
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=0).item()
    return {"ours": ours[0], "peer": peer[0], "loss": abs(ours[0] - peer[0]), "gradient_cosine": cosine}

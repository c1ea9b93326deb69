"""One timed training run of ours, or of sentence-transformers', on the same pairs.

Each run belongs in a process of its own. Both sides run transformers' Trainer with AdamW, gradient clipping and the
same learning rate, and both are timed by the same callback, from the start of one step to the end of the last: what a
step waits for is in it, what happens once is not.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import AutoTokenizer, BertForMaskedLM, PreTrainedModel, PrinterCallback, TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.encoders.weights import quiet
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.training import stage
from align.training.batches import Batches
from align.training.engine import engine
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train
from scripts.bench.harness import Row, added, processor_seconds, reset_peak
from scripts.bench.texts import Pairs

MAX_TOKENS = 128
SCALE = 20.0  # of sentence-transformers; our temperature is 1 / SCALE
RATE = 2e-5
Gradients = dict[str, Tensor]


class Clock(TrainerCallback):
    """Wall and processor time of the steps, the first ``skip`` left out, and memory at its peak.

    Args:
        device: synchronised before a time is taken.
        skip: steps that warm up.
        asked: says, in a step, what it runs on.
    """

    def __init__(self, device: str, *, skip: int = 0, asked: Callable[[], str] = str) -> None:
        self.device, self.skip, self.asked, self.engine = device, skip, asked, ""
        self.losses: list[float] = []
        self.before = reset_peak()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self.start = self.first = self.last = self.now()

    def now(self) -> tuple[float, float]:
        """Seconds by the wall and of the processor, once the device has nothing left to do."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), processor_seconds()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock at the first step that counts."""
        if state.global_step == self.skip:
            self.engine, self.first = self.asked(), self.now()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop it at the last."""
        if state.global_step == state.max_steps:
            self.last = self.now()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Keep the losses."""
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def cost(self, steps: int) -> Row:
        """Seconds of a step and of the whole run, MiB at the peak."""
        cuda, timed = self.device == "cuda", steps - self.skip
        return {
            "wall": (self.last[0] - self.first[0]) / timed, "processor": (self.last[1] - self.first[1]) / timed,
            "whole_wall": self.last[0] - self.start[0], "whole_processor": self.last[1] - self.start[1],
            "memory": torch.cuda.max_memory_allocated() / 2**20 if cuda else added(self.before),
            "losses": self.losses, "engine": self.engine,
        }  # fmt: skip


def model_folder(place: str) -> str:
    """Of ``seed``, the folder that sentence-transformers can load too."""
    return str(files("align") / "data" / "seed") if place == "seed" else place


def with_head(model: str, folder: Path) -> Path:
    """A copy of a BERT encoder that lost its masked-LM head: a new one, tied to the word embeddings."""
    torch.manual_seed(0)
    with quiet():
        BertForMaskedLM.from_pretrained(model).save_pretrained(folder)
        AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


def columns(pairs: Pairs) -> Dataset:
    """Our columns; every pair means something of its own, as sentence-transformers takes it."""
    source, target = zip(*pairs, strict=True)
    languages = {"source_lang": ["und_Zyyy"] * len(pairs), "target_lang": ["eng_Latn"] * len(pairs)}
    groups = [str(number) for number in range(len(pairs))]
    return Dataset.from_dict({"source": source, "target": target, **languages, "group_id": groups})


def recipe(settings: Row) -> Recipe:
    """Multiple negatives ranking as sentence-transformers defines it, with settings of [train]."""
    objective = MultipleNegativesOptions(temperature=1 / SCALE, hard_negatives=False)
    return Recipe(multiple_negatives=objective, train=TrainOptions(**settings))


def train_ours(
    place: str, pairs: Pairs, *, batch: int, steps: int, skip: int = 0, device: str = "cpu", random: bool = False,
    halves: bool = False, max_tokens: int = MAX_TOKENS, **settings: Any,
) -> Row:  # fmt: skip
    """``align.train``; ``random``: batches are not sorted by length; ``halves``: a forward pass for each side."""
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
        train(encoder, columns(pairs), chosen, Path(folder) / "model", callbacks=[clock], progress=False)
    return clock.cost(steps)


def train_peer(
    place: str, pairs: Pairs, *, batch: int, steps: int, skip: int = 0, device: str = "cpu", workers: int = 1,
    bf16: bool = False, cached: dict[str, int] | None = None, max_tokens: int = MAX_TOKENS,
) -> Row:  # fmt: skip
    """SentenceTransformerTrainer with MultipleNegativesRankingLoss; ``cached``: arguments of its cached form."""
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    model = load_peer(place, device, max_tokens)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=batch, learning_rate=RATE,
            warmup_steps=-(-steps // 10), bf16=bf16, dataloader_num_workers=workers, use_cpu=device == "cpu",
            dataloader_pin_memory=device == "cuda", save_strategy="no", logging_steps=1, disable_tqdm=True,
            report_to="none", seed=0,
        )  # fmt: skip
        clock = Clock(device, skip=skip)
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=columns(pairs).select_columns(["source", "target"]),
            loss=peer_loss(model, cached), callbacks=[clock],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return clock.cost(steps)


def load_peer(place: str, device: str, max_tokens: int, *, dtype: torch.dtype = torch.float32) -> Any:
    """The model as sentence-transformers loads it, with torch's own attention (SDPA)."""
    from sentence_transformers import SentenceTransformer

    with quiet():
        settings = {"dtype": dtype, "attn_implementation": "sdpa"}
        model = SentenceTransformer(model_folder(place), device=device, model_kwargs=settings)
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
    real = stage.BatchStream
    stage.BatchStream = lambda lengths, *rest, **more: real(np.ones_like(lengths), *rest, **more)
    try:
        yield
    finally:
        stage.BatchStream = real


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


def gradients(model: PreTrainedModel) -> Gradients:
    """Gradients of the body by name, those that are there."""
    named = model.base_model.named_parameters()
    return {name: p.grad.detach().clone() for name, p in named if p.grad is not None}


def ours_once(place: str, pairs: Pairs, **settings: Any) -> tuple[float, Gradients]:
    """Loss and gradients of one batch, without dropout."""
    encoder = load_encoder(place, device="cpu", max_tokens=MAX_TOKENS)
    chosen = recipe({"batch_size": len(pairs), "max_tokens": MAX_TOKENS} | settings)
    found, _ = one_batch(encoder, chosen, pairs)
    found["loss"].backward()
    return found["loss"].item(), gradients(encoder.model)


def one_batch(encoder: Any, chosen: Recipe, pairs: Pairs) -> tuple[dict[str, Tensor], Row]:
    """The terms of all pairs in one step of a recipe without dropout, and the batch."""
    store = build_store(columns(pairs), encoder, max_tokens=MAX_TOKENS)
    batch = Batches(store, encoder, chosen)[(0, np.arange(len(pairs)))]
    batch.pop("rows")
    module = Alignment(encoder, chosen).eval()
    encoder.attention = chosen.train.attention
    with torch.autocast("cpu", torch.bfloat16, enabled=chosen.train.bf16):
        return module(**batch), batch


def peer_once(place: str, pairs: Pairs) -> tuple[float, Gradients]:
    """The same by sentence-transformers."""
    model = load_peer(place, "cpu", MAX_TOKENS).eval()
    read = [model.preprocess(list(side)) for side in zip(*pairs, strict=True)]
    sides = [{name: value for name, value in side.items() if isinstance(value, Tensor)} for side in read]
    loss = peer_loss(model, None)(sides, None)
    loss.backward()
    return loss.item(), gradients(next(part for part in model.modules() if isinstance(part, PreTrainedModel)))


def difference(ours: tuple[float, Gradients], peer: tuple[float, Gradients]) -> dict[str, float]:
    """How far two (loss, gradients) are apart."""
    if ours[1].keys() != peer[1].keys():
        raise SystemExit(f"gradients of one side only: {sorted(ours[1].keys() ^ peer[1].keys())[:5]}")
    a, b = (torch.cat([one[1][name].flatten() for name in sorted(one[1])]).double() for one in (ours, peer))
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=0).item()
    return {"ours": ours[0], "peer": peer[0], "loss": abs(ours[0] - peer[0]), "gradient_cosine": cosine}

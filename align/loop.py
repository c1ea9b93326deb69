"""The Hugging Face Trainer on our batches and objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments

from align.alignment import Alignment
from align.batches import Batches
from align.blocks import recompute_activations
from align.callbacks import Evaluation, FiniteGradients, Progress, TrainingStopped
from align.encoder import Encoder
from align.options import Recipe
from align.resume import seal
from align.sampling import BatchStream


def arguments(recipe: Recipe, work: Path, encoder: Encoder, report_to: str, progress: bool) -> TrainingArguments:
    """The recipe in the words of transformers."""
    options = recipe.train
    if options.gradient_checkpointing:
        recompute_activations(encoder.model, True)
    return TrainingArguments(
        output_dir=str(work), max_steps=options.steps, per_device_train_batch_size=options.batch_size,
        gradient_accumulation_steps=options.accumulate, learning_rate=options.learning_rate,
        warmup_steps=math.ceil(options.warmup * options.steps), lr_scheduler_type=SCHEDULES[options.schedule],
        weight_decay=options.weight_decay, bf16=options.bf16, seed=options.seed, use_cpu=encoder.device.type == "cpu",
        save_strategy="steps" if options.save_every else "no", save_steps=options.save_every or 500, save_total_limit=2,
        logging_steps=options.log_every, logging_nan_inf_filter=False, disable_tqdm=not progress, report_to=report_to,
        remove_unused_columns=False, dataloader_pin_memory=encoder.device.type == "cuda",
        accelerator_config={"split_batches": False, "dispatch_batches": False},
    )  # fmt: skip


SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


class AlignTrainer(Trainer):
    """The Hugging Face Trainer on our data path and objectives.

    Args:
        module: encoder and objectives.
        batches: makes the tensors of a batch.
        stream: says which rows are in each batch of this process.
        args: transformers' arguments.
        callbacks: transformers' callbacks.
        evaluation: what else a checkpoint keeps.
    """

    def __init__(
        self,
        module: Alignment,
        batches: Batches,
        stream: BatchStream,
        args: TrainingArguments,
        callbacks: Sequence[TrainerCallback] = (),
        *,
        evaluation: Evaluation,
    ) -> None:
        checks = [FiniteGradients(), *callbacks, evaluation]
        super().__init__(model=module, args=args, train_dataset=batches, callbacks=checks)
        self.stream, self.batches, self.evaluation = stream, batches, evaluation
        self.model_accepts_loss_kwargs = False  # our losses are means: accumulation divides them
        self.history: list[dict[str, float]] = []
        self._terms: dict[str, list[Tensor]] = {}
        for theirs in (ProgressCallback, PrinterCallback):  # the latter prints to stdout when bars are off
            self.remove_callback(theirs)
        if not args.disable_tqdm:
            self.add_callback(Progress())

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Batches of this process; not given to accelerate, which would shard them again."""
        return DataLoader(
            self.batches, batch_sampler=self.stream, collate_fn=lambda made: made[0],
            pin_memory=self.args.dataloader_pin_memory,
        )  # fmt: skip

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any
    ) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the recipe's objectives; stops at NaN or infinity."""
        rows = inputs.pop("rows")
        terms: dict[str, Tensor] = model(**inputs)
        if not bool(torch.isfinite(terms["loss"])):
            values = ", ".join(f"{name} {value.item():.4g}" for name, value in terms.items())
            raise TrainingStopped(
                f"step {self.state.global_step + 1}: {values}; pairs {rows[:8].tolist()}...; "
                f"checkpoints in {self.args.output_dir} are good"
            )
        for name, value in terms.items():
            self._terms.setdefault(name, []).append(value.detach())
        return (terms["loss"], terms) if return_outputs else terms["loss"]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each objective since the last line."""
        if "loss" in logs:
            logs |= {name: torch.stack(v).mean().item() for name, v in self._terms.items()}
            self._terms.clear()
            self.history.append({"step": self.state.global_step, **logs})
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """Save each tensor under one name only: safetensors refuses tied weights."""
        kept, seen = {}, set()
        for name, value in (state_dict or self.model.state_dict()).items():
            if value.data_ptr() not in seen:
                seen.add(value.data_ptr())
                kept[name] = value
        super()._save(output_dir, state_dict=kept)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Write a manifest of hashes last, so that a damaged or half-written checkpoint is known as such."""
        super()._save_checkpoint(*args, **kwargs)
        if self.args.should_save:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            self.evaluation.save(folder)
            seal(folder)

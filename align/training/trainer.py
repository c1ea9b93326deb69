"""The Hugging Face Trainer on our batches and objectives."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.integrations import get_reporting_integration_callbacks
from transformers.trainer_utils import SaveStrategy

from align.encoders.encoder import Encoder
from align.encoders.prefetch import ahead
from align.training.batches import Batches, share_predicted
from align.training.callbacks import Evaluation, LastLine, Progress, Terminate, Tolerated, TrainingStopped
from align.training.distributed import world
from align.training.history import History
from align.training.optimizer import AdamW, clip_gradients, gradient_norm, not_finite, parameter_groups
from align.training.recipe import Recipe
from align.training.resume import loaded, remove_older, saved, seal
from align.training.sampling import BatchStream
from align.training.step import Alignment


@dataclass
class Arguments(TrainingArguments):
    """transformers' arguments, for one device a process.

    In a run of one process transformers would take the first GPU, whichever the encoder is on, and share each batch out
    among all that it sees (``DataParallel``), which cannot be done with ours.
    """

    place: str = "cpu"
    """Device of the encoder."""

    @property
    def device(self) -> torch.device:
        """Where the encoder is; of several processes each has its own."""
        found: torch.device = super().device
        return torch.device(self.place) if world()[1] == 1 else found

    @property
    def n_gpu(self) -> int:
        """Devices of this process."""
        return min(int(super().n_gpu), 1)


def arguments(recipe: Recipe, work: Path, encoder: Encoder, report_to: str, progress: bool) -> Arguments:
    """The recipe in the words of transformers."""
    options = recipe.train
    training_arguments = Arguments(
        output_dir=str(work), max_steps=options.steps, per_device_train_batch_size=options.batch_size,
        gradient_accumulation_steps=options.accumulate, learning_rate=options.learning_rate, max_grad_norm=1.0,
        warmup_steps=math.ceil(options.warmup * options.steps), lr_scheduler_type=SCHEDULES[options.schedule],
        weight_decay=options.weight_decay, bf16=options.bf16, seed=options.seed, use_cpu=encoder.device.type == "cpu",
        save_strategy="steps" if options.save_every else "no", save_steps=options.save_every or 500,
        logging_steps=options.log_every, logging_nan_inf_filter=False, disable_tqdm=not progress, report_to=report_to,
        remove_unused_columns=False, dataloader_pin_memory=encoder.device.type == "cuda",
        accelerator_config={"split_batches": False, "dispatch_batches": False}, place=str(encoder.device),
    )  # fmt: skip
    if training_arguments.device.type == "cuda":
        torch.cuda.set_device(training_arguments.device)  # where accelerate puts the model
    return training_arguments


logger = logging.getLogger(__name__)
KEPT = 2
"""Checkpoints that stay: the newest, and the one before, should that be damaged."""
SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


class AlignTrainer(Trainer):
    """The Hugging Face Trainer on our data path and objectives; checkpoints are sealed with the settings of the run."""

    def __init__(
        self,
        module: Alignment,
        batches: Batches,
        stream: BatchStream,
        args: TrainingArguments,
        callbacks: Sequence[TrainerCallback] = (),
        *,
        evaluation: Evaluation,
        settings: Mapping[str, Any],
    ) -> None:
        options = module.recipe.train
        kind, adam = self.get_optimizer_cls_and_kwargs(args)
        kind = AdamW if options.sparse_embeddings else kind
        super().__init__(
            model=module, args=args, train_dataset=batches, callbacks=[*callbacks, evaluation, LastLine()],
            optimizers=(kind(parameter_groups(module, options), **adam), None),
        )  # fmt: skip
        self.module, self.stream, self.batches = module, stream, batches
        self.evaluation, self.settings, self.history = evaluation, settings, History()
        self.model_accepts_loss_kwargs = False  # our losses are means: accumulation divides them
        self._unchecked: list[tuple[Tensor, dict[str, Tensor]]] = []
        self._loader: Iterator[Any] | None = None
        self._ahead: Iterator[Any] | None = None
        for theirs in (ProgressCallback, PrinterCallback):  # the latter prints to stdout when bars are off
            self.remove_callback(theirs)
        trackers = tuple(get_reporting_integration_callbacks(args.report_to))
        told = self.callback_handler.callbacks
        self.callback_handler.callbacks = [Tolerated(one) if isinstance(one, trackers) else one for one in told]
        self.terminate = Terminate(args.device)
        if args.save_strategy != SaveStrategy.NO:
            self.add_callback(self.terminate)  # the last
        if not args.disable_tqdm:
            self.add_callback(Progress())

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train; dropout is drawn from a stream of the run's seed in each process, so that none is alike."""
        set_seed((self.module.recipe.train.seed + world()[0]) % 2**32)
        try:
            with self.terminate.heeded() if self.args.save_strategy != SaveStrategy.NO else nullcontext():
                return super().train(*args, **kwargs)
        finally:
            self._loader = self._ahead = None  # ends its thread

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *args: Any, **kwargs: Any) -> None:
        with loaded(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, *args, **kwargs)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with loaded(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with loaded(checkpoint):
            super()._load_rng_state(checkpoint)

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Batches of this process; not given to accelerate, which would shard them again."""
        return DataLoader(
            self.batches, batch_sampler=self.stream, collate_fn=lambda made: made[0],
            pin_memory=self.args.dataloader_pin_memory,
        )  # fmt: skip

    def get_batch_samples(self, epoch_iterator: Iterator[Any], *args: Any, **kwargs: Any) -> Any:
        """The next batches, made ahead in a thread. Not by the loader: a resumed run gets another from accelerate."""
        if self._loader is not epoch_iterator:
            self._loader = epoch_iterator
            self._ahead = ahead(epoch_iterator, depth=self.module.recipe.train.prefetch)
        found = super().get_batch_samples(self._ahead, *args, **kwargs)
        share_predicted(found[0], self.args.device)
        return found

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any
    ) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the recipe's objectives."""
        rows = inputs.pop("rows")
        terms: dict[str, Tensor] = model(**inputs)
        kept = {name: value.detach() for name, value in terms.items()}
        self._unchecked.append((rows, kept))
        self.history.add(kept)
        return (terms["loss"], terms) if return_outputs else terms["loss"]

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        """Length of the whole gradient, which is then clipped; stops at NaN or infinity in it, or in a loss.

        transformers asks for it before each step of the optimiser. All is checked here at once, since a GPU has to be
        waited for to know.
        """
        parameters = list(self.module.parameters())
        norm = gradient_norm(parameters)
        length, *losses = torch.stack([norm, *(terms["loss"].to(norm) for _, terms in self._unchecked)]).tolist()
        if not all(map(math.isfinite, (length, *losses))):
            self._stop()
        self._unchecked.clear()
        if length + 1e-6 > self.args.max_grad_norm:  # else the factor is 1
            clip_gradients(parameters, norm, limit=self.args.max_grad_norm)
        return norm

    def _stop(self) -> None:
        step = f"step {self.state.global_step + 1}"
        for rows, terms in self._unchecked:
            if not bool(terms["loss"].isfinite()):
                values = ", ".join(f"{name} {value.item():.4g}" for name, value in terms.items())
                raise TrainingStopped(
                    f"{step}: {values}; pairs {rows[:8].tolist()}...; checkpoints in {self.args.output_dir} are good"
                )
        name = not_finite(self.module.named_parameters()) or "all parameters together"
        raise TrainingStopped(f"{step}: the gradient of {name} is not finite")

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each objective since the last line, over all processes, and the learned numbers."""
        if "loss" in logs:
            if (loss := self.history.still()) is not None and self.args.should_log:
                logger.warning(
                    "step %d: the loss was %.4g in every step since the last line: nothing is learned, as where all "
                    "vectors have become alike or the learning rate is too small", self.state.global_step, loss,
                )  # fmt: skip
            logs |= self.history.means() | self.module.numbers()
            self.history.lines.append({"step": self.state.global_step, **logs})
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
        """Write a manifest of hashes last, so that a damaged or half-written checkpoint is known as such.

        Only then is an older one removed; transformers would do so before, and by the clock.
        """
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        with saved(folder):
            super()._save_checkpoint(*args, **kwargs)
            self.history.save(folder)
            if self.args.should_save:
                self.evaluation.save(folder)
                seal(folder, self.settings)
                remove_older(folder.parent, keep=KEPT)

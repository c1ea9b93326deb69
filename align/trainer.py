"""Training: the Hugging Face Trainer with our batches and objectives, and ``train`` around it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments

from align.alignment import Alignment
from align.batches import Batches
from align.blocks import blocks
from align.callbacks import Evaluation, Evaluator, FiniteGradients, Progress, TrainingStopped
from align.checkpoint import save_encoder
from align.config import Recipe, as_table
from align.distributed import world
from align.encoder import Encoder
from align.errors import InputError
from align.files import write_json
from align.model_card import model_card, provenance
from align.resume import newest_checkpoint, seal
from align.sampling import BatchStream
from align.store import PairStore, build_store, tokenize

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


def train(
    encoder: Encoder,
    pairs: Dataset,
    recipe: Recipe,
    out: str | Path,
    *,
    rehearsal: Sequence[str] = (),
    evaluators: Mapping[str, Evaluator] | None = None,
    best: str | None = None,
    resume: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    report_to: str = "none",
    about: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Align an encoder on pairs, in place, and save it.

    Writes to ``out`` the sentence encoder (loads with ``SentenceTransformer(out)``), the whole masked-LM checkpoint
    if there is one, a model card, and ``align.json`` with the resolved recipe, versions, seed and data hash.
    Checkpoints to resume from go to ``out`` + ``.checkpoints`` (``train.save_every``), evaluations by ``evaluators``
    run every ``train.evaluate_every`` steps on the first process.

    Args:
        encoder: where training starts, and the frozen encoder of ``anchor``.
        pairs: a table with source, target, source_lang, target_lang, group_id (``align.read_pairs``).
        recipe: ``align.load_recipe("transliteration")`` or your own.
        out: folder of the result, written whole at the end; an older one is replaced.
        rehearsal: texts in any language whose vectors shall not move (``anchor.rehearsal``).
        evaluators: name -> function of the encoder that returns scores by name.
        best: "name/score" of an evaluator, higher is better: the result has the weights of the best evaluation.
        resume: go on from the newest undamaged checkpoint of the same recipe and data.
        callbacks: transformers callbacks.
        report_to: trackers as transformers names them ("tensorboard", "wandb", ...).
        about: JSON values for the model card (the pairs' manifest).
        progress: show bars and lines of metrics.

    Returns:
        summary of the data and the run: pairs, languages, scripts, negatives, parameters, final losses, evaluations.

    Raises:
        InputError: data or recipe that cannot be trained on, before any step runs.
        TrainingStopped: NaN or infinity in a loss or gradient.
    """
    options = recipe.train
    work = Path(f"{out}.checkpoints")
    if Path(out).is_file():
        raise InputError(f"{out} is a file; expected a folder to write to")
    if recipe.encoder.layer is not None and recipe.encoder.layer != encoder.layer:
        raise InputError(
            f"the recipe pools layer {recipe.encoder.layer}, the encoder was loaded with layer {encoder.layer}"
        )
    if best and (not evaluators or best.split("/")[0] not in evaluators):
        raise InputError(
            f"best={best!r} names no evaluator: expected one of {', '.join(evaluators or {}) or '(none given)'}"
        )
    if recipe.anchor and recipe.anchor.rehearsal and not rehearsal:
        raise InputError("the recipe rehearses (anchor.rehearsal), but no rehearsal texts were given")
    store = build_store(pairs, encoder, max_tokens=options.max_tokens, progress=progress)
    module = Alignment(encoder, recipe)
    rank, processes = world_of_launch()
    stream = BatchStream(
        store.lengths, store.languages, store.groups, batch_size=options.batch_size,
        total=options.steps * options.accumulate, seed=options.seed, temperature=options.language_temperature,
        by_language=options.batches_by_language, rank=rank, world=processes,
    )  # fmt: skip
    rows = np.unique(np.concatenate([rows for _, rows in stream.whole()]))  # refuses a batch larger than the data
    trained = set_trainable(module)
    facts = summary(store, recipe, trained, processes)
    if rank == 0:
        log.info("%s", summary_line(facts))
    start = start_weights(module) if options.interpolate < 1 else None
    vectors = (
        starting_vectors(encoder, pairs, rows, max_tokens=options.max_tokens, progress=progress)
        if recipe.needs_start
        else None
    )
    kept = None
    if recipe.anchor and recipe.anchor.rehearsal:
        tokens = tokenize(rehearsal, encoder, max_tokens=options.max_tokens, progress=progress)
        kept = (tokens, encoder.encode(rehearsal, max_tokens=options.max_tokens, raw=True, progress=progress))
    batches = Batches(store, encoder, recipe, rank=rank, start=vectors, rehearsal=kept)
    trainer = AlignTrainer(module, batches, stream, arguments(recipe, work, encoder, report_to, progress), callbacks)
    evaluation = Evaluation(encoder, evaluators or {}, options.evaluate_every, best)
    trainer.add_callback(evaluation)
    settings = {"recipe": as_table(recipe), "pairs": store.digest, "processes": processes}
    checkpoint = newest_checkpoint(work, settings) if resume else None
    if options.save_every and rank == 0:
        write_json(work / "run.json", settings)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        for parameter in module.parameters():
            parameter.requires_grad_(True)
    evaluation.restore_best()
    if start is not None:
        interpolate(module, start, options.interpolate)
    encoder.eval()
    facts |= {"losses": trainer.history, "evaluations": evaluation.results}
    if rank == 0:
        extra = provenance(recipe, store, about or {}) | {"summary": facts}
        save_encoder(encoder, out, card=model_card(encoder, extra), extra=extra)
    return facts


def world_of_launch() -> tuple[int, int]:
    """(rank, processes), starting the process group if torchrun launched us."""
    import os

    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group()
    return world()


def set_trainable(module: Alignment) -> int:
    """Freeze what gets no gradient (blocks above the pooled layer, an unused head) or must not move; count the rest."""
    encoder, recipe = module.encoder, module.recipe
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    if module.head is None:
        for name, parameter in encoder.model.named_parameters():
            if encoder.model is not encoder.body and not name.startswith(f"{encoder.model.base_model_prefix}."):
                parameter.requires_grad_(False)
        for block in blocks(encoder.model)[encoder.layer :]:
            block.requires_grad_(False)
    if recipe.train.freeze_embeddings:
        encoder.body.get_input_embeddings().requires_grad_(False)
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def summary(store: PairStore, recipe: Recipe, trained: int, processes: int) -> dict[str, Any]:
    """What a user should know before the first step."""
    batch = recipe.train.batch_size * processes
    codes = store.names
    return {
        "pairs": len(store.groups), "groups": len(np.unique(store.groups)), "languages": len(codes),
        "scripts": sorted({code.partition("_")[2] for code in codes}),
        "negatives": 2 * batch - 2 if recipe.nt_xent else batch - 1 + recipe.info_nce.bank if recipe.info_nce else 0,
        "pairs_per_step": batch * recipe.train.accumulate, "trainable_parameters": trained,
    }  # fmt: skip


def summary_line(facts: Mapping[str, Any]) -> str:
    """One line for people."""
    return (
        f"{facts['pairs']:,} pairs in {facts['groups']:,} groups, {facts['languages']} languages, "
        f"{len(facts['scripts'])} scripts ({' '.join(facts['scripts'])}), {facts['negatives']} negatives per anchor, "
        f"{facts['pairs_per_step']} pairs per step, {facts['trainable_parameters']:,} trainable parameters"
    )


def starting_vectors(
    encoder: Encoder, pairs: Dataset, rows: NDArray[np.int64], *, max_tokens: int, progress: bool
) -> NDArray[np.float32]:
    """(n, D) raw vectors of the sources by the encoder as it is now; NaN for all but ``rows``, those to be drawn."""
    vectors = np.full((len(pairs), encoder.dimension), np.nan, dtype=np.float32)
    vectors[rows] = encoder.encode(
        list(pairs.select(rows)["source"]), max_tokens=max_tokens, raw=True, progress=progress
    )
    return vectors


def start_weights(module: Alignment) -> dict[str, Tensor]:
    """A copy of what will be trained."""
    return {name: p.detach().clone() for name, p in module.encoder.named_parameters() if p.requires_grad}


@torch.no_grad()
def interpolate(module: Alignment, start: Mapping[str, Tensor], share: float) -> None:
    """Set the weights to share * trained + (1 - share) * start (Wortsman et al. 2022, arXiv:2109.01903, eq. 1)."""
    for name, parameter in module.encoder.named_parameters():
        if name in start:
            parameter.lerp_(start[name].to(parameter.device), 1 - share)


def arguments(recipe: Recipe, work: Path, encoder: Encoder, report_to: str, progress: bool) -> TrainingArguments:
    """The recipe in the words of transformers."""
    options = recipe.train
    if options.gradient_checkpointing:
        encoder.model.gradient_checkpointing_enable({"use_reentrant": False})
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
    """

    def __init__(
        self,
        module: Alignment,
        batches: Batches,
        stream: BatchStream,
        args: TrainingArguments,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        super().__init__(model=module, args=args, train_dataset=batches, callbacks=[FiniteGradients(), *callbacks])
        self.stream, self.batches = stream, batches
        self.model_accepts_loss_kwargs = False  # our losses are means: accumulation divides them
        self.history: list[dict[str, float]] = []
        self._terms: dict[str, list[Tensor]] = {}
        for theirs in (ProgressCallback, PrinterCallback):  # the latter prints to stdout when bars are off
            self.remove_callback(theirs)
        if not args.disable_tqdm:
            self.add_callback(Progress())

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Batches of this process; not given to accelerate, which would shard them again."""
        return DataLoader(
            self.batches, batch_sampler=self.stream, collate_fn=lambda made: made[0],
            pin_memory=self.args.dataloader_pin_memory,
        )  # fmt: skip

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
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
            seal(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")

"""Training: the stages of a recipe, one after the other, on pair tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import TrainerCallback

from align.encoders.adapter import Adapter
from align.encoders.blocks import attention_dropout, blocks, recompute_activations
from align.encoders.checkpoint import ENCODER, save_encoder
from align.encoders.device import own_device
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.files.folders import check_replaceable, writing
from align.training.batches import Batches
from align.training.callbacks import Evaluation, Evaluator
from align.training.compiling import ROUND_TO, check_compile
from align.training.distributed import backend, first_of_launch, in_shares, launch, world
from align.training.inputs import columns, frozen
from align.training.lora import adapted_modules, adapter, scale_adapter, train_adapter_only
from align.training.model_card import model_card, provenance
from align.training.optimizer import check_sparse_embeddings
from align.training.recipe import Recipe
from align.training.resume import (
    finish_stage,
    load_finished,
    newest_checkpoint,
    refuse_kept,
    remove_kept,
    run_settings,
)
from align.training.sampling import BatchStream
from align.training.step import Alignment
from align.training.store import PairStore, build_store
from align.training.summary import engine, summary, summary_line
from align.training.tokens import tokenize
from align.training.trainer import AlignTrainer, arguments

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)
Tables = Mapping[str, "Dataset"]


def train(
    encoder: Encoder,
    pairs: Dataset | Tables,
    recipe: Recipe,
    out: str | Path,
    *,
    teacher: Encoder | None = None,
    rehearsal: Sequence[str] = (),
    evaluators: Mapping[str, Evaluator] | None = None,
    best: str | None = None,
    resume: bool = False,
    fresh: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    report_to: str = "none",
    about: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Align an encoder on pairs, in place, and save it.

    Writes to ``out`` the sentence encoder (loads with ``SentenceTransformer(out)``), the whole masked-LM checkpoint
    if there is one, a model card, and ``align.json`` with the resolved recipe, versions, seed and data hash.
    What ``recipe.lora`` trained is merged, and lies in ``out/adapter`` too, for peft:
    ``PeftModel.from_pretrained(AutoModel.from_pretrained(start), "out/adapter")``. Each stage's is in
    ``out/adapter/STAGE``, to be put on what the stages before it made.
    Checkpoints to resume from go to ``out`` + ``.checkpoints`` (``train.save_every``), evaluations by ``evaluators``
    run every ``train.evaluate_every`` steps on the first process. All data is read and checked before any step.

    Args:
        encoder: where training starts, and the frozen encoder of ``anchor``.
        pairs: a table with source, target, source_lang, target_lang, group_id (``align.read_pairs``), or several by
            name; a stage of the recipe draws from those that its ``pairs`` names, or from all.
        recipe: ``align.load_recipe("transliteration")`` or your own.
        out: folder of the result, written whole at the end; an older encoder of Align's is replaced, and no other
            process may write there meanwhile.
        teacher: whose vectors ``distil``, ``smooth_l1`` and contrasts with ``teacher`` learn; it guides ``guided``.
        rehearsal: texts in any language whose vectors shall not move (``anchor.rehearsal``).
        evaluators: name -> function of the encoder that returns scores by name.
        best: "name/score" of an evaluator, higher is better: each stage ends with the weights of its best evaluation,
            the first of equal ones, and stops after ``train.patience`` evaluations in a row without a better one.
        resume: go on from the newest undamaged checkpoint of an equal run: recipe, encoder, data, teacher, rehearsal,
            names of evaluators, best, number of processes and versions are compared.
        fresh: remove the checkpoints of an earlier run first; without it and ``resume`` they are an error.
        callbacks: transformers callbacks.
        report_to: trackers as transformers names them ("tensorboard", "wandb", ...).
        about: JSON values for the model card (the pairs' manifest).
        progress: show bars and lines of metrics.

    Returns:
        summary of the data and the run: pairs, languages, scripts, negatives, parameters, losses, evaluations; with
        stages, ``stages`` is a list of these.

    Raises:
        InputError: data or recipe that cannot be trained on, or an ``out`` that holds something else or that another
            process writes to, before any step runs.
        TrainingStopped: NaN or infinity in a loss or gradient.
    """
    check_replaceable(out, ENCODER)
    if resume and fresh:
        raise InputError("resume goes on with the checkpoints of an earlier run, fresh removes them: expected one")
    if not (resume or fresh):
        refuse_kept(Path(f"{Path(out)}.checkpoints"))
    if next(encoder.parameters()).dtype in (torch.bfloat16, torch.float16):
        raise InputError("training keeps float32 weights: load the encoder without bf16, and set train.bf16 = true")
    if recipe.encoder.layer is not None and recipe.encoder.layer != encoder.layer:
        raise InputError(
            f"the recipe pools layer {recipe.encoder.layer}, the encoder was loaded with layer {encoder.layer}"
        )
    if best and (not evaluators or best.split("/")[0] not in evaluators):
        raise InputError(
            f"best={best!r} names no evaluator: expected one of {', '.join(evaluators or {}) or '(none given)'}"
        )
    stages = recipe.stages or (recipe,)
    if evaluators and not any(stage.train.evaluate_every for stage in stages):
        raise InputError("evaluators were given, but train.evaluate_every is 0: expected the steps between evaluations")
    for stage in stages:
        if stage.train.patience and not best:
            raise InputError("train.patience waits for a better score: expected best, the score to watch")
        if "rehearsal" in stage.needs and not rehearsal:
            raise InputError("the recipe rehearses (anchor.rehearsal), but no rehearsal texts were given")
        if "teacher" in stage.needs and teacher is None:
            raise InputError("the recipe distils, but no teacher was given")
        for name, options in stage.objectives.items():
            if getattr(options, "teacher", False) and teacher and teacher.dimension != encoder.dimension:
                raise InputError(
                    f"{name}.teacher compares vectors with the teacher's: expected {encoder.dimension} dimensions, got "
                    f"{teacher.dimension}"
                )
    join_processes(encoder, teacher)
    progress = progress and world()[0] == 0
    tables = pairs if isinstance(pairs, Mapping) else {"pairs": pairs}
    with writing(out, kind=ENCODER) if first_of_launch() else nullcontext():
        facts = _train(
            encoder, tables, recipe, out, teacher=teacher, rehearsal=rehearsal, evaluators=evaluators or {}, best=best,
            resume=resume, fresh=fresh, callbacks=callbacks, report_to=report_to, about=about or {}, progress=progress,
        )  # fmt: skip
    encoder.name = str(out)  # no longer what was loaded
    return facts


def _train(
    encoder: Encoder,
    tables: Tables,
    recipe: Recipe,
    out: str | Path,
    *,
    teacher: Encoder | None,
    rehearsal: Sequence[str],
    evaluators: Mapping[str, Evaluator],
    best: str | None,
    resume: bool,
    fresh: bool,
    callbacks: Sequence[TrainerCallback],
    report_to: str,
    about: Mapping[str, Any],
    progress: bool,
) -> dict[str, Any]:
    stages = recipe.stages or (recipe,)
    plans = [plan(stage, chosen_tables(stage, tables), encoder, progress) for stage in stages]
    work = Path(f"{Path(out)}.checkpoints")
    settings = {}
    if resume or any(stage.train.save_every for stage in stages):  # hashing all weights takes a moment
        settings = run_settings(
            recipe, encoder, pairs=[p.store.digest for p in plans], teacher=teacher, rehearsal=rehearsal,
            evaluators=evaluators, best=best,
        )  # fmt: skip
    run = Run(encoder, teacher, rehearsal, evaluators, best, callbacks, report_to, progress, settings)
    folders = [work / f"{i}-{stage.name}" if recipe.stages else work for i, stage in enumerate(stages, 1)]
    if resume and recipe.stages and not any(folder.exists() for folder in folders):
        raise InputError(f"nothing to resume from: no stage in {work}")
    if fresh and world()[0] == 0:
        remove_kept(work)
    results = [run_stage(run, p, folder, resume=resume) for p, folder in zip(plans, folders, strict=True)]
    facts = {"stages": results} if recipe.stages else results[0]
    encoder.eval()
    if world()[0] == 0:
        extra = provenance(recipe, [p.store for p in plans], about) | {"summary": facts}
        adapters = run.adapters if recipe.stages else {"": run.adapters[recipe.name]} if recipe.lora else {}
        save_encoder(encoder, out, card=model_card(encoder, extra), extra=extra, adapters=adapters)
        for folder in (*folders, work):  # transformers makes them even where no checkpoint is asked for
            with suppress(OSError):  # not there, or not empty
                folder.rmdir()
    return facts


@dataclass(frozen=True)
class Plan:
    """A stage with its data, checked and ready."""

    recipe: Recipe
    tables: Tables
    store: PairStore
    stream: BatchStream
    drawn: NDArray[np.int64]
    """(n,) how often the run draws each pair."""


@dataclass(frozen=True)
class Run:
    """What all stages share."""

    encoder: Encoder
    teacher: Encoder | None
    rehearsal: Sequence[str]
    evaluators: Mapping[str, Evaluator]
    best: str | None
    callbacks: Sequence[TrainerCallback]
    report_to: str
    progress: bool
    settings: Mapping[str, Any]
    adapters: dict[str, Adapter] = field(default_factory=dict)
    """Of the stages that trained one."""


def join_processes(*encoders: Encoder | None) -> None:
    """Start the process group if torchrun launched us, each process on a device of its own.

    Raises:
        InputError: the process group is there already, and has no backend for the encoders' device.
    """
    for encoder in encoders:
        if isinstance(encoder, Encoder):
            if encoder.device.type == "cuda" and "LOCAL_RANK" in os.environ:
                encoder.to(own_device())
            if launch(encoder.device)[1] > 1 and not backend(encoder.device):
                raise InputError(
                    f"the encoder is on {encoder.device}, and the process group has no backend for that; "
                    f"expected one of its own: nccl for GPUs, gloo for CPUs"
                )


def chosen_tables(stage: Recipe, tables: Tables) -> Tables:
    """The tables that a stage draws from."""
    missing = [name for name in stage.pairs if name not in tables]
    if missing:
        raise InputError(
            f"the stage {stage.name!r} draws from the pairs {missing[0]!r}; given are {', '.join(tables) or 'none'}"
        )
    return {name: tables[name] for name in stage.pairs} if stage.pairs else tables


def plan(stage: Recipe, tables: Tables, encoder: Encoder, progress: bool) -> Plan:
    """Tokenise a stage's pairs and lay out its batches; refuses what cannot be trained on."""
    options = stage.train
    if stage.lora:
        adapted_modules(encoder, stage)  # refuses what has none
    processes = world()[1]
    needed = len(encoder.tokenize([""])[0]) + 1
    if options.max_tokens < needed:
        raise InputError(
            f"train.max_tokens is {options.max_tokens}; a piece of text, the prompt and special tokens need {needed}"
        )
    store = build_store(tables, encoder, max_tokens=options.max_tokens, columns=columns(stage.needs), progress=progress)
    if options.freeze_blocks > encoder.layer:
        raise InputError(f"train.freeze_blocks is {options.freeze_blocks}, the encoder has {encoder.layer} blocks")
    if stage.matryoshka and max(stage.matryoshka.dimensions) > encoder.dimension:
        raise InputError(
            f"matryoshka.dimensions asks for {max(stage.matryoshka.dimensions)}, the vectors have {encoder.dimension}"
        )
    for name, objective in stage.active.items():
        if objective.even and not stage.matryoshka and encoder.dimension % 2:
            raise InputError(
                f"{name} takes vectors for complex numbers, of even width; the encoder's is {encoder.dimension}"
            )
    with attention_dropout(encoder.model, options.attention_dropout):
        pass  # refuses what has none
    check_compile(options)
    check_sparse_embeddings(encoder, stage)
    languages = store.language_pairs if options.temperature_over == "pair" else store.languages
    stream = BatchStream(
        store.lengths, languages, store.groups, batch_size=options.batch_size,
        total=options.steps * options.accumulate, seed=options.seed, temperature=options.language_temperature,
        by_language=options.batches_by_language, tables=store.tables, uniform=options.mixing == "uniform",
        repeat_groups=options.repeat_groups, batch_tokens=options.batch_tokens, costs=store.costs,
        world=processes,
    )  # fmt: skip
    return Plan(stage, tables, store, stream, stream.drawn())  # refuses a batch larger than the data


def run_stage(run: Run, plan: Plan, work: Path, *, resume: bool) -> dict[str, Any]:
    """Train one stage from where the encoder is, and say what was done."""
    recipe, encoder = plan.recipe, run.encoder
    finished = load_finished(encoder, work, run.settings) if resume else None
    if finished:
        log.info("stage %s is finished", recipe.name)
        if recipe.lora:
            run.adapters[recipe.name] = Adapter.load(work / "finished")
        return finished
    with adapter(encoder, recipe, run.adapters):
        facts = _run_stage(run, plan, work, resume=resume)
    if recipe.train.save_every and recipe.name and world()[0] == 0:
        if recipe.lora:
            run.adapters[recipe.name].save(work / "finished")
        finish_stage(encoder, work, facts, run.settings)
    return facts


def _run_stage(run: Run, plan: Plan, work: Path, *, resume: bool) -> dict[str, Any]:
    recipe, options, encoder, store = plan.recipe, plan.recipe.train, run.encoder, plan.store
    rank, processes = world()
    dimension = run.teacher.dimension if run.teacher else None
    module = Alignment(encoder, recipe, classes=len(store.label_names), teacher_dimension=dimension)
    trained = set_trainable(module)
    facts = summary(store, recipe, plan.drawn, trained=trained, processes=processes)
    if recipe.name:
        facts = {"name": recipe.name} | facts
    if rank == 0:
        log.info("%s%s", f"stage {recipe.name}: " if recipe.name else "", summary_line(facts))
    start = start_weights(module) if options.interpolate < 1 and not recipe.lora else None
    vectors = frozen_vectors(run, plan)
    kept = None
    if "rehearsal" in recipe.needs:
        tokens = tokenize(run.rehearsal, encoder, max_tokens=options.max_tokens, progress=run.progress)
        kept = (tokens, raw_vectors(encoder, run.rehearsal, plan, device=encoder.device, progress=run.progress))
    batches = Batches(store, encoder, recipe, rank=rank, world=processes, rehearsal=kept, **vectors)
    training_arguments = arguments(recipe, work, encoder, run.report_to, run.progress)
    evaluation = Evaluation(encoder, run.evaluators, options.evaluate_every, run.best, options.patience)
    trainer = AlignTrainer(
        module, batches, plan.stream, training_arguments, run.callbacks, evaluation=evaluation, settings=run.settings
    )
    again = resume and (not recipe.name or any(work.glob("checkpoint-*")))  # a later stage may not have begun
    checkpoint = newest_checkpoint(work, run.settings) if again else None
    if checkpoint:
        evaluation.load(checkpoint)
        trainer.history.load(checkpoint)
    encoder.attention, encoder.round_to = options.attention, ROUND_TO if options.compile else 1
    try:
        if not evaluation.exhausted:  # else the run had stopped at this checkpoint
            with attention_dropout(encoder.model, options.attention_dropout):
                if rank == 0:
                    log.info("%s", engine(encoder, recipe))
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        encoder.attention, encoder.round_to = "auto", 1
        for parameter in module.parameters():
            parameter.requires_grad_(True)
        if options.gradient_checkpointing:
            recompute_activations(encoder.model, False)
    evaluation.restore_best()
    if start is not None:
        interpolate(module, start, options.interpolate)
    if recipe.lora:
        scale_adapter(encoder, options.interpolate)
    if stopped := evaluation.stopped(options.steps):
        log.info("stopped early: %s", ", ".join(f"{name} {value:.4g}" for name, value in stopped["stopped"].items()))
    if learned := module.temperatures():
        facts["temperatures"] = learned
    return facts | stopped | {"losses": trainer.history.lines, "evaluations": evaluation.results}


def set_trainable(module: Alignment) -> int:
    """Freeze what gets no gradient (blocks above the pooled layer, an unused head) or must not move; count the rest."""
    encoder, recipe = module.encoder, module.recipe
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    for name, learner in module.learned.items():
        learner.requires_grad_(name in recipe.trained)
    if not recipe.trains_head:
        for name, parameter in encoder.model.named_parameters():
            if encoder.model is not encoder.body and not name.startswith(f"{encoder.model.base_model_prefix}."):
                parameter.requires_grad_(False)
        for block in blocks(encoder.model)[encoder.layer :]:
            block.requires_grad_(False)
    for block in blocks(encoder.model)[: recipe.train.freeze_blocks]:
        block.requires_grad_(False)
    if recipe.train.freeze_embeddings:
        encoder.body.get_input_embeddings().requires_grad_(False)
    if recipe.lora:
        train_adapter_only(encoder)
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def frozen_vectors(run: Run, plan: Plan) -> dict[str, NDArray[np.float32]]:
    """What the objectives read of encoders that do not move, by its name in the batch."""
    encoders = {"start": run.encoder, "teacher": run.teacher, "guide": run.teacher or run.encoder}
    found: dict[tuple[int, str], NDArray[np.float32]] = {}
    vectors = {}
    for name, by, column in frozen(plan.recipe.needs):
        encoder = encoders[by]
        assert encoder is not None  # checked before
        key = id(encoder), column
        if key not in found:
            found[key] = vectors_of(encoder, plan, column, device=run.encoder.device, progress=run.progress)
        vectors[name] = found[key]
    return vectors


def vectors_of(
    encoder: Encoder, plan: Plan, column: str, *, device: torch.device, progress: bool
) -> NDArray[np.float32]:
    """(n, D) raw vectors of a column by the encoder as it is now; NaN for rows that are never drawn."""
    rows = np.flatnonzero(plan.drawn)
    texts = [text for table in plan.tables.values() for text in table[column]]
    vectors = np.full((len(texts), encoder.dimension), np.nan, dtype=np.float32)
    vectors[rows] = raw_vectors(encoder, [texts[row] for row in rows], plan, device=device, progress=progress)
    return vectors


def raw_vectors(
    encoder: Encoder, texts: Sequence[str], plan: Plan, *, device: torch.device, progress: bool
) -> NDArray[np.float32]:
    """(n, D) vectors of texts as pooled, cut as in training; each process encodes its share of them."""

    def encode(share: Sequence[str]) -> NDArray[np.float32]:
        return encoder.encode(share, max_tokens=plan.recipe.train.max_tokens, raw=True, progress=progress)

    return in_shares(encode, texts, dimension=encoder.dimension, device=device)


def start_weights(module: Alignment) -> dict[str, Tensor]:
    """A copy of what will be trained."""
    return {name: p.detach().clone() for name, p in module.encoder.named_parameters() if p.requires_grad}


@torch.no_grad()
def interpolate(module: Alignment, start: Mapping[str, Tensor], share: float) -> None:
    """Set the weights to share * trained + (1 - share) * start (Wortsman et al. 2022, arXiv:2109.01903, eq. 1)."""
    for name, parameter in module.encoder.named_parameters():
        if name in start:
            parameter.lerp_(start[name].to(parameter.device), 1 - share)

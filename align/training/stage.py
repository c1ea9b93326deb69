"""One stage of a run: its data laid out and checked, then trained on from where the encoder is."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback

from align.encoders.adapters.low_rank import Adapter
from align.encoders.encoder import Encoder
from align.encoders.language_tags import add_tags
from align.encoders.mixture.layers import mixture_of
from align.encoders.mixture.report import routing
from align.errors import InputError, there_are
from align.pairs.mentions import MENTION
from align.training.adapters import bottleneck, lora
from align.training.adapters.blocks import adapted_blocks
from align.training.batches import Batches
from align.training.callbacks import Evaluation, Evaluator
from align.training.distributed import world
from align.training.engine import check_engine, engine, running
from align.training.features import same_pieces
from align.training.frozen import frozen, frozen_vectors, raw_vectors
from align.training.inputs import columns
from align.training.recipe import Recipe
from align.training.resume import checkpoints, finish_stage, load_finished, newest_checkpoint
from align.training.sampling import BatchStream
from align.training.step import Alignment
from align.training.store import PairStore, build_store
from align.training.summary import some_texts, summary, summary_line
from align.training.tokens import tokenize
from align.training.trainable import check_frozen, frozen_hashes, interpolate, set_trainable, start_weights
from align.training.trainer import AlignTrainer, arguments

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """A stage with its data, checked and ready."""

    recipe: Recipe
    tables: Mapping[str, Dataset]
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
    resume: bool
    adapters: dict[str, Adapter] = field(default_factory=dict)
    """Of the stages that trained one."""


def plan(stage: Recipe, tables: Mapping[str, Dataset], encoder: Encoder, progress: bool) -> Plan:
    """Tokenise a stage's pairs and lay out its batches; refuses what cannot be trained on."""
    missing = [name for name in stage.pairs if name not in tables]
    if missing:
        raise InputError(
            f"the stage {stage.name!r} draws from the pairs {missing[0]!r}; given are {there_are(missing[0], tables)}"
        )
    tables = {name: tables[name] for name in stage.pairs} if stage.pairs else tables
    options = stage.train
    if stage.lora:
        lora.check_mixture(encoder, stage)
        lora.adapted_modules(encoder, stage)  # refuses what has none
    if stage.bottleneck:
        adapted_blocks(encoder, stage)
    needed = len(encoder.tokenize([""])[0]) + 1
    if options.max_tokens < needed:
        raise InputError(
            f"train.max_tokens is {options.max_tokens}; a piece of text, the prompt and special tokens need {needed}"
        )
    if options.language_tags:
        sides = ("source_lang", "target_lang")
        add_tags(encoder, [code for table in tables.values() for side in sides for code in table.unique(side)])
    store = build_store(
        tables, encoder, max_tokens=options.max_tokens, columns=columns(stage.needs), progress=progress,
        language_tags=options.language_tags,
    )  # fmt: skip
    if store.mentions is not None:
        check_mentions(encoder, stage)
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
    check_engine(encoder, stage)
    languages = store.language_pairs if options.temperature_over == "pair" else store.languages
    stream = BatchStream(
        store.lengths, languages, store.groups, batch_size=options.batch_size,
        total=options.steps * options.accumulate, seed=options.seed, temperature=options.language_temperature,
        by_language=options.batches_by_language, tables=store.tables, uniform=options.mixing == "uniform",
        repeat_groups=options.repeat_groups, batch_tokens=options.batch_tokens, costs=store.costs,
        world=world()[1],
    )  # fmt: skip
    return Plan(stage, tables, store, stream, stream.drawn())  # refuses a batch larger than the data


def check_mentions(encoder: Encoder, stage: Recipe) -> None:
    """Refuse what pools no part of a source.

    Raises:
        InputError: pooling by one token, or an objective that compares with vectors of whole sources.
    """
    if encoder.pooling.kind == "cls":
        raise InputError(
            "the table has mentions, whose tokens are pooled: cls pooling reads one that is in none of them"
        )
    whole = [name for name in stage.active if any(one.column == "source" for one in frozen(stage.reads(name)))]
    if whole:
        raise InputError(f"{whole[0]} compares with vectors of whole sources: leave the column {MENTION} out")


def run_stage(run: Run, plan: Plan, work: Path) -> dict[str, Any]:
    """Train one stage from where the encoder is, and say what was done."""
    recipe, encoder = plan.recipe, run.encoder
    bottleneck.add_bottlenecks(encoder, recipe)
    finished = load_finished(encoder, work, run.settings) if run.resume else None
    if finished:
        log.info("stage %s is finished", recipe.name)
        if recipe.lora:
            run.adapters[recipe.name] = Adapter.load(work / "finished")
        return finished
    with lora.adapter(encoder, recipe, run.adapters):
        facts = _train(run, plan, work)
    mixed = recipe.lora is not None and recipe.lora.experts > 1  # the last stage, which goes on from its checkpoints
    if recipe.train.save_every and recipe.name and world()[0] == 0 and not mixed:
        if recipe.lora:
            run.adapters[recipe.name].save(work / "finished")
        finish_stage(encoder, work, facts, run.settings)
    return facts


def _train(run: Run, plan: Plan, work: Path) -> dict[str, Any]:
    recipe, options, encoder, store = plan.recipe, plan.recipe.train, run.encoder, plan.store
    rank, processes = world()
    dimension = run.teacher.dimension if run.teacher else None
    module = Alignment(
        encoder, recipe, classes=len(store.label_names), teacher_dimension=dimension, teacher=run.teacher,
        named=len(store.class_names), languages=0 if store.sides is None else int(store.sides.max()) + 1,
        pairs=len(store.groups), draws=int(plan.drawn.sum()),
    )  # fmt: skip
    trained = set_trainable(module)
    facts = summary(store, recipe, plan.drawn, trained=trained, processes=processes)
    if recipe.name:
        facts = {"name": recipe.name} | facts
    if rank == 0:
        log.info("%s%s", f"stage {recipe.name}: " if recipe.name else "", summary_line(facts))
    untouched = frozen_hashes(encoder)
    start = start_weights(module) if options.interpolate < 1 and not recipe.lora else None
    how: dict[str, Any] = {"max_tokens": options.max_tokens, "progress": run.progress}
    kept = None
    # left before the first step: while autocast lasts it keeps the weights that it rounded, and misses later ones
    with torch.autocast(encoder.device.type, torch.bfloat16, enabled=options.bf16):
        needs, layers = recipe.needs, module.layers
        if layers and run.teacher and same_pieces(encoder, run.teacher):
            needs -= {"features"}  # the teacher reads them beside the encoder, in every step
        vectors = frozen_vectors(needs, encoder, run.teacher, plan.tables, plan.drawn, layers=layers, **how)
        if "rehearsal" in recipe.needs:
            tokens = tokenize(run.rehearsal, encoder, **how)
            kept = tokens, raw_vectors(encoder, run.rehearsal, device=encoder.device, **how)
    evaluation = Evaluation(encoder, run.evaluators, options.evaluate_every, run.best, options.patience)
    trainer = AlignTrainer(
        module, Batches(store, encoder, recipe, rank=rank, world=processes, rehearsal=kept, **vectors), plan.stream,
        arguments(recipe, work, encoder, run.report_to, run.progress), run.callbacks, evaluation=evaluation,
        settings=run.settings,
    )  # fmt: skip
    again = run.resume and (not recipe.name or checkpoints(work))  # a later stage may not have begun
    checkpoint = newest_checkpoint(work, run.settings) if again else None
    if checkpoint:
        evaluation.load(checkpoint)
        trainer.history.load(checkpoint)
    try:
        if not evaluation.exhausted:  # else the run had stopped at this checkpoint
            with running(encoder, recipe):
                if rank == 0:
                    log.info("%s", engine(encoder, recipe))
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        module.requires_grad_(True)
    evaluation.restore_best()
    check_frozen(encoder, untouched)
    if start is not None:
        interpolate(module, start, options.interpolate)
    if recipe.lora:
        lora.scale_adapter(encoder, options.interpolate)
    if mixture_of(encoder.body) is not None:
        facts["routing"] = routing(encoder, some_texts(plan.tables))
    if stopped := evaluation.stopped(options.steps):
        log.info("stopped early: %s", ", ".join(f"{name} {value:.4g}" for name, value in stopped["stopped"].items()))
    if learned := {name: value for name, value in module.numbers().items() if name.startswith("temperature/")}:
        facts["temperatures"] = {name.partition("/")[2]: value for name, value in learned.items()}
    return facts | stopped | {"losses": trainer.history.lines, "evaluations": evaluation.results}

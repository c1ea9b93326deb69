"""Training: the stages of a recipe, one after the other, on pair tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from align.encoders.device import own_device
from align.encoders.encoder import Encoder
from align.encoders.route import refuse_route
from align.encoders.saving import ENCODER, save_encoder
from align.errors import InputError, there_are
from align.files.folders import check_replaceable, writing
from align.training.callbacks import Evaluator, answered
from align.training.distributed import backend, first_of_launch, launch, world
from align.training.features import teacher_layers
from align.training.model_card import model_card, provenance
from align.training.recipe import Recipe
from align.training.resume import refuse_kept, remove_kept, restarted, resumable, run_settings
from align.training.stage import Run, plan, run_stage

if TYPE_CHECKING:
    from datasets import Dataset


def train(
    encoder: Encoder,
    pairs: Dataset | Mapping[str, Dataset],
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
    ``out/adapter/STAGE``, to be put on what the stages before it made. A mixture of adapters (``lora.experts``) cannot
    be merged: such an encoder ``align.load_encoder`` loads alone.
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
        TrainingStopped: NaN or infinity in a loss or gradient, or a process of the run that does not answer.
        SystemExit: SIGTERM came, where there are checkpoints (``train.save_every``): one was written, exit code 143.
    """
    check_replaceable(out, ENCODER)
    if resume and fresh:
        raise InputError("resume goes on with the checkpoints of an earlier run, fresh removes them: expected one")
    work = Path(f"{Path(out)}.checkpoints")
    if restarted():  # by torchrun, after one of the processes had died: what that run wrote is its own
        resume = resumable(work)
        fresh = not resume
    if not (resume or fresh):
        refuse_kept(work)
    check_arguments(encoder, recipe, teacher=teacher, rehearsal=rehearsal, evaluators=evaluators or {}, best=best)
    join_processes(encoder, teacher)
    progress = progress and world()[0] == 0
    tables = pairs if isinstance(pairs, Mapping) else {"pairs": pairs}
    stages = recipe.stages or (recipe,)
    with answered(), writing(out, kind=ENCODER) if first_of_launch() else nullcontext():
        plans = [plan(stage, tables, encoder, progress) for stage in stages]
        settings = {}
        if resume or any(stage.train.save_every for stage in stages):  # hashing all weights takes a moment
            settings = run_settings(
                recipe, encoder, pairs=[p.store.digest for p in plans], teacher=teacher, rehearsal=rehearsal,
                evaluators=evaluators or {}, best=best,
            )  # fmt: skip
        run = Run(
            encoder, teacher, rehearsal, evaluators or {}, best, callbacks, report_to, progress, settings, resume
        )  # fmt: skip
        folders = [work / f"{i}-{stage.name}" if recipe.stages else work for i, stage in enumerate(stages, 1)]
        if resume and recipe.stages and not any(folder.exists() for folder in folders):
            raise InputError(f"nothing to resume from: no stage in {work}; train without --resume")
        if fresh and world()[0] == 0:
            remove_kept(work)
        results = [run_stage(run, p, folder) for p, folder in zip(plans, folders, strict=True)]
        facts = {"stages": results} if recipe.stages else results[0]
        encoder.eval()
        if world()[0] == 0:
            extra = provenance(recipe, [p.store for p in plans], about or {}) | {"summary": facts}
            adapters = run.adapters if recipe.stages else dict(zip([""], run.adapters.values(), strict=False))
            save_encoder(encoder, out, card=model_card(encoder, extra), extra=extra, adapters=adapters)
            for folder in (*folders, work):  # transformers makes them even where no checkpoint is asked for
                with suppress(OSError):  # not there, or not empty
                    folder.rmdir()
    encoder.name = str(out)  # no longer what was loaded
    return facts


def check_arguments(
    encoder: Encoder, recipe: Recipe, *, teacher: Encoder | None, rehearsal: Sequence[str],
    evaluators: Mapping[str, Evaluator], best: str | None,
) -> None:  # fmt: skip
    """Refuse what does not go together, before anything is read."""
    if next(encoder.parameters()).dtype in (torch.bfloat16, torch.float16):
        raise InputError("training keeps float32 weights: load the encoder without bf16, and set train.bf16 = true")
    if torch.is_autocast_enabled(encoder.device.type):  # which keeps the weights that it rounded first
        raise InputError("training sets its own precision: call it outside torch.autocast, with train.bf16 = true")
    refuse_route(encoder, "training")
    if encoder.offsets is not None:
        raise InputError("offsets are of an encoder as it is, not of one that is trained: load it without")
    if encoder.language_tags:
        raise InputError("train.language_tags says whether training puts language tags: load the encoder without them")
    if recipe.encoder.layer is not None and recipe.encoder.layer != encoder.layer:
        raise InputError(
            f"the recipe pools layer {recipe.encoder.layer}, the encoder was loaded with layer {encoder.layer}"
        )
    if best and best.split("/")[0] not in evaluators:
        raise InputError(
            f"best={best!r} names no evaluator: expected one of {there_are(best.split('/')[0], evaluators)}"
        )
    stages = recipe.stages or (recipe,)
    if evaluators and not any(stage.train.evaluate_every for stage in stages):
        raise InputError("evaluators were given, but train.evaluate_every is 0: expected the steps between evaluations")
    for stage in stages:
        if stage.train.patience and not best:
            raise InputError("train.patience waits for a better score: expected best, the score to watch")
        if "rehearsal" in stage.needs and not rehearsal:
            raise InputError("the recipe rehearses (anchor.rehearsal), but no rehearsal texts were given (--rehearse)")
        if stage.needs & {"teacher", "features"} and teacher is None:
            raise InputError("the recipe distils, but no teacher was given (--teacher)")
        if "features" in stage.needs and teacher is not None:
            teacher_layers(encoder, teacher, stage.setting("features", "layers"))
        for name, options in stage.objectives.items():
            if getattr(options, "teacher", False) and teacher and teacher.dimension != encoder.dimension:
                raise InputError(
                    f"{name}.teacher compares vectors with the teacher's: expected {encoder.dimension} dimensions, got "
                    f"{teacher.dimension}"
                )


def join_processes(*encoders: Encoder | None) -> None:
    """Start the process group if torchrun launched us, each process on a device of its own.

    Raises:
        InputError: the process group is there already, and has no backend for the encoders' device.
    """
    for encoder in encoders:
        if isinstance(encoder, Encoder):
            if encoder.device.type == "cuda" and "LOCAL_RANK" in os.environ:
                encoder.to(own_device())
            with answered():
                joined = launch(encoder.device)[1] > 1
            if joined and not backend(encoder.device):
                raise InputError(
                    f"the encoder is on {encoder.device}, and the process group has no backend for that; "
                    f"expected one of its own: nccl for GPUs, gloo for CPUs"
                )

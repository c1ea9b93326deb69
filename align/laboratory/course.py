"""Every objective on a clone: does it align it, in how many steps, and what does it do to the original."""

from __future__ import annotations

import copy
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.encoders.encoder import Encoder
from align.errors import InputError
from align.laboratory.bench import Bench, Plan, set_up
from align.laboratory.cloning import shares
from align.laboratory.likeness import by_layer, gradients
from align.objectives.registry import objective, objectives
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train

log = logging.getLogger(__name__)

ALIGNED = 0.9
"""P@1, both ways, from which on the clone counts as aligned."""
SETTINGS: Mapping[str, Mapping[str, Any]] = {"anchor": {"source": 1.0, "target": 1.0}}
"""Options without which an objective trains nothing; all others are tried as they are."""


def lab(
    model: Encoder | str | Path = "seed",
    *,
    names: Sequence[str] | None = None,
    plan: Plan | None = None,
    text: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Try objectives on a cloned language, each alone, from the same start, with the same pairs, steps and rates.

    The encoder is trimmed to the pieces of the text and cloned; see :func:`align.laboratory.cloning.clone`. The clone
    starts as a language that the encoder has never seen. Each objective then trains on the original's lines beside
    their clones by ``align.train``, with its options as they are by default. What it needs it gets: negatives are
    clones of other lines; scores and labels come from pairs of which all, half or none of the second text is the
    first's; teacher and guide read the clone as the original.

    Args:
        model: an encoder or what to load; its prompt is used.
        names: of the objectives; None: all that are registered.
        plan: how long, on how much; None: as it is by default.
        text: lines by the codes eng_Latn and rus_Cyrl, as many in both, the last ``plan.held_out`` not trained on;
            None: the verses in this package (public domain).

    Returns:
        JSON values: ``start`` (scores, likeness by layer, likeness of gradients); for each of ``objectives`` its
        scores by step, ``aligned_at`` (the first look at which P@1 is 0.9; None: none), the same likenesses at the
        end, and ``kept``, the mean cosine of the original's held-out vectors with those at the start; ``left_out``,
        objectives that could not be tried, with the reason.

    Raises:
        InputError: no such objective, or text that is too little.
    """
    plan = plan or Plan()
    chosen = [objective(name).name for name in names or objectives()]
    bench = set_up(model, plan, text)
    before = bench.start.encode(bench.originals)
    result: dict[str, Any] = {
        "settings": asdict(plan), "pieces": len(bench.start.tokenizer) // 2,
        "lines": len(bench.tables["parallel"]["part-0"]), "held_out": len(bench.originals),
        "start": bench.scores(bench.start) | likeness(bench.start, bench), "objectives": [], "left_out": [],
    }  # fmt: skip
    for name in chosen:
        try:
            found = tried(name, bench, plan, before)
        except InputError as error:
            log.info("%s is left out: %s", name, error)
            result["left_out"].append({"objective": name, "reason": str(error)})
            continue
        log.info("%s: P@1 %.3f, aligned at %s", name, found["clone"], found["aligned_at"])
        result["objectives"].append(found)
    return result


def tried(name: str, bench: Bench, plan: Plan, before: NDArray[np.float32]) -> dict[str, Any]:
    """One objective, from the start.

    Raises:
        InputError: what it needs is not there.
    """
    kind = objective(name)
    options = kind.options(**SETTINGS.get(name, {}))
    reads = kind.reads(options)
    table = "graded" if reads & {"scores", "classes"} else "switched" if "switched" in reads else "parallel"
    encoder, began = copy.deepcopy(bench.start), time.process_time()
    with tempfile.TemporaryDirectory(prefix="align-lab-") as folder:
        facts = train(
            encoder, bench.tables[table], recipe(name, options, plan), Path(folder) / "model", teacher=bench.knowing,
            rehearsal=bench.originals, evaluators={"lab": bench.scores}, progress=False,
        )  # fmt: skip
    parts = facts.get("stages", [facts])
    looks = [
        {"step": int(one["step"]) + number * (plan.steps // len(parts))}
        | {score.removeprefix("lab/"): value for score, value in one.items() if score.startswith("lab/")}
        for number, part in enumerate(parts) for one in part["evaluations"]
    ]  # fmt: skip
    losses = [line["loss"] for part in parts for line in part["losses"] if "loss" in line]
    return {
        "objective": name, "clone": looks[-1]["clone"], "translation": looks[-1]["translation"], "scores": looks,
        "aligned_at": next((look["step"] for look in looks if look["clone"] >= ALIGNED), None),
        "kept": float((encoder.encode(bench.originals) * before).sum(axis=1).mean()),
        "loss": [losses[0], losses[-1]], **likeness(encoder, bench),
        "cpu_seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def recipe(name: str, options: Any, plan: Plan) -> Recipe:
    """The objective alone, with the same training for all; a stage for each part of the schedule."""
    parts = len(shares(plan.share))
    training = TrainOptions(
        steps=plan.steps // parts, batch_size=plan.batch, learning_rate=plan.rate, embedding_rate=plan.embedding_rate,
        schedule="constant", evaluate_every=plan.every, log_every=plan.every, seed=plan.seed, bf16=plan.bf16,
    )  # fmt: skip
    if parts == 1:
        return Recipe(objectives={name: options}, train=training)
    stages = (f"part-{number}" for number in range(parts))
    return Recipe(stages=tuple(
        Recipe(name=stage, pairs=(stage,), objectives={name: options}, train=training) for stage in stages
    ))  # fmt: skip


def likeness(encoder: Encoder, bench: Bench) -> dict[str, Any]:
    """By layer, and of gradients where there is a head."""
    found: dict[str, Any] = {"layers": by_layer(encoder, bench.originals, bench.clones)}
    if encoder.model is not encoder.body:
        found["gradients"] = gradients(encoder, bench.originals[:16], bench.clones[:16])
    return found

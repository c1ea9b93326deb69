"""What to train: a recipe, as frozen dataclasses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from align.errors import InputError, there_are
from align.objectives.objective import OF_HEAD, Objective
from align.objectives.ranges import check_options, need
from align.objectives.registry import objectives
from align.training.options import BottleneckOptions, EncoderOptions, LoraOptions, MatryoshkaOptions, TrainOptions


@dataclass(frozen=True, init=False)
class Recipe:
    """A weighted sum of objectives, the vector they act on, and the optimisation; or several of these, one by one.

    Objectives are given by their names, ``Recipe(nt_xent=ContrastiveOptions())``, or as a mapping; ``recipe.nt_xent``
    is its options, or None.
    """

    encoder: EncoderOptions
    name: str
    """Of a stage."""
    pairs: tuple[str, ...]
    """Names of the tables that a stage draws from; none: all that are given."""
    objectives: Mapping[str, Any] = field(hash=False)
    """Options of the objectives in the sum, by name, in the order of the registry."""
    matryoshka: MatryoshkaOptions | None
    lora: LoraOptions | None
    bottleneck: BottleneckOptions | None
    train: TrainOptions
    stages: tuple[Recipe, ...]
    """Instead of objectives: recipes that run one after the other, each from where the last one ended."""

    def __init__(
        self,
        *,
        encoder: EncoderOptions | None = None,
        name: str = "",
        pairs: tuple[str, ...] = (),
        objectives: Mapping[str, Any] | None = None,
        matryoshka: MatryoshkaOptions | None = None,
        lora: LoraOptions | None = None,
        bottleneck: BottleneckOptions | None = None,
        train: TrainOptions | None = None,
        stages: tuple[Recipe, ...] = (),
        **sections: Any,
    ) -> None:
        """Refuse what could only fail, or do nothing, later.

        Raises:
            InputError: there is no such objective, an option is outside its limits, or options contradict each other.
        """
        chosen = dict(objectives or {}) | sections
        values = {
            "encoder": encoder or EncoderOptions(), "name": name, "pairs": pairs, "objectives": in_order(chosen),
            "matryoshka": matryoshka, "lora": lora, "bottleneck": bottleneck,
            "train": train or TrainOptions(), "stages": stages,
        }  # fmt: skip
        for key, value in values.items():
            object.__setattr__(self, key, value)
        self._check()

    def __getattr__(self, name: str) -> Any:
        """The options of an objective, or None."""
        if name.startswith("_") or name not in objectives():
            raise AttributeError(f"a recipe has no {name!r}")
        return self.objectives.get(name)

    def _check(self) -> None:
        place = f"the stage {self.name!r}" if self.name else "the recipe"
        if not (self.stages or self.objectives):
            raise InputError(f"{place} trains nothing: expected one of {', '.join(objectives())}")
        try:
            check_options(self)
            for name, objective in self.active.items():
                options = self.objectives[name]
                need(isinstance(options, objective.options), f"{name} must be table", options)
                check_options(options, name)
            if self.stages:
                self._check_stages()
            else:
                self._check_objectives()
                self._check_training()
        except InputError as error:
            raise (InputError(f"{place}: {error}") if self.name else error) from None

    def _check_objectives(self) -> None:
        for name, objective in self.active.items():
            objective.check(self.objectives[name])
        need(
            bool(self.trained), "the recipe trains nothing: expected one weight above 0",
            {f"{name}.weight": 0 for name in self.objectives},
        )  # fmt: skip
        layers = {f"{name}.layer": self.objectives[name].layer for name in self.active if "pieces" in self.reads(name)}
        need(len(set(layers.values())) < 2, "objectives on pieces read the same layer", layers)
        need(
            not self.needs >= {"masked", "switched"}, "mlm and switched_mlm mask the same texts: expected one of them",
            list(self.objectives),
        )  # fmt: skip
        if self.matryoshka:
            sizes, factors = self.matryoshka.dimensions, self.matryoshka.weights
            need(bool(sizes), "matryoshka.dimensions must be widths of at least 1", list(sizes))
            need(len(factors) in (0, len(sizes)), "matryoshka.weights must be as many as dimensions", list(factors))
            need(max(factors, default=1) > 0, "matryoshka.weights must have one above 0", list(factors))
            cut = [name for name, objective in objectives().items() if objective.prefixes]
            need(any(name in cut for name in self.objectives), (
                f"matryoshka cuts the vectors of {', '.join(cut)}: the recipe must have one of these"
            ), list(self.objectives))  # fmt: skip
            for name, objective in self.active.items():
                odd = [size for size in sizes if size % 2 and objective.even]
                need(not odd, f"{name} takes vectors for complex numbers: matryoshka.dimensions must be even", odd)

    def _check_training(self) -> None:
        train = self.train
        need(
            train.evaluate_every > 0 or not train.patience, "train.patience counts evaluations: train.evaluate_every "
            "must be at least 1", train.evaluate_every,
        )  # fmt: skip
        need(
            "joint" not in self.needs or train.max_tokens >= 3, "tlm needs room for a piece of each text between three "
            "special tokens: train.max_tokens must be at least 3", train.max_tokens,
        )  # fmt: skip
        need(not (self.lora and self.bottleneck), "one kind of adapter is trained: lora or bottleneck", ["both"])
        need(
            not (self.tlm and self.tlm.interlinear and train.batch_tokens), "tlm.interlinear fills its sequences with "
            "further pairs, which train.batch_tokens does not count: it must be 0", train.batch_tokens,
        )  # fmt: skip
        if self.lora and self.lora.dora:
            need(train.interpolate == 1, "lora.dora needs train.interpolate = 1", train.interpolate)
        if self.lora and self.lora.experts > 1:
            self._check_mixture(self.lora)

    def _check_mixture(self, lora: LoraOptions) -> None:
        need(lora.top <= lora.experts, f"lora.top is of the {lora.experts} adapters of lora.experts", lora.top)
        for name in ("dora", "rslora", "dropout"):
            need(not getattr(lora, name), f"a mixture (lora.experts) has no lora.{name}", getattr(lora, name))
        for name in ("micro_tokens", "gradient_checkpointing", "compile"):
            again = "runs a batch in parts or again, and a mixture (lora.experts) is weighed once a batch"
            need(not getattr(self.train, name), f"train.{name} {again}", getattr(self.train, name))

    def _check_stages(self) -> None:
        names = [stage.name for stage in self.stages]
        need(all(names) and len(set(names)) == len(names), "every stage needs a name of its own", names)
        bad = [name for name in names if not re.fullmatch(r"[\w-]+", name) or name in ("encoder", "train")]
        need(not bad, "a stage's name must be of letters, digits, _ and -, and neither encoder nor train", bad)
        own = [*self.objectives, *(name for name in ("matryoshka", "lora", "bottleneck") if getattr(self, name))]
        need(not own, "a recipe with stages has its objectives inside them", own)
        need(self.train == TrainOptions(), "a recipe with stages has its [train] inside them", ["train"])
        need(not self.pairs, "a recipe with stages has its pairs inside them", list(self.pairs))
        for stage in self.stages:
            need(not stage.stages, "a stage has no stages of its own", stage.name)
            mixed = stage.lora is not None and stage.lora.experts > 1 and stage is not self.stages[-1]
            need(not mixed, "a mixture (lora.experts) cannot be merged: only the last stage may have one", stage.name)
            need(stage.encoder == EncoderOptions(), "all stages share one [encoder]: set it outside them", stage.name)

    @property
    def active(self) -> dict[str, Objective]:
        """The records of the objectives in the sum, by name."""
        return {name: objectives()[name] for name in self.objectives}

    @property
    def trained(self) -> list[str]:
        """Names of the objectives whose weight is not 0: the others are reported only."""
        return [name for name, options in self.objectives.items() if getattr(options, "weight", 1)]

    @property
    def trains_head(self) -> bool:
        """Whether the masked-LM head, and so every block below it, gets a gradient."""
        return any(not self.reads(name).isdisjoint(OF_HEAD) for name in self.trained)

    @property
    def needs(self) -> frozenset[str]:
        """What the objectives read, names of :data:`align.objectives.objective.NEEDS`."""
        return frozenset().union(*map(self.reads, self.objectives))

    def reads(self, name: str) -> frozenset[str]:
        """What one of the objectives reads."""
        return objectives()[name].reads(self.objectives[name])

    def setting(self, needed: str, option: str) -> Any:
        """The option of the first objective that needs this: how many texts to rehearse, which share to mask."""
        return getattr(self.options_of(needed), option)

    def options_of(self, needed: str) -> Any:
        """The options of the first objective that needs this."""
        return next(options for name, options in self.objectives.items() if needed in self.reads(name))


def in_order(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Options of objectives in the order of the registry, without those that are None.

    Raises:
        InputError: there is no such objective.
    """
    for name in chosen:
        if name not in objectives():
            raise InputError(f"no objective {name!r}: expected one of {there_are(name, objectives())}")
    return {name: chosen[name] for name in objectives() if chosen.get(name) is not None}

"""One training step: all texts of a batch through the encoder at once, and the weighted sum of objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from align.encoders.blocks import masked_lm_head
from align.encoders.encoder import Encoder
from align.encoders.lexical.head import LexicalHead
from align.encoders.lexical.settings import Lexical
from align.encoders.mixture.layers import mixture_of
from align.errors import InputError
from align.objectives.distillation.feature_distil import Features
from align.objectives.inputs import Inputs
from align.objectives.mlm import IGNORED, Head, Masked
from align.objectives.objective import OF_HEAD, Sizes, Terms
from align.objectives.temperature import Temperature
from align.objectives.word_alignment.piece_states import PieceStates
from align.streams import drawn_from
from align.training.features import features as read_features
from align.training.features import teacher_layers
from align.training.gradient_caching import encode_batch
from align.training.inputs import batch_inputs, chosen, either, lexical_sides, masked_positions, masked_sides
from align.training.recipe import Recipe


class Alignment(nn.Module):
    """An encoder with the objectives of a single stage, and what they themselves learn, drawn from the recipe's seed.

    Raises:
        InputError: the recipe needs a masked-LM head that the model lacks, or reads pieces above the pooled layer.
    """

    _keys_to_ignore_on_save = None  # asked for by transformers' Trainer when it resumes

    def __init__(
        self, encoder: Encoder, recipe: Recipe, *, classes: int = 0, teacher_dimension: int | None = None,
        teacher: Encoder | None = None, **of_data: int,
    ) -> None:  # fmt: skip
        super().__init__()
        if "pieces" in recipe.needs and (layer := recipe.setting("pieces", "layer")) > encoder.layer:
            raise InputError(f"pieces are read at layer {layer}, above layer {encoder.layer}, which the encoder pools")
        self.encoder, self.recipe = encoder, recipe
        self.head = Head(*masked_lm_head(encoder.model)) if recipe.needs & OF_HEAD else None
        self.lexical: LexicalHead | None = None
        if "terms" in recipe.needs:
            options = recipe.options_of("terms")
            encoder.lexical = Lexical(options.activation, options.pivot, options.continuations, options.top)
            self.lexical = LexicalHead(encoder, encoder.lexical)
        self.learned = nn.ModuleDict()
        sizes = Sizes(encoder.dimension, classes, teacher_dimension, None, **of_data)
        self.layers: tuple[int, ...] = ()  # of the teacher
        self.teacher: tuple[Encoder, ...] = ()  # of features; in a tuple, as a module of this one would be trained
        if "features" in recipe.needs and teacher is not None:
            self.teacher = (teacher,)
            self.layers = teacher_layers(encoder, teacher, recipe.setting("features", "layers"))
            widths = (one.body.config.hidden_size for one in (encoder, teacher))
            sizes = sizes._replace(features=(encoder.layer, *widths))
        with drawn_from(recipe.train.seed, "heads"):
            for name, objective in recipe.active.items():
                learner = objective.learned(recipe.objectives[name], sizes)
                if learner is not None:
                    self.learned[name] = learner
        self.to(encoder.device)

    def forward(
        self,
        groups: Tensor,
        sides: Sequence[int] = (),
        ids: Tensor | None = None,
        attention: Tensor | None = None,
        lengths: Sequence[int] = (),
        labels: Tensor | None = None,
        joint: Mapping[str, Any] | None = None,
        features: Mapping[str, Any] | None = None,
        pieces: Mapping[str, Any] | None = None,
        crossed: Mapping[str, Any] | None = None,
        predicted: Tensor | None = None,
        counted: Tensor | None = None,
        **given: Tensor | None,
    ) -> dict[str, Tensor]:
        """Unweighted terms of one batch, by name, and their weighted sum as ``loss``; terms of weight 0 are detached.

        Args:
            groups: (B,) meanings, integers from 0.
            sides: numbers of sources, targets, negatives and rehearsal texts, together R.
            ids: (R, T) pieces: B sources (none if the recipe needs no current one), B targets, negatives, rehearsal.
            attention: (R, T), 0 at padding.
            lengths: tokens of each of the R rows.
            labels: (R, T) pieces to predict, -100 elsewhere.
            joint: ids, attention, labels, types and positions, each (B, T'), of both texts of a pair in one sequence.
            features: ids and attention, each (2 B, T'), of the sources and then the targets.
            pieces: ids, attention, and the word of each piece, each (2 B, T'), of the sources and then the targets.
            crossed: as joint, without labels, of N true and false pairs; and parallel, (N,), which are true.
            predicted: (3,) masked positions that the masked-LM sums of sources, targets and joint texts are divided by:
                the step's, over its forward passes in all processes; None: of this pass, over the processes.
            counted: (R, T) bool, the tokens that vectors are pooled from; None: those that the pooling says.
            given: what else objectives read, by name; see :data:`align.objectives.objective.NEEDS`.
        """
        masked = labels != IGNORED if labels is not None else None
        speaks = self._speaking(ids, attention, sides)
        values: dict[str, Any] = {"groups": groups, **given}
        encoded = None
        if ids is not None and attention is not None:
            encoded = encode_batch(
                self.encoder, ids, attention, lengths=lengths, masked=either(masked, speaks), counted=counted,
                micro_tokens=self.recipe.train.micro_tokens,
            )  # fmt: skip
            if labels is not None and masked is not None and self.head is not None:
                states = chosen(encoded.states, masked, speaks)
                values["masked"] = masked_sides(states, labels, masked, sides, self.head, predicted)
            if speaks is not None and self.lexical is not None:
                states = chosen(encoded.states, speaks, masked)
                values |= lexical_sides(states, speaks.sum(1).tolist(), sides, self.lexical)
        inputs = batch_inputs(encoded, sides, values, plain=self.recipe.train.loss == "plain")
        passes: dict[str, Callable[[], Any]] = {}
        if joint:
            passes["joint"] = partial(self._joint, joint, predicted)
        if features:
            passes["features"] = partial(self._features, features, given)
        if pieces:
            passes["pieces"] = partial(self._pieces, pieces)
        if crossed:
            passes["crossed"] = partial(self._crossed, crossed)
        terms = self._terms(inputs, passes)
        if (mixture := mixture_of(self.encoder.body)) is not None and mixture.seen and self.recipe.lora:
            terms = {**terms, "load_balance": (self.recipe.lora.balance, mixture.balance())}
        loss = torch.stack([weight * value for weight, value in terms.values() if weight]).sum()
        # DistributedDataParallel waits for a gradient of whatever an output depends on.
        return {name: value if weight else value.detach() for name, (weight, value) in terms.items()} | {"loss": loss}

    def _speaking(self, ids: Tensor | None, attention: Tensor | None, sides: Sequence[int]) -> Tensor | None:
        """(R, T) bool: the tokens of sources and targets whose states lexical vectors are made of."""
        if self.lexical is None or ids is None or attention is None:
            return None
        speaks = self.lexical.read(ids, attention)
        speaks[sum(sides[:2]) :] = False
        return speaks

    def _terms(self, inputs: Inputs, passes: Mapping[str, Callable[[], Any]]) -> Terms:
        terms: dict[str, tuple[float, Tensor]] = {}
        for name, options in self.recipe.objectives.items():
            reads = self.recipe.reads(name)
            for need, run in passes.items():  # of their own through the encoder, when they are first asked for
                if need in reads and need not in inputs:
                    inputs.given[need] = run()
            states = reads & OF_HEAD and "terms" not in reads
            # autocast would round the vectors
            with nullcontext() if states else torch.autocast(self.encoder.device.type, enabled=False):
                value = self._value(name, inputs)
            terms |= {name: (options.weight, value)} if isinstance(value, Tensor) else value
        return terms

    def _value(self, name: str, inputs: Inputs) -> Tensor | Terms:
        """The objective, on prefixes of the vectors if the recipe says so."""
        objective, options = self.recipe.active[name], self.recipe.objectives[name]
        learned = dict(self.learned.items()).get(name)
        prefixes = self.recipe.matryoshka
        if not (prefixes and objective.prefixes):
            return objective.formula(inputs, options, learned)
        weights = prefixes.weights or [1.0] * len(prefixes.dimensions)
        values = [cast(Tensor, objective.formula(inputs.cut(width), options, learned)) for width in prefixes.dimensions]
        return torch.stack([weight * value for weight, value in zip(weights, values, strict=True)]).sum()

    def _joint(self, joint: Mapping[str, Any], predicted: Tensor | None) -> Masked:
        assert self.head is not None
        masked = joint["labels"] != IGNORED
        encoded = encode_batch(
            self.encoder, joint["ids"], joint["attention"], lengths=joint["lengths"], masked=masked,
            types=joint["types"], micro_tokens=self.recipe.train.micro_tokens,
            positions=joint["positions"] if self.recipe.setting("joint", "restart_positions") else None,
        )  # fmt: skip
        count = None if predicted is None else predicted[2]
        return masked_positions(encoded.states, joint["labels"][masked], self.head, count)

    def _features(self, texts: Mapping[str, Any], given: Mapping[str, Any]) -> Features:
        return read_features(self.encoder, texts, self.teacher[0], self.layers, given)

    def _pieces(self, pieces: Mapping[str, Any]) -> PieceStates:
        """The states at the layer that the recipe says, which need not be the one that is pooled."""
        reader = copy(self.encoder)  # of the same weights
        layer = self.recipe.setting("pieces", "layer") or self.encoder.layer
        reader.pooling = replace(self.encoder.pooling, layer=layer, with_average=False)
        states = reader.hidden(pieces["ids"], pieces["attention"], lengths=pieces["lengths"]).layer
        pairs = len(states) // 2
        return PieceStates(*torch.split(states, pairs), *torch.split(pieces["words"], pairs))

    def _crossed(self, crossed: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        vectors = encode_batch(
            self.encoder, crossed["ids"], crossed["attention"], lengths=crossed["lengths"], types=crossed["types"],
            micro_tokens=self.recipe.train.micro_tokens,
        ).vectors  # fmt: skip
        return vectors, crossed["parallel"]

    def numbers(self) -> dict[str, float]:
        """The learned temperatures and biases as they are now: ``temperature/nt_xent``."""
        learned = [(name, one.numbers()) for name, one in self.learned.items() if isinstance(one, Temperature)]
        return {f"{kind}/{name}": value.item() for name, values in learned for kind, value in values.items()}

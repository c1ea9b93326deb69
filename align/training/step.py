"""One training step: all texts of a batch through the encoder at once, and the weighted sum of objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from align import objectives
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.objectives.mlm import IGNORED, Head, predict
from align.training.distributed import gather, total, world
from align.training.gradient_caching import encode_batch
from align.training.randomness import drawn_from
from align.training.recipe import CONTRASTIVE, GRADED, LABELLED, Recipe

SIDES = ("source", "target", "negative", "rehearsal")
ANCHORS = {"cosine": objectives.cosine_anchor, "mse": objectives.mse_anchor}
Terms = dict[str, tuple[float, Tensor]]  # name of a term -> its weight and value


class Alignment(nn.Module):
    """An encoder with the objectives of a recipe, and what the objectives themselves learn.

    Args:
        encoder: trained in place.
        recipe: which objectives, how weighted; a single stage. Classifier and projection are drawn from its seed.
        classes: labels that ``softmax_nli`` tells apart.
        teacher_dimension: D of the teacher's vectors; where it is not the encoder's, a projection is learned.

    Raises:
        InputError: the recipe needs a masked-LM head that the model lacks.
    """

    _keys_to_ignore_on_save = None  # asked for by transformers' Trainer when it resumes

    def __init__(
        self, encoder: Encoder, recipe: Recipe, *, classes: int = 0, teacher_dimension: int | None = None
    ) -> None:
        super().__init__()
        self.encoder, self.recipe = encoder, recipe
        self.head = masked_lm_head(encoder.model) if recipe.mlm or recipe.tlm else None
        self.log_temperature = nn.ParameterDict()
        for name in (*CONTRASTIVE, "multiple_negatives"):
            options = getattr(recipe, name)
            if options and options.learn_temperature:
                self.log_temperature[name] = nn.Parameter(torch.tensor(options.temperature).log())
        width = encoder.dimension
        needs_projection = recipe.distil and teacher_dimension not in (None, width)
        with drawn_from(recipe.train.seed, "heads"):
            self.classifier = nn.Linear(3 * width, classes) if recipe.softmax_nli else None
            self.projection = nn.Linear(width, teacher_dimension or width, bias=False) if needs_projection else None
        self.to(encoder.device)

    def forward(
        self,
        groups: Tensor,
        sides: Sequence[int] | None = None,
        ids: Tensor | None = None,
        attention: Tensor | None = None,
        lengths: Sequence[int] | None = None,
        labels: Tensor | None = None,
        scores: Tensor | None = None,
        classes: Tensor | None = None,
        start: Tensor | None = None,
        bank: Tensor | None = None,
        negative_groups: Tensor | None = None,
        rehearsal_start: Tensor | None = None,
        joint: Mapping[str, Any] | None = None,
        predicted: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Unweighted terms of one batch, by name, and their weighted sum as ``loss``; terms of weight 0 are detached.

        Args:
            groups: (B,) meanings, integers from 0.
            sides: numbers of sources, targets, negatives and rehearsal texts, together R.
            ids: (R, T) pieces: B sources (none if the recipe needs no current one), B targets, negatives, rehearsal.
            attention: (R, T), 0 at padding.
            lengths: tokens of each of the R rows.
            labels: (R, T) pieces to predict, -100 elsewhere; needed by ``mlm``.
            scores: (B,) in 0..1; needed by ``cosine_mse``, ``cosent`` and ``angle``.
            classes: (B,) labels as integers; needed by ``softmax_nli``.
            start: (B, D) vectors of the sources by the starting encoder or by the teacher.
            bank: (M, D) starting vectors of other sources, which mean something else: extra negatives.
            negative_groups: (B,) meanings of the negatives.
            rehearsal_start: starting vectors of the rehearsal texts.
            joint: ids, attention, labels, types and positions, each (B, T'), of both texts of a pair in one sequence.
            predicted: (3,) masked positions that the masked-LM sums of sources, targets and joint texts are divided by:
                the step's, over its forward passes in all processes; None: of this pass, over the processes.
        """
        terms: Terms = {}
        if ids is not None and attention is not None and lengths is not None and sides is not None:
            masked = labels != IGNORED if labels is not None else None
            encoded = encode_batch(
                self.encoder, ids, attention, lengths=lengths, masked=masked,
                micro_tokens=self.recipe.train.micro_tokens,
            )  # fmt: skip
            vectors = dict(zip(SIDES, torch.split(encoded.vectors, list(sides)), strict=True))
            with torch.autocast(self.encoder.device.type, enabled=False):  # which would round the vectors
                terms |= self._contrastive(vectors, groups, start, bank, negative_groups)
                terms |= self._labelled(vectors, groups)
                terms |= self._supervised(vectors, scores, classes)
                terms |= self._anchored(vectors, start, rehearsal_start)
            if labels is not None and masked is not None:
                terms |= self._mlm(encoded.states, labels, masked, sides, predicted)
        if self.recipe.tlm and joint is not None:
            terms["tlm"] = (self.recipe.tlm.weight, self._tlm(joint, predicted))
        loss = torch.stack([weight * value for weight, value in terms.values() if weight]).sum()
        # DistributedDataParallel waits for a gradient of whatever an output depends on.
        return {name: value if weight else value.detach() for name, (weight, value) in terms.items()} | {"loss": loss}

    def _contrastive(
        self, vectors: Mapping[str, Tensor], groups: Tensor, start: Tensor | None, bank: Tensor | None,
        negative_groups: Tensor | None,
    ) -> Terms:  # fmt: skip
        """Contrasts over the pairs of all processes; this process's pairs are the anchors."""
        terms: Terms = {}
        target, rank = vectors["target"], world()[0]
        common: dict[str, Any] = {
            "rows": slice(rank * len(target), (rank + 1) * len(target)),
            "block": 0 if self.recipe.train.loss == "plain" else None,
        }
        for name in CONTRASTIVE:
            options = getattr(self.recipe, name)
            if not options:
                continue
            source = start.to(target.dtype) if options.frozen and start is not None else vectors["source"]
            every, sources = gather(groups), gather(source)
            if bank is not None and name == "info_nce":
                every = torch.cat([every, every.new_full((len(bank),), -1)])  # no group of the batch
                sources = torch.cat([sources, bank.to(sources.dtype)])
            contrast = partial(
                getattr(objectives, name), temperature=self._temperature(name), cosine=options.cosine, groups=every,
                **common,
            )  # fmt: skip
            # The targets are the anchors, so that the frozen sources and their bank are the candidates.
            terms[name] = (options.weight, self._prefixes(contrast, gather(target), sources))
        ranking = self.recipe.multiple_negatives
        if ranking:
            contrast = partial(
                objectives.multiple_negatives, temperature=self._temperature("multiple_negatives"),
                cosine=ranking.cosine, symmetric=ranking.symmetric, groups=gather(groups), **common,
            )  # fmt: skip
            negative = gather(vectors["negative"]) if ranking.hard_negatives else None
            if negative is not None and negative_groups is not None:
                contrast = partial(contrast, negative_groups=gather(negative_groups))
            value = self._prefixes(contrast, gather(vectors["source"]), gather(target), negative)
            terms["multiple_negatives"] = (ranking.weight, value)
        return terms

    def _labelled(self, vectors: Mapping[str, Tensor], groups: Tensor) -> Terms:
        """Objectives over the texts of both sides, all of one group positives; this process's texts are the anchors."""
        terms: Terms = {}
        names = [name for name in LABELLED if getattr(self.recipe, name)]
        if names:
            rank, texts = world()[0], 2 * len(groups)
            everything = gather(torch.cat([vectors["source"], vectors["target"]]))
            labels = gather(torch.cat([groups, groups]))
            rows = slice(rank * texts, (rank + 1) * texts)
        for name in names:
            settings = asdict(getattr(self.recipe, name))
            weight = settings.pop("weight")
            contrast = partial(getattr(objectives, name), labels=labels, rows=rows, **settings)
            terms[name] = (weight, self._prefixes(contrast, everything))
        return terms

    def _supervised(self, vectors: Mapping[str, Tensor], scores: Tensor | None, classes: Tensor | None) -> Terms:
        """Objectives of scored and of labelled pairs."""
        terms: Terms = {}
        for name in GRADED:
            options = getattr(self.recipe, name)
            if options and scores is not None:
                every = gather(scores.to(vectors["target"].dtype))
                extra = {"temperature": options.temperature} if hasattr(options, "temperature") else {}
                graded = partial(getattr(objectives, name), score=every, **extra)
                value = self._prefixes(graded, gather(vectors["source"]), gather(vectors["target"]))
                terms[name] = (options.weight, value)
        if self.recipe.softmax_nli and self.classifier is not None and classes is not None:
            value = objectives.softmax_nli(vectors["source"], vectors["target"], classes, self.classifier)
            terms["softmax_nli"] = (self.recipe.softmax_nli.weight, value)
        return terms

    def _mlm(
        self, states: Tensor, labels: Tensor, masked: Tensor, sides: Sequence[int], predicted: Tensor | None
    ) -> Terms:
        """A masked-LM term for each of the two sides, from the (P, D) states of all masked positions."""
        terms: Terms = {}
        truth, of_row = labels[masked], masked.sum(1)  # (P,) pieces; (R,) masked positions of each row
        if self.recipe.mlm:
            counts = torch.stack([rows.sum() for rows in torch.split(of_row, list(sides))]).tolist()
            parts = zip(SIDES, torch.split(states, counts), torch.split(truth, counts), strict=True)
            for i, (side, read, right) in enumerate(list(parts)[:2]):  # nothing is masked in the others
                count = None if predicted is None else predicted[i]
                terms[f"mlm_{side}"] = (self.recipe.mlm.weight, self._masked(read, right, count))
        return terms

    def _tlm(self, joint: Mapping[str, Any], predicted: Tensor | None) -> Tensor:
        masked = joint["labels"] != IGNORED
        encoded = encode_batch(
            self.encoder, joint["ids"], joint["attention"], lengths=joint["lengths"], masked=masked,
            types=joint["types"], micro_tokens=self.recipe.train.micro_tokens,
            positions=joint["positions"] if self.recipe.tlm and self.recipe.tlm.restart_positions else None,
        )  # fmt: skip
        return self._masked(encoded.states, joint["labels"][masked], None if predicted is None else predicted[2])

    def _masked(self, states: Tensor, truth: Tensor, count: Tensor | None) -> Tensor:
        """Masked-LM loss of (P, D) states: their sum divided by ``count``, or by the processes' mean of P."""
        assert self.head is not None
        if count is None:
            count = total(torch.tensor(float(len(truth)), device=states.device)) / world()[1]
        return predict(states, truth, self.head, count=count)

    def _anchored(self, vectors: Mapping[str, Tensor], start: Tensor | None, rehearsal_start: Tensor | None) -> Terms:
        """Distances to vectors that do not move: the starting encoder's, or a teacher's."""
        terms: Terms = {}
        if self.recipe.anchor:
            distance = ANCHORS[self.recipe.anchor.distance]
            for side, before in (("source", start), ("target", start), ("rehearsal", rehearsal_start)):
                weight = getattr(self.recipe.anchor, side)
                if weight and before is not None:
                    terms[f"anchor_{side}"] = (weight, distance(vectors[side], before.to(vectors[side].dtype)))
        if self.recipe.distil and start is not None:
            project = self.projection or nn.Identity()
            source, target = project(vectors["source"]), project(vectors["target"])
            start = start.to(source.dtype)
            terms["distil"] = (self.recipe.distil.weight, objectives.distil(source, target, start))
            if len(start) > 1:  # reported, not trained on
                both = torch.cat([source, target]).detach()
                terms["unexplained"] = (0.0, objectives.unexplained(both, torch.cat([start, start])))
        return terms

    def temperatures(self) -> dict[str, float]:
        """The learned temperatures as they are now, by objective."""
        return {name: value.exp().item() for name, value in self.log_temperature.items()}

    def _temperature(self, name: str) -> float | Tensor:
        learned = self.log_temperature.get(name)
        return float(getattr(self.recipe, name).temperature) if learned is None else learned.exp()

    def _prefixes(self, objective: Callable[..., Tensor], *vectors: Tensor | None) -> Tensor:
        """The objective, on prefixes of the vectors if the recipe says so."""
        options = self.recipe.matryoshka
        if not options:
            return objective(*(v for v in vectors if v is not None))
        weights = options.weights or None
        return objectives.matryoshka(objective, *vectors, dimensions=options.dimensions, weights=weights)


def masked_lm_head(model: PreTrainedModel) -> Head:
    """The head that maps (P, D) last states to (P, V) logits.

    Raises:
        InputError: the checkpoint has no masked-LM head, or one of an unknown family.
    """
    if hasattr(model, "cls") and hasattr(model.cls, "predictions"):  # BERT and MuRIL
        head = model.cls.predictions
        return Head(head.transform, head.decoder.weight, head.decoder.bias)
    if hasattr(model, "lm_head") and hasattr(model.lm_head, "dense"):  # RoBERTa, XLM-R and Glot500
        head = model.lm_head
        return Head(nn.Sequential(head.dense, nn.GELU(), head.layer_norm), head.decoder.weight, head.decoder.bias)
    if hasattr(model, "vocab_projector"):  # DistilBERT
        transform = nn.Sequential(model.vocab_transform, model.activation, model.vocab_layer_norm)
        return Head(transform, model.vocab_projector.weight, model.vocab_projector.bias)
    raise InputError(
        f"the recipe trains mlm or tlm, but {type(model).__name__} comes without a masked-LM head: "
        "use a checkpoint saved with its head, or a recipe without them"
    )

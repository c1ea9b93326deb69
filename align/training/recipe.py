"""What to train: a recipe, as frozen dataclasses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

from align.errors import InputError
from align.training.ranges import (
    AT_LEAST_0,
    AT_LEAST_1,
    COSINE,
    COSINE_DIFFERENCE,
    POSITIVE,
    SEED,
    SHARE,
    SHARE_NOT_0,
    SHARE_NOT_1,
    check_options,
    need,
    one_of,
)


@dataclass(frozen=True)
class EncoderOptions:
    """What makes the vector. Unset values are what the model folder says."""

    layer: Annotated[int, AT_LEAST_0] | None = None
    """k of hidden_states[k]; unset: the last layer, or what the model was saved with."""
    pooling: Annotated[str, one_of("mean", "cls", "weighted")] | None = None
    """mean, cls or weighted (by position)."""
    special_tokens: bool | None = None
    """Whether <s> and </s> count in the mean."""
    average_layers: bool | None = None
    """Pool the mean of hidden_states[0..layer] instead of hidden_states[layer]."""


@dataclass(frozen=True)
class ContrastiveOptions:
    """A contrastive objective over the pairs of a batch."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""
    temperature: Annotated[float, POSITIVE] = 0.05
    """Divides the similarities."""
    learn_temperature: bool = False
    """Train log(temperature) too."""
    cosine: bool = True
    """Compare directions; false: raw dot products."""
    frozen: bool = False
    """Contrast the target side with the vectors that the starting encoder gives the sources, not with current ones."""
    bank: Annotated[int, AT_LEAST_0] = 0
    """With info_nce and frozen: starting vectors of so many other sources as extra negatives, at no cost."""


@dataclass(frozen=True)
class MultipleNegativesOptions:
    """Multiple negatives ranking, with the texts of the column ``negative`` as hard negatives."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""
    temperature: Annotated[float, POSITIVE] = 0.05
    """Divides the similarities (1 / scale of sentence-transformers)."""
    learn_temperature: bool = False
    """Train log(temperature) too."""
    cosine: bool = True
    """Compare directions; false: raw dot products."""
    symmetric: bool = False
    """Also let each target pick its source."""
    hard_negatives: bool = True
    """The pairs must bring a negative; false: none is read, those of the batch have to do."""


@dataclass(frozen=True)
class LabelledOptions:
    """A contrastive objective over all texts of a batch, in which those of one group are positives."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""
    temperature: Annotated[float, POSITIVE] = 0.07
    """Divides the cosines."""


@dataclass(frozen=True)
class MultiSimilarityOptions:
    """Multi-Similarity on the hard pairs of a batch, in which texts of one group are positives."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""
    alpha: Annotated[float, POSITIVE] = 1.0
    """Sharpness of the positives."""
    beta: Annotated[float, POSITIVE] = 60.0
    """Sharpness of the negatives."""
    base: Annotated[float, COSINE] = 0.5
    """The cosine between near and far."""
    margin: Annotated[float, COSINE_DIFFERENCE] = 0.2
    """Pairs count if a positive is not nearer than a negative by more than this: SapBERT's 0.2; 0.1 in Wang et al."""
    miner: Annotated[str, one_of("triplet", "multi_similarity")] = "triplet"
    """Nearer by what: triplet, the distance of unit vectors (SapBERT); multi_similarity, the cosine (Wang et al.)."""


@dataclass(frozen=True)
class GradedOptions:
    """An objective on the order of scores (STS)."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""
    temperature: Annotated[float, POSITIVE] = 0.05
    """Divides the differences of similarities (1 / scale of sentence-transformers)."""


@dataclass(frozen=True)
class PlainOptions:
    """An objective without settings of its own."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""


@dataclass(frozen=True)
class MatryoshkaOptions:
    """Train every contrastive and graded objective on prefixes of the vectors, too."""

    dimensions: tuple[Annotated[int, AT_LEAST_1], ...] = ()
    """Widths, such as [64, 128, 384]; the full one is not implied."""
    weights: tuple[Annotated[float, AT_LEAST_0], ...] = ()
    """One a width; none: 1 each."""


@dataclass(frozen=True)
class MlmOptions:
    """Masked language modelling on both sides; the contrastive views are then the masked texts."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of each side's mean loss in the sum; 0: reported, not trained."""
    rate: Annotated[float, SHARE_NOT_0] = 0.15
    """Share of tokens to predict."""


@dataclass(frozen=True)
class TlmOptions:
    """Masked language modelling on both sides of a pair in one sequence, in random order."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of the mean loss in the sum; 0: reported, not trained."""
    rate: Annotated[float, SHARE_NOT_0] = 0.15
    """Share of tokens to predict."""
    restart_positions: bool = False
    """Count positions anew in the second text, and keep its start token."""


@dataclass(frozen=True)
class AnchorOptions:
    """Stay near the vectors of the starting encoder, so that nothing it knows is forgotten."""

    source: Annotated[float, AT_LEAST_0] = 0.0
    """Weight of the distance of each source (native side) to its own starting vector."""
    target: Annotated[float, AT_LEAST_0] = 0.0
    """Weight of the distance of each target to its source's starting vector."""
    rehearsal: Annotated[float, AT_LEAST_0] = 0.0
    """Weight of the distance of rehearsal texts to their own starting vectors."""
    rehearsal_size: Annotated[int, AT_LEAST_1] = 8
    """Rehearsal texts per process and step."""
    distance: Annotated[str, one_of("cosine", "mse")] = "cosine"
    """cosine or mse."""


@dataclass(frozen=True)
class LoraOptions:
    """Train low-rank adapters only, through peft; they are saved as such and merged into the weights at the end."""

    rank: Annotated[int, AT_LEAST_1] = 8
    """Rows of A and columns of B in W + (alpha / rank) B A."""
    alpha: Annotated[float, POSITIVE] = 16.0
    """Scale of the change."""
    dropout: Annotated[float, SHARE_NOT_1] = 0.0
    """On what the adapter reads."""
    targets: tuple[str, ...] = ()
    """Ends of the names of the linear modules to adapt, such as query; none: attention queries and values."""
    dora: bool = False
    """Learn the length of each row of W apart from its direction (DoRA)."""
    rslora: bool = False
    """Divide alpha by the root of the rank."""

    def __post_init__(self) -> None:
        """Refuse values outside their limits."""
        check_options(self, "lora")


@dataclass(frozen=True)
class TrainOptions:
    """The optimisation."""

    steps: Annotated[int, AT_LEAST_1] = 200
    """Optimiser steps."""
    batch_size: Annotated[int, AT_LEAST_1] = 64
    """Pairs per process in one forward pass: its in-batch negatives come from these and from other processes."""
    batch_tokens: Annotated[int, AT_LEAST_0] = 0
    """Fill batches up to so many tokens per process, without padding, instead of batch_size pairs; 0: fixed pairs."""
    accumulate: Annotated[int, AT_LEAST_1] = 1
    """Forward passes per optimiser step (adds no negatives)."""
    learning_rate: Annotated[float, POSITIVE] = 5e-5
    """Peak learning rate of AdamW."""
    temperature_rate: Annotated[float, POSITIVE] = 1e-2
    """The same of learned temperatures: about the most by which a step changes log(temperature)."""
    warmup: Annotated[float, SHARE] = 0.1
    """Share of the steps with a rising learning rate."""
    schedule: Annotated[str, one_of("linear", "cosine", "constant")] = "linear"
    """linear, cosine or constant, after the warm-up."""
    weight_decay: Annotated[float, AT_LEAST_0] = 0.0
    """AdamW's weight decay, of matrices: norms, biases and temperatures have none."""
    max_tokens: Annotated[int, AT_LEAST_1] = 128
    """Longer texts are cut in training."""
    language_temperature: Annotated[float, SHARE] = 1.0
    """Language l is drawn in proportion to n_l ** this: 1 natural, 0 uniform."""
    temperature_over: Annotated[str, one_of("source", "pair")] = "source"
    """What counts as language here: of the source, or pair, the two of a row in either order."""
    batches_by_language: bool = False
    """Fill a batch from one language (as temperature_over has it) where that is possible: its negatives are harder."""
    repeat_groups: bool = False
    """Several pairs of one group in a batch: never negatives; for label_nt_xent, supcon, multi_similarity positives."""
    mixing: Annotated[str, one_of("proportional", "uniform")] = "proportional"
    """Over the tables of a stage: proportional to their rows, or uniform (equally often)."""
    freeze_embeddings: bool = False
    """Keep the word embeddings as they are (69 % of XLM-R-base's parameters)."""
    freeze_blocks: Annotated[int, AT_LEAST_0] = 0
    """Keep the lowest so many transformer blocks as they are."""
    interpolate: Annotated[float, SHARE] = 1.0
    """Share a of the trained weights in the result: a * trained + (1 - a) * start."""
    bf16: bool = False
    """bfloat16 autocast with float32 weights."""
    attention: Annotated[str, one_of("auto", "padded")] = "auto"
    """auto: nothing is computed on padding where the model allows it; padded: texts are filled up to the longest."""
    attention_dropout: Annotated[float, SHARE_NOT_1] | None = None
    """Dropout of attention probabilities; unset: the model's. A GPU's fastest attention needs 0."""
    loss: Annotated[str, one_of("auto", "plain")] = "auto"
    """auto: the similarity matrix of a contrastive objective is never held whole; plain: it is, as its formula says."""
    micro_tokens: Annotated[int, AT_LEAST_0] = 0
    """Gradient caching: tokens encoded at once, whatever the batch, at the price of a second forward pass; 0: all."""
    compile: bool = False
    """Compile the transformer blocks (torch.compile): minutes at the start, worth it on a GPU in a long run."""
    sparse_embeddings: bool = False
    """Update only those rows of the word embeddings that a batch reads (lazy Adam): their moments wait meanwhile."""
    prefetch: Annotated[int, AT_LEAST_0] = 2
    """Batches made ahead in a thread; 0: none."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, more time."""
    seed: Annotated[int, SEED] = 0
    """Seed of batches, masks, dropout and new weights (classifier, projection, adapter)."""
    save_every: Annotated[int, AT_LEAST_0] = 0
    """Steps between checkpoints from which a run resumes; 0: none."""
    evaluate_every: Annotated[int, AT_LEAST_0] = 0
    """Steps between evaluations by the given callables; 0: none."""
    patience: Annotated[int, AT_LEAST_0] = 0
    """Stop after so many evaluations in a row without a better score of the one watched (best); 0: never."""
    log_every: Annotated[int, AT_LEAST_1] = 10
    """Steps between lines of metrics."""


@dataclass(frozen=True)
class Recipe:
    """A weighted sum of objectives, the vector they act on, and the optimisation; or several of these, one by one."""

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    name: str = ""
    """Of a stage."""
    pairs: tuple[str, ...] = ()
    """Names of the tables that a stage draws from; none: all that are given."""
    nt_xent: ContrastiveOptions | None = None
    info_nce: ContrastiveOptions | None = None
    multiple_negatives: MultipleNegativesOptions | None = None
    label_nt_xent: LabelledOptions | None = None
    supcon: LabelledOptions | None = None
    multi_similarity: MultiSimilarityOptions | None = None
    cosine_mse: PlainOptions | None = None
    cosent: GradedOptions | None = None
    angle: GradedOptions | None = None
    softmax_nli: PlainOptions | None = None
    distil: PlainOptions | None = None
    mlm: MlmOptions | None = None
    tlm: TlmOptions | None = None
    anchor: AnchorOptions | None = None
    matryoshka: MatryoshkaOptions | None = None
    lora: LoraOptions | None = None
    train: TrainOptions = field(default_factory=TrainOptions)
    stages: tuple[Recipe, ...] = ()
    """Instead of objectives: recipes that run one after the other, each from where the last one ended."""

    def __post_init__(self) -> None:
        """Refuse what could only fail, or do nothing, later."""
        place = f"the stage {self.name!r}" if self.name else "the recipe"
        if not (self.stages or self.objectives):
            raise InputError(f"{place} trains nothing: expected one of {', '.join(OBJECTIVES)}")
        try:
            check_options(self)
            if self.stages:
                self._check_stages()
            else:
                self._check_objectives()
                self._check_training()
        except InputError as error:
            raise (InputError(f"{place}: {error}") if self.name else error) from None

    def _check_objectives(self) -> None:
        if self.nt_xent:
            need(not self.nt_xent.bank, "nt_xent has no use for a bank (info_nce has): it must be 0", self.nt_xent.bank)
        if self.info_nce and self.info_nce.bank:
            need(self.info_nce.frozen, "info_nce.bank needs info_nce.frozen = true", self.info_nce.frozen)
        if self.anchor:
            weights = (self.anchor.source, self.anchor.target, self.anchor.rehearsal)
            need(max(weights) > 0, "anchor needs a positive source, target or rehearsal", weights)
        need(
            bool(self.trained), "the recipe trains nothing: expected one weight above 0",
            {f"{name}.weight": 0 for name in self.objectives},
        )  # fmt: skip
        if self.distil:
            frozen = [name for name in CONTRASTIVE if getattr(self, name) and getattr(self, name).frozen]
            both = frozen + ["anchor"] * bool(self.anchor and (self.anchor.source or self.anchor.target))
            need(not both, "distil learns a teacher's vectors, and no objective beside it can use the start's", both)
        if self.matryoshka:
            sizes, factors = self.matryoshka.dimensions, self.matryoshka.weights
            need(bool(sizes), "matryoshka.dimensions must be widths of at least 1", list(sizes))
            need(len(factors) in (0, len(sizes)), "matryoshka.weights must be as many as dimensions", list(factors))
            need(max(factors, default=1) > 0, "matryoshka.weights must have one above 0", list(factors))
            need(any(getattr(self, name) for name in PREFIXED), (
                f"matryoshka cuts the vectors of {', '.join(PREFIXED)}: the recipe must have one of these"
            ), self.objectives)  # fmt: skip
            odd = [size for size in sizes if size % 2 and self.angle]
            need(not odd, "angle takes vectors for complex numbers: matryoshka.dimensions must be even", odd)

    def _check_training(self) -> None:
        train = self.train
        need(
            train.evaluate_every > 0 or not train.patience, "train.patience counts evaluations: train.evaluate_every "
            "must be at least 1", train.evaluate_every,
        )  # fmt: skip
        need(
            self.tlm is None or train.max_tokens >= 3, "tlm needs room for a piece of each text between three special "
            "tokens: train.max_tokens must be at least 3", train.max_tokens,
        )  # fmt: skip
        if self.lora and self.lora.dora:
            need(train.interpolate == 1, "lora.dora needs train.interpolate = 1", train.interpolate)

    def _check_stages(self) -> None:
        names = [stage.name for stage in self.stages]
        need(all(names) and len(set(names)) == len(names), "every stage needs a name of its own", names)
        bad = [name for name in names if not re.fullmatch(r"[\w-]+", name) or name in ("encoder", "train")]
        need(not bad, "a stage's name must be of letters, digits, _ and -, and neither encoder nor train", bad)
        own = [name for name in (*OBJECTIVES, "matryoshka", "lora") if getattr(self, name)]
        need(not own, "a recipe with stages has its objectives inside them", own)
        need(self.train == TrainOptions(), "a recipe with stages has its [train] inside them", ["train"])
        need(not self.pairs, "a recipe with stages has its pairs inside them", list(self.pairs))
        for stage in self.stages:
            need(not stage.stages, "a stage has no stages of its own", stage.name)
            need(stage.encoder == EncoderOptions(), "all stages share one [encoder]: set it outside them", stage.name)

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives in the sum."""
        return [name for name in OBJECTIVES if getattr(self, name)]

    @property
    def trained(self) -> list[str]:
        """Names of the objectives whose weight is not 0: the others are reported only."""
        return [name for name in self.objectives if getattr(getattr(self, name), "weight", 1)]

    @property
    def trains_head(self) -> bool:
        """Whether the masked-LM head, and so every block below it, gets a gradient."""
        return bool({"mlm", "tlm"} & set(self.trained))

    @property
    def needs_start(self) -> bool:
        """Whether vectors of the sources by the starting encoder, or by a teacher, are needed."""
        frozen = any(options and options.frozen for options in (self.nt_xent, self.info_nce))
        return frozen or bool(self.distil or (self.anchor and (self.anchor.source or self.anchor.target)))

    @property
    def needs_source(self) -> bool:
        """Whether the source side is encoded in training at all."""
        current = any(options and not options.frozen for options in (self.nt_xent, self.info_nce))
        names = ("multiple_negatives", *LABELLED, *GRADED, "distil", "mlm")
        others = (getattr(self, name) for name in names)
        return current or any(others) or bool(self.softmax_nli or (self.anchor and self.anchor.source))

    @property
    def needs_target(self) -> bool:
        """Whether any objective reads the target on its own (TLM reads both in one sequence)."""
        return set(self.objectives) != {"tlm"}

    @property
    def needs_columns(self) -> list[str]:
        """Columns that the pairs must have beside those of every table."""
        negative = self.multiple_negatives and self.multiple_negatives.hard_negatives
        score = any(getattr(self, name) for name in GRADED)
        asked = {"negative": negative, "score": score, "label": self.softmax_nli}
        return [name for name, needed in asked.items() if needed]


CONTRASTIVE = ("nt_xent", "info_nce")
LABELLED = ("label_nt_xent", "supcon", "multi_similarity")
GRADED = ("cosine_mse", "cosent", "angle")
PREFIXED = (*CONTRASTIVE, "multiple_negatives", *LABELLED, *GRADED)
"""Objectives that ``matryoshka`` trains on prefixes of the vectors."""
OBJECTIVES = (*PREFIXED, "softmax_nli", "distil", "mlm", "tlm", "anchor")
SECTIONS = ("encoder", *OBJECTIVES, "matryoshka", "lora", "train")

"""Settings of a recipe beside its objectives: what makes the vector, prefixes, adapters, the optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from align.objectives.ranges import (
    AT_LEAST_0,
    AT_LEAST_1,
    POSITIVE,
    SEED,
    SHARE,
    SHARE_NOT_1,
    check_options,
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
class MatryoshkaOptions:
    """Train every contrastive and graded objective on prefixes of the vectors, too."""

    dimensions: tuple[Annotated[int, AT_LEAST_1], ...] = ()
    """Widths, such as [64, 128, 384]; the full one is not implied."""
    weights: tuple[Annotated[float, AT_LEAST_0], ...] = ()
    """One a width; none: 1 each."""


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
    experts: Annotated[int, AT_LEAST_1] = 1
    """Adapters of each module; 2 or more: a mixture, which a router weighs for each text, and which stays unmerged."""
    top: Annotated[int, AT_LEAST_0] = 0
    """So many of them read a text, those that the router weighs most; 0: all."""
    balance: Annotated[float, AT_LEAST_0] = 0.01
    """Weight of the load balance of a mixture: 1 when all adapters are used alike, their number when one is."""

    def __post_init__(self) -> None:
        """Refuse values outside their limits."""
        check_options(self, "lora")


@dataclass(frozen=True)
class BottleneckOptions:
    """Train bottleneck adapters on the blocks only: x + W_u gelu(W_d LN(x)); they are kept beside the weights."""

    reduction: Annotated[int, AT_LEAST_1] = 16
    """What the width of the states is divided by: numbers between W_d and W_u."""

    def __post_init__(self) -> None:
        """Refuse values outside their limits."""
        check_options(self, "bottleneck")


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
    embedding_rate: Annotated[float, POSITIVE] | None = None
    """The same of the word embeddings: a row that few batches read takes few steps; unset: learning_rate."""
    temperature_rate: Annotated[float, POSITIVE] = 1e-2
    """The same of learned temperatures and biases: about the most by which a step changes log(temperature)."""
    warmup: Annotated[float, SHARE] = 0.1
    """Share of the steps with a rising learning rate."""
    schedule: Annotated[str, one_of("linear", "cosine", "constant")] = "linear"
    """linear, cosine or constant, after the warm-up."""
    weight_decay: Annotated[float, AT_LEAST_0] = 0.0
    """AdamW's weight decay, of matrices: norms, biases and temperatures have none."""
    max_tokens: Annotated[int, AT_LEAST_1] = 128
    """Longer texts are cut in training."""
    language_tags: bool = False
    """Put a token that names its language, <2hin_Deva>, before each text; teachers and frozen vectors read none."""
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
    trainable: tuple[str, ...] = ()
    """Regular expressions: of the encoder only weights in whose name one is found are trained; none: all."""
    freeze_embeddings: bool = False
    """Keep the word embeddings as they are (69 % of XLM-R-base's parameters)."""
    freeze_blocks: Annotated[int, AT_LEAST_0] = 0
    """Keep the lowest so many transformer blocks as they are, and what lies below them but the word embeddings."""
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

"""How a stage runs: attention, dropped and recomputed activations, compiled blocks, sparse tables, in one context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers import PreTrainedModel

from align.encoders.blocks import attention_dropout, attention_dropouts, blocks, recompute_activations, word_table
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.objectives.objective import OF_HEAD
from align.training.distributed import backend, world
from align.training.recipe import Recipe

ROUND_TO = 64  # tokens: packed batches are filled up to a multiple, so that compiled blocks see few sizes


@contextmanager
def running(encoder: Encoder, recipe: Recipe) -> Iterator[None]:
    """While the context lasts, the encoder runs as the recipe says; then as before."""
    model, train = encoder.model, recipe.train
    try:
        with attention_dropout(model, train.attention_dropout):
            encoder.attention, encoder.round_to = train.attention, ROUND_TO if train.compile else 1
            if train.gradient_checkpointing:
                recompute_activations(model, True)
            compile_blocks(model, train.compile)
            sparse_embeddings(model, train.sparse_embeddings)
            yield
    finally:
        encoder.attention, encoder.round_to = "auto", 1
        if train.gradient_checkpointing:
            recompute_activations(model, False)
        compile_blocks(model, False)
        sparse_embeddings(model, False)


OF_A_TABLE = ("sparse_embeddings", "embedding_rate", "freeze_embeddings")
"""Settings of the word embeddings."""


def check_engine(encoder: Encoder, recipe: Recipe) -> None:
    """Refuse what the model cannot do, or what would do nothing.

    Raises:
        InputError: says why.
    """
    with attention_dropout(encoder.model, recipe.train.attention_dropout):
        pass  # refuses what has none
    if recipe.train.compile and recipe.train.gradient_checkpointing:
        raise InputError(
            "train.compile and train.gradient_checkpointing exclude each other: transformers checkpoints inside the "
            "block, which is then not compiled; train.micro_tokens saves memory beside compiled blocks"
        )
    asked = [name for name in OF_A_TABLE if getattr(recipe.train, name)]
    if asked and word_table(encoder.body) is None:
        raise InputError(f"train.{asked[0]}: {type(encoder.body).__name__} has no table of word embeddings")
    if recipe.train.sparse_embeddings:
        _check_sparse_embeddings(encoder, recipe)


def _check_sparse_embeddings(encoder: Encoder, recipe: Recipe) -> None:
    table, head = encoder.body.get_input_embeddings(), encoder.model.get_output_embeddings()
    names = [name for name in recipe.trained if not recipe.reads(name).isdisjoint(OF_HEAD)]
    tied = head is not None and head.weight is table.weight
    if names and tied:
        raise InputError(
            f"train.sparse_embeddings needs gradients of the read rows only, but {names[0]} trains a head of "
            f"{type(encoder.model).__name__} whose weights are the word embeddings: all rows get one"
        )
    frozen = "train.freeze_embeddings" if recipe.train.freeze_embeddings else "lora" if recipe.lora else ""
    frozen = frozen or ("bottleneck" if recipe.bottleneck else "")
    if frozen:
        raise InputError(f"train.sparse_embeddings has nothing to update: {frozen} keeps the word embeddings fixed")
    if world()[1] > 1 and backend(encoder.device) == "nccl":
        raise InputError("train.sparse_embeddings needs one process a run on GPUs: NCCL adds up no sparse gradients")


def engine(encoder: Encoder, recipe: Recipe) -> str:
    """For the log: which of the fast paths a run takes."""
    train = recipe.train
    rates = [dropout.p for dropout in attention_dropouts(encoder.model)]
    parts = ["attention " + encoder.attention_in_use(dropout=max(rates, default=0.0), bf16=train.bf16)]
    if any(objective.by_blocks for objective in recipe.active.values()):
        parts.append("contrast " + ("whole, as asked" if train.loss == "plain" else "by blocks"))
    if train.micro_tokens:
        parts.append(f"micro-batches of {train.micro_tokens:,} tokens")
    parts += ["bf16"] * train.bf16 + ["compiled blocks"] * train.compile
    parts.append("fused AdamW" + ", rows of the word embeddings only" * train.sparse_embeddings)
    return "engine: " + ", ".join(parts)


def compile_blocks(model: PreTrainedModel, on: bool) -> None:
    """Compile each block in place for any number of tokens, or stop doing so; names of weights do not change.

    The packed attention stays as it is (it is marked ``torch.compiler.disable``): compiled is what lies around it.
    """
    for block in blocks(model):
        if on:
            block.compile(dynamic=True)
        else:
            block._compiled_call_impl = None


@contextmanager
def eager_blocks(model: PreTrainedModel) -> Iterator[None]:
    """Leave compiled blocks alone while the context lasts: an evaluation is too short to compile anew for."""
    compiled = [block._compiled_call_impl for block in blocks(model)]
    compile_blocks(model, False)
    try:
        yield
    finally:
        for block, call in zip(blocks(model), compiled, strict=True):
            block._compiled_call_impl = call


def sparse_embeddings(model: PreTrainedModel, on: bool) -> None:
    """Give the word embeddings row-sparse gradients, or dense ones again.

    Such a gradient holds a row of D numbers for each token read since the last step, the table one for each piece.

    Raises:
        InputError: the model's word embeddings are no plain table.
    """
    table = word_table(model)
    if on and not isinstance(table, nn.Embedding):
        raise InputError(
            f"train.sparse_embeddings needs a table of word embeddings (torch.nn.Embedding); {type(model).__name__} "
            f"has {type(table).__name__}"
        )
    if isinstance(table, nn.Embedding):
        table.sparse = on

"""torch.compile of the transformer blocks, while a run trains them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

from align.encoders.blocks import blocks
from align.errors import InputError
from align.training.recipe import TrainOptions

ROUND_TO = 64  # tokens: packed batches are filled up to a multiple, so that compiled blocks see few sizes


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


def check_compile(options: TrainOptions) -> None:
    """Refuse what would leave the blocks as they are.

    Raises:
        InputError: activations are to be recomputed by transformers, block by block.
    """
    if options.compile and options.gradient_checkpointing:
        raise InputError(
            "train.compile and train.gradient_checkpointing exclude each other: transformers checkpoints inside the "
            "block, which is then not compiled; train.micro_tokens saves memory beside compiled blocks"
        )

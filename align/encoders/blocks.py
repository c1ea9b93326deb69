"""The parts of a Hugging Face encoder: its blocks, the first k of them, its masked-LM head, the places of a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from align.errors import InputError

BLOCK_PATHS = ("encoder.layer", "transformer.layer", "layers", "encoder.block")
"""BERT, XLM-R and CANINE; DistilBERT; ModernBERT; T5's encoder."""


def _block_owner(model: PreTrainedModel) -> tuple[nn.Module, str]:
    for path in BLOCK_PATHS:
        *parents, name = path.split(".")
        owner: Any = model.base_model
        for parent in parents:
            owner = getattr(owner, parent, None)
        if isinstance(getattr(owner, name, None), nn.ModuleList):
            return owner, name
    raise InputError(f"{type(model).__name__} is not supported: its blocks are at none of {', '.join(BLOCK_PATHS)}")


def blocks(model: PreTrainedModel) -> nn.ModuleList:
    """The transformer blocks of a model: ``hidden_states[k]`` is the output of blocks[k - 1]."""
    owner, name = _block_owner(model)
    found: nn.ModuleList = getattr(owner, name)
    return found


@contextmanager
def first_blocks(model: PreTrainedModel, count: int | None) -> Iterator[None]:
    """Leave only the first ``count`` blocks in place while the context lasts (None: all)."""
    owner, name = _block_owner(model)
    every: nn.ModuleList = getattr(owner, name)
    if count is None or count == len(every):
        yield
        return
    setattr(owner, name, every[:count])
    try:
        yield
    finally:
        setattr(owner, name, every)


@contextmanager
def block_states(model: PreTrainedModel) -> Iterator[dict[int, Tensor]]:
    """hidden_states[0..K] of the forward passes in the context, of the K blocks that are in place.

    transformers' own ``output_hidden_states`` puts its hooks on the blocks that are in place at the first call, so that
    a model that was cut then has no states of later blocks ever after.
    """
    states: dict[int, Tensor] = {}

    def kept(k: int) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any], made: Any) -> None:
            if k == 1:
                states[0] = args[0] if args else named["hidden_states"]
            states[k] = made[0] if isinstance(made, tuple) else made

        return hook

    hooks = [block.register_forward_hook(kept(k), with_kwargs=True) for k, block in enumerate(blocks(model), 1)]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def first_states(model: PreTrainedModel, given: Mapping[str, Any], top: int) -> tuple[Tensor, ...]:
    """hidden_states[0..top] of the model's body; the blocks behind are not run."""
    with first_blocks(model, max(1, top)), block_states(model) as states:
        model.base_model(**given)
    return tuple(states[k] for k in range(top + 1))


def norms_last_layer(model: PreTrainedModel) -> bool:
    """Whether a norm, or more, follows the last block (ModernBERT, Llama, T5), so that no lower layer is like it."""
    body: Any = model.base_model
    owners = (body, getattr(body, "encoder", None))
    return any(hasattr(owner, name) for owner in owners for name in ("final_norm", "norm", "final_layer_norm")) or bool(
        reads_molecules(model)
    )


def reads_molecules(model: PreTrainedModel) -> int:
    """Characters of a molecule, if the blocks read these (CANINE) and not the tokens of a text; 0: they do not."""
    return int(getattr(model.config, "downsampling_rate", 0)) if hasattr(model.base_model, "final_char_encoder") else 0


def padded_length(model: PreTrainedModel, tokens: int) -> int:
    """Columns that texts of so many tokens at most are filled up to, so that no further one changes their states.

    Only CANINE needs more than the tokens. Its convolution reads beyond a text's end, by up to two molecules and a
    character; and padding at the start of a chunk of its local attention has only padding to look at, all of the chunk.
    """
    molecule = reads_molecules(model)
    if not molecule:
        return tokens
    chunk, needed = int(model.config.local_transformer_stride), tokens + 2 * molecule + 1
    return needed if needed <= chunk else -(-needed // chunk) * chunk


def word_table(model: PreTrainedModel) -> nn.Module | None:
    """The word embeddings; ``None``: the model has no row for each id (CANINE hashes code points)."""
    try:
        table: nn.Module = model.get_input_embeddings()
    except NotImplementedError:
        return None
    return table


def recompute_activations(model: PreTrainedModel, on: bool) -> None:
    """Keep no activations of the blocks, and compute them again in the backward pass; or stop doing so."""
    # transformers 5.2x renamed it, and warns of the old name
    name = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    if on:
        getattr(model, f"{name}_checkpointing_enable")({"use_reentrant": False})
    else:
        getattr(model, f"{name}_checkpointing_disable")()


def attention_dropouts(model: PreTrainedModel) -> list[nn.Dropout]:
    """The dropouts of attention probabilities: those beside a query projection (BERT, XLM-R, DistilBERT)."""
    owners = [m for block in blocks(model) for m in block.modules() if hasattr(m, "query") or hasattr(m, "q_lin")]
    dropouts = (getattr(owner, "dropout", None) for owner in owners)
    return [dropout for dropout in dropouts if isinstance(dropout, nn.Dropout)]


@contextmanager
def attention_dropout(model: PreTrainedModel, share: float | None) -> Iterator[None]:
    """Drop this share of attention probabilities while the context lasts (None: what the model drops).

    Raises:
        InputError: the model has no such dropout that could be set.
    """
    if share is None:
        yield
        return
    dropouts = attention_dropouts(model)
    if not dropouts:
        raise InputError(f"train.attention_dropout cannot be set: {type(model).__name__} has no such dropout")
    before = [dropout.p for dropout in dropouts]
    try:
        for dropout in dropouts:
            dropout.p = share
        yield
    finally:
        for dropout, p in zip(dropouts, before, strict=True):
            dropout.p = p


def masked_lm_head(model: PreTrainedModel) -> tuple[nn.Module, Tensor, Tensor | None]:
    """The head that predicts pieces from (P, D) last states h: logits = transform(h) @ weight.T + bias.

    Raises:
        InputError: the checkpoint has no masked-LM head, or one of an unknown family.
    """
    if hasattr(model, "cls") and hasattr(model.cls, "predictions"):  # BERT and MuRIL
        head = model.cls.predictions
        return head.transform, head.decoder.weight, head.decoder.bias
    if hasattr(model, "lm_head") and hasattr(model.lm_head, "dense"):  # RoBERTa, XLM-R and Glot500
        head = model.lm_head
        return nn.Sequential(head.dense, nn.GELU(), head.layer_norm), head.decoder.weight, head.decoder.bias
    if hasattr(model, "vocab_projector"):  # DistilBERT
        transform = nn.Sequential(model.vocab_transform, model.activation, model.vocab_layer_norm)
        return transform, model.vocab_projector.weight, model.vocab_projector.bias
    raise InputError(
        f"{type(model).__name__} comes without a masked-LM head, which cloze and the objectives mlm, tlm "
        "and switched_mlm read: use a checkpoint saved with its head, or a recipe without them"
    )


def first_position(model: PreTrainedModel) -> int:
    """Id of the first position: 0 in BERT, padding_idx + 1 in RoBERTa and XLM-R."""
    embedding = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    offset = getattr(embedding, "padding_idx", None)
    return 0 if offset is None else int(offset) + 1


def longest_input(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Most tokens that the model takes: RoBERTa's positions start at padding_idx + 1, so two of 514 are lost."""
    positions = getattr(model.config, "max_position_embeddings", None) or 512
    places = positions - first_position(model)
    if molecule := reads_molecules(model):  # the inverse of padded_length
        places = places // model.config.local_transformer_stride * model.config.local_transformer_stride
        places -= 2 * molecule + 1
    return int(min(places, tokenizer.model_max_length))

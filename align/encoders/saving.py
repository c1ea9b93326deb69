"""Saving encoders for sentence-transformers and transformers, with the adapters that were merged into them."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Normalize,
    Transformer,
    WeightedLayerPooling,
    WordWeights,
)
from sentence_transformers.sentence_transformer.modules import Pooling as PlainPooling
from torch import nn

from align import __version__
from align.encoders.adapters.bottleneck import refuse_bottlenecks, without_bottlenecks
from align.encoders.adapters.folder import CARD, write_base, write_bottlenecks
from align.encoders.adapters.low_rank import Adapter
from align.encoders.blocks import blocks, first_blocks, reads_molecules
from align.encoders.checkpoint import MASKED_LM, NO_CARD, PLAIN_MODES
from align.encoders.encoder import Encoder
from align.encoders.fallback import with_card
from align.encoders.mixture.folder import CARD as MIXED
from align.encoders.mixture.folder import write_mixture
from align.encoders.mixture.layers import mixture_of
from align.encoders.pooling import Cut
from align.encoders.romanising import RomanisingTransformer
from align.encoders.route import refuse_route
from align.encoders.weights import quiet
from align.errors import InputError
from align.files.folders import whole_folder
from align.files.whole import write_json

log = logging.getLogger(__name__)

ENCODER = "encoder"  # kind of folder
DOCUMENT = ("document", "passage", "corpus")  # names of prompts that encode_document looks for, in this order


def save_encoder(
    encoder: Encoder,
    folder: str | Path,
    *,
    card: str | None = None,
    extra: dict[str, Any] | None = None,
    adapters: Mapping[str, Adapter] | None = None,
) -> None:
    """Save an encoder so that ``SentenceTransformer(folder)`` loads it without custom code and gives the same vectors.

    One that romanises scripts (:func:`align.scripts`) it loads with ``trust_remote_code`` and this package alone; one
    with bottleneck adapters it refuses, and loads ``folder/base``, the encoder without them. One with a mixture of
    adapters only :func:`align.load_encoder` loads: see :mod:`align.encoders.mixture.folder`.

    A layer-k encoder is cut after layer k. If that drops layers, or the model has a masked-LM head, the whole
    checkpoint goes to ``folder/masked_lm`` for ``AutoModelForMaskedLM`` and token-level fine-tuning.

    Args:
        encoder: what to save.
        folder: written whole or not at all; an older encoder that Align saved there is replaced.
        card: text of README.md; None: what the encoder came with, or a short one.
        extra: JSON values kept in ``align.json`` (recipe, data hashes, versions, ...).
        adapters: already merged into the encoder, to be kept in ``folder/adapter/NAME`` as well.

    Raises:
        InputError: the folder holds something else or cannot be written, or plain sentence-transformers cannot
            express the pooling, or the encoder takes offsets off or has a route.
    """
    if mixture_of(encoder.body) is not None:
        _save_mixed(encoder, folder, card, extra or {})
        return
    refuse_route(encoder, "save_encoder")
    if encoder.offsets is not None:
        raise InputError("a saved encoder takes no offsets off: load it without them to save it, and keep their folder")
    if reads_molecules(encoder.model):
        log.warning(
            "%s: sentence-transformers fills texts up to the longest beside them, which changes the vectors of %s a "
            "little; load it with align", folder, type(encoder.body).__name__,
        )  # fmt: skip
    identity = encoder.identity()
    with whole_folder(folder, kind=ENCODER, hashed=True) as temporary, without_bottlenecks(encoder.model) as on:
        if on:
            write_base(encoder, temporary, partial(save_encoder, card=card))
        else:
            _save_weights(encoder, temporary)
        settings = {
            "align": __version__, "pooling": asdict(encoder.pooling), "unit": encoder.unit, "prompt": encoder.prompt,
            "prompts": encoder.prompts, "max_tokens": encoder.max_tokens, "tail": len(_kept_in_modules(encoder)),
            "identity": identity, "similarity": encoder.similarity, "truncate_dim": _truncate_dim(encoder),
        }  # fmt: skip
        if encoder.fallback is not None:
            settings["fallback"] = encoder.fallback.saved()
        if on:
            settings["bottlenecks"] = write_bottlenecks(temporary, on)
        if encoder.lexical is not None:
            settings["lexical"] = asdict(encoder.lexical)
        for name, adapter in (adapters or {}).items():
            adapter.save(temporary / "adapter" / name)
        write_json(temporary / "align.json", settings | (extra or {}))
        text = with_card(card or encoder.card or NO_CARD, encoder.fallback)
        text += CARD if on and CARD not in text else ""
        (temporary / "README.md").write_text(text, encoding="utf-8")


def _save_weights(encoder: Encoder, folder: Path) -> None:
    with quiet():
        to_sentence_transformer(encoder).save_pretrained(str(folder), create_model_card=False)
        if encoder.model is not encoder.body or encoder.layer < len(blocks(encoder.model)):
            encoder.model.save_pretrained(folder / MASKED_LM)
            encoder.tokenizer.save_pretrained(folder / MASKED_LM)


def _save_mixed(encoder: Encoder, folder: str | Path, card: str | None, extra: Mapping[str, Any]) -> None:
    with whole_folder(folder, kind=ENCODER, hashed=True) as temporary:
        settings = write_mixture(encoder, temporary, save_encoder)
        shown = {"align": __version__, "identity": encoder.identity(), **settings}
        write_json(temporary / "align.json", {**shown, **extra})
        (temporary / "README.md").write_text(card or MIXED.format(name=Path(folder).name), encoding="utf-8")


def to_sentence_transformer(encoder: Encoder) -> SentenceTransformer:
    """The encoder as a plain sentence-transformers model (a copy), cut after the pooling layer.

    Tokens that must not count get weight 0 from sentence-transformers' own ``WordWeights`` module; the mean of layers
    is its ``WeightedLayerPooling`` with equal weights. Its prompts are :func:`saved_prompts`.

    Raises:
        InputError: a pooling whose vectors sentence-transformers makes in another length, where the length matters;
            bottleneck adapters.
    """
    refuse_bottlenecks(encoder.model, "sentence-transformers has no place for them; load it with align.load_encoder")
    pooling = encoder.pooling
    # WordWeights tells Pooling the sum of its weights, which knows of no positions and of no prompt left out
    scaled = "by position" * (pooling.kind == "weighted") or "without the prompt" * (not pooling.include_prompt)
    unit_next = isinstance(encoder.tail[0], Normalize) if len(encoder.tail) else encoder.unit
    if scaled and not pooling.special_tokens and not unit_next:
        raise InputError(
            f"sentence-transformers cannot pool {scaled} without special tokens unless vectors are made unit ones "
            "next, before anything (Dense, ...) else"
        )
    scratch = Path(tempfile.mkdtemp(prefix="align-"))
    try:
        _save_cut(encoder, scratch)
        with quiet():
            modules: list[nn.Module] = [_transformer(encoder, str(scratch))]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    pooler = getattr(modules[0].model, "pooler", None)
    if pooler is not None:  # made at random by the loading above, read by nobody: zero, so that files are reproducible
        for parameter in pooler.parameters():
            parameter.data.zero_()
    width = encoder.body.config.hidden_size
    plain = partial(PlainPooling, width, include_prompt=pooling.include_prompt)
    weights = [] if pooling.special_tokens else [_without_added_tokens(encoder)]
    average = [WeightedLayerPooling(width, encoder.layer, layer_start=0)] if encoder.layer > 0 else []
    mode = PLAIN_MODES[pooling.kind]
    if pooling.with_average:  # what is pooled first goes where a second pooling looks for the vector of the first token
        modules += [*weights, plain(mode), _kept(width), *average, *weights, plain(("cls", mode))]
    else:
        modules += average if pooling.average_layers else []
        modules += [*weights, plain(mode)]
    modules += _kept_in_modules(encoder)
    if encoder.unit:
        modules.append(Normalize())
    prompts, default = saved_prompts(encoder)
    return SentenceTransformer(
        modules=modules, device=str(encoder.device), prompts=prompts, default_prompt_name=default,
        similarity_fn_name=encoder.similarity, truncate_dim=_truncate_dim(encoder),
    )  # fmt: skip


def _kept_in_modules(encoder: Encoder) -> list[nn.Module]:
    return [module for module in encoder.tail if not isinstance(module, Cut)]


def _truncate_dim(encoder: Encoder) -> int | None:
    return next((module.out_features for module in encoder.tail if isinstance(module, Cut)), None)


def _transformer(encoder: Encoder, folder: str) -> Transformer:
    """Plain, or, of an encoder with a fallback, the module that romanises as it does."""
    if encoder.fallback is None:
        return Transformer(folder, max_seq_length=encoder.max_tokens)
    scripts, romanizer = encoder.fallback.scripts, encoder.fallback.romanizer
    return RomanisingTransformer(
        folder, max_seq_length=encoder.max_tokens, romanised_scripts=scripts, romanizer=romanizer
    )  # fmt: skip


def _kept(width: int) -> Dense:
    """Keeps the pooled vector as ``cls_token_embeddings``."""
    return Dense(
        width, width, bias=False, activation_function=nn.Identity(), init_weight=torch.eye(width),
        module_output_name="cls_token_embeddings",
    )  # fmt: skip


def saved_prompts(encoder: Encoder) -> tuple[dict[str, str], str | None]:
    """Prompts by name as sentence-transformers saves them, and the name of the one that ``encode`` uses.

    Those that the model came with stay. ``encode_query`` and ``encode_document`` never use that of ``encode``: where
    the model has no prompt of its own for either, both names get the encoder's, so that all three agree.
    """
    prompts = {code: f"{encoder.prompt}<2{code}> " for code in encoder.tags} | encoder.prompts
    if not any(prompts.get(name) for name in ("query", *DOCUMENT)):
        prompts |= {"query": encoder.prompt, "document": encoder.prompt}
    if not encoder.prompt:
        return prompts, None
    default = next((name for name, text in encoder.prompts.items() if text == encoder.prompt), "default")
    return prompts | {default: encoder.prompt}, default


def _save_cut(encoder: Encoder, folder: Path) -> None:
    config = encoder.body.config
    depth = config.num_hidden_layers
    try:
        config.num_hidden_layers = encoder.layer
        config.output_hidden_states = (
            encoder.pooling.average_layers and encoder.layer > 0
        ) or encoder.pooling.with_average
        with first_blocks(encoder.model, encoder.pooling.layer):
            encoder.body.save_pretrained(folder)
    finally:
        config.num_hidden_layers = depth
        config.output_hidden_states = False
    encoder.tokenizer.save_pretrained(folder)


def _without_added_tokens(encoder: Encoder) -> WordWeights:
    size = encoder.model.config.vocab_size
    vocabulary = [f"#{i}" for i in range(size)]
    for piece, i in encoder.tokenizer.get_vocab().items():
        if i < size:
            vocabulary[i] = piece
    weights = WordWeights(vocab=vocabulary, word_weights={vocabulary[i]: 0.0 for i in encoder.added_ids})
    weights.emb_layer.weight.requires_grad_(False)
    # WordWeights also looks pieces up in lower case: set the weights by id, so that no ordinary piece loses its own.
    weights.emb_layer.weight.fill_(1.0)
    weights.emb_layer.weight[torch.tensor(encoder.added_ids)] = 0.0
    return weights

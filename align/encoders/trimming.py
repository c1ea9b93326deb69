"""Encoders without the pieces that a user's languages do not need, or with fewer layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from align.encoders.adapters.bottleneck import refuse_bottlenecks
from align.encoders.blocks import even_layers
from align.encoders.checkpoint import given_encoder
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.encoders.route import refuse_route
from align.encoders.saving import ENCODER, save_encoder
from align.encoders.vocabulary import cut, pieces_to_keep
from align.encoders.weights import quiet, with_blocks, without_pooler
from align.errors import InputError
from align.files.folders import writing
from align.files.whole import read_lines, sha256

LINES = 10_000  # tokenised together


def trim(
    model: Encoder | str | Path,
    texts: Sequence[Path | str],
    out: Path | str,
    *,
    layers: int | Sequence[int] | None = None,
    held_out: Sequence[Path | str] = (),
    scripts: Collection[str] = (),
    min_count: int = 1,
    **load: Any,
) -> dict[str, Any]:
    """Save an encoder with the pieces that some text uses, and the rows of embedding and head that they need.

    With ``layers`` it has only some of its layers (transformer blocks), to be trained: see :func:`with_layers`. Then
    ``texts`` may be empty, and all pieces stay. Of the pieces:

    A text whose pieces are all kept is split as before and has the same vector, to the last bit: the rest of the
    network stays. Another is split into smaller pieces, or has unknown ones. Kept as well are what
    :func:`align.encoders.vocabulary.pieces_to_keep` says.

    Args:
        model: what :func:`align.load_encoder` takes, or an encoder.
        texts: files of text, a text a line, plain or compressed: of all languages that the encoder shall read.
        layers: how many to keep, evenly: n of L layers are ceil(k L / n), k = 1..n; or which, counted from 1.
        out: folder to write, whole or not at all.
        held_out: files of text that is not in ``texts``, to say how many of its lines are still split as before.
        scripts: ISO 15924 codes (``Deva``) of scripts of which all pieces are kept.
        min_count: pieces that ``texts`` use less often are cut.
        load: further options of :func:`align.load_encoder`.

    Returns:
        ``pieces``, ``layers`` and ``parameters``, each ``before`` and ``after``, of layers also which are ``kept``;
        ``lines`` read; of ``held_out``, if given, ``lines`` and the shares ``split_as_before`` (of lines) and ``kept``
        (of pieces). Kept in ``align.json`` as
        ``trimmed``, with the identity of the encoder and the SHA-256 of each text.

    Raises:
        InputError: neither text nor layers, or a text that cannot be read; a tokenizer without a tokenizer.json, or
            that would split kept pieces otherwise; an encoder that takes offsets off; as :func:`with_layers` and
            :func:`align.load_encoder`.
    """
    if min_count < 1:
        raise InputError(f"min_count must be 1 or more, got {min_count}")
    if not texts and (layers is None or held_out or scripts or min_count > 1):
        raise InputError("no file of text: the pieces to keep are those of a text; without one all stay, for layers=")
    with writing(out, kind=ENCODER):
        encoder = given_encoder(model, load)
        refuse_route(encoder, "trim")
        trimmed, about = encoder, dict[str, Any]()
        if layers is not None:
            trimmed, chosen = with_layers(encoder, layers)
            about["layers"] = {"before": encoder.depth, "after": len(chosen), "kept": chosen}
        if texts:
            counts, lines = count_pieces(encoder, texts)
            if not lines:
                raise InputError(f"{', '.join(map(str, texts))}: no line with text; expected a text a line")
            kept = pieces_to_keep(encoder.tokenizer, np.flatnonzero(counts >= min_count).tolist(), scripts=scripts)
            trimmed = with_pieces(trimmed, kept)
            check_split(encoder, trimmed, texts, kept)
            about |= {"lines": lines, "pieces": _both(_pieces, encoder, trimmed)}
        about["parameters"] = _both(_parameters, encoder, trimmed)
        about["bytes"] = {name: 4 * count for name, count in about["parameters"].items()}
        if held_out:
            about["held_out"] = coverage(encoder, held_out, kept)
        origin = {"of": encoder.identity(), "texts": {Path(path).name: sha256(Path(path)) for path in texts}}
        save_encoder(trimmed, out, extra={"trimmed": about | origin})
    return about


def with_layers(encoder: Encoder, layers: int | Sequence[int]) -> tuple[Encoder, list[int]]:
    """A copy of the encoder with some of its layers, and which: its layer k has the weights of the k-th of them.

    Embeddings, masked-LM head, tail and pooling stay; a pooled layer that is not the last moves along with its number.

    Raises:
        InputError: layers that do not exist, or not in their order; the pooled layer is not among them; blocks that
            are not alike, of which the first cannot be left out (ModernBERT, T5).
    """
    depth, pooling = encoder.depth, encoder.pooling
    if isinstance(layers, int) and not 1 <= layers <= depth:
        raise InputError(f"layers must be 1 to {depth}, those that the encoder has, got {layers}")
    kept = even_layers(layers, depth) if isinstance(layers, int) else list(layers)
    if not kept or kept != sorted(set(kept)) or not (kept[0] >= 1 and kept[-1] <= depth):
        raise InputError(f"expected layers from 1 to {depth}, each once and in their order, got {kept}")
    if pooling.layer:
        if pooling.layer not in kept:
            raise InputError(
                f"the encoder pools layer {pooling.layer}, which is not among the layers {', '.join(map(str, kept))}: "
                "name those to keep, it among them"
            )
        pooling = replace(pooling, layer=kept.index(pooling.layer) + 1)
    return with_parts(encoder, with_blocks(encoder.model, kept), copy.deepcopy(encoder.tokenizer), pooling), kept


def _both(size: Callable[[Encoder], int], before: Encoder, after: Encoder) -> dict[str, int]:
    return {"before": size(before), "after": size(after)}


def _pieces(encoder: Encoder) -> int:
    return int(encoder.model.get_input_embeddings().weight.shape[0])


def _parameters(encoder: Encoder) -> int:
    return sum(value.numel() for value in encoder.model.parameters())


def split(encoder: Encoder, paths: Sequence[Path | str]) -> Iterator[list[list[int]]]:
    """Ids of the lines of text files, with the encoder's prompt, uncut; blank lines are left out."""
    lines = (line for path in paths for line in read_lines(path) if line.strip())
    while some := list(islice(lines, LINES)):
        texts = [encoder.prompt + line for line in encoder.readable(some)]
        yield encoder.tokenizer(texts, verbose=False, return_attention_mask=False)["input_ids"]


def count_pieces(encoder: Encoder, paths: Sequence[Path | str]) -> tuple[NDArray[np.int64], int]:
    """How often text files use each piece, (V,), and how many lines they have; pieces of named prompts count once."""
    counts, lines = np.zeros(_pieces(encoder), dtype=np.int64), 0
    for prompt in (encoder.prompt, *encoder.prompts.values()):
        counts[encoder.tokenizer(prompt)["input_ids"]] += 1
    for rows in split(encoder, paths):
        counts += np.bincount(np.fromiter(chain.from_iterable(rows), np.int64), minlength=len(counts))
        lines += len(rows)
    return counts, lines


def with_pieces(encoder: Encoder, kept: list[int]) -> Encoder:
    """A copy of the encoder with the pieces of these ids."""
    return with_parts(encoder, with_rows(encoder.model, kept), cut(encoder.tokenizer, kept))


def with_parts(
    encoder: Encoder, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pooling: Pooling | None = None
) -> Encoder:
    """An encoder of another model, tokenizer and pooling (None: its own), which is else as one that is there."""
    made = Encoder(
        model, tokenizer, pooling or encoder.pooling, tail=[*copy.deepcopy(encoder.tail)], unit=encoder.unit,
        prompt=encoder.prompt, prompts=encoder.prompts, max_tokens=encoder.max_tokens,
    )  # fmt: skip
    made.similarity, made.card, made.fallback = encoder.similarity, encoder.card, encoder.fallback
    made.lexical = encoder.lexical
    return made.to(encoder.device).eval()


def with_rows(model: PreTrainedModel, kept: list[int]) -> PreTrainedModel:
    """A model with these rows of embedding, head and bias; the rest is the same."""
    index = torch.tensor(kept, device=next(model.parameters()).device)
    return with_vocabulary(model, lambda rows: rows[index], {old: i for i, old in enumerate(kept)})


def with_vocabulary(
    model: PreTrainedModel, change: Callable[[Tensor], Tensor], new: Mapping[int, int]
) -> PreTrainedModel:
    """A model whose embedding, head and bias, which have a row for each piece, are changed; the rest is the same.

    Args:
        model: it stays as it is.
        change: of (V, ...) rows into those of the new vocabulary.
        new: the new ids of old pieces, for the tokens that the configuration names.
    """
    refuse_bottlenecks(model, "give the encoder without them")
    rows, state = int(model.get_input_embeddings().weight.shape[0]), dict(model.state_dict())
    state = {name: change(value) if value.shape[:1] == (rows,) else value for name, value in state.items()}
    config = copy.deepcopy(model.config)
    config.vocab_size = next(len(state[name]) for name, value in model.state_dict().items() if len(value) == rows)
    for name, value in model.config.to_dict().items():
        if name.endswith("_token_id") and value in new:
            setattr(config, name, new[value])
    with quiet():
        made: PreTrainedModel = type(model).from_pretrained(None, config=config, state_dict=state, dtype=model.dtype)
    return without_pooler(made)


def check_split(before: Encoder, after: Encoder, texts: Sequence[Path | str], kept: list[int]) -> None:
    """Refuse a tokenizer that splits a line of kept pieces otherwise once the others are gone."""
    new = np.full(_pieces(before), -1)
    new[kept] = np.arange(len(kept))
    for old, now in zip(split(before, texts), split(after, texts), strict=True):
        for a, b in zip(old, now, strict=True):
            expected = new[a]
            if (expected >= 0).all() and expected.tolist() != b:
                text = before.tokenizer.decode(a, skip_special_tokens=True)
                raise InputError(
                    f"without the other pieces {text[:40]!r} is split into {after.tokenizer.convert_ids_to_tokens(b)}, "
                    f"which was {before.tokenizer.convert_ids_to_tokens(a)}: this tokenizer cannot be trimmed"
                )


def coverage(encoder: Encoder, paths: Sequence[Path | str], kept: list[int]) -> dict[str, Any]:
    """Of text files, how many lines have kept pieces alone, and what share of all pieces is kept."""
    known = np.zeros(_pieces(encoder), dtype=bool)
    known[kept] = True
    lines = whole = pieces = found = 0
    for rows in split(encoder, paths):
        for row in rows:
            here = known[row]
            lines, whole = lines + 1, whole + bool(here.all())
            pieces, found = pieces + len(row), found + int(here.sum())
    if not lines:
        raise InputError(f"{', '.join(map(str, paths))}: no line with text; expected a text a line")
    return {"lines": lines, "split_as_before": whole / lines, "kept": found / pieces}

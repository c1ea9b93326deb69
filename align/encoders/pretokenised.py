"""The words of pre-tokenised sentences: their pieces, and their vectors at any layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from align.encoders.batching import budget_batches, evaluating
from align.encoders.blocks import block_states, first_blocks, norms_last_layer
from align.encoders.encoder import Encoder
from align.encoders.layers import layer_numbers
from align.encoders.packing import pack, packed_inputs
from align.encoders.route import refuse_route
from align.errors import InputError
from align.text.surrogates import well_formed

WORD_POOLINGS = ("mean", "first", "all")
NO_WORD = -1


class WordPieces(NamedTuple):
    """One sentence as the encoder takes it."""

    ids: list[int]
    """T ids: special tokens, the prompt, the pieces of the words."""
    words: NDArray[np.int64]
    """(T,) number of the word of each piece, from 0; ``NO_WORD`` at special tokens, the prompt and pieces of a word
    that was cut."""
    cut: int
    """Words at the end that the encoder does not read, or not whole: the sentence is longer than it takes."""


class WordVectors(NamedTuple):
    """Vectors of one sentence."""

    vectors: NDArray[np.float32]
    """(R, D), or (L', R, D) if layers were named: a row for each word that has a piece, or for each piece."""
    words: NDArray[np.int64]
    """(R,) number of the word of each row, from 0, ascending. A word that was cut, or that the tokenizer makes nothing
    of (an empty string, a control character), has no row."""
    cut: int
    """Words at the end that the encoder does not read, or not whole."""


def word_pieces(encoder: Encoder, sentences: Sequence[Sequence[str]]) -> list[WordPieces]:
    """Ids of sentences that come as words, with the word of each piece.

    The words are joined by one space, behind the encoder's prompt: the tokenizer sees text as it does elsewhere. A
    piece belongs to the word that its first character lies in; a piece of the space before a word, to that word.

    Raises:
        InputError: one string where a list of words is expected, a slow tokenizer.
    """
    if isinstance(sentences, str) or any(isinstance(words, str) for words in sentences):
        raise InputError("expected sentences as lists of words, got one string: split it into words first")
    if not encoder.tokenizer.is_fast:
        raise InputError(
            f"words need a fast tokenizer, to find their pieces: {type(encoder.tokenizer).__name__} is slow"
        )
    if not sentences:
        return []
    # A token of nothing but spaces is no part of the text: it would change how its neighbours are cut.
    seen = [[i for i, word in enumerate(words) if word.strip()] for words in sentences]
    shown = [[well_formed(words[i]) for i in kept] for words, kept in zip(sentences, seen, strict=True)]
    texts = [encoder.prompt + " ".join(words) for words in shown]
    whole = encoder.tokenizer(texts, verbose=False).encodings
    taken = dict(enumerate(whole))
    long = [i for i, one in enumerate(whole) if len(one.ids) > encoder.max_tokens]
    if long:
        limit = {"truncation": True, "max_length": encoder.max_tokens}
        taken |= zip(long, encoder.tokenizer([texts[i] for i in long], verbose=False, **limit).encodings, strict=True)
    made = []
    for i, words in enumerate(shown):
        numbered = partial(_words_of, prompt=encoder.prompt, lengths=[len(word) for word in words])
        numbers, read = numbered(taken[i]), len(words)
        if taken[i] is not whole[i]:
            got, full = (np.bincount(n[n >= 0], minlength=len(words)) for n in (numbers, numbered(whole[i])))
            read = next((k for k in range(len(words)) if got[k] < full[k]), len(words))
            numbers[numbers >= read] = NO_WORD
        cut = len(sentences[i]) - seen[i][read] if read < len(words) else 0
        numbers[numbers >= 0] = np.array(seen[i], dtype=np.int64)[numbers[numbers >= 0]]
        made.append(WordPieces(taken[i].ids, numbers, cut))
    return made


def _words_of(encoding: Any, prompt: str, lengths: Sequence[int]) -> NDArray[np.int64]:
    """(T,) number of the word of each piece of the prompt and of words of these lengths with a space between them."""
    places = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    bare = len(prompt.rstrip())  # the space at the end of the prompt is the first word's, as others are the next word's
    of_text = np.array([sequence is not None for sequence in encoding.sequence_ids]) & (places[:, 1] > bare)
    ends = len(prompt) + np.cumsum(np.array(lengths, dtype=np.int64) + 1) - 1
    found = np.searchsorted(ends, places[:, 0], side="right")
    return np.where(of_text & (found < len(ends)), found, NO_WORD)


def usual_layer(encoder: Encoder) -> int:
    """The layer that words are compared by unless one is named: the encoder's own if it pools one, else 2L / 3.

    Middle layers know a word by its meaning, the last ones by what follows: 8 of 12 in Jalili Sabet et al. 2020 and Dou
    and Neubig 2021.
    """
    return encoder.layer if encoder.pooling.layer is not None else round(2 * encoder.depth / 3)


@torch.inference_mode()
def word_vectors(
    encoder: Encoder,
    sentences: Sequence[Sequence[str]],
    *,
    layers: Sequence[int] | None = None,
    pooling: str = "mean",
    batch_tokens: int = 2048,
    progress: bool = False,
) -> list[WordVectors]:
    """Vectors of the words of sentences, each in its sentence.

    The states are those of hidden_states[k], or of the mean of the layers up to k if the encoder averages layers. No
    tail, no offsets, no length: a word's vector is the ``mean`` of its pieces' states, that of its ``first`` piece, or
    there is a row for each piece (``all``).

    Args:
        encoder: with a fast tokenizer.
        sentences: lists of words. One without words gives an array without rows.
        layers: k of hidden_states[k], 0 = embeddings, the vectors are then (L', R, D); None: the encoder's own, (R, D).
        pooling: mean, first or all.
        batch_tokens: padded tokens of one forward pass; bounds memory beside that of the result.
        progress: show a bar.

    Returns:
        For each sentence its rows, the words they are of, and how many words were cut.

    Raises:
        InputError: as :func:`word_pieces`; an unknown pooling or layer, an encoder with a route, a vector that is NaN
            or infinite (the sentence is named).
    """
    if pooling not in WORD_POOLINGS:
        raise InputError(f"unknown pooling of words {pooling!r}: expected one of {', '.join(WORD_POOLINGS)}")
    refuse_route(encoder, "what reads words in sentences")
    chosen = layer_numbers(encoder, [encoder.layer] if layers is None else layers)
    rows = word_pieces(encoder, sentences)
    made: dict[int, WordVectors] = {}
    lengths = np.array([len(row.ids) for row in rows], dtype=np.int64)
    with evaluating(encoder), tqdm(total=len(rows), unit="sentence", disable=not progress) as bar:
        for batch in budget_batches(lengths, batch_tokens):
            states = _states(encoder, [rows[i].ids for i in batch], chosen)  # (L', N, D)
            pieces = np.concatenate([rows[i].words for i in batch])  # (N,)
            sentences_of = np.repeat(batch, lengths[batch])
            vectors, first = _pooled(states, pieces, sentences_of, pooling)  # (L', R, D), (R,) a piece of each row
            of_rows = sentences_of[first]
            for i in batch.tolist():
                here = np.flatnonzero(of_rows == i)
                part = vectors[:, here[0] : here[-1] + 1] if len(here) else vectors[:, :0]
                if not np.isfinite(part).all():
                    raise InputError(
                        f"the encoder gives NaN or infinity for sentence {i}: {' '.join(sentences[i])[:60]!r}"
                    )
                made[i] = WordVectors(part[0] if layers is None else part, pieces[first[here]], rows[i].cut)
            bar.update(len(batch))
    return [made[i] for i in range(len(rows))]


def _states(encoder: Encoder, rows: Sequence[Sequence[int]], layers: Sequence[int]) -> Tensor:
    """(L', N, D) states of the N tokens of all rows, one row after the other, at each of the layers."""
    ids, attention = encoder.pad(rows)
    packing = None
    given: dict[str, Any] = {"input_ids": ids, "attention_mask": attention}
    if encoder.packs:
        packing = pack([len(row) for row in rows], ids.shape[1]).to(ids.device)
        given = packed_inputs(encoder.model, ids, packing)
    top = max(1, *layers)
    cut = None if norms_last_layer(encoder.model) else top
    with first_blocks(encoder.model, cut), block_states(encoder.model) as states:
        last = encoder.body(**given).last_hidden_state
    if norms_last_layer(encoder.model):
        states[encoder.depth] = last  # hidden_states[L] is normed, as in transformers
    real = attention.bool()
    read = []
    for k in layers:
        state = states[k]
        if encoder.pooling.average_layers:
            state = torch.stack([states[i] for i in range(k + 1)]).mean(0)
        read.append((state if packing is None else packing.padded(state))[real])
    return torch.stack(read)


def _pooled(
    states: Tensor, words: NDArray[np.int64], sentences: NDArray[np.int64], pooling: str
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(L', R, D) vectors from (L', N, D) states, and the (R,) first piece of each; N words and sentences of pieces."""
    pieces = np.flatnonzero(words != NO_WORD)
    number, sentence = words[pieces], sentences[pieces]
    starts = np.ones(len(pieces), dtype=bool)  # a piece that begins a word
    starts[1:] = (number[1:] != number[:-1]) | (sentence[1:] != sentence[:-1])
    first = pieces if pooling == "all" else pieces[starts]
    if pooling != "mean":
        return states[:, torch.from_numpy(first)].float().cpu().numpy(), first
    counts = torch.from_numpy(np.diff(np.append(np.flatnonzero(starts), len(pieces))))
    total = states.new_zeros(len(states), len(first), states.shape[2], dtype=torch.float32)
    total.index_add_(
        1, torch.from_numpy(np.cumsum(starts) - 1).to(states.device), states[:, torch.from_numpy(pieces)].float()
    )  # fmt: skip
    return (total / counts.to(states.device)[:, None]).cpu().numpy(), first

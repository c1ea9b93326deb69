"""Texts as flat arrays of ids."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from align.encoders.encoder import Encoder
from align.encoders.language_tags import tagged
from align.encoders.text_model import vocabulary
from align.encoders.words import part_tokens
from align.pairs.mentions import MENTION, mention_place
from align.training.hard_negatives import NEGATIVE, counts_of, is_list
from align.training.pair_columns import flat

BLOCK = 8192  # texts handed to the tokenizer at once


@dataclass(frozen=True)
class Tokens:
    """n texts as one array of ids: text i is ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[np.int32]
    """All ids, one text after the other."""
    offsets: NDArray[np.int64]
    """(n + 1,) where each text starts."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        """A copy of the ids of one text."""
        # torch warns of arrays that cannot be written to, as memory-mapped ones cannot
        return self.ids[self.offsets[row] : self.offsets[row + 1]].copy()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens per text."""
        return np.diff(self.offsets)

    def take(self, rows: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids of (k,) rows counted from 0, one text after the other, and the (k,) tokens of each.

        >>> Tokens(np.array([7, 8, 9], dtype=np.int32), np.array([0, 1, 1, 3])).take([2, 1, 0])
        (array([8, 9, 7], dtype=int32), array([2, 0, 1]))
        """
        places, lengths = spans(self.offsets, rows)
        return self.ids[places], lengths


def spans(offsets: NDArray[np.int64], rows: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the parts of (k,) rows stand, those of row i from ``offsets[i]`` on, and how many each row has.

    >>> spans(np.array([0, 2, 2, 5]), [2, 0, 1])
    (array([2, 3, 4, 0, 1]), array([3, 2, 0]))
    """
    rows = np.asarray(rows, dtype=np.int64)
    starts = offsets[rows]
    counts = offsets[rows + 1] - starts
    before = np.cumsum(counts) - counts  # parts of the rows taken before each
    return np.arange(counts.sum()) + np.repeat(starts - before, counts), counts


def tokenize(texts: Sequence[str], encoder: Encoder, *, max_tokens: int, progress: bool = False) -> Tokens:
    """Tokenise texts in memory with the encoder's prompt and special tokens; at most ``max_tokens`` of each."""
    parts, lengths = [np.empty(0, dtype=np.int32)], [np.zeros(1, dtype=np.int64)]
    for start in tqdm(range(0, len(texts), BLOCK), desc="tokenise", unit="block", disable=not progress):
        part, counts = token_block(texts[start : start + BLOCK], encoder, max_tokens=max_tokens)
        parts.append(part)
        lengths.append(counts)
    return Tokens(np.concatenate(parts), np.cumsum(np.concatenate(lengths)))


def texts_of(block: Mapping[str, Any], side: str, tagging: Encoder | None) -> list[str]:
    """Texts of a side of a block of pairs, with the tags of an encoder if there is one; negatives have the target's."""
    texts: list[str] = flat(block[side]).to_pylist()
    if tagging is None:
        return texts
    codes = block["target_lang" if side == NEGATIVE else f"{side}_lang"].to_pylist()
    if is_list(block[side]):
        codes = np.repeat(np.array(codes, dtype=object), counts_of(block[side])).tolist()
    return tagged(tagging, texts, codes)


def token_block(
    texts: Sequence[str], encoder: Encoder, *, max_tokens: int, given: Mapping[int, Sequence[int]] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids of (k,) texts, one after the other, and the (k,) tokens of each, as ``encoder.tokenize`` defines them.

    Those of some rows may be ``given``.
    """
    rows = _rows(texts, encoder, max_tokens)
    for row, ids in (given or {}).items():
        rows[row] = list(ids)
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    return np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=int(lengths.sum())), lengths


def mentions_of(
    texts: Sequence[str], block: Mapping[str, Any], encoder: Encoder, *, max_tokens: int
) -> tuple[dict[int, Sequence[int]], NDArray[np.int64], int]:
    """Ids of the sources with a ``mention``, by row; its first token and that behind the last; how many are not read.

    (k, 2) tokens are 0 where there is no mention, and where it is not read.

    Args:
        texts: the sources, perhaps behind a tag.
        block: with the columns ``source`` and ``mention``.
        encoder: with a fast tokenizer.
        max_tokens: of a text.
    """
    ids: dict[int, Sequence[int]] = {}
    places, unread = np.zeros((len(texts), 2), dtype=np.int64), 0
    plain, cells = (block[name].to_pylist() for name in ("source", MENTION))
    for row, (text, source, cell) in enumerate(zip(texts, plain, cells, strict=True)):
        place = mention_place(cell, source, f"{source[:60]!r}")
        if place is None:
            continue
        tag = len(text) - len(source)
        found = part_tokens(encoder, text, (place[0] + tag, place[1] + tag), max_tokens=max_tokens)
        unread += found is None
        if found is not None:
            counted = np.flatnonzero(found.counted or ())
            ids[row], places[row] = found.ids, (counted[0], counted[-1] + 1)
    return ids, places, unread


def _rows(texts: Sequence[str], encoder: Encoder, max_tokens: int) -> list[list[int]]:
    """``encoder.tokenize``, without the masks and types that transformers makes for each text and nobody reads.

    The Rust tokenizer is asked itself, on all cores, if it gives what ``encoder.tokenize`` gives for the first and the
    longest text. That call has also set its truncation.
    """
    backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if backend is None or len(texts) < 3:
        return encoder.tokenize(texts, max_tokens=max_tokens)
    samples = [texts[0], max(texts, key=len)]
    expected = encoder.tokenize(samples, max_tokens=max_tokens)

    def quick(part: Sequence[str]) -> list[list[int]]:
        texts = [encoder.prompt + text for text in encoder.readable(part)]
        return [row.ids for row in backend.encode_batch_fast(texts)]

    return quick(texts) if quick(samples) == expected else encoder.tokenize(texts, max_tokens=max_tokens)


def tokenizer_digest(encoder: Encoder, *, prompt: bool = True) -> str:
    """Hash of all that decides the ids of a text but for their number: tokenizer, prompt (if asked for), versions."""
    tokenizer = encoder.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state: dict[str, Any] = {
        "class": type(tokenizer).__name__, "side": tokenizer.truncation_side, "prompt": encoder.prompt * prompt,
        "special": getattr(tokenizer, "split_special_tokens", False),
        "versions": [version("tokenizers"), version("transformers")],
    }  # fmt: skip
    if backend is not None:  # truncation and padding are those of the last call
        state |= {name: part for name, part in json.loads(backend.to_str()).items() if name not in CALL}
    else:
        kwargs = {name: repr(value) for name, value in tokenizer.init_kwargs.items() if name not in PLACES}
        with tempfile.TemporaryDirectory() as folder:
            files = sorted(tokenizer.save_vocabulary(folder) or ())
            state |= {"files": [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]}
        state |= {"vocabulary": vocabulary(encoder.model, tokenizer), "options": kwargs}
    if encoder.fallback is not None:
        state["fallback"] = encoder.fallback.identity()
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


CALL = ("truncation", "padding")
PLACES = ("name_or_path", "vocab_file", "merges_file", "tokenizer_file")

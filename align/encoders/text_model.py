"""What encoders and decoders have in common: a transformers model with its tokenizer, its tail and its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from align.encoders.blocks import longest_input, word_table
from align.encoders.fallback import Fallback
from align.encoders.language_tags import tag_ids
from align.encoders.pooling import Pooling
from align.encoders.weights import check_tokenizer
from align.text.surrogates import well_formed


class TextModel(nn.Module):
    """A model that reads texts; see :class:`.encoder.Encoder` for what it is made of.

    Raises:
        InputError: the tokenizer has more ids than the model has embeddings.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pooling: Pooling, *,
        tail: Sequence[nn.Module] = (), unit: bool = True, prompt: str = "", max_tokens: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_tokenizer(model, tokenizer)
        self.name: str | None = None  # what it was loaded by, or where train saved it
        self.model, self.tokenizer, self.pooling = model, tokenizer, pooling
        self.tail = nn.ModuleList(tail)
        self.unit, self.prompt = unit, prompt
        self.tags = tag_ids(tokenizer)  # by language
        self.language_tags = False  # whether they are put before texts
        self.max_tokens = min(max_tokens or 512, longest_input(model, tokenizer))
        self.fallback: Fallback | None = None  # what romanises text in scripts that the tokenizer cannot read

    @property
    def body(self) -> PreTrainedModel:
        """The model without its head."""
        return self.model.base_model

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def depth(self) -> int:
        """L, the number of blocks; hidden_states[0..L] exist."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    @property
    def dimension(self) -> int:
        """D of the vectors."""
        for module in reversed(self.tail):
            width = getattr(module, "out_features", None)
            if isinstance(width, int):
                return width
        return int(self.model.config.get_text_config().hidden_size) * (1 + self.pooling.with_average)

    @property
    def added_ids(self) -> list[int]:
        """Ids of the tokens that stand around a text (language tags too), and of padding. <mask> is not among them."""
        t = self.tokenizer
        ids = {t.cls_token_id, t.sep_token_id, t.bos_token_id, t.eos_token_id, t.pad_token_id, *self.tags.values()}
        return sorted(i for i in ids if i is not None)

    @property
    def prompt_tokens(self) -> int:
        """Tokens at the start of each text that the pooling leaves out as the prompt's: 0 where it includes them.

        They are counted as sentence-transformers does: those of the prompt alone, without the special one at its end.
        """
        if self.pooling.include_prompt or not self.prompt:
            return 0
        (ids,) = self.tokenize([""])
        return len(ids) - (ids[-1] in self.tokenizer.all_special_ids)

    def readable(self, texts: Sequence[str]) -> list[str]:
        """Texts as they are tokenised, but for the prompt; a fallback romanises what the tokenizer cannot read."""
        formed = map(well_formed, texts)
        return list(formed) if self.fallback is None else self.fallback(formed)

    def tokenize(self, texts: Sequence[str], *, max_tokens: int | None = None, whole: bool = False) -> list[list[int]]:
        """Ids of each text with its prompt and special tokens, at most ``max_tokens`` (None: the model's) of them.

        With ``whole`` none is cut, to see how much the model does not read.
        """
        if not texts:
            return []
        limit = min(max_tokens or self.max_tokens, self.max_tokens)
        texts = [self.prompt + text for text in self.readable(texts)]
        ids: list[list[int]] = self.tokenizer(
            texts, truncation=not whole, max_length=None if whole else limit, verbose=False,
            return_attention_mask=False, return_token_type_ids=False,
        )["input_ids"]  # fmt: skip
        return ids

    def pad(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """(B, T) ids padded on the right to the longest row, and their (B, T) attention mask, on the model's device."""
        ids, attention = padded(rows, self.tokenizer.pad_token_id or 0)
        return ids.to(self.device), attention.to(self.device)

    def fingerprint(self) -> str:
        """Hash of the weights that decide a vector, and of the tokenizer."""
        digest = hashlib.sha256()
        for name, value in sorted(self.body.state_dict().items()):
            if "pooler" not in name:
                digest.update(name.encode() + value_bytes(value))
        for name, value in sorted(self.tail.state_dict().items()):
            digest.update(name.encode() + value_bytes(value))
        digest.update(json.dumps(vocabulary(self.model, self.tokenizer), sort_keys=True).encode())
        return digest.hexdigest()[:32]

    def identity(self) -> dict[str, Any]:
        """What decides a vector: fingerprint of weights and tokenizer, prompt, length, dimension, what is romanised."""
        fallback = {"fallback": self.fallback.identity()} if self.fallback else {}
        return {
            "fingerprint": self.fingerprint(), "unit": self.unit, "prompt": self.prompt, "max_tokens": self.max_tokens,
            "dimension": self.dimension,
        } | fallback  # fmt: skip


def vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Ids by piece; where every code point is its own id (CANINE's 1.1 million), only those of added tokens."""
    found: dict[str, int] = tokenizer.get_vocab() if word_table(model) is not None else tokenizer.get_added_vocab()
    return found


def value_bytes(value: Tensor) -> bytes:
    """The numbers of a tensor, whatever their format, as they lie in memory."""
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def padded(rows: Sequence[Sequence[int] | NDArray[np.int32]], pad_id: int) -> tuple[Tensor, Tensor]:
    """(B, T) ids, filled up with ``pad_id`` to the longest row, and their (B, T) attention mask."""
    ids = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    return filled(ids, np.array([len(row) for row in rows]), pad_id)


def filled(ids: NDArray[np.integer[Any]], lengths: NDArray[np.int64], pad_id: int) -> tuple[Tensor, Tensor]:
    """The same from the ids of B texts, one after the other, and their (B,) lengths."""
    attention = np.arange(lengths.max()) < lengths[:, None]
    rows = np.full(attention.shape, pad_id, dtype=np.int64)
    rows[attention] = ids
    return torch.from_numpy(rows), torch.from_numpy(attention.astype(np.int64))

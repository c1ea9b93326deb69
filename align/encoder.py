"""The encoder: a Hugging Face model, its tokenizer and its pooling, the same in training, evaluation and export."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from align.blocks import blocks, first_blocks, first_position, longest_input, norms_last_layer
from align.errors import InputError
from align.pooling import Pooling
from align.sampling import budget_batches

CHUNK = 16_384  # texts tokenised and sorted together by encode


class Hidden(NamedTuple):
    """Token states of one forward pass."""

    layer: Tensor
    """(B, T, D) states that the pooling reads."""
    last: Tensor
    """(B, T, D) states that the masked-LM head reads."""


class Tokens(NamedTuple):
    """One input of the encoder."""

    ids: Sequence[int]
    """With special tokens."""
    types: Sequence[int] | None = None
    """Of two texts in one sequence: 0 at the first, 1 at the second."""
    counted: Sequence[bool] | None = None
    """The tokens that the vector is pooled from; None: those that the pooling says."""


class Encoder(nn.Module):
    """A pretrained encoder with its tokenizer and pooling. Build one with :func:`align.load_encoder`.

    Args:
        model: a transformers encoder, with or without its masked-LM head.
        tokenizer: its tokenizer.
        pooling: layer, kind and tokens that make the vector.
        tail: modules of a sentence-transformers model after its pooling (Dense, ...), each mapping (B, D) to (B, D').
        unit: whether vectors are made unit ones.
        prompt: text put before every input, such as the "query: " of E5.
        max_tokens: longer texts are cut; None means what the model can take, at most 512.

    Raises:
        InputError: the pooling layer does not exist.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        pooling: Pooling,
        *,
        tail: Sequence[nn.Module] = (),
        unit: bool = True,
        prompt: str = "",
        max_tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.name: str | None = None  # what load_encoder was given, or where train saved it
        self.model, self.tokenizer, self.pooling = model, tokenizer, pooling
        self.tail = nn.ModuleList(tail)
        self.unit, self.prompt = unit, prompt
        self.max_tokens = min(max_tokens or 512, longest_input(model, tokenizer))
        depth = len(blocks(model))
        if pooling.layer is not None and pooling.layer > depth:
            raise InputError(f"pooling layer {pooling.layer} does not exist: the encoder has layers 0 to {depth}")
        if pooling.layer not in (None, depth) and norms_last_layer(model):
            raise InputError(
                f"{type(model).__name__} norms its last layer only, so layer {pooling.layer} cannot be cut out"
            )

    @property
    def body(self) -> PreTrainedModel:
        """The encoder without its head."""
        return self.model.base_model

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def added_ids(self) -> list[int]:
        """Ids of the tokens that the tokenizer adds around a text, and of padding. <mask> is not among them."""
        t = self.tokenizer
        ids = {t.cls_token_id, t.sep_token_id, t.bos_token_id, t.eos_token_id, t.pad_token_id}
        return sorted(i for i in ids if i is not None)

    def hidden(
        self,
        ids: Tensor,
        attention: Tensor,
        *,
        head: bool = False,
        types: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Hidden:
        """Run the encoder on (B, T) ids; blocks above the pooling layer only if ``head`` needs the last states.

        Of two texts in one sequence, ``types`` says which piece belongs to which (0 and 1; used by models that have
        two token types), ``positions`` where each stands (from 0).
        """
        layer = self.pooling.layer
        given: dict[str, Tensor] = {"input_ids": ids, "attention_mask": attention}
        if types is not None and getattr(self.model.config, "type_vocab_size", 0) > 1:
            given["token_type_ids"] = types
        if positions is not None:
            given["position_ids"] = positions + first_position(self.model)
        average = self.pooling.average_layers and self.layer > 0
        if average or (head and layer is not None):
            with first_blocks(self.model, None if head else layer):
                states = self.body(**given, output_hidden_states=True).hidden_states
            read = states[: self.layer + 1]  # (B, T, D) each
            return Hidden(reduce(torch.add, read) / len(read) if average else read[-1], states[-1])
        with first_blocks(self.model, layer):
            last = self.body(**given).last_hidden_state
        return Hidden(last, last)

    def pool(self, hidden: Tensor, ids: Tensor, attention: Tensor, *, counted: Tensor | None = None) -> Tensor:
        """(B, D) vectors from (B, T, D) states, before they are made unit ones.

        Of (B, T) bool ``counted`` only the true tokens are pooled; None: those that the pooling says.
        """
        if counted is None:
            special = torch.isin(ids, torch.tensor(self.added_ids, device=ids.device))
            vectors = self.pooling(hidden, attention, special)
        else:
            vectors = replace(self.pooling, special_tokens=False)(hidden, attention, ~counted)
        for module in self.tail:
            vectors = module({"sentence_embedding": vectors})["sentence_embedding"]
        return vectors

    def forward(
        self,
        ids: Tensor,
        attention: Tensor,
        *,
        raw: bool = False,
        types: Tensor | None = None,
        counted: Tensor | None = None,
    ) -> Tensor:
        """(B, D) vectors of (B, T) ids, unit ones if the encoder makes such and not ``raw``; see hidden and pool."""
        vectors = self.pool(self.hidden(ids, attention, types=types).layer, ids, attention, counted=counted)
        return normalize(vectors, dim=-1) if self.unit and not raw else vectors

    def tokenize(self, texts: Sequence[str], *, max_tokens: int | None = None) -> list[list[int]]:
        """Ids of each text with its prompt and special tokens, at most ``max_tokens`` (None: the encoder's) of them."""
        if not texts:
            return []
        limit = min(max_tokens or self.max_tokens, self.max_tokens)
        texts = [self.prompt + well_formed(text) for text in texts]
        ids: list[list[int]] = self.tokenizer(texts, truncation=True, max_length=limit, verbose=False)["input_ids"]
        return ids

    def pad(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """(B, T) ids padded to the longest row, and their (B, T) attention mask, on the encoder's device."""
        ids, attention = padded(rows, self.tokenizer.pad_token_id or 0)
        return ids.to(self.device), attention.to(self.device)

    def encode(
        self,
        texts: Sequence[str],
        *,
        max_tokens: int | None = None,
        raw: bool = False,
        batch_tokens: int | None = None,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """Vectors of texts, in their order.

        Texts are sorted by tokens and batched by a token budget, so that little is computed on padding. Averaged layers
        are all held at once: (layer + 1) * batch_tokens * D numbers.

        Args:
            texts: n strings; the prompt is put before each.
            max_tokens: cut longer texts; None means the encoder's own limit.
            raw: leave the vectors as pooled, as the objectives see them.
            batch_tokens: padded tokens of one forward pass; bounds memory. None: 1,024 on a CPU, whose caches hold no
                more (a sixth faster than 4,096), else 8,192.
            progress: show a bar.

        Returns:
            (n, D) float32.

        Raises:
            InputError: a vector is NaN or infinite (the sentence names the text).
        """
        if isinstance(texts, str):
            raise InputError("encode needs a list of texts, got one string")
        return self.encode_tokens(
            texts, lambda part: [Tokens(ids) for ids in self.tokenize(part, max_tokens=max_tokens)],
            raw=raw, batch_tokens=batch_tokens, progress=progress,
        )  # fmt: skip

    @torch.inference_mode()
    def encode_tokens(
        self,
        texts: Sequence[str],
        tokens: Callable[[Sequence[str]], Sequence[Tokens]],
        *,
        raw: bool = False,
        batch_tokens: int | None = None,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """(n, D) vectors of texts that ``tokens`` tokenises, a part of them at a time; see :meth:`encode`.

        Either all of a part have types, or none has; the same holds for counted tokens.
        """
        was_training = self.training
        self.eval()
        budget = batch_tokens or (1024 if self.device.type == "cpu" else 8192)
        parts = []
        with tqdm(total=len(texts), unit="text", disable=not progress) as bar:
            for start in range(0, len(texts), CHUNK):
                rows = tokens(texts[start : start + CHUNK])
                vectors = np.empty((len(rows), self.dimension), dtype=np.float32)
                for batch in budget_batches(np.array([len(row.ids) for row in rows]), budget):
                    vectors[batch] = self._vectors([rows[i] for i in batch], raw=raw)
                    bar.update(len(batch))
                parts.append(vectors)
        self.train(was_training)
        result = np.concatenate(parts) if parts else np.empty((0, self.dimension), dtype=np.float32)
        bad = np.flatnonzero(~np.isfinite(result).all(axis=1))
        if len(bad):
            raise InputError(f"the encoder gives NaN or infinity for text {bad[0]}: {texts[bad[0]][:60]!r}")
        return result

    def _vectors(self, rows: Sequence[Tokens], *, raw: bool) -> NDArray[np.float32]:
        ids, attention = self.pad([row.ids for row in rows])
        types = [row.types for row in rows if row.types is not None]
        counted = [row.counted for row in rows if row.counted is not None]
        vectors: Tensor = self(
            ids, attention, raw=raw, types=padded(types, 0)[0].to(self.device) if types else None,
            counted=padded(counted, 0)[0].bool().to(self.device) if counted else None,
        )  # fmt: skip
        found: NDArray[np.float32] = vectors.float().cpu().numpy()
        return found

    @property
    def dimension(self) -> int:
        """D of the vectors."""
        for module in reversed(self.tail):
            width = getattr(module, "out_features", None)
            if isinstance(width, int):
                return width
        return int(self.model.config.hidden_size)

    def identity(self) -> dict[str, Any]:
        """What decides a vector: fingerprint of weights and tokenizer, pooling, prompt, length, dimension.

        Two encoders of equal identity give equal vectors; an index refuses queries from any other.
        """
        digest = hashlib.sha256()
        with first_blocks(self.model, self.pooling.layer):
            for name, value in sorted(self.body.state_dict().items()):
                if "pooler" not in name:
                    digest.update(name.encode())
                    digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        for name, value in sorted(self.tail.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
        digest.update(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        pooling = asdict(self.pooling) | {"layer": self.layer}
        if not self.pooling.average_layers:  # so that the identities kept before there was a choice stay equal
            del pooling["average_layers"]
        return {
            "fingerprint": digest.hexdigest()[:32], "pooling": pooling, "unit": self.unit, "prompt": self.prompt,
            "max_tokens": self.max_tokens, "dimension": self.dimension,
        }  # fmt: skip

    @property
    def layer(self) -> int:
        """K of the hidden_states[k] that is pooled, never None."""
        return len(blocks(self.model)) if self.pooling.layer is None else self.pooling.layer


def padded(rows: Sequence[Sequence[int] | NDArray[np.int32]], pad_id: int) -> tuple[Tensor, Tensor]:
    """(B, T) ids, filled up with ``pad_id`` to the longest row, and their (B, T) attention mask."""
    ids = torch.full((len(rows), max(map(len, rows))), pad_id)
    attention = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.as_tensor(row)
        attention[i, : len(row)] = 1
    return ids, attention


SURROGATES = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD: tokenizers raise on them."""
    return SURROGATES.sub("\ufffd", text)

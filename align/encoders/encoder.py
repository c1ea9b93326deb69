"""The encoder: a Hugging Face model, its tokenizer and its pooling, the same in training, evaluation and export."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, pad
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from align.encoders.batching import Input, encode_batches, evaluating
from align.encoders.blocks import (
    blocks,
    first_blocks,
    first_position,
    first_states,
    norms_last_layer,
    padded_length,
    reads_molecules,
)
from align.encoders.device import computes_bfloat16
from align.encoders.language_tags import tagged
from align.encoders.lexical.encoding import encode_both
from align.encoders.lexical.head import head_fingerprint
from align.encoders.lexical.settings import Lexical
from align.encoders.offsets.folder import Offsets
from align.encoders.packing import can_pack, kernel_for, lengths_of, pack, packed_inputs
from align.encoders.pooling import Pooling, after_prompt, through
from align.encoders.route import Route
from align.encoders.text_model import TextModel, padded
from align.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

log = logging.getLogger(__name__)

Beside = Callable[[Sequence[Input], Tensor, Tensor, Tensor], object]
"""Takes the inputs of a batch, their (B, T) ids and attention, and the (B, T, D) last states."""


class Hidden(NamedTuple):
    """Token states of one forward pass."""

    layer: Tensor
    """(B, T, D) states that the pooling reads; (B, T, 2 D) where the mean of layers stands behind them."""
    last: Tensor
    """(B, T, D) states that the masked-LM head reads."""


class Encoder(TextModel):
    """A pretrained encoder with its tokenizer and pooling. Build one with :func:`align.load_encoder`.

    Args:
        model: a transformers encoder, with or without its masked-LM head.
        tokenizer: its tokenizer.
        pooling: layer, kind and tokens that make the vector.
        tail: modules of a sentence-transformers model after its pooling (Dense, ...), each mapping (B, D) to (B, D').
        unit: whether vectors are made unit ones.
        prompt: text put before every input, such as the "query: " of E5.
        prompts: further ones by name, that the model came with ("query", "document", ...): they are kept for
            sentence-transformers, whose ``encode_query`` and ``encode_document`` put them before their texts.
        max_tokens: longer texts are cut; None means what the model can take, at most 512.

    Raises:
        InputError: the pooling layer does not exist, or the tokenizer has more ids than the model has embeddings.
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
        prompts: Mapping[str, str] | None = None,
        max_tokens: int | None = None,
    ) -> None:
        super().__init__(
            model, tokenizer, pooling, tail=tail, unit=unit, prompt=prompt, max_tokens=max_tokens
        )  # fmt: skip
        self.prompts = dict(prompts or {})
        self.similarity = "cosine"  # by which sentence-transformers compares; what it came with is kept, not used
        self.card = ""  # README.md of what it was loaded from
        self.attention = "auto"  # or padded
        self.round_to = 1  # tokens of a packed batch are filled up to a multiple of this
        self.offsets: Offsets | None = None  # of languages, which encode takes off
        self.route: Route | None = None  # to the encoder of romanised text
        self.lexical: Lexical | None = None  # how sparse vectors are made; None: as usual
        self.head_fingerprint: str | None = None  # of the float32 masked-LM head, once it is rounded
        self._can_pack: bool | None = None  # not asked yet
        self._fingerprint: str | None = None  # of the float32 weights, once they are rounded
        if pooling.layer is not None and pooling.layer > self.depth:
            raise InputError(f"pooling layer {pooling.layer} does not exist: the encoder has layers 0 to {self.depth}")
        if pooling.layer not in (None, self.depth) and norms_last_layer(model):
            raise InputError(
                f"{type(model).__name__} norms its last layer only, so layer {pooling.layer} cannot be cut out"
            )
        if reads_molecules(model) and (pooling.average_layers or pooling.with_average):
            raise InputError(f"{type(model).__name__} has layers of molecules, not of tokens: there is no mean of them")

    @property
    def packs(self) -> bool:
        """Whether texts are put end to end instead of padded."""
        if self.attention != "auto":
            return False
        if self._can_pack is None:
            self._can_pack = can_pack(self.model)
        return self._can_pack

    def attention_in_use(self, *, dropout: float = 0.0, bf16: bool = False) -> str:
        """For the log: packed, by which attention, or padded, and why."""
        if not self.packs:
            asked = "as asked" if self.attention != "auto" else f"{type(self.model).__name__} cannot be packed"
            return f"padded ({asked})"
        dtype = torch.bfloat16 if bf16 else next(self.model.parameters()).dtype
        return f"packed ({kernel_for(self.device, dtype, dropout)})"

    @property
    def depth(self) -> int:
        """L, the number of blocks; hidden_states[0..L] exist."""
        return len(blocks(self.model))

    @property
    def layer(self) -> int:
        """K of the hidden_states[k] that is pooled, never None."""
        return self.depth if self.pooling.layer is None else self.pooling.layer

    def hidden(
        self,
        ids: Tensor,
        attention: Tensor,
        *,
        head: bool = False,
        types: Tensor | None = None,
        positions: Tensor | None = None,
        lengths: Sequence[int] | None = None,
    ) -> Hidden:
        """Run the encoder on (B, T) ids; blocks above the pooling layer only if ``head`` needs the last states.

        Of two texts in one sequence, ``types`` says which piece belongs to which (0 and 1; used by models that have
        two token types), ``positions`` where each stands (from 0). ``lengths``, the tokens of each text, spare a GPU
        the wait for its own mask. Where the model can (``attention = "auto"``), nothing is computed on padding, and the
        states there are 0.

        Raises:
            ValueError: texts that are not padded on the right, in a packed forward.
        """
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": attention}
        if more := padded_length(self.model, ids.shape[1]) - ids.shape[1]:
            padding = (0, more)
            filled = pad(ids, padding, value=self.tokenizer.pad_token_id or 0)
            found = self._run({"input_ids": filled, "attention_mask": pad(attention, padding)}, head=head)
            return Hidden(*(states[:, : ids.shape[1]] for states in found))
        packing = None
        known = lengths_of(attention) if lengths is None and self.packs else lengths
        if self.packs and known is not None and any(known):
            packing = pack(known, ids.shape[1], round_to=self.round_to).to(ids.device)
            given = packed_inputs(self.model, ids, packing)
        if types is not None and getattr(self.model.config, "type_vocab_size", 0) > 1:
            given["token_type_ids"] = types if packing is None else packing.flat(types)
        if positions is not None:
            shifted = positions + first_position(self.model)
            given["position_ids"] = shifted if packing is None else packing.flat(shifted)
        if (mixture := getattr(self.body, "mixture", None)) is not None:
            mixture.read(self.body.get_input_embeddings()(ids), attention, packing)
        found = self._run(given, head=head)
        if packing is None:
            return found
        layer = packing.padded(found.layer)
        return Hidden(layer, layer if found.last is found.layer else packing.padded(found.last))

    def _run(self, given: Mapping[str, Any], *, head: bool) -> Hidden:
        layer = self.pooling.layer
        average = self.pooling.average_layers and self.layer > 0
        both = self.pooling.with_average
        if average or both or (head and layer is not None):
            if head or layer is None:
                states = self.body(**given, output_hidden_states=True).hidden_states
            else:
                states = first_states(self.model, given, layer)
            read = states[: self.layer + 1]  # (B, T, D) each
            mean = reduce(torch.add, read) / len(read) if average or both else read[-1]
            return Hidden(torch.cat([read[-1], mean], dim=-1) if both else mean, states[-1])
        with first_blocks(self.model, layer):
            last = self.body(**given).last_hidden_state
        return Hidden(last, last)

    def pool(self, hidden: Tensor, ids: Tensor, attention: Tensor, *, counted: Tensor | None = None) -> Tensor:
        """(B, D) vectors from (B, T, D) states, before they are made unit ones.

        Of (B, T) bool ``counted`` only the true tokens are pooled; None: those that the pooling says.
        """
        if counted is None:
            special = torch.isin(ids, torch.tensor(self.added_ids, device=ids.device))
            vectors = self.pooling(hidden, after_prompt(attention, self.prompt_tokens), special)
        else:
            vectors = replace(self.pooling, special_tokens=False)(hidden, attention, ~counted)
        return through(self.tail, vectors)

    def forward(
        self,
        ids: Tensor,
        attention: Tensor,
        *,
        raw: bool = False,
        types: Tensor | None = None,
        counted: Tensor | None = None,
        lengths: Sequence[int] | None = None,
        beside: Callable[[Tensor, Tensor, Tensor], object] | None = None,
    ) -> Tensor:
        """(B, D) vectors of (B, T) ids, unit ones if the encoder makes such and not ``raw``; see hidden and pool.

        ``beside`` is called with ids, attention and (B, T, D) last states.
        """
        hidden = self.hidden(ids, attention, head=beside is not None, types=types, lengths=lengths)
        if beside is not None:
            beside(ids, attention, hidden.last)
        vectors = self.pool(hidden.layer, ids, attention, counted=counted)
        return normalize(vectors, dim=-1) if self.unit and not raw else vectors

    def encode(
        self,
        texts: Sequence[str],
        *,
        language: str | Sequence[str] | None = None,
        max_tokens: int | None = None,
        tokens: Callable[[Sequence[str]], Sequence[Input]] | None = None,
        raw: bool = False,
        batch_tokens: int | None = None,
        out: NDArray[np.floating[Any]] | None = None,
        deterministic: bool = False,
        finite: bool = True,
        progress: bool | Callable[[int], object] = False,
        beside: Beside | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of texts, in their order.

        Texts are tokenised ahead in a thread, sorted by tokens and batched by a token budget, so that little or nothing
        is computed on padding.

        Args:
            texts: n strings; the prompt is put before each.
            language: code of all texts, or of each, for the encoder's offsets (:func:`align.offsets`), its route
                (:func:`align.route`) and the language tags that it puts, if it has any; None, and "" of a text: not
                known; then the text's script decides if it is that of one of the offsets' languages.
            max_tokens: cut longer texts; None means the encoder's own limit.
            tokens: tokenises a part of the texts, in its own way; either all of a part have types, or none has, and the
                same holds for counted tokens. None: as :meth:`tokenize` does.
            raw: leave the vectors as pooled, as the objectives see them, offsets included.
            batch_tokens: tokens of one forward pass; bounds memory. None: 1,024 on a CPU, whose caches hold no more,
                else 16,384. Averaged layers are all held at once: (layer + 1) * batch_tokens * D numbers.
            out: (n, D) array to write to and return, such as a memory-mapped float16 file; None: a new float32 one.
            deterministic: a text's vector does not depend, to the last bit, on the texts beside it: every matrix
                product has the same number of rows. Slower for few texts, and for models that cannot run packed.
            finite: refuse a vector that is NaN or infinite; False: leave it as it is.
            progress: show a bar; or what to call with the number of texts encoded since the last call.
            beside: what to call with each batch and its last states, for what else is made of them.

        Returns:
            (n, D) float32, or ``out``.

        Raises:
            InputError: one string instead of a list, an ``out`` of another shape, or a vector that is NaN or infinite
                (the sentence names the text).
        """
        if isinstance(texts, str):
            raise InputError("encode needs a list of texts, got one string")
        plain = texts
        if self.language_tags:
            if tokens is not None:
                raise InputError("language tags stand before texts, not before words in a template or with a gloss")
            texts = tagged(self, texts, language)
        encode = partial(
            Encoder._encode, max_tokens=max_tokens, tokens=tokens, raw=raw, batch_tokens=batch_tokens,
            deterministic=deterministic, finite=finite, progress=progress, beside=beside,
        )  # fmt: skip
        if self.route is None:
            vectors = encode(self, texts, out=out)
        else:
            vectors = np.empty((len(texts), self.dimension), dtype=np.float32) if out is None else out
            vectors = self.route.encode(self, texts, language, vectors, encode)
        if self.offsets is None or raw:
            return vectors
        return self.offsets.taken_off(vectors, *self.offsets.texts_of(plain, language), unit=self.unit)

    def _encode(
        self, texts: Sequence[str], *, max_tokens: int | None, raw: bool, batch_tokens: int | None, deterministic: bool,
        tokens: Callable[[Sequence[str]], Sequence[Input]] | None, out: NDArray[np.floating[Any]] | None = None,
        finite: bool, progress: bool | Callable[[int], object], beside: Beside | None = None,
    ) -> NDArray[np.float32]:  # fmt: skip
        """Vectors by the weights of this encoder."""
        tokens = tokens or (lambda part: [Input(ids) for ids in self.tokenize(part, max_tokens=max_tokens)])
        round_to = self.round_to
        budget = batch_tokens or (1024 if self.device.type == "cpu" else 16_384)
        if deterministic:
            self.round_to = budget
        try:
            with evaluating(self):
                return encode_batches(
                    texts, tokens, lambda rows: self._vectors(rows, raw, beside), dimension=self.dimension, out=out,
                    batch_tokens=budget, fixed=deterministic and not self.packs, finite=finite, progress=progress,
                )  # fmt: skip
        finally:
            self.round_to = round_to

    def sparse(self, texts: Sequence[str], **how: Any) -> csr_array:
        """(n, V) lexical vectors of n texts by the masked-LM head, as :attr:`lexical` says: unit rows, cut.

        Args:
            texts: n strings; the prompt is put before each, and is none of its terms.
            how: ``max_tokens``, ``batch_tokens``, ``deterministic``, ``progress``: see :meth:`encode`.

        Raises:
            InputError: the model has no masked-LM head; or as :meth:`encode`.
        """
        return encode_both(self, texts, **how)[1]

    def _vectors(self, rows: Sequence[Input], raw: bool, beside: Beside | None) -> Tensor:
        ids, attention = self.pad([row.ids for row in rows])
        types = [row.types for row in rows if row.types is not None]
        counted = [row.counted for row in rows if row.counted is not None]
        vectors: Tensor = self(
            ids, attention, raw=raw, types=padded(types, 0)[0].to(self.device) if types else None,
            counted=padded(counted, 0)[0].bool().to(self.device) if counted else None,
            lengths=[len(row.ids) for row in rows], beside=None if beside is None else partial(beside, rows),
        )  # fmt: skip
        return vectors

    def fingerprint(self) -> str:
        """Hash of the weights that decide a vector, and of the tokenizer."""
        if self._fingerprint is not None:
            return self._fingerprint
        with first_blocks(self.model, self.pooling.layer):
            return super().fingerprint()

    def in_bfloat16(self) -> Encoder:
        """Round the model's weights to bfloat16, in place, to encode faster where the hardware has it; not to train.

        The modules after the pooling keep float32, as the pooled vectors have it. The fingerprint stays that of the
        float32 weights: what either encodes can be searched with the other.
        """
        self._fingerprint = self.fingerprint()
        if self.model is not self.body:
            self.head_fingerprint = head_fingerprint(self)
        if not computes_bfloat16(self.device):
            kind = self.device.type
            log.warning("this %s has no bfloat16 instructions: encoding in it may be slower than in float32", kind)
        self.model.to(torch.bfloat16)
        if self.route is not None:
            self.route.encoder.in_bfloat16()
        return self

    def identity(self) -> dict[str, Any]:
        """What decides a vector: weights and tokenizer, pooling, prompt, length, dimension, offsets, route, tags.

        Two encoders of equal identity give equal vectors; an index refuses queries from any other.
        """
        pooling = asdict(self.pooling) | {"layer": self.layer}
        for name, usual in (("average_layers", False), ("include_prompt", True), ("with_average", False)):
            if pooling[name] == usual:  # so that the identities kept before there was a choice stay equal
                del pooling[name]
        offsets = {"offsets": self.offsets.identity} if self.offsets else {}
        route = {"route": self.route.identity()} if self.route else {}
        tags = {"language_tags": True} if self.language_tags else {}
        return super().identity() | {"pooling": pooling} | offsets | route | tags

"""Decoder-only language models: token states of every layer, for probes such as MEXA. They are read, not trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from align.encoders.checkpoint import from_transformers, model_place, modules_file, readable
from align.encoders.device import chosen_device
from align.encoders.pooling import Pooling
from align.encoders.text_model import TextModel
from align.errors import InputError, unknown

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Decoder(TextModel):
    """A causal language model without its head, and its tokenizer. Build one with :func:`load_decoder`.

    It has what :func:`align.encoders.layers.encode_layers` asks of an encoder. Texts are padded on the right whatever
    side the tokenizer pads: under a causal mask no token sees what comes after it, so padding changes no state.

    Args:
        model: a transformers model as ``AutoModel`` makes it; its causal mask is its own.
        tokenizer: its tokenizer; it needs no padding token.
        prompt: text put before every input.
        max_tokens: longer texts are cut; None means what the model can take, at most 512.

    Raises:
        InputError: the tokenizer has more ids than the model has embeddings.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        prompt: str = "",
        max_tokens: int | None = None,
    ) -> None:
        super().__init__(model, tokenizer, Pooling(kind="weighted"), prompt=prompt, max_tokens=max_tokens)

    def identity(self) -> dict[str, Any]:
        """What decides a vector: fingerprint of weights and tokenizer, prompt, length, dimension, number format."""
        return super().identity() | {"dtype": str(self.model.dtype).removeprefix("torch.")}


def is_decoder(name: str | Path, revision: str | None = None) -> bool:
    """Whether a model is a decoder-only language model, by its configuration.

    It is when transformers has a causal but no masked language model of its type (BERT has both), and it is no
    encoder-decoder. What Align or sentence-transformers saved is an encoder.

    Raises:
        InputError: no such folder or name, or the revision of a folder.
    """
    place = model_place(name, revision)
    if (Path(place) / "align.json").is_file() or modules_file(place, revision):
        return False
    with readable(place):
        config = AutoConfig.from_pretrained(place, revision=revision)
    causal = config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return causal and config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.is_encoder_decoder


def load_decoder(
    name: str | Path,
    *,
    prompt: str = "",
    max_tokens: int | None = None,
    dtype: str = "float32",
    device: str | torch.device | None = None,
    revision: str | None = None,
) -> Decoder:
    """Load a decoder-only language model without its head: a folder, or a name on the Hugging Face Hub.

    Weights are read from safetensors only, and no code that comes with a model is run.

    Args:
        name: such as ``meta-llama/Llama-3.2-1B``, or a folder that transformers saved.
        prompt: text put before every input.
        max_tokens: longer texts are cut; None means what the model can take, at most 512.
        dtype: float32, bfloat16 or float16 of the weights; vectors are float32 anyhow.
        device: None means a GPU if there is one.
        revision: commit or branch of a Hub name.

    Raises:
        InputError: no such folder, name or device, the revision of a folder, one without safetensors or tokenizer,
            weights that are not all there or not of the model's size, a tokenizer with more ids than embeddings, an
            unknown ``dtype``.
    """
    if dtype not in DTYPES:
        raise InputError(unknown("dtype", dtype, DTYPES))
    place, where = model_place(name, revision), chosen_device(device)
    model, tokenizer = from_transformers(
        place, revision, auto=AutoModel, dtype=DTYPES[dtype], use_safetensors=True
    )  # fmt: skip
    model.config.use_cache = False  # keys and values of earlier tokens: nothing is generated here
    decoder = Decoder(model, tokenizer, prompt=prompt, max_tokens=max_tokens)
    decoder.name = str(name)
    decoder.to(where)
    return decoder.eval()

"""A BERT or RoBERTa encoder in NumPy, for a few texts: torch and transformers take longer to load than to compute.

It reads a folder as transformers or Align saved it, and gives what :func:`align.load_encoder` gives but for rounding.
What it does not know, it leaves to that: :func:`light_encoder` then returns nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.whole import read_json
from align.text.surrogates import well_formed

Array = NDArray[np.float32]
FAMILIES = {"bert": 0, "roberta": 1, "xlm-roberta": 1}
"""Model types, and whether positions start behind the padding's id."""
PLAIN_TOKENIZERS = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Classes that read ``tokenizer.json`` and nothing else."""
ADDED = ("cls_token", "sep_token", "bos_token", "eos_token", "pad_token")


@dataclass
class LightEncoder:
    """An encoder that encodes, and does nothing else. Build one with :func:`light_encoder`."""

    name: str
    config: Mapping[str, Any]
    weights: Mapping[str, Array]
    tokenizer: Any
    """Of the package tokenizers."""
    pooling: Mapping[str, Any]
    added_ids: Sequence[int]
    """Of the tokens that stand around a text."""
    unit: bool
    prompt: str
    max_tokens: int

    def encode(self, texts: Sequence[str], *, language: str | None = None) -> Array:
        """(n, D) vectors of n texts, each computed by itself; the language decides nothing here."""
        if isinstance(texts, str):
            raise InputError("encode needs a list of texts, got one string")
        self.tokenizer.enable_truncation(self.max_tokens)
        found = self.tokenizer.encode_batch([self.prompt + well_formed(text) for text in texts])
        vectors = np.empty((len(texts), self.config["hidden_size"]), dtype=np.float32)
        for i, one in enumerate(found):
            vectors[i] = self._pooled(one.ids)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12) if self.unit else vectors

    def identity(self) -> dict[str, Any]:
        """What decides a vector: the same as of the encoder that :func:`align.load_encoder` loads."""
        return {
            "fingerprint": self.fingerprint(), "unit": self.unit, "prompt": self.prompt, "max_tokens": self.max_tokens,
            "dimension": self.config["hidden_size"],
            "pooling": {**self.pooling, "layer": self.config["num_hidden_layers"]},
        }  # fmt: skip

    def fingerprint(self) -> str:
        """Hash of the weights and of the tokenizer, as :meth:`align.encoders.text_model.TextModel.fingerprint`."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value).reshape(-1).data)
        digest.update(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        return digest.hexdigest()[:32]

    def _pooled(self, ids: list[int]) -> Array:
        states = self._states(np.array(ids))
        if self.pooling["kind"] == "cls":
            first: Array = states[0]
            return first
        counts = np.ones(len(ids), dtype=np.float32)
        if not self.pooling["special_tokens"]:
            counts[np.isin(ids, self.added_ids)] = 0
        if self.pooling["kind"] == "weighted":
            counts *= np.arange(1, len(ids) + 1, dtype=np.float32)
        vector: Array = counts @ states / max(float(counts.sum()), 1e-9)
        return vector

    def _states(self, ids: NDArray[np.int64]) -> Array:
        """(T, D) of the last block."""
        heads = self.config["num_attention_heads"]
        first = (self.config["pad_token_id"] + 1) * FAMILIES[self.config["model_type"]]
        table = "embeddings.{}_embeddings.weight"
        x = self.weights[table.format("word")][ids] + self.weights[table.format("token_type")][0]
        x = self._norm(x + self.weights[table.format("position")][first : first + len(ids)], "embeddings.LayerNorm")
        for k in range(self.config["num_hidden_layers"]):
            block = f"encoder.layer.{k}."
            q, key, v = (
                self._linear(x, f"{block}attention.self.{part}").reshape(len(ids), heads, -1).transpose(1, 0, 2)
                for part in ("query", "key", "value")
            )
            scores = q @ key.transpose(0, 2, 1) / np.float32(np.sqrt(q.shape[-1]))  # (heads, T, T)
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            seen = (shares / shares.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
            x = self._norm(
                x + self._linear(seen, f"{block}attention.output.dense"), f"{block}attention.output.LayerNorm"
            )
            inner = gelu(self._linear(x, f"{block}intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{block}output.dense"), f"{block}output.LayerNorm")
        return x

    def _linear(self, x: Array, name: str) -> Array:
        made: Array = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return made

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(self.config["layer_norm_eps"]))
        made: Array = centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return made


def gelu(x: Array) -> Array:
    """x/2 (1 + erf(x / sqrt 2)), with the error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26)."""
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.zeros_like(t)
    for a in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(a)) * t
    erf: Array = np.sign(x) * (1 - series * np.exp(-z * z))
    return (x * (1 + erf) / 2).astype(np.float32, copy=False)


def light_encoder(name: str | Path, *, prompt: str | None = None, max_tokens: int | None = None) -> LightEncoder | None:
    """An encoder from a folder, or ``seed``; ``None``: it is none that can be had without torch.

    Arguments as of :func:`align.load_encoder`.
    """
    folder = Path(str(files("align") / "data" / "seed") if str(name) == "seed" else name)
    needed = [folder / file for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")]
    if not all(file.is_file() for file in needed):
        return None
    config, about = read_json(needed[0]), read_json(needed[3])
    saved = read_json(folder / "align.json") if (folder / "align.json").is_file() else {}
    if not _known(config, about, saved) or (not saved and (folder / "modules.json").is_file()):
        return None
    weights = _weights(needed[1], config)
    if weights is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(needed[2]))
    tokenizer.no_padding()
    if max(tokenizer.get_vocab().values()) >= len(weights["embeddings.word_embeddings.weight"]):
        return None
    places = config["max_position_embeddings"] - (config["pad_token_id"] + 1) * FAMILIES[config["model_type"]]
    limit = min(max_tokens or saved.get("max_tokens") or 512, places, int(about.get("model_max_length", 512)))
    pooling = {"kind": "mean", "special_tokens": True} | {
        key: saved["pooling"][key] for key in ("kind", "special_tokens") if saved
    }
    ids = (tokenizer.token_to_id(str(about[token])) for token in ADDED if about.get(token))
    return LightEncoder(
        str(name), config, weights, tokenizer, pooling, sorted({i for i in ids if i is not None}),
        saved.get("unit", True), saved.get("prompt", "") if prompt is None else prompt, limit,
    )  # fmt: skip


def _known(config: Mapping[str, Any], tokenizer: Mapping[str, Any], saved: Mapping[str, Any]) -> bool:
    """Whether a folder holds nothing that is not here."""
    pooling = saved.get("pooling") or {}
    return (
        config.get("model_type") in FAMILIES
        and config.get("hidden_act") == "gelu"
        and not config.get("is_decoder")
        and config.get("position_embedding_type", "absolute") == "absolute"
        and isinstance(config.get("pad_token_id"), int)
        and tokenizer.get("tokenizer_class") in PLAIN_TOKENIZERS
        and not {"route", "fallback", "mixture"} & saved.keys()
        and not saved.get("tail")
        and not saved.get("truncate_dim")
        and not pooling.get("average_layers")
        and not pooling.get("with_average")
        and pooling.get("include_prompt", True)
        and pooling.get("layer") in (None, config["num_hidden_layers"])
    )


def _weights(file: Path, config: Mapping[str, Any]) -> dict[str, Array] | None:
    """The body's weights by their names in it; ``None``: some are not in the file, or not in float32 or float16."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as stored:
            names = set(stored.keys())
            prefix = next(
                (one for one in ("", "bert.", "roberta.") if f"{one}embeddings.LayerNorm.weight" in names), ""
            )
            wanted = list(_names(config["num_hidden_layers"]))
            if not all(f"{prefix}{name}" in names for name in wanted):
                return None
            if any(stored.get_slice(f"{prefix}{name}").get_dtype() not in ("F32", "F16") for name in wanted):
                return None
            return {name: stored.get_tensor(f"{prefix}{name}").astype(np.float32, copy=False) for name in wanted}
    except SafetensorError:
        return None


def _names(blocks: int) -> Iterator[str]:
    """All weights of a body without its pooler."""
    yield from (f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type"))
    pairs = ["embeddings.LayerNorm"]
    for k in range(blocks):
        inner = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                 "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")  # fmt: skip
        pairs += [f"encoder.layer.{k}.{name}" for name in inner]
    yield from (f"{name}.{kind}" for name in pairs for kind in ("weight", "bias"))

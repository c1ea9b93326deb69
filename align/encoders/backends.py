"""Encoding in OpenVINO or ONNX Runtime: the transformer runs there, everything around it stays the encoder's own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from align.encoders.checkpoint import load_encoder
from align.encoders.decoder import is_decoder
from align.encoders.encoder import Encoder, Hidden
from align.encoders.exported_graph import NEEDED, exported, graph_inputs, has_bf16, open_graph
from align.encoders.route import refuse_route
from align.errors import InputError
from align.files.whole import user_cache


def load_backend(
    name: str | Path,
    backend: str,
    *,
    bf16: bool = False,
    device: str | torch.device | None = None,
    revision: str | None = None,
    cache: Path | str | None = None,
    **options: Any,
) -> ExportedEncoder:
    """Load an encoder whose transformer runs in OpenVINO or ONNX Runtime, on the CPU.

    The first time a graph is made, in about half a minute, and kept. Its token states are compared with torch's before.

    Args:
        name: see :func:`align.load_encoder`.
        backend: ``openvino`` or ``onnx``.
        bf16: compute in bfloat16: twice as fast where the CPU has it, at a cosine of about .9999 (openvino only).
        device: None or ``cpu``.
        revision: commit or branch of a Hub name.
        cache: folder of the graphs; None: ``exports`` in align's folder of the user's cache.
        options: of ``load_encoder``: layer, kind, special_tokens, average_layers, prompt, max_tokens, offsets.

    Raises:
        InputError: an unknown backend, or one that is not installed; a GPU, or bfloat16 where there is none; a decoder;
            a model whose graph does not give what torch gives; and as ``load_encoder``.
    """
    if backend not in NEEDED:
        raise InputError(f"unknown backend {backend!r}: expected torch, {' or '.join(NEEDED)}")
    if not all(map(find_spec, NEEDED[backend])):
        raise InputError(f"backend {backend} is not installed: pip install 'align-encoders[{backend}]'")
    if options.pop("language_tags", False):
        raise InputError(f"backend {backend} puts no language tags: use torch")
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise InputError(f"backend {backend} runs on the CPU, got device {str(device)!r}: use torch on a GPU")
    if bf16 and not has_bf16(backend):
        raise InputError(f"backend {backend} has no bfloat16 {'on a' if backend == 'onnx' else 'for this'} CPU")
    if is_decoder(name, revision):
        raise InputError(f"{name} is a decoder-only model: backend {backend} runs encoders")
    encoder = load_encoder(name, device="cpu", revision=revision, **options)
    refuse_route(encoder, f"backend {backend}")
    return ExportedEncoder(encoder, backend, bf16=bf16, cache=Path(cache) if cache else user_cache("exports"))


class ExportedEncoder(Encoder):
    """An encoder whose transformer runs in another runtime, on the CPU: it encodes, and cannot be trained or saved.

    Its identity is that of the encoder it was made from, so either searches what the other has indexed. Build one with
    :func:`load_backend`.

    The encoder, on the CPU and in float32, gives up its weights.

    Raises:
        InputError: the graph does not give what torch gives.
    """

    def __init__(self, encoder: Encoder, backend: str, *, bf16: bool, cache: Path) -> None:
        super().__init__(
            encoder.model, encoder.tokenizer, encoder.pooling, tail=list(encoder.tail), unit=encoder.unit,
            prompt=encoder.prompt, max_tokens=encoder.max_tokens,
        )  # fmt: skip
        self.name, self.backend = encoder.name, backend
        self.offsets, self.fallback = encoder.offsets, encoder.fallback
        self._fingerprint = encoder.fingerprint()
        self._states = open_graph(exported(encoder, backend, cache), backend, bf16=bf16)
        self.model.to("meta")  # the graph has its weights
        self.eval()

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    @property
    def packs(self) -> bool:
        """No: the graph takes padded texts."""
        return False

    def attention_in_use(self, *, dropout: float = 0.0, bf16: bool = False) -> str:
        """For the log."""
        return f"padded ({self.backend})"

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
        """States that the pooling reads, of (B, T) ids; see :meth:`align.encoders.encoder.Encoder.hidden`.

        Raises:
            InputError: the masked-LM head or positions of one's own are asked for: the graph has neither.
        """
        if head or positions is not None:
            raise InputError(f"backend {self.backend} encodes only: training needs torch")
        states = torch.from_numpy(self._states(graph_inputs(self, ids, attention, types)))
        return Hidden(states, states)

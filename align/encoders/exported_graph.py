"""The transformer of an encoder as an ONNX graph, kept in a folder, and run by OpenVINO or ONNX Runtime.

Both runtimes read the same graph, which torch exports. sentence-transformers leaves that to optimum, whose releases for
either runtime do not allow the versions of transformers that are needed here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from align.encoders.blocks import first_blocks, longest_input
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.files.folders import whole_folder
from align.files.locks import locked

NEEDED = {"openvino": ("openvino", "onnx", "onnxscript"), "onnx": ("onnxruntime", "onnx", "onnxscript")}
"""The packages of each backend."""
FILE = "graph.onnx"  # and its weights in graph.onnx.data
SAME = 0.99999  # least cosine of a token's states to torch's

Run = Callable[[Sequence[NDArray[np.int64]]], NDArray[np.float32]]


class Graph(nn.Module):
    """What is exported: (B, T) ids, attention and, where the model has two, token types to the states to be pooled."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, attention: Tensor, types: Tensor | None = None) -> Tensor:
        """(B, T, D) states."""
        return self.encoder.hidden(ids, attention, types=types).layer


def exported(encoder: Encoder, backend: str, cache: Path) -> Path:
    """The graph of an encoder, made and checked if ``cache``, which has a folder for each, does not have it.

    Raises:
        InputError: the graph gives other states than torch; nothing is kept.
    """
    folder = cache / graph_key(encoder, backend)
    if not folder.is_dir():
        attention, encoder.attention = encoder.attention, "padded"
        try:
            with locked(folder, wait=True), torch.no_grad(), first_blocks(encoder.model, encoder.pooling.layer):
                if not folder.is_dir():  # else another process was faster
                    with whole_folder(folder, kind="graph") as temporary:
                        write_graph(encoder, temporary / FILE)
                        check_graph(encoder, backend, temporary / FILE)
        finally:
            encoder.attention = attention
    return folder / FILE


def graph_key(encoder: Encoder, backend: str) -> str:
    """Hash of what decides a graph and whether it is right: weights up to the layer, configuration, versions."""
    config = encoder.model.config.to_dict()
    config.pop("_name_or_path", None)
    runtime = {"openvino": "openvino", "onnx": "onnxruntime"}[backend]
    layers = "both" if encoder.pooling.with_average else encoder.pooling.average_layers
    parts = [
        encoder.fingerprint(), layers, config, backend,
        [version(package) for package in ("torch", "transformers", "onnxscript", runtime)],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def write_graph(encoder: Encoder, path: Path) -> None:
    """Export the encoder, cut after its pooling layer, for any number of texts and tokens."""
    inputs = sample(encoder, [7, 3])
    most = longest_input(encoder.model, encoder.tokenizer)
    either = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=most)}
    with silent():
        program = torch.export.export(Graph(encoder).eval(), inputs, dynamic_shapes=(either,) * len(inputs))
        torch.onnx.export(program, inputs, path, dynamo=True, external_data=True, verbose=False)


def check_graph(encoder: Encoder, backend: str, path: Path) -> None:
    """Refuse a graph that does not give torch's states for the longest text beside one of a single token."""
    inputs = sample(encoder, [longest_input(encoder.model, encoder.tokenizer), 1])
    expected = Graph(encoder)(*inputs)
    got = torch.from_numpy(open_graph(path, backend)([x.numpy() for x in inputs]))
    cosine = cosine_similarity(got, expected, dim=-1)[inputs[1].bool()].min().item()
    if not cosine >= SAME:  # it may be NaN
        raise InputError(
            f"backend {backend} does not give the states of {type(encoder.model).__name__} that torch gives "
            f"(cosine {cosine:.6f}): use torch"
        )


def sample(encoder: Encoder, lengths: Sequence[int]) -> tuple[Tensor, ...]:
    """Inputs of texts of so many tokens, the second half of each of the second type."""
    size, pad = encoder.model.config.vocab_size, encoder.tokenizer.pad_token_id or 0
    shape = (len(lengths), max(lengths))
    attention = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(size, shape, generator=torch.Generator().manual_seed(0))
    ids = torch.where(ids == pad, (pad + 1) % size, ids)  # RoBERTa counts positions by it
    types = (torch.arange(shape[1]) >= torch.tensor(lengths)[:, None] / 2).long() * attention
    given = graph_inputs(encoder, torch.where(attention.bool(), ids, pad), attention, types)
    return tuple(map(torch.from_numpy, given))


def graph_inputs(encoder: Encoder, ids: Tensor, attention: Tensor, types: Tensor | None) -> list[NDArray[np.int64]]:
    """What the graph of an encoder takes."""
    given = [ids, attention]
    if getattr(encoder.model.config, "type_vocab_size", 0) > 1:
        given.append(torch.zeros_like(ids) if types is None else types)
    return [x.numpy() for x in given]


def open_graph(path: Path, backend: str, *, bf16: bool = False) -> Run:
    """A graph as a function of its inputs, on as many threads as torch has."""
    if backend == "openvino":
        compiled = openvino().Core().compile_model(
            str(path), "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(), "NUM_STREAMS": 1,
            },
        )  # fmt: skip
        return lambda inputs: compiled(dict(enumerate(inputs)))[0]
    import onnxruntime  # type: ignore[import-not-found, unused-ignore]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    running = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in running.get_inputs()]
    return lambda inputs: running.run(None, dict(zip(names, inputs, strict=True)))[0]


def has_bf16(backend: str) -> bool:
    """Whether a backend computes in bfloat16 on this CPU."""
    return backend == "openvino" and "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino() -> Any:
    """The package, kept from its telemetry: its import alone would send a message."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # its import fails: OpenVINO does without
    return import_module("openvino")


@contextmanager
def silent() -> Iterator[None]:
    """The exporter tells of its progress, of packages that are missing, and of what torch will rename."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)

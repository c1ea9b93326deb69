"""A memory of the vectors of every layer, so that a task per layer encodes once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.encoders.layers import Layered, encode_layers, layer_numbers, poolings
from align.errors import InputError

KEEP = ("disk", "float16")


class LayerVectors:
    """Vectors of all layers, kept: a task can be run at one layer after the other while each text is encoded once.

    Use it as a context: what is kept on disk goes with it.

    >>> with LayerVectors(encoder) as vectors:  # doctest: +SKIP
    ...     scores = {k: retrieval(vectors.at(k), texts).headline() for k in vectors.layers}

    Args:
        encoder: an encoder or a decoder-only model.
        layers: see :func:`encode_layers`.
        kind: pooling; None: the encoder's own.
        keep: ``disk``: float32, memory-mapped in a temporary folder; ``float16``: in memory, for unit vectors only
            (their cosines then differ by up to about 1e-3).
        batch_tokens: padded tokens of one forward pass.
        progress: show a bar.

    Raises:
        InputError: as :func:`encode_layers`, an unknown ``keep``, or float16 for vectors that are not unit ones.
    """

    def __init__(
        self,
        encoder: Layered,
        *,
        layers: Sequence[int] | None = None,
        kind: str | None = None,
        keep: str = "disk",
        batch_tokens: int = 4096,
        progress: bool = False,
    ) -> None:
        if keep not in KEEP:
            raise InputError(f"layer vectors are kept as {' or '.join(KEEP)}, got {keep!r}")
        if keep == "float16" and not encoder.unit:
            raise InputError("float16 holds unit vectors only: keep those of this encoder on disk")
        self.encoder, self.batch_tokens, self.progress = encoder, batch_tokens, progress
        self.layers = layer_numbers(encoder, layers)
        self.kinds = None if kind is None else [kind]
        self._pools = poolings(encoder, self.kinds)
        self._folder = tempfile.TemporaryDirectory(prefix="align-layers-") if keep == "disk" else None
        self._kept: dict[bytes, NDArray[Any]] = {}

    def __enter__(self) -> LayerVectors:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the vectors, and remove the folder they were kept in."""
        self._kept.clear()
        if self._folder is not None:
            self._folder.cleanup()

    def __call__(self, texts: Sequence[str], language: str = "") -> NDArray[Any]:
        """(L', n, D) vectors of texts at each of ``layers``, encoded at the first call with these texts."""
        if isinstance(texts, str):
            raise InputError("layer vectors need a list of texts, got one string")
        given = (language, list(texts)) if self.encoder.language_tags else list(texts)
        key = hashlib.sha256(repr(given).encode("utf-8", "backslashreplace")).digest()
        if key not in self._kept:
            shape = (len(self.layers), len(texts), self.encoder.dimension)
            if self._folder is None:
                array: NDArray[Any] = np.empty(shape, dtype=np.float16)
            else:
                file = Path(self._folder.name) / f"{len(self._kept)}.npy"
                array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
            encode_layers(
                self.encoder, texts, language=language, layers=self.layers, kinds=self.kinds,
                batch_tokens=self.batch_tokens, out=dict.fromkeys(self._pools, array), progress=self.progress,
            )  # fmt: skip
            self._kept[key] = array
        return self._kept[key]

    def at(self, layer: int) -> Callable[[Sequence[str], str], NDArray[Any]]:
        """A function (texts, language) -> (n, D) vectors at one of ``layers``, as tasks take it."""
        if layer not in self.layers:
            raise InputError(f"no vectors of layer {layer} are kept: expected one of {list(self.layers)}")
        place = self.layers.index(layer)

        def encode(texts: Sequence[str], language: str) -> NDArray[Any]:
            vectors: NDArray[Any] = self(texts, language)[place]
            return vectors

        return encode

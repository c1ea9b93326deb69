"""A scorer of pairs: an encoder with a fusion on it, in a folder of its own, and the scores of lists of pairs.

weights.safetensors   what the fusion learnt: the layers above the separate ones, sides, weights, bias
manifest.json         its shape, the encoder (name and identity), how it was trained
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from align.encoders.batching import budget_batches, evaluating
from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.text_model import value_bytes
from align.errors import InputError
from align.files.folders import whole_folder
from align.files.intact import check_hashes
from align.files.nested import differences
from align.files.whole import existing_file, read_json, write_json
from align.reranking.fusion import Fusion, Shape, Texts, below

FORMAT, KIND = "align-scorer/1", "scorer folder"
MANIFEST, WEIGHTS = "manifest.json", "weights.safetensors"
FIELDS = {"format", "shape", "encoder", "max_tokens"}
CHUNK = 2048
"""Pairs whose texts are held as states together; bounds memory."""


@dataclass(frozen=True, eq=False)
class Scorer:
    """A fusion and the encoder that it stands on. Build one with :func:`load_scorer`, train one by ``fusion_head``."""

    encoder: Encoder
    fusion: Fusion
    max_tokens: int
    """Longer texts are cut, each for itself."""
    bf16: bool = False
    """Compute in bfloat16 (autocast)."""
    name: str = ""
    """Folder that it was loaded from."""

    def states(self, texts: Sequence[str]) -> Texts:
        """The states of texts behind the separate layers, which are the encoder's own."""
        ids, attention = self.encoder.pad(self.encoder.tokenize(texts, max_tokens=self.max_tokens))
        added = torch.tensor(self.encoder.added_ids, device=ids.device)
        with torch.no_grad(), evaluating(self.encoder):
            states = below(self.encoder, self.fusion.shape.separate).hidden(ids, attention).layer
        return Texts(states, attention, torch.isin(ids, added))

    def score(
        self, first: Sequence[str], second: Sequence[str], *, batch_tokens: int = 4096, progress: bool = False
    ) -> NDArray[np.float32]:
        """The scores of n pairs; higher is nearer. A text passes the separate layers once for many of its pairs.

        Args:
            first: n texts, the queries.
            second: n texts, the candidates.
            batch_tokens: padded tokens of both sides in one pass.
            progress: show a bar.

        Returns:
            (n,) cosines by learned weights, divided by 0.05: about -20 to 20 before training.

        Raises:
            InputError: unequal numbers of texts, or a score that is NaN or infinite (the pair is named).
        """
        if len(first) != len(second):
            raise InputError(f"a scorer needs as many queries as candidates, got {len(first)} and {len(second)}")
        found = np.empty(len(first), dtype=np.float32)
        bar = tqdm(total=len(first), unit="pair", disable=not progress)
        with bar, torch.inference_mode(), evaluating(self.fusion), self.autocast():
            for start in range(0, len(first), CHUNK):
                here = slice(start, start + CHUNK)
                for rows, scores in self._chunk(first[here], second[here], batch_tokens):
                    found[start + rows] = scores.float().cpu().numpy()
                    bar.update(len(rows))
        bad = np.flatnonzero(~np.isfinite(found))
        if len(bad):
            raise InputError(f"the scorer gives NaN or infinity for {first[bad[0]][:60]!r}, {second[bad[0]][:60]!r}")
        return found

    def _chunk(self, first: Sequence[str], second: Sequence[str], budget: int) -> Any:
        """Rows of pairs and their scores, longest first."""
        texts = list(dict.fromkeys([*first, *second]))
        rows = self.encoder.tokenize(texts, max_tokens=self.max_tokens)
        lengths = np.array([len(row) for row in rows])
        kept: dict[str, Texts] = {}
        for batch in budget_batches(lengths, budget):
            made = self.states([texts[i] for i in batch])
            for place, i in enumerate(batch):
                kept[texts[i]] = Texts(*(part[place, : max(1, lengths[i])] for part in made))
        size = dict(zip(texts, lengths, strict=True))
        pairs = np.array([size[a] + size[b] for a, b in zip(first, second, strict=True)])
        for batch in budget_batches(pairs, budget):
            sides = (stacked([kept[side[i]] for i in batch]) for side in (first, second))
            yield batch, self.fusion(*sides)

    def autocast(self) -> torch.autocast:
        """In the block, products are in bfloat16 if the scorer's are."""
        return torch.autocast(self.encoder.device.type, torch.bfloat16, enabled=self.bf16)

    def identity(self) -> dict[str, Any]:
        """What decides a score: the encoder, and the fingerprint of what was learnt."""
        digest = hashlib.sha256(self.encoder.fingerprint().encode())
        for name, value in sorted(self.fusion.state_dict().items()):
            digest.update(name.encode() + value_bytes(value))
        return {
            "fingerprint": digest.hexdigest()[:32], "shape": asdict(self.fusion.shape), "max_tokens": self.max_tokens,
            "bf16": self.bf16,
        }  # fmt: skip


def stacked(texts: Sequence[Texts]) -> Texts:
    """Single texts, without padding, as one batch."""
    parts: list[list[Tensor]] = [list(part) for part in zip(*texts, strict=True)]
    return Texts(*(torch.nn.utils.rnn.pad_sequence(part, batch_first=True) for part in parts))


def save_scorer(scorer: Scorer, folder: Path | str, about: Mapping[str, Any]) -> None:
    """Write a scorer as a folder, whole or not at all.

    Args:
        scorer: trained.
        folder: an older scorer there is replaced.
        about: how it was trained, for the manifest.
    """
    manifest = {
        "format": FORMAT, "shape": asdict(scorer.fusion.shape), "max_tokens": scorer.max_tokens,
        "encoder": scorer.encoder.identity() | {"name": scorer.encoder.name}, **about,
    }  # fmt: skip
    with whole_folder(folder, kind=KIND, hashed=True) as new:
        save_file({k: v.cpu().contiguous() for k, v in scorer.fusion.state_dict().items()}, new / WEIGHTS)
        write_json(new / MANIFEST, manifest, sealed=True)


def load_scorer(
    folder: Path | str, model: Encoder | str | Path | None = None, *, device: str | None = None, bf16: bool = False
) -> Scorer:
    """Load what ``align head fusion`` wrote, with the encoder that it was trained on.

    Args:
        folder: of the scorer.
        model: the encoder, in memory or where it lies now; None: by the name that the manifest has.
        device: None means a GPU if there is one.
        bf16: compute in bfloat16 (autocast), the weights stay as they are.

    Raises:
        InputError: not such a folder, a file of it is missing or damaged, the encoder is another one (the fields that
            differ are named), or cannot be loaded.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} has no scorer: it has no {MANIFEST}; expected what align head fusion writes")
    manifest = read_json(path)
    if not (isinstance(manifest, dict) and manifest.keys() >= FIELDS and manifest["format"] == FORMAT):
        raise InputError(f"{path} is not the manifest of a scorer ({FORMAT})")
    weights = existing_file(folder / WEIGHTS)
    check_hashes(folder)
    stored = dict(manifest["encoder"])
    name = stored.pop("name", None)
    if isinstance(model, Encoder):
        encoder = model
    elif model is None and name is None:
        raise InputError(f"{path} names no encoder: give the model that the scorer was trained on")
    else:
        how = {key: value for key, value in stored["pooling"].items() if key in POOLED}
        encoder = load_encoder(
            model or name, prompt=stored["prompt"], max_tokens=stored["max_tokens"], device=device, **how
        )
    differ = differences(stored, encoder.identity(), "in the scorer", "now")
    if differ:
        raise InputError(f"{folder} has the scorer of another encoder: {differ}")
    fusion = Fusion(encoder, Shape(**manifest["shape"]))
    try:
        fusion.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"{weights} does not hold the weights of this scorer: {error}") from error
    return Scorer(encoder, fusion.to(encoder.device).eval(), manifest["max_tokens"], bf16, str(folder))


POOLED = ("layer", "kind", "special_tokens", "average_layers")
"""What ``load_encoder`` takes of a pooling."""

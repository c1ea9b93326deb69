"""Losses by step, as a run logs them; a checkpoint keeps them, so that those of a resumed run are whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from align.files.whole import read_json, write_json
from align.training.distributed import total, world

FILE = "history.json"
FEW, SAME = 5, 1e-6
"""Passes whose losses differ by a smaller share teach nothing: vectors that are all alike have such losses."""


class History:
    """Lines of metrics, and the terms of the steps since the last of them."""

    def __init__(self) -> None:
        self.lines: list[dict[str, float]] = []
        self._terms: dict[str, list[Tensor]] = {}

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Take the () terms of one forward pass."""
        for name, value in terms.items():
            self._terms.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        """Mean of each term since the last line, over all processes; the next ones count anew."""
        means = torch.stack([torch.stack(values).float().mean() for values in self._terms.values()])
        found = dict(zip(self._terms, (total(means) / world()[1]).tolist(), strict=True))
        self._terms.clear()
        return found

    def still(self) -> float | None:
        """The loss, if it was the same in all passes since the last line, five or more; else None."""
        losses = torch.stack(self._terms.get("loss", [torch.zeros(())])).float()
        least, most = losses.min().item(), losses.max().item()
        return most if len(losses) >= FEW and most - least <= SAME * max(abs(least), abs(most)) else None

    def save(self, folder: Path) -> None:
        """Keep the lines and the terms of every process in a checkpoint; all processes must call it."""
        local = {name: torch.stack(values).tolist() for name, values in self._terms.items()}
        terms: list[Any] = [local]
        if world()[1] > 1:
            terms = [None] * world()[1]
            dist.all_gather_object(terms, local)
        if world()[0] == 0:
            write_json(folder / FILE, {"lines": self.lines, "terms": terms})

    def load(self, folder: Path) -> None:
        """Go on from what a checkpoint keeps."""
        kept = read_json(folder / FILE)
        self.lines = kept["lines"]
        local = kept["terms"][world()[0]]
        self._terms = {name: [torch.tensor(value) for value in values] for name, values in local.items()}

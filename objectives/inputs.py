"""What an objective reads of a batch: this process's rows, or those of all processes, each matrix gathered once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

VECTORS = frozenset({"source", "target", "negatives", "rehearsal", "start", "teacher", "bank", "rehearsal_start"})
"""Matrices of which :meth:`Inputs.cut` takes prefixes."""


class Inputs:
    """The values of a batch by name; an objective that reads them knows no process.

    Args:
        given: what this process has: (B, D) matrices, (B,) numbers, and other values of its own.
        gather: gives the rows of all processes, in their order, from this one's, with gradients; as many from each.
        rank: of this process.
        block: rows of a similarity matrix held at once; None: chosen by size; 0: all.
        counts: of the values of which processes have unlike many rows, the rows of each process; ``gather`` is told.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        gather: Callable[..., Tensor] = lambda rows, counts=None: rows,
        rank: int = 0,
        block: int | None = None,
        counts: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.given, self.gather, self.rank, self.block = dict(given), gather, rank, block
        self.counts = counts or {}
        self._width: int | None = None
        self._gathered: dict[tuple[str, ...], Tensor] = {}

    def __contains__(self, name: str) -> bool:
        """Whether the batch has such values."""
        return name in self.given

    def own(self, name: str) -> Any:
        """The values of this process alone."""
        return self._cut(name, self.given[name])

    def all(self, *names: str) -> Tensor:
        """The rows of all processes; of several matrices, process by process, one matrix below the other."""
        if names not in self._gathered:
            parts = [self.given[name] for name in names]
            rows = torch.cat(parts) if len(parts) > 1 else parts[0]
            counts = self.counts.get(names[0])
            self._gathered[names] = self.gather(rows) if counts is None else self.gather(rows, counts)
        gathered: Tensor = self._cut(names[0], self._gathered[names])
        return gathered

    def rows(self, matrices: int = 1) -> slice:
        """Where in :meth:`all` of so many matrices the rows of this process are: its anchors."""
        size = matrices * len(self.given["groups"])
        return slice(self.rank * size, (self.rank + 1) * size)

    def cut(self, width: int) -> Inputs:
        """The same with the first ``width`` dimensions of the vectors alone; nothing is gathered anew."""
        prefixes = Inputs(self.given, gather=self.gather, rank=self.rank, block=self.block, counts=self.counts)
        prefixes._width, prefixes._gathered = width, self._gathered
        return prefixes

    def _cut(self, name: str, value: Any) -> Any:
        return value if self._width is None or name not in VECTORS else value[:, : self._width]

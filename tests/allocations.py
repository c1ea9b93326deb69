"""What a computation allocates, counted by operation: the largest tensor, and the most that lived at once."""

from __future__ import annotations

import weakref

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):
    """Counts tensors made inside ``with``; what existed before, and views of it, are not counted."""

    def __init__(self, *existing: Tensor) -> None:
        super().__init__()
        self.largest = 0
        """Numbers in the largest tensor made, a view's being its own."""
        self.peak = 0
        """Bytes alive at once, after the busiest operation."""
        self._before = {tensor.untyped_storage().data_ptr() for tensor in existing}
        self._made: list[weakref.ref[Tensor]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.numel())
                self._made.append(weakref.ref(tensor))
        alive = [tensor for tensor in (made() for made in self._made) if tensor is not None]
        self._made = [weakref.ref(tensor) for tensor in alive]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in alive}
        self.peak = max(self.peak, sum(size for place, size in storages.items() if place not in self._before))
        return out

"""The GPU half of ``faiss-gpu`` on the CPU, by its documented interface, with the limits that a GPU has."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import faiss
import numpy as np

FULL = "Error in void* allocMemory() at StandardGpuResources.cpp:5: Error: Failed to cudaMalloc: out of memory"


class Copy:
    """What ``index_cpu_to_gpu`` gives: no selectors, at most 2048 hits or lists."""

    def __init__(self, standing, index):
        self.standing, self.index = standing, faiss.clone_index(index)

    is_trained = property(lambda self: self.index.is_trained)
    ntotal = property(lambda self: self.index.ntotal)

    def train(self, x):
        self.standing.step("train")
        self.index.train(x)

    def add(self, x):
        self.standing.step("add")
        self.index.add(x)

    def search(self, x, k, *, params=None, D=None, I=None):  # noqa: E741
        self.standing.step("search")
        inner = params.index_params if isinstance(params, faiss.SearchParametersPreTransform) else params
        assert k <= 2048 and getattr(inner, "nprobe", 1) <= 2048 and getattr(inner, "sel", None) is None
        return self.index.search(x, k, params=params)


class StandIn(ModuleType):
    """The module ``faiss`` with two GPUs; ``steps`` has what was done on them, ``full`` what there is no memory for."""

    def __init__(self, gpus=2):
        super().__init__("faiss")
        self.__spec__ = faiss.__spec__
        self.gpus, self.steps, self.full = gpus, [], set()

    def __getattr__(self, name):
        return getattr(faiss, name)

    def step(self, name):
        self.steps.append(name)
        if name in self.full:
            raise RuntimeError(FULL)

    def get_num_gpus(self):
        self.steps.append("count")
        return self.gpus

    class StandardGpuResources:
        pass

    def GpuClonerOptions(self):
        return SimpleNamespace(useFloat16=False)

    def index_cpu_to_gpu(self, provider, device, index, options=None):
        assert isinstance(provider, self.StandardGpuResources) and 0 <= device < self.gpus
        self.step(f"copy {device}{' float16' if options.useFloat16 else ''}")
        return Copy(self, index)

    def index_gpu_to_cpu(self, index):
        self.step("back")
        return index.index

    def knn_gpu(self, res, xq, xb, k, D=None, I=None, metric=faiss.METRIC_L2, device=-1, use_cuvs=False):  # noqa: E741
        """Of equal scores the last row comes first: which it is, FAISS does not say."""
        assert isinstance(res, self.StandardGpuResources) and 0 <= device < self.gpus and k <= min(2048, len(xb))
        assert xq.flags.c_contiguous and xb.flags.c_contiguous and xq.dtype == xb.dtype == np.float32
        assert metric == faiss.METRIC_INNER_PRODUCT
        self.step("knn")
        scores = xq @ xb.T
        rows = len(xb) - 1 - np.argsort(-scores[:, ::-1], axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, rows, axis=1), rows

"""Which fast paths are taken on this machine, and why the others are not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple

import torch

from align.encoders.device import computes_bfloat16, own_device
from align.encoders.exported_graph import NEEDED, has_bf16
from align.encoders.packing import kernel_for
from align.errors import InputError
from align.indexes.faiss_gpu import find_gpu
from align.indexes.faiss_module import import_faiss
from align.text.romanize.registry import romanizers


class FastPath(NamedTuple):
    """Something that is done sooner if this machine allows it."""

    name: str
    taken: bool
    says: str
    """How it is done; of what is not taken also why."""


def fast_paths() -> list[FastPath]:
    """All of them."""
    return [one() for one in (_device, _attention, _half, _compiled, _search, _romaniser, _openvino, _onnx, _processes)]


def _device() -> FastPath:
    device = own_device()
    if device.type == "cuda":
        name, count = torch.cuda.get_device_name(device), torch.cuda.device_count()
        return FastPath("device", True, f"{device} of {count}: {name}")
    why = "torch has no CUDA" if torch.version.cuda is None else "torch sees no GPU"
    return FastPath("device", False, f"cpu with {torch.get_num_threads()} of {os.cpu_count()} threads: {why}")


def _attention() -> FastPath:
    device = own_device()
    kernels = {kernel_for(device, dtype, 0.0) for dtype in (torch.float32, torch.bfloat16)}
    says = f"packed ({', '.join(sorted(kernels))}), where the model allows it"
    if kernels == {"masked"}:
        return FastPath("attention", False, f"{says}: neither flash-attn nor torch.nn.attention.varlen is installed")
    return FastPath("attention", True, says)


def _half() -> FastPath:
    device = own_device()
    has = computes_bfloat16(device)
    return FastPath("bf16", has, "by choice" if has else f"slow if asked for: this {device.type} has no bfloat16")


def _compiled() -> FastPath:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++") or shutil.which("cl")
    if own_device().type == "cuda" and find_spec("triton") is None:
        return FastPath("train.compile", False, "triton is not installed")
    if not compiler:
        return FastPath("train.compile", False, "there is no C++ compiler")
    return FastPath("train.compile", True, f"by choice, with {compiler}")


def _search() -> FastPath:
    try:
        import_faiss()
    except InputError as error:
        return FastPath("search", False, f"exact, block by block: {error}")
    wheel = next((f"{name} {found}" for name in ("faiss-cpu", "faiss-gpu") if (found := _version(name))), "faiss")
    place = "on the CPU" if find_gpu() is None else "on the GPU"
    return FastPath("search", True, f"{wheel}, {place}; without --factory exact")


def _romaniser() -> FastPath:
    try:
        return FastPath("romaniser", True, f"--backend fast: {romanizers()['fast'].version()}")
    except InputError as error:
        return FastPath("romaniser", False, str(error))


def _openvino() -> FastPath:
    return _backend("openvino", lambda: f"{'with' if has_bf16('openvino') else 'without'} bfloat16")


def _onnx() -> FastPath:
    return _backend("onnx", lambda: "in float32")


def _backend(name: str, says: Callable[[], str]) -> FastPath:
    missing = [module for module in NEEDED[name] if find_spec(module) is None]
    if missing:
        why = f"{', '.join(missing)} not installed: pip install 'align-encoders[{name}]'"
        return FastPath(f"--backend {name}", False, why)
    return FastPath(f"--backend {name}", True, f"by choice, on the CPU, {says()}")


def _processes() -> FastPath:
    if not torch.distributed.is_available():
        return FastPath("processes", False, "torch was built without torch.distributed: a run has one process")
    names = [name for name in ("nccl", "gloo") if getattr(torch.distributed, f"is_{name}_available")()]
    return FastPath("processes", bool(names), f"{' and '.join(names) or 'no backend'}; torchrun starts several")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""

"""How time and memory of the contrastive and masked-LM losses grow, beside sentence-transformers' on the same vectors.

    python scripts/bench_loss.py --most 8192 --out loss.json
    python scripts/bench_loss.py --device cuda --dimension 768

Forward and backward, float32, temperature 0.05, pairs at a cosine of about 0.2. Each number comes from a fresh process,
after a call on 8 pairs. CPU: "s" is the process's CPU time (one thread unless --threads says otherwise), "MB" the
highest resident memory of the first call above what the process held before it, inputs not counted, gradients
counted. CUDA: "s" is wall time, "MB" the same by torch's allocator. Losses that hold the whole matrix are left out
where that would take more than --gigabytes, and any where the last size says it would take longer than --seconds.
"value" and "gradient" are differences from ours, relative to the value and to the gradient's largest entry: the script
fails above 1e-5 (float32 sums of tens of thousands of terms in another order).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import ran
from torch import Tensor

from align.files.whole import write_json

TEMPERATURE = 0.05
BOTH = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
CONTRASTS = {  # name -> whether it is symmetric, whether it holds the whole matrix
    "ours": (False, False),
    "ours, plain": (False, True),
    "MultipleNegativesRankingLoss": (False, True),
    "CachedMultipleNegativesRankingLoss": (False, False),
    "ours, symmetric": (True, False),
    "ours, symmetric, plain": (True, True),
    "MultipleNegativesRankingLoss, symmetric": (True, True),
    "CachedMultipleNegativesRankingLoss, symmetric": (True, False),
}
HEADS = ("ours", "plain", "ours, frozen", "plain, frozen")
COPIES = 5  # of the matrix in losses that hold it, about
TOLERANCE = 1e-5
Step = Callable[..., Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--least", type=int, default=256, help="pairs of the first row (default 256)")
    parser.add_argument("--most", type=int, default=65536, help="pairs of the last row (default 65536)")
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--vocabulary", type=int, nargs="*", default=[30_000, 250_000])
    parser.add_argument("--positions", type=int, default=512, help="masked positions (default 512)")
    parser.add_argument("--block", type=int, help="rows of ours (default: chosen by size)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--own", action="store_true", help="leave out what is not ours, and what holds the matrix")
    parser.add_argument("--out", type=Path, help="write all numbers as JSON")
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)  # how the script calls itself: kind, name, size
    parser.add_argument("--keep", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        json.dump(run_row(arguments), sys.stdout)
        return
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU, {arguments.threads} thread(s)"
    setting = f"torch {torch.__version__}, {device}, d = {arguments.dimension}"
    rows = contrasts(arguments, setting) + heads(arguments, setting)
    if arguments.out:
        write_json(arguments.out, {"setting": setting, "rows": rows} | ran(arguments.threads))
    if any(row["value"] > TOLERANCE or row["gradient"] > TOLERANCE for row in rows):
        sys.exit("the losses differ")


def contrasts(arguments: argparse.Namespace, setting: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    late: dict[str, float] = {}
    size = arguments.least
    while size <= arguments.most:
        print(f"\n{size} pairs; {setting}\n{'':46}{header()}")
        for symmetric in (False, True):
            whole = COPIES * 4 * size**2 > arguments.gigabytes * 1e9
            names = [
                name
                for name, (both, matrix) in CONTRASTS.items()
                if both == symmetric
                and not (matrix and whole)
                and not 4 * late.get(name, 0) > arguments.seconds
                and not (arguments.own and (matrix or not name.startswith("ours")))
            ]
            done = compare(arguments, "contrast", names, size)
            late |= {row["name"]: row["s"] for row in done}
            rows += done
        size *= 2
    return rows


def heads(arguments: argparse.Namespace, setting: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for size in arguments.vocabulary:
        print(f"\nvocabulary of {size}, {arguments.positions} positions; {setting}\n{'':46}{header()}")
        for names in (HEADS[:2], HEADS[2:]):
            rows += compare(arguments, "head", names, size)
    return rows


def header() -> str:
    return f"{'s':>10}{'MB':>9}{'s/ours':>9}{'MB/ours':>9}{'value':>10}{'gradient':>10}"


def compare(arguments: argparse.Namespace, kind: str, names: Any, size: int) -> list[dict[str, Any]]:
    """One process a name; the first is ours, which the others are compared with."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        first: list[np.ndarray] = []
        for name in names:
            command = [sys.executable, __file__, "--row", kind, name, str(size), "--keep", folder]
            for option in ("dimension", "positions", "device", "threads", "block"):
                if getattr(arguments, option) is not None:
                    command += [f"--{option}", str(getattr(arguments, option))]
            row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            gradients = [np.load(path) for path in sorted(Path(folder).glob("*.npy"))]
            first = first or gradients
            worst = max(
                float(np.abs(mine - its).max() / np.abs(its).max()) for mine, its in zip(gradients, first, strict=True)
            )
            loss, ours = row.pop("loss"), rows[0] if rows else None
            row = {"kind": kind, "name": name, "size": size, **row, "loss": loss, "gradient": worst}
            row["value"] = abs(loss / ours["loss"] - 1) if ours else 0.0
            ours = ours or row
            rows.append(row)
            print(f"{name:46}{row['s']:10.4f}{row['MB']:9.1f}{row['s'] / ours['s']:8.2f}x", end="")
            print(f"{row['MB'] / ours['MB']:8.2f}x{row['value']:10.1e}{worst:10.1e}", flush=True)
    return rows


def run_row(arguments: argparse.Namespace) -> dict[str, float]:
    torch.set_num_threads(arguments.threads)
    kind, name, size = arguments.row[0], arguments.row[1], int(arguments.row[2])
    device, cuda = arguments.device, arguments.device == "cuda"
    if kind == "contrast":
        step = contrast(name, arguments.block)
        small, inputs = pairs(8, arguments.dimension, device), pairs(size, arguments.dimension, device)
    else:
        step = head(name)
        small = states(8, 100, arguments.dimension, device)
        inputs = states(arguments.positions, size, arguments.dimension, device)
        if "frozen" in name:
            small[1].requires_grad_(False)
            inputs[1].requires_grad_(False)
    step(*small)
    before = reset_peak(cuda)
    times, value = [], torch.zeros(())
    while not times or (sum(times) < 3 and len(times) < 10):
        for tensor in inputs:
            tensor.grad = None
        if cuda:
            torch.cuda.synchronize()
        start = time.perf_counter() if cuda else time.process_time()
        value = step(*inputs)
        if cuda:
            torch.cuda.synchronize()
        times.append((time.perf_counter() if cuda else time.process_time()) - start)
        if len(times) == 1:
            megabytes = peak(cuda) - before
    for number, tensor in enumerate(inputs):
        if tensor.grad is not None:
            np.save(arguments.keep / f"{number}.npy", tensor.grad.cpu().numpy())
    return {"s": statistics.median(times), "MB": megabytes, "loss": value.item()}


def pairs(size: int, dimension: int, device: str) -> list[Tensor]:
    """(B, D) twice: pairs at a cosine of about 0.2, others at about 0."""
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(size, dimension, generator=generator)
    sides = [shared + 2 * torch.randn(size, dimension, generator=generator) for _ in range(2)]
    return [side.to(device).requires_grad_() for side in sides]


def states(positions: int, vocabulary: int, dimension: int, device: str) -> list[Tensor]:
    """(P, D) states and (V, D) embeddings and a (V,) bias, as of an encoder at its start."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((positions, dimension), (vocabulary, dimension), (vocabulary,))
    scales = (1.0, 0.05, 0.05)
    made = [scale * torch.randn(shape, generator=generator) for shape, scale in zip(shapes, scales, strict=True)]
    return [tensor.to(device).requires_grad_() for tensor in made]


def contrast(name: str, block: int | None) -> Step:
    """A function of two (B, D) matrices that runs forward and backward and returns the loss."""
    from align.objectives import info_nce

    symmetric = CONTRASTS[name][0]
    if name.startswith("ours"):
        rows = 0 if "plain" in name else block

        def ours(source: Tensor, target: Tensor) -> Tensor:
            loss = info_nce(source, target, temperature=TEMPERATURE, symmetric=symmetric, block=rows)
            loss.backward()
            return loss.detach()

        return ours
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import losses

    # the losses read embeddings only; a model that is never called satisfies their constructors
    model = SentenceTransformer(modules=[torch.nn.Identity()], device="cpu")
    options: dict[str, Any] = {"scale": 1 / TEMPERATURE} | (BOTH if symmetric else {})
    peer = getattr(losses, name.partition(",")[0])(model, **options)

    def theirs(source: Tensor, target: Tensor) -> Tensor:
        if name.startswith("Cached"):  # the stage between its two passes through the encoder
            return torch.as_tensor(peer.calculate_loss([[source], [target]], with_backward=True)).detach()
        loss = peer.compute_loss_from_embeddings([source, target], None)
        loss.backward()
        return loss.detach()

    return theirs


def head(name: str) -> Step:
    """A function of states, embeddings and bias that runs forward and backward and returns the mean loss."""
    from torch.nn.functional import cross_entropy, linear

    from align.objectives.vocabulary import linear_cross_entropy

    def run(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        truth = torch.arange(len(states), device=states.device) * 7919 % len(weight)
        if name.startswith("ours"):
            loss = linear_cross_entropy(states, weight, bias, truth) / len(states)
        else:
            loss = cross_entropy(linear(states, weight, bias), truth)
        loss.backward()
        return loss.detach()

    return run


def reset_peak(cuda: bool) -> float:
    """Let the peak count from now; returns MB held now."""
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 1e6
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return resident("VmRSS")


def peak(cuda: bool) -> float:
    return torch.cuda.max_memory_allocated() / 1e6 if cuda else resident("VmHWM")


def resident(field: str) -> float:
    """Of this process, in MB; VmHWM is the most it held since the reset (getrusage's would be the parent's too)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()

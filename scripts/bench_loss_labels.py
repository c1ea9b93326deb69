"""Time and memory of the objectives over labels, beside pytorch-metric-learning's on the same vectors.

    python -m pip install pytorch-metric-learning==2.9.0
    python scripts/bench_loss_labels.py --pairs 256

256 pairs are 512 vectors of 768 dimensions, in a cone as an encoder's are; the pairs draw their concept from four times
as many, so that some labels repeat. Each row is a fresh process with one thread: forward and backward. "MB" is the
highest resident memory above what the process held after its imports and a first call on 8 pairs, at the first call of
full size; "ms" the processor time of a call, the median of those after it. Ratios are of the peer to ours. "value" and
"gradient" are relative differences of the two (the gradient's: of the largest entry); the script fails above 1e-4.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROWS = {
    "label_nt_xent": {"temperature": 0.07},
    "supcon": {"temperature": 0.07},
    "multi_similarity, triplet": {"margin": 0.2, "miner": "triplet"},
    "multi_similarity, its own miner": {"margin": 0.1, "miner": "multi_similarity"},
}
Loss = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--calls", type=int, default=3, help="timed calls (default 3)")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)  # how the script calls itself
    arguments = parser.parse_args()
    if arguments.row:
        json.dump(run_row(*arguments.row, arguments.pairs, arguments.calls), sys.stdout)
    else:
        compare(arguments.pairs, arguments.calls)


def compare(pairs: int, calls: int) -> None:
    labels = batch(pairs)[1]
    same = int((labels[:, None] == labels).sum()) - len(labels)
    hardware = f"torch {torch.__version__}, one CPU thread"
    print(f"{hardware}; {pairs} pairs, {len(labels)} vectors, {len(labels.unique())} labels, {same} positive pairs")
    print(f"{'':33}{'ours MB':>9}{'peer MB':>9}{'ratio':>8}{'ours ms':>9}{'peer ms':>9}{'ratio':>7}", end="")
    print(f"{'value':>10}{'gradient':>10}")
    for name in ROWS:
        done = {}
        for side in ("ours", "peer"):
            command = [sys.executable, __file__, "--row", side, name, "--pairs", str(pairs), "--calls", str(calls)]
            done[side] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        ours, peer = done["ours"], done["peer"]
        gradients = [torch.tensor(side["gradient"]) for side in (ours, peer)]
        difference = ((gradients[0] - gradients[1]).abs().max() / gradients[1].abs().max()).item()
        error = abs(ours["value"] / peer["value"] - 1)
        print(f"{name:33}{ours['MB']:9.1f}{peer['MB']:9.1f}{peer['MB'] / ours['MB']:7.0f}x", end="")
        print(f"{ours['ms']:9.1f}{peer['ms']:9.1f}{peer['ms'] / ours['ms']:6.1f}x", end="")
        print(f"{error:10.1e}{difference:10.1e}", flush=True)
        if not max(error, difference) < 1e-4:
            sys.exit(f"{name}: the two differ")


def batch(pairs: int) -> tuple[Tensor, Tensor]:
    """(2 x pairs, 768) vectors and their labels; cosines of about 0.83 within a label, and 0.67 between two."""
    generator = torch.Generator().manual_seed(0)
    concepts = torch.randint(4 * pairs, (pairs,), generator=generator)
    shared = 2 * torch.randn(768, generator=generator) + torch.randn(4 * pairs, 768, generator=generator)[concepts]
    sides = [shared + torch.randn(pairs, 768, generator=generator) for _ in range(2)]
    return torch.cat(sides), torch.cat([concepts, concepts])


def run_row(side: str, name: str, pairs: int, calls: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    loss = ours(name) if side == "ours" else peer(name)
    step(loss, *batch(8))
    vectors, labels = batch(pairs)
    before = reset_peak()
    value, gradient = step(loss, vectors, labels)
    megabytes = (memory("VmHWM") - before) / 1024
    times = []
    for _ in range(calls):
        start = time.process_time()
        step(loss, vectors, labels)
        times.append(1000 * (time.process_time() - start))
    return {"MB": megabytes, "ms": statistics.median(times), "value": value, "gradient": gradient.tolist()}


def step(loss: Loss, vectors: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    vectors = vectors.clone().requires_grad_()
    value = loss(vectors, labels)
    value.backward()
    assert vectors.grad is not None
    return value.item(), vectors.grad


def ours(name: str) -> Loss:
    from align.objectives.registry import objective

    function, options = objective(name.partition(",")[0]).function, ROWS[name]
    return lambda vectors, labels: function(vectors, labels, **options)


def peer(name: str) -> Loss:
    from pytorch_metric_learning import losses, miners

    if name == "label_nt_xent":
        return losses.NTXentLoss(**ROWS[name])
    if name == "supcon":
        return losses.SupConLoss(**ROWS[name])
    loss, margin = losses.MultiSimilarityLoss(alpha=1, beta=60, base=0.5), ROWS[name]["margin"]
    kind = miners.TripletMarginMiner if ROWS[name]["miner"] == "triplet" else miners.MultiSimilarityMiner
    miner = kind(margin)
    return lambda vectors, labels: loss(vectors, labels, miner(vectors, labels))


def memory(field: str) -> int:
    """Of this process, in kB; VmHWM is the most it ever held (getrusage's would be the parent's after a fork)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def reset_peak() -> int:
    """Let VmHWM count from now; returns kB held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return memory("VmRSS")


if __name__ == "__main__":
    main()

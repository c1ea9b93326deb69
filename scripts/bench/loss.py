"""How time and memory of losses grow, beside sentence-transformers' and pytorch-metric-learning's on the same vectors.

    python -m scripts.bench.loss --most 8192 --out loss.json
    python -m scripts.bench.loss --labels 256         # needs: pip install pytorch-metric-learning==2.9.0

Forward and backward, float32. The contrastive losses: temperature 0.05, pairs at a cosine of about 0.2. Each number
comes from a fresh process, after a call on 8 pairs: "s" is its CPU time, "MB" the highest resident memory of the first
call above what the process held before it, inputs not counted, gradients counted. Losses that hold the whole matrix are
left out where that would take more than --gigabytes, and any where the last size says it would take longer than
--seconds. "value" and "gradient" are differences from ours, relative to the value and to the gradient's largest entry:
the script fails above 1e-5 (float32 sums of tens of thousands of terms in another order).

``--labels N``: instead, objectives over labels. N pairs are 2 N vectors of 768 dimensions, in a cone as an encoder's
are; the pairs draw their concept from four times as many, so that some labels repeat. The script fails above 1e-4.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from align.objectives import info_nce
from align.objectives.registry import objective
from align.objectives.vocabulary import linear_cross_entropy
from scripts.bench.harness import Row, added, apart, command_line, reset_peak

TEMPERATURE = 0.05
BOTH = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
NAMES = ("ours", "ours, plain", "MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss")
WHOLE = ("ours, plain", "MultipleNegativesRankingLoss")  # they hold the whole matrix
HEADS = ("ours", "plain", "ours, frozen", "plain, frozen")
LABELLED = {
    "label_nt_xent": {"temperature": 0.07}, "supcon": {"temperature": 0.07},
    "multi_similarity, triplet": {"margin": 0.2, "miner": "triplet"},
    "multi_similarity, its own miner": {"margin": 0.1, "miner": "multi_similarity"},
}  # fmt: skip
COPIES = 5  # of the matrix in losses that hold it, about
Step = Callable[..., Tensor]


def loss(
    *, least: int = 256, most: int = 65536, dimension: int = 384, vocabulary: Sequence[int] = (30_000, 250_000),
    positions: int = 512, gigabytes: float = 6, seconds: float = 300, own: bool = False, labels: int = 0,
) -> Row:  # fmt: skip
    setting = f"torch {torch.__version__}, CPU, {torch.get_num_threads()} thread(s), d = {dimension}"
    rows: list[Row] = []
    if labels:
        for name in LABELLED:
            rows += beside([("label", f"{side}, {name}", labels, 768, 2 * labels) for side in ("ours", "peer")], 1e-4)
        return {"setting": setting, "rows": rows}
    late: dict[str, float] = {}
    size = least
    while size <= most:
        whole = COPIES * 4 * size**2 > gigabytes * 1e9
        kept = [name for name in NAMES if not (name in WHOLE and (whole or own)) and (name in NAMES[:2] or not own)]
        for symmetric in ("", ", symmetric"):
            names = [f"{name}{symmetric}".replace(", plain, symmetric", ", symmetric, plain") for name in kept]
            names = [name for name in names if 4 * late.get(name, 0) <= seconds]
            done = beside([("contrast", name, size, dimension, positions) for name in names])
            late |= {row["name"]: row["s"] for row in done}
            rows += done
        size *= 2
    for size in vocabulary:
        for names in (HEADS[:2], HEADS[2:]):
            rows += beside([("head", name, size, dimension, positions) for name in names])
    return {"setting": setting, "rows": rows}


def beside(asked: Sequence[tuple[str, str, int, int, int]], tolerance: float = 1e-5) -> list[Row]:
    """One process a loss; the first is ours, which the others are compared with."""
    rows: list[Row] = []
    first: list[np.ndarray] = []
    if not asked:
        return rows
    for one in asked:
        row, gradients = apart(measure, *one)
        first, ours = first or gradients, rows[0] if rows else row
        worst = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(gradients, first, strict=True))
        rows.append({"kind": one[0], "name": one[1], "size": one[2], **row, "gradient": worst})
        rows[-1]["value"] = abs(row["loss"] / ours["loss"] - 1)
        if max(worst, rows[-1]["value"]) > tolerance:
            sys.exit(f"the losses differ: {rows[-1]}")
        print(rows[-1], flush=True)
    return rows


def measure(kind: str, name: str, size: int, dimension: int, positions: int) -> tuple[Row, list[np.ndarray]]:
    """Seconds, MB and value of one loss, and its gradients."""
    if kind == "contrast":
        step, small, inputs = contrast(name), pairs(8, dimension), pairs(size, dimension)
    elif kind == "label":
        step, small, inputs = labelled(name), labels(8), labels(size)
    else:
        step, small, inputs = head(name), states(8, 100, dimension), states(positions, size, dimension)
    if "frozen" in name:
        small[1].requires_grad_(False)
        inputs[1].requires_grad_(False)
    step(*small)
    before, times = reset_peak(), list[float]()
    while not times or (sum(times) < 3 and len(times) < 10):
        for tensor in inputs:
            tensor.grad = None
        start = time.process_time()
        value = step(*inputs)
        times.append(time.process_time() - start)
        if len(times) == 1:
            megabytes = (added(before) or 0) * 2**20 / 1e6
    gradients = [tensor.grad.numpy() for tensor in inputs if tensor.grad is not None]
    return {"s": statistics.median(times), "MB": megabytes, "loss": value.item()}, gradients


def pairs(size: int, dimension: int, device: str = "cpu") -> list[Tensor]:
    """(B, D) twice: pairs at a cosine of about 0.2, others at about 0."""
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(size, dimension, generator=generator)
    sides = [shared + 2 * torch.randn(size, dimension, generator=generator) for _ in range(2)]
    return [side.to(device).requires_grad_() for side in sides]


def states(positions: int, vocabulary: int, dimension: int) -> list[Tensor]:
    """(P, D) states and (V, D) embeddings and a (V,) bias, as of an encoder at its start."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((positions, dimension), (vocabulary, dimension), (vocabulary,))
    scales = (1.0, 0.05, 0.05)
    made = [scale * torch.randn(shape, generator=generator) for shape, scale in zip(shapes, scales, strict=True)]
    return [tensor.requires_grad_() for tensor in made]


def labels(size: int) -> list[Tensor]:
    """(2 B, 768) vectors and their labels; cosines of about 0.83 within a label, and 0.67 between two."""
    generator = torch.Generator().manual_seed(0)
    concepts = torch.randint(4 * size, (size,), generator=generator)
    shared = 2 * torch.randn(768, generator=generator) + torch.randn(4 * size, 768, generator=generator)[concepts]
    sides = [shared + torch.randn(size, 768, generator=generator) for _ in range(2)]
    return [torch.cat(sides).requires_grad_(), torch.cat([concepts, concepts])]


def contrast(name: str) -> Step:
    """A function of two (B, D) matrices that runs forward and backward and returns the loss."""
    symmetric, block = "symmetric" in name, 0 if "plain" in name else None
    if name.startswith("ours"):
        return backward(lambda x, y: info_nce(x, y, temperature=TEMPERATURE, symmetric=symmetric, block=block))
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import losses

    # the losses read embeddings only; a model that is never called satisfies their constructors
    model = SentenceTransformer(modules=[torch.nn.Identity()], device="cpu")
    peer = getattr(losses, name.partition(",")[0])(model, scale=1 / TEMPERATURE, **(BOTH if symmetric else {}))
    if name.startswith("Cached"):  # the stage between its two passes through the encoder
        return lambda x, y: torch.as_tensor(peer.calculate_loss([[x], [y]], with_backward=True)).detach()
    return backward(lambda x, y: peer.compute_loss_from_embeddings([x, y], None))


def backward(forward: Step) -> Step:
    """The loss of a function, once its gradients are there."""

    def step(*inputs: Tensor) -> Tensor:
        value = forward(*inputs)
        value.backward()
        return value.detach()

    return step


def head(name: str) -> Step:
    """A function of states, embeddings and bias that runs forward and backward and returns the mean loss."""

    def run(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        truth = torch.arange(len(states)) * 7919 % len(weight)
        if name.startswith("ours"):
            return linear_cross_entropy(states, weight, bias, truth) / len(states)
        return cross_entropy(linear(states, weight, bias), truth)

    return backward(run)


def labelled(name: str) -> Step:
    """A function of vectors and labels, of ours or of pytorch-metric-learning."""
    side, _, name = name.partition(", ")
    options, name = LABELLED[name], name.partition(",")[0]
    if side == "ours":
        function = objective(name).function
        return backward(lambda vectors, labels: function(vectors, labels, **options))
    from pytorch_metric_learning import losses, miners

    if name != "multi_similarity":
        return backward({"label_nt_xent": losses.NTXentLoss, "supcon": losses.SupConLoss}[name](**options))
    kind = miners.TripletMarginMiner if options["miner"] == "triplet" else miners.MultiSimilarityMiner
    peer, miner = losses.MultiSimilarityLoss(alpha=1, beta=60, base=0.5), kind(options["margin"])
    return backward(lambda vectors, labels: peer(vectors, labels, miner(vectors, labels)))


if __name__ == "__main__":
    command_line(loss)

"""Training on one GPU beside sentence-transformers, setting by setting. scripts/bench/gpu.sh says how to run it.

``ladder``: pairs a second at a mean of 32, 64 and 128 tokens a text, of lengths as verses have them, scaled. Each row
adds one setting to the row above. All run ``align.train``, with AdamW and dropout (attention's is 0 in the model's
configuration, for both sides): a BERT-base body with random weights, on real text. The peer is sentence-transformers in
bfloat16 with torch's SDPA. Timed are the steps of one pool of the sampler, after one pool that warms up. MFU:
3 x (2 P s + 4 L h s^2) FLOP for a text of s tokens (P: weights of the blocks), padding not counted, over the best
bfloat16 matrix product of this GPU in this run. ``caching``: gradient caching at large batches. ``loss``: the
contrastive loss alone, forward and backward. Memory is torch's peak, weights included. What does not fit the memory or
the time says so.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from align.files.whole import read_lines
from align.training.sampling import POOL
from scripts.bench.harness import PEER, Row, command_line
from scripts.bench.loss import contrast
from scripts.bench.loss import pairs as vectors
from scripts.bench.texts import Pairs
from scripts.bench.timed import model_folder, train_ours, train_peer

PADDED, PLAIN, HALF = {"attention": "padded", "loss": "plain"}, {"loss": "plain"}, {"bf16": True}
LADDER: dict[str, Row] = {
    "float32, random batches, padded, two forwards": PADDED | {"random": True, "halves": True},
    "bfloat16": PADDED | HALF | {"random": True, "halves": True},
    "sorted by length": PADDED | HALF | {"halves": True},
    "packed": PLAIN | HALF | {"halves": True},
    "one forward": PLAIN | HALF,
    "compiled": PLAIN | HALF | {"compile": True},
    "streaming loss": HALF | {"compile": True},
}
LOSSES = ("ours", "MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss", "ours, plain")
TOKENS = 8192  # of each side of a batch: 256 pairs at 32 tokens, 64 at 128
TOY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}


def gpu(*, device: str = "cuda", toy: bool = False, seconds: float = 500) -> Row | None:
    if device == "cuda" and not torch.cuda.is_available():
        print("bench.gpu needs a CUDA GPU, and torch finds none here; --device cpu --toy tries it without one")
        return None
    start = time.perf_counter()
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    result: Row = {"device": name, "peer": "its Trainer", "peak": matrix_peak(device, 256 if toy else 8192)}
    result |= {"ladder": [], "caching": [], "loss": []}

    def keep(part: str, about: Row, work: Callable[[], Row]) -> Row:
        """Add what a work gives, or why it gives nothing."""
        row: Row = {"missing": "out of time"}
        if time.perf_counter() - start < seconds:
            try:
                row = work()
            except torch.OutOfMemoryError:
                row = {"missing": "out of memory"}
        gc.collect()
        torch.cuda.empty_cache()
        if "wall" in row and part != "loss":
            row["pairs_per_second"] = about["batch"] / row["wall"]
        result[part].append(about | row)
        print(part, {key: value for key, value in result[part][-1].items() if key != "losses"}, flush=True)
        return result[part][-1]

    size, width = (64, 16) if toy else (65536, 768)
    inputs = vectors(size, width, device)
    for name in LOSSES:
        keep("loss", {"name": name, "batch": size, "dimension": width}, partial(loss, name, inputs))
    with tempfile.TemporaryDirectory() as folder:
        place = model(Path(folder) / "model", TOY if toy else BASE)
        for mean in (8,) if toy else (128, 32, 64):  # the most telling first, should the time end
            run = partial(texts, place, mean, verses=20 if toy else None)
            train = {"device": device, "max_tokens": min(512, 4 * mean)}
            workers = {"workers": 0 if toy else 4}
            batch, pool = (4, 1) if toy else (TOKENS // mean, POOL)
            pairs, flop, tokens = run(2 * pool * batch)
            about = {"mean": mean, "batch": batch, "tokens": tokens / len(pairs)}
            steps = {"batch": batch, "steps": 2 * pool, "skip": pool}
            works = {f"{PEER}, bfloat16": partial(train_peer, place, pairs, **steps, **train, **workers, bf16=True)}
            for name, settings in LADDER.items():
                settings = settings | ({"compile": False} if toy else {})
                works[name] = partial(train_ours, place, pairs, **steps, **train, **settings)
            for name, work in works.items():
                row = keep("ladder", about | {"name": name}, work)
                if "wall" in row:
                    row["mfu"] = flop / len(pairs) * row["pairs_per_second"] / result["peak"]
            for size in ((8,) if toy else (1024, 4096, 16384)) if mean in (8, 64) else ():
                pairs, _, _ = run(3 * size)
                micro, few = (64, 8) if toy else (16384, 64)
                common = train | {"batch": size, "steps": 3, "skip": 1, "bf16": True}
                ours = partial(train_ours, place, pairs, **common)
                peer = partial(train_peer, place, pairs, **common, **workers)
                works = {"align, all at once": ours, f"{PEER}, all at once": peer} if size < 4096 else {}
                works[f"align, micro-batches of {micro} tokens"] = partial(ours, micro_tokens=micro)
                cached = {"mini_batch_size": few}
                works[f"{PEER}, cached, mini-batches of {few} texts"] = partial(peer, cached=cached)
                for name, work in works.items():
                    keep("caching", {"mean": mean, "batch": size, "name": name}, work)
    return result


def loss(name: str, inputs: list[torch.Tensor]) -> Row:
    """Seconds and MiB beyond the inputs of one loss, forward and backward."""
    step, cuda = contrast(name), inputs[0].is_cuda
    times = []
    for _ in range(3):
        for tensor in inputs:
            tensor.grad = None
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        before, start = torch.cuda.memory_allocated() if cuda else 0, time.perf_counter()
        value = step(*inputs).item()  # waits for the device
        times.append(time.perf_counter() - start)
    memory = (torch.cuda.max_memory_allocated() - before) / 2**20 if cuda else None
    return {"wall": min(times), "memory": memory, "value": value}


def texts(place: str, mean: int, count: int, *, verses: int | None) -> tuple[Pairs, float, int]:
    """So many pairs of real text, FLOP to train on them once, and their tokens.

    A text is what follows a verse's beginning, as long as the verse, scaled to the mean; the second is English, and no
    translation of the first, which costs the same.
    """
    tokenizer, rng = AutoTokenizer.from_pretrained(place), np.random.default_rng(0)
    folder = Path(str(files("align") / "data" / "demo" / "train"))
    sides, lengths = [], []
    for paths in (sorted(set(folder.iterdir()) - {folder / "eng_Latn.txt.gz"}), [folder / "eng_Latn.txt.gz"]):
        lines = [line for path in paths for line in [*read_lines(path)][:verses]]
        rows = [row for row in tokenizer(lines, add_special_tokens=False)["input_ids"] if row]
        sizes = np.array([len(row) for row in rows])
        chosen = rng.integers(len(rows), size=count)
        running, starts = np.concatenate(rows * 2), np.cumsum(sizes) - sizes
        wanted = np.clip(np.round(sizes[chosen] * mean / sizes.mean()) - 2, 1, min(512, 4 * mean) - 2).astype(int)
        sides.append(tokenizer.batch_decode([running[starts[i] :][:n] for i, n in zip(chosen, wanted, strict=True)]))
        lengths.append(wanted + 2)
    config, every = json.loads((Path(place) / "config.json").read_text()), np.concatenate(lengths).astype(float)
    width, depth = config["hidden_size"], config["num_hidden_layers"]
    weights = depth * (4 * width**2 + 2 * width * config["intermediate_size"])
    flop = 3 * (2 * weights * every + 4 * depth * width * every**2).sum()  # the backward pass is two forward ones
    return list(zip(*sides, strict=True)), float(flop), int(every.sum())


def model(folder: Path, shape: dict[str, int]) -> str:
    """A BERT with random weights for the seed encoder's tokenizer, in a folder that both sides load."""
    made = AutoTokenizer.from_pretrained(model_folder("seed"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(made), max_position_embeddings=512, pad_token_id=made.pad_token_id,
        attention_probs_dropout_prob=0.0, **shape,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return str(folder)


def matrix_peak(device: str, size: int) -> float:
    """FLOP/s of the best of several bfloat16 matrix products."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(10):
            c = a @ b
        c[0, 0].item()  # waits for the device
        times.append(time.perf_counter() - start)
    return 10 * 2 * size**3 / min(times)


if __name__ == "__main__":
    command_line(gpu, threads=os.cpu_count() or 1)

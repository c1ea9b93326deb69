from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest
import torch
import torch.distributed as dist

from align.alignment import Alignment
from align.batches import Batches
from align.checkpoint import load_encoder
from align.distributed import gather, total, world
from align.options import (
    AnchorOptions,
    ContrastiveOptions,
    GradedOptions,
    LabelledOptions,
    MatryoshkaOptions,
    MlmOptions,
    MultipleNegativesOptions,
    MultiSimilarityOptions,
    PlainOptions,
    Recipe,
    TlmOptions,
    TrainOptions,
)
from align.store import build_store

ROWS = np.arange(12)
GROUPS = [str(i) for i in (0, 1, 2, 0, 4, 5, 6, 7, 0, 9, 2, 11)]  # 0 on both processes, 2 twice on the first alone
RECIPES = {
    "translico": Recipe(
        nt_xent=ContrastiveOptions(weight=0.25, temperature=1.0, cosine=False), mlm=MlmOptions(rate=0.5),
    ),
    "ours": Recipe(
        info_nce=ContrastiveOptions(learn_temperature=True), anchor=AnchorOptions(source=2.0, target=1.0),
        train=TrainOptions(batch_size=6),
    ),
    "nli": Recipe(multiple_negatives=MultipleNegativesOptions(symmetric=True), softmax_nli=PlainOptions()),
    "sts": Recipe(
        cosent=GradedOptions(), angle=GradedOptions(temperature=1.0), cosine_mse=PlainOptions(),
        matryoshka=MatryoshkaOptions(dimensions=(4, 16), weights=(1.0, 0.5)),
    ),
    "lexical": Recipe(
        label_nt_xent=LabelledOptions(), supcon=LabelledOptions(weight=0.5), multi_similarity=MultiSimilarityOptions(),
        matryoshka=MatryoshkaOptions(dimensions=(4, 16)),
    ),
    "muril": Recipe(tlm=TlmOptions(rate=0.5), distil=PlainOptions()),
}  # fmt: skip


def step(folder, name, rank, processes):
    """Gradients of one step on this process's share of 12 pairs, dropout off, averaged as DDP does."""
    from datasets import Dataset

    torch.set_num_threads(1)
    words = ["".join(chr(97 + (i * 7 + j * j) % 24) for j in range(3 + i % 5)) for i in range(12)]
    pairs = Dataset.from_dict({
        "source": ["".join(chr(0x3B1 + ord(c) - 97) for c in word) for word in words], "target": words,
        "source_lang": ["ell_Grek"] * 12, "target_lang": ["ell_Latn"] * 12, "group_id": GROUPS,
        "negative": words[::-1], "score": [i % 5 / 4 for i in range(12)], "label": ["ab"[i % 2] for i in range(12)],
    })  # fmt: skip
    recipe = RECIPES[name]
    encoder = load_encoder(folder, device="cpu")
    start = encoder.encode(pairs["source"], raw=True) + 0.1
    store = build_store(pairs, encoder, max_tokens=32, columns=recipe.needs_columns)
    whole = Batches(store, encoder, recipe, start=start)[(0, ROWS)]  # masks drawn once for all, then shared out
    mine = ROWS[rank::processes]
    sides = whole["sides"].tolist()
    texts = np.concatenate([mine + 12 * i for i, size in enumerate(sides) if size])
    share = {name: whole[name][texts] for name in ("ids", "attention", "labels") if name in whole}
    share |= {name: whole[name][mine] for name in ("groups", "start", "scores", "classes") if name in whole}
    share["sides"] = torch.tensor([len(mine) if size else 0 for size in sides])
    if "joint" in whole:
        share["joint"] = {name: rows[mine] for name, rows in whole["joint"].items()}
    torch.manual_seed(0)  # of the classifier's weights
    module = Alignment(encoder, recipe, classes=len(store.label_names))
    module.eval()
    loss = module(**share)["loss"]
    loss.backward()
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    for gradient in gradients.values():
        if processes > 1:
            dist.all_reduce(gradient)
            gradient /= processes
    return total(loss) / processes, gradients


def worker(rank, processes, port, folder, out):
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=processes, timeout=timedelta(seconds=60)
    )
    try:
        block = torch.full((2, 3), float(rank), requires_grad=True)
        everything = gather(block)
        assert everything[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0]
        (everything * torch.arange(4.0)[:, None] * (rank + 1)).sum().backward()
        # row weights 0..3, each process's loss scaled by rank + 1: gradients add up to 3 times the row's weight
        assert block.grad[:, 0].tolist() == [3.0 * (2 * rank), 3.0 * (2 * rank + 1)]
        assert world() == (rank, processes)
        for name in RECIPES:
            loss, gradients = step(folder, name, rank, processes)
            if rank == 0:
                torch.save({"loss": loss, "gradients": gradients}, f"{out}/{name}.pt")
    finally:
        dist.destroy_process_group()


def test_two_processes_have_the_gradient_of_one(bert_folder, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "2", str(port), str(bert_folder), str(tmp_path)]
    started = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True) for rank in (0, 1)]
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    for name in RECIPES:
        two = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        loss, gradients = step(str(bert_folder), name, 0, 1)
        assert two["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
        assert two["gradients"].keys() == gradients.keys()
        assert sum(g.abs().sum() for g in gradients.values()) > 0
        for parameter, gradient in gradients.items():
            scale = max(1.0, gradient.abs().max().item())
            assert (two["gradients"][parameter] - gradient).abs().max().item() < 1e-5 * scale, (name, parameter)


def test_alone_nothing_changes():
    block = torch.ones(2, 3)
    assert world() == (0, 1)
    assert gather(block) is block
    assert total(torch.tensor(3.0)).item() == 3.0


if __name__ == "__main__":
    processes, port, folder, out, rank = sys.argv[1:]
    worker(int(rank), int(processes), int(port), folder, out)

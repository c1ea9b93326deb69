from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
import torch.distributed as dist
from steps import Passes, masked_losses
from toy import quiet
from transformers import TrainerCallback, TrainingArguments

from align.encoders.checkpoint import load_encoder
from align.encoders.device import own_device
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.objectives.anchor import AnchorOptions
from align.objectives.barlow_twins import BarlowTwinsOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.distil import DistilOptions
from align.objectives.distillation.self_teaching import SelfTeachingOptions
from align.objectives.distillation.smooth_l1 import SmoothL1Options
from align.objectives.graded import GradedOptions
from align.objectives.guided import GuidedOptions
from align.objectives.labelled import LabelledOptions
from align.objectives.mlm import MlmOptions
from align.objectives.multi_similarity import MultiSimilarityOptions
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.objectives.objective import PlainOptions
from align.objectives.prototypes import PrototypesOptions
from align.objectives.siglip import SiglipOptions
from align.objectives.spread import SpreadOptions
from align.objectives.tlm import TlmOptions
from align.training import distributed
from align.training import train as trainer
from align.training.batches import Batches
from align.training.distributed import backend, gather, in_shares, launch, total, world
from align.training.frozen import frozen
from align.training.history import History
from align.training.inputs import columns
from align.training.options import MatryoshkaOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

ROWS = np.arange(12)
GROUPS = [str(i) for i in (0, 1, 2, 0, 4, 5, 6, 7, 0, 9, 2, 11)]  # of 2 processes: 0 on both, 2 twice on the first
RECIPES = {
    "translico": Recipe(
        nt_xent=ContrastiveOptions(weight=0.25, temperature=1.0, cosine=False), mlm=MlmOptions(rate=0.5),
    ),
    "ours": Recipe(
        info_nce=ContrastiveOptions(learn_temperature=True), anchor=AnchorOptions(source=2.0, target=1.0),
        train=TrainOptions(batch_size=6),
    ),
    "nli": Recipe(multiple_negatives=MultipleNegativesOptions(symmetric=True), softmax_nli=PlainOptions()),
    "hard": Recipe(
        multiple_negatives=MultipleNegativesOptions(symmetric=True), matryoshka=MatryoshkaOptions(dimensions=(4, 16)),
    ),
    "sts": Recipe(
        cosent=GradedOptions(), angle=GradedOptions(temperature=1.0), cosine_mse=PlainOptions(),
        matryoshka=MatryoshkaOptions(dimensions=(4, 16), weights=(1.0, 0.5)),
    ),
    "lexical": Recipe(
        label_nt_xent=LabelledOptions(), supcon=LabelledOptions(weight=0.5), multi_similarity=MultiSimilarityOptions(),
        matryoshka=MatryoshkaOptions(dimensions=(4, 16)),
    ),
    "more": Recipe(
        siglip=SiglipOptions(), barlow_twins=BarlowTwinsOptions(), spread=SpreadOptions(), smooth_l1=SmoothL1Options(),
        guided=GuidedOptions(learn_temperature=True, temperature=0.5),
        nt_xent=ContrastiveOptions(teacher=True, false_negatives=0.1, hardness=2.0),
        self_teaching=SelfTeachingOptions(teacher=True),
    ),
    "classes": Recipe(prototypes=PrototypesOptions()),
    "muril": Recipe(tlm=TlmOptions(rate=0.5), distil=DistilOptions()),
}  # fmt: skip
CLASSIFIED = ("classified", "numbers", "source_languages", "target_languages")


MICRO = 16  # tokens of a micro-batch: a few texts of the many that every process has
RUNS = {
    "plain": {}, "cached": {"accumulate": 2, "micro_tokens": MICRO},
    "rows": {"accumulate": 2, "sparse_embeddings": True},
}  # fmt: skip


def pairs():
    from datasets import Dataset

    words = ["".join(chr(97 + (i * 7 + j * j) % 24) for j in range(3 + i % 5)) for i in range(12)]
    return Dataset.from_dict({
        "source": ["".join(chr(0x3B1 + ord(c) - 97) for c in word) for word in words], "target": words,
        "source_lang": ["ell_Grek"] * 12, "target_lang": ["ell_Latn"] * 12, "group_id": GROUPS,
        "negative": words[::-1], "score": [i % 5 / 4 for i in range(12)], "label": ["ab"[i % 2] for i in range(12)],
        "class": ["ab"[i % 3 % 2] * (i % 4 > 0) for i in range(12)],
    })  # fmt: skip


def step(folder, name, rank, processes, micro_tokens=0):
    """Gradients of one step on this process's share of 12 pairs, dropout off, averaged as DDP does."""
    recipe = RECIPES[name]
    recipe = replace(recipe, train=replace(recipe.train, micro_tokens=micro_tokens))
    encoder = load_encoder(folder, device="cpu")
    start = encoder.encode(pairs()["source"], raw=True) + 0.1
    store = build_store(pairs(), encoder, max_tokens=32, columns=columns(recipe.needs))
    made = {one.name: start + (one.column == "target") for one in frozen(recipe.needs)}
    whole = Batches(store, encoder, recipe, **made)[(0, ROWS)]  # masks drawn once for all, then shared out
    mine = ROWS[rank::processes]
    texts = np.concatenate([mine + 12 * i for i, size in enumerate(whole["sides"]) if size])
    share = {name: whole[name][texts] for name in ("ids", "attention", "labels") if name in whole}
    share |= {name: whole[name][mine] for name in ("groups", "scores", "classes", *CLASSIFIED, *made) if name in whole}
    share["sides"] = [len(mine) if size else 0 for size in whole["sides"]]
    share["lengths"] = [whole["lengths"][text] for text in texts]
    if "joint" in whole:
        lengths = whole["joint"].pop("lengths")
        share["joint"] = {name: rows[mine] for name, rows in whole["joint"].items()}
        share["joint"]["lengths"] = [lengths[row] for row in mine]
    assert sum(share["lengths"]) > 2 * MICRO
    torch.manual_seed(0)  # of the classifier's weights
    module = Alignment(
        encoder, recipe, classes=len(store.label_names), named=len(store.class_names), languages=2, pairs=12
    )
    return loss_and_gradients(module.eval(), share, processes)


def loss_and_gradients(module, batch, processes):
    """Of a batch, summed over the processes and divided by their number."""
    loss = module(**batch)["loss"]
    loss.backward()
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    for gradient in gradients.values():
        if processes > 1:
            dist.all_reduce(gradient)
            gradient /= processes
    return {"loss": total(loss) / processes, "gradients": gradients}


def uneven_step(folder, rank, processes):
    """Loss and gradients of one step on this process's share of pairs that bring 0, 1, 2, 3, 0, ... negatives."""
    columns_of = {f"negative_{k + 1}": [f"{'abc'[k]}{chr(97 + i)}" * (i % 4 > k) for i in range(12)] for k in range(3)}
    rows = pairs().remove_columns("negative").to_dict() | columns_of
    encoder, recipe = load_encoder(folder, device="cpu"), RECIPES["hard"]
    store = build_store(type(pairs()).from_dict(rows), encoder, max_tokens=32, columns=columns(recipe.needs))
    batch = Batches(store, encoder, recipe, rank=rank, world=processes)[(0, ROWS)]
    batch.pop("rows")
    found = loss_and_gradients(Alignment(encoder, recipe).eval(), batch, processes)
    return found | {"negatives": batch["negative_counts"]}


def run(folder, out, processes, **options):
    """Losses, gradient norms and vectors of a run of the trainer on global batches of 8, dropout off."""
    encoder = load_encoder(folder, device="cpu")
    quiet(encoder)
    chosen = TrainOptions(steps=3, batch_size=8 // processes, learning_rate=1e-2, warmup=0.0, log_every=1, **options)
    recipe = Recipe(
        train=chosen, nt_xent=ContrastiveOptions(learn_temperature=True),
        info_nce=ContrastiveOptions(weight=0.0, learn_temperature=True), tlm=TlmOptions(weight=0.0),
    )  # fmt: skip
    facts = train(encoder, pairs(), recipe, out, progress=False)
    logged = [[row["loss"], row["grad_norm"]] for row in facts["losses"]]
    return {"logged": torch.tensor(logged), "vectors": torch.from_numpy(encoder.encode(pairs()["source"]))}


def dropout_streams(folder, out, seed):
    """(W,) what each process's generator gives next as its run begins, and (W, 2) the sum of its weights."""
    seen = []

    class Draw(TrainerCallback):
        def on_train_begin(self, args, state, control, *, model, **_):
            with torch.random.fork_rng(devices=[]):
                seen.append(torch.rand(1, dtype=torch.float64))
            seen.append(torch.stack([p.detach().sum() for p in model.learned["softmax_nli"].parameters()])[None])

    torch.manual_seed(world()[0])  # the processes come from different places
    chosen = Recipe(softmax_nli=PlainOptions(), train=TrainOptions(steps=1, batch_size=4, seed=seed))
    train(load_encoder(folder, device="cpu"), pairs(), chosen, out, callbacks=[Draw()], progress=False)
    return [gather(one) for one in seen]


MASKED = {"mlm_source": 1.0, "mlm_target": 1.0, "tlm": 0.5}


def masked_steps(folder, out):
    """What a masked-LM run logged, and the gradient and forward passes of each step in each process."""
    encoder, passes = quiet(load_encoder(folder, device="cpu")), Passes()
    options = TrainOptions(steps=2, batch_size=2, accumulate=2, learning_rate=1e-9, warmup=0.0, log_every=1)
    recipe = Recipe(mlm=MlmOptions(rate=0.5), tlm=TlmOptions(weight=0.5), train=options)
    facts = train(encoder, pairs(), recipe, out, callbacks=[passes], progress=False)
    everyone = [None] * world()[1]
    dist.all_gather_object(everyone, passes.steps)
    return facts["losses"], everyone


def gather_by_hand(rank, processes):
    block = torch.full((2, 3), float(rank), requires_grad=True)
    everything = gather(block)
    assert everything[:, 0].tolist() == [float(i // 2) for i in range(2 * processes)]
    (everything * torch.arange(2.0 * processes)[:, None] * (rank + 1)).sum().backward()
    # row weights 0, 1, ..., each process's loss scaled by rank + 1: gradients are 1 + 2 + ... times the row's weight
    times = processes * (processes + 1) // 2
    assert block.grad[:, 0].tolist() == [times * (2.0 * rank), times * (2.0 * rank + 1)]
    for dtype in (torch.float64, torch.bfloat16):
        block = torch.tensor([[0.1 + rank, 7.0], [0.7, 5.0]], dtype=dtype).T.requires_grad_()  # not contiguous
        everything = gather(block)
        assert everything.dtype == dtype
        assert torch.equal(everything[2 * rank : 2 * rank + 2], block)
        everything[:2].sum().backward()
        assert block.grad.dtype == dtype
        assert (block.grad == (processes if rank == 0 else 0)).all()
    assert gather(torch.tensor([2**62 + rank])).tolist() == [2**62 + i for i in range(processes)]  # to the last digit
    assert total(torch.tensor(2.0**rank)).item() == 2.0**processes - 1
    assert world() == (rank, processes)


def history_by_hand(rank, processes, out):
    """Each process keeps its own terms; the mean over all of them is as if nothing had been in between."""
    kept, whole, again = History(), History(), History()
    for value in (1.0 + rank, 3.0 - rank / 7):
        for history in (kept, whole):
            history.add({"loss": torch.tensor(value)})
    kept.lines.append({"step": 1, "loss": 2.0})
    folder = Path(out) / f"history-{processes}"
    folder.mkdir(exist_ok=True)
    kept.save(folder)
    dist.barrier()
    again.load(folder)
    assert again.lines == kept.lines
    for history in (again, whole):
        history.add({"loss": torch.tensor(0.1 * rank)})
    assert again.means() == whole.means()


def shares_by_hand(rank, processes):
    told = []

    def encode(share):
        told.append(list(share))
        return np.array([[int(text), rank] for text in share], dtype=np.float32)

    for number in (0, 1, 3, 4, 9):
        texts = [str(i) for i in range(number)]
        with mock.patch.object(distributed, "ROWS", 2):
            vectors = in_shares(encode, texts, dimension=2, device=torch.device("cpu"))
        assert vectors.dtype == np.float32
        assert vectors.tolist() == [[i, i % processes] for i in range(number)]
    mine = ([str(i) for i in range(rank, number, processes)] for number in (0, 1, 3, 4, 9))
    assert told == [share for share in mine if share]


def encoded_texts(folder, out):
    """(W,) how many texts each process encodes before the first step, and the anchors' starting losses."""
    encoder, encoded = load_encoder(folder, device="cpu"), []
    encode = encoder.encode

    def counted(texts, **options):
        encoded.append(len(texts))
        return encode(texts, **options)

    encoder.encode = counted
    anchor = AnchorOptions(source=1.0, rehearsal=1.0, rehearsal_size=2)
    chosen = Recipe(anchor=anchor, train=TrainOptions(steps=1, batch_size=6 // world()[1], log_every=1))
    facts = train(quiet(encoder), pairs(), chosen, out, rehearsal=["ab", "cde", "f"], progress=False)
    row = facts["losses"][0]
    return gather(torch.tensor([sum(encoded)])), [row["anchor_source"], row["anchor_rehearsal"]]


def worker(rank, processes, port, folder, out):
    os.environ |= {
        "WORLD_SIZE": str(processes), "RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }  # fmt: skip
    torch.set_num_threads(1)
    assert launch(torch.device("cpu")) == (rank, processes)
    assert dist.get_backend() == backend(torch.device("cpu")) == "gloo"
    try:
        gather_by_hand(rank, processes)
        history_by_hand(rank, processes, out)
        shares_by_hand(rank, processes)
        found = {(name, micro): step(folder, name, rank, processes, micro) for name in RECIPES for micro in (0, MICRO)}
        found["uneven"] = uneven_step(folder, rank, processes)
        if processes == 2:
            found |= {name: run(folder, f"{out}/{name}", processes, **options) for name, options in RUNS.items()}
            found["masked"] = masked_steps(folder, f"{out}/masked")
            found["shares"] = encoded_texts(folder, f"{out}/shares")
            found["streams"] = [dropout_streams(folder, f"{out}/streams", seed) for seed in (0, 0, 1)]
        if rank == 0:
            torch.save(found, f"{out}/{processes}.pt")
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from conftest import tiny_bert, tiny_tokenizer  # which this file does not find when it is run

    made = tmp_path_factory.mktemp("bert")
    tiny_bert().save_pretrained(made)
    tiny_tokenizer().save_pretrained(made)
    return str(made)


@pytest.fixture(scope="module")
def found(folder, tmp_path_factory):
    """What 2 and 4 processes found, by their number."""
    out = tmp_path_factory.mktemp("found")
    done = subprocess.run(
        [sys.executable, __file__, folder, str(out)], stderr=subprocess.PIPE, text=True, timeout=300, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {processes: torch.load(out / f"{processes}.pt", weights_only=True) for processes in (2, 4)}


@pytest.mark.parametrize("micro_tokens", [0, MICRO])
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_have_the_gradient_of_one(found, folder, processes, micro_tokens):
    for name in RECIPES:
        several, alone = found[processes][name, micro_tokens], step(folder, name, 0, 1)
        assert several["loss"].item() == pytest.approx(alone["loss"].item(), rel=1e-5)
        assert several["gradients"].keys() == alone["gradients"].keys()
        assert sum(g.abs().sum() for g in alone["gradients"].values()) > 0
        for parameter, gradient in alone["gradients"].items():
            scale = max(1.0, gradient.abs().max().item())
            assert (several["gradients"][parameter] - gradient).abs().max().item() < 1e-5 * scale, (name, parameter)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_whose_pairs_bring_unlike_many_negatives_have_the_gradient_of_one(found, folder, processes):
    several, alone = found[processes]["uneven"], uneven_step(folder, 0, 1)
    assert alone["negatives"] == [18]
    assert several["negatives"] == {2: [6, 12], 4: [0, 3, 6, 9]}[processes]
    assert several["loss"].item() == pytest.approx(alone["loss"].item(), rel=1e-5)
    for parameter, gradient in alone["gradients"].items():
        scale = max(1.0, gradient.abs().max().item())
        assert (several["gradients"][parameter] - gradient).abs().max().item() < 1e-5 * scale, parameter


@pytest.mark.parametrize("name", RUNS)
def test_a_run_in_two_processes_is_a_run_in_one(found, folder, tmp_path, name):
    several = found[2][name]
    alone = run(folder, tmp_path / "out", 1, **{**RUNS[name], "micro_tokens": 0})
    assert several["logged"].shape == (3, 2)
    assert torch.allclose(several["logged"], alone["logged"], rtol=1e-4)
    assert torch.allclose(several["vectors"], alone["vectors"], atol=1e-4)
    assert (alone["vectors"] - torch.from_numpy(load_encoder(folder).encode(pairs()["source"]))).abs().max() > 0.01


def test_masked_losses_are_means_over_the_masked_tokens_of_all_processes(found, folder):
    encoder = quiet(load_encoder(folder))
    losses, steps = found[2]["masked"]
    for logged, (gradient, first), (same, second) in zip(losses, *steps, strict=True):
        assert torch.equal(gradient, same)
        assert len(first) == len(second) == 2
        assert len({int((batch["labels"] != -100).sum()) for batch in first + second}) > 1
        values, expected = masked_losses(encoder, first + second, MASKED)
        assert (gradient - expected).norm() < 1e-4 * expected.norm()
        assert {name: logged[name] for name in values} == pytest.approx(values, rel=1e-4)


def test_each_process_encodes_its_share_of_the_starting_vectors(found, folder, tmp_path):
    texts, losses = found[2]["shares"]
    alone, expected = encoded_texts(folder, tmp_path / "out")
    assert np.abs([losses, expected]).max() < 1e-6  # each text is where it was: the vector is its own
    assert alone.item() == 6 + 3  # pairs that are drawn, and rehearsal texts
    assert texts.tolist() == [3 + 2, 3 + 1]


def test_a_process_group_that_cannot_serve_the_encoder_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "launch", lambda device: (0, 2))
    monkeypatch.setattr(dist, "get_backend_config", lambda: "cuda:nccl")
    assert backend(torch.device("cuda", 1)) == "nccl"
    with pytest.raises(InputError, match="the encoder is on cpu, and the process group has no backend for that"):
        train(load_encoder(folder, device="cpu"), pairs(), RECIPES["nli"], tmp_path / "out", progress=False)


def test_each_process_takes_the_gpu_of_its_number(folder, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert own_device() == torch.device("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    placed = []
    monkeypatch.setattr(Encoder, "to", lambda self, device: placed.append(device) or self)
    for rank in (None, "0", "1", "3"):
        if rank is not None:
            monkeypatch.setenv("LOCAL_RANK", rank)
        load_encoder(folder)
    assert [torch.device(place).index for place in placed] == [1, 0, 1, 1]
    load_encoder(folder, device="cpu")
    assert str(placed[-1]) == "cpu"


def test_one_process_uses_one_device(folder, tmp_path, monkeypatch):
    class Shared(torch.nn.DataParallel):
        def __init__(self, *_, **__):
            raise AssertionError("the batch was shared out among devices")

    known = TrainingArguments.device  # which sets up transformers' state
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 2))
    monkeypatch.setattr(TrainingArguments, "device", property(lambda self: (known.fget(self), torch.device("meta"))[1]))
    monkeypatch.setattr(torch.nn, "DataParallel", Shared)
    encoder = load_encoder(folder, device="cpu")
    before = encoder.encode(pairs()["source"])
    chosen = Recipe(nt_xent=ContrastiveOptions(), train=TrainOptions(steps=1, batch_size=4, warmup=0.0))
    train(encoder, pairs(), chosen, tmp_path / "out", progress=False)
    assert encoder.device == torch.device("cpu")  # where it was, not where transformers would put it
    assert np.abs(encoder.encode(pairs()["source"]) - before).max() > 0


def test_processes_have_one_start_and_dropout_streams_of_their_own(found):
    (draws, weights), (same, equal), (other, different) = found[2]["streams"]
    assert torch.equal(draws, same)
    assert torch.equal(weights, equal)
    assert draws[0] != draws[1]
    assert torch.equal(weights[0], weights[1])
    assert not torch.isclose(other, draws).any()
    assert not torch.isclose(weights, different).any()


def test_alone_nothing_changes():
    block = torch.ones(2, 3)
    assert world() == (0, 1)
    assert gather(block) is block
    assert total(torch.tensor(3.0)).item() == 3.0


def main(folder, out):
    for processes in (2, 4):  # forked: what was imported is there
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        torch.multiprocessing.start_processes(worker, (processes, port, folder, out), processes, start_method="fork")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Do two processes with B pairs each get the losses and gradients of one process with all 2B?

Run as a module it starts the two, computes the step alone, and prints both as JSON: a process that has computed
gradients cannot be forked, so that the question is put to a new one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

PAIRS = 6
"""B, of each process."""
TOLERANCE = 1e-5
LOOPBACK = {"linux": "lo", "darwin": "lo0"}
"""The network of a machine with itself, by its system: nobody else shall hear the two."""
SECONDS = 600.0
"""After which the two are given up."""


class Agreement(NamedTuple):
    """How far two processes are from one."""

    pairs: int
    """Of each process."""
    losses: dict[str, tuple[float, float]]
    """Of two processes and of one."""
    loss_difference: float
    """The greatest, as a share of the loss where that is above 1."""
    gradient_difference: float
    """The greatest of any number of any gradient, as a share of the greatest of its own where that is above 1."""
    problem: str
    """Why nothing could be compared; empty: it could."""

    @property
    def agree(self) -> bool:
        """Whether both differences are within the tolerance."""
        return not self.problem and max(self.loss_difference, self.gradient_difference) <= TOLERANCE

    def words(self) -> tuple[str, str, str]:
        """The answer, what was compared, and how far the two are apart."""
        what = f"2 x {self.pairs} pairs, 1 x {2 * self.pairs}"
        apart = f"losses differ by {self.loss_difference:.1e}, gradients by {self.gradient_difference:.1e}"
        return "agree" if self.agree else "DISAGREE", what, self.problem or f"{apart}; {TOLERANCE:.0e} is allowed"


def two_processes() -> Agreement:
    """Start two processes that talk by gloo, on the CPU, and compare one training step of theirs with that of one."""
    places = [str(Path(__file__).parents[2]), *filter(None, sys.path)]  # this package, and what it needs
    settings = {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    if sys.platform in LOOPBACK:
        settings["GLOO_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
    with tempfile.TemporaryDirectory(prefix="align-doctor.") as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "align.health.two_processes", folder], capture_output=True, text=True,
                env={**os.environ, **settings}, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return _failed(f"they did not come to an end in {SECONDS:g} s")
    if done.returncode:
        return _failed((done.stderr.strip().splitlines() or [f"they ended with {done.returncode}"])[-1])
    return Agreement(**json.loads(done.stdout.splitlines()[-1]))


def _failed(problem: str) -> Agreement:
    return Agreement(PAIRS, {}, float("nan"), float("nan"), problem)


def step(rank: int, processes: int, folder: Path) -> dict[str, Any]:
    """Losses, by objective, and gradients, by parameter, of a step on this process's share; averaged over processes."""
    import numpy as np
    import torch
    from datasets import Dataset

    from align.encoders.checkpoint import load_encoder
    from align.objectives.contrastive import ContrastiveOptions
    from align.objectives.multiple_negatives import MultipleNegativesOptions
    from align.objectives.siglip import SiglipOptions
    from align.training.batches import Batches
    from align.training.distributed import total
    from align.training.inputs import columns
    from align.training.recipe import Recipe
    from align.training.step import Alignment
    from align.training.store import build_store

    recipe = Recipe(
        nt_xent=ContrastiveOptions(learn_temperature=True), info_nce=ContrastiveOptions(),
        multiple_negatives=MultipleNegativesOptions(symmetric=True), siglip=SiglipOptions(),
    )  # fmt: skip
    encoder = load_encoder("seed", device="cpu")
    store = build_store(Dataset.from_dict(pairs()), encoder, max_tokens=32, columns=columns(recipe.needs), cache=folder)
    batch = Batches(store, encoder, recipe, rank=rank, world=processes)[(0, np.arange(2 * PAIRS))]
    del batch["rows"]
    module: torch.nn.Module = Alignment(encoder, recipe).eval()
    if processes > 1:
        module = torch.nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)
    terms = module(**batch)
    terms["loss"].backward()
    losses = {name: total(value).item() / processes for name, value in terms.items()}
    named = {name.removeprefix("module."): parameter for name, parameter in module.named_parameters()}
    return {"losses": losses, "gradients": {name: one.grad for name, one in named.items() if one.grad is not None}}


def pairs() -> dict[str, list[str | None]]:
    """Pairs of made-up words; pair i brings i % 3 hard negatives."""
    words = ["".join("aeioukmnprst"[(i * k + k * k) % 12] for k in range(1, 5 + i % 4)) for i in range(2 * PAIRS)]
    hard: dict[str, list[str | None]] = {
        f"negative_{k}": [f"{word}{'xyz'[k]}" if i % 3 >= k else None for i, word in enumerate(words)] for k in (1, 2)
    }
    return {
        "source": [f"{word} {word[::-1]}" for word in words], "target": [word.upper() + "." for word in words],
        "source_lang": ["und_Latn"] * len(words), "target_lang": ["und_Latn"] * len(words),
        "group_id": [str(i) for i in range(len(words))], **hard,
    }  # fmt: skip


def compared(several: dict[str, Any], alone: dict[str, Any]) -> Agreement:
    """How far the step of several processes is from that of one."""
    losses = {name: (several["losses"][name], value) for name, value in alone["losses"].items()}
    if several["gradients"].keys() != alone["gradients"].keys():
        return _failed("other parameters have gradients")
    of_losses = max(abs(two - one) / max(1.0, abs(one)) for two, one in losses.values())
    of_gradients = max(
        (several["gradients"][name] - one).abs().max().item() / max(1.0, one.abs().max().item())
        for name, one in alone["gradients"].items()
    )
    return Agreement(PAIRS, losses, of_losses, of_gradients, "")


def _one_of_two(rank: int, folder: str) -> None:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    meet = Path(folder, "meet").resolve().as_uri()  # a file: the port of tcp:// would be open to the network
    dist.init_process_group("gloo", init_method=meet, rank=rank, world_size=2)
    try:
        made = step(rank, 2, Path(folder) / str(rank))
        if rank == 0:
            torch.save(made, Path(folder) / "two.pt")
    finally:
        dist.destroy_process_group()


def main(folder: str) -> None:
    """Print the agreement as the last line."""
    import datasets  # noqa: F401 (what a step imports, before there are three that would)
    import torch

    import align.training.batches
    import align.training.step
    import align.training.store  # noqa: F401

    how = get_context("fork" if sys.platform == "linux" else "spawn")  # forked, they need not import all this again
    two = [how.Process(target=_one_of_two, args=(rank, folder)) for rank in range(2)]  # type: ignore[attr-defined]
    for process in two:
        process.start()
    for process in two:
        process.join()
    if any(process.exitcode for process in two):
        sys.exit(1)  # what they said is on stderr
    several = torch.load(Path(folder) / "two.pt", weights_only=True)
    torch.set_num_threads(1)
    print(json.dumps(compared(several, step(0, 1, Path(folder) / "alone"))._asdict()))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])

"""torchrun on two machines, each a network namespace of its own: the step of one process with twice the pairs."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from align.health.two_processes import compared, step

SECONDS = 300
NODE = """
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from align.health.two_processes import step

torch.set_num_threads(1)
dist.init_process_group("gloo")
made = step(dist.get_rank(), dist.get_world_size(), Path(sys.argv[1]) / str(dist.get_rank()))
if dist.get_rank() == 0:
    torch.save(made, Path(sys.argv[1]) / "two.pt")
dist.destroy_process_group()
"""


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


@pytest.fixture
def machines():
    """Names of two namespaces that reach each other at 10.77.0.1 and 10.77.0.2, and nothing else."""
    names = [f"align-{os.getpid()}-{side}" for side in "ab"]
    with ExitStack() as made:
        for name in names:
            try:
                done = ip("netns", "add", name)
            except FileNotFoundError:
                pytest.skip("needs the command ip")
            if done.returncode:
                pytest.skip(f"network namespaces are not permitted here: {done.stderr.strip()}")
            made.callback(ip, "netns", "delete", name)
        ends = [f"al{os.getpid()}{side}" for side in "ab"]
        done = ip("link", "add", ends[0], "netns", names[0], "type", "veth", "peer", "name", ends[1], "netns", names[1])
        if done.returncode:
            pytest.skip(f"no virtual link can be made here: {done.stderr.strip()}")
        for number, (name, end) in enumerate(zip(names, ends, strict=True), 1):
            for words in (
                ["addr", "add", f"10.77.0.{number}/24", "dev", end], ["link", "set", end, "up"],
                ["link", "set", "lo", "up"],
            ):  # fmt: skip
                done = ip("-n", name, *words)
                assert not done.returncode, done.stderr
        yield list(zip(names, ends, strict=True))


def test_two_machines_make_the_step_of_one(machines, tmp_path):
    script = tmp_path / "node.py"
    script.write_text(NODE)
    places = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    running = []
    for rank, (name, end) in enumerate(machines):
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
            "GLOO_SOCKET_IFNAME": end,
        }  # fmt: skip
        words = [
            "ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run", "--nnodes=2",
            "--nproc-per-node=1", f"--node-rank={rank}", "--master-addr=10.77.0.1", "--master-port=29500", str(script),
            str(tmp_path),
        ]  # fmt: skip
        running.append(subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    try:
        said = [process.communicate(timeout=SECONDS)[0].decode() for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(said)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = step(0, 1, tmp_path / "alone")
    torch.set_num_threads(threads)
    found = compared(torch.load(tmp_path / "two.pt", weights_only=True), alone)
    assert found.agree, found
    assert found.losses.keys() == {"nt_xent", "info_nce", "multiple_negatives", "siglip", "loss"}

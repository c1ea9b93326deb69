from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from parts import assert_as_alone, begun, chunk, late

from align.errors import InputError
from align.vectors.corpus import ray_engine
from align.vectors.corpus.hand_out import hand_out
from align.vectors.corpus.parts import Job
from align.vectors.corpus.ray_engine import Actors, run_ray
from align.vectors.writing import finish, finished_parts

needs_ray = pytest.mark.skipif(not find_spec("ray"), reason="needs the extra ray")
ALONE = """
import sys
from pathlib import Path
from align.vectors.corpus.rows import Row
from align.vectors.corpus.parts import Chunk, Job
from align.vectors.corpus.ray_engine import run_ray

chunks = [Chunk(number, [Row(str(number), "abc", "", "", number + 1, "")]) for number in range(3)]
for done in run_ray(Job(Path("out"), "bert", {"device": "cpu"}), chunks, workers=2, cpus=1):
    import ray
    (node,) = ray.nodes()
    print(done.number, node["NodeManagerAddress"])
print(ray.is_initialized())
"""


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of two processors each; the driver is at the first."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # 127.0.0.1
        import ray
        from ray.cluster_utils import Cluster

        options = {"num_cpus": 2, "object_store_memory": 80 * 1024**2, "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args=options)
        made.add_node(num_cpus=2, object_store_memory=80 * 1024**2)
        yield made
        ray.shutdown()
        made.shutdown()


@needs_ray
def test_a_node_goes_away(cluster, tmp_path, bert_folder, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    begun(Path("out"), bert_folder)
    job = Job(Path("out"), bert_folder.name, {"device": "cpu"})  # an actor is at home elsewhere
    again, at_work, drawn, done = r"a worker was lost: part-\d+ was not written", set(), [], []

    def chunks():
        while not re.search(again, caplog.text) and len(drawn) < 200:
            drawn.append(late(chunk(len(drawn))))
            yield drawn[-1]

    def give(actors, worker, chunk, plain=Actors.give):
        at_work.add(worker)
        plain(actors, worker, chunk)

    monkeypatch.setattr(Actors, "give", give)
    # an actor of two processors on each node
    for part in run_ray(job, chunks(), address=cluster.address, workers=2, cpus=2):
        done.append(part.number)
        assert len(drawn) - len(done) < 3
        if len(at_work) == 2 and cluster.worker_nodes:
            cluster.remove_node(*cluster.worker_nodes, allow_graceful=False)
    assert re.search(again, caplog.text)
    assert sorted(done) == list(range(len(drawn)))
    assert not list(job.out.glob(".*"))  # the probe is gone
    import ray

    assert not ray.is_initialized()  # the connection was made for the run; the cluster stays
    assert_as_alone(tmp_path / "out", len(drawn), bert_folder)


@needs_ray
def test_bad_input_in_an_actor(cluster, tmp_path, bert_folder):
    import ray

    job = begun(tmp_path / "out", bert_folder)
    ray.init(cluster.address, logging_level="ERROR", log_to_driver=False)
    with pytest.raises(InputError, match=r"out.part-00000.parquet: vectors have .*float16.*, but .* says .*float32"):
        list(run_ray(replace(job, dtype="float16"), [chunk(0)], address=cluster.address))
    assert not finished_parts(job.out)
    elsewhere = Actors(ray, job, job.out / "absent", cpus=1, gpus=0)
    with pytest.raises(InputError, match=r"out is not on .* what it is where the command runs: .* all nodes .* share"):
        list(hand_out(elsewhere, [chunk(0)], workers=1))
    assert ray.is_initialized()  # this connection is not the run's
    ray.shutdown()


@needs_ray
def test_actors_that_never_start_are_not_waited_for_for_ever(cluster, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(ray_engine, "PATIENCE", 0.1)
    monkeypatch.setattr(ray_engine, "STARTING", 0.3)
    job = Job(tmp_path, "seed")
    with pytest.raises(InputError, match=r"^no actor has started within 0.3 s: each takes 99 CPUs and 0 GPUs, and the"):
        list(run_ray(job, [chunk(0)], address=cluster.address, cpus=99))
    assert "no actor has started yet: each takes 99 CPUs" in caplog.text


@needs_ray
def test_ray_of_its_own(tmp_path, bert_folder):
    begun(tmp_path / "out", bert_folder)
    (tmp_path / "alone.py").write_text(ALONE)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, "alone.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    chat = [line for line in ran.stderr.splitlines() if not line.startswith("no actor has started yet")]
    assert chat == [] and ran.returncode == 0  # on a busy machine actors start late, and that is said
    *parts, connected = ran.stdout.splitlines()
    assert sorted(parts) == ["0 127.0.0.1", "1 127.0.0.1", "2 127.0.0.1"] and connected == "False"
    assert finish(tmp_path / "out", 3).rows == 3


@pytest.mark.parametrize("address", ["nowhere", "ray://127.0.0.1:10001", ":6379", "127.0.0.1:http"])
@needs_ray
def test_no_address(tmp_path, address):
    with pytest.raises(
        InputError, match=f"expected auto or host:port as the address of a Ray cluster, got '{address}'"
    ):
        list(run_ray(Job(tmp_path, "seed"), [], address=address))


@needs_ray
def test_nobody_at_the_address(tmp_path):
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"Ray could not be reached at {address}: .*refused"):
            list(run_ray(Job(tmp_path, "seed"), [], address=address))


def test_without_ray(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"the engine ray needs Ray: pip install 'align-encoders\[ray\]'"):
        list(run_ray(Job(tmp_path, "seed"), []))

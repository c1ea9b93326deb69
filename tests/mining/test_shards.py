"""Mining in shards and on Ray: the same pairs as by one process, whatever was lost on the way."""

from __future__ import annotations

import threading
import time
from importlib.util import find_spec

import numpy as np
import pytest

from align.errors import InputError
from align.files.shards import Shard, shard
from align.mining.mining import mine
from align.similarity.nearest import exact_neighbours
from align.vectors.writing import save_vectors

ENCODER = {"fingerprint": "abc"}


def sides(folder, n=37, m=29, d=6):
    rng, made = np.random.default_rng(0), []
    for name, rows in (("x", n), ("y", m)):
        texts = [f"{name} {i % (rows - 2)}" for i in range(rows)]  # the last two are copies
        vectors = rng.integers(-2, 3, (rows, d)) + 0.01  # many ties
        save_vectors(folder / name, [f"{name}{i}" for i in range(rows)], vectors, texts=texts, encoder=ENCODER)
        made.append(folder / name)
    return made


@pytest.mark.parametrize("count", [1, 3, 4, 7, 50])
@pytest.mark.parametrize("direction", ["intersection", "max"])
def test_shards_give_the_same_file_to_the_byte(tmp_path, count, direction):
    x, y = sides(tmp_path)
    options = {"k": 3, "block": 4, "direction": direction}
    alone = mine(x, y, tmp_path / "alone.tsv", **options)
    for number in reversed(range(1, count + 1)):
        done = mine(x, y, tmp_path / "out.tsv", shard=f"{number}/{count}", **options)
        assert not len(done.pairs.x) and done.numbers == {"shard": f"{number}/{count}"}
        assert not (tmp_path / "out.tsv").exists()
    merged = mine(x, y, tmp_path / "out.tsv", shards=count, **options)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "alone.tsv").read_bytes()
    assert merged.numbers == alone.numbers
    assert not (tmp_path / "out.tsv.shards").exists()


def test_what_is_missing_damaged_or_of_something_else_is_named(tmp_path):
    x, y = sides(tmp_path)
    out = tmp_path / "out.tsv"
    mine(x, y, out, shard="1/3", block=4)
    kept = tmp_path / "out.tsv.shards" / "00001-00003.npz"
    before = kept.stat().st_mtime_ns
    with pytest.raises(InputError, match=r"out\.tsv\.shards lacks 2 of 3 shards: run --shard 2/3, 3/3"):
        mine(x, y, out, shards=3, block=4)
    for options in ({"shard": "1/4", "block": 4}, {"shard": "2/3", "block": 4, "k": 2}, {"shard": "2/3", "block": 5}):
        with pytest.raises(InputError, match="holds shards of something else: "):
            mine(x, y, out, **options)
    with pytest.raises(InputError, match=r"something else: x \("):
        mine(y, y, out, shard="2/3", block=4)
    mine(x, y, out, shard="1/3", block=4)
    assert kept.stat().st_mtime_ns == before  # what is there is not done again
    for number in (2, 3):
        mine(x, y, out, shard=f"{number}/3", block=4)
    kept.write_bytes(kept.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"00001-00003\.npz is damaged .*run its shard again"):
        mine(x, y, out, shards=3, block=4)
    kept.unlink()
    mine(x, y, out, shard="1/3", block=4)
    assert mine(x, y, out, shards=3, block=4).numbers["kept"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard": "0/3"}, "expected i/n with i from 1 to n"), ({"shard": "4/3"}, "expected i/n"),
        ({"shard": "1"}, "expected i/n"), ({"shard": "1/2", "shards": 2}, "not both"),
        ({"shard": "1/2", "engine": "ray"}, "not both"), ({"shard": "1/2", "engine": "faiss"}, "exact neighbours"),
        ({"shards": 0}, "at least 1"), ({"shard": "1/2", "block": 0}, "at least 1"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(tmp_path, options, message):
    x, y = sides(tmp_path)
    with pytest.raises(InputError, match=message):
        mine(x, y, tmp_path / "out.tsv", **options)
    with pytest.raises(InputError, match="got an array"):
        mine(np.eye(3), np.eye(3), tmp_path / "a.tsv", shard="1/2")
    with pytest.raises(InputError, match="give out"):
        mine(x, y, shard="1/2")


@pytest.mark.parametrize(("n", "step", "count"), [(0, 4, 3), (1, 4, 3), (10, 2, 3), (17, 4, 4), (8, 1, 20)])
def test_shares_follow_each_other_in_whole_steps(n, step, count):
    bounds = [Shard(number, count).bounds(n, step) for number in range(1, count + 1)]
    assert [row for share in bounds for row in range(n)[share]] == list(range(n))
    assert all(share.start % step == 0 or share.start == n for share in bounds)
    assert shard(str(Shard(2, 3))) == Shard(2, 3)


@pytest.mark.skipif(not find_spec("ray"), reason="needs the extra ray")
def test_a_node_that_goes_away_costs_its_shards_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # 127.0.0.1
    import ray
    from ray.cluster_utils import Cluster

    x, y = sides(tmp_path, n=3000, m=2500, d=16)
    mine(x, y, tmp_path / "alone.tsv", block=64)
    small = {"object_store_memory": 80 * 1024**2}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **small})
    node = cluster.add_node(num_cpus=1, **small)
    folder = tmp_path / "out.tsv.shards"

    def cut():
        while len(list(folder.glob("*.npz"))) < 2:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)

    cutting = threading.Thread(target=cut, daemon=True)
    cutting.start()
    try:
        mine(x, y, tmp_path / "out.tsv", block=64, engine="ray", shards=12, address=cluster.address)
        cutting.join(60)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "alone.tsv").read_bytes()
    assert not folder.exists()


def test_keys_of_shares_are_those_of_the_whole():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((9, 4)), rng.standard_normal((7, 4))
    there, back = exact_neighbours(x, y, k=3, block=2)
    cosines = (x / np.linalg.norm(x, axis=1)[:, None]) @ (y / np.linalg.norm(y, axis=1)[:, None]).T
    assert np.array_equal(there.rows, np.argsort(-cosines, axis=1)[:, :3])
    assert np.array_equal(back.rows, np.argsort(-cosines.T, axis=1)[:, :3])

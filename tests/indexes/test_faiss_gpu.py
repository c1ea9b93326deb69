"""FAISS on a GPU, by a stand-in: what goes there, what stays, and that the results are those of the CPU."""

from __future__ import annotations

import inspect
import logging
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from align.cli.index import index as index_verb
from align.errors import InputError
from align.indexes import approximate, build, exact, faiss_gpu, faiss_module
from align.indexes.build import index, load_index
from align.similarity.cosine import normalize
from align.vectors.writing import save_vectors

faiss = pytest.importorskip("faiss")
from faiss_stand_in import StandIn  # noqa: E402  (which needs FAISS)

ROWS, DIMENSION = 900, 16


@pytest.fixture
def gpu(monkeypatch):
    standing = StandIn()
    monkeypatch.setitem(sys.modules, "faiss", standing)
    monkeypatch.setattr(faiss_gpu, "has_driver", lambda: True)
    monkeypatch.setattr(build, "check_survives", lambda *_: None)  # in a process of its own, each factory
    return standing


@pytest.fixture
def vectors(tmp_path):
    rows = normalize(np.random.default_rng(0).standard_normal((ROWS, DIMENSION)).astype(np.float32))
    rows[100:140] = rows[100]  # more of one score than a GPU is asked for
    languages = ["xho_Latn" if i % 9 == 1 else "eng_Latn" for i in range(ROWS)]
    ids = [str(i) for i in range(ROWS)]
    return save_vectors(tmp_path / "v", ids, rows, texts=ids, encoder={"name": "x"}, languages=languages, part_rows=400)


def queries():
    found = normalize(np.random.default_rng(1).standard_normal((8, DIMENSION)).astype(np.float32))
    found[0] = normalize(np.random.default_rng(0).standard_normal((ROWS, DIMENSION)).astype(np.float32))[100]
    return found


def same(found, expected):
    assert (found[1] == expected[1]).all()
    np.testing.assert_allclose(found[0], expected[0], atol=2e-6)


@pytest.mark.parametrize(
    ("factory", "copied"),
    [("IVF8,Flat", "copy 1"), ("IVF8,SQ8", "copy 1"), ("PCA12,IVF8,PQ6x4", "copy 1"), ("PCA8,Flat", "copy 1")],
)
def test_an_index_is_built_on_the_gpu_and_measured_on_the_cpu(gpu, vectors, tmp_path, factory, copied):
    made = index(vectors, tmp_path / "gpu", factory=factory, recall_queries=50, train_rows=600, device="cuda:1")
    assert gpu.steps == ["count", copied, "train", *["add"] * 3, "back", "count"]
    assert made.manifest["built"]["device"] == "cuda:1"
    on_cpu = index(vectors, tmp_path / "cpu", factory=factory, recall_queries=50, train_rows=600, device="cpu")
    assert (tmp_path / "gpu/index.faiss").read_bytes() == (tmp_path / "cpu/index.faiss").read_bytes()
    differ = ("seconds", "device")
    built = [{name: one.manifest["built"].get(name) for name in one.manifest["built"] if name not in differ}
             for one in (made, on_cpu)]  # fmt: skip
    assert built[0] == built[1] and "device" not in on_cpu.manifest["built"]


@pytest.mark.parametrize("factory", ["HNSW8", "IVF8,PQ4x4,RFlat", "IVF8,PQ4x4fs"])
def test_what_a_gpu_has_not_stays_on_the_cpu(gpu, vectors, tmp_path, factory):
    made = index(vectors, tmp_path / "i", factory=factory, recall_queries=0)
    made.search(queries(), 3)
    assert {*gpu.steps} == {"count"} and "device" not in made.manifest["built"]


def test_long_codes_have_float16_tables(gpu, tmp_path):
    rows = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32)
    wide = save_vectors(tmp_path / "v", [str(i) for i in range(300)], rows, texts=["x"] * 300, encoder={"name": "x"})
    index(wide, tmp_path / "i", factory="IVF2,PQ64x4", recall_queries=0)
    assert gpu.steps[1] == "copy 0 float16"


@pytest.mark.parametrize("factory", ["IVF8,Flat", "PCA12,IVF8,Flat", "PCA12,Flat"])
def test_ivf_is_searched_on_the_gpu(gpu, vectors, tmp_path, monkeypatch, factory):
    asked = queries()
    index(vectors, tmp_path / "i", factory=factory, recall_queries=0, device="cpu")
    on_cpu, on_gpu = load_index(tmp_path / "i", device="cpu"), load_index(tmp_path / "i")
    gpu.steps.clear()
    for nprobe in (1, 8) if "IVF" in factory else (None, None):
        same(on_gpu.search(asked, 5, nprobe=nprobe), on_cpu.search(asked, 5, nprobe=nprobe))
    assert gpu.steps == ["copy 0", "search", "search"]  # copied once
    same(on_gpu.search(asked, 5), on_cpu.search(asked, 5))
    gpu.steps.clear()
    monkeypatch.setattr(approximate, "few", lambda *_: False)
    same(on_gpu.search(asked, 5, languages=["xho_Latn"]), on_cpu.search(asked, 5, languages=["xho_Latn"]))
    assert gpu.steps == []  # a GPU does not filter
    load_index(tmp_path / "i", device="mps").search(asked, 5)
    assert gpu.steps == []


def test_more_hits_than_a_gpu_gives_come_from_the_cpu(gpu, tmp_path):
    rows = np.random.default_rng(0).standard_normal((2100, 4)).astype(np.float32)
    many = save_vectors(tmp_path / "v", [str(i) for i in range(2100)], rows, texts=["x"] * 2100, encoder={"name": "x"})
    for factory in ("Flat", "IVF2,Flat"):
        made = index(many, tmp_path / "i", factory=factory, recall_queries=0, device="cpu")
        made = load_index(tmp_path / "i")
        gpu.steps.clear()
        assert (made.search(rows[:2], 2049)[1] >= 0).all()
        assert "knn" not in gpu.steps and "search" not in gpu.steps
        made.search(rows[:2], 2047 if factory == "Flat" else 2048)
        assert gpu.steps[-1] == ("knn" if factory == "Flat" else "search")


@pytest.mark.parametrize("block", [97, 65_536])
@pytest.mark.parametrize("indexed", [True, False])
def test_exact_search_on_the_gpu_is_that_of_the_cpu(gpu, vectors, tmp_path, monkeypatch, block, indexed):
    monkeypatch.setattr(exact, "GPU_ROWS", block)
    asked, where = queries(), vectors.folder
    if indexed:
        where = index(vectors, tmp_path / "i").folder
    on_cpu, on_gpu = load_index(where, device="cpu"), load_index(where)
    for k in (1, 7, 30, 2000):
        for languages in (None, ["xho_Latn"]):
            gpu.steps.clear()
            same(on_gpu.search(asked, k, languages=languages), on_cpu.search(asked, k, languages=languages))
            assert gpu.steps and {*gpu.steps} == {"knn"}
    assert on_gpu.search(asked[:1], 3)[1].tolist() == [[100, 101, 102]]  # of equal rows the lower ones
    assert on_gpu.search(np.empty((0, DIMENSION), np.float32), 3)[1].shape == (0, 3)


@pytest.mark.parametrize("full", ["copy 0", "train", "add", "back"])
def test_where_the_gpu_refuses_the_cpu_builds(gpu, vectors, tmp_path, caplog, full):
    gpu.full = {full}
    made = index(vectors, tmp_path / "i", factory="IVF8,Flat", recall_queries=0)
    assert "FAISS works on the CPU: cuda:0: Failed to cudaMalloc: out of memory" in caplog.text
    assert "device" not in made.manifest["built"] and made.rows == ROWS == made.engine.index.ntotal
    assert len(made.rows_file.take(range(ROWS))) == ROWS
    index(vectors, tmp_path / "cpu", factory="IVF8,Flat", recall_queries=0, device="cpu")
    assert (tmp_path / "i/index.faiss").read_bytes() == (tmp_path / "cpu/index.faiss").read_bytes()


@pytest.mark.parametrize(("factory", "full"), [("IVF8,Flat", "copy 0"), ("IVF8,Flat", "search"), ("Flat", "knn")])
def test_where_the_gpu_refuses_the_cpu_searches(gpu, vectors, tmp_path, caplog, factory, full):
    index(vectors, tmp_path / "i", factory=factory, recall_queries=0, device="cpu")
    gpu.full = {full}
    on_gpu, on_cpu = load_index(tmp_path / "i"), load_index(tmp_path / "i", device="cpu")
    same(on_gpu.search(queries(), 4), on_cpu.search(queries(), 4))
    assert "FAISS works on the CPU: cuda:0: Failed to cudaMalloc: out of memory" in caplog.text


def test_the_gpu_that_is_meant(gpu, monkeypatch):
    assert [faiss_gpu.find_gpu(device).device for device in (None, "cuda", "cuda:1")] == ["cuda:0", "cuda:0", "cuda:1"]
    assert faiss_gpu.find_gpu("cpu") is None and faiss_gpu.find_gpu("mps") is None
    with pytest.raises(InputError, match=r"device cuda:2: FAISS sees 2 GPU\(s\), the first of which is cuda:0"):
        faiss_gpu.find_gpu("cuda:2")
    gpu.gpus = 0
    assert faiss_gpu.find_gpu() is None and faiss_gpu.find_gpu("cuda:1") is None
    gpu.steps.clear()
    monkeypatch.setattr(faiss_gpu, "has_driver", lambda: False)
    assert faiss_gpu.find_gpu() is None
    assert gpu.steps == []  # not even counted: FAISS ends the process where there is no driver


def test_the_wheel_for_the_cpu_has_no_gpu(monkeypatch):
    monkeypatch.setattr(faiss_gpu, "has_driver", lambda: True)
    if not hasattr(faiss, "StandardGpuResources"):
        assert faiss_gpu.find_gpu() is None
    monkeypatch.setattr(faiss_gpu, "find_spec", lambda name: None)
    assert faiss_gpu.find_gpu() is None


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(gpu, vectors, tmp_path):
    gpu.gpus = 0
    app = typer.Typer()
    app.command()(index_verb)
    words = [str(vectors.folder), "-o", str(tmp_path / "i"), "--factory", "IVF4,Flat", "--device"]
    for device in ("cuda", "tpu"):
        done = CliRunner().invoke(app, [*words, device])
        assert isinstance(done.exception, InputError)
        assert str(done.exception) == (
            f"device {device!r}: expected cpu, or cuda where FAISS sees a GPU (pip install 'align-encoders[faiss-gpu]')"
        )
    assert not (tmp_path / "i").exists()
    assert CliRunner().invoke(app, [*words, "cpu"]).exit_code == 0


def test_both_wheels_at_once_is_a_warning(monkeypatch, caplog):
    there = {"faiss-gpu"}

    def version(name):
        if name not in there:
            raise PackageNotFoundError(name)
        return "1.15.1"

    monkeypatch.setattr(faiss_module, "version", version)
    for both in (False, True):
        if both:
            there.add("faiss-cpu")
        faiss_module._warn_of_two_wheels.cache_clear()
        faiss_module.import_faiss()
        faiss_module.import_faiss()
        assert caplog.text.count("faiss-cpu and faiss-gpu are both installed and write the same folder") == both
    faiss_module._warn_of_two_wheels.cache_clear()
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_a_wheel_that_lacks_its_libraries_is_an_error(monkeypatch, vectors, tmp_path, caplog):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/faiss.py").write_text("raise RuntimeError('nvidia-cuda-runtime-cu12 is missing')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "faiss")
    with pytest.raises(InputError, match="faiss is installed but does not load: nvidia-cuda-runtime-cu12 is missing"):
        index(vectors, tmp_path / "i", factory="IVF4,Flat")
    monkeypatch.setattr(faiss_gpu, "has_driver", lambda: True)
    assert faiss_gpu.find_gpu() is None and "nvidia-cuda-runtime-cu12 is missing" in caplog.text


def test_the_stand_in_has_the_interface_of_faiss():
    """``knn_gpu`` is in either wheel."""
    expected = inspect.signature(faiss.knn_gpu).parameters
    given = list(inspect.signature(StandIn().knn_gpu).parameters.values())
    assert [(one.name, one.default) for one in given] == [(one.name, one.default) for one in expected.values()][:9]

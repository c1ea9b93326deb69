from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from align import index as index_module
from align.errors import InputError
from align.files import sha256
from align.index import Embeddings, load_embeddings, save_embeddings, search
from align.similarity import top_k

ENCODER = {"model": "abc123", "layer": 8, "pooling": "mean", "normalized": True}


def rows(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def names(n: int) -> list[str]:
    return [f"s{i}" for i in range(n)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "corpus"
    save_embeddings(out, rows(5), names(5), encoder=ENCODER, texts=["eins", "zwei", "дрей\u2028x", "", "fünf"])
    return out


@pytest.mark.parametrize("mmap", [True, False])
def test_what_is_saved_is_loaded(folder: Path, mmap: bool) -> None:
    loaded = load_embeddings(folder, mmap=mmap)
    assert (loaded.vectors == rows(5)).all()
    assert loaded.ids == ("s0", "s1", "s2", "s3", "s4")
    assert loaded.texts == ("eins", "zwei", "дрей\u2028x", "", "fünf")
    assert loaded.encoder == ENCODER
    assert isinstance(loaded.vectors.base, np.memmap) == mmap


def test_the_folder_says_what_it_holds(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["embeddings.npy", "ids.jsonl", "manifest.json"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["rows"], manifest["dimensions"], manifest["dtype"]) == (5, 6, "float32")
    assert manifest["sha256"] == {name: sha256(folder / name) for name in ("embeddings.npy", "ids.jsonl")}
    first = json.loads((folder / "ids.jsonl").read_text().partition("\n")[0])
    assert first == {"id": "s0", "text": "eins", "sha256": hashlib.sha256(b"eins").hexdigest()}


def test_texts_are_stored_by_choice(tmp_path: Path) -> None:
    save_embeddings(tmp_path / "a", rows(1), ["x"], encoder={}, texts=["secret"], store_texts=False)
    assert load_embeddings(tmp_path / "a").texts is None
    assert "secret" not in (tmp_path / "a/ids.jsonl").read_text()
    assert hashlib.sha256(b"secret").hexdigest() in (tmp_path / "a/ids.jsonl").read_text()
    save_embeddings(tmp_path / "b", rows(1), ["x"], encoder={})
    assert (tmp_path / "b/ids.jsonl").read_text() == '{"id": "x"}\n'


@pytest.mark.parametrize(("given", "stored"), [("float16", "float16"), ("float32", "float32"), ("float64", "float32")])
def test_dtypes(tmp_path: Path, given: str, stored: str) -> None:
    save_embeddings(tmp_path / "a", rows(3).astype(given), names(3), encoder={})
    loaded = load_embeddings(tmp_path / "a")
    assert loaded.vectors.dtype == stored
    assert search(loaded, rows(3), 1)[1].tolist() == [[0], [1], [2]]


def test_an_empty_corpus(tmp_path: Path) -> None:
    save_embeddings(tmp_path / "a", np.empty((0, 6)), [], encoder={}, texts=[])
    loaded = load_embeddings(tmp_path / "a", mmap=False)
    for engine in ("exact", "auto"):
        assert search(loaded, rows(2), 3, engine=engine)[1].shape == (2, 0)


def test_an_older_folder_is_replaced_whole_or_stays(folder: Path) -> None:
    with pytest.raises(InputError):
        save_embeddings(folder, rows(2), ["same", "same"], encoder={})
    assert len(load_embeddings(folder).ids) == 5
    save_embeddings(folder, rows(2), names(2), encoder={})
    assert len(load_embeddings(folder).ids) == 2
    assert [path.name for path in folder.parent.iterdir()] == ["corpus"]


@pytest.mark.parametrize(
    ("vectors", "ids", "options", "message"),
    [
        (rows(3), names(2), {}, "3 embeddings but 2 ids"),
        (rows(2), names(2), {"texts": ["a"]}, "2 embeddings but 1 texts"),
        (rows(2), ["a", "a"], {}, "id 'a': expected text, each id once"),
        (rows(1), [7], {}, "id 7: expected text"),
        ([[1.0], [np.nan]], ["a", "b"], {}, "the embedding of id 'b' holds NaN or Inf"),
        ([[1e300]], ["a"], {}, "the embedding of id 'a' holds NaN or Inf"),
        ([1.0], ["a"], {}, "expected a matrix of numbers"),
        (rows(1), ["a"], {"encoder": {"layer": np.int64(8)}}, "encoder's description is not JSON"),
        (rows(1), ["a"], {"encoder": {"scale": float("nan")}}, "encoder's description is not JSON"),
    ],
)
def test_bad_input_is_not_saved(tmp_path: Path, vectors, ids, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        save_embeddings(tmp_path / "a", vectors, ids, **{"encoder": {}, **options})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["embeddings.npy", "ids.jsonl"])
def test_damage_is_seen(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name} is damaged: its SHA-256"):
        load_embeddings(folder)


@pytest.mark.parametrize("mmap", [True, False])
def test_a_file_cut_short_is_seen_without_verifying(folder: Path, mmap: bool) -> None:
    path = folder / "embeddings.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"embeddings.npy is damaged"):
        load_embeddings(folder, mmap=mmap, verify=False)


def test_pickles_are_refused(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"embeddings.npy is damaged: Object arrays cannot be loaded"):
        load_embeddings(folder, mmap=False, verify=False)


def test_files_that_disagree_with_the_manifest(folder: Path) -> None:
    (folder / "ids.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(InputError, match=r"\(5, 6, 'float32', 1\), but manifest.json says \(5, 6, 'float32', 5\)"):
        load_embeddings(folder, verify=False)
    for text, message in (
        ('{"id": "a"}\n{"id": "a"}\n', "an id stands there twice"),
        ("[]\n", "expected an object with an id on each line"),
        ("{}\n", "expected an object with an id on each line"),
        ("?\n", "expected an object with an id on each line"),
    ):
        (folder / "ids.jsonl").write_text(text)
        with pytest.raises(InputError, match=message):
            load_embeddings(folder, verify=False)


def test_missing_files(folder: Path) -> None:
    (folder / "ids.jsonl").unlink()
    with pytest.raises(InputError, match=r"no such file: .*ids.jsonl"):
        load_embeddings(folder)
    (folder / "manifest.json").write_text('{"rows": 5}')
    with pytest.raises(InputError, match="is not the manifest of an embeddings folder"):
        load_embeddings(folder)
    with pytest.raises(InputError, match=r"no such file: .*manifest.json"):
        load_embeddings(folder.parent)


def test_search_is_cosine(folder: Path) -> None:
    loaded = load_embeddings(folder)
    scores, found = search(loaded, rows(2, seed=3) * 50, k=3, encoder=ENCODER)
    expected = top_k(rows(2, seed=3), rows(5), 3)
    assert (found == expected[1]).all()
    assert scores == pytest.approx(expected[0], abs=1.1e-6)
    assert search(loaded, rows(2), k=9)[1].shape == (2, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": 7}, r"another encoder than the index: layer \(8 in the index, 7 in the queries\)$"),
        ({"prompt": "query: "}, r'prompt \(null in the index, "query: " in the queries\)'),
        ({"layer": None, "pooling": "cls"}, r"layer \(8 .*, null .*\), pooling"),
    ],
)
def test_queries_of_another_encoder_are_refused(folder: Path, change: dict, message: str) -> None:
    loaded = load_embeddings(folder)
    with pytest.raises(InputError, match=message):
        search(loaded, rows(1), encoder={**ENCODER, **change})
    with pytest.raises(InputError, match=r"model \(\"abc123\" in the index, null in the queries\)"):
        search(loaded, rows(1), encoder={name: ENCODER[name] for name in ENCODER if name != "model"})


def test_null_is_as_good_as_absent(folder: Path) -> None:
    assert search(load_embeddings(folder), rows(1), 1, encoder={**ENCODER, "prompt": None})[1].tolist() == [[0]]


def test_a_tuple_is_the_list_it_was_saved_as(tmp_path: Path) -> None:
    save_embeddings(tmp_path / "a", rows(2), names(2), encoder={"layers": (1, 8)})
    assert search(load_embeddings(tmp_path / "a"), rows(2), 1, encoder={"layers": (1, 8)})[1].tolist() == [[0], [1]]


def test_search_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_embeddings(folder)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for options, message in (
        ({"queries": rows(1, 4)}, "queries have 4 dimensions, candidates 6"),
        ({"queries": np.full((1, 6), np.nan)}, "row 0 holds NaN"),
        ({"k": 0}, "k must be at least 1"),
        ({"engine": "annoy"}, "unknown engine 'annoy': expected one of auto, exact, faiss"),
        ({"engine": "faiss"}, r"pip install 'align-encoders\[faiss\]'"),
    ):
        with pytest.raises(InputError, match=message):
            search(loaded, **{"queries": rows(1), **options})
    assert search(loaded, rows(5), 1, engine="auto")[1].ravel().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("k", [1, 7, 500])
def test_faiss_finds_the_same(dtype: str, k: int) -> None:
    pytest.importorskip("faiss")
    vectors = rows(300, 16).astype(dtype)
    vectors[[40, 250]] = vectors[3]
    corpus = Embeddings(vectors, tuple(names(300)), None, {})
    queries = np.concatenate([rows(20, 16, seed=1), vectors[[7]]])
    scores, found = search(corpus, queries, k, engine="exact")
    with_faiss = search(corpus, queries, k, engine="faiss")
    pieces = index_module._faiss_top_k(queries, vectors, k, block=64)
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    cosines = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ unit.T
    for order in (with_faiss[1], pieces[1]):
        # two candidates whose cosines round to either side of a step of the tie tolerance may change places
        at_rank = np.take_along_axis(cosines, found, axis=1)
        assert np.take_along_axis(cosines, order, axis=1) == pytest.approx(at_rank, abs=2.2e-6)
        assert (order == found).mean() > 0.99
        assert all(len(set(row)) == len(row) for row in order.tolist())
    assert with_faiss[0] == pytest.approx(scores, abs=1.1e-6)
    assert with_faiss[0].dtype == scores.dtype


def test_faiss_refuses_alike() -> None:
    pytest.importorskip("faiss")
    corpus = Embeddings(rows(3), tuple(names(3)), None, {})
    for options, message in (
        ({"queries": rows(1, 4)}, "queries have 4 dimensions, candidates 6"),
        ({"k": 0}, "k must be at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            search(corpus, **{"queries": rows(1), "engine": "faiss", **options})

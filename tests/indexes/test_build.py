from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from align import errors
from align.errors import InputError
from align.files.whole import read_json, sha256
from align.indexes import exact as exact_index
from align.indexes.build import index, save_index
from align.indexes.exact import nearest
from align.indexes.index import load_index
from align.indexes.recall import recall as recall_of
from align.indexes.recall import summary
from align.similarity.cosine import normalize
from align.vectors.folder import Vectors
from align.vectors.writing import save_vectors

ENCODER = {"fingerprint": "abc123", "pooling": {"layer": 8}, "unit": True, "prompt": ""}
LANGUAGES = ("deu_Latn", "rus_Cyrl", "hin_Deva", "")
APPROXIMATE = ("IVF8,Flat", "IVF8,SQfp16", "HNSW16", "PCA12,IVF8,Flat,RFlat", "IVF8,PQ4x4np")


def rows(n: int, d: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def names(n: int) -> list[str]:
    return [f"s{i}" for i in range(n)]


def corpus(out: Path, vectors: np.ndarray, *, part_rows: int = 70) -> Vectors:
    """Row i is of language and script i modulo 4."""
    languages = [LANGUAGES[i % 4] for i in range(len(vectors))]
    return save_vectors(
        out, names(len(vectors)), vectors, texts=[f"text {i} \u2028ж" for i in range(len(vectors))], encoder=ENCODER,
        languages=languages, scripts=[name.partition("_")[2] for name in languages], part_rows=part_rows,
    )  # fmt: skip


def by_definition(queries: np.ndarray, vectors: np.ndarray, k: int, allowed=lambda row: True):
    """Scores and rows, one cosine at a time."""
    all_scores, all_rows = [], []
    for query in queries.astype(np.float64):
        cosines = [(query @ v) / np.sqrt((query @ query) * (v @ v) or 1) for v in vectors.astype(np.float64)]
        best = sorted((-round(cosine, 6), row) for row, cosine in enumerate(cosines) if allowed(row))[:k]
        best += [(np.inf, -1)] * (k - len(best))
        all_scores.append([-score for score, _ in best])
        all_rows.append([row for _, row in best])
    return np.array(all_scores), np.array(all_rows)


def same(found, expected) -> None:
    assert found[1].tolist() == expected[1].tolist()
    assert found[0] == pytest.approx(expected[0], abs=1.1e-6)
    assert found[0].dtype == np.float32 and found[1].dtype == np.int64


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    return corpus(tmp_path / "vectors", rows(300) * 3)


@pytest.fixture
def blocks(monkeypatch) -> None:
    monkeypatch.setattr(exact_index, "BLOCK_ROWS", 33)
    monkeypatch.setattr(exact_index, "BLOCK_QUERIES", 4)


def test_a_number_by_hand(tmp_path) -> None:
    made = save_index(tmp_path / "i", [[0, 2], [3, 4], [5, 0]], ["up", "between", "right"], encoder={})
    scores, found = made.search([[7.0, 0.0]], 2)
    assert made.ids(found) == ["right", "between"]
    assert scores.tolist() == [pytest.approx([1.0, 0.6])]


@pytest.mark.parametrize("folder", ["exact", "vectors"])
def test_exact_search_is_the_definition(vectors, tmp_path, blocks, folder) -> None:
    made = index(vectors, tmp_path / "exact") if folder == "exact" else load_index(vectors.folder)
    queries = rows(9, seed=1) * 50
    for k in (1, 7, 300):
        same(made.search(queries, k), by_definition(queries, rows(300), k))
    for given, allowed in (
        ({"languages": ["rus_Cyrl"]}, lambda row: row % 4 == 1),
        ({"languages": ["rus_Cyrl", "hin_Deva"]}, lambda row: row % 4 in (1, 2)),
        ({"scripts": ["Latn"]}, lambda row: row % 4 == 0),
        ({"languages": ["rus_Cyrl", "hin_Deva"], "scripts": ["Deva"]}, lambda row: row % 4 == 2),
        ({"languages": [""]}, lambda row: row % 4 == 3),
        ({"languages": ["rus_Cyrl"], "scripts": ["Deva"]}, lambda row: False),
    ):
        same(made.search(queries, 80, **given), by_definition(queries, rows(300), 80, allowed))


def test_of_equal_rows_the_lower_comes_first(tmp_path, blocks) -> None:
    given = rows(200, 8)
    given[[5, 40, 41, 150]] = given[190]
    made = index(corpus(tmp_path / "v", given), tmp_path / "i")
    scores, found = made.search(given[[190]] * 2, 5)
    assert found.tolist() == [[5, 40, 41, 150, 190]] and scores.tolist() == [[1.0] * 5]
    assert made.search(given[[190]], 3)[1].tolist() == [[5, 40, 41]]
    assert save_index(tmp_path / "zero", np.zeros((9, 3)), names(9), encoder={}).search(rows(1, 3), 4)[1].tolist() == [
        [0, 1, 2, 3]
    ]


@pytest.mark.parametrize("float16", [None, True, False])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_dtypes(tmp_path, dtype, float16) -> None:
    given = rows(50).astype(dtype)
    made = index(corpus(tmp_path / "v", given), tmp_path / "i", float16=float16)
    assert made.vectors.dtype == made.manifest["dtype"] == {None: dtype, True: "float16", False: "float32"}[float16]
    unit = given.astype(np.float64) / np.linalg.norm(given.astype(np.float64), axis=1, keepdims=True)
    assert made.vectors == pytest.approx(unit, abs=1e-3 if made.vectors.dtype == np.float16 else 1e-7)
    assert made.search(given, 1)[1].ravel().tolist() == list(range(50))


def test_an_empty_corpus(tmp_path) -> None:
    empty = corpus(tmp_path / "v", np.empty((0, 6)))
    for made in (index(empty, tmp_path / "i"), load_index(tmp_path / "v"), load_index(tmp_path / "i", mmap=False)):
        scores, found = made.search(rows(2, 6), 3)
        assert found.tolist() == [[-1] * 3] * 2 and np.isneginf(scores).all()
        assert made.ids(found) == [""] * 6
        with pytest.raises(InputError, match=r"no row of the index is of language 'deu_Latn': known are none$"):
            made.search(rows(2, 6), 3, languages=["deu_Latn"])
    pytest.importorskip("faiss")
    assert index(empty, tmp_path / "h", factory="HNSW8").search(rows(2, 6), 1)[1].tolist() == [[-1]] * 2
    with pytest.raises(InputError, match=r"'IVF8,Flat' needs at least 8 rows to train on, got 0$"):
        index(empty, tmp_path / "f", factory="IVF8,Flat")


@pytest.mark.parametrize("factory", APPROXIMATE)
def test_faiss_searches_its_whole_index_as_exact_search(vectors, tmp_path, factory) -> None:
    pytest.importorskip("faiss")
    made = index(vectors, tmp_path / "i", factory=factory, recall_queries=50)
    whole = {"ef_search": 300} if "HNSW" in factory else {"nprobe": 8}
    queries = rows(9, seed=1) * 50
    exact = "PQ" not in factory and "PCA" not in factory
    for given, allowed in (({}, lambda row: True), ({"languages": ["rus_Cyrl"]}, lambda row: row % 4 == 1)):
        scores, found = made.search(queries, 10, **given, **whole)
        expected = by_definition(queries, rows(300), 10, allowed)
        overlap = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found.tolist(), expected[1].tolist(), strict=True)])
        assert overlap > (0.97 if exact else 0.2)
        assert all(allowed(row) for row in found.ravel())
        assert (np.diff(scores, axis=1) <= 0).all()
        if exact:
            assert scores == pytest.approx(expected[0], abs=1e-3)
    assert made.vectors is None
    assert "RFlat" not in factory or load_index(tmp_path / "i").engine.index.k_factor == 4
    assert load_index(tmp_path / "i", mmap=False).search(queries, 10, **whole)[1].tolist() == (
        made.search(queries, 10, **whole)[1].tolist()
    )


def test_faiss_ties_go_by_the_lower_row_and_misses_come_last(tmp_path) -> None:
    pytest.importorskip("faiss")
    given = rows(60, 8)
    given[[5, 40, 41]] = given[50]
    made = index(corpus(tmp_path / "v", given), tmp_path / "i", factory="IVF2,Flat")
    scores, found = made.search(given[[50]], 80, nprobe=2)
    assert found[0, :4].tolist() == [5, 40, 41, 50] and scores[0, :4].tolist() == [1.0] * 4
    assert found[0, 60:].tolist() == [-1] * 20 and np.isneginf(scores[0, 60:]).all()
    assert sorted(found[0, :60].tolist()) == list(range(60))


@pytest.mark.parametrize("factory", ["IVF16,Flat", "HNSW8"])
def test_a_filter_finds_what_there_is_however_far_it_lies(tmp_path, factory) -> None:
    pytest.importorskip("faiss")
    given = rows(400, 8) * 0.1 + np.eye(8, dtype=np.float32)[[i % 4 for i in range(400)]]  # languages lie apart
    made = index(corpus(tmp_path / "v", given), tmp_path / "i", factory=factory, nprobe=1 if "IVF" in factory else None)
    found = made.search(given[[0]], 100, languages=["hin_Deva"])[1]
    assert sorted(found[0].tolist()) == list(range(2, 400, 4))
    effort = {"nprobe": 1} if "IVF" in factory else {"ef_search": 1}
    assert sorted(made.search(given[[0]], 100, languages=["hin_Deva"], **effort)[1][0]) == list(range(2, 400, 4))
    found = made.search(given[[0]], 400, **effort)[1]
    assert (found < 0).any()  # asked for no more than that, it looked no further


def test_the_recall_by_hand() -> None:
    found = np.array([[8, 1, 2, 3, -1], [0, 1, -1, -1, -1]])
    right = np.array([[9, 8, 4, 1, 5], [7, 1, 0, -1, -1]])
    # of rows 4 and 1, row 1 is among the first two found, 1 and 2; of row 0 alone (7 and 1 do not count), row 0
    assert recall_of(found, right, np.array([[9, 8], [7, 1]]), 2) == pytest.approx(2 / 3)


def test_the_recall_is_measured_at_the_recorded_effort(tmp_path, caplog) -> None:
    pytest.importorskip("faiss")
    caplog.set_level("INFO", logger="align.indexes.build")
    given = corpus(tmp_path / "v", rows(900, 8), part_rows=250)
    made = [
        index(given, tmp_path / "i", factory="IVF30,Flat", nprobe=nprobe, recall_queries=200, k=5, seed=3)
        for nprobe in (1, 4, 30)
    ]
    recall = [one.manifest["built"]["recall"]["recall"] for one in made]
    assert 0.1 < recall[0] < recall[1] < recall[2] == 1
    assert made[1].manifest["search"] == {"nprobe": 4}
    again = index(given, tmp_path / "j", factory="IVF30,Flat", nprobe=4, recall_queries=200, k=5, seed=3)
    assert again.manifest["built"]["recall"] == made[1].manifest["built"]["recall"]
    assert f"bytes a vector, recall@5 {recall[1]:.3f} (nprobe 4, 200 queries)" in caplog.text
    rng = np.random.default_rng(3)  # the same by hand: pairs of rows, their mean, without the two
    rng.choice(900, 900, replace=False, shuffle=False)
    first = rng.integers(900, size=200)
    second = (first + rng.integers(1, 900, size=200)) % 900
    unit = rows(900, 8) / np.linalg.norm(rows(900, 8), axis=1, keepdims=True)
    queries = unit[first] + unit[second]
    right, found = by_definition(queries, unit, 7)[1], again.search(queries, 7, nprobe=4)[1]
    hits = 0
    for a, b, pair in zip(right.tolist(), found.tolist(), zip(first, second, strict=True), strict=True):
        hits += len({*[row for row in a if row not in pair][:5]} & {*[row for row in b if row not in pair][:5]})
    assert again.manifest["built"]["recall"]["recall"] == pytest.approx(hits / 1000, abs=0.002)
    unmeasured = index(given, tmp_path / "k", factory="IVF4,Flat", recall_queries=0, train_rows=200)
    assert unmeasured.manifest["built"]["recall"] is None and unmeasured.manifest["built"]["train_rows"] == 200
    assert "recall" not in summary(unmeasured.manifest)


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat"])
def test_the_folder_says_what_it_holds(vectors, tmp_path, factory) -> None:
    if factory != "Flat":
        pytest.importorskip("faiss")
    index(vectors, tmp_path / "i", factory=factory)
    name = "vectors.npy" if factory == "Flat" else "index.faiss"
    names = sorted([".align-folder.json", "manifest.json", "rows.arrow", name])
    assert sorted(path.name for path in (tmp_path / "i").iterdir()) == names
    manifest = json.loads((tmp_path / "i/manifest.json").read_text())
    assert (manifest["format"], manifest["factory"], manifest["metric"]) == ("align-index/1", factory, "cosine")
    assert (manifest["rows"], manifest["dimension"], manifest["encoder"]) == (300, 16, ENCODER)
    for file in (name, "rows.arrow"):
        path = tmp_path / "i" / file
        assert manifest["files"][file] == {"bytes": path.stat().st_size, "sha256": sha256(path)}
    assert manifest["built"]["bytes_per_vector"] == round((tmp_path / "i" / name).stat().st_size / 300, 2)
    assert (manifest["faiss"] is None) == (factory == "Flat")
    assert manifest["built"]["seconds"] >= 0


def test_rows_are_read_across_parts(vectors, tmp_path) -> None:
    made, folder = index(vectors, tmp_path / "i"), load_index(vectors.folder)
    text = "text 201 \u2028ж"
    row = {
        "id": "s201", "text_sha256": hashlib.sha256(text.encode()).hexdigest(), "language": "rus_Cyrl",
        "script": "Cyrl", "text": text,
    }  # fmt: skip
    for one in (made, folder, load_index(tmp_path / "i", mmap=False)):
        assert one.ids([[299, 0], [-1, 70]]) == ["s299", "s0", "", "s70"]
        assert one.rows_file.take([201, -1, 69, 69]) == [row, {}, *one.rows_file.take([69]) * 2]
        assert one.ids(np.arange(300)) == names(300)
        assert (one.rows, one.dimension, one.encoder) == (300, 16, ENCODER)


def test_vectors_are_mapped_by_choice(vectors, tmp_path) -> None:
    index(vectors, tmp_path / "i")
    assert isinstance(load_index(tmp_path / "i").vectors.base, np.memmap)
    assert not isinstance(load_index(tmp_path / "i", mmap=False).vectors.base, np.memmap)


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "HNSW16"])
def test_a_reader_is_not_disturbed_by_a_new_index_and_a_folder_can_be_moved(vectors, tmp_path, factory) -> None:
    if factory != "Flat":
        pytest.importorskip("faiss")
    reader = index(vectors, tmp_path / "a" / "i", factory=factory)
    queries = rows(5, seed=2)
    before = reader.search(queries, 4)[1].tolist()
    ids = reader.ids(before)
    other = corpus(tmp_path / "others", rows(40, seed=9))
    index(other, tmp_path / "a" / "i")
    assert load_index(tmp_path / "a" / "i").rows == 40
    assert reader.search(queries, 4)[1].tolist() == before and reader.ids(before) == ids
    index(vectors, tmp_path / "a" / "i", factory=factory)
    (tmp_path / "a").rename(tmp_path / "b")
    assert load_index(tmp_path / "b" / "i").search(queries, 4)[1].tolist() == before
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["i"]


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "HNSW8", "IVF8,PQ4x4np"])
def test_no_change_of_a_file_goes_unseen(vectors, tmp_path, factory) -> None:
    if factory != "Flat":
        pytest.importorskip("faiss")
    index(vectors, tmp_path / "i", factory=factory, recall_queries=0)
    rng = np.random.default_rng(0)
    for name in ("vectors.npy" if factory == "Flat" else "index.faiss", "rows.arrow"):
        path = tmp_path / "i" / name
        whole = path.read_bytes()
        for _ in range(50):
            data = bytearray(whole)
            for place in rng.integers(len(data), size=rng.integers(1, 4)):
                data[place] ^= int(rng.integers(1, 256))
            if bytes(data) == whole:
                continue
            path.write_bytes(data)
            with pytest.raises(InputError, match=rf"{name} is damaged: its SHA-256 is not the one in manifest.json"):
                load_index(tmp_path / "i")
        path.write_bytes(whole[: rng.integers(len(whole))])
        with pytest.raises(
            InputError, match=rf"{name} is damaged: it has \d+ bytes, but manifest.json says {len(whole)}"
        ):
            load_index(tmp_path / "i", verify=False)
        path.write_bytes(whole)
    assert load_index(tmp_path / "i").rows == 300


def test_a_damaged_part_of_vectors_is_seen_before_it_is_searched(vectors) -> None:
    path = vectors.folder / "part-00002.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"part-00002.parquet is damaged: its SHA-256"):
        load_index(vectors.folder)


@pytest.mark.parametrize("factory", ["Flat", "HNSW8"])
def test_damaged_vectors_are_not_indexed(vectors, tmp_path, factory) -> None:
    if factory != "Flat":
        pytest.importorskip("faiss")
    path = vectors.folder / "part-00004.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"part-00004.parquet is damaged: its SHA-256"):
        index(vectors, tmp_path / "out" / "i", factory=factory)
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_read_or_disagree(vectors, tmp_path) -> None:
    index(vectors, tmp_path / "i")
    good = {path.name: path.read_bytes() for path in (tmp_path / "i").iterdir()}
    manifest = read_json(tmp_path / "i" / "manifest.json")

    def put(name: str, data: bytes) -> None:
        (tmp_path / "i" / name).write_bytes(data)
        about = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        changed = manifest | {"files": {**manifest["files"], name: about}}
        (tmp_path / "i/manifest.json").write_text(json.dumps(changed))

    other = save_index(tmp_path / "j", rows(2), names(2), encoder={})
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for name, data, message in (
        ("vectors.npy", (tmp_path / "evil.npy").read_bytes(), r"vectors.npy is damaged: .*allow_pickle=False"),
        ("vectors.npy", good["vectors.npy"][:-10], "vectors.npy is damaged: "),
        (
            "vectors.npy",
            (other.folder / "vectors.npy").read_bytes(),
            r"\[2, 16, 'float32', 300\], but manifest.json says",
        ),
        (
            "rows.arrow",
            (other.folder / "rows.arrow").read_bytes(),
            r"\[300, 16, 'float32', 2\], but manifest.json says",
        ),
        ("rows.arrow", b"ARROW1 but not really", "rows.arrow is damaged: "),
    ):
        put(name, data)
        with pytest.raises(InputError, match=message):
            load_index(tmp_path / "i", mmap=False)
        (tmp_path / "i" / name).write_bytes(good[name])
    for changed, message in (
        (manifest | {"format": "align-index/9"}, r"manifest.json is not the manifest of an index \(align-index/1\)"),
        ({"format": "align-index/1"}, "is not the manifest of an index"),
        (manifest | {"files": {"../x": {}}}, r"names \['../x'\]: expected vectors.npy and rows.arrow"),
        ([], "is not the manifest of an index"),
    ):
        (tmp_path / "i/manifest.json").write_text(json.dumps(changed))
        with pytest.raises(InputError, match=message):
            load_index(tmp_path / "i")
    (tmp_path / "i/manifest.json").write_bytes(good["manifest.json"])
    (tmp_path / "i/rows.arrow").unlink()
    with pytest.raises(InputError, match=r"no such file: .*rows.arrow"):
        load_index(tmp_path / "i")
    with pytest.raises(InputError, match=r"is no index: it has no manifest.json; expected what align index or "):
        load_index(tmp_path)


def test_without_faiss_exact_search_serves(vectors, tmp_path, monkeypatch) -> None:
    pytest.importorskip("faiss")
    index(vectors, tmp_path / "f", factory="HNSW8")
    monkeypatch.setitem(sys.modules, "faiss", None)
    made = index(vectors, tmp_path / "i")
    assert made.search(rows(3), 1, languages=["deu_Latn"])[1].tolist()[0] == [0]
    needs = r"an index other than Flat needs faiss: pip install 'align-encoders\[faiss\]'"
    with pytest.raises(InputError, match=needs):
        load_index(tmp_path / "f")
    with pytest.raises(InputError, match=needs):
        index(vectors, tmp_path / "g", factory="IVF8,Flat")
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factory": "Foo"}, r"FAISS makes no index of 'Foo' for 16 dimensions: could not parse index string Foo$"),
        ({"factory": "LSH"}, r"FAISS makes no index of 'LSH' for 16 dimensions: "),
        ({"factory": "IVF8,PQ5"}, r"'IVF8,PQ5'"),
        ({"factory": "IDMap,Flat"}, "has IDMap: expected none, the ids of an index are row numbers"),
        ({"factory": "IVF400,Flat"}, r"^'IVF400,Flat' needs at least 400 rows to train on, got 300$"),
        ({"factory": "IVF40,Flat", "train_rows": 20}, r"^'IVF40,Flat' needs at least 40 rows to train on, got 20$"),
        ({"factory": "HNSW8", "float16": True}, "float16 is for the factory Flat, this one is 'HNSW8'"),
        ({"factory": "HNSW8", "nprobe": 2}, "nprobe is for an IVF index, this one is 'HNSW8'"),
        ({"factory": "IVF8,Flat", "ef_search": 2}, "ef_search is for an HNSW index, this one is 'IVF8,Flat'"),
        ({"factory": "IVF8,Flat", "nprobe": 0}, "nprobe must be at least 1, got 0"),
        ({"nprobe": 2}, "nprobe is for an IVF index, this one is 'Flat'"),
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"train_rows": 0}, "train_rows must be at least 1, got 0"),
        ({"recall_queries": -1}, "recall_queries must be at least 0, got -1"),
    ],
)
def test_bad_options_leave_the_old_index(vectors, tmp_path, options, message) -> None:
    pytest.importorskip("faiss")
    save_index(tmp_path / "a" / "i", rows(2), names(2), encoder={})
    with pytest.raises(InputError, match=message):
        index(vectors, tmp_path / "a" / "i", **options)
    assert load_index(tmp_path / "a" / "i").rows == 2
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["i"]


def test_what_is_there_is_not_removed(vectors, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for out in (tmp_path / "mine", vectors.folder):
        with pytest.raises(InputError, match=r"holds (letter.txt|manifest.json), which is not of an index"):
            index(vectors, out)
        with pytest.raises(InputError, match="which is not of an index that Align wrote"):
            save_index(out, rows(1), ["a"], encoder={})
    with pytest.raises(InputError, match="is no folder of vectors"):
        index(tmp_path / "mine", tmp_path / "i")


def test_a_full_disk_leaves_nothing(vectors, tmp_path, monkeypatch) -> None:
    faiss = pytest.importorskip("faiss")

    def full(made, path):
        Path(path).write_bytes(b"half")
        raise RuntimeError("Error in faiss::write at /x/io.cpp:44: write error: No space left on device")

    monkeypatch.setattr(faiss, "write_index", full)
    with pytest.raises(InputError, match=r"^index.faiss was not written: write error: No space left on device$"):
        index(vectors, tmp_path / "out" / "i", factory="HNSW8")
    assert not (tmp_path / "out").exists()


def test_search_refuses(vectors, tmp_path) -> None:
    made = index(vectors, tmp_path / "i")
    for options, message in (
        ({"queries": rows(1, 4)}, "queries have 4 dimensions, candidates 16"),
        ({"queries": np.full((1, 16), np.nan)}, "row 0 holds NaN"),
        ({"k": 0}, "k must be at least 1"),
        ({"nprobe": 3}, "nprobe is for an IVF index, this one is 'Flat'"),
        (
            {"languages": ["rus_Cyrl", "fra_Latn"]},
            "no row of the index is of language 'fra_Latn': known are deu_Latn, hin_Deva, rus_Cyrl$",
        ),
        ({"scripts": ["Tibt"]}, "no row of the index is of script 'Tibt': known are Cyrl, Deva, Latn$"),
    ):
        with pytest.raises(InputError, match=message):
            made.search(**{"queries": rows(1), **options})


def test_a_long_list_of_languages_is_cut(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(errors, "SHOWN", 2)
    made = save_index(tmp_path / "i", rows(4), names(4), encoder={}, languages=["d", "c", "b", "a"])
    with pytest.raises(InputError, match="known are a, b and 2 more$"):
        made.search(rows(1), languages=["e"])


def test_an_index_that_cannot_filter_says_so(vectors, tmp_path) -> None:
    pytest.importorskip("faiss")
    made = index(vectors, tmp_path / "i", factory="PQ4x4np", recall_queries=0)
    assert (made.search(rows(2), 5)[1] >= 0).all()
    with pytest.raises(InputError, match=r"^a FAISS index of 'PQ4x4np' cannot filter .*: use IVF$"):
        made.search(rows(2), 5, languages=["deu_Latn"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": False}, r"another encoder than the index: unit \(true in the index, false in the queries\)$"),
        ({"romanizer": "uroman 1"}, r'romanizer \(null in the index, "uroman 1" in the queries\)'),
        ({"fingerprint": None, "pooling": {"layer": 7}}, r"fingerprint \(\"abc123\" .*, null .*\), pooling"),
        ({"prompt": "query: "}, r'prompt \("" in the index, "query: " in the queries\)'),
    ],
)
def test_queries_of_another_encoder_are_refused(vectors, tmp_path, change, message) -> None:
    for made in (index(vectors, tmp_path / "i"), load_index(vectors.folder)):
        with pytest.raises(InputError, match=message):
            made.search(rows(1), encoder={**ENCODER, **change})
        assert made.search(rows(1), 1, encoder={**ENCODER, "tail": None})[1].tolist() == [[0]]
    made.check_encoder({**ENCODER, "prompt": "query: "}, prompt=False)
    with pytest.raises(InputError, match="unit"):
        made.check_encoder({**ENCODER, "unit": False}, prompt=False)


def test_vectors_in_memory_are_kept_as_they_are(tmp_path) -> None:
    made = save_index(tmp_path / "a", rows(5) * 9, names(5), encoder={"layers": (1, 8)}, texts=list("äbcde"))
    assert (made.vectors == rows(5) * 9).all() and made.encoder == {"layers": [1, 8]}
    row = made.rows_file.take([0])[0]
    assert (row["text"], row["text_sha256"]) == ("ä", hashlib.sha256("ä".encode()).hexdigest())
    plain = save_index(tmp_path / "b", rows(5).astype(np.float16), names(5), encoder={})
    assert plain.vectors.dtype == np.float16
    assert plain.rows_file.take([1]) == [{"id": "s1", "text_sha256": None, "language": "", "script": ""}]
    assert plain.search(rows(5), 1)[1].ravel().tolist() == [0, 1, 2, 3, 4]


def test_an_older_index_is_replaced_whole_or_stays(tmp_path) -> None:
    save_index(tmp_path / "i", rows(5), names(5), encoder={})
    with pytest.raises(InputError):
        save_index(tmp_path / "i", rows(2), ["same", "same"], encoder={})
    assert load_index(tmp_path / "i").rows == 5
    save_index(tmp_path / "i", rows(2), names(2), encoder={})
    assert load_index(tmp_path / "i").rows == 2
    assert [path.name for path in tmp_path.iterdir()] == ["i"]
    shutil.rmtree(tmp_path / "i")


@pytest.mark.parametrize(
    ("vectors", "ids", "options", "message"),
    [
        (rows(3), names(2), {}, "3 vectors but 2 ids"),
        (rows(2), names(2), {"texts": ["a"]}, "2 vectors but 1 texts"),
        (rows(2), names(2), {"languages": ["a"]}, "2 vectors but 1 languages"),
        (rows(2), ["a", "a"], {}, "id 'a': expected well-formed text, each id once"),
        (rows(1), [7], {}, "id 7: expected well-formed text"),
        (rows(1), ["\ud800"], {}, r"id '\\ud800': expected well-formed text"),
        ([[1.0], [np.nan]], ["a", "b"], {}, "the vector of id 'b' holds NaN or Inf"),
        ([[1e300]], ["a"], {}, "the vector of id 'a' holds NaN or Inf"),
        ([1.0], ["a"], {}, "expected a matrix of numbers"),
        (rows(1), ["a"], {"encoder": {"layer": np.int64(8)}}, "the description is not JSON"),
    ],
)
def test_bad_input_is_not_saved(tmp_path, vectors, ids, options, message) -> None:
    with pytest.raises(InputError, match=message):
        save_index(tmp_path / "a", vectors, ids, **{"encoder": {}, **options})
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_not_there_come_last() -> None:
    units = normalize(rows(3))
    scores, found = nearest(units[:2], [(np.arange(3), units)], 5)
    assert found[:, 0].tolist() == [0, 1] and sorted(found[0, :3]) == [0, 1, 2]
    assert found[:, 3:].tolist() == [[-1, -1]] * 2 and np.isneginf(scores[:, 3:]).all()
    assert (np.diff(scores[:, :3]) <= 0).all()

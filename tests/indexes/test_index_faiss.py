"""What may be built with FAISS, and what a filter by language finds in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from align.errors import InputError
from align.files.whole import read_json, sha256
from align.indexes import approximate, faiss_probe
from align.indexes.build import index
from align.indexes.index import load_index
from align.indexes.recall import TOLERANCE, check_scores, summary
from align.similarity.cosine import normalize
from align.vectors.folder import Vectors
from align.vectors.writing import save_vectors

faiss = pytest.importorskip("faiss")


def clustered(n: int, d: int = 16, seed: int = 0) -> np.ndarray:
    """Unit rows around a common mean, ten to a cluster, as those of sentences are."""
    rng = np.random.default_rng(seed)
    rows = 0.5 + 0.8 * np.repeat(rng.standard_normal((-(-n // 10), d)), 10, axis=0)[:n]
    return normalize((rows + 0.5 * rng.standard_normal((n, d))).astype(np.float32))


def corpus(out: Path, rows: np.ndarray, every: int = 100, parts: int = 3) -> Vectors:
    """One row of ``every`` is of the language xho_Latn, and one of twice as many of zul_Latn."""
    languages = ["eng_Latn"] * len(rows)
    languages[9 % (2 * every) :: 2 * every] = ["zul_Latn"] * len(languages[9 % (2 * every) :: 2 * every])
    languages[7 % every :: every] = ["xho_Latn"] * len(languages[7 % every :: every])
    return save_vectors(
        out, [str(i) for i in range(len(rows))], rows, texts=[str(i) for i in range(len(rows))],
        encoder={"name": "x"}, languages=languages, part_rows=len(rows) // parts,
    )  # fmt: skip


def cosines(queries: np.ndarray, rows: np.ndarray, chosen: np.ndarray, k: int) -> np.ndarray:
    """(n, k) the rows of the highest cosines among the chosen."""
    scores = np.where(chosen, np.rint(queries.astype(np.float64) @ rows.T.astype(np.float64) * 1e6), -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def share(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in zip(found.tolist(), expected.tolist(), strict=True)]))


@pytest.mark.parametrize("factory", ["HNSW8_PQ4", "HNSW8,PQ4", "HNSW8_PQ4,RFlat", "NSG8_PQ4", "NSG8_PQ4,RFlat"])
def test_what_compares_by_distance_is_refused(tmp_path, factory) -> None:
    with pytest.raises(
        InputError, match="FAISS compares by distance in .*, not by inner product: its hits would come w"
    ):
        index(corpus(tmp_path / "v", clustered(400)), tmp_path / "i", factory=factory)
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize("factory", ["HNSW0", "HNSW1", "IVF4_HNSW1,Flat", "PQ4x0", "RR0,Flat"])
def test_what_crashes_faiss_is_refused(tmp_path, factory) -> None:
    with pytest.raises(
        InputError, match=r"^FAISS crashes with .* and 300 rows \(exit code -\d+\): give another factory$"
    ):
        index(corpus(tmp_path / "v", clustered(300)), tmp_path / "i", factory=factory)
    assert not (tmp_path / "i").exists()


def test_what_comes_to_no_end_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(faiss_probe, "SECONDS", 2.0)
    with pytest.raises(InputError, match="FAISS does not come to an end with 'NSG0': 300 rows took more than 2 s"):
        index(corpus(tmp_path / "v", clustered(300)), tmp_path / "i", factory="NSG0")


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            "PCA4,Flat",
            r"the scores of 'PCA4,Flat' are no cosines: hits of 100 rows differ from theirs by 0\.[1-9]\d\d on",
        ),
        (
            "PQ1x6",
            r"'PQ1x6' does not find what is in it: of 100 of its rows [0-7]\d% find themselves among 10 hits \(at",
        ),
    ],
)
def test_what_does_not_score_as_the_cosine_or_loses_rows_is_refused(tmp_path, factory, message) -> None:
    with pytest.raises(InputError, match=message):
        index(corpus(tmp_path / "v", clustered(3000)), tmp_path / "i", factory=factory, recall_queries=10)
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize(
    ("factory", "within"),
    [
        ("HNSW8", 1e-5),
        ("HNSW8_SQ8", 0.02),
        ("NSG16", 1e-5),
        ("IVF8,PQ8x4np", 0.3),
        ("SQ4", 0.1),
        ("PCA8,Flat,RFlat", 1e-5),
    ],
)
def test_scores_are_cosines_best_first_and_a_row_finds_itself(tmp_path, factory, within) -> None:
    rows = clustered(400)
    made = index(corpus(tmp_path / "v", rows, parts=1), tmp_path / "i", factory=factory, recall_queries=20)
    scores, found = made.search(rows, 10)
    assert (np.diff(scores, axis=1) <= 0).all() and (found >= 0).all()
    assert scores == pytest.approx(np.einsum("nd,nkd->nk", rows, rows[found]), abs=within)
    assert (found == np.arange(400)[:, None]).any(axis=1).mean() > 0.95
    checked = made.manifest["built"]["checked"]
    assert (checked["rows"], checked["k"], checked["tolerance"]) == (100, 10, TOLERANCE)
    assert checked["difference"] <= within and checked["order"] > 0.9 and checked["itself"] > 0.95


def test_the_check_by_hand() -> None:
    queries = np.eye(2, dtype=np.float32)
    vectors = np.array([[[1, 0], [0.6, 0.8]], [[0, 1], [0, 0]]], dtype=np.float32)
    told = check_scores("F", queries, np.array([[0.9, 0.7], [1.0, -np.inf]], dtype=np.float32), vectors)
    assert told == {"rows": 2, "k": 2, "difference": 0.0667, "tolerance": 0.15, "order": 1.0, "itself": 1.0}
    worst_first = np.array([[0.8, 0.85], [1.0, -np.inf]], dtype=np.float32)  # each within the tolerance, on average
    with pytest.raises(InputError, match="'F' are no cosines: hits of 2 rows .* by 0.150 .*, and 0% of pairs are in o"):
        check_scores("F", queries, worst_first, vectors)
    with pytest.raises(
        InputError, match="'F' does not find what is in it: of 2 of its rows 50% find themselves among 2"
    ):
        check_scores("F", queries, np.array([[1, 0.6], [0, 0]], dtype=np.float32), vectors * [[[1]], [[0]]])
    assert check_scores("F", queries[:0], np.empty((0, 2), np.float32), np.empty((0, 2, 2), np.float32))["itself"] == 1


def test_an_older_index_that_compares_by_distance_is_not_opened(tmp_path) -> None:
    rows = clustered(300)
    index(corpus(tmp_path / "v", rows), tmp_path / "i", factory="HNSW8")
    made = faiss.index_factory(16, "HNSW8_PQ4x4", faiss.METRIC_INNER_PRODUCT)
    made.train(rows)
    made.add(rows)
    file = tmp_path / "i" / "index.faiss"
    faiss.write_index(made, str(file))
    manifest = read_json(tmp_path / "i/manifest.json")
    manifest["files"]["index.faiss"] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
    (tmp_path / "i/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="FAISS compares by distance in '.*index.faiss'"):
        load_index(tmp_path / "i")


FILTERED = ("HNSW4", "HNSW4_SQ8", "NSG16", "IVF64,Flat", "IVF64,SQ8", "PCA12,HNSW8,RFlat", "RR16,HNSW4", "SQ8")


@pytest.mark.parametrize("factory", FILTERED)
def test_of_few_rows_all_are_compared(tmp_path, factory) -> None:
    rows, queries = clustered(3000), clustered(40, seed=1)
    made = index(corpus(tmp_path / "v", rows, parts=1), tmp_path / "i", factory=factory, recall_queries=20)
    expected = cosines(queries, rows, np.arange(3000) % 100 == 7, 10)
    effort = {"HNSW": {"ef_search": 16}, "IVF6": {"nprobe": 1}}.get(factory[:4], {})
    for one in (made, load_index(tmp_path / "i", mmap=False)):
        for given in ({}, effort):
            scores, found = one.search(queries, 10, languages=["xho_Latn"], **given)
            assert share(found, expected) > (0.95 if "SQ8" in factory else 0.999)
            assert scores == pytest.approx(np.einsum("nd,nkd->nk", queries, rows[found]), abs=0.03)
    found = made.search(queries, 40, languages=["xho_Latn"])[1]
    assert (found[:, :30] >= 0).all() and (found[:, 30:] == -1).all()  # there are thirty


@pytest.mark.parametrize("factory", ["HNSW16", "IVF64,Flat"])
def test_of_more_rows_the_effort_grows_as_their_share_falls(tmp_path, monkeypatch, factory) -> None:
    monkeypatch.setattr(approximate, "FEW_ROWS", 0)
    monkeypatch.setattr(approximate, "LINKS", 0)
    rows, queries = normalize(np.random.default_rng(0).standard_normal((4000, 16)).astype(np.float32)), clustered(50)
    made = index(corpus(tmp_path / "v", rows, every=10), tmp_path / "i", factory=factory, ef_search=None, nprobe=None)
    everything = share(made.search(queries, 10)[1], cosines(queries, rows, np.full(4000, True), 10))
    chosen = np.arange(4000) % 10 == 7
    filtered = share(made.search(queries, 10, languages=["xho_Latn"])[1], cosines(queries, rows, chosen, 10))
    assert filtered >= everything - 0.03
    effort = {"nprobe": 1} if "IVF" in factory else {"ef_search": 1}
    narrow = share(made.search(queries, 10, languages=["xho_Latn"], **effort)[1], cosines(queries, rows, chosen, 10))
    assert 0.5 < narrow < filtered  # of one list, or candidate, ten


def test_the_filtered_recall_of_the_rarest_languages_is_measured(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(approximate, "FEW_ROWS", 0)
    rows = normalize(np.random.default_rng(0).standard_normal((2000, 16)).astype(np.float32))
    made = index(
        corpus(tmp_path / "v", rows, every=4), tmp_path / "i", factory="IVF64,Flat", nprobe=1, k=5, recall_queries=300,
        seed=3,
    )  # fmt: skip
    told = made.manifest["built"]["filtered"]
    assert [(one["language"], one["rows"], one["k"], one["queries"]) for one in told] == [
        ("zul_Latn", 250, 5, 200), ("xho_Latn", 500, 5, 200), ("eng_Latn", 1250, 5, 200)
    ]  # fmt: skip
    rng = np.random.default_rng(3)  # the queries by hand
    rng.choice(2000, 2000, replace=False, shuffle=False)
    first = rng.integers(2000, size=300)
    second = (first + rng.integers(1, 2000, size=300)) % 2000
    queries = normalize(rows[first] + rows[second])[:200]
    for one, chosen in zip(told[:2], (np.arange(2000) % 8 == 1, np.arange(2000) % 4 == 3), strict=True):
        names = {"zul_Latn": np.arange(2000) % 8 == 9 % 8, "xho_Latn": np.arange(2000) % 4 == 7 % 4}
        assert (names[one["language"]] == chosen).all()
        found, right = made.search(queries, 7, languages=[one["language"]])[1], cosines(queries, rows, chosen, 7)
        hits = [
            len({*[row for row in a if row not in pair][:5]} & {*[row for row in b if row not in pair][:5]}) / 5
            for a, b, pair in zip(found.tolist(), right.tolist(), zip(first, second, strict=False), strict=False)
        ]
        assert one["recall"] == pytest.approx(np.mean(hits), abs=0.003)
    worst = min(told, key=lambda one: one["recall"])
    assert f", {worst['recall']:.3f} in {worst['language']} alone ({worst['rows']:,} rows)" in summary(made.manifest)


def test_a_filter_that_does_not_work_and_one_language_are_not_measured(tmp_path) -> None:
    rows = clustered(300)
    cannot = index(corpus(tmp_path / "v", rows), tmp_path / "i", factory="PQ8x4np")
    assert cannot.manifest["built"]["filtered"] == [] and cannot.manifest["built"]["recall"]["recall"] > 0
    alone = save_vectors(tmp_path / "w", [str(i) for i in range(300)], rows, texts=[str(i) for i in range(300)],
                         encoder={}, languages=["eng_Latn"] * 300)  # fmt: skip
    assert index(alone, tmp_path / "j", factory="HNSW8").manifest["built"]["filtered"] == []
    unmeasured = index(alone, tmp_path / "j", factory="HNSW8", recall_queries=0).manifest["built"]
    assert (unmeasured["recall"], unmeasured["filtered"]) == (None, None)


def test_how_many_rows_are_few_by_hand() -> None:
    million, lists, rows = 10**6, {"nprobe": 1024}, {"ef_search": 10**6}
    for effort, whole, most in (
        ({"nprobe": 32}, lists, million // 32),  # of a 32nd of the rows, 32 times as many lists are all of them
        ({"nprobe": 1}, lists, 10_000),  # so many are few whatever it takes to find them
        ({"ef_search": 64}, rows, 64_000),  # 64 links x 64 candidates / 0.064 = 64,000
        ({}, {}, million),
    ):
        assert approximate.few(effort, whole, most, million)
        assert not effort or not approximate.few(effort, whole, most + 1, million)

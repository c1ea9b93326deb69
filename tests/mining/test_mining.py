from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from align.errors import InputError
from align.mining.mining import DIRECTIONS, candidates, mine
from align.mining.neighbours import default_factory, faiss_neighbours
from align.mining.pairs import best_threshold, quality
from align.similarity.margin import SCORES, margins
from align.similarity.nearest import Neighbours, exact_neighbours, top_k
from align.vectors.writing import save_vectors

ENCODER = {"fingerprint": "abc"}


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane: cosines are those of the differences."""
    return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees])


def folder(path: Path, vectors: np.ndarray, texts: list[str], *, prefix: str = "", encoder=ENCODER, **options) -> Path:
    save_vectors(path, [f"{prefix}{i}" for i in range(len(texts))], vectors, texts=texts, encoder=encoder, **options)
    return path


def planted(n: int = 60, m: int = 80, shared: int = 30, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Row i of either side has one meaning for i < shared; the rest has none."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    y[:shared] = x[:shared] + 0.5 * rng.standard_normal((shared, d))
    return x + 0.5, y + 0.5


def by_definition(x: np.ndarray, y: np.ndarray, score: str, k: int, direction: str) -> list[tuple[float, int, int]]:
    """(score, row of x, row of y), one pair at a time, in float64."""
    x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
    cosines = np.round(x @ y.T, 6)
    near_x = [sorted(range(len(y)), key=lambda j: (-cosines[i][j], j))[:k] for i in range(len(x))]
    near_y = [sorted(range(len(x)), key=lambda i: (-cosines[i][j], i))[:k] for j in range(len(y))]
    r_x = [np.mean([cosines[i][j] for j in near]) for i, near in enumerate(near_x)]
    r_y = [np.mean([cosines[i][j] for i in near]) for j, near in enumerate(near_y)]

    def of(i: int, j: int) -> float:
        mean = (r_x[i] + r_y[j]) / 2
        cos = cosines[i][j]
        return {"cosine": cos, "ratio": cos / mean, "distance": cos - mean, "csls": 2 * (cos - mean)}[score]

    forward = {(i, min(near, key=lambda j: (-round(of(i, j), 6), j))) for i, near in enumerate(near_x)}
    backward = {(min(near, key=lambda i: (-round(of(i, j), 6), i)), j) for j, near in enumerate(near_y)}
    chosen = {
        "forward": forward, "backward": backward, "intersection": forward & backward, "max": forward | backward
    }[direction]  # fmt: skip
    pairs: list[tuple[float, int, int]] = []
    for value, i, j in sorted(((of(i, j), i, j) for i, j in chosen), key=lambda p: (-round(p[0], 6), p[1], p[2])):
        if all(i != other and j != another for _, other, another in pairs):
            pairs.append((value, i, j))
    return pairs


@pytest.mark.parametrize("block", [7, 2048])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("score", SCORES)
def test_mined_pairs_match_the_definition(score: str, direction: str, block: int) -> None:
    x, y = planted()
    found = mine(x, y, score=score, direction=direction, block=block, k=3).pairs
    wanted = by_definition(x, y, score, 3, direction)
    assert list(zip(found.x.tolist(), found.y.tolist(), strict=True)) == [(i, j) for _, i, j in wanted]
    np.testing.assert_allclose(found.scores, [value for value, _, _ in wanted], atol=5e-6, rtol=5e-6)
    assert len(wanted) > 20  # else little was compared


def test_the_directions_differ() -> None:
    x, y = planted(shared=20)
    pairs = {
        direction: {*zip(*(side.tolist() for side in (found.x, found.y)), strict=True)}
        for direction in DIRECTIONS
        for found in [mine(x, y, direction=direction).pairs]
    }
    assert pairs["intersection"] < pairs["forward"] and pairs["intersection"] < pairs["backward"]
    assert pairs["forward"] != pairs["backward"] and pairs["max"] not in (pairs["forward"], pairs["backward"])


def test_directions_by_hand() -> None:
    # x at 0 and 40 degrees, y at 10, 60 and 100.  Cosines of 10: .985, 20: .940, 30: .866, 60: .5, 100: -.174
    # forward: x_0 -> y_0 (10 off), x_1 -> y_1 (20 off).  backward: y_0 -> x_0, y_1 -> x_1, y_2 -> x_1 (60 off)
    x, y = at(0, 40), at(10, 60, 100)
    options = {"score": "cosine", "k": 2}
    for direction in ("forward", "intersection", "max"):
        found = mine(x, y, direction=direction, **options)
        assert found.pairs.x.tolist() == [0, 1] and found.pairs.y.tolist() == [0, 1]
        assert found.pairs.scores.tolist() == [0.984808, 0.939693]
    found = mine(x, y, direction="backward", **options)  # x_1 is taken by y_1 when y_2 comes
    assert found.pairs.y.tolist() == [0, 1]
    counts = {"forward": 2, "backward": 3, "mutual": 2, "candidates": 2}
    nothing = {"rows": 2, "copies": 0}, {"rows": 3, "copies": 0}
    assert found.numbers == {"x": nothing[0], "y": nothing[1], **counts, "threshold": None, "kept": 2}
    # a third x at 70: y_1 (10 off) is now its best, x_1 has its best (y_1, 20 off) taken: forward leaves it alone,
    # the intersection too; max gives nothing more, for y_2 (30 off from x_2) has lost x_2 as well
    found = {direction: mine(at(0, 40, 70), y, direction=direction, **options).pairs for direction in DIRECTIONS}
    assert {d: (p.x.tolist(), p.y.tolist()) for d, p in found.items()} == dict.fromkeys(DIRECTIONS, ([0, 2], [0, 1]))
    # y_2 alone at 100 and another x at 125: x_3 -> y_2 (25 off), y_2 -> x_3; nearer pairs first
    found = mine(at(0, 40, 70, 125), y, direction="max", **options).pairs
    assert (found.x.tolist(), found.y.tolist()) == ([0, 2, 3], [0, 1, 2])


def test_the_ratio_by_hand() -> None:
    # x at 0, 90; y at 0, 60.  cosines: 1, .5 / 0, .866.  k = 2: r_x .75, .433; r_y .5, .683
    # x_0 y_0: 1 / .625 = 1.6; x_0 y_1: .5 / .7165 = .698; x_1 y_0: 0; x_1 y_1: .866 / .558 = 1.552
    found = mine(at(0, 90), at(0, 60), k=2).pairs
    assert (found.x.tolist(), found.y.tolist()) == ([0, 1], [0, 1])
    assert found.scores == pytest.approx([1.6, 0.8660254 / ((0.4330127 + 0.6830127) / 2)], abs=2e-6)
    assert found.cosines == pytest.approx([1, 0.866025])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("score", SCORES)
def test_of_equal_pairs_the_lower_rows_come_first(score: str, direction: str) -> None:
    same = np.tile([[3.0, 4.0]], (5, 1))
    for block in (2, 2048):
        found = mine(same, same, score=score, direction=direction, block=block).pairs
        assert (found.x.tolist(), found.y.tolist()) == ([0], [0])


def test_sides_without_rows_and_with_one() -> None:
    nothing = np.empty((0, 2))
    for direction in DIRECTIONS:
        for x, y in ((nothing, at(0)), (at(0), nothing), (nothing, nothing)):
            assert mine(x, y, direction=direction).numbers["kept"] == 0
        assert mine(at(0), at(180), direction=direction).pairs.cosines.tolist() == [-1]


@pytest.mark.parametrize("block", [3, 16, 2048])
@pytest.mark.parametrize(("n", "m", "k"), [(1, 1, 4), (5, 40, 4), (40, 5, 4), (33, 47, 1)])
def test_neighbours_of_both_sides_are_those_of_top_k(n: int, m: int, k: int, block: int) -> None:
    x, y = planted(n, m, 0)
    x[-1] = x[0]  # a tie
    for near, (queries, others) in zip(exact_neighbours(x, y, k=k, block=block), ((x, y), (y, x)), strict=True):
        cosines, rows = top_k(queries, others, k)
        assert (near.rows == rows).all()
        np.testing.assert_allclose(near.cosines, cosines, atol=1.5e-6)


def test_faiss_flat_is_exact() -> None:
    pytest.importorskip("faiss")
    x, y = planted(300, 400, 150)
    near = exact_neighbours(x, y)
    for found, wanted in zip(faiss_neighbours(x, y, block=64), near, strict=True):
        assert (found.rows == wanted.rows).all()
        np.testing.assert_allclose(found.cosines, wanted.cosines, atol=1.5e-6)
    for direction in DIRECTIONS:
        exact, approximate = (mine(x, y, engine=engine, direction=direction) for engine in ("exact", "faiss"))
        assert exact.numbers == approximate.numbers
        assert (exact.pairs.x == approximate.pairs.x).all() and (exact.pairs.y == approximate.pairs.y).all()


def test_faiss_orders_ties_by_the_lower_row() -> None:
    pytest.importorskip("faiss")
    same = np.tile([[3.0, 4.0]], (4, 1))
    assert (faiss_neighbours(same, same)[0].rows == np.arange(4)).all()


def test_an_approximate_index_finds_most_and_lies_about_no_cosine() -> None:
    pytest.importorskip("faiss")
    x, y = planted(2000, 2000, 1000, d=16)
    exact, _ = exact_neighbours(x, y)
    for factory in ("IVF16,Flat", "OPQ4,IVF16,PQ4x4"):
        found, _ = faiss_neighbours(x, y, factory=factory, probes=4)
        again, _ = faiss_neighbours(x, y, factory=factory, probes=4)
        assert (found.rows == again.rows).all()
        recall = np.mean([len({*a} & {*b}) / 4 for a, b in zip(found.rows, exact.rows, strict=True)])
        assert 0.2 < recall < 1
        units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y)]
        np.testing.assert_allclose(found.cosines, np.einsum("id,ikd->ik", units[0], units[1][found.rows]), atol=1e-5)
        assert (np.diff(found.cosines) <= 0).all()
    found, _ = faiss_neighbours(x, y, factory="IVF16,Flat", probes=16)  # all clusters: exact
    assert (found.rows == exact.rows).all()


def test_a_row_without_neighbours_is_no_candidate() -> None:
    pytest.importorskip("faiss")
    near = Neighbours(
        np.array([[0.5, 0.3], [0.4, -np.inf], [-np.inf, -np.inf]], np.float32), np.array([[0, 1], [0, -1], [-1, -1]])
    )
    back = Neighbours(np.array([[0.5, 0.4], [0.3, -np.inf]], np.float32), np.array([[0, 1], [0, -1]]))
    scores, _ = margins(near, back, score="ratio")
    # r_x .4, .4; r_y .45, .3
    np.testing.assert_allclose(scores[:2], [[0.5 / 0.425, 0.3 / 0.35], [0.4 / 0.425, -np.inf]], rtol=1e-6)
    found, counts = candidates(near, back, direction="forward")
    assert (found.x.tolist(), found.y.tolist()) == ([0], [0])
    assert counts == {"forward": 2, "backward": 2, "mutual": 1, "candidates": 1}
    x = np.eye(40, 8)  # one probe of many clusters: most rows find fewer than 30
    found, _ = faiss_neighbours(x, x, k=30, factory="IVF8,Flat", probes=1)
    assert ((found.rows == -1) == np.isneginf(found.cosines)).all() and (found.rows == -1).any()
    assert (np.diff((found.rows == -1).astype(int)) >= 0).all()


def test_default_factory() -> None:
    assert [default_factory(rows) for rows in (10, 20_000, 100_000, 10**6)] == [
        "Flat", "Flat", "IVF1024,Flat", "IVF4096,Flat"
    ]  # fmt: skip


def test_copies_count_once(tmp_path: Path) -> None:
    # x: a, a, b; y: B, A, B, A: the first of each stands for all
    x = folder(tmp_path / "x", at(0, 0, 90), ["a", "a", "b"], prefix="x")
    y = folder(tmp_path / "y", at(80, 5, 80, 5), ["B", "A", "B", "A"], prefix="y", part_rows=3)
    found = mine(x, y, tmp_path / "out.tsv", score="cosine")
    assert found.numbers["x"] == {"rows": 3, "copies": 1} and found.numbers["y"] == {"rows": 4, "copies": 2}
    assert (found.pairs.x.tolist(), found.pairs.y.tolist()) == ([0, 2], [1, 0])
    assert (tmp_path / "out.tsv").read_text() == (
        "score\tcosine\tx_id\ty_id\tx_text\ty_text\n0.996195\t0.996195\tx0\ty1\ta\tA\n0.984808\t0.984808\tx2\ty0\tb\tB\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tsv", "x", "y"]  # no temporary folder is left


def test_one_line_is_one_pair_and_texts_may_be_missing(tmp_path: Path) -> None:
    x = folder(tmp_path / "x", at(0, 90), ["tab\there", "line\nend\r\\"])
    y = folder(tmp_path / "y", at(0, 90), ["A", "B"], store_texts=False)
    mine(x, y, tmp_path / "deep" / "out.tsv", temporary=tmp_path / "other")
    lines = (tmp_path / "deep" / "out.tsv").read_bytes().decode().split("\n")
    assert lines[0] == "score\tcosine\tx_id\ty_id\tx_text"
    assert [line.split("\t")[2:] for line in lines[1:]] == [
        ["0", "0", "tab here"],
        ["1", "1", "line end \\"],
        [],
    ]


IDS = ["C:\\temp\\new", "a\\\\b", "tab\there", "%s\n\"'", "x" * 1000, "\\t"]


def test_what_is_mined_is_read_as_gold(tmp_path: Path) -> None:
    units = np.eye(6, dtype=np.float32)
    sides = [
        save_vectors(
            tmp_path / name, IDS, units, texts=[f"{name} \\frac{{{i}}}" for i in range(6)], encoder={"name": "t"}
        )
        for name in ("x", "y")
    ]
    out = tmp_path / "out.tsv"
    mine(*sides, out)
    lines = out.read_text().splitlines()
    assert len(lines) == 7 and lines[1].split("\t")[2:] == ["C:\\temp\\new"] * 2 + ["x \\frac{0}", "y \\frac{0}"]
    assert mine(*sides, gold=out).numbers["f1"] == 1
    alone = ["\t".join(line.split("\t")[3:1:-1]) for line in lines]
    out.write_text("\n".join(["Y_ID\tX_ID", *alone[1:], "", "\t"]))
    assert mine(*sides, gold=out).numbers["f1"] == 1
    doubled = [name.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") for name in IDS]
    out.write_text("".join(f"{name}\t{name}\n" for name in doubled))
    assert mine(*sides, gold=out).numbers["f1"] == 1
    out.write_text("C:\\temp\tC:\\temp\\new\n")
    with pytest.raises(InputError, match=r"line 1: no sentence of .*x has the id 'C:"):
        mine(*sides, gold=out)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_folders_are_mined_as_arrays_are(tmp_path: Path, dtype) -> None:
    x, y = (side.astype(dtype) for side in planted(90, 70))
    sides = [
        folder(tmp_path / name, side, [f"{name}{i}" for i in range(len(side))], part_rows=40)
        for name, side in (("x", x), ("y", y))
    ]
    for direction in DIRECTIONS:
        found, wanted = mine(*sides, direction=direction), mine(x, y, direction=direction)
        assert found.numbers == wanted.numbers
        for name in ("scores", "cosines", "x", "y"):
            assert (getattr(found.pairs, name) == getattr(wanted.pairs, name)).all()


def test_empty_folders(tmp_path: Path) -> None:
    x = folder(tmp_path / "x", np.empty((0, 2)), [])
    assert mine(x, x, tmp_path / "out.tsv").numbers["kept"] == 0
    assert (tmp_path / "out.tsv").read_text() == "score\tcosine\tx_id\ty_id\n"


def test_best_threshold_by_hand() -> None:
    # best first: right, wrong, right, right, wrong; 4 gold pairs.  F1 = 2 hits / (kept + 4): 2/5, 2/6, 4/7, 6/8, 6/9
    found = best_threshold([0.5, 0.9, 0.7, 0.6, 0.8], [0, 1, 1, 1, 0], 4)
    assert (found.threshold, found.precision, found.recall) == (pytest.approx(0.55), 3 / 4, 3 / 4)
    assert (found.f1, found.judged) == (6 / 8, 4)
    # equal scores are kept together: of two with .8, one right: 2/4, not 2/3
    assert best_threshold([0.8, 0.8], [1, 0], 2).f1 == 2 / 4
    # of equal F1 the highest cut: 2/3 after one, 2/3 after four would need 2 more hits; all kept: the last score itself
    assert best_threshold([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1], 2).threshold == pytest.approx(0.85)
    assert best_threshold([0.9], [1], 1).threshold == 0.9
    assert best_threshold([0.9, 0.8], [0, 0], 1).f1 == 0


def test_best_threshold_tries_every_cut() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 12))
        scores, right = rng.integers(0, 6, n) / 10, rng.random(n) < 0.5
        total = int(right.sum() + rng.integers(1, 4))
        found = best_threshold(scores, right, total)
        assert found.f1 == max(quality(scores, right, total, cut).f1 for cut in scores)
        assert found == quality(scores, right, total, found.threshold)


def test_quality_above_a_threshold() -> None:
    found = quality([0.9, 0.8, 0.5], [True, False, True], 4, 0.8)
    assert (found.precision, found.recall, found.f1, found.judged) == (1 / 2, 1 / 4, 2 / 6, 2)
    nothing = quality([0.9], [True], 4, 2)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)


def gold_folders(tmp_path: Path) -> tuple[Path, Path]:
    # x_i belongs to y_i for i < 3; x_3 and y_3 are strangers that are near; x_4 copies x_0
    x = folder(tmp_path / "x", at(0, 50, 100, 150, 0), ["a", "b", "c", "d", "a"], prefix="x")
    y = folder(tmp_path / "y", at(1, 52, 105, 160), ["A", "B", "C", "D"], prefix="y")
    return x, y


def test_gold_pairs_choose_the_threshold(tmp_path: Path) -> None:
    x, y = gold_folders(tmp_path)
    gold = tmp_path / "gold.tsv"
    # the strangers are named: their pair is wrong.  cosines .99985, .99939, .99619, .98481
    gold.write_text("x_id\ty_id\nx4\ty0\nx1\ty1\nx2\ty2\nx3\t\n\ty3\n")
    found = mine(x, y, score="cosine", gold=gold).numbers
    assert (found["precision"], found["recall"], found["f1"], found["kept"], found["judged"]) == (1, 1, 1, 3, 3)
    assert 0.98481 < found["threshold"] < 0.99619
    # only the first two are known: the others are not judged, but the threshold holds for all
    gold.write_text("x0\ty0\nx1\ty2\n")
    found = mine(x, y, score="cosine", gold=gold).numbers
    assert (found["precision"], found["recall"], found["f1"], found["kept"]) == (1, 1 / 2, 2 / 3, 1)
    # a threshold that is given is kept, and judged: x0 y0 right; x1 y1 and x2 y2 wrong
    found = mine(x, y, score="cosine", gold=gold, threshold=0.99).numbers
    assert (found["threshold"], found["precision"], found["recall"], found["judged"]) == (0.99, 1 / 3, 1 / 2, 3)


def test_gold_of_arrays_names_rows(tmp_path: Path) -> None:
    (tmp_path / "gold.tsv").write_text("0\t0\n1\t1\n")
    found = mine(at(0, 50), at(1, 52), gold=tmp_path / "gold.tsv", score="cosine")
    assert found.numbers["f1"] == 1


def test_the_threshold_is_the_least_score_kept() -> None:
    x, y = at(0, 50, 100), at(1, 60, 120)  # cosines .999848, .984808, .939693
    for threshold, kept in ((0.984808, 2), (0.984809, 1), (2, 0), (-1, 3)):
        assert mine(x, y, score="cosine", threshold=threshold).numbers["kept"] == kept


@pytest.mark.parametrize("direction", ["intersection", "max"])
def test_memory_grows_with_the_rows_only_by_what_is_found(direction: str) -> None:
    peaks = {}
    for n in (3000, 6000):
        for block in (256, 1024):
            x, y = (side.astype(np.float32) for side in planted(n, n, n // 2, d=8))
            tracemalloc.start()
            mine(x, y, block=block, direction=direction)
            peaks[n, block] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    matrix = 3000 * 3000 * 4
    assert peaks[3000, 256] < matrix / 6 and peaks[6000, 256] < 4 * matrix / 10
    assert peaks[6000, 256] - peaks[3000, 256] < 3000 * 1000  # bytes a row: neighbours and pairs, no row of scores
    assert peaks[6000, 1024] < 1.5 * peaks[3000, 1024]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    x, y = gold_folders(tmp_path)
    other = folder(tmp_path / "other", at(0), ["a"], encoder={"fingerprint": "xyz"})
    wide = folder(tmp_path / "wide", np.ones((1, 3)), ["a"])
    gold = tmp_path / "gold.tsv"
    cases: list[tuple[tuple, dict, str]] = [
        ((x, y), {"score": "cos"}, "unknown score 'cos': expected one of cosine, csls, ratio, distance"),
        ((x, y), {"k": 0}, "k must be at least 1, got 0"),
        (
            (x, y),
            {"direction": "both"},
            "unknown direction 'both': expected one of intersection, forward, backward, max",
        ),
        ((x, y), {"engine": "milvus"}, "unknown engine 'milvus': expected one of exact, faiss"),
        ((x, y), {"threshold": math.nan}, "the threshold is not a number"),
        ((x, y), {"block": 0}, "block must be at least 1 row, got 0"),
        ((x, other), {}, r'are of two encoders: fingerprint \("abc" in x, "xyz" in y\)'),
        ((x, wide), {}, "queries have 2 dimensions, candidates 3"),
        ((x, wide), {"engine": "faiss"}, "queries have 2 dimensions, candidates 3"),
        ((tmp_path / "none", y), {}, "is no folder of vectors"),
        ((at(0), [[math.nan, 1]]), {}, "row 0 holds NaN or Inf"),
    ]
    for given, options, message in cases:
        with pytest.raises(InputError, match=message):
            mine(*given, tmp_path / "out.tsv", **options)
    for text, message in {
        "x0\ty0\tz\n": "gold.tsv, line 1: expected x_id TAB y_id .one may be empty., got 3 columns",
        "x0\ty0\ty_0\nx0\n": "gold.tsv, line 1: expected x_id TAB y_id",
        "x0\ty0\ny1\ty1\n": "gold.tsv, line 2: no sentence of .*x has the id 'y1'",
        "x_id\ty_id\nx0\tx0\n": "gold.tsv, line 2: no sentence of .*y has the id 'x0'",
        "x0\t\n": "gold.tsv holds no pair",
    }.items():
        gold.write_text(text)
        with pytest.raises(InputError, match=message):
            mine(x, y, tmp_path / "out.tsv", gold=gold)
    gold.write_text("1\t1\n")  # x_1 has its best taken, and y_1 too
    with pytest.raises(InputError, match="none of the 1 mined pairs has a sentence that it names"):
        mine(at(0, 20), at(1, -30), score="cosine", gold=gold)
    with pytest.raises(InputError, match="there is no gold pair"):
        quality([1.0], [True], 0, 1)
    with pytest.raises(InputError, match="there is no pair to choose a threshold from"):
        best_threshold([], [], 1)
    with pytest.raises(InputError, match=r"scores have shape \(1,\), right \(2,\)"):
        best_threshold([1.0], [True, False], 1)
    assert not (tmp_path / "out.tsv").exists()


def test_an_index_that_cannot_be_made(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("faiss")
    for factory, message in (
        ("Tree", "'Tree'"),
        ("IVF64,Flat", "'IVF64,Flat' needs at least 64 rows to train on, got 2"),
    ):
        with pytest.raises(InputError, match=message):
            mine(at(0, 90), at(0, 90), engine="faiss", factory=factory)
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(InputError, match=r"needs FAISS: pip install 'align-encoders\[faiss\]'"):
        mine(at(0, 90), at(0, 90), engine="faiss")


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    x, y = gold_folders(tmp_path)
    part = x / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-9] + b"x" * 9)
    with pytest.raises(InputError, match="part-00000.parquet is damaged"):
        mine(x, y, tmp_path / "out.tsv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]

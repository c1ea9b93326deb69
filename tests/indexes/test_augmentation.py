import json
import re

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer

from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.errors import InputError
from align.files.whole import read_json
from align.indexes.augment import augment
from align.indexes.augmentation import ALPHAS, augment_matrix, best_alpha
from align.similarity.cosine import normalize
from align.similarity.ranks import gold_ranks
from align.vectors.corpus.parts import encoder_identity
from align.vectors.folder import open_vectors, vector_table, vectors_of
from align.vectors.writing import begin, finish, finished_parts, save_vectors, write_part


def rows(n, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def by_definition(passages, queries, owners, alpha, reduce, unit):
    """The formula, one passage and one query at a time, in float64."""
    made = []
    for i, passage in enumerate(passages.astype(np.float64)):
        mine = [query.astype(np.float64) for query, owner in zip(queries, owners, strict=True) if owner == i]
        if not mine:
            made.append(passage)
            continue
        length = np.linalg.norm(passage) if unit else 1.0
        start = passage / length
        mine = [query / np.linalg.norm(query) for query in mine] if unit else mine
        moved = (1 - alpha) * start + alpha * sum(mine) / (len(mine) if reduce == "mean" else 1)
        made.append(length * moved / np.linalg.norm(moved) if unit else moved)
    return np.array(made)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (3, 1), (7, 20), (7, 0), (0, 0)])
@pytest.mark.parametrize("alpha", [0.01, 0.4, 1.0])
def test_the_definition(n, m, reduce, unit, alpha):
    passages, queries = 3 * rows(n, seed=1), 2 * rows(m, seed=2)
    owners = np.random.default_rng(3).integers(0, max(n, 1), m)
    expected = by_definition(passages, queries, owners, alpha, reduce, unit).reshape(n, 5)
    found = augment_matrix(passages, queries, owners, alpha=alpha, reduce=reduce, unit=unit)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_numbers_by_hand():
    passages, queries = [[2.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 3.0]]
    # .8 * (2, 0) + .2 * ((0, 1) + (0, 3)), and with the mean .2 * (0, 2)
    np.testing.assert_allclose(
        augment_matrix(passages, queries, [0, 0], alpha=0.2, unit=False), [[1.6, 0.8], [0, 1]], rtol=1e-6
    )
    np.testing.assert_allclose(
        augment_matrix(passages, queries, [0, 0], alpha=0.2, unit=False, reduce="mean"), [[1.6, 0.4], [0, 1]], rtol=1e-6
    )
    # unit: .6 * (1, 0) + .4 * (0, 2) = (.6, .8), of length 1; the passage's own length is 2
    np.testing.assert_allclose(augment_matrix(passages, queries, [0, 0], alpha=0.4), [[1.2, 1.6], [0, 1]], rtol=1e-6)
    # the default weight, .99 and .01, and queries alone
    np.testing.assert_allclose(augment_matrix([[1, 0]], [[0, 1]], [0], unit=False), [[0.99, 0.01]], rtol=1e-6)
    np.testing.assert_allclose(augment_matrix(passages, queries, [0, 0], alpha=1.0), [[0, 2], [0, 1]], atol=1e-7)


def test_the_mean_points_where_the_sum_does_with_another_weight():
    passages, queries, q, a = rows(4), rows(140, seed=1), 35, 0.01
    owners = np.repeat(np.arange(4), q)
    other = a * q / (1 - a + a * q)
    assert round(other, 2) == 0.26
    summed = augment_matrix(passages, queries, owners, alpha=a)
    np.testing.assert_allclose(summed, augment_matrix(passages, queries, owners, alpha=other, reduce="mean"), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("unit", [True, False])
def test_what_is_not_moved_stays_to_the_last_bit(dtype, unit):
    passages = rows(6).astype(dtype)
    before = passages.copy()
    for found in (
        augment_matrix(passages, rows(9, seed=1), [0, 1, 2] * 3, alpha=0.0, unit=unit),
        augment_matrix(passages, np.empty((0, 5)), np.empty(0), alpha=0.3, unit=unit),
    ):
        assert found.dtype == dtype and found is not passages
        np.testing.assert_array_equal(found, before)
    moved = augment_matrix(passages, rows(2, seed=1), [1, 4], alpha=0.3, unit=unit)
    assert moved.dtype == dtype
    assert (moved != before).any(axis=1).tolist() == [False, True, False, False, True, False]
    np.testing.assert_array_equal(moved[[0, 2, 3, 5]], before[[0, 2, 3, 5]])
    np.testing.assert_array_equal(passages, before)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_blocks_and_the_order_of_queries_change_no_bit(reduce):
    passages, queries, owners = rows(11), rows(40, seed=1), np.random.default_rng(2).integers(0, 11, 40)
    whole = augment_matrix(passages, queries, owners, alpha=0.2, reduce=reduce)
    for block in (1, 3, 11, 12):
        np.testing.assert_array_equal(
            augment_matrix(passages, queries, owners, alpha=0.2, reduce=reduce, block=block), whole
        )
    by_owner = np.argsort(owners, kind="stable")
    again = augment_matrix(passages, queries[by_owner], owners[by_owner], alpha=0.2, reduce=reduce)
    np.testing.assert_array_equal(again, whole)


def test_lengths():
    unit = normalize(rows(5))
    np.testing.assert_allclose(np.linalg.norm(augment_matrix(unit, rows(5), range(5), alpha=0.5), axis=1), 1, rtol=1e-6)
    huge = augment_matrix([[1e30, 0.0]], [[0.0, 1e-30]], [0], alpha=0.5)
    np.testing.assert_allclose(huge, [[0.5**0.5 * 1e30, 0.5**0.5 * 1e30]], rtol=1e-6)
    np.testing.assert_array_equal(augment_matrix([[1.0, 0.0]], [[-1.0, 0.0]], [0], alpha=0.5), [[0, 0]])
    np.testing.assert_array_equal(augment_matrix([[0.0, 0.0]], [[1.0, 0.0]], [0], alpha=0.5), [[0, 0]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": -0.1}, "alpha must be between 0 and 1, got -0.1"),
        ({"alpha": 1.01}, "alpha must be between 0 and 1, got 1.01"),
        ({"alpha": float("nan")}, "alpha must be between 0 and 1, got nan"),
        ({"reduce": "max"}, "reduce must be sum or mean, got 'max'"),
        ({"queries": rows(2, 4)}, "passages have 5 dimensions, queries 4: expected the same number"),
        ({"owners": [0]}, "owners have shape (1,) of int64: expected a passage for each query of 2"),
        ({"owners": [0.0, 1.0]}, "owners have shape (2,) of float64: expected a passage for each query of 2"),
        ({"owners": [0, 3]}, "owners name passages 0 to 3: expected 0 to 2"),
        ({"owners": [-1, 0]}, "owners name passages -1 to 0: expected 0 to 2"),
        ({"passages": np.full((3, 5), np.nan)}, "row 0 of the passages holds NaN or Inf; expected finite numbers"),
        ({"passages": np.full((3, 5), 1e200)}, "row 0 of the passages holds NaN or Inf; expected finite numbers"),
        ({"queries": [[0] * 5, [np.inf] * 5]}, "row 1 of the queries holds NaN or Inf; expected finite numbers"),
        ({"passages": rows(3)[0]}, "expected a matrix of numbers (rows, dimensions), got shape (5,) of float32"),
    ],
)
def test_refused(changes, message):
    given = {"passages": rows(3), "queries": rows(2), "owners": [0, 1], "alpha": 0.1} | changes
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        augment_matrix(**given)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("unit", [True, False])
def test_recall_is_that_of_the_ranks(reduce, unit):
    passages, queries, owners = rows(30), rows(50, seed=1), np.random.default_rng(2).integers(0, 30, 50)
    gold = np.random.default_rng(3).integers(0, 30, 40)
    dev = passages[gold] + 2 * rows(40, seed=4)
    blocks = lambda: (passages[start : start + 7] for start in range(0, 30, 7))  # noqa: E731
    for given in (passages, blocks):
        best, recalls = best_alpha(given, queries, owners, dev, gold, k=3, reduce=reduce, unit=unit)
        moved = {a: augment_matrix(passages, queries, owners, alpha=a, reduce=reduce, unit=unit) for a in ALPHAS}
        expected = {alpha: float((gold_ranks(dev, rows, gold) <= 3).mean()) for alpha, rows in moved.items()}
        assert recalls == expected and list(recalls) == sorted(ALPHAS) and len(set(recalls.values())) > 2
        assert best == min(alpha for alpha in ALPHAS if recalls[alpha] == max(recalls.values()))


def test_the_best_weight_by_hand():
    """The passage of the dev query is (1, 0), a competitor (.8, .6), the query (0, 1), what is supplied (0, 1)."""
    passages, queries = [[1.0, 0.0], [0.8, 0.6]], [[0.0, 1.0]]
    # (1 - a, a) / |.| is nearer to (0, 1) than .6 from a / (1 - a) > .75, that is a > 3 / 7
    best, recalls = best_alpha(passages, queries, [0], [[0.0, 1.0]], [0], alphas=[0.5, 0.42, 0.44, 0], k=1)
    assert recalls == {0.0: 0.0, 0.42: 0.0, 0.44: 1.0, 0.5: 1.0} and best == 0.44
    # all equal: the smallest
    assert best_alpha(passages, queries, [0], [[0.0, 1.0]], [0], alphas=[0.2, 0.1], k=2) == (0.1, {0.1: 1.0, 0.2: 1.0})
    # a passage equal to the right one is ahead of it
    assert best_alpha([[1, 0], [1, 0]], np.empty((0, 2)), [], [[1, 0]], [1], alphas=[0], k=1) == (0.0, {0.0: 0.0})
    # and so is one whose cosine is lower by 5e-7, less than the tolerance; by 2e-6 not
    for angle, recall in ((0.001, 0.0), (0.002, 1.0)):
        near = [[1.0, 0.0], [np.cos(angle), np.sin(angle)]]
        assert best_alpha(near, np.empty((0, 2)), [], [[1, 0]], [0], alphas=[0], k=1)[1] == {0.0: recall}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alphas": []}, "expected weights to try, dev queries and k >= 1, got 0 weights, 2 queries and k 10"),
        (
            {"dev": rows(0), "gold": []},
            "expected weights to try, dev queries and k >= 1, got 11 weights, 0 queries and k 10",
        ),
        ({"k": 0}, "expected weights to try, dev queries and k >= 1, got 11 weights, 2 queries and k 0"),
        ({"gold": [0]}, "gold rows have shape (1,) of int64: expected a passage for each dev query of 2"),
        ({"gold": [0, 3]}, "gold rows name passages 0 to 3: expected 0 to 2"),
        ({"owners": [5]}, "owners name passages 5 to 5: expected 0 to 2"),
        ({"alphas": [2.0]}, "alpha must be between 0 and 1, got 2.0"),
        ({"reduce": "max"}, "reduce must be sum or mean, got 'max'"),
    ],
)  # fmt: skip
def test_no_choice(changes, message):
    given = {"passages": rows(3), "queries": rows(1), "owners": [0], "dev": rows(2), "gold": [0, 1]} | changes
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        best_alpha(**given)


@pytest.fixture(scope="module")
def encoder():
    torch.set_num_threads(1)
    return Encoder(tiny_bert(), tiny_tokenizer(), Pooling())


WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]
QUERIES = [("c", "ab"), ("a", "xy z"), ("c", "kappa"), ("g", "mu")]


@pytest.fixture
def stored(tmp_path, encoder):
    return save_vectors(
        tmp_path / "v", list("abcdefg"), encoder.encode(WORDS), texts=WORDS, part_rows=3,
        languages=["ell_Latn"] * 7, scripts=["Latn"] * 7, encoder=encoder_identity(encoder, romanize=False),
    )  # fmt: skip


def written(path, pairs):
    path.write_text("".join(f"{name}\t{query}\n" for name, query in pairs), encoding="utf-8")
    return path


def in_memory(vectors):
    return np.concatenate([vectors_of(table) for table in vectors.tables()])


def test_a_folder(tmp_path, stored, encoder):
    queries = written(tmp_path / "q.tsv", QUERIES)
    made = augment(stored.folder, queries, tmp_path / "new", encoder=encoder, alpha=0.3)
    expected = augment_matrix(
        in_memory(stored), encoder.encode([query for _, query in QUERIES]), [2, 0, 2, 6], alpha=0.3
    )  # fmt: skip
    np.testing.assert_allclose(in_memory(made), expected, atol=1e-6)
    np.testing.assert_array_equal(in_memory(made)[[1, 3, 4, 5]], in_memory(stored)[[1, 3, 4, 5]])
    for before, after in zip(stored.tables(), made.tables(), strict=True):
        assert before.drop_columns("vector").equals(after.drop_columns("vector")) and before.schema == after.schema
    assert made.encoder == stored.encoder and made.rows == 7
    about = made.manifest["augmentation"]
    assert (about["alpha"], about["queries"], about["passages_without"], about["reduce"]) == (0.3, 4, 4, "sum")
    assert len(about["queries_sha256"]) == len(about["source_sha256"]) == 64 and about["unit"] is True
    assert json.loads((tmp_path / "new" / "manifest.json").read_text())["augmentation"] == about
    assert "augmentation" not in open_vectors(stored.folder).manifest


@pytest.mark.parametrize("options", [{"reduce": "mean"}, {"unit": False}])
def test_the_options_of_a_folder(tmp_path, stored, encoder, options):
    queries = written(tmp_path / "q.tsv", QUERIES)
    vectors, owners = encoder.encode([query for _, query in QUERIES]), [2, 0, 2, 6]
    made = augment(stored.folder, queries, tmp_path / "new", encoder=encoder, alpha=0.3, **options)
    np.testing.assert_allclose(
        in_memory(made), augment_matrix(in_memory(stored), vectors, owners, alpha=0.3, **options), atol=1e-6
    )
    assert made.manifest["augmentation"] | options == made.manifest["augmentation"]


def test_a_stopped_run_goes_on(tmp_path, stored, encoder, monkeypatch):
    queries, new = written(tmp_path / "q.tsv", QUERIES), tmp_path / "new"
    whole = in_memory(augment(stored.folder, queries, new, encoder=encoder))
    kept = (new / "part-00000.parquet").stat().st_mtime_ns
    (new / "part-00002.json").unlink()
    manifest = read_json(new / "manifest.json")
    (new / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    asked = []
    plain = Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda self, texts, **_: asked.extend(texts) or plain(self, texts))
    again = augment(stored.folder, queries, new, encoder=encoder)
    np.testing.assert_allclose(in_memory(again), whole, atol=1e-6)
    assert again.manifest["augmentation"]["alpha"] == 0.01
    assert asked == ["mu"] and (new / "part-00000.parquet").stat().st_mtime_ns == kept
    with pytest.raises(InputError, match="was begun with other settings: augmentation"):
        augment(stored.folder, queries, new, encoder=encoder, alpha=0.2)


def test_no_queries_and_parts_without_rows(tmp_path, encoder):
    identity = encoder_identity(encoder, romanize=False)
    begin(tmp_path / "v", {"encoder": identity, "dimension": 16, "dtype": "float16"})
    table = vector_table(["a", "b"], encoder.encode(["x", "y"]).astype(np.float16), texts=["x", "y"])
    for number, part in enumerate([table.slice(0, 0), table, table.slice(0, 0)]):
        write_part(tmp_path / "v", number, part)
    stored = finish(tmp_path / "v", 3)
    for name, pairs in (("none", []), ("one", [("b", "zz")])):
        made = augment(stored.folder, written(tmp_path / name, pairs), tmp_path / f"new-{name}", encoder=encoder)
        assert made.manifest["augmentation"]["passages_without"] == 2 - len(pairs)
        assert [about["rows"] for about in finished_parts(made.folder).values()] == [0, 2, 0]
        moved = (in_memory(made) != in_memory(stored)).any(axis=1)
        assert moved.tolist() == [False, bool(pairs)] and in_memory(made).dtype == np.float16
    dev = written(tmp_path / "dev", [("a", "x")])
    made = augment(stored.folder, tmp_path / "none", tmp_path / "d", encoder=encoder, dev=dev)
    assert made.manifest["augmentation"]["alpha"] == 0.0


def test_the_weight_is_chosen_on_dev_queries(tmp_path, stored, encoder):
    queries = written(tmp_path / "q.tsv", [("d", "zzzz"), ("a", "q"), ("e", "yxyx")])
    dev = written(tmp_path / "dev.tsv", [("d", "zzz"), ("b", "beta"), ("e", "yxy")])
    made = augment(stored.folder, queries, tmp_path / "new", encoder=encoder, dev=dev, k=1)
    best, recalls = best_alpha(
        in_memory(stored), encoder.encode(["zzzz", "q", "yxyx"]), [3, 0, 4], encoder.encode(["zzz", "beta", "yxy"]),
        [3, 1, 4], k=1,
    )  # fmt: skip
    about = made.manifest["augmentation"]
    assert about["recall"] == {str(alpha): recall for alpha, recall in recalls.items()}
    assert about["alpha"] == best > 0 and about["k"] == 1 and len(about["dev_sha256"]) == 64
    expected = augment_matrix(in_memory(stored), encoder.encode(["zzzz", "q", "yxyx"]), [3, 0, 4], alpha=best)
    np.testing.assert_allclose(in_memory(made), expected, atol=1e-6)


def test_romanised_passages_take_romanised_queries(tmp_path, encoder):
    identity = encoder_identity(encoder, romanize=True)
    save_vectors(tmp_path / "v", ["a"], encoder.encode(["moskva"]), texts=["Москва"], encoder=identity)
    queries = written(tmp_path / "q.tsv", [("a", "река")])
    made = augment(tmp_path / "v", queries, tmp_path / "n", encoder=encoder, alpha=1.0)
    np.testing.assert_allclose(in_memory(made), encoder.encode(["reka"]), atol=1e-6)
    assert made.encoder == identity


def test_queries_with_a_prompt_of_their_own(tmp_path, stored, encoder):
    queries = written(tmp_path / "q.tsv", [("a", "zz")])
    made = augment(stored.folder, queries, tmp_path / "n", encoder=encoder, alpha=1.0, prompt="ab")
    np.testing.assert_allclose(in_memory(made)[:1], encoder.encode(["abzz"]), atol=1e-6)
    assert made.manifest["augmentation"]["prompt"] == "ab" and encoder.prompt == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tx\nh\ty\n", r"q\.tsv, line 2: .*v has no passage 'h'"),
        ("a\tx\ny\n", r"q\.tsv, line 2: expected id TAB query, got 'y'"),
        ("a\tx\ty\n", r"q\.tsv, line 1: expected id TAB query, got 'a\\tx\\ty'"),
        ("\tx\n", r"q\.tsv, line 1: expected id TAB query, got '\\tx'"),
        ("a\t \n", r"q\.tsv, line 1: expected id TAB query, got 'a\\t '"),
        ("a\tx\n\n", r"q\.tsv, line 2: expected id TAB query, got ''"),
    ],
)
def test_lines_that_are_refused(tmp_path, stored, encoder, text, message):
    (tmp_path / "q.tsv").write_text(text)
    good = written(tmp_path / "good.tsv", QUERIES)
    for given in ({"queries": tmp_path / "q.tsv"}, {"queries": good, "dev": tmp_path / "q.tsv"}):
        with pytest.raises(InputError, match=message):
            augment(stored.folder, out=tmp_path / "new", encoder=encoder, **given)
        assert not (tmp_path / "new").exists()


def test_other_refusals(tmp_path, stored, encoder):
    queries, empty = written(tmp_path / "q.tsv", QUERIES), written(tmp_path / "empty", [])
    new = tmp_path / "new"

    def refused(message, folder=stored.folder, given=queries, by=encoder, **options):
        with pytest.raises(InputError, match=message):
            augment(folder, given, new, encoder=by, **options)
        assert not new.exists()

    refused("give alpha, or dev queries to choose it on, not both", alpha=0.1, dev=queries)
    refused("empty is empty: expected lines id TAB query to choose alpha on", dev=empty)
    refused("alpha must be between 0 and 1, got 3", alpha=3)
    refused("reduce must be sum or mean, got 'max'", reduce="max")
    refused("no such file: .*none.tsv", given=tmp_path / "none.tsv")
    other = Encoder(tiny_bert(), tiny_tokenizer(), Pooling(), prompt="query: ")
    refused(
        r"come from another encoder than the index: prompt \(\"\" in the index, \"query: \" in the queries\)", by=other
    )
    twice = augment(stored.folder, queries, tmp_path / "once", encoder=encoder).folder
    refused("once is augmented already: give the vectors it was made from, and all queries together", folder=twice)
    part = stored.folder / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    refused("part-00001.parquet is damaged")

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from scipy.spatial.distance import cosine

from align.errors import InputError
from align.tasks.mexa.task import MexaScore, adjusted, chance, cosines, mexa, mexa_hits, mexa_score

ENG = "eng_Latn"


def by_definition(c):
    """One comparison after the other: a comparison with NaN is false."""
    n = len(c)
    rivals = [[x for j in range(n) if j != i for x in (c[i][j], c[j][i])] for i in range(n)]
    return [all(c[i][i] > rival for rival in [-math.inf, *rivals[i]]) for i in range(n)]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("seed", range(8))
def test_matches_its_definition_with_ties_and_nan(n, seed):
    rng = np.random.default_rng(seed)
    c = rng.integers(0, 4 + n, (n, n)).astype(float)  # many ties
    c[np.diag_indices(n)] += rng.integers(0, n + 2, n)
    if seed % 2:
        c[rng.integers(0, n, 2), rng.integers(0, n, 2)] = np.nan
    if seed == 5:
        c[0, 0] = np.nan
    before = c.copy()
    assert mexa_hits(c).tolist() == by_definition(c)
    assert mexa_score(c) == np.mean(by_definition(c))
    assert np.array_equal(c, before, equal_nan=True)


@pytest.mark.parametrize("seed", range(6))
def test_vectors_match_scipy_one_pair_at_a_time(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, 5)).astype(np.float32)
    y = (x + rng.standard_normal((12, 5))).astype(np.float32)
    y[3], x[7], y[7] = y[2], x[6], y[6]  # copies: exact ties
    expected = [[1 - cosine(a.astype(float), b.astype(float)) for b in y] for a in x]
    assert cosines(x, y) == pytest.approx(np.array(expected), abs=1e-12)
    hits = mexa_hits(cosines(x, y), tolerance=1e-12)
    assert hits.tolist() == by_definition(expected)
    assert 0 < hits.sum() < 12 and not hits[[2, 3, 6, 7]].any()


def test_by_hand():
    # 1 beats its row and column; 2 ties in its row; 3 wins its row and loses its column (.75 > .7)
    assert mexa_hits([[0.9, 0.1, 0.2], [0.3, 0.8, 0.8], [0.1, 0.2, 0.7]]).tolist() == [True, False, False]
    assert mexa_hits([[0.9, 0.1, 0.2], [0.3, 0.8, 0.75], [0.1, 0.2, 0.7]]).tolist() == [True, True, False]
    assert mexa_score([[0.9, 0.1], [0.95, 1.0]]) == 0.5  # of the row alone it would be 1
    assert mexa_score([[0.9, 0.95], [0.1, 1.0]]) == 0.5  # likewise of the column
    assert mexa_score(np.ones((4, 4))) == 0.0
    assert mexa_score(-np.eye(2) * 0.5 - 0.1) == 0.0 and mexa_score(np.eye(3) - 0.9) == 1.0


def test_one_sentence_and_none():
    assert mexa_score([[-0.3]]) == 1.0
    assert mexa_score([[np.nan]]) == 0.0
    assert (chance(1), chance(100)) == (1.0, 1 / 199)
    with pytest.raises(InputError, match=r"expected a matrix|square matrix"):
        mexa_score(np.empty((0, 0)))
    with pytest.raises(
        InputError, match=re.escape("square matrix, a sentence and its translation in each row, got (2,")
    ):
        mexa_score(np.ones((2, 3)))
    with pytest.raises(InputError, match="of 2 and of 3 dimensions have no cosine"):
        cosines(np.ones((1, 2)), np.ones((1, 3)))


def test_chance_is_what_random_vectors_get():
    rng = np.random.default_rng(0)
    n, scores = 10, []
    for _ in range(2000):
        scores.append(mexa_score(rng.random((n, n))))
    assert np.mean(scores) == pytest.approx(chance(n), abs=0.004)  # 1 / 19 = .0526, standard error .0016


def test_nan_rows_never_hit():
    x = np.eye(4)
    y = x.copy()
    y[1] = np.nan
    assert not mexa_hits(cosines(x, y)).any()  # a NaN column is a rival of every row
    assert not mexa_hits(cosines(x, np.zeros((4, 4)))).any()


# The task


class Table:
    """(L', n, d) vectors of numbered lines, by language."""

    def __init__(self, vectors):
        self.vectors, self.calls = vectors, []

    def __call__(self, texts, language):
        self.calls.append(language)
        found = self.vectors[language]
        rows = [int(text) for text in texts]
        return {k: v[:, rows] for k, v in found.items()} if isinstance(found, dict) else found[:, rows]


def numbered(codes, n):
    return {code: [f"{i}" for i in range(n)] for code in codes}


def noisy(codes, n, layers=3, d=12, seed=0):
    rng = np.random.default_rng(seed)
    meaning = rng.standard_normal((layers, n, d))
    return {code: meaning + noise * rng.standard_normal((layers, n, d)) for code, noise in codes.items()}


def test_curves_mean_and_maximum():
    vectors = noisy({ENG: 0.3, "deu_Latn": 0.5, "hin_Deva": 1.5}, 30)
    encode = Table(vectors)
    result = mexa(encode, numbered(vectors, 30), per_item=True)
    assert encode.calls == [ENG, "deu_Latn", "hin_Deva"]  # each once
    assert (result.protocol.pivot, result.protocol.n) == (ENG, 30)
    for score in result.scores:
        for k in range(3):
            c = [[1 - cosine(a, b) for b in vectors[score.language][k]] for a in vectors[ENG][k]]
            assert score.curve[k] == np.mean(by_definition(c))
            assert list(score.hits[k]) == by_definition(c)
        assert (score.n, score.left_out, score.pooling) == (30, 0, "")
        assert score.mean == pytest.approx(sum(score.curve) / 3) and score.max == max(score.curve)
        assert np.mean(score.items) == pytest.approx(score.mean) and len(score.items) == 30
        assert len(set(score.curve)) > 1  # else mean and maximum are one
    assert result.headline() == pytest.approx(np.mean([score.mean for score in result.scores]))


def test_the_first_n_lines_count():
    vectors = noisy({ENG: 0.3, "deu_Latn": 1.0}, 30)
    texts = numbered(vectors, 30)
    few = mexa(Table(vectors), texts, n=10)
    cut = {code: rows[:, :10] for code, rows in vectors.items()}
    assert few.scores[0].curve == mexa(Table(cut), numbered(cut, 10)).scores[0].curve
    assert few.scores[0].n == 10
    assert few.headline() > mexa(Table(vectors), texts).headline()  # fewer rivals
    one = mexa(Table(vectors), texts, n=1)
    assert one.headline() == 1.0 and "chance 1.000" in one.table()
    many = {code: np.concatenate([rows] * 5, axis=1) for code, rows in vectors.items()}
    assert mexa(Table(many), numbered(many, 150)).scores[0].n == 100


def test_blank_lines_are_left_out_of_their_language_only():
    vectors = noisy({ENG: 0.2, "deu_Latn": 0.2, "fra_Latn": 0.2}, 8)
    texts = numbered(vectors, 8)
    texts["deu_Latn"][2] = " \t"
    texts[ENG][5] = ""
    german, french = mexa(Table(vectors), texts).scores
    assert (german.n, german.left_out, french.n, french.left_out) == (6, 2, 7, 1)
    kept = [0, 1, 3, 4, 6, 7]
    c = cosines(vectors[ENG][1][kept], vectors["deu_Latn"][1][kept])
    assert german.curve[1] == np.mean(by_definition(c))


def test_several_poolings_and_adjusted_scores():
    by_pooling = [noisy({ENG: 0.2, "deu_Latn": noise}, 20, seed=seed) for seed, noise in enumerate([0.5, 2.0])]
    vectors = {code: {"weighted": by_pooling[0][code], "last": by_pooling[1][code]} for code in (ENG, "deu_Latn")}
    result = mexa(Table(vectors), numbered(vectors, 20))
    weighted, last = result.scores
    assert (weighted.pooling, last.pooling) == ("weighted", "last")
    assert weighted.mean > last.mean and weighted.mean == result.headline()  # of the first pooling
    assert adjusted(last, {"belebele": 0.5, "arc": 1.0}) == {
        "belebele": {"mean": last.mean / 2, "max": last.max / 2}, "arc": {"mean": last.mean, "max": last.max},
    }  # fmt: skip
    for wrong in (82.0, math.nan):
        with pytest.raises(InputError, match=f"the accuracy of arc is {wrong}; expected 0 to 1"):
            adjusted(last, {"arc": wrong})


def test_a_language_that_fails_is_missing_and_the_others_are_scored():
    vectors = noisy(dict.fromkeys([ENG, "deu_Latn", "fra_Latn", "hin_Deva", "tur_Latn", "ces_Latn"], 0.2), 6)
    texts = numbered(vectors, 6)
    vectors["fra_Latn"][2, 4] = np.nan
    vectors["hin_Deva"] = vectors["hin_Deva"][:, :, :5]
    vectors["tur_Latn"][1, 3] = 0
    texts["ces_Latn"] = [""] * 6
    texts["fra_Latn"][1] = ""
    result = mexa(Table(vectors), texts)
    assert [score.language for score in result.scores] == ["deu_Latn"]
    assert result.facts["missing"] == {
        "fra_Latn": "fra_Latn, layer 2: the vector of line 5 is NaN or Inf (1 of 5)",
        "hin_Deva": "hin_Deva: vectors of 3 layers and 5 dimensions, but of 3 and 12 for the pivot",
        "tur_Latn": "tur_Latn, layer 1: the vector of line 4 is zero (1 of 6)",
        "ces_Latn": "ces_Latn: all 6 lines are blank",
    }
    del texts["deu_Latn"]
    with pytest.raises(InputError, match="no language could be scored: fra_Latn, layer 2"):
        mexa(Table(vectors), texts)


def test_no_shared_line():
    vectors = noisy({ENG: 0.1, "deu_Latn": 0.1}, 2)
    with pytest.raises(InputError, match="deu_Latn shares no line with the pivot"):
        mexa(Table(vectors), {ENG: ["0", ""], "deu_Latn": ["", "1"]})


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        ({ENG: ["0"], "deu_Latn": ["0", "1"]}, {}, "eng_Latn has 1 lines, deu_Latn has 2"),
        ({ENG: [], "deu_Latn": []}, {}, "eng_Latn has no lines"),
        ({}, {}, "no language was given"),
        ({"deu_Latn": ["0"]}, {}, "no text in the pivot eng_Latn; available: deu_Latn"),
        ({ENG: ["0"]}, {}, "needs a language beside the pivot"),
        ({ENG: ["0"], "deu_Latn": ["0"]}, {"n": 0}, "at least 1 line, got n = 0"),
        ({ENG: ["0"], "deu_Latn": ["0"]}, {"layers": [1]}, "eng_Latn: expected vectors of 1 layers, got 3"),
    ],
)
def test_messages(texts, options, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        mexa(Table(noisy({ENG: 0.1, "deu_Latn": 0.1}, 2)), texts, **options)


@pytest.mark.parametrize("made", [np.ones((2, 3)), np.ones((2, 1, 4)), np.ones((0, 2, 4)), np.full((1, 2, 4), "a")])
def test_vectors_of_another_shape(made):
    with pytest.raises(InputError, match=re.escape("eng_Latn: expected vectors (layers, 2 texts, dimensions), got")):
        mexa(lambda texts, _: made, numbered([ENG, "deu_Latn"], 2))


def test_nan_of_the_pivot_ends_it():
    vectors = noisy({ENG: 0.1, "deu_Latn": 0.1}, 2)
    vectors[ENG][1, 0, 3] = np.inf
    with pytest.raises(InputError, match="eng_Latn, layer 1: the vector of line 1 is NaN or Inf"):
        mexa(Table(vectors), numbered(vectors, 2))


def test_items_only_where_hits_were_kept():
    score = MexaScore("deu_Latn", "mean", 2, 0, (0.5, 1.0))
    assert score.items is None and (score.mean, score.max) == (0.75, 1.0)
    assert MexaScore("deu_Latn", "mean", 2, 0, (0.5, 1.0), ((1, 0), (1, 1))).items == [1.0, 0.5]

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from align.errors import InputError
from align.tasks import combine, hard_negatives, xsim_plus
from align.tasks.xsim import xsim
from align.tasks.xsim.task import xsim_winners

ENG = "eng_Latn"


def pairs(n: int, m: int | None = None, d: int = 8, noise: float = 0.8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    meaning = rng.standard_normal((m or n, d)) + 0.8
    return (meaning + noise * rng.standard_normal(meaning.shape))[:n], meaning + noise * rng.standard_normal(
        meaning.shape
    )


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def winners_by_definition(x: np.ndarray, y: np.ndarray, margin: str, k: int) -> list[int]:
    """xsim as LASER publishes it, one candidate at a time; ``absolute`` takes the nearest."""
    forward = [sorted(range(len(y)), key=lambda j: -cosine(row, y[j]))[:k] for row in x]
    of_x = [sum(cosine(row, y[j]) for j in near) / len(near) for row, near in zip(x, forward, strict=True)]
    of_y = []
    for row in y:
        back = sorted((cosine(row, other) for other in x), reverse=True)[:k]
        of_y.append(sum(back) / len(back))
    winners = []
    for i, near in enumerate(forward):
        best, best_score = near[0], -math.inf
        for j in near:
            mean = (of_x[i] + of_y[j]) / 2
            cos = cosine(x[i], y[j])
            score = {"ratio": cos / mean, "distance": cos - mean, "absolute": cos}[margin]
            if score > best_score:
                best, best_score = j, score
        winners.append(best)
    return winners


@pytest.mark.parametrize("block", [3, 16, 2048])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 3), (50, 50), (30, 80)])
@pytest.mark.parametrize("margin", ["ratio", "distance", "absolute"])
def test_winners_are_those_of_the_published_definition(margin: str, n: int, m: int, block: int) -> None:
    x, y = pairs(n, m)
    for k in (1, 4):
        found = xsim_winners(x, y, similarity=margin.replace("absolute", "cosine"), k=k, block=block)
        assert found.tolist() == winners_by_definition(x, y, margin, k)
    if n == 50:
        assert 0.1 < (found != np.arange(n)).mean() < 0.9


def test_the_margins_and_k_differ() -> None:
    x, y = pairs(200, noise=1.0)
    found = [xsim_winners(x, y, similarity=s, k=k).tolist() for s, k in (("ratio", 4), ("cosine", 4), ("ratio", 2))]
    assert found[0] != found[1] and found[0] != found[2]


def encoder(vectors: dict[str, np.ndarray]):
    return lambda texts, code: np.array([vectors[code][int(text)] for text in texts])


def numbered(codes: Sequence[str], n: int) -> dict[str, list[str]]:
    return {code: [str(i) for i in range(n)] for code in codes}


def test_error_is_the_share_of_lines_whose_winner_is_another() -> None:
    x, y = pairs(40)
    texts = numbered(["deu_Latn", ENG], 40)
    result = xsim(encoder({"deu_Latn": x, ENG: y}), texts, per_item=True)
    (score,) = result.scores
    wrong = [winner != i for i, winner in enumerate(winners_by_definition(x, y, "ratio", 4))]
    assert (score.queries, score.candidates, score.n, score.left_out) == ("deu_Latn", ENG, 40, 0)
    assert score.items == tuple(map(int, wrong))
    assert score.error == sum(wrong) / 40 == result.headline() == score.kinds["misaligned"]
    assert 0.1 < score.error < 0.9
    assert score.negatives == {} and score.untouched == 40
    back = xsim(encoder({"deu_Latn": x, ENG: y}), texts, [(ENG, "deu_Latn")], similarity="cosine")
    wrong = [winner != i for i, winner in enumerate(winners_by_definition(y, x, "absolute", 4))]
    assert back.scores[0].error == sum(wrong) / 40
    assert back.scores[0].items is None


def test_by_hand() -> None:
    # x_0 is nearest to y_1 (.8), then y_0 (.6); with k = 2 the means are r_x0 .7, r_y0 (.6 + 0) / 2 = .3 and
    # r_y1 (.8 + .6) / 2 = .7: ratios .6 / .5 = 1.2 and .8 / .7 = 1.14, so that the margin puts it right
    x, y = np.array([[1.0, 0, 0], [0, 1, 0]]), np.array([[0.6, 0, 0.8], [0.8, 0.6, 0]])
    assert xsim_winners(x, y, similarity="cosine", k=2).tolist() == [1, 1]
    assert xsim_winners(x, y, similarity="ratio", k=2).tolist() == [0, 1]
    assert xsim_winners(x, y, similarity="distance", k=2).tolist() == [1, 1]  # .6 - .5 and .8 - .7: a tie


def test_ties_count_against_the_model_and_equal_texts_for_it() -> None:
    same = np.ones((4, 3))
    assert xsim_winners(same, same).tolist() == [1, 0, 0, 0]
    assert xsim_winners(same, same, groups=[0, 0, 1, 1]).tolist() == [2, 2, 0, 0]
    assert xsim_winners(same, same, groups=[5] * 4).tolist() == [0, 1, 2, 3]
    encode = lambda texts, _: np.ones((len(texts), 3))  # noqa: E731
    texts = {"deu_Latn": ["a", "b", "c"], ENG: ["x", "x", "x"]}
    assert xsim(encode, texts).headline() == 0.0
    assert xsim(encode, {"deu_Latn": ["a", "b", "c"], ENG: ["x", "x", "y"]}).headline() == 1.0
    assert xsim(encode, {"deu_Latn": ["a"], ENG: ["x"]}).headline() == 0.0


def test_no_rows() -> None:
    assert xsim_winners(np.empty((0, 3)), np.empty((2, 3))).tolist() == []


def test_blank_lines_are_left_out() -> None:
    texts = {"deu_Latn": ["0", "", "2", "3"], ENG: ["0", "1", " ", "3"]}
    (score,) = xsim(lambda given, _: np.eye(4)[[int(text) for text in given]], texts, per_item=True).scores
    assert (score.n, score.left_out, score.error, score.items) == (2, 2, 0.0, (0, 0))


ENGLISH = ["We saw Tom.", "It is late.", "We want two dogs.", "Rain falls."]
GERMAN = ["Wir sahen Tom.", "Es ist spät.", "Wir wollen zwei Hunde.", "Regen fällt."]


class Words:
    """Line i of either language is the unit vector i; a text that is none of these is what ``others`` says."""

    def __init__(self, others: dict[str, list[float]]) -> None:
        self.vectors = {text: row for side in (ENGLISH, GERMAN) for text, row in zip(side, np.eye(6), strict=False)}
        self.vectors |= {text: np.array(row) for text, row in others.items()}
        self.calls: list[tuple[int, str]] = []

    def __call__(self, texts: Sequence[str], code: str) -> np.ndarray:
        self.calls.append((len(texts), code))
        return np.array([self.vectors[text] for text in texts])


def test_hard_negatives_that_win_are_told_by_kind() -> None:
    texts = {"deu_Latn": GERMAN, ENG: [*ENGLISH[:3], "We met Anna."]}
    found = hard_negatives(texts[ENG])
    made = {(one.line, one.kind): one.text for one in found.negatives}
    assert set(made) == {(0, "entity"), (1, "negation"), (2, "number"), (3, "entity")}
    others = {
        made[0, "entity"]: [1, 0, 0, 0, 0, 0],  # as near as the line itself: a tie
        made[1, "negation"]: [0, 0.5, 0, 0, 1, 0],  # far off
        made[2, "number"]: [0, 0, 1, 0, 0, 0.01],  # nearly as near, and less
        made[3, "entity"]: [0, 0, 0, 1, 0, 0],
        "We met Anna.": [0, 0, 0, 0.3, 0, 1],
    }
    encode = Words(others)
    result = xsim_plus(encode, texts, similarity="cosine", per_item=True)
    (score,) = result.scores
    assert score.items == (1, 0, 0, 1)
    assert score.error == 0.5
    assert score.kinds == {"misaligned": 0.0, "number": 0.0, "entity": 0.5, "negation": 0.0}
    assert score.negatives == {"number": 1, "entity": 2, "negation": 1}
    assert score.untouched == 0
    assert sorted(encode.calls) == [(4, "deu_Latn"), (8, ENG)]
    assert xsim(encode, texts, similarity="cosine").headline() == 0.0


def test_the_negative_of_another_line_is_a_misalignment() -> None:
    texts = {"deu_Latn": GERMAN[:2], ENG: ["It is late.", "Rain falls."]}  # line 0 means line 1 of ENGLISH
    (negative,) = hard_negatives(texts[ENG]).negatives
    encode = Words({negative.text: [0, 1, 0, 0, 0, 0], "Rain falls.": [0, 0.5, 0.5, 0, 0, 0]})
    encode.vectors["It is late."] = np.array([1.0, 0, 0, 0, 0, 0])
    (score,) = xsim_plus(encode, texts, similarity="cosine", per_item=True).scores
    assert score.items == (0, 1)
    assert (score.kinds["misaligned"], score.kinds["negation"], score.untouched) == (0.5, 0.0, 1)


def test_a_negative_that_is_a_line_of_the_set_is_its_text() -> None:
    texts = {"deu_Latn": ["Ja", "Nein"], ENG: ["It is late.", "It is not late."]}  # each is the negation of the other
    vectors = {"Ja": [1, 0], "Nein": [0, 1], "It is late.": [1, 0], "It is not late.": [0, 1]}
    encode = lambda given, _: np.array([vectors[text] for text in given], dtype=float)  # noqa: E731
    assert xsim_plus(encode, texts).headline() == 0.0  # the copies are right
    swapped = {"deu_Latn": ["Nein", "Ja"], ENG: texts[ENG]}
    (score,) = xsim_plus(encode, swapped).scores
    assert score.kinds == {"misaligned": 0.0, "number": 0.0, "entity": 0.0, "negation": 1.0}


def test_negatives_of_lines_that_are_left_out_are_no_candidates() -> None:
    texts = {"deu_Latn": ["Wir sahen Tom.", ""], ENG: ["We saw Tom.", "It is late."]}
    encode = Words({"It is not late.": [1, 0, 0, 0, 0, 0]})
    (score,) = xsim_plus(encode, texts).scores
    assert (score.n, score.left_out, score.error) == (1, 1, 0.0)
    assert score.negatives == {"number": 0, "entity": 0, "negation": 0}


def test_table() -> None:
    x, y = pairs(12)
    encode = encoder({"deu_Latn": x, ENG: y, "hin_Deva": y})
    result = xsim(encode, numbered(["deu_Latn", "hin_Deva", ENG], 12))
    assert result.headline() == pytest.approx(np.mean([score.error for score in result.scores]))
    assert result.scores[1].error == 0.0
    assert "the 4 nearest by cosine, ranked by ratio; equal texts: all right" in result.table()
    assert "| hin_Deva | eng_Latn   | 12 |        0 | 0.000 |      0.000 |        12 |" in result.table()
    plus = xsim_plus(lambda texts, _: np.ones((len(texts), 2)), {"deu_Latn": GERMAN, ENG: ENGLISH}, seed=3)
    assert (plus.protocol.name, plus.protocol.seed, plus.protocol.per_kind) == ("xsim++", 3, 1)
    assert "of all lines and the hard negatives of each on the other side the 4 nearest" in plus.table()


def test_results_of_several_sets_are_combined() -> None:
    x, y = pairs(12)
    encode = encoder({"deu_Latn": x, ENG: y, "hin_Deva": y})
    one, two = (xsim(encode, numbered([code, ENG], 12)) for code in ("deu_Latn", "hin_Deva"))
    assert combine([one, two]) == xsim(encode, numbered(["deu_Latn", "hin_Deva", ENG], 12))
    with pytest.raises(InputError, match="expected results of one protocol, got xsim"):
        combine([one, xsim(encode, numbered(["deu_Latn", ENG], 12), k=3)])
    with pytest.raises(InputError, match="got none"):
        combine([])


TWO = {"deu_Latn": ["a", "b"], ENG: ["c", "d"]}


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ({}, {}, "no language was given"),
        ({"deu_Latn": ["a"], ENG: ["a", "b"]}, {}, "deu_Latn has 1 lines, eng_Latn has 2: line-aligned"),
        ({ENG: ["a"]}, {}, "xsim needs eng_Latn and another language, or explicit pairs; got eng_Latn"),
        ({"deu_Latn": ["a"], "fra_Latn": ["b"]}, {}, "xsim needs eng_Latn and another language"),
        (TWO, {"pairs": []}, "no pairs were given"),
        (TWO, {"pairs": [("fra_Latn", ENG)]}, "no text in fra_Latn"),
        (TWO, {"similarity": "absolute"}, "unknown score 'absolute': expected one of cosine, csls, ratio, distance"),
        (TWO, {"k": 0}, "k must be at least 1, got 0"),
        ({"deu_Latn": ["a", ""], ENG: ["", "b"]}, {}, "deu_Latn and eng_Latn share no line"),
    ],
)
def test_bad_input_is_refused(texts: dict[str, list[str]], options: dict, message: str) -> None:
    for measure in (xsim, xsim_plus):
        with pytest.raises(InputError, match=message):
            measure(lambda given, _: np.eye(len(given), 4), texts, **options)


def test_more_bad_input() -> None:
    with pytest.raises(InputError, match="hard negatives are made of English sentences only, got deu_Latn"):
        xsim_plus(lambda given, _: np.eye(len(given), 4), TWO, [(ENG, "deu_Latn")])
    with pytest.raises(InputError, match="x has 2 rows, y has 1: expected a row of y for every row of x"):
        xsim_winners([[1], [2]], [[1]])
    with pytest.raises(InputError, match=r"groups have shape \(1,\): expected an integer for each of 2 rows"):
        xsim_winners([[1], [2]], [[1], [2]], groups=[0])
    with pytest.raises(InputError, match="deu_Latn: the encoder returned NaN or Inf for 2 texts"):
        xsim(lambda given, _: np.full((len(given), 4), np.nan), TWO)
    with pytest.raises(InputError, match="deu_Latn and eng_Latn: the encoder returned 4 and 5 dimensions"):
        xsim(lambda given, code: np.eye(len(given), 4 + (code == ENG)), TWO)

"""Ranks after a scorer's turn, in retrieval and bli, against a count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align.errors import InputError
from align.tasks import BLI_PROTOCOLS, Dictionary, bli_pairs
from align.tasks.reranked import Reranked
from align.tasks.retrieval import retrieval
from align.tasks.retrieval.protocols import PROTOCOLS, Protocol


def vectors(n, seed, d=4):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_ranks_by_hand():
    scores = {"a": 0.5, "b": 0.9, "c": 0.5, "d": 0.1}
    by = Reranked(lambda texts, code: None, lambda first, second: np.array([scores[text] for text in second]))
    nearest = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2], [3, 2, 0]])
    right = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 1]], dtype=bool)
    found = by.ranks(np.array([1, 2, 7, 2]), nearest, right, list("wxyz"), list("abcd"))
    # a: b is ahead, and c by a tie; b: nobody; none is there: as it was; two right ones: nobody but them
    assert found.tolist() == [3, 1, 7, 1]
    assert by.pairs == 12 and by.seconds > 0
    assert by.ranks(np.array([2]), nearest[:1], right[2:3], ["w"], list("abcd")).tolist() == [4]  # behind those


class Oracle:
    """Knows which texts belong together, and says so as the last word."""

    def __init__(self, sign):
        self.sign, self.asked = sign, []

    def __call__(self, first, second):
        self.asked += zip(first, second, strict=True)
        return np.array([self.sign * (a[1:] == b[1:]) for a, b in zip(first, second, strict=True)], dtype=np.float32)


TEXTS = {"eng_Latn": [f"e{i}" for i in range(12)], "rus_Cyrl": [f"r{i}" for i in range(12)]}
SPACE = {"eng_Latn": vectors(12, 0), "rus_Cyrl": vectors(12, 0) + 1.2 * vectors(12, 1)}
DEEP = replace(PROTOCOLS["align"], rerank_depth=3)


def encode(texts, code):
    return SPACE[code][[int(text[1:]) for text in texts]]


def by_hand(sign):
    """P@1 of each direction: right if the answer is among the 3 nearest, and the oracle likes it."""
    found = {}
    for queries, candidates in (("rus_Cyrl", "eng_Latn"), ("eng_Latn", "rus_Cyrl")):
        a, b = (SPACE[code] / np.linalg.norm(SPACE[code], axis=1, keepdims=True) for code in (queries, candidates))
        near = np.argsort(-(a @ b.T), axis=1)[:, :3]
        found[queries] = float(np.mean([(i in near[i]) if sign > 0 else False for i in range(12)]))
    return found


@pytest.mark.parametrize("sign", [1, -1])
def test_retrieval(sign):
    oracle = Oracle(sign)
    before = retrieval(encode, TEXTS, per_item=True)
    after = retrieval(Reranked(encode, oracle), TEXTS, protocol=DEEP, per_item=True)
    expected = by_hand(sign)
    for old, score in zip(before.scores, after.scores, strict=True):
        assert score.metrics["P@1"] == pytest.approx(expected[score.queries])
        assert [a > 3 for a in old.ranks] == [a > 3 for a in score.ranks]
        assert [b for a, b in zip(old.ranks, score.ranks, strict=True) if a > 3] == [a for a in old.ranks if a > 3]
    assert 0 < before.headline() < 1 and (after.headline() > before.headline()) == (sign > 0)
    assert len(oracle.asked) == 2 * 12 * 3 and oracle.asked[0][0][0] == "r"  # the queries come first


def test_one_direction_is_not_scored_for_nothing():
    oracle = Oracle(1)
    protocol = replace(DEEP, directions=("to_pivot",))
    retrieval(Reranked(encode, oracle), TEXTS, protocol=protocol)
    assert len(oracle.asked) == 12 * 3 and all(first[0] == "r" for first, _ in oracle.asked)


def test_a_copy_of_the_answer_is_right_too():
    texts = {code: [*of[:11], of[0]] for code, of in TEXTS.items()}
    scores = retrieval(Reranked(encode, Oracle(1)), texts, protocol=DEEP, per_item=True).scores
    for before, after in zip(retrieval(encode, texts, per_item=True).scores, scores, strict=True):
        assert list(after.ranks) == [1 if rank <= 3 else rank for rank in before.ranks]


@pytest.mark.parametrize("sign", [1, -1])
def test_bli(sign):
    pairs = tuple(zip(TEXTS["rus_Cyrl"], TEXTS["eng_Latn"], strict=True))
    dictionary = Dictionary(("rus_Cyrl", "eng_Latn"), pairs)
    protocol = replace(BLI_PROTOCOLS["muse"], rerank_depth=3, csls_k=2)
    (before,) = bli_pairs(encode, [dictionary], TEXTS, protocol=replace(protocol, rerank_depth=None)).scores
    oracle = Oracle(sign)
    (after,) = bli_pairs(Reranked(encode, oracle), [dictionary], TEXTS, protocol=protocol, per_word=True).scores
    assert after.methods["NN"].metrics["P@1"] == pytest.approx(by_hand(sign)["rus_Cyrl"])
    for method in ("NN", "CSLS"):
        gain = after.methods[method].metrics["P@1"] - before.methods[method].metrics["P@1"]
        assert gain > 0 if sign > 0 else gain < 0
    assert len(oracle.asked) == 2 * 12 * 3  # the nearest of both methods
    assert all(first[0] == "r" and second[0] == "e" for first, second in oracle.asked)


def test_protocol_and_scorer_go_together():
    with pytest.raises(InputError, match="re-ranks the nearest 3: give a scorer"):
        retrieval(encode, TEXTS, protocol=DEEP)
    with pytest.raises(InputError, match="protocol align does not re-rank: a scorer needs rerank_depth"):
        retrieval(Reranked(encode, Oracle(1)), TEXTS)
    with pytest.raises(InputError, match="rerank_depth is 1; expected at least 2"):
        Protocol(name="x", rerank_depth=1)
    with pytest.raises(InputError, match="not those by ratio"):
        Protocol(name="x", similarity="ratio", rerank_depth=5)
    assert "; the nearest 3 of each in the order of a scorer" in DEEP.describe()
    assert "scorer" not in PROTOCOLS["align"].describe()

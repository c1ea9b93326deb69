"""Hits in a new order: both scores stay, ties keep the order of the search, what is below the depth follows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from toy import hard

import align as library
from align.errors import InputError
from align.indexes.search import Hit
from align.reranking.hits import read_hits, rerank


class ByLength:
    """Longer texts score higher, whatever the query."""

    def __init__(self):
        self.asked = []

    def score(self, first, second, progress=False):
        self.asked += zip(first, second, strict=True)
        return np.array([len(text) for text in second], dtype=np.float32)


def hit(query, rank, text, **more):
    return Hit(query, rank, f"r{rank}", 1 - rank / 10, text, "eng_Latn", "Latn", **more)


def test_order_ties_and_depth():
    hits = [[hit("q", 1, "aa"), hit("q", 2, "bb"), hit("q", 3, "ccc"), hit("q", 4, None)], [], [hit("p", 1, "x")]]
    scorer = ByLength()
    found = rerank(scorer, hits, depth=3)
    told = [[(h.rank, h.text, h.found_at, h.rerank_score, h.score) for h in of] for of in found]
    assert told == [
        [(1, "ccc", 3, 3.0, 0.7), (2, "aa", 1, 2.0, 0.9), (3, "bb", 2, 2.0, 0.8), (4, None, 4, None, 0.6)],
        [], [(1, "x", 1, 1.0, 0.9)],
    ]  # fmt: skip
    assert scorer.asked == [("q", "aa"), ("q", "bb"), ("q", "ccc"), ("p", "x")]
    assert [h.text for h in rerank(scorer, hits[:1], depth=1)[0]] == ["aa", "bb", "ccc", None]
    with pytest.raises(InputError, match="the hit 'r4' of 'q' has no text"):
        rerank(scorer, hits)
    with pytest.raises(InputError, match="depth is at least 1, got 0"):
        rerank(scorer, hits, depth=0)


def line(**changes):
    whole = {"query": "q", "rank": 1, "id": "a", "score": 0.5, "text": "t", "language": "eng_Latn", "script": "Latn"}
    return json.dumps({**whole, **changes})


def test_hits_of_a_file(tmp_path):
    path = tmp_path / "hits.jsonl"
    path.write_text("\n".join([line(), line(rank=2, columns={"licence": "CC0"}), line(), line(query="p")]) + "\n")
    found = read_hits(path)
    assert [[(h.query, h.rank) for h in of] for of in found] == [[("q", 1), ("q", 2)], [("q", 1)], [("p", 1)]]
    assert found[0][1].columns == {"licence": "CC0"}
    for wrong, message in (
        (line(rank="1"), "line 2: expected an object with query, rank, id"), ("[3]", "line 2: expected an object"),
        (line(rank=3), "line 2: rank 3 does not follow"), (line(rank=2, query="p"), "line 2: rank 2 does not follow"),
        (line(text=3), "line 2: expected"), ("{", "line 2: not valid JSON .*: expected what align search --json"),
    ):  # fmt: skip
        path.write_text(f"{line()}\n{wrong}\n")
        with pytest.raises(InputError, match=message):
            read_hits(path)
    path.write_text("")
    with pytest.raises(InputError, match="has no hit"):
        read_hits(path)


def test_the_verbs(align, bert_folder, tmp_path):
    hard(tmp_path / "hard.tsv")
    told = json.loads(
        align("head", "fusion", bert_folder, "--pairs", "hard.tsv", "--out", "scorer", "--steps", 2, "--batch", 4).out
    )
    assert told["pairs"] == 96 and told["shape"] == {"separate": 1, "joint": 1}
    (tmp_path / "hits.jsonl").write_text("\n".join([line(query="abc"), line(query="abc", rank=2, text="abc")]) + "\n")
    printed = [json.loads(text) for text in align("rerank", "scorer", "hits.jsonl").out.splitlines()]
    scorer = library.load_scorer(tmp_path / "scorer")
    expected = dict(zip(["t", "abc"], scorer.score(["abc", "abc"], ["t", "abc"]).tolist(), strict=True))
    assert {one["text"]: one["rerank_score"] for one in printed} == pytest.approx(expected, abs=1e-5)
    assert [one["rank"] for one in printed] == [1, 2]
    assert printed[0]["rerank_score"] >= printed[1]["rerank_score"]
    assert library.rerank(tmp_path / "scorer", read_hits(tmp_path / "hits.jsonl"))[0][0].text == printed[0]["text"]
    assert "no manifest.json" in align("rerank", bert_folder, "hits.jsonl", code=2).err

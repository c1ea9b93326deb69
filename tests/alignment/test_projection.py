"""Places of spans in a translation: by hand, by a loop over all n-grams, and as a verb."""

from __future__ import annotations

import json

import numpy as np
import pytest
from encoder_folders import bert

from align.alignment.project import project, projections
from align.alignment.projection import (
    CROSSED,
    EMPTY,
    GAP,
    LONG,
    TAKEN,
    Place,
    Projecting,
    Side,
    by_alignment,
    exact_f1,
    placed,
    ranked,
)
from align.alignment.spans import Span
from align.encoders.checkpoint import load_encoder
from align.encoders.pretokenised import word_vectors
from align.errors import InputError
from align.similarity.cosine import normalize

LINKS = [(0, 0), (1, 2), (1, 3), (2, 1), (4, 9)]
SCORES = [0.5, 0.6, 0.8, 0.7, 0.9]


@pytest.mark.parametrize(("span", "options", "place", "why"), [
    (Span(1, 2, "X"), {}, (2, 4, 0.7), ""),
    (Span(0, 1, "X"), {}, (0, 1, 0.5), ""),
    (Span(3, 4, "X"), {}, None, EMPTY),
    (Span(0, 2, "X"), {}, None, GAP),
    (Span(0, 2, "X"), {"bridge": True}, (0, 4, 1.9 / 3), ""),
    (Span(0, 5, "X"), {"bridge": True, "longer": 0}, (0, 10, 3.5 / 5), ""),
    (Span(2, 5, "X"), {"bridge": True}, (1, 10, 0.8), ""),
    (Span(2, 5, "X"), {"bridge": True, "longer": 2}, None, LONG),
])  # fmt: skip
def test_by_alignment(span, options, place, why):
    places, reason = by_alignment(span, LINKS, SCORES, Projecting("alignment", **options))
    assert reason == why
    assert [(p.start, p.end) for p in places] == ([place[:2]] if place else [])
    assert [p.score for p in places] == pytest.approx([place[2]] if place else [])


def sides(seed, m=6, n=9, d=5):
    rng = np.random.default_rng(seed)
    made = [normalize(rng.standard_normal((k, d))) for k in (m, n)]
    gone = np.delete(np.arange(n), 4)  # a word of the translation has no vector
    return (
        Side([f"s{k}" for k in range(m)], made[0], np.arange(m)),
        Side([f"t{k}" for k in range(n)], made[1][gone], gone),
    )  # fmt: skip


def alone(texts):
    rng = np.random.default_rng(3)
    table = {f"{side}{k}": rng.standard_normal(4) for side in "st" for k in range(9)}
    return normalize(np.array([sum(table[word] for word in text.split()) for text in texts]))


@pytest.mark.parametrize("links", [[], [(2, 3), (2, 8)], [(0, 0)]])
@pytest.mark.parametrize("shortlist", [1, 5, 1000])
def test_ranked_is_its_definition(links, shortlist):
    for seed in range(3):
        source, target = sides(seed)
        span, how = Span(1, 3, "X"), Projecting(shortlist=shortlist, longer=1)
        places, why = ranked(span, source, target, links, alone, how)
        vectors = {int(k): v for k, v in zip(target.numbers, target.vectors, strict=True)}
        partners = {j for i, j in links if 1 <= i < 3}
        found = []
        for start in range(9):
            for end in range(start + 1, 10):
                words = [k for k in range(start, end) if k in vectors]
                if end - start > 5 or start not in vectors or end - 1 not in vectors:
                    continue
                if partners and not partners & set(range(start, end)):
                    continue
                cells = [[float(source.vectors[i] @ vectors[k]) for k in words] for i in (1, 2)]
                forward = np.mean([max(row) for row in cells])
                backward = np.mean([max(column) for column in zip(*cells, strict=True)])
                found.append(((forward + backward) / 2, start, end))
        found.sort(key=lambda one: (-one[0], one[2] - one[1]))
        query = alone(["s1 s2"])[0]
        expected = []
        for context, start, end in found[:shortlist]:
            text = " ".join(f"t{k}" for k in range(start, end))
            expected.append((context / 2 + float(alone([text])[0] @ query) / 2, start, end))
        expected.sort(key=lambda one: -one[0])
        assert why == ""
        assert [(p.start, p.end) for p in places] == [one[1:] for one in expected]
        assert [p.score for p in places] == pytest.approx([one[0] for one in expected], abs=1e-5)


def test_a_span_without_vectors_or_room():
    source, target = sides(0)
    assert ranked(Span(1, 3, "X"), source._replace(numbers=np.arange(6) + 9), target, [], alone, Projecting()) == (
        [],
        EMPTY,
    )
    empty = target._replace(vectors=target.vectors[:0], numbers=target.numbers[:0])
    assert ranked(Span(1, 3, "X"), source, empty, [], alone, Projecting()) == ([], EMPTY)
    beyond = ranked(Span(1, 2, "X"), source, target, [(1, 4)], alone, Projecting(longer=0))
    assert {(p.start, p.end) for p in beyond[0]} == set()  # the linked word has no vector: no n-gram of two holds it
    assert beyond[1] == LONG


def test_the_best_pair_takes_its_place_first():
    spans = [Span(0, 1, "A"), Span(1, 2, "B"), Span(2, 3, "C")]
    candidates = [[Place(0, 2, 0.5), Place(3, 4, 0.4)], [Place(1, 3, 0.9)], [Place(0, 1, 0.2), Place(2, 3, 0.1)]]
    assert placed(spans, candidates) == [(Place(3, 4, 0.4), ""), (Place(1, 3, 0.9), ""), (Place(0, 1, 0.2), "")]
    in_order = placed(spans, candidates, monotone=True)
    assert in_order == [(None, CROSSED), (Place(1, 3, 0.9), ""), (None, CROSSED)]
    assert placed(spans[:2], [[Place(0, 2, 0.5)], [Place(1, 3, 0.9)]])[0] == (None, TAKEN)
    assert placed([], []) == []


def test_f1_by_label():
    gold = [{Span(0, 1, "A"), Span(2, 4, "B")}, {Span(0, 1, "B")}]
    found = [{Span(0, 1, "A"), Span(2, 3, "B")}, {Span(0, 1, "A"), Span(5, 6, "B")}]
    scores = exact_f1(gold, found)
    assert scores[""] == (2 * 1 / (4 + 3), 1, 4, 3)
    assert scores["A"] == (2 / 3, 1, 2, 1)
    assert scores["B"] == (0, 0, 2, 2)
    assert exact_f1([], [])[""] == (0, 0, 0, 0)


PAIRS = [(["abc", "no", "on"], ["no", "abc", "on"], [Span(0, 1, "X"), Span(1, 2, "Y")]), (["a"], [], [Span(0, 1, "X")])]


def test_projections_of_an_encoder(tmp_path):
    encoder = load_encoder(bert(tmp_path / "model"))
    (one, none) = projections(encoder, PAIRS, Projecting("alignment"), layer=2)
    assert {(s.start, s.label) for s in one.spans} | {(s.start, why) for s, why in one.rejects}
    assert none == ([], [(Span(0, 1, "X"), EMPTY)], [[]])
    first = [word_vectors(encoder, [pair[side] for pair in PAIRS[:1]], layers=[2]) for side in (0, 1)]
    means = [np.concatenate([v.vectors[0] for v in side]).mean(0) for side in first]
    (ranks, _) = projections(encoder, PAIRS, Projecting(longer=0, shortlist=100), layer=2, centred=1)
    by_hand = ranked(
        Span(0, 1, "X"),
        *(Side(PAIRS[0][k], normalize(first[k][0].vectors[0] - means[k]), first[k][0].words) for k in (0, 1)),
        [], lambda texts: encoder.encode(texts), Projecting(longer=0, shortlist=100),
    )  # fmt: skip
    scores = {p[:2]: p.score for p in by_hand[0]}
    assert all(p.score == pytest.approx(scores[p[:2]], abs=1e-5) for p in ranks.candidates[0])
    with pytest.raises(
        InputError, match="unknown method of projection 'rank': expected one of alignment, ranked; did you mean ranked"
    ):
        Projecting("rank")
    with pytest.raises(InputError, match="expected longer of at least 0, shortlist of 1, got 3, 0"):
        Projecting(shortlist=0)


def test_the_verb(align, tmp_path):
    (tmp_path / "a.txt").write_text("Anna saw Rome .\n\nyes\n")
    (tmp_path / "b.txt").write_text("Rome Anna saw .\n\n\n")
    given = [[(0, 4, "PER"), (9, 13, "LOC")], [], [(0, 3, "X")]]
    lines = [{"spans": [dict(zip(("start", "end", "label"), one, strict=True)) for one in of]} for of in given]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    words = ("project", "a.txt", "b.txt", "--labels", "a.jsonl", "--model", "seed")
    for method in ("ranked", "alignment"):
        counts = json.loads(align(*words, "--method", method, "--out", "b.jsonl").out)
        assert counts == {"sentences": 3, "spans": 3, "projected": 2, EMPTY: 1}
        first, *rest = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
        assert [first["text"][one["start"] : one["end"]] for one in first["spans"]] == ["Rome", "Anna"]
        assert [one["label"] for one in first["spans"]] == ["LOC", "PER"]
        assert [one["spans"] for one in rest] == [[], []]
        (reject,) = (tmp_path / "b.jsonl.rejects.jsonl").read_text().splitlines()
        assert json.loads(reject) == {
            "sentence": 3, "line": 3, "start": 0, "end": 1, "text": "yes", "label": "X", "reason": EMPTY
        }  # fmt: skip
    align(*words, "--out", "b.iob2")
    assert (tmp_path / "b.iob2").read_text().startswith("1\tRome\tB-LOC\t-\t-\n2\tAnna\tB-PER\t-\t-\n3\tsaw\tO\t-\t-\n")
    printed = align(*words, "--out", "b.txt", code=2).err
    assert printed == "align: b.txt: expected a name that ends in .iob2 or .jsonl\n"
    (tmp_path / "a.jsonl").write_text('{"spans": []}\n')
    assert "a.jsonl has 1 sentences and a.txt 3" in align(*words, "--out", "c.iob2", code=2).err
    assert not list(tmp_path.glob("c.*"))


def test_a_library_function_as_the_verb(tmp_path):
    (tmp_path / "a.txt").write_text("Anna\n")
    (tmp_path / "a.iob2").write_text("Anna\tB-PER\n")
    encoder = load_encoder("seed")
    counts = project(encoder, tmp_path / "a.txt", tmp_path / "a.txt", tmp_path / "a.iob2", tmp_path / "out.iob2")
    assert counts == {"sentences": 1, "spans": 1, "projected": 1}
    assert (tmp_path / "out.iob2").read_text() == "1\tAnna\tB-PER\t-\t-\n\n"

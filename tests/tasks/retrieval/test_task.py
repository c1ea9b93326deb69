from __future__ import annotations

import dataclasses
import sys
import weakref
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.margin import SCORES, both_ranks
from align.similarity.nearest import top_k
from align.tasks import PROTOCOLS, Protocol, combine
from align.tasks.retrieval import retrieval
from align.tasks.retrieval.gaps import script_gaps
from align.tasks.retrieval.protocols import changed, find_protocol
from align.tasks.retrieval.task import Score
from align.tasks.task import task
from align.tasks.texts.line_checks import check_shift, misaligned_run

ENG = "eng_Latn"


class Table:
    """An encoder that looks the vector of each (text, language) up, and counts what it is asked."""

    def __init__(self, vectors: dict[str, Sequence[Sequence[float]]]) -> None:
        self.vectors = {(f"{i}", code): row for code, rows in vectors.items() for i, row in enumerate(rows)}
        self.calls: Counter[str] = Counter()

    def __call__(self, texts: Sequence[str], language: str) -> np.ndarray:
        self.calls[language] += 1
        return np.array([self.vectors[text, language] for text in texts])


def numbered(codes: Sequence[str], n: int) -> dict[str, list[str]]:
    return {code: [f"{i}" for i in range(n)] for code in codes}


def noisy(codes: dict[str, float], n: int, d: int = 16) -> dict[str, np.ndarray]:
    """One meaning for each line, and for each language that much noise."""
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((n, d))
    return {code: meaning + noise * rng.standard_normal((n, d)) for code, noise in codes.items()}


def find(result, queries: str, candidates: str) -> Score:
    (score,) = [s for s in result.scores if (s.queries, s.candidates) == (queries, candidates)]
    return score


def test_by_hand() -> None:
    encode = Table({"deu_Latn": [[2, 1], [1, 0.9], [0, 1]], ENG: [[1, 0], [1, 1], [0, 1]]})
    # deu -> eng: line 0 prefers eng 1 (.949) to eng 0 (.894), the others are right
    # eng -> deu: line 0 prefers deu 0 (.894), line 1 deu 1, line 2 deu 2
    result = retrieval(encode, numbered(["deu_Latn", ENG], 3), per_item=True)
    there, back = find(result, "deu_Latn", ENG), find(result, ENG, "deu_Latn")
    assert there.ranks == (2, 1, 1)
    assert back.ranks == (1, 1, 1)
    assert there.metrics == {"P@1": 2 / 3, "P@5": 1.0, "P@10": 1.0, "MRR": pytest.approx(2.5 / 3)}
    assert result.headline() == pytest.approx(5 / 6)


def ranks_by_argsort(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    q, c = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, candidates))
    order = np.argsort(-(q @ c.T), axis=1)
    return 1 + np.argwhere(order == np.arange(len(q))[:, None])[:, 1]


@pytest.mark.parametrize("name", ["align", "glot500", "xtreme"])
def test_protocols_match_their_papers(name: str) -> None:
    vectors = noisy({"hin_Deva": 1.0, "tur_Latn": 2.0, ENG: 0.5}, 60)
    result = retrieval(Table(vectors), numbered(list(vectors), 60), protocol=name)
    others = ["hin_Deva", "tur_Latn"]
    to_english, from_english = [(code, ENG) for code in others], [(ENG, code) for code in others]
    expected = {
        "xtreme": to_english,
        "glot500": from_english,
        "align": [pair for both in zip(to_english, from_english, strict=True) for pair in both],
    }[name]
    assert [(s.queries, s.candidates) for s in result.scores] == expected
    for score in result.scores:
        ranks = ranks_by_argsort(vectors[score.queries], vectors[score.candidates])
        for k in (1, 5, 10):
            assert score.metrics[f"P@{k}"] == pytest.approx((ranks <= k).mean())
        assert score.metrics["MRR"] == pytest.approx((1 / ranks).mean())
        assert 0.05 < score.metrics["P@1"] < 1.0  # else nothing was compared
    headline = {"xtreme": "P@1", "glot500": "P@10", "align": "P@1"}[name]
    assert result.headline() == pytest.approx(np.mean([s.metrics[headline] for s in result.scores]))


def test_the_embeddings_a_protocol_asks_for() -> None:
    glot500 = PROTOCOLS["glot500"]
    assert (glot500.layer, glot500.pooling, glot500.special_tokens) == (8, "mean", True)
    for name in ("align", "xtreme"):
        assert (PROTOCOLS[name].layer, PROTOCOLS[name].pooling, PROTOCOLS[name].special_tokens) == (None, None, None)
    assert "eng_Latn queries others; cosine; hidden_states[8], mean pooling with special tokens" in glot500.describe()
    assert "the model's own pooling" in PROTOCOLS["xtreme"].describe()
    assert all(key == protocol.name for key, protocol in PROTOCOLS.items())
    assert task("retrieval").protocols is PROTOCOLS


@pytest.mark.parametrize("name", ["margin", "xsim"])
def test_margin_protocols(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert (protocol.similarity, protocol.margin_k, protocol.headline) == ("ratio", 4, "P@1")
    assert protocol.directions == (("to_pivot", "from_pivot") if name == "margin" else ("to_pivot",))
    assert "ratio margin, k = 4; the model's own pooling" in protocol.describe()


@pytest.mark.parametrize("similarity", SCORES)
@pytest.mark.parametrize("k", [1, 4])
def test_the_similarity_of_the_protocol_ranks(similarity: str, k: int) -> None:
    vectors = noisy({"hin_Deva": 1.0, "tur_Latn": 2.0, ENG: 0.5}, 60)
    protocol = changed(PROTOCOLS["align"], similarity=similarity, margin_k=k)
    result = retrieval(Table(vectors), numbered(list(vectors), 60), protocol=protocol, per_item=True)
    for code in ("hin_Deva", "tur_Latn"):
        to_english, from_english = both_ranks(vectors[code], vectors[ENG], score=similarity, k=k)
        assert find(result, code, ENG).ranks == tuple(to_english)
        assert find(result, ENG, code).ranks == tuple(from_english)
        reverse = retrieval(
            Table(vectors), numbered(list(vectors), 60), [(ENG, code)], protocol=protocol, per_item=True
        )
        assert {s.queries: s.ranks for s in reverse.scores} == {code: tuple(to_english), ENG: tuple(from_english)}
    names = {"cosine": "cosine", "csls": f"CSLS, k = {k}", "ratio": f"ratio margin, k = {k}"}
    assert f"; {names.get(similarity, f'distance margin, k = {k}')}; " in result.table()


def test_a_changed_protocol_says_so() -> None:
    align = PROTOCOLS["align"]
    assert changed(align, similarity=None, margin_k=4) is align
    other = changed(align, similarity="csls", margin_k=10)
    assert (other.name, other.similarity, other.margin_k) == ("align (changed)", "csls", 10)
    assert dataclasses.replace(other, name="align", similarity="cosine", margin_k=4) == align


def test_a_protocol_of_ones_own() -> None:
    vectors = noisy({"hin_Deva": 1.0, "tur_Latn": 2.0}, 12)
    protocol = dataclasses.replace(PROTOCOLS["xtreme"], name="to Turkish", pivot="tur_Latn")
    result = retrieval(Table(vectors), numbered(list(vectors), 12), protocol=protocol)
    assert [(s.queries, s.candidates) for s in result.scores] == [("hin_Deva", "tur_Latn")]
    assert result.table().startswith("protocol to Turkish: others query tur_Latn;")


def test_ties_count_against_the_model() -> None:
    texts = numbered(["deu_Latn", ENG], 4)
    same = retrieval(lambda given, _: np.ones((len(given), 3)), texts)
    assert [score.metrics["P@1"] for score in same.scores] == [0.0, 0.0]
    assert same.scores[0].metrics["MRR"] == 0.25
    one = retrieval(lambda given, _: np.ones((len(given), 3)), numbered(["deu_Latn", ENG], 1))
    assert one.headline() == 1.0


COPIES = {"deu_Latn": ["Hallo", "Hallo", "Ja", "Nein"], ENG: ["Hello", "Hi", "Yes", "No"]}
MEANING = {
    "Hallo": [1, 0, 0], "Hello": [1, 0, 0], "Hi": [1, 0.2, 0.2], "Ja": [0, 1, 0], "Yes": [0, 1, 0], "Nein": [0, 0, 1],
    "No": [0, 0, 1],
}  # fmt: skip


@pytest.mark.parametrize("similarity", SCORES)
def test_equal_texts_are_all_right_in_align_and_errors_elsewhere(similarity: str) -> None:
    def ranks(name: str) -> dict[str, tuple[int, ...]]:
        protocol = changed(PROTOCOLS[name], similarity=similarity)
        result = retrieval(lambda texts, _: [MEANING[t] for t in texts], COPIES, protocol=protocol, per_item=True)
        return {score.queries: score.ranks for score in result.scores}

    assert "equal texts: all right" in PROTOCOLS["align"].describe()
    assert "equal texts: all wrong" in PROTOCOLS["xtreme"].describe()
    assert ranks("align")[ENG] == (1, 1, 1, 1)  # both lines "Hallo" answer both "Hello" and "Hi"
    assert ranks("glot500") == {ENG: (2, 2, 1, 1)}
    if similarity == "cosine":  # "Hello" and "Hi" are two texts, and "Hello" is nearer
        assert ranks("align")["deu_Latn"] == ranks("xtreme")["deu_Latn"] == (1, 2, 1, 1)


def test_equal_texts_of_blank_and_left_out_lines() -> None:
    texts = {"deu_Latn": ["a", " ", "a", "b"], ENG: ["1", "1", "", "2"]}
    result = retrieval(lambda given, _: np.ones((len(given), 2)), texts, per_item=True)
    assert find(result, "deu_Latn", ENG).ranks == (2, 0, 0, 2)  # lines 0 and 3 are left: no copies are


def test_geometry_by_choice() -> None:
    vectors = noisy({"deu_Latn": 1.0, ENG: 0.5}, 40)
    plain = retrieval(Table(vectors), numbered(list(vectors), 40))
    assert all(score.hubness is None and score.anisotropy is None for score in plain.scores)
    result = retrieval(Table(vectors), numbered(list(vectors), 40), geometry=True)
    for score in result.scores:
        near = top_k(vectors[score.queries], vectors[score.candidates], 10)[1]
        counts = np.bincount(near.ravel(), minlength=40)
        assert score.hubness == pytest.approx(((counts - 10) ** 3).mean() / counts.std() ** 3)
        units = vectors[score.candidates] / np.linalg.norm(vectors[score.candidates], axis=1, keepdims=True)
        assert score.anisotropy == pytest.approx(((units @ units.T).sum() - 40) / (40 * 39))
    one = retrieval(Table({"deu_Latn": [[1, 2]], ENG: [[2, 1]]}), numbered(["deu_Latn", ENG], 1), geometry=True)
    assert one.scores[0].hubness is None  # two lines are needed


def test_blank_lines_are_left_out_of_their_pairs_only() -> None:
    vectors = noisy({"deu_Latn": 0.1, "fra_Latn": 0.1, ENG: 0.1}, 6)
    texts = numbered(list(vectors), 6)
    texts["deu_Latn"][2] = " \t"
    texts[ENG][4] = ""
    result = retrieval(Table(vectors), texts, per_item=True)
    german, french = find(result, "deu_Latn", ENG), find(result, "fra_Latn", ENG)
    assert (german.n, german.left_out, german.ranks) == (4, 2, (1, 1, 0, 1, 0, 1))
    assert (french.n, french.left_out, french.ranks) == (5, 1, (1, 1, 1, 1, 0, 1))


def test_a_blank_line_is_no_candidate() -> None:
    encode = Table({"deu_Latn": [[1, 0], [0, 1]], ENG: [[1, 1], [1, 0]]})
    texts = {"deu_Latn": ["0", " "], ENG: ["0", "1"]}  # eng 1 would beat eng 0
    assert find(retrieval(encode, texts), "deu_Latn", ENG).metrics["P@1"] == 1.0


def test_each_language_is_encoded_once() -> None:
    vectors = noisy({"hin_Deva": 0.1, "hin_Latn": 0.1, "deu_Latn": 0.1, ENG: 0.1}, 12)
    encode = Table(vectors)
    result = retrieval(encode, numbered(list(vectors), 12))
    assert encode.calls == dict.fromkeys(vectors, 1)
    assert len(result.scores) == 8  # three languages with English and the two scripts of Hindi, both ways


def test_the_order_of_lines_does_not_matter() -> None:
    vectors = noisy({"deu_Latn": 2.0, ENG: 2.0}, 40)
    order = np.random.default_rng(1).permutation(40)
    moved = {code: rows[order] for code, rows in vectors.items()}
    texts = numbered(list(vectors), 40)
    a, b = (retrieval(Table(v), texts, per_item=True) for v in (vectors, moved))
    for one, other in zip(a.scores, b.scores, strict=True):
        assert tuple(np.array(one.ranks)[order]) == other.ranks
        assert one.metrics == pytest.approx(dict(other.metrics))


SCRIPTS = {
    "hin_Deva": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]],  # all four right, both ways
    "hin_Latn": [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1]],  # lines 0 and 1 wrong, both ways
    "deu_Latn": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]],
    ENG: [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]],
}


def test_script_gap_by_hand() -> None:
    result = retrieval(Table(SCRIPTS), numbered(list(SCRIPTS), 4))
    found = {(score.queries, score.candidates): score.metrics["P@1"] for score in result.scores}
    gaps = {(gap.language, gap.scripts, gap.other, gap.direction): gap.gap for gap in script_gaps(found)}
    key = ("hin", ("Deva", "Latn"), ENG)
    assert gaps == {(*key, "to_other"): 0.5, (*key, "from_other"): 0.5}
    assert find(result, "hin_Deva", "hin_Latn").metrics["P@1"] == 0.5  # the direct search is a score of its own
    assert result.headline() == pytest.approx(2.5 / 3)  # and does not count in the headline
    assert script_gaps({("deu_Latn", ENG): 0.5}) == ()


def test_script_gaps_against_every_other_language_but_not_its_own() -> None:
    found = {
        ("srp_Cyrl", "deu_Latn"): 0.9, ("srp_Latn", "deu_Latn"): 0.4, ("srp_Cyrl", ENG): 0.25,
        ("srp_Latn", ENG): 0.75, (ENG, "srp_Latn"): 0.1,  # its counterpart is missing
        ("srp_Cyrl", "srp_Arab"): 0.3, ("srp_Latn", "srp_Arab"): 0.6,
    }  # fmt: skip
    gaps = [(gap.scripts, gap.other, gap.direction, gap.gap) for gap in script_gaps(found)]
    cyrl_latn = ("Cyrl", "Latn")
    assert gaps == [(cyrl_latn, "deu_Latn", "to_other", 0.5), (cyrl_latn, ENG, "to_other", -0.5)]


def test_two_languages_without_the_pivot_are_one_pair() -> None:
    result = retrieval(Table(SCRIPTS), numbered(["hin_Latn", "hin_Deva"], 4))
    assert [(s.queries, s.candidates) for s in result.scores] == [("hin_Deva", "hin_Latn"), ("hin_Latn", "hin_Deva")]
    assert result.headline() == 0.5


def test_table() -> None:
    table = retrieval(Table(SCRIPTS), numbered(list(SCRIPTS), 4)).table()
    assert "| queries  | candidates | n | left out |   P@1 |   P@5 |  P@10 |   MRR |" in table
    assert "ties: against the model" in table and table.count("\n") == 11


def test_results_of_several_sets_are_combined() -> None:
    one = retrieval(Table(SCRIPTS), numbered(["hin_Deva", ENG], 4))
    two = retrieval(Table(SCRIPTS), numbered(["hin_Latn", ENG], 4))
    both = combine([one, two])
    assert both.scores == one.scores + two.scores
    assert both.headline() == 0.75
    other = retrieval(Table(SCRIPTS), numbered(["hin_Latn", ENG], 4), protocol="xtreme")
    with pytest.raises(InputError, match="results of one protocol, got align, xtreme"):
        combine([one, other])
    with pytest.raises(InputError, match="got none"):
        combine([])


def shifted(rows: np.ndarray, start: int, stop: int, shift: int) -> np.ndarray:
    """Rows start..stop-1 moved by ``shift``, as after a line lost at one place and gained at another."""
    moved = rows.copy()
    moved[start:stop] = np.roll(rows[start:stop], shift, axis=0)
    return moved


@pytest.mark.parametrize(("start", "stop"), [(0, 60), (30, 60), (0, 25), (20, 45)])
@pytest.mark.parametrize("shift", [1, -1])
def test_misaligned_by_one_line(start: int, stop: int, shift: int) -> None:
    vectors = noisy({"deu_Latn": 0.3, ENG: 0.3}, 60)
    vectors[ENG] = shifted(vectors[ENG], start, stop, shift)
    first, last = (start, stop - 1) if shift > 0 else (start + 1, stop)
    message = (
        f"^deu_Latn and eng_Latn are misaligned by one line: the nearest neighbours of lines {first + 1} to {last} of "
        f"deu_Latn are the lines {'after' if shift > 0 else 'before'} theirs in eng_Latn, not their own; "
    )
    texts = numbered(list(vectors), 60)
    with pytest.raises(InputError, match=message):
        retrieval(Table(vectors), texts)
    assert retrieval(Table(vectors), texts, check_alignment=False).headline() < 0.7


@pytest.mark.parametrize("noise", [0.1, 1.0, 2.0, 10.0])
def test_aligned_text_is_not_refused_however_weak_the_encoder(noise: float) -> None:
    for n in (1, 12, 20, 200):
        vectors = noisy({"deu_Latn": noise, ENG: noise}, n)
        retrieval(Table(vectors), numbered(list(vectors), n))


def test_neighbours_that_resemble_each_other_are_no_misalignment() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal((200, 16)), axis=0)  # each line is close to the next
    other = walk + rng.standard_normal((200, 16))
    offsets = np.argmax(retrieval_scores(walk, other), axis=1) - np.arange(200)
    assert (offsets == 1).sum() > 10  # the neighbour is often nearer, and still
    assert misaligned_run(walk, other, np.arange(200)) is None
    twice = np.repeat(rng.standard_normal((30, 8)), 2, axis=0)  # every line stands twice
    assert misaligned_run(twice, twice, np.arange(60)) is None


def retrieval_scores(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return a @ b.T


def test_ten_lines_are_needed_to_call_a_text_misaligned() -> None:
    rows = np.eye(12)
    assert misaligned_run(rows[:10], rows[1:11], np.arange(10)) is None  # nine neighbours: line 0 has lost its own
    assert misaligned_run(rows[:11], rows[1:12], np.arange(11)) == (1, 10, -1)


@pytest.mark.parametrize(("every", "found"), [(4, True), (6, False)])
def test_a_fifth_of_the_lines_must_be_nearest_to_their_neighbour(every: int, found: bool) -> None:
    lines = np.arange(120)
    nearest = np.where(lines % every == 0, lines + 1, (lines + 60) % 120)  # the others are far off
    assert (misaligned_run(np.eye(120)[nearest], np.eye(120), lines) is not None) == found


@pytest.mark.parametrize(("own", "found"), [(2, True), (4, False)])
def test_lines_nearest_to_their_own_speak_against_a_misalignment(own: int, found: bool) -> None:
    lines = np.arange(120)
    nearest = np.where(lines % 12 < own, lines, np.minimum(lines + 1, 119))  # 10 to 2 passes, 8 to 4 does not
    assert (misaligned_run(np.eye(120)[nearest], np.eye(120), lines) is not None) == found


def test_a_gap_of_line_numbers_is_no_shift() -> None:
    rows = np.eye(30)
    even = np.arange(0, 60, 2)
    assert misaligned_run(rows, np.roll(rows, 1, axis=0), np.arange(30)) == (0, 28, 1)
    assert misaligned_run(rows, np.roll(rows, 1, axis=0), even) is None  # two lines apart
    check_shift(rows, rows, even, ("a", "b"))


def bad_encoder(rows: object):
    return lambda texts, language: rows if language == "deu_Latn" else np.eye(len(texts), 4)


TWO = numbered(["deu_Latn", ENG], 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.eye(2, 4), "^deu_Latn: the encoder returned 2 embeddings for 3 texts"),
        (np.ones(3), "^deu_Latn: the encoder returned no embeddings: .* got shape"),
        (np.eye(3, 5), "^deu_Latn and eng_Latn: the encoder returned 5 and 4 dimensions"),
        (
            np.array([[1.0], [2.0], [np.nan]]),
            "^deu_Latn: the encoder returned NaN or Inf for 1 texts, the first on line 3",
        ),
        (np.array([[1e300], [2.0], [3.0]]), "NaN or Inf for 1 texts, the first on line 1"),
    ],
)
def test_a_bad_encoder_is_refused_with_the_language(rows: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        retrieval(bad_encoder(rows), TWO)


def test_nan_is_named_by_its_line_in_the_file() -> None:
    rows = np.array([[1.0, 0, 0, 0], [np.nan, 0, 0, 0]])
    with pytest.raises(InputError, match="the first on line 3"):
        retrieval(bad_encoder(rows), {"deu_Latn": ["a", "", "b"], ENG: ["a", "b", "c"]})


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ({}, {}, "no language was given"),
        ({ENG: []}, {}, "eng_Latn has no lines"),
        ({ENG: ["a"]}, {}, "at least two languages, got eng_Latn"),
        ({"deu_Latn": ["a"] * 997, ENG: ["a"] * 1004}, {}, "deu_Latn has 997 lines, eng_Latn has 1004: line-aligned"),
        ({"deu_Latn": ["a", ""], ENG: ["", "a"]}, {}, "deu_Latn and eng_Latn share no line"),
        ({"deu_Latn": ["", " "], ENG: ["a", "a"]}, {}, "deu_Latn: all 2 lines are blank"),
        (TWO, {"pairs": []}, "no pairs were given"),
        (TWO, {"pairs": [("fra_Latn", ENG)]}, "no text in fra_Latn; available: deu_Latn, eng_Latn"),
        (TWO, {"pairs": [(ENG, ENG)]}, "pair eng_Latn, eng_Latn: expected two languages"),
        (TWO, {"pairs": [("deu_Latn", ENG), (ENG, "deu_Latn")]}, "each pair once in either order"),
        (TWO, {"protocol": "bible"}, "unknown protocol 'bible': expected one of align, margin, xsim, glot500, xtreme"),
        (
            numbered(["deu_Latn", "fra_Latn"], 3),
            {"protocol": "xtreme"},
            "protocol xtreme needs eng_Latn in each pair, got deu_Latn and fra_Latn",
        ),
        (numbered(["a_A", "b_B", "c_C"], 3), {}, "no pivot eng_Latn among a_A, b_B, c_C"),
    ],
)
def test_bad_input_is_refused(texts, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        retrieval(lambda given, _: np.eye(len(given), 4), texts, **options)


def test_nothing_is_encoded_for_a_pair_that_will_be_refused() -> None:
    encode = Table(SCRIPTS)
    with pytest.raises(InputError, match="glot500 needs eng_Latn"):
        retrieval(encode, numbered(list(SCRIPTS), 4), [("deu_Latn", ENG), ("hin_Deva", "hin_Latn")], protocol="glot500")
    assert not encode.calls


def test_protocol_directions_are_checked() -> None:
    with pytest.raises(InputError, match="protocol x: directions are to_pivot and from_pivot"):
        Protocol(name="x", directions=("sideways",))
    with pytest.raises(InputError, match="protocol x: directions"):
        Protocol(name="x", directions=())
    with pytest.raises(InputError, match="protocol x: duplicates are right or wrong, got 'both'"):
        Protocol(name="x", duplicates="both")
    with pytest.raises(InputError, match="unknown score 'euclid': expected one of cosine, csls, ratio, distance"):
        Protocol(name="x", similarity="euclid")
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        Protocol(name="x", margin_k=0)
    assert find_protocol(PROTOCOLS["align"]) is PROTOCOLS["align"]


def test_a_language_is_forgotten_after_its_last_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["align.tasks.retrieval.task"]
    sides: list[weakref.ref] = []
    alive: list[int] = []

    def embed(*args):
        alive.append(sum(side() is not None for side in sides))
        side = original(*args)
        sides.append(weakref.ref(side))
        return side

    original = module.embed
    monkeypatch.setattr(module, "embed", embed)
    codes = ["aaa_Latn", "bbb_Latn", "ccc_Cyrl", "ccc_Latn", "ddd_Latn"]
    retrieval(lambda texts, _: np.eye(len(texts), 4), numbered([*codes, ENG], 3))
    assert alive == [0, 1, 1, 1, 2, 1]  # English, and the Cyrillic side until its Latin one has been compared


def test_no_product_is_larger_than_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the ranks, nor in the look for lines moved by one, nor in hubness; and the scores are the same."""
    import align.similarity.cosine

    rng = np.random.default_rng(5)
    texts = {"deu_Latn": [f"d{i}" for i in range(50)], "eng_Latn": [f"e{i}" for i in range(50)]}
    vectors = {code: rng.normal(size=(50, 4)).astype(np.float32) for code in texts}
    whole = retrieval(lambda _, code: vectors[code], texts, protocol="margin", geometry=True)
    seen = []
    plain = np.matmul

    def watched(a: np.ndarray, b: np.ndarray, **options: object) -> np.ndarray:
        seen.append((a.shape[0], b.shape[1]))
        return plain(a, b, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(align.similarity.cosine.np, "matmul", watched)
    parts = retrieval(lambda _, code: vectors[code], texts, protocol="margin", geometry=True, block=7)
    assert seen and max(max(shape) for shape in seen) == 7
    assert parts.scores == whole.scores

"""Comparisons of hand-made results: what is compared, what is tested, what is told apart, and how it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_dicts import ranked, result, save, score, sts_result, without_items

from align.errors import InputError
from align.evaluation.compare import compare
from align.evaluation.result_names import result_names
from align.tasks.statistics.intervals import macro_interval, samples_interval
from align.tasks.statistics.samples import joint_samples
from align.tasks.statistics.tests import holm, paired_difference


def right(share: float, n: int = 100) -> list[int]:
    return [int(i < share * n) for i in range(n)]


def three() -> list[dict[str, Any]]:
    """The second is far better in Hindi and Serbian and equal in German; the third differs from the first by chance."""
    languages = ("hin_Deva", "srp_Cyrl", "deu_Latn")
    shares = {"seed": (0.5, 0.4, 0.9), "trained": (0.9, 0.8, 0.9), "other": (0.52, 0.39, 0.9)}
    return [
        result(model, [score(language, right(s)) for language, s in zip(languages, of, strict=True)])
        for model, of in shares.items()
    ]


def models(comparison: Any, benchmark: int = 0) -> dict[str, Any]:
    return {one.model: one for one in comparison.benchmarks[benchmark].models}


def test_what_is_real_and_what_is_not() -> None:
    found = compare(three())
    assert found.models == ("seed", "trained", "other")
    (section,) = found.benchmarks
    assert (section.baseline, section.scores, section.without_items, section.left_out) == ("seed", 3, (), ())
    of = models(found)
    assert of["seed"].difference is None
    assert of["trained"].value == pytest.approx(2.6 / 3)
    assert of["trained"].difference.value == pytest.approx(0.8 / 3)
    assert of["trained"].difference.distinguishable and of["trained"].difference.adjusted < 1e-9
    assert of["other"].difference.value == pytest.approx(0.01 / 3)  # 2 items more, 1 less: p = 1
    assert (of["other"].difference.p, of["other"].difference.distinguishable) == (1.0, False)
    assert [of[name].as_good_as_best for name in of] == [False, True, False]


def test_numbers_are_those_of_the_statistics() -> None:
    found = compare(three(), resamples=200, seed=3, level=0.9)
    first, second = ([one["items"] for one in r["scores"]] for r in three()[:2])
    of = models(found)
    assert of["trained"].interval == macro_interval(second, level=0.9)
    pairs = found.benchmarks[0].slices["pair"]
    assert [one.name for one in pairs] == ["hin_Deva>eng_Latn", "srp_Cyrl>eng_Latn", "deu_Latn>eng_Latn"]
    expected = paired_difference(second[0], first[0], resamples=200, seed=3, level=0.9)
    tested = pairs[0].differences[1]
    assert (tested.value, tested.interval, tested.p) == (
        pytest.approx(expected.value), pytest.approx(expected.interval), pytest.approx(expected.p)
    )  # fmt: skip
    assert pairs[0].values == (0.5, 0.9, 0.52) and pairs[0].scores == 1
    for place in (1, 2):  # Holm over the pairs of each model, and over the models of the mean
        column = [pair.differences[place] for pair in pairs]
        assert [one.adjusted for one in column] == pytest.approx(holm([one.p for one in column]).tolist())
    both = [of[name].difference for name in ("trained", "other")]
    assert [one.adjusted for one in both] == pytest.approx(holm([one.p for one in both]).tolist())
    draws = joint_samples(list(zip(second, first, strict=True)), resamples=200, seed=3)
    means = np.mean([a.resampled - b.resampled for a, b in draws], axis=0)
    assert of["trained"].difference.interval == pytest.approx(tuple(np.quantile(means, [0.05, 0.95])))


def test_a_difference_that_only_the_correction_takes_away() -> None:
    """p = 2 / 2^6 in one of three languages, nothing in the others: 3 p is above .05."""
    a, b = ([score(code, right(s, 20)) for code, s in zip(("hin_Deva", "srp_Cyrl", "deu_Latn"), of, strict=True)]
            for of in ((0.4, 0.5, 0.5), (0.7, 0.5, 0.5)))  # fmt: skip
    tests = [one.differences[1] for one in compare([result("a", a), result("b", b)]).benchmarks[0].slices["pair"]]
    assert (tests[0].p, tests[0].adjusted) == (pytest.approx(2 / 64), pytest.approx(6 / 64))
    assert [one.distinguishable for one in tests] == [False, False, False]
    assert models(compare([result("a", a[:1]), result("b", b[:1])]))["b"].difference.distinguishable


def test_models_as_good_as_the_best() -> None:
    """b and c are told apart from a, not from each other."""
    shares = {"a": 0.5, "b": 0.8, "c": 0.81}
    found = compare([result(name, [score("hin_Deva", right(s))]) for name, s in shares.items()])
    assert [one.as_good_as_best for one in models(found).values()] == [False, True, True]
    assert [one.difference and one.difference.distinguishable for one in models(found).values()] == [None, True, True]


def test_rhos() -> None:
    rng = np.random.default_rng(0)
    gold = [rng.permutation(60).astype(float).tolist() for _ in range(2)]
    good, bad = (
        [ranked(f"set {i}", (np.array(g) + noise * rng.standard_normal(60)).tolist(), g) for i, g in enumerate(gold)]
        for noise in (10, 60)
    )
    found = compare([sts_result("good", good), sts_result("bad", bad)], resamples=100, permutations=199, seed=1)
    of = models(found)
    assert of["bad"].difference.value == pytest.approx(
        np.mean([b["metrics"]["spearman"] - a["metrics"]["spearman"] for a, b in zip(good, bad, strict=True)])
    )
    assert of["bad"].difference.p == 1 / 200
    drawn = joint_samples([[one["items"]] for one in bad], golds=[one["gold"] for one in bad], resamples=100, seed=1)
    assert of["bad"].interval == pytest.approx(samples_interval([sample for (sample,) in drawn]))
    expected = paired_difference(
        bad[0]["items"], good[0]["items"], gold=gold[0], resamples=100, permutations=199, seed=1
    )
    tested = found.benchmarks[0].slices["pair"][0].differences[1]
    assert (tested.interval, tested.p) == (pytest.approx(expected.interval), expected.p)


def test_without_items_there_is_no_test() -> None:
    first, second, third = three()
    found = compare([first, without_items(second), third])
    of = models(found)
    assert found.benchmarks[0].without_items == ("trained",)
    assert of["trained"].difference.value == pytest.approx(0.8 / 3)
    assert (of["trained"].difference.p, of["trained"].difference.distinguishable) == (None, None)
    assert of["trained"].interval == (0.1, 0.9)  # what the file says
    assert [one.as_good_as_best for one in of.values()] == [None, None, None]  # the best cannot be tested
    assert of["other"].difference.p == 1.0
    assert "No test is possible without per-item scores; the results of trained have none." in found.table()
    bare = compare([without_items(one) for one in three()])
    assert [one.value for one in models(bare).values()] == [one.value for one in of.values()]
    assert (
        "the results of seed, trained, other have none" in bare.table("pair") and "≈" not in bare.table().split("##")[1]
    )


def test_scores_that_a_model_lacks() -> None:
    first, second, third = three()
    second["scores"] = second["scores"][:2]
    second["missing"] = [{"name": "deu_Latn", "reason": "NaN vectors"}]
    third["scores"][1] = score("srp_Cyrl", right(0.4, 50))
    found = compare([first, second, third])
    (section,) = found.benchmarks
    assert [(one.id, one.reason) for one in section.left_out] == [
        ("srp_Cyrl>eng_Latn", "n is 100 for seed, 100 for trained, 50 for other"),
        ("deu_Latn>eng_Latn", "not in the result of trained"),
        ("deu_Latn", "missing for trained: NaN vectors"),
    ]
    assert section.scores == 1 and [one.value for one in section.models] == [0.5, 0.9, 0.52]
    assert "| deu_Latn>eng_Latn | not in the result of trained " in found.table()
    bare = compare([without_items(one) for one in (first, second, third)])
    assert [one.interval for one in models(bare).values()] == [None, None, None]  # the files' are of other scores


def test_gold_scores_that_differ() -> None:
    a, b = (
        [ranked("x", [0.1, 0.2, 0.4], gold), ranked("y", [0.1, 0.2, 0.4], [1, 3, 2])] for gold in ([1, 2, 3], [1, 2, 4])
    )
    (section,) = compare([sts_result("a", a), sts_result("b", b)]).benchmarks
    assert [(one.id, one.reason) for one in section.left_out] == [("x", "the gold scores differ")]


def test_slices() -> None:
    def scores(*shares: float) -> list[dict[str, Any]]:
        codes = ("hin_Deva", "mar_Deva", "deu_Latn", "deu_Latn")
        made = [score(code, right(s)) for code, s in zip(codes, shares, strict=True)]
        made[3] |= {"id": "eng_Latn>deu_Latn", "direction": "from_pivot"}
        return made

    both = [result("a", scores(0.2, 0.4, 0.6, 0.8)), result("b", scores(0.6, 0.6, 0.6, 0.8))]
    (section,) = compare(both, by=("language", "script", "family", "direction")).benchmarks
    assert {by: {one.name: one.values for one in of} for by, of in section.slices.items() if by != "pair"} == {
        "language": {
            "hin_Deva": (0.2, 0.6), "mar_Deva": (0.4, 0.6), "deu_Latn": pytest.approx((0.7, 0.7)),
        },
        "script": {"Deva": pytest.approx((0.3, 0.6)), "Latn": pytest.approx((0.7, 0.7))},
        "family": {"Indo-European": pytest.approx((0.5, 0.65))},
        "direction": {"to_pivot": pytest.approx((0.4, 0.6)), "from_pivot": (0.8, 0.8)},
    }  # fmt: skip
    tests = [one.differences[1] for one in section.slices["script"]]
    assert [one.scores for one in section.slices["script"]] == [2, 2]
    assert [one.distinguishable for one in tests] == [True, False]
    assert tests[1].adjusted == 1.0 and tests[1].interval == (0.0, 0.0)
    both[0]["scores"][0]["script"] = both[1]["scores"][0]["script"] = ""
    assert [one.name for one in compare(both, by=["script"]).benchmarks[0].slices["script"]] == ["none", "Deva", "Latn"]


def test_several_benchmarks() -> None:
    gold = list(range(30))
    pairs = [ranked("x", [(7 * i) % 30 for i in range(30)], gold)], [ranked("x", gold, gold)]
    first, second, _ = three()
    everything = [
        first,
        sts_result("seed", pairs[0]),
        second,
        sts_result("trained", pairs[1]),
        sts_result("late", pairs[1]),
    ]
    found = compare(everything)
    assert found.models == ("seed", "trained", "late")
    assert [(one.benchmark, one.task) for one in found.benchmarks] == [("tatoeba", "retrieval"), ("stsb", "sts")]
    summary = found.table().split("\n\n")[1].splitlines()
    assert summary == [
        "| model   | tatoeba P@1 | stsb spearman |",
        "|:--------|:------------|:--------------|",
        f"| seed    | 0.600       | {pairs[0][0]['metrics']['spearman']:.3f}         |",
        "| trained | 0.867 =     | 1.000 =       |",
        "| late    | -           | 1.000 =       |",
    ]
    turned = compare(everything, baseline="late")
    assert turned.models == ("late", "seed", "trained")
    assert [one.baseline for one in turned.benchmarks] == ["seed", "late"]  # late has no result on the first
    assert models(turned, 1)["trained"].difference.p == 1.0


def test_one_text_may_serve_two_tasks() -> None:
    first, second, _ = three()
    found = compare([first, second, {**first, "task": "mexa", "metric": "MEXA"} | renamed("MEXA")])
    assert [(one.task, len(one.models)) for one in found.benchmarks] == [("retrieval", 2), ("mexa", 1)]


def renamed(metric: str) -> dict[str, Any]:
    return {"scores": [score("hin_Deva", [1, 0], metrics={metric: 0.5})]}


def test_one_model_is_shown_without_a_difference() -> None:
    text = compare(three()[:1]).table()
    assert text.split("\n\n")[2].splitlines()[0].split() == ["|", "model", "|", "P@1", "|", "low", "|", "high", "|"]


# how it is shown


def test_the_table() -> None:
    assert compare(three())._repr_markdown_() == compare(three()).table()  # in a notebook
    parts = compare(three()).table("pair").split("\n\n")
    assert parts[0] == (
        "Intervals: 95 %; differences: paired bootstrap of 1000 resamples, paired permutation test (exact, or 9999 "
        "permutations), both by line, p after Holm's correction; seed 0.\n≈ marks a difference that is not "
        "distinguishable from 0 (p > 0.05), = the best model and those not distinguishable from it (max-T)."
    )
    assert parts[1] == "## tatoeba (retrieval): P@1, mean of 3 scores"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in parts[2].splitlines()]
    assert rows[0] == ["model", "P@1", "low", "high", "best", "minus seed", "low", "high", "p", ""]
    assert rows[2][:2] == ["seed", "0.600"] and rows[2][4:] == ["", "", "", "", "", "baseline"]
    assert rows[3][4:6] == ["=", "+0.267"] and rows[3][8:] == ["<0.001", ""]
    assert rows[4][4:6] == ["", "+0.003"] and rows[4][8:] == ["1.000", "≈"]
    assert parts[3] == "trained against seed, score by score: better in 2, worse in 0, ≈ in 1 of 3."
    assert parts[4] == "other against seed, score by score: better in 0, worse in 0, ≈ in 3 of 3."
    assert parts[5].startswith("The results do not say which items come from one line: each counts as independent.")
    pairs = [[cell.strip() for cell in line.strip("|").split("|")] for line in parts[6].splitlines()]
    assert pairs[0] == [
        "pair",
        "scores",
        "seed",
        "trained",
        "other",
        "trained minus seed",
        "p",
        "",
        "other minus seed",
        "p",
        "",
    ]
    assert pairs[2][:5] == ["hin_Deva>eng_Latn", "1", "0.500", "0.900", "0.520"]
    assert pairs[2][5].startswith("+0.400 [+0.") and pairs[2][6:8] == ["<0.001", ""]
    assert pairs[2][9:] == ["1.000", "≈"]


def test_worse_is_counted_as_worse() -> None:
    first, second, _ = three()
    assert (
        "seed against trained, score by score: better in 0, worse in 2, ≈ in 1 of 3."
        in compare([second, first]).table()
    )


def test_groups_of_the_files() -> None:
    first, second, _ = three()
    first["groups"] = [{"by": "tail", "group": "worst tenth", "scores": 1, "value": 0.4, "interval": [0.3, 0.5]}]
    second["groups"] = [
        {"by": "tail", "group": "worst tenth", "scores": 1, "value": 0.8, "interval": None},
        {"by": "seen", "group": "trained", "scores": 2, "value": 0.85, "interval": [0.8, 0.9]},
    ]
    text = compare([first, second]).table("group")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    assert rows[-3:] == [
        ["by", "group", "seed", "low, high", "trained", "low, high"],
        ["tail", "worst tenth", "0.400", "0.300, 0.500", "0.800", "-"],
        ["seen", "trained", "-", "-", "0.850", "0.800, 0.900"],
    ]
    assert "they are not tested" in text
    assert "The files have no groups." in compare(three()).table("group")


def test_json() -> None:
    found = compare(three(), by=["script"]).to_json()
    assert json.loads(json.dumps(found))["models"] == ["seed", "trained", "other"]
    assert (found["format"], found["version"], found["models"]) == ("align-comparison", 1, ("seed", "trained", "other"))
    (section,) = found["benchmarks"]
    assert set(section["slices"]) == {"pair", "script"}
    tested = section["slices"]["pair"][0]["differences"][1]
    assert set(tested) == {"value", "interval", "p", "adjusted", "distinguishable"}
    assert section["models"][1]["difference"]["distinguishable"] is True


# names


def test_names_of_models() -> None:
    a = result("m", [score("hin_Deva", [1, 0])], fingerprint="0123456789")
    b = result("m", [score("hin_Deva", [1, 0])], fingerprint="abcdefghij")
    late = {**a, "encoder": {"fingerprint": "0123456789", "pooling": {"layer": 12, "kind": "mean"}}}
    sts = sts_result("m", [ranked("x", [1, 2], [1, 2])], fingerprint="0123456789")
    sts["encoder"] = late["encoder"]
    assert result_names([a, sts], "ab") == ["m", "m"]  # one model, pooled otherwise for another task
    assert result_names([a, b, sts], "abc") == ["m (01234567)", "m (abcdefgh)", "m (01234567)"]
    assert result_names([a, late], "ab") == ["m (pooling.layer 8)", "m (pooling.layer 12)"]
    assert result_names([a, late, b], "abc") == [
        "m (01234567, pooling.layer 8)", "m (01234567, pooling.layer 12)", "m (abcdefgh)",
    ]  # fmt: skip
    assert result_names([a, b, sts], "abc", ["x", "y"]) == ["x", "y", "x"]
    assert result_names([a, {**a, "model": "n"}], "ab") == ["m", "n"]


# what is refused


def other(**keys: Any) -> dict[str, Any]:
    return {**three()[1], **keys}


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (
            other(protocol={"name": "align", "ties": "average", "k": 4}),
            r"a.json and .*b.json are not comparable on tatoeba, their numbers mean different things: they differ in "
            r"protocol ties \('worst' and 'average'\), protocol k \(None and 4\)$",
        ),
        (
            other(data={"sha256": "0" * 64}),
            r"they differ in data sha256 \('5eed5eed5eed' and '000000000000'\)$",
        ),
        (
            without_items(other(metric="MRR", scores=[score("hin_Deva", [1], metrics={"MRR": 1.0})])),
            r"they differ in metric \('P@1' and 'MRR'\)$",
        ),
        (
            without_items(other(statistic="spearman")),
            r"they differ in statistic \('mean' and 'spearman'\)$",
        ),
        (other(version=7), "b.json is a results file of version 7, this align reads version 1: evaluate again"),
        (
            other(scores=[score("ben_Beng", [1, 0])]),
            "tatoeba: seed and trained share no score, there is nothing to compare",
        ),
        (
            three()[0],
            r"b.json and .*a.json are both of model seed on tatoeba: give one of them",
        ),
    ],
)  # fmt: skip
def test_results_that_do_not_go_together(tmp_path: Path, second: dict[str, Any], sentence: str) -> None:
    paths = [save(tmp_path / f"{name}.json", one) for name, one in (("a", three()[0]), ("b", second))]
    with pytest.raises(InputError, match=sentence):
        compare(paths)


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="expected at least one result to compare, got none"):
        compare([])
    with pytest.raises(InputError, match="^result 2 is not a result file"):
        compare([three()[0], {}])
    with pytest.raises(InputError, match="baseline 'x' is none of the models: seed, trained, other"):
        compare(three(), baseline="x")
    with pytest.raises(InputError, match="expected by to be of pair, language, script, family, direction, got 'tribe'"):
        compare(three(), by=["script", "tribe"])
    with pytest.raises(InputError, match="expected one of pair, group to show, got 'script'"):
        compare(three()).table("script")
    for names in (["a", "b"], ["a", "a", "b"]):
        with pytest.raises(
            InputError, match=f"expected 3 different names, for seed, trained, other; got {', '.join(names)}"
        ):
            compare(three(), names=names)
    constant = sts_result("a", [ranked("x", [1, 2], [1, 2])])
    constant["scores"][0]["items"] = [1, 1]
    with pytest.raises(InputError, match="stsb, score x: items: all 2 values are 1"):
        compare([constant, sts_result("b", [ranked("x", [1, 2], [1, 2])])])


# the command


def test_the_command(align, tmp_path: Path) -> None:
    for one in three():
        save(tmp_path / one["model"] / "tatoeba.json", one)
    words = (
        "compare",
        "seed",
        "trained/tatoeba.json",
        "other",
        "--names",
        "A,B, C",
        "--resamples",
        "50",
        "--seed",
        "2",
    )
    printed = align(*words, "--by", "script", "--baseline", "C", "--out", "c.json")
    expected = compare(three(), names=["A", "B", "C"], baseline="C", by=["script"], resamples=50, seed=2)
    assert printed.out == expected.table("script") + "\n"
    written = json.loads((tmp_path / "c.json").read_text())
    assert written.pop("files") == ["seed/tatoeba.json", "trained/tatoeba.json", "other/tatoeba.json"]
    plain = json.loads(json.dumps(expected.to_json()))
    assert written == {key: value for key, value in plain.items() if key != "files"}
    assert align(*words, "--by", "group").out.endswith("The files have no groups.\n")
    assert "expected by to be of pair" in align("compare", "seed", "--by", "tribe", code=2).err
    save(tmp_path / "bad.json", {"format": "align-result", "version": 9})
    assert align("compare", "seed", "bad.json", code=2).err == (
        "align: bad.json is a results file of version 9, this align reads version 1: evaluate again\n"
    )


def test_texts_are_compared_score_by_score_where_their_hashes_are_known() -> None:
    """Results over other languages, whose text as a whole differs, are comparable on the languages that they share."""
    a, b = three()[:2]
    for one in (a, b):
        for row in one["scores"]:
            row["sha256"] = row["language"] * 8
    b["scores"], b["data"] = b["scores"][:2], {**b["data"], "sha256": "0" * 64}
    (section,) = compare([a, b]).benchmarks
    assert section.scores == 2
    b["scores"][0]["sha256"] = "x" * 64
    with pytest.raises(InputError, match=r"text of hin_Deva>eng_Latn \('hin_Devahin_' and 'xxxxxxxxxxxx'\)"):
        compare([a, b])
    del b["scores"][1]["sha256"]
    with pytest.raises(InputError, match="data sha256"):
        compare([a, b])

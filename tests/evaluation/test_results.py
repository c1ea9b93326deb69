"""Result files: what is read, what is refused, in MTEB's shape."""

from __future__ import annotations

import json
import logging
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_dicts import ranked, result, save, score, sts_result, without_items

from align.errors import InputError
from align.evaluation.mteb_shape import mteb_result
from align.evaluation.results import check_result, read_result, result_files, write_result

GOOD = result("seed", [score("hin_Deva", [1, 0, 1, 1]), score("deu_Latn", [1, 1])])
STS = sts_result("seed", [ranked("de", [0.1, 0.5, 0.4], [0, 2, 3])])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    lined = changed(["scores", 0, "lines"], [1, 2, 4, "x"])
    for good in (GOOD, STS, without_items(GOOD), lined):
        write_result(path, good)
        assert read_result(path) == good


def test_numpy_and_nan_become_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    extra = {"geometry": {"hin_Deva": {"hubness": math.nan, "skew": np.float32(0.5)}}, "ends": (np.int64(1), True)}
    write_result(path, GOOD | extra | {"scores": [GOOD["scores"][0] | {"items": np.array([1, 0, 1, 1])}]})
    text = path.read_text()
    assert "NaN" not in text and text.endswith("}\n") and text.count("\n") == 1
    found = read_result(path)
    assert found["geometry"] == {"hin_Deva": {"hubness": None, "skew": 0.5}} and found["ends"] == [1, True]
    assert found["scores"][0]["items"] == [1, 0, 1, 1]


def changed(keys: list[Any], value: Any, of: dict[str, Any] = GOOD) -> dict[str, Any]:
    """A copy in which one thing is another, or absent (``...``)."""
    copy = json.loads(json.dumps(of))
    holder = copy
    for key in keys[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ([1], 'a.json is not a result file: expected "format": "align-result", got None'),
        (changed(["format"], "other"), 'a.json is not a result file: expected "format": "align-result", got \'other\''),
        (
            changed(["version"], 2),
            "a.json is a results file of version 2, this align reads version 1: evaluate again",
        ),
        (changed(["version"], ...), "a.json is a results file of version None, this align reads version 1"),
        (changed(["model"], ...), "a.json: model is missing; expected text"),
        (changed(["scores"], {}), "a.json: scores is {}; expected a list"),
        (changed(["encoder"], "x" * 90), f"a.json: encoder is '{'x' * 56}...; expected an object"),
        (changed(["encoder", "fingerprint"], ...), "a.json: encoder.fingerprint is missing; expected text"),
        (changed(["data", "sha256"], None), "a.json: data.sha256 is None; expected text"),
        (changed(["headline", "value"], math.nan), "a.json: headline.value is nan; expected a number"),
        (changed(["headline", "interval"], [1]), r"headline.interval is \[1\]; expected two numbers, or null"),
        (changed(["statistic"], "median"), "a.json: statistic is 'median'; expected mean or spearman"),
        (changed(["scores", 1], 7), r"a.json: scores\[1\] is 7; expected an object"),
        (changed(["scores", 1, "id"], ...), r"a.json: scores\[1\].id is missing; expected text"),
        (changed(["scores", 1, "id"], "hin_Deva>eng_Latn"), r"scores\[1\].id is 'hin_Deva>eng_Latn' for the second"),
        (changed(["scores", 0, "n"], 0), r"scores\[0\].n is 0; expected a whole number above 0"),
        (changed(["scores", 0, "n"], True), r"scores\[0\].n is True; expected a whole number above 0"),
        (changed(["scores", 0, "metrics"], {}), r"scores\[0\].metrics.P@1 is missing; expected a number"),
        (changed(["scores", 0, "interval"], [0, None]), r"scores\[0\].interval is \[0, None\]; expected two numbers"),
        (changed(["scores", 0, "items"], [1, 0]), r"scores\[0\].items: expected 4 finite numbers \(n\), got \[1, 0\]"),
        (changed(["scores", 0, "items", 2], math.nan), r"scores\[0\].items: expected 4 finite numbers \(n\), got \[1"),
        (changed(["scores", 0, "items", 1], 1), r"scores\[0\].items: their mean is not P@1, which is 0.75"),
        (
            changed(["scores", 0, "lines"], [1, 2]),
            r"scores\[0\].lines: expected 4 numbers or names of lines \(n\), got",
        ),
        (
            changed(["scores", 0, "lines"], [1, 2, None, "x"]),
            r"scores\[0\].lines: expected 4 numbers or names of lines",
        ),
        (changed(["scores", 0, "lines"], "abcd"), r"scores\[0\].lines is 'abcd'; expected a list"),
        (changed(["scores", 0, "gold"], ..., STS), r"a.json: scores\[0\].gold is missing; expected a list"),
        (changed(["scores", 0, "gold"], [1], STS), r"scores\[0\].gold: expected 3 finite numbers \(n\), got \[1\]"),
    ],
)
def test_a_file_that_is_no_result_is_one_sentence(tmp_path: Path, bad: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_result(save(tmp_path / "a.json", bad))
    if isinstance(bad, dict):
        with pytest.raises(InputError):
            write_result(tmp_path / "b.json", bad)
        assert not (tmp_path / "b.json").exists()


def test_an_interval_may_be_unknown() -> None:
    for keys in (["headline", "interval"], ["scores", 0, "interval"]):
        for value in (None, ...):
            assert check_result(changed(keys, value), "a")


def test_files_and_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("b.json", "a.json"):
        save(tmp_path / "runs" / name, GOOD)
    other = save(tmp_path / "runs" / "config.json", {"steps": 3})
    file = save(tmp_path / "c.json", GOOD)
    with caplog.at_level(logging.WARNING):
        found = result_files([file, str(tmp_path / "runs")])
    assert found == [file, tmp_path / "runs" / "a.json", tmp_path / "runs" / "b.json"]
    assert caplog.messages == [f"{other} is not a result file and is left aside"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: expected result files .* in the folder, found none"):
        result_files([tmp_path / "empty"])
    with pytest.raises(InputError, match="no such file: .*nothing.json"):
        read_result(tmp_path / "nothing.json")
    save(tmp_path / "d.json", "").write_text("{")
    with pytest.raises(InputError, match="d.json is not valid JSON"):
        read_result(tmp_path / "d.json")


# in MTEB's shape


def test_the_shape() -> None:
    assert mteb_result(changed(["scores"], [score("hin_Deva", [1, 0, 1, 1])])) == {
        "task_name": "tatoeba", "dataset_revision": "5eed" * 16, "mteb_version": None,
        "scores": {
            "test": [
                {
                    "hf_subset": "hin_Deva>eng_Latn", "languages": ["hin-Deva", "eng-Latn"], "main_score": 0.75,
                    "P@1": 0.75,
                }
            ]
        },
        "evaluation_time": 1.5, "kg_co2_emissions": None, "date": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    (subset,) = mteb_result(changed(["scores", 0, "other"], "deu_Latn", STS), task_name="X", split="dev")["scores"][
        "dev"
    ]
    assert subset["languages"] == ["deu-Latn"] and subset["main_score"] == 0.5 == subset["spearman"]


@pytest.mark.filterwarnings("ignore")
def test_mteb_reads_it(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies' own
        pytest.importorskip("mteb", reason="mteb is not installed (extra mteb)")
        from mteb.results import TaskResult
    for one in (GOOD, STS):
        shaped = mteb_result(one)
        found = TaskResult.from_disk(save(tmp_path / "a.json", shaped))
        assert found.task_name == one["benchmark"] and found.eval_splits == ["test"]
        assert found.get_score() == pytest.approx(one["headline"]["value"])
        assert TaskResult.from_dict(shaped).to_dict()["scores"]["test"][0]["main_score"] == pytest.approx(
            next(iter(one["scores"][0]["metrics"].values()))
        )
    assert TaskResult.from_dict(mteb_result(GOOD)).get_score(languages=["hin"]) == 0.75

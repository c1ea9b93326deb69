"""Which layer, which model and which number a drawing shows: layers that were left out, baselines, negative scores."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from reported import CODES, result, save, score

from align import report
from align.errors import InputError
from align.evaluation.averages import trained_languages
from align.reporting.chart import Line, chart
from align.reporting.collection import Collection, collect
from align.reporting.numbers import axis
from align.reporting.page import section
from align.reporting.plots import draw_plots
from align.reporting.templates import environment

SWEPT = {
    "metric": "P@1", "best": 4, "chosen_on": "dev", "layers": [4, 0, 2], "mean": [0.5, 0.1, 0.3],
    "curves": {"hin_Deva": [0.55, 0.11, 0.33]},
}  # fmt: skip


def collected(tmp_path: Path, *results: dict) -> Collection:
    return collect(save(tmp_path, *results))


def test_layers_are_drawn_by_their_numbers(tmp_path: Path) -> None:
    page = section("layers", collected(tmp_path, result(layers=SWEPT)))
    assert re.findall(r"<title>before, (\d): ([\d.]+)", page) == [("0", "0.1"), ("2", "0.3"), ("4", "0.5")]
    assert page.count('class="ring"') == 1
    assert re.findall(r"<span>(\d★?)</span>", page) == ["0", "2", "4★"]
    cells = re.findall(r'title="hin_Deva, layer (\d), before">([^<]+)', page)
    assert cells == [("0", ".11"), ("2", ".33"), ("4", ".55")]


def test_the_figure_of_layers(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from align.reporting.plots import layer_curves

    figure = Figure()
    negative = SWEPT | {"mean": [0.5, -0.2, 0.3]}
    (benchmark,) = collected(tmp_path, result(layers=negative)).benchmarks
    assert layer_curves(figure, benchmark, ["before"])
    curve, ring = figure.axes[0].get_lines()
    assert curve.get_xydata().tolist() == [[0, -0.2], [2, 0.3], [4, 0.5]]
    assert ring.get_xydata().tolist() == [[4, 0.5]]
    assert figure.axes[0].get_ylim()[0] <= -0.2


def test_the_baseline_is_before(tmp_path: Path, align) -> None:  # type: ignore[no-untyped-def]
    """A folder is read in the order of the alphabet, in which a trained model may come first."""
    for name, right in (("aligned", 30), ("seed", 10)):
        (tmp_path / "runs").mkdir(exist_ok=True)
        (tmp_path / "runs" / f"{name}.json").write_text(json.dumps(result(name, right)))
    assert collect([tmp_path / "runs"]).models == ("aligned", "seed")
    align("report", "runs", "--baseline", "seed", "--out", "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Differences are to seed." in page and "+0.500" in page and "−0.500" not in page
    said = align("report", "runs", "--baseline", "sed", "--out", "other.html", code=2).err
    assert said == "align: baseline 'sed' is none of the models: aligned, seed; did you mean seed?\n"
    with pytest.raises(InputError, match="baseline 'sed' is none of the models"):
        draw_plots([tmp_path / "runs"], tmp_path / "plots", baseline="sed")


def correlated(*values: float) -> dict:
    rows = []
    for code, value in zip(CODES, values, strict=False):
        row = score(code, "", "", [0, 1]) | {"id": code, "metrics": {"spearman": value}, "interval": [value, value]}
        del row["items"]
        rows.append(row)
    mean = sum(values) / len(values)
    group = {"by": "script", "group": "Deva", "scores": 1, "value": values[0], "interval": None}
    return result(
        scores=rows, metric="spearman", statistic="spearman", task="sts", groups=[group],
        headline={"value": mean, "interval": [mean - 0.25, mean + 0.25]},
    )  # fmt: skip


def test_a_negative_correlation_has_a_place_of_its_own(tmp_path: Path) -> None:
    found = collected(tmp_path, correlated(-0.5, 0.0, 0.5))
    page = section("scores", found)
    grounds = re.findall(r'<td class="heat (h\d+)"[^>]*>([^<]+)', page)
    assert grounds == [("h5", "−0.500"), ("h10", "0.000"), ("h15", "0.500")]
    assert '<span class="scale">−1<span' in page
    page = section("summary", found)
    assert 'class="strip-cell">−1 – 1</th>' in page
    assert re.findall(r'cx="([\d.]+%)"', page) == ["50.00%"]
    assert re.findall(r'x1="([\d.]+%)" x2="([\d.]+%)"[^>]*class="interval"', page) == [("37.50%", "62.50%")]
    report([tmp_path / "0.json"], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    groups = page[page.index('id="groups"') :]
    assert '<span class="ends"><span>−1</span><span>1</span></span>' in groups
    assert 'cx="25.00%"' in groups  # -0.5


def test_scores_that_are_never_negative_keep_their_axis(tmp_path: Path) -> None:
    found = collected(tmp_path, result())
    assert found.benchmarks[0].lowest == 0 and 'class="strip-cell">0 – 1</th>' in section("summary", found)
    assert 'cx="0.00%"' in environment().get_template("parts.html").module.dots({0: {"value": 0.0}}, ["a"])


def test_the_heat_map_as_a_picture_reaches_below_zero(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from align.reporting.plots import heat_map

    figure = Figure()
    (benchmark,) = collected(tmp_path, correlated(-0.5, 0.5)).benchmarks
    assert heat_map(figure, benchmark, ["before"])
    assert figure.axes[0].get_images()[0].get_clim() == (-1, 1)


def test_every_right_answer_stands_beside_a_word(tmp_path: Path) -> None:
    """Of a protocol whose units are lines, a word with two lines has both translations for right answers."""
    import numpy as np

    from align.tasks import Dictionary, find_bli_protocol
    from align.tasks.task import Unit, task

    pairs = (("dog", "hund"), ("dog", "köter"), ("cat", "katze"))
    dictionary = Dictionary(("eng_Latn", "deu_Latn"), pairs)
    places = {"dog": 0, "hund": 0, "cat": 1, "katze": 1, "köter": 2}

    def encode(words, _):  # type: ignore[no-untyped-def]
        return np.eye(3)[[places[word] for word in words]]

    vocabularies = {"eng_Latn": ["dog", "cat"], "deu_Latn": ["hund", "köter", "katze"]}
    unit = Unit("eng-deu", lambda: (dictionary, vocabularies))
    (row,) = task("bli").score(encode, unit, unit.load(), find_bli_protocol("xling"))
    (dog,) = [one for one in row["examples"] if one["source"] == "dog"]
    assert (dog["predicted"], dog["right"], dog["gold"]) == ("hund", True, ["hund", "köter"])
    page = section("words", collected(tmp_path, result(examples=row["examples"])))
    assert "hund" in page and "köter" in page


def test_training_of_another_model_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder without a name, and the shipped one, know nothing of what lies in the working directory."""
    for folder in (tmp_path, tmp_path / "seed", tmp_path / "mine"):
        folder.mkdir(exist_ok=True)
        (folder / "align.json").write_text('{"languages": ["hin_Deva"]}')
    monkeypatch.chdir(tmp_path)
    known = {name: trained_languages(SimpleNamespace(name=name)) for name in (None, "", "seed", "gone/away", "mine")}  # type: ignore[arg-type]
    assert known == {None: None, "": None, "seed": None, "gone/away": None, "mine": {"hin_Deva"}}


def test_weak_scores_have_an_axis_that_fits(tmp_path: Path) -> None:
    weak = result(right=0)
    for row in weak["scores"]:
        row |= {"metrics": {"P@1": 0.025}, "interval": [0.0, 0.08], "items": [1] + [0] * 39}
    weak["headline"] = {"value": 0.025, "interval": [0.0, 0.08]}
    found = collected(tmp_path, weak)
    assert (found.benchmarks[0].axis, found.benchmarks[0].headlines) == ((0.0, 0.05), (0.0, 0.1))
    page = section("scores", found)
    assert 'class="heat h10"' in page and "</span>0.05</span>" in page
    page = section("summary", found)
    assert 'class="strip-cell">0 – 0.1</th>' in page and 'cx="25.00%"' in page
    assert [axis([value]) for value in (0.02, 0.021, 0.2, 0.3, -0.01, 7)] == [
        (0.0, 0.02), (0.0, 0.05), (0.0, 0.2), (0.0, 1.0), (-0.02, 0.02), (0.0, 1.0)
    ]  # fmt: skip
    drawn = chart([Line("a", "c0", [(0, 0.01), (1, 0.03)])], x="layer", y="P@1", label="", zero=True)
    assert drawn is not None and (drawn.up[0], drawn.up[-1]) == (0, 0.05)


def test_models_are_called_what_one_likes(tmp_path: Path, align) -> None:  # type: ignore[no-untyped-def]
    save(tmp_path, result("a/b/c"), result("d", 30))
    align("report", "0.json", "1.json", "--names", "old, new", "--baseline", "new", "--out", "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Differences are to new." in page and "</i>old</span>" in page and "a/b/c</span>" not in page
    said = align("report", "0.json", "1.json", "--names", "old", "--out", "o.html", code=2).err
    assert "expected 2 different names, for a/b/c, d; got old" in said
    assert not (tmp_path / "o.html").exists()

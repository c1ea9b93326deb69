from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser

import pytest
from reported import CODES, SUMMARY, TEXTS, result, save, score, trained

from align import compare, report
from align.errors import InputError
from align.reporting import collection, difference
from align.reporting.chart import Chart, Line, chart, ticks
from align.reporting.collection import collect, short_names
from align.reporting.difference import differences
from align.reporting.gaps import found_gaps
from align.reporting.numbers import number
from align.reporting.palette import LEVELS, ground, mark
from align.reporting.plots import CATEGORIES, HEAT
from align.reporting.points import placed
from align.reporting.templates import embedded, environment, render
from align.reporting.training import series
from align.text.languages import web_language

SECTIONS = ["summary", "scores", "layers", "gaps", "map", "words", "training", "groups", "provenance"]
NASTY = [
    "</script><script>alert(1)</script>", "<!--", "]]>", "a & b < c > d \" ' `", "\u2028\u2029", "\u202eright to left",
    "سلام <b>عالم</b>", "👩‍👩‍👧‍👦 🏳️‍🌈", "word" * 5000,
    "\x00\x07\x1b", "\ud800", "&lt;script&gt;", "${x}", "' onload='alert(1)",
]  # fmt: skip


VOID = {"meta", "br", "input"}


class Page(HTMLParser):
    """Elements with their attributes, text of the visible, and whether every element is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts, self.inside = [], [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.inside.setdefault(self.open[-1], []).append(data)
        else:
            self.texts.append(data)

    @property
    def text(self):
        return "\n".join(self.texts)

    def all(self, name, **attributes):
        return [a for n, a in self.elements if n == name and attributes.items() <= a.items()]


@pytest.fixture
def made(tmp_path):
    """Write a report of results; the page, and its text."""

    def make(*results, **options):
        out = tmp_path / "report.html"
        report(save(tmp_path, *results), out, **options)
        text = out.read_text(encoding="utf-8")
        return Page(text), text

    return make


def test_every_section_is_there(made, tmp_path):
    page, _ = made(result(), result("after", 30), training=[trained(tmp_path / "run", SUMMARY)])
    assert [a["id"] for a in page.all("section")] == SECTIONS
    assert not page.all("p", **{"class": "absent"})
    assert page.all("svg", **{"class": "map"}) and page.all("svg", **{"class": "chart"})
    for text in ("0.562", "+0.250", "chosen on dev lines", "toy set", "CC0", "the file is blank", "print of after"):
        assert text in page.text
    for lines in TEXTS.values():
        assert all(line in page.inside["script"][0] for line in lines)


def test_an_absent_section_says_why(made):
    keys = ("layers", "script_gaps", "map", "examples", "groups", "geometry", "missing")
    bare = {key: value for key, value in result().items() if key not in keys}
    page, _ = made(bare | {"scores": [], "missing": []})
    assert [a["id"] for a in page.all("section")] == SECTIONS
    assert len(page.all("p", **{"class": "absent"})) == 7
    for sentence in (
        "The results hold no scores of single languages.", "No result was scored layer by layer.",
        "No result has a language in two scripts.", "No result holds a map of sentence vectors.",
        "No result holds examples of translated words.", "No training folder was given (--training).",
        "The results hold no groups, and miss nothing.",
    ):  # fmt: skip
        assert sentence in page.texts


def test_it_needs_no_network(made, tmp_path):
    page, text = made(result(), result("after"), training=[trained(tmp_path / "run", SUMMARY)])
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    for name, attributes in page.elements:
        assert name not in ("link", "img", "iframe", "object", "embed", "base", "form")
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("href", "src", "xlink:href", "action", "data", "srcset"):
                assert value.startswith("#"), (name, key, value)
    assert set(re.findall(r"https?://[^\s\"'<]*", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text and "url(" not in text


def test_the_same_results_give_the_same_bytes(made, tmp_path):
    options = {"training": [trained(tmp_path / "run", SUMMARY)], "title": "twice"}
    assert made(result(), result("after"), **options)[1] == made(result(), result("after"), **options)[1]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_text_stays_text(made, tmp_path, text):
    shown = re.sub("[\x00-\x08\x1b\ud800]", "\ufffd", text)
    one = result(text, benchmark=text, metric=text, missing=[{"name": text, "reason": text}])
    one["scores"][0]["id"] = text
    one["protocol"] = {text: text}
    one["groups"][0] |= {"by": text, "group": text}
    one["script_gaps"][0] |= {"language": text, "other": text}
    one["examples"][0] |= {"source": text, "predicted": text, "gold": [text], "source_lang": text}
    one["map"]["points"][0] |= {"text": text, "translation": text, "language": text}
    one["layers"] |= {"metric": text, "chosen_on": text, "curves": {text: [0.1, 0.2, 0.3]}}
    for row in one["scores"]:
        row["metrics"] = {text: row["metrics"]["P@1"]}
    page, written = made(one, title=text, training=[trained(tmp_path / "run", {"losses": [{"step": 1, text: 2.0}]})])
    assert [a["id"] for a in page.all("section")] == SECTIONS
    assert len(page.all("script")) == 2 and not page.all("b")
    assert written.count("<!--") == 0
    assert shown.strip() in page.text
    held = json.loads(page.inside["script"][0])
    assert text in held["texts"] or shown in held["texts"]
    assert not any(c in page.inside["script"][0] for c in "<>&\u2028\u2029")


@pytest.mark.parametrize("n", [1, 2])
def test_little_data(made, n):
    one = result(scores=[score("hin_Deva", "eng_Latn", "to_pivot", [1] * n)])
    one["headline"] = {"value": 1.0}
    one["layers"] = {"metric": "P@1", "best": None, "mean": [0.5], "curves": {}}
    one["map"]["points"] = one["map"]["points"][:n]
    one["groups"] = [{"by": "script", "group": "Deva", "scores": 1, "value": None, "interval": None}]
    page, _ = made(one)
    assert "no interval was computed" in page.text
    assert "items come from one line" not in page.text  # of one score
    several = result()
    assert "a result does not say which items come from one line" in made(several)[0].text
    several["scores"] = [score | {"lines": list(range(40))} for score in several["scores"]]
    assert "items come from one line" not in made(several)[0].text
    assert len(page.all("use")) >= n
    assert "nan" not in page.text.lower().split()


def test_nan_and_gaps_in_curves(made):
    one = result()
    one["layers"]["mean"] = [0.1, None, float("nan")]
    one["layers"]["curves"]["hin_Deva"] = [None]
    one["map"]["points"][0]["x"] = None
    one["map"]["explained"] = []
    page, text = made(one)
    assert "NaN" not in "".join(page.inside["script"][:1]) and 'cx="nan' not in text
    assert len(json.loads(page.inside["script"][0])["panels"][0]) == 13


def test_differences_are_marked(made):
    page, _ = made(result(), result("like", 20), result("better", 32))
    marks = page.all("span", **{"aria-label": "not distinguishable"})
    assert len(marks) == 1  # in the summary; with three models the scores show no differences
    real = [a for a in page.all("td") if a.get("class") == "number real"]
    assert len(real) == 1 and real[0]["title"].endswith("p < 0.001")
    assert "Differences are to before." in page.text


def test_the_best_are_marked_as_in_the_comparison(made):
    results = [result(), result("like", 20), result("better", 32), result("as good", 32)]
    (found,) = compare(results).benchmarks
    assert differences(dict(enumerate(results))).best == {2, 3}
    assert [one.as_good_as_best for one in found.models] == [False, False, True, True]
    page, _ = made(*results)
    assert len(page.all("span", **{"aria-label": "as good as the best"})) == 2
    page, _ = made(result())
    assert not page.all("span", **{"aria-label": "as good as the best"})  # alone


def test_what_a_score_covers_is_said(made):
    thin, whole = result("thin"), result("whole")
    thin["scores"][0] |= {"n": 12, "left_out": 1988, "items": [1, 0] * 6}
    page, text = made(thin)
    assert (
        "toy retrieval: 1 of 12 scores cover less than half of their items, hin_Deva>eng_Latn 12 of 2,000." in page.text
    )
    assert "12 of 2,000 / 40" in page.text and "n = 12 of 2,000" in text
    assert "452 of 2,440" in page.text  # eleven scores of 40, and that one
    page, _ = made(whole)
    assert "480" in page.texts and " of " not in " ".join(t for t in page.texts if t[:1].isdigit())


def test_the_spread_of_seeds_is_said(made):
    tuned = result(task="topic")
    assert "Seeds" not in made(tuned)[0].texts
    for row in tuned["scores"]:
        row["facts"] = {"of_seeds": [0.75, 0.25, 0.5]}
    page, text = made(tuned)
    assert "Seeds" in page.texts and "0.250 0.500 0.750" in " ".join(" ".join(page.texts).split())
    assert "n = 40, seeds 0.250, 0.500, 0.750" in text
    tuned["scores"][0]["facts"] = {"of_seeds": [0.5, 0.5]}
    assert "Seeds" not in made(tuned)[0].texts  # not the same seeds everywhere


def test_differences_by_hand():
    old, new = result(right=10), result("after", 22)
    found = differences({0: old, 2: new})
    assert set(found.means) == {2}
    assert found.means[2].value == pytest.approx(0.3)
    assert found.means[2].real is True
    for one in (old, new):
        for row in one["scores"]:
            del row["items"]
        one["headline"]["interval"] = [0.1, 0.5] if one is old else [0.5, 0.6]
    assert differences({0: old, 1: new}).means[1].real is False  # the ends meet
    new["headline"]["interval"] = [0.51, 0.6]
    assert differences({0: old, 1: new}).means[1].real is True
    new["headline"]["interval"] = None
    assert differences({0: old, 1: new}).means[1].real is None
    assert differences({0: old}).means == {}


def test_what_cannot_be_compared_is_not(made):
    other = result("after", data={"source": "x", "sha256": "cd" * 32, "licence": ""}, protocol={"name": "xtreme"})
    other["scores"].pop()
    page, _ = made(result(), other, result("third", benchmark="other"))
    assert "toy retrieval: no result of third." in page.text
    assert "toy retrieval: the models were measured on different data; do not compare them." in page.text
    assert "toy retrieval: the protocols differ in name, pivot; do not compare the models." in page.text
    assert "toy retrieval: the averages are over different numbers of scores (12, 11)." in page.text
    assert "toy retrieval: 1 missing, listed with reasons under Groups." in page.text
    assert not [a for a in page.all("td") if "real" in a.get("class", "")]
    assert "lower is better" not in page.text


def test_of_an_error_lower_is_better(made):
    page, _ = made(result(task="xsim", lower_is_better=True))
    assert "toy xsim: its metric is an error: lower is better." in page.text


def test_scores_of_all_pairs_make_squares(made):
    codes = CODES[:4]
    scores = [score(a, b, "direct", [1, 0]) for a in codes for b in codes if a != b]
    page, _ = made(result(scores=scores))
    assert len([a for a in page.all("td") if a.get("class", "").startswith("heat")]) >= 16
    few = [score(a, b, "direct", [1, 0]) for a, b in itertools.pairwise(codes)]
    assert "from / to" in page.text
    page, _ = made(result(scores=few))
    assert "from / to" not in page.text and "language → other" in page.text


def test_several_scores_of_one_pair_show_their_sets(made):
    rows = [score("hin_Deva", "", "", [1, 0]) | {"id": name} for name in ("first set", "second set")]
    page, _ = made(result(scores=rows))
    assert "first set" in page.texts and "second set" in page.texts


def test_gaps_are_ordered_by_width(tmp_path):
    one = result()
    gap = one["script_gaps"][0]
    one["script_gaps"] = [gap | {"language": name, "gap": size} for name, size in (("aaa", 0.1), ("bbb", -0.3))]
    (benchmark,) = collect(save(tmp_path, one, result("after"))).benchmarks
    found = found_gaps(benchmark)
    assert [key[0] for key in found] == ["bbb", "aaa", "srp"]
    assert list(found.values()) == [{0: -0.3}, {0: 0.1}, {1: pytest.approx(-0.05)}]


def macro(template, name, *values):
    return getattr(environment().get_template(f"{template}.html").module, name)(*values)


def test_dots_and_bars_by_hand():
    drawn = Page(macro("parts", "dots", {0: {"value": 0.25, "interval": [0.2, 0.5]}, 2: {"value": None}}, "abc"))
    assert [(a["cx"], a["cy"]) for a in drawn.all("circle")] == [("25.00%", "7.5")]
    assert [(a["x1"], a["x2"]) for a in drawn.all("line", **{"class": "interval"})] == [("20.00%", "50.00%")]
    assert [a["class"] for a in drawn.all("g")] == ["first"]
    drawn = Page(macro("parts", "bars", {0: 0.25, 1: -0.5, 2: None}, "abc", 0.5))
    assert [(a["x"], a["width"], a["class"]) for a in drawn.all("rect")] == [
        ("50.00%", "25.00%", "bar first"), ("0.00%", "50.00%", "bar c0"),
    ]  # fmt: skip


def test_a_chart_by_hand():
    lines = [Line("a", "c0", [(0, 0.0), (1, None), (2, 1.0), (4, 0.5)], chosen=2)]
    drawn = Page(macro("chart", "draw", chart(lines, x="x", y="y", label="l")))
    left, right, top, bottom = Chart.left, Chart.right, Chart.top, Chart.bottom
    middle = (left + right) / 2
    assert [(float(a["cx"]), float(a["cy"])) for a in drawn.all("circle")] == [
        (left, bottom), (middle, top), (middle, top), (right, (top + bottom) / 2),
    ]  # fmt: skip
    assert [a["class"] for a in drawn.all("circle")] == ["dot", "dot", "ring", "dot"]
    assert [a["points"] for a in drawn.all("polyline")] == [f"{middle:g},{top:g} {right:g},{(top + bottom) / 2:g}"]
    empty = chart([Line("a", "c0", [(0, None)])], x="x", y="y", label="l")
    assert empty is None and macro("chart", "draw", empty) == ""


def test_the_chosen_layer_is_ringed(made):
    page, text = made(result(), result("after"))
    assert len(page.all("circle", **{"class": "ring"})) == 2
    assert text.count("<span>1★</span>") == 2


def test_who_is_who(made):
    _, text = made(result(), result("after", 30))
    rows = re.search(r'id="scores".*?</section>', text, re.S)[0]
    assert re.findall(r'<th scope="row"><span class="code">(\w+)', rows) == CODES
    words = re.search(r'id="words".*?</section>', text, re.S)[0]
    told = re.findall(r'class="(right|wrong)" title="(\w+)">(.)</span>\xa0<span[^>]*>([^<]*)', words)
    assert told == [
        ("right", "right", "✓", "ماء"), ("right", "right", "✓", "ماء"),
        ("wrong", "wrong", "✗", "cat"), ("right", "right", "✓", "dog"),
    ]  # fmt: skip
    groups = re.search(r'id="groups".*?</section>', text, re.S)[0]
    assert re.findall(r"<title>(\w+: [^<]*)", groups)[:2] == [
        "before: 0.500 [0.400, 0.600]", "after: 0.800 [0.700, 0.900]",
    ]  # fmt: skip


def test_training_of_stages(made, tmp_path):
    stages = [{"name": "one", **SUMMARY}, {"name": "two", **SUMMARY}, {"name": "three", "losses": []}]
    page, _ = made(result(), training=[trained(tmp_path / "deep/run", {"stages": stages})])
    for text in ("one", "two", "three"):
        assert any(found.endswith(f"deep/run, stage {text}") for found in page.texts)
    assert page.text.count("Nothing was logged") == 1


def test_lines_of_training():
    losses = series(SUMMARY["losses"], "")
    assert [line.name for line in losses] == ["loss", "mlm", "nt_xent"]
    assert losses[0].points == [(10, 0.2), (20, 0.1), (30, pytest.approx(2 / 30))]
    single = [{"step": 1, "loss": 2.0, "info_nce": 2.0, "grad_norm": 3.0}]
    assert [line.name for line in series(single, "")] == ["info_nce"]
    assert [line.name for line in series([single[0] | {"loss": 4.0}], "")] == ["loss", "info_nce"]
    assert [(line.name, line.points) for line in series(SUMMARY["evaluations"], "toy")] == [
        ("P@1", [(10.0, 0.25), (30.0, 0.75)])
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, "", "run holds no align.json; expected a folder that align train wrote"),
        ("align.json", "{}", "align.json tells of no training"),
        ("align.json", "[1]", "align.json tells of no training"),
        ("align.json", "{", "is not valid JSON"),
    ],
)
def test_no_training_folder(made, tmp_path, name, content, message):
    (tmp_path / "run").mkdir()
    if name:
        (tmp_path / "run" / name).write_text(content)
    with pytest.raises(InputError, match=message):
        made(result(), training=[tmp_path / "run"])
    assert not (tmp_path / "report.html").exists()


def test_refusals(made, tmp_path):
    with pytest.raises(InputError, match="at least one result file, got none"):
        made()
    with pytest.raises(InputError, match=r"are both of model before on toy"):
        made(result(), result())
    with pytest.raises(InputError, match=r"0\.json is a results file of version 2"):
        made(result(version=2))
    with pytest.raises(InputError, match="no such file"):
        report([tmp_path / "none.json"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_command(align, tmp_path):
    save(tmp_path, result(), result("after", 30))
    trained(tmp_path / "run", SUMMARY)
    printed = align("report", "0.json", "1.json", "--training", "run", "-o", "out/report.html", "--title", "Mine")
    assert json.loads(printed.out) == {"report": "out/report.html", "plots": []}
    page = Page((tmp_path / "out/report.html").read_text(encoding="utf-8"))
    assert "Mine" in page.texts and page.all("svg", **{"class": "chart"})
    printed = align("report", "none.json", "-o", "out/other.html", code=2)
    assert printed.err == "align: no such file: none.json\n"


def test_models_are_told_apart(tmp_path):
    found = collect(
        save(tmp_path, result("m"), result("m", encoder={"fingerprint": "other"}), result("m", task="mexa"))
    )
    assert len(found.models) == 2
    assert [list(benchmark.results) for benchmark in found.benchmarks] == [[0, 1], [0]]
    assert [benchmark.title for benchmark in found.benchmarks] == ["toy retrieval", "toy mexa"]


def test_short_names():
    assert short_names(["seed", "/a/b/c/", "x\\y\\z", "org/name"]) == ["seed", "b/c", "y/z", "org/name"]
    assert short_names(["/a/1/m/x", "/a/2/m/x"]) == ["1/m/x", "2/m/x"]
    assert short_names(["a/b/c", "d/b/c"]) == ["a/b/c", "d/b/c"]
    assert short_names([]) == []


def test_markup():
    assert macro("parts", "head", '<"', "x") == (
        '<th scope="col" class="x"><button type="button" class="sort">&lt;&#34;</button></th>'
    )
    assert "<title>\ufffd\ufffdé</title>" in render(
        "page", title="\ud83d\x00é", generator="", sections=[], models=[], benchmarks=[], span=""
    )
    assert embedded(["</a>", 1]) == '["\\u003c/a\\u003e",1]'
    assert [number(v) for v in (0.8534, -0.25, float("nan"), None, True, -0.0001)] == [
        "0.853", "−0.250", "–", "–", "–", "0.000",
    ]  # fmt: skip
    assert number(0.0001, sign=True) == "0.000"


def channels(color):
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(color):
    """Relative luminance of WCAG 2, 0 (black) to 1 (white)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first, second):
    """Contrast ratio of WCAG 2."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_palette_can_be_read():
    css = environment().globals["shipped"]("palette.css")
    pair = r"light-dark\((#\w{6}), (#\w{6})\)"
    steps = re.findall(rf"\.h(\d+) {{ background: {pair}; color: {pair} }}", css)
    assert [int(step) for step, *_ in steps] == list(range(LEVELS))
    for theme, falls in ((0, True), (1, False)):
        grounds = [step[1 + theme] for step in steps]
        assert all(contrast(step[3 + theme], step[1 + theme]) >= 4.5 for step in steps)
        lightness = [luminance(color) for color in grounds]
        assert lightness == sorted(lightness, reverse=falls) and len(set(lightness)) == LEVELS
        if falls:  # the pictures have the colours of the light theme
            assert grounds[::4] == list(HEAT)
    assert [light for light, _ in re.findall(rf"--c\d: {pair}", css)] == list(CATEGORIES)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    shares = (-1, 0, 0.024, 0.026, 1, 9, None, float("nan"))
    assert [ground(v) for v in shares] == ["h0", "h0", "h0", "h1", "h20", "h20", "none", "none"]


def test_marks_do_not_repeat_before_96():
    assert len({mark(i) for i in range(96)}) == 96
    assert mark(96) == mark(0) == ("#s0", "c0")


def test_places_fill_the_square_at_one_scale():
    found = placed([{"x": 0, "y": 0}, {"x": 4, "y": 1}], 100, 10)
    assert found == [(10.0, 60.0), (90.0, 40.0)]  # y runs upwards
    assert placed([{"x": 7, "y": 7}], 100, 10) == [(50.0, 50.0)]


def test_ticks():
    assert ticks(0, 0.93) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(3, 3, whole=True) == [2, 3, 4]
    assert ticks(0.5, 0.5)[0] < 0.5 < ticks(0.5, 0.5)[-1]
    for low, high in ((-3, 11), (1e-6, 2e-6), (0, 1e6)):
        found = ticks(low, high)
        assert found[0] <= low and found[-1] >= high and 3 <= len(found) <= 8


def test_languages_of_the_web():
    assert [web_language(code) for code in ("zho_Hans", "ace_Arab", "nonsense")] == ["zh-Hans", "ace-Arab", None]


def test_only_one_place_decides_differences():
    assert collection.differences is difference.differences


def test_only_a_report_is_replaced(tmp_path):
    found, out = save(tmp_path, result()), tmp_path / "report.html"
    for _ in range(2):
        report(found, out)
    for name, message in {
        "thesis.html": "is no report that Align wrote",
        "link": "is a symlink",
        "": "is a folder",
    }.items():
        place = tmp_path / name
        if name == "link":
            place.symlink_to(out)
        elif name:
            place.write_text("<!doctype html><title>Years of work</title>")
        with pytest.raises(InputError, match=message):
            report([tmp_path / "missing.json"], place)  # before anything is read
    assert "Years of work" in (tmp_path / "thesis.html").read_text() and (tmp_path / "link").is_symlink()

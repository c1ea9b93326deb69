"""The report in a real browser."""

from __future__ import annotations

import pytest
from chromium import Chromium, find_chromium
from reported import SUMMARY, TEXTS, result, save, trained

from align import report

BINARY = find_chromium()
pytestmark = pytest.mark.skipif(BINARY is None, reason="no Chromium is installed")

MARKS = "line, circle, rect, path, polyline, use"


@pytest.fixture(scope="module")
def browser():
    with Chromium(BINARY) as one:
        yield one


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    long = "/a/very/long/path/to/some/experiment/with-a-long-name-of-many-words/and-an-end"
    paths = save(folder, result(), result(long, 30))
    report(paths, folder / "report.html", training=[trained(folder / "run", SUMMARY)], title="W" * 200)
    return folder / "report.html"


def inside(section, selector):
    return f"document.querySelectorAll('#{section} {selector}')"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1400])
def test_it_opens_and_fits(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    assert browser.errors == []
    assert browser.requests == [page.resolve().as_uri()]
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == dark


@pytest.mark.parametrize("width", [400, 1400])
def test_every_plot_is_drawn(browser, page, width):
    browser.open(page, width=width)
    seen = f"""[...document.querySelectorAll('section svg:not(.shapes)')].filter(svg => svg.clientWidth).map(svg =>
        [svg.getAttribute('class'), [...svg.querySelectorAll('{MARKS}')].filter(mark => {{
            const box = mark.getBoundingClientRect();
            return box.width + box.height > 0;
        }}).length])"""
    drawn = browser.evaluate(seen)
    assert all(marks > 0 for _, marks in drawn), drawn
    kinds = [kind for kind, _ in drawn]
    assert kinds.count("map") == 2 and kinds.count("chart") == 3
    assert dict(drawn)["map"] == 14
    assert kinds.count("strip") >= (4 if width == 400 else 6)
    heat = browser.evaluate(
        "[...document.querySelectorAll('.heat:not(.none)')].map(cell => getComputedStyle(cell).backgroundColor)"
    )
    assert len(heat) == 6 * 2 * 2 + 6 * 2 * 3 and len(set(heat)) > 5


def test_sentences_in_every_script_are_read(browser, page):
    browser.open(page, width=1400, height=1000)
    browser.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    browser.evaluate("document.querySelector('svg.map').scrollIntoView({block: 'center'})")
    count = browser.evaluate("document.querySelectorAll('svg.map')[0].querySelectorAll('.marks use').length")
    read = {}
    for i in range(count):
        place = f"const box = document.querySelectorAll('svg.map .marks use')[{i}].getBoundingClientRect();"
        x, y = browser.evaluate(f"(() => {{{place} return [box.x + box.width / 2, box.y + box.height / 2]}})()")
        browser.move(x, y)
        told = browser.evaluate("[...document.querySelectorAll('#map-reader p')].map(p => p.innerText)")
        read.setdefault(told[0].partition(",")[0], []).append(told[1:])
    assert set(read) == set(TEXTS)
    for code, lines in TEXTS.items():
        expected = [[text] if code == "eng_Latn" else [text, TEXTS["eng_Latn"][i]] for i, text in enumerate(lines)]
        assert read[code] == expected
    assert browser.evaluate("document.querySelectorAll('svg.map .rings .same').length") == 13  # of 7 in two maps
    assert browser.evaluate("document.querySelector('#map-reader .text').dir") == "auto"
    assert browser.errors == []


def test_keys_step_over_the_map(browser, page):
    browser.open(page)
    browser.evaluate("document.querySelector('svg.map').focus()")
    places = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
        browser.press(key)
        places.append(browser.evaluate("Number(document.querySelector('.rings .here').getAttribute('cx'))"))
    assert places[1] > places[0] > 0 and places[2] < places[1] and places[3] == places[1]


def test_colours_switch_to_scripts_and_back(browser, page):
    browser.open(page)
    colors = "[...new Set([...document.querySelectorAll('svg.map use')].map(u => getComputedStyle(u).color))].length"
    legend = "[...document.querySelectorAll('.map-legend')].map(l => l.hidden)"
    assert (browser.evaluate(colors), browser.evaluate(legend)) == (7, [False, True])
    browser.evaluate("document.querySelector('.switch [data-by=script]').click()")
    assert (browser.evaluate(colors), browser.evaluate(legend)) == (6, [True, False])
    browser.evaluate("document.querySelector('.map-legend[data-by=script] button').click()")
    assert browser.evaluate("document.querySelectorAll('svg.map use:not(.dim)').length") == 4  # Arab, in two maps
    browser.evaluate("document.querySelector('.switch [data-by=language]').click()")
    assert browser.evaluate("document.querySelectorAll('svg.map .dim').length") == 0
    assert browser.evaluate(colors) == 7


def test_a_table_sorts(browser, page):
    browser.open(page)
    column = "[...document.querySelectorAll('#scores tbody tr')].map(row => row.cells[1].innerText)"
    first = browser.evaluate(column)
    button = "document.querySelectorAll('#scores thead tr:last-child .sort')[1].click()"
    browser.evaluate(button)
    assert browser.evaluate(column) == sorted(first, reverse=True) != first
    browser.evaluate(button)
    assert browser.evaluate(column) == sorted(first)
    assert browser.evaluate("document.querySelector('#scores [aria-sort]').ariaSort") == "ascending"


def test_words_are_chosen(browser, page):
    browser.open(page)
    shown = (
        "[...document.querySelectorAll('[data-state]')].filter(row => row.offsetHeight).map(r => r.cells[2].innerText)"
    )
    found = {}
    for name in ("all", "right", "wrong", "changed"):
        browser.evaluate(f"document.querySelector('[data-show={name}]').click()")
        found[name] = browser.evaluate(shown)
    both = ["water", "कुत्ता"]
    assert found == {"all": both, "right": both, "wrong": [], "changed": ["कुत्ता"]}


def test_the_theme_is_chosen(browser, page):
    browser.open(page, dark=False)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(ground)
    browser.evaluate("document.getElementById('theme').click()")
    assert browser.evaluate(ground) != light
    browser.evaluate("document.getElementById('theme').click()")
    assert browser.evaluate(ground) == light


def test_print_shows_whole_tables_on_white(browser, page):
    browser.open(page, dark=True, media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 251)"
    cut = "[...document.querySelectorAll('.box')].filter(box => box.scrollHeight > box.clientHeight + 2).length"
    assert browser.evaluate(cut) == 0


def test_rows_are_found_by_language_and_script(browser, page):
    browser.open(page)
    look = "(box => {{ box.value = '{}'; box.dispatchEvent(new Event('input')) }})(document.getElementById('find'))"
    rows = "[...document.querySelectorAll('#scores tbody tr')].filter(row => row.offsetHeight)"
    shown = f"{rows}.map(row => row.cells[0].querySelector('.code').innerText)"
    every = browser.evaluate(shown)
    for asked, left in (
        ("Thai", ["tha_Thai"]),
        ("hindi", ["hin_Deva"]),
        ("srp_", ["srp_Cyrl", "srp_Latn"]),
        ("qqq", []),
    ):
        browser.evaluate(look.format(asked))
        assert browser.evaluate(shown) == left
    assert browser.evaluate("document.getElementById('found').innerText").startswith("0 of ")
    assert browser.evaluate("document.querySelector('#summary tbody tr').offsetHeight") > 0
    browser.evaluate(look.format(""))
    assert browser.evaluate(shown) == every and browser.evaluate("document.getElementById('found').innerText") == ""


def copied(browser, section, form):
    browser.evaluate("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve() }")
    buttons = f"[...document.querySelectorAll('#{section} .copy button')]"
    browser.evaluate(f"{buttons}.find(button => button.textContent === '{form}').click()")
    return browser.evaluate("new Promise(done => setTimeout(() => done(window.copied)))").splitlines()


def test_tables_are_copied_as_they_are_shown(browser, page):
    browser.open(page)
    browser.evaluate("document.getElementById('find').value = 'srp_cyrl'")
    browser.evaluate("document.getElementById('find').dispatchEvent(new Event('input'))")
    head, row = copied(browser, "scores", "CSV")
    assert head.startswith(
        "language,language → eng_Latn before,language → eng_Latn with-a-long-name-of-many-words/and-an-end"
    )
    assert head.count(",") == row.count(",") == 7
    assert row == "srp_Cyrl,0.600,0.850,+0.250,0.600,0.850,+0.250,40"
    head, rule, row = copied(browser, "scores", "Markdown")
    assert row.startswith("| srp_Cyrl | 0.600 |") and rule == "|" + " --- |" * 8
    lines = copied(browser, "scores", "LaTeX")
    assert lines[0] == r"\begin{tabular}{lrrrrrrr}" and lines[-1] == r"\end{tabular}"
    assert lines[3] == r"srp\_Cyrl & 0.600 & 0.850 & +0.250 & 0.600 & 0.850 & +0.250 & 40 \\"
    first, second, _ = copied(browser, "summary", "CSV")  # without the drawing
    assert first == "Benchmark and model,Score,95 % interval,Difference,Items"
    assert second == '"toy retrieval P@1, 12 scores: before",0.562,"[0.512, 0.612]",,480'
    (gap,) = copied(browser, "gaps", "CSV")[1:] or [""]
    assert gap == ""  # srp is not srp_cyrl: the row is hidden
    assert browser.errors == []


def test_a_finger_reads_what_a_mouse_does(browser, page):
    browser.open(page, width=400)
    told = "document.getElementById('told')"
    assert browser.evaluate(f"{told}.hidden")
    browser.evaluate("document.querySelector('td.heat').click()")
    assert browser.evaluate(f"{told}.innerText") == "hin_Deva>eng_Latn, 95 % [0.400, 0.600], n = 40"
    browser.evaluate(
        "document.querySelector('#groups svg.strip g circle').dispatchEvent(new Event('click', {bubbles: true}))"
    )
    assert browser.evaluate(f"{told}.innerText") == "before: 0.500 [0.400, 0.600]"
    browser.evaluate("document.querySelector('h1').click()")
    assert browser.evaluate(f"{told}.hidden")


def test_at_400_px_nothing_is_covered(browser, page):
    """The first column stays while the others scroll: it leaves them room."""
    browser.open(page, width=400)
    wide = """[...document.querySelectorAll('.box tbody th[scope=row]')].map(cell =>
        [cell.closest('.box').clientWidth, cell.offsetWidth]).filter(([all, own]) => own > 0.6 * all)"""
    assert browser.evaluate(wide) == []
    assert browser.evaluate(
        "[...document.querySelectorAll('nav a')].every(a => a.getBoundingClientRect().right <= 400)"
    )
    assert browser.evaluate("[...document.querySelectorAll('#scores .name')].every(name => name.offsetHeight > 0)")


def test_numbers_sort_by_what_they_begin_with(browser, page):
    browser.open(page)
    order = "[...document.querySelectorAll('#scores tbody tr')].map(row => row.cells[3].textContent)"
    values = ["+0.250 ≈", "−0.300", "+1.000", "12 of 2,000", "–", "3"]
    browser.evaluate(
        f"document.querySelectorAll('#scores tbody tr').forEach((row, i) => row.cells[3].textContent = {values}[i])"
    )
    browser.evaluate("document.querySelectorAll('#scores thead tr:last-child .sort')[3].click()")
    assert browser.evaluate(order) == ["12 of 2,000", "3", "+1.000", "+0.250 ≈", "−0.300", "–"]

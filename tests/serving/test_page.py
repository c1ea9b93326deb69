"""The page in a real browser."""

from __future__ import annotations

import pytest
from chromium import Chromium, find_chromium
from conftest import tiny_bert, tiny_tokenizer
from servers import an_encoder, an_index, running

pytest.importorskip("uvicorn")
BINARY = find_chromium()
pytestmark = pytest.mark.skipif(BINARY is None, reason="no Chromium is installed")
SHOWN = "[...document.querySelectorAll('#hits li')].filter(one => !one.hidden)"
HITS = f"{SHOWN}.map(one => one.querySelector('.text').innerText)"


@pytest.fixture(scope="module")
def browser():
    with Chromium(BINARY) as one:
        yield one


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    tiny_bert().save_pretrained(folder / "bert")
    tiny_tokenizer().save_pretrained(folder / "bert")
    encoder = an_encoder(folder / "bert", max_tokens=20)
    with running(encoder, {"a": an_index(encoder, folder / "a"), "long" * 30: an_index(encoder, folder / "b")}) as at:
        yield at


@pytest.fixture
def page(browser, address):
    """Type into the page, and wait for the answer."""

    def ask(query, width=1400, **fields):
        browser.open(address, width=width)
        wait(browser, "!document.querySelector('form').hidden")
        for name, value in fields.items():
            browser.evaluate(f"document.getElementById('{name}').value = {value!r}")
        browser.evaluate(f"document.getElementById('query').value = {query!r}")
        browser.evaluate("document.getElementById('go').click()")
        wait(browser, "document.getElementById('status').textContent !== 'Searching ...'")
        return browser

    return ask


def wait(browser, condition):
    browser.evaluate(
        f"new Promise(done => {{ const look = () => {condition} ? done(1) : setTimeout(look, 10); look() }})"
    )


@pytest.mark.parametrize("width", [400, 1400])
def test_it_searches_and_fits(page, width, address):
    browser = page("ζηθ", width)
    assert browser.errors == []
    assert {url.removeprefix(address) for url in browser.requests} == {"/", "/api/about", "/api/search"}
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    shown = browser.evaluate(HITS)
    assert shown[0] == "ζηθ" and len(shown) == 6
    assert "<b>xyz</b>" in shown and browser.evaluate("document.querySelectorAll('#hits b').length") == 0
    assert browser.evaluate("document.querySelector('#hits li .text').lang") == "el-Grek"
    assert browser.evaluate("document.querySelector('#hits li .roman').innerText") == "zeth"
    pieces = "[...document.querySelectorAll('.pieces span')].map(one => one.innerText)"
    assert browser.evaluate(pieces) == ["[CLS]", "ζ", "η", "θ", "[SEP]"]


def test_markup_in_a_query_is_text(page):
    browser = page("<img src=x onerror=alert(1)>")
    assert browser.errors == [] and browser.evaluate("document.querySelectorAll('img').length") == 0
    assert "<img src=x onerror=alert(1)>" in browser.evaluate("document.getElementById('reading').innerText")
    unread = "[...document.querySelectorAll('.pieces .unread')].length"
    assert browser.evaluate(unread) > 0  # the query is cut, and that is said
    assert "Cut: 20 of " in browser.evaluate("document.getElementById('reading').innerText")


def test_hits_by_language_and_script(page):
    browser = page("ζηθ")
    groups = "[...document.querySelectorAll('#groups button')].map(one => one.innerText)"
    assert sorted(browser.evaluate(groups)) == ["English, Latn: 2", "Modern Greek (1453-), Grek: 4"]
    english = "[...document.querySelectorAll('#groups button')].find(one => one.innerText.startsWith('E'))"
    browser.evaluate(f"{english}.click()")
    assert sorted(browser.evaluate(HITS)) == ["<b>xyz</b>", "abg de"]
    browser.evaluate(f"{english}.click()")
    assert len(browser.evaluate(HITS)) == 6


def test_filters_and_errors(page):
    assert sorted(page("ζηθ", language="eng_Latn").evaluate(HITS)) == ["<b>xyz</b>", "abg de"]
    assert page("ζηθ", script="Latn", language="ell_Grek").evaluate("document.getElementById('status').innerText") == (
        "Nothing found."
    )
    said = page("ζηθ", spoken="greek").evaluate("document.getElementById('status').innerText")
    assert said.startswith("unknown language code 'greek'") and page("ζ", k="2").evaluate(HITS)[0] == "ζηθ"


def test_without_an_index_it_says_so(browser, bert_folder):
    with running(an_encoder(bert_folder)) as at:
        browser.open(at)
        wait(browser, "document.getElementById('about').textContent")
        told = browser.evaluate("document.getElementById('about').innerText")
        assert told == f"No index is served here. Embeddings by tiny: POST {at}/v1/embeddings."
        assert browser.evaluate("document.querySelector('form').offsetHeight") == 0

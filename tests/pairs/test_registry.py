"""One file is a kind of pairs: its options make a verb, and what other packages offer is found."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import typer
from plugged import Distribution

import align
from align.cli import app
from align.errors import InputError
from align.pairs.registry import builders

ROOT = Path(__file__).parents[2]
CHECKOUT = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="only in a checkout of the source")
VERBS = typer.main.get_command(app).commands["pairs"].commands


@pytest.mark.parametrize("name", builders())
def test_a_builder_is_a_verb(name):
    one = builders()[name]
    assert one.name == name and one.summary.endswith(".")
    assert is_dataclass(one.options) and one.options()  # no option must be given
    verb = VERBS[name]
    assert verb.help == one.options.__doc__
    asked = {parameter.name: parameter for parameter in verb.params}
    assert asked["out"].opts == ["--out", "-o"]
    first, *others = [field.name for field in fields(one.options)]
    assert asked[first].param_type_name == "argument"
    for other in others:
        value = getattr(one.options(), other)
        if is_dataclass(value):  # its own fields are options
            assert [field.name for field in fields(value) if field.name in asked], other
            assert all(asked[field.name].default == getattr(value, field.name) for field in fields(value)
                       if field.name in asked)  # fmt: skip
        elif (name, other) == ("synonyms", "lexicons"):
            assert {"panlex", "wordnet", "kaikki"} < asked.keys()
        else:
            assert asked[other].param_type_name == "option" and asked[other].help
            assert asked[other].default == value


@pytest.mark.parametrize("name", builders())
def test_without_text_a_builder_says_what_it_needs(name, tmp_path):
    given = {"variant": "full"} if name == "conditional" else {}
    with pytest.raises(InputError, match="^no (text is|words are) given: expected"):
        builders()[name].build(builders()[name].options(**given), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@CHECKOUT
def test_the_page_has_the_table():
    rows = [f"| `align pairs {name}` | {one.summary} |" for name, one in builders().items()]
    page = (ROOT / "docs/pairs.md").read_text(encoding="utf-8")
    assert "\n".join(["| verb | what it builds |", "|---|---|", *rows]) in page


@CHECKOUT
def test_another_package_adds_the_one_of_the_page(tmp_path):
    page = (ROOT / "docs/pairs.md").read_text(encoding="utf-8")
    text = page.partition("```python\n# their_package/echo.py\n")[2].partition("```")[0]
    assert 0 < len(text.splitlines()) < 40
    package = Distribution(tmp_path, "echo", text)
    package.offers("align.pairs", "echo = echo_package")
    (tmp_path / "a.txt").write_text("one two\nthree\n")
    done = package.run("pairs", "echo", "a.txt", "--out", "o")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"rows": 1, "languages": {"eng_Latn": 1}, "rejects": {"too short": 1}, "out": "o"}
    assert align.read_pairs(tmp_path / "o")[0]["target"] == "two one"
    assert json.loads(package.run("pairs", "echo", "a.txt", "--least", "1", "--out", "p").stdout)["rows"] == 2
    assert "Shortest line kept, in words." in package.run("pairs", "echo", "--help").stdout
    package.offers("align.pairs", "echo = echo_package", "x = echo_package:missing")
    assert "does not load" in package.run("pairs", "echo", "a.txt").stderr

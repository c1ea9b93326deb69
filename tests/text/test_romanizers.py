"""One file is a romaniser: what a module, of this package or of another, offers is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plugged import Distribution

from align.text.romanize.registry import romanizers
from align.text.romanize.romanizer import romanize

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("backend", romanizers())
def test_a_romaniser_keeps_its_contract(backend):
    one = romanizers()[backend]
    if backend == "fast":
        pytest.importorskip("uroman_fast")
    assert one.name == backend and one.help and one.version()
    latin = one.of_language("rus")
    line = "Москва, мир и «дом»"
    units = one.units(line)
    assert "".join(units) == line
    assert "".join(unit if one.plain(unit) else latin(unit) for unit in units) == latin(line)
    assert romanize([line, "", "ascii"], lang="rus", backend=backend) == [latin(line), "", latin("ascii")]


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="only in a checkout of the source")
def test_the_page_has_the_table():
    rows = [f"| `{name}` | {one.help} |" for name, one in romanizers().items()]
    page = (ROOT / "docs/romanizer.md").read_text(encoding="utf-8")
    assert "\n".join(["| backend | what it writes |", "|---|---|", *rows]) in page


PLUGIN = '''
"""A romaniser of another package: every letter is an x."""
from align.text.romanize.registry import Romanizer

def of_language(code):
    return lambda text: "".join("x" if letter.isalpha() else letter for letter in text)

ROMANIZER = Romanizer("crosses", "crosses", version=lambda: "crosses 1", of_language=of_language)
'''


def test_another_package_adds_one(tmp_path):
    package = Distribution(tmp_path, "crosses", PLUGIN)
    package.offers("align.romanizers", "crosses = crosses_package:ROMANIZER")
    (tmp_path / "rus_Cyrl.txt").write_text("мир да\n")
    done = package.run("romanize", "rus_Cyrl.txt", "out.txt", "--backend", "crosses")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.txt").read_text() == "xxx xx\n"
    made = package.run("pairs", "transliteration", "rus_Cyrl.txt", "--backend", "crosses")
    assert json.loads(made.stdout)["romaniser"] == "crosses 1", made.stderr
    refused = package.run("romanize", "rus_Cyrl.txt", "b", "--backend", "x").stderr
    assert "unknown romaniser 'x': expected one of uroman, crosses, fast" in refused

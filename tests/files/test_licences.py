from __future__ import annotations

import json

import pytest

from align import list_benchmarks, read_pairs
from align.errors import InputError
from align.files.licences import allowing, check_licence, known_licence, stated_licence
from align.pairs.translation import translation_pairs

CARD = """---
language:
- ab
license:
- cc-by-nc-4.0
tags: [x]
---
# A set, whose authors thank CC BY-SA 4.0
"""
CREATIVE = "Creative Commons Attribution-NonCommercial 4.0"


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        (CARD, "cc-by-nc-4.0"), ("license: apache-2.0\n", "apache-2.0"), ("**Licence:** CC0 1.0.\n", "CC0 1.0"),
        ("# Set\n\n- License: Research use only\n", "Research use only"), ("is [CC BY-SA 4.0](x)", "CC BY-SA 4.0"),
        (f"{CREATIVE} International", CREATIVE), ("# Licence\n\nsee there", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_a_readme_states(tmp_path, readme, licence):
    (tmp_path / "README.md").write_text(readme)
    (tmp_path / "a.txt").write_text("x")
    assert stated_licence(tmp_path) == stated_licence(tmp_path / "a.txt") == licence
    assert known_licence(tmp_path, "unknown") == (licence or "unknown") and known_licence(tmp_path, "MIT") == "MIT"


def test_what_is_allowed():
    for licence in ("", "unknown", "CC BY 4.0", "none stated", "MIT", "of each translation"):
        check_licence("it", licence)
    for licence in ("CC BY-NC 4.0", "cc-by-nc-sa-3.0", "Research use only", "non-commercial", "CC BY-NC-ND"):
        with pytest.raises(InputError, match=f"it is under {licence}, which is not for commercial use: if yours is n"):
            check_licence("it", licence)
        with allowing(["any"]):
            check_licence("it", licence)
        with allowing([licence.lower().replace(" ", "-")]):
            check_licence("it", licence)
    with allowing(["cc-by-4.0", "cc0"]):
        check_licence("it", "CC BY 4.0 (text: Tatoeba)")
        check_licence("it", "CC0-1.0")
        for licence in ("CC BY-SA 4.0", "CC BY-NC 4.0", "MIT"):
            with pytest.raises(InputError, match=f"it is under {licence}, and only cc-by-4.0, cc0 is allowed"):
                check_licence("it", licence)
        with pytest.raises(InputError, match="it states no licence, and only cc-by-4.0, cc0 is allowed"):
            check_licence("it", "none stated")
    with allowing(["unknown"]):
        check_licence("it", "")
    with allowing(["cc-by"]), pytest.raises(InputError, match="and only cc-by is allowed"):
        check_licence("it", "CC BY-NC 4.0")


def test_a_table_keeps_the_licence_of_its_sources(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "README.md").write_text(CARD)
    given = tmp_path / "raw" / "eng_Latn-deu_Latn.tsv"
    given.write_text("source\ttarget\na dog\tein Hund\na cat\teine Katze\n")
    with pytest.raises(InputError, match="tsv is under cc-by-nc-4.0, which is not for commercial use"):
        translation_pairs([given], tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()
    with allowing(["cc-by-nc-4.0"]):
        translation_pairs([given], tmp_path / "pairs")
        assert len(read_pairs(tmp_path / "pairs")) == 2
    assert json.loads((tmp_path / "pairs" / "manifest.json").read_text())["sources"][0]["licence"] == "cc-by-nc-4.0"
    with pytest.raises(InputError, match=r"pairs \(.*tsv\) is under cc-by-nc-4.0, which is not for commercial use"):
        read_pairs(tmp_path / "pairs")
    with pytest.raises(InputError, match="eng_Latn-deu_Latn.tsv is under cc-by-nc-4.0"):
        read_pairs(given)


def test_benchmarks_are_listed_by_what_is_asked(tmp_path):
    (tmp_path / "sib200").mkdir()
    for code in ("eng_Latn", "hin_Deva", "npi_Deva", "deu_Latn"):
        (tmp_path / "sib200" / f"{code}.txt").write_text("x\n")

    def names(**asked):
        return {one.benchmark.name: one.languages for one in list_benchmarks(tmp_path, **asked)}

    assert set(names(task="sts")) == {"sts17", "stsb"}
    assert names(script="Deva") == {"sib200": ("hin_Deva", "npi_Deva")}
    assert names(language="hi") == names(language="hin_Deva") == {"sib200": ("hin_Deva",)}
    assert set(names(licence="cc-by-2")) == {"tatoeba"} and "sib200" in names(licence="CC BY-SA 4.0")
    for asked, message in (
        ({"task": "stss"}, "unknown task 'stss': expected one of .*; did you mean sts"),
        ({"script": "Devo"}, "unknown script 'Devo': expected one of Deva, Latn; did you mean Deva"),
        ({"language": "hun"}, "unknown language 'hun': .*deu, eng, hin, npi"),
        ({"licence": "mit"}, "no benchmark is under 'mit': there are Apache-2.0 .*CC BY-SA 4.0"),
    ):
        with pytest.raises(InputError, match=message):
            names(**asked)
    with pytest.raises(InputError, match="languages and scripts are those of a data folder: name it"):
        list_benchmarks(language="hi")

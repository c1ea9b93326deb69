from __future__ import annotations

import importlib.util

import pytest

from align import translation_pairs
from align.errors import InputError
from align.pairs import language_identifier
from align.text.languages import macrolanguage, three_letters

ENGLISH = "The committee will publish its final report next week."
GERMAN = "Der Ausschuss wird seinen Bericht in der nächsten Woche veröffentlichen."


@pytest.mark.parametrize("certainty", [0, -1, 1.5])
def test_certainty_outside_its_range(certainty):
    with pytest.raises(InputError, match=rf"certainty must lie in \(0, 1\], got {certainty}"):
        language_identifier(certainty=certainty)


def test_without_the_library(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'align-encoders\[langid\]'"):
        language_identifier()


def test_macrolanguages_and_codes():
    assert [macrolanguage(code) for code in ("pes", "prs", "nob", "hin", "xxx")] == ["fas", "fas", "nor", "hin", "xxx"]
    assert [three_letters(code) for code in ("de", "ger", "Sinhala", "zz")] == ["deu", "deu", "sin", ""]


def test_untranslated_lines_are_found(tmp_path):
    pytest.importorskip("py3langid", reason="the extra langid is not installed")
    identify = language_identifier()
    assert (identify(ENGLISH), identify(GERMAN), identify("ok")) == ("eng", "deu", "")
    assert str(identify) == "py3langid, certainty 0.9"
    assert {"fas", "eng"} <= identify.languages
    rows = [(ENGLISH, GERMAN), (ENGLISH, ENGLISH + " Indeed."), (GERMAN, GERMAN + " Ja.")]
    path = tmp_path / "eng_Latn-deu_Latn.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    manifest = translation_pairs([path], tmp_path / "out", identify=identify)
    assert manifest["rejects"] == {"target: other language": 1, "source: other language": 1}
    assert manifest["options"]["identify"] == "py3langid, certainty 0.9"


def test_languages_that_the_identifier_cannot_name_are_not_judged(tmp_path):
    pytest.importorskip("py3langid", reason="the extra langid is not installed")
    identify = language_identifier()
    assert macrolanguage("zza") not in identify.languages  # Zazaki
    path = tmp_path / "eng_Latn-zza_Latn.tsv"
    path.write_text(f"{ENGLISH}\t{GERMAN}\n", encoding="utf-8")
    assert translation_pairs([path], tmp_path / "out", identify=identify)["rows"] == 1

"""Sentences about names that are not there."""

from __future__ import annotations

from align.errors import SHOWN, nearest, there_are, unknown


def test_those_there_are_and_the_nearest():
    assert (
        unknown("column", "Txt", ["text", "id"]) == "unknown column 'Txt': expected one of text, id; did you mean text?"
    )
    assert unknown("column", "score", ["text", "id"]) == "unknown column 'score': expected one of text, id"
    assert there_are("x", []) == "none"


def test_a_long_list_is_cut_and_the_nearest_still_named():
    names = [f"language{number}" for number in range(SHOWN + 5)]
    said = there_are("langage33", names)
    assert said.endswith(f"language{SHOWN - 1} and 5 more; did you mean language33?")


def test_the_nearest_in_another_case():
    assert nearest("FRA_latn", ["fra_Latn", "deu_Latn"]) == "; did you mean fra_Latn?"
    assert nearest("zzz", ["fra_Latn"]) == "" == nearest("x", [])


def test_another_language_of_the_same_script_is_not_near():
    assert nearest("xho_Latn", ["eng_Latn", "deu_Latn"]) == nearest("deu_Latn", ["eng_Latn"]) == ""
    assert nearest("deu_Latin", ["eng_Latn", "deu_Latn"]) == "; did you mean deu_Latn?"

from __future__ import annotations

import pytest

from align.errors import InputError
from align.text.languages import by_script, check_language, dominant_script, latin, script_share


@pytest.mark.parametrize("code", ["hin_Deva", "zho_Hans", "cmn_Hant", "jpn_Jpan", "kor_Hang", "kas_Arab", "qaa_Latn"])
def test_known_codes(code):
    assert check_language(code) == code


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("hi_Deva", r"unknown language code 'hi_Deva'.*did you mean hin_Deva\?"),
        ("hindi_Deva", r"did you mean hin_Deva\?"),
        ("iw_Hebr", r"did you mean heb_Hebr\?"),  # withdrawn in 1989, and still in use
        ("xqz_Latn", r"unknown language code 'xqz_Latn': expected iso639-3_Script such as hin_Deva$"),
        ("HIN_Deva", "unknown language code"),
        ("hin", "unknown script in language code 'hin'.*such as hin_Latn"),
        ("hin_Dewa", r"unknown script.*did you mean hin_Deva\?"),
        ("hin-deva", r"did you mean hin_Deva\?"),
        ("ell_Gre", r"unknown script.*did you mean ell_Grek\?"),
        ("gem-pro_Latn", r"such as hin_Deva$"),
        ("hin_deva", "unknown script"),
        ("", "unknown language code ''"),
    ],
)
def test_messages(code, sentence):
    with pytest.raises(InputError, match=sentence):
        check_language(code)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("नमस्ते abc", "Deva"),
        ("abc я", "Latn"),
        ("日本のこと", "Hira"),
        ("한국어", "Hang"),
        ("123 !", "Zyyy"),
        ("", "Zyyy"),
    ],
)
def test_dominant_script(text, script):
    assert dominant_script(text) == script


def test_script_share_counts_letters_only():
    assert script_share("ab я1!", "Latn") == pytest.approx(2 / 3)
    assert script_share("日本のカナ", "Jpan") == 1.0
    assert script_share("日本", "Hans") == 1.0
    assert script_share("123", "Latn") == 0.0


def test_variants_of_a_script_are_scripts():
    """Of ISO 15924; Unicode has no script of its own for them."""
    assert [check_language(code) for code in ("deu_Latf", "chu_Cyrs", "syr_Syre")] == [
        "deu_Latf",
        "chu_Cyrs",
        "syr_Syre",
    ]
    assert script_share("Fraktur", "Latf") == script_share("азъ", "Cyrs") == 1


@pytest.mark.parametrize(
    ("text", "script"),
    [("مـــرحبا", "Arab"), ("ｶﾞｰﾄﾞ", "Jpan"), ("コーヒー", "Kana"), ("らーめん", "Hira"), ("人々", "Hani")],
)
def test_letters_that_scripts_share_belong_to_each(text, script):
    """Tatweel, the mark of long vowels, the sign of repetition: of Script Common, which they have no letters of."""
    assert script_share(text, script) == 1
    assert script_share(text, "Latn") == 0
    assert dominant_script(text) == {"Jpan": "Kana"}.get(script, script)


def test_an_unknown_script():
    with pytest.raises(InputError, match="unknown script 'Xyzw': expected an ISO 15924 code"):
        script_share("a", "Xyzw")


def test_shared_letters_do_not_decide():
    assert dominant_script("ラーーー") == "Kana"
    assert dominant_script("ー") == "Zyyy"


def test_a_script_stands_for_the_only_language_that_has_it():
    assert by_script(["hin_Deva", "hin_Latn", "eng_Latn"]) == {"Deva": "hin_Deva"}
    assert by_script(["jpn_Jpan", "rus_Cyrl"]) == dict.fromkeys(["Hani", "Hira", "Kana"], "jpn_Jpan") | {
        "Cyrl": "rus_Cyrl"
    }
    assert by_script(["jpn_Jpan", "cmn_Hans"]) == {"Hira": "jpn_Jpan", "Kana": "jpn_Jpan"}  # either writes Han
    assert by_script(["cmn_Hans", "kor_Hang"]) == {"Hani": "cmn_Hans", "Hang": "kor_Hang"}
    assert by_script([]) == {}


def test_the_code_of_a_language_in_latin_letters():
    assert [latin(code) for code in ("hin_Deva", "eng_Latn", "")] == ["hin_Latn", "eng_Latn", ""]

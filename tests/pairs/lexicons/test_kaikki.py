import gzip
import json

import pytest

from align.errors import InputError
from align.pairs.lexicons.format import ConceptWord, WordPair
from align.pairs.lexicons.kaikki import kaikki_rows

BANK = {
    "word": "bank", "lang": "English", "lang_code": "en", "pos": "noun",
    "senses": [
        {"glosses": ["An institution.", "A branch of it."], "synonyms": [{"word": "house"}]},
        {"glosses": ["An edge of a river."], "translations": [{"code": "de", "lang": "German", "word": "Ufer"}]},
    ],
    "translations": [
        {"lang_code": "de", "code": "de", "word": "Bank", "sense": "institution", "tags": ["feminine"]},
        {"code": "sh", "word": "банка", "roman": "banka", "sense": "institution"},
        {"code": "cmn", "word": "銀行"},
        {"code": "gem-pro", "word": "*bankiz", "sense": "bench"},
        {"code": "fr", "note": "no equivalent", "sense": "bench"},
    ],
    "synonyms": [{"word": "depository  bank", "sense": "institution"}],
}  # fmt: skip


def extract(folder, *records, name="toy.jsonl"):
    path = folder / name
    text = "".join((r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)) + "\n" for r in records)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["toy.jsonl", "toy.jsonl.gz"])
def test_translations_synonyms_and_glosses(tmp_path, name):
    path = extract(tmp_path, "", BANK, name=name)
    file, branch, edge = str(path), "An institution. A branch of it.", "An edge of a river."

    def pair(code, word, concept, problem=""):
        return WordPair(file, 2, "eng_Latn", code, "bank", word, f"eng_Latn:bank{concept}", problem)

    assert list(kaikki_rows(path)) == [
        ConceptWord(file, 2, f"eng_Latn:bank#{branch}", "eng_Latn", "bank", branch),
        ConceptWord(file, 2, f"eng_Latn:bank#{edge}", "eng_Latn", "bank", edge),
        pair("deu_Latn", "Bank", "#institution"),
        pair("hbs_Cyrl", "банка", "#institution"),
        pair("cmn_Hani", "銀行", ""),
        pair("", "*bankiz", "#bench", "unknown language code"),
        pair("fra_Latn", "", "#bench", "empty"),
        pair("eng_Latn", "depository bank", "#institution"),
        pair("eng_Latn", "house", f"#{branch}"),
        pair("deu_Latn", "Ufer", f"#{edge}"),
    ]


def translated(folder, word, code, translation, languages=()):
    record = {"word": word, "lang_code": "en", "translations": [{"lang_code": code, "word": translation}]}
    return [
        (row.target_lang, row.target, row.problem) for row in kaikki_rows(extract(folder, record), languages=languages)
    ]


@pytest.mark.parametrize(
    ("word", "code", "translation", "expected"),
    [
        ("rain", "cmn", "風 /风", [("cmn_Hant", "風", ""), ("cmn_Hans", "风", "")]),
        ("rain", "cmn", "雨 / 雨", [("cmn_Hani", "雨", "")]),
        ("rain", "ja", "雨, あめ、アメ", [("jpn_Jpan", "雨", ""), ("jpn_Jpan", "あめ", ""), ("jpn_Jpan", "アメ", "")]),
        ("rain", "de", "Regen; Niederschlag", [("deu_Latn", "Regen", ""), ("deu_Latn", "Niederschlag", "")]),
        ("rain", "fr", "la pluie, l'eau du ciel", [("fra_Latn", "la pluie, l'eau du ciel", "alternatives")]),
        ("rain", "cmn", "有风，有雨", [("cmn_Hani", "有风，有雨", "alternatives")]),
        ("come rain, come shine", "de", "bei Wind, bei Regen", [("deu_Latn", "bei Wind, bei Regen", "")]),
        ("rain", "de", "und/oder", [("deu_Latn", "und/oder", "")]),
        ("rain / snow", "de", "Regen / Schnee", [("deu_Latn", "Regen / Schnee", "alternatives")]),
    ],
)
def test_several_words_in_one_translation(tmp_path, word, code, translation, expected):
    assert translated(tmp_path, word, code, translation) == expected


def test_spellings_of_chinese_that_are_wanted(tmp_path):
    assert translated(tmp_path, "rain", "cmn", "風 /风", ["eng_Latn", "zho_Hans"]) == [("zho_Hans", "风", "")]
    both = translated(tmp_path, "rain", "cmn", "風 /风", ["eng_Latn", "cmn_Hani"])
    assert both == [("cmn_Hani", "風", ""), ("cmn_Hani", "风", "")]
    with pytest.raises(InputError, match="no translation, synonym or gloss within deu_Latn; its headwords are in en"):
        translated(tmp_path, "rain", "cmn", "雨", ["deu_Latn"])


def test_languages_that_are_wanted(tmp_path):
    path = extract(
        tmp_path, BANK, {"word": "Bank", "lang_code": "de", "translations": [{"code": "en", "word": "bank"}]}
    )
    rows = list(kaikki_rows(path, languages=["eng_Latn", "cmn_Hant"]))
    pairs = [(row.target_lang, row.target, row.problem) for row in rows if isinstance(row, WordPair)]
    assert pairs == [
        ("cmn_Hant", "銀行", ""),
        ("", "*bankiz", "unknown language code"),
        ("eng_Latn", "depository bank", ""),
        ("eng_Latn", "house", ""),
    ]
    assert {row.number for row in rows} == {1}
    with pytest.raises(
        InputError, match="no translation, synonym or gloss within deu_Latn; its headwords are in en, de"
    ):
        list(kaikki_rows(path, languages=["deu_Latn"]))


@pytest.mark.parametrize(
    ("lang", "code", "glosses"),
    [("English", "en", 1), ("Deutsch", "de", 1), ("Français", "fr", 1), ("German", "de", 0), ("Englisch", "en", 0)],
)
def test_a_gloss_is_read_only_in_the_language_of_its_word(tmp_path, lang, code, glosses):
    entry = {"word": "w", "lang": lang, "lang_code": code, "senses": [{"glosses": ["g"]}, {"glosses": []}, {}]}
    assert sum(bool(row.gloss) for row in kaikki_rows(extract(tmp_path, entry))) == glosses


@pytest.mark.parametrize("mark", [{"form_of": [{"word": "bank"}]}, {"alt_of": []}, {"tags": ["plural", "form-of"]}])
def test_forms_of_other_words_are_no_glosses(tmp_path, mark):
    entry = {"word": "banks", "lang": "English", "lang_code": "en", "senses": [{"glosses": ["plural of bank"]} | mark]}
    assert [row.problem for row in kaikki_rows(extract(tmp_path, entry))] == ["form of another word"]


def test_entries_that_cannot_be_used(tmp_path):
    path = extract(
        tmp_path,
        {"title": "Dog", "redirect": "dog"},
        {"word": "*ḱwṓ", "lang_code": "ine-pro", "translations": [{"code": "en", "word": "dog"}]},
        {"word": " ", "lang_code": "en"},
        {"word": 3, "lang_code": ["en"]},
        {"word": "dog", "lang_code": "en", "senses": "none", "translations": [None, {"code": 1, "word": "x"}]},
        {"word": "dog", "lang_code": "en", "synonyms": [{"alt": "hound"}]},
    )
    assert [(row.number, row.problem) for row in kaikki_rows(path)] == [
        (1, "redirect"),
        (2, "unknown language code"),
        (3, "empty"),
        (4, "empty"),
        (5, "unknown language code"),
        (5, "unknown language code"),
        (6, "empty"),
    ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["<html>"], r"toy\.jsonl, line 1: not valid JSON"),
        (['{"word": "cut'], r"toy\.jsonl, line 1: not valid JSON"),
        (["[1]"], r"toy\.jsonl, line 1: expected a JSON object, got list"),
        ([{"txt": "dog"}], r"line 1: expected wiktextract's fields 'word' and 'lang_code'; found txt"),
        ([{}], r"line 1: expected wiktextract's fields 'word' and 'lang_code'; found none"),
    ],
)
def test_bad_files_are_named(tmp_path, lines, reason):
    with pytest.raises(InputError, match=reason):
        list(kaikki_rows(extract(tmp_path, *lines)))


def test_a_file_that_is_cut_or_missing_is_named(tmp_path):
    path = extract(tmp_path, *[BANK] * 50, name="toy.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match=r"toy\.jsonl\.gz is not a complete gzip file"):
        list(kaikki_rows(path))
    with pytest.raises(InputError, match="no such file"):
        list(kaikki_rows(tmp_path / "none.jsonl"))


def test_a_bad_line_costs_itself_alone(tmp_path):
    good = {"word": "dog", "lang_code": "en", "translations": [{"word": "Hund", "lang_code": "de"}]}
    path = tmp_path / "a.jsonl"
    path.write_text(f'{json.dumps(good)}\n{{"word": "cut\n[1]\n{json.dumps(good)}\n')
    found = [(row.number, row.problem) for row in kaikki_rows(path)]
    assert found == [(1, ""), (2, "not valid JSON"), (3, "expected a JSON object"), (4, "")]
    path.write_text("{\n[1]\n")
    with pytest.raises(InputError, match=r"a.jsonl, line 1: not valid JSON \("):
        list(kaikki_rows(path))

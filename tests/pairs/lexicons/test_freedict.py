import pytest
from dictd_files import dictionary

from align.errors import InputError
from align.pairs.lexicons.freedict import freedict_pairs


def pairs(folder, *entries):
    """(source, target, concept without the code, problem) of a dictionary; an entry is (headwords, text)."""
    index = dictionary(folder, entries)
    rows = list(freedict_pairs(index, source_lang="eng_Latn", target_lang="deu_Latn"))
    assert all(row.file == str(index) and row.kind == "synonym" for row in rows)
    assert all((row.source_lang, row.target_lang) == ("eng_Latn", "deu_Latn") for row in rows)
    assert all(row.concept.startswith("eng_Latn:") for row in rows)
    return [(row.source, row.target, row.concept.removeprefix("eng_Latn:"), row.problem) for row in rows]


def targets(folder, text, headword="w"):
    return [(target, problem) for _, target, _, problem in pairs(folder, ([headword], f"{headword}\n{text}\n"))]


def test_one_sense_is_the_concept_of_the_headword(tmp_path):
    assert pairs(tmp_path, (["dog"], "dog /dɒg/ <n>\nHund <masc>, Köter <masc> [pej.]\n")) == [
        ("dog", "Hund", "dog", ""),
        ("dog", "Köter", "dog", ""),
    ]


def test_senses_are_told_apart_and_counted_over_entries(tmp_path):
    entries = [
        (["bank"], "bank /baŋk/ <n>\n1. Bank, Geldhaus\n2. Ufer\n"),
        (["bank"], "bank /baŋk/ <v>\nüberhöhen\n"),
        (["bat"], "bat <n>\nFledermaus\n"),
        (["bat"], "bat <n>\nSchläger\n"),
    ]
    assert pairs(tmp_path, *entries) == [
        ("bank", "Bank", "bank#toy:1", ""),
        ("bank", "Geldhaus", "bank#toy:1", ""),
        ("bank", "Ufer", "bank#toy:2", ""),
        ("bank", "überhöhen", "bank#toy:3", ""),
        ("bat", "Fledermaus", "bat", ""),
        ("bat", "Schläger", "bat#toy:2", ""),
    ]


def test_numbers_name_a_line_of_the_index(tmp_path):
    index = dictionary(tmp_path, [(["zoo"], "zoo\nTiergarten\n"), (["ant"], "ant\nAmeise\n")])
    lines = index.read_text().splitlines()
    rows = list(freedict_pairs(index, source_lang="eng_Latn", target_lang="deu_Latn"))
    assert [lines[row.number - 1].split("\t")[0] for row in rows] == ["zoo", "ant"]


@pytest.mark.parametrize(
    ("headwords", "header", "forms"),
    [
        (["volcano", "volkano"], "volcano, volkano /v/ /v/ <n> [sg=pl]", ["volcano", "volkano"]),
        (["so far so good"], "so far, so good /s fa/", ["so far, so good"]),  # one headword with a comma
        (["dept", "department"], "department /dɪ/ (Dept. /dɪ/)", ["department"]),
        (["mans bike"], "man's bike /mˈan ˈɛs/", ["man's bike"]),
        (["umlaut"], "umlaut (pl: {umlauts}) <n>", ["umlaut"]),
        (["achieve"], " [ichi1]  [nf02] achieve /a/", ["achieve"]),
        (["ago"], "... ago /a/", ["ago"]),
        (["other"], "spelt otherwise", ["spelt otherwise"]),  # not in its index
    ],
)
def test_headwords(tmp_path, headwords, header, forms):
    rows = pairs(tmp_path, (headwords, header + "\nx\n"))
    assert [row[0] for row in rows] == forms
    assert {row[2] for row in rows} == {forms[0]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("öffnen, aufmachen; auftun", ["öffnen", "aufmachen", "auftun"]),
        ("Hund, Hund", ["Hund"]),
        (" [Am.] Wiederanlage <fem>, Anlage <fem> [econ.] , Anlagen <pl>", ["Wiederanlage", "Anlage", "Anlagen"]),
        ("teilnehmen (an etwas - in sth, on it)", ["teilnehmen"]),
        ("Lesespeicher <masc>ROM,  /rom/ , Festspeicher <masc>", ["Lesespeicher", "Festspeicher"]),
        ("white blood countWBC,  /dabl/ , leucocytes", ["white blood count", "leucocytes"]),
        ("iPhoneOS", ["iPhoneOS"]),
        ("पानी~पर, नाव{जल~वाहन}", ["पानी पर", "नाव"]),
        ("... zu, an …", ["zu", "an"]),
        ("n.Scherz, v.scherzen", ["Scherz", "scherzen"]),
        ("1,000 Tonnen", ["1,000 Tonnen"]),
        ("mot ((a) b) [c [d]]", ["mot"]),
        ("regard 2.", ["regard"]),
        ("أ، ب", ["أ", "ب"]),
    ],
)
def test_translations_of_a_line(tmp_path, text, expected):
    assert targets(tmp_path, text) == [(target, "") for target in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nübersetzt\n", "übersetzt"),  # a blank line first
        ("1.\nübersetzt\n", "übersetzt"),
        ("übersetzt\neine Erklärung, was das ist\n", "übersetzt"),
        (
            'übersetzt\n      "an example"  - ein Beispiel\n         Note: eine Notiz\n   Synonym: {other}\n',
            "übersetzt",
        ),
        ("(noun (common))\n [slang]\nübersetzt\n", "übersetzt"),
        (" see: {other}, {others}\nübersetzt\n", "übersetzt"),
        ("{other}übersetzt\n", "übersetzt"),
        ("1.  übersetzt\n  a phrase\n - die Wendung\n", "übersetzt"),
        ("2 Personen\n", "2 Personen"),
        ("3. Person\n", "3. Person"),  # not the number of a sense: it does not follow on 2
    ],
)
def test_what_is_around_the_translations_is_not_read(tmp_path, text, expected):
    assert targets(tmp_path, text) == [(expected, "")]


def test_roman_and_arabic_senses_phrases_and_compounds(tmp_path):
    text = (
        "I.  <Adj> 1.  mało\n 2.  zawiły, niejasny\n 3.  take sb (take V: PROP)\n - chwytać\n"
        "II.  <V Phras>tail off  1.  zmniejszać się\n 2.  ucichać\nIII.  <V>  zaciemniać\n"
    )
    assert [(row[1], row[2][-1], row[3]) for row in pairs(tmp_path, (["w"], f"w\n{text}"))] == [
        ("mało", "1", ""),
        ("zawiły", "2", ""),
        ("niejasny", "2", ""),
        ("", "3", "no translation"),  # the expression
        ("", "4", "no translation"),  # the phrasal verb, another headword
        ("zaciemniać", "5", ""),
    ]


@pytest.mark.parametrize(
    ("headword", "text", "expected"),
    [
        ("w", "", [("", "no translation")]),
        ("w", " Plural of {v}: Wort", [("", "no translation")]),
        ("w", "   Synonym: {v}", [("", "no translation")]),
        ("w", ' [ugs.]\n      "an example"  - ein Beispiel', [("", "no translation")]),
        ("w", "I.  <V Phras>w off\n 1.  ab\nII.  weg", [("", "no translation"), ("weg", "")]),
        ("w", "(be)merken, sagen", [("(be)merken", "brackets"), ("sagen", "")]),
        ("w", "er/sie geht, ging", [("er/sie geht", "alternatives"), ("ging", "")]),
        ("he/she goes", "geht", [("geht", "alternatives")]),
        ("w", "Adlige(r), Herr", [("Adlige(r)", "brackets"), ("Herr", "")]),
        ("w", "offen (halb, zu", [("offen (halb", "brackets"), ("zu", "")]),
        ("here, there", "hier, dort", [("hier, dort", "commas")]),
        ("here, there", "hier (da, dort)", [("hier", "")]),
        ("w", "words wort", [("words wort", "")]),
        ("w", "words  wort", [("words wort", "two columns")]),
    ],
)
def test_what_cannot_be_parsed_has_a_problem(tmp_path, headword, text, expected):
    assert targets(tmp_path, text, headword) == expected


def test_an_unknown_code_is_refused_before_a_file_is_opened(tmp_path):
    with pytest.raises(InputError, match="did you mean deu_Latn"):
        list(freedict_pairs(tmp_path / "none.index", source_lang="eng_Latn", target_lang="de_Latn"))
    with pytest.raises(InputError, match="no such file"):
        list(freedict_pairs(tmp_path / "none.index", source_lang="eng_Latn", target_lang="deu_Latn"))

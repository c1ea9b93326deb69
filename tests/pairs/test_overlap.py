from __future__ import annotations

import csv
import json

import pytest
from datasets import Dataset

from align.errors import InputError
from align.pairs import overlap
from align.pairs.overlap import COLUMNS, find_overlap, match_key
from align.pairs.overlap_result import overlap_table
from align.training.model_card import overlap_lines

LONG = "The quick brown fox jumps over the lazy dog near the river bank"


def pairs(*rows, **columns):
    """Rows of (source language, source, target language, target)."""
    names = ("source_lang", "source", "target_lang", "target")
    table = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return Dataset.from_dict(table | columns)


TRAINING = pairs(
    ("rus_Cyrl", "Привет, мир!", "eng_Latn", "HELLO   world."),
    ("eng_Latn", "nothing", "deu_Latn", LONG + "s"),
    ("eng_Latn", "hello world", "deu_Latn", "hallo"),
)
TESTS = [
    ("talk", "eng_Latn", ["Hello, world", " ", "privet mir", LONG]),
    ("talk", "rus_Cyrl", ["привет мир", "...", "ничего", "лиса"]),
    ("other", "eng_Latn", ["not there"]),
]


def counts(found):
    return {
        (c.benchmark, c.language): (c.texts, c.left_out, c.equal, c.romanised, c.near, c.pairs) for c in found.counts
    }


def test_three_kinds_are_counted_apart():
    found = find_overlap(TRAINING, TESTS, romanize=True)
    assert counts(found) == {
        ("talk", "eng_Latn"): (3, 1, 1, 1, 1, 1),
        ("talk", "rus_Cyrl"): (3, 1, 1, 0, 0, 1),
        ("other", "eng_Latn"): (1, 0, 0, 0, 0, 0),
    }
    assert found.share == 1.0
    assert (found.total().texts, found.total().found, found.total().share) == (7, 4, 4 / 7)
    assert found.romaniser.startswith("uroman ")


def test_romanising_and_near_are_choices():
    plain = find_overlap(TRAINING, TESTS)
    assert counts(plain)["talk", "eng_Latn"] == (3, 1, 1, 0, 1, 1)
    assert plain.romaniser == ""
    assert counts(find_overlap(TRAINING, TESTS, near=0))["talk", "eng_Latn"] == (3, 1, 1, 0, 0, 1)
    assert counts(find_overlap(TRAINING, TESTS, near=1.0))["talk", "eng_Latn"] == (3, 1, 1, 0, 0, 1)


def test_the_other_script_of_the_test_text_is_found_and_the_near_one_too():
    training = pairs(("eng_Latn", "moskva bolshoy gorod na reke i stolica", "eng_Latn", "x"))
    tests = [("t", "rus_Cyrl", ["Москва большой город на реке и столица!"])]
    assert find_overlap(training, tests).total().found == 0
    (count,) = find_overlap(training, tests, romanize=True, near=0.5).counts  # uroman: bolshoi, stolitsa
    assert (count.equal, count.romanised, count.near) == (0, 0, 1)


def test_hits_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(overlap, "BLOCK_ROWS", 1)
    find_overlap({"a": TRAINING, "b": TRAINING}, TESTS, romanize=True, out=tmp_path / "hits.tsv")
    lines = (tmp_path / "hits.tsv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert lines[0] == "\t".join(COLUMNS)
    a = [row for row in rows if row["table"] == "a"]
    assert len(rows) == 2 * len(a)
    found = [(row["language"], row["line"], row["row"], row["side"], row["kind"]) for row in a]
    assert found == [
        ("eng_Latn", "3", "1", "source", "romanised"),
        ("rus_Cyrl", "1", "1", "source", "equal"),
        ("eng_Latn", "1", "1", "target", "equal"),
        ("eng_Latn", "4", "2", "target", "near"),
        ("eng_Latn", "1", "3", "source", "equal"),
    ]
    near = a[3]
    assert (near["test"], near["training"], near["benchmark"]) == (LONG, LONG + "s", "talk")
    grams = [{text[i : i + 5] for i in range(len(text) - 4)} for text in map(match_key, (LONG, LONG + "s"))]
    assert float(near["jaccard"]) == pytest.approx(len(grams[0] & grams[1]) / len(grams[0] | grams[1]), abs=1e-4)


def test_a_hit_with_white_space_stays_one_line(tmp_path):
    training = pairs(("eng_Latn", "a\tb\nc\u2028d\r", "eng_Latn", "x"))
    find_overlap(training, [("t", "eng_Latn", ["ab cd"])], out=tmp_path / "hits.tsv")
    text = (tmp_path / "hits.tsv").read_text(encoding="utf-8")
    assert text.splitlines()[1].split("\t")[7] == "a b c d"
    assert text.count("\n") == 2


def test_negatives_count_and_an_empty_one_does_not():
    training = pairs(("eng_Latn", "a", "eng_Latn", "b"), ("eng_Latn", "c", "eng_Latn", "d"), negative=["Found!", ""])
    (count,) = find_overlap(training, [("t", "eng_Latn", ["found"])]).counts
    assert (count.equal, count.pairs) == (1, 0)


def test_every_column_of_negatives_is_looked_through(tmp_path):
    training = pairs(("eng_Latn", "a", "deu_Latn", "b"), ("eng_Latn", "c", "deu_Latn", "d"),
                     negative_1=["x", "y"], negative_2=[None, "Found!"], negative_10=["found", None])  # fmt: skip
    find_overlap(training, [("t", "eng_Latn", ["found"])], out=tmp_path / "hits.tsv")
    lines = [line.split("\t")[5:8] for line in (tmp_path / "hits.tsv").read_text().splitlines()[1:]]
    assert lines == [["1", "negative_10", "found"], ["2", "negative_2", "Found!"]]


def test_a_pair_is_two_texts_of_one_line_on_both_sides():
    tests = [("t", "eng_Latn", ["dog", "cat", "owl"]), ("t", "deu_Latn", ["Hund", "Katze", "Eule"])]
    training = pairs(
        ("eng_Latn", "dog", "deu_Latn", "Hund"),
        ("eng_Latn", "cat", "deu_Latn", "Eule"),  # of two lines
        ("eng_Latn", "owl", "eng_Latn", "Owl!"),  # one text twice
    )
    assert [(c.equal, c.pairs) for c in find_overlap(training, tests, near=0).counts] == [(3, 1), (2, 1)]
    tests[1] = ("u", *tests[1][1:])
    assert [c.pairs for c in find_overlap(training, tests, near=0).counts] == [0, 0]


def test_sets_of_one_name_and_language_are_one_and_duplicates_all_count():
    tests = [("t", "eng_Latn", ["dog", "dog"]), ("t", "eng_Latn", ["Dog", "cow"])]
    (count,) = find_overlap(pairs(("eng_Latn", "dog", "eng_Latn", "x")), tests).counts
    assert (count.texts, count.equal, count.share) == (4, 3, 0.75)


def test_an_unknown_language_is_romanised_without_rules():
    training = pairs(("rus_Cyrl", "Привет", "eng_Latn", "x"))
    assert find_overlap(training, [("t", "ber_Latn", ["privet"])], romanize=True).total().romanised == 1


def test_each_text_is_romanised_by_the_rules_of_its_language():
    training = pairs(("ukr_Cyrl", "Голова", "rus_Cyrl", "Голова"))
    for text in ("holova", "golova"):
        assert find_overlap(training, [("t", "eng_Latn", [text])], romanize=True, near=0).total().romanised == 1


def test_a_later_weaker_match_changes_nothing():
    for sides in ((LONG, LONG + "s"), (LONG + "s", LONG)):
        training = pairs(*(("eng_Latn", side, "eng_Latn", "x") for side in sides))
        (count,) = find_overlap(training, [("t", "eng_Latn", [LONG])]).counts
        assert (count.equal, count.near) == (1, 0)


def test_what_is_compared():
    assert match_key("Straße  Nr. ５!") == "strassenr5"
    assert match_key("क्‍या?") == "क्या"  # a joiner is neither letter nor mark
    assert match_key("€ ... 🙂") == ""


def test_the_table_has_the_largest_shares_first():
    value = find_overlap(TRAINING, TESTS).to_json()
    assert value == json.loads(json.dumps(value))
    lines = overlap_table(value).splitlines()
    assert lines[2:5] == [
        "| talk | eng_Latn | 3 | 1 | 0 | 1 | 1 | 66.67% |",
        "| talk | rus_Cyrl | 3 | 1 | 0 | 0 | 1 | 33.33% |",
        "| all |  | 7 | 2 | 0 | 1 | 2 | 42.86% |",
    ]
    assert lines[6] == (
        "3 rows of pairs; 1 of 3 sets without a hit; equal: but for case, punctuation and spaces; "
        "romanised: not looked for; near: Jaccard of 5-grams of 0.8 or more."
    )
    short = overlap_table(value, most=1)
    assert "rus_Cyrl" not in short
    assert "1 more sets with one" in short
    assert "near: not looked for" in overlap_table(find_overlap(TRAINING, TESTS, near=0).to_json())
    assert overlap_lines(None) == []
    assert overlap_lines(value)[0] == "## Overlap with test sets"


def test_messages():
    for near in (0.4, 1.1, float("nan")):
        with pytest.raises(InputError, match=f"near is a Jaccard similarity from 0.5 to 1, or 0 for none, got {near}"):
            find_overlap(TRAINING, TESTS, near=near)
    with pytest.raises(InputError, match="ngram must be at least 1, got 0"):
        find_overlap(TRAINING, TESTS, ngram=0)
    for tests in ([], [("t", "eng_Latn", ["", "?!"])]):
        with pytest.raises(InputError, match="there is no test text to look for"):
            find_overlap(TRAINING, tests)


@pytest.fixture
def table(tmp_path):
    rows = ["\t".join(("source", "target", "source_lang", "target_lang")), "dog\tHund\teng_Latn\tdeu_Latn"]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


SETS = {
    "flores": {"flores/eng_Latn.txt": ["Dog", "cat"], "flores/deu_Latn.txt": ["Hund", "Katze"]},
    "tatoeba": {
        "tatoeba/tatoeba.deu-eng.deu": ["Hund", "Katze"], "tatoeba/tatoeba.deu-eng.eng": ["dog", "cat"],
    },
    "columns.tsv": {"columns.tsv": ["eng_Latn\tdeu_Latn", "dog\tHund", "cat\tKatze"]},
    "sts": {"sts/en.tsv": ["score\tsentence1\tsentence2", "1\tdog\tcat", "2\tcat\tHund"]},
    "sts/en.tsv": {"sts/en.tsv": ["score\tsentence1\tsentence2", "1\tdog\tcat", "2\tcat\tHund"]},
    "words": {"words/en-de.test.tsv": ["dog\tHund", "cat\tKatze"]},
    "en-de.tsv": {"en-de.tsv": ["dog\tHund", "cat\tKatze"]},
    "eng_Latn-deu_Latn=list.tsv": {"list.tsv": ["dog\tHund", "cat\tKatze"]},
    "some": {"some/a.txt": ["dog", "cat"], "some/b.jsonl": ['{"x": "Hund", "y": "Katze", "z": 3}']},
    "text=flores": {"flores/eng_Latn.txt": ["Dog", "cat"], "flores/deu_Latn.txt": ["Hund", "Katze"]},
}  # fmt: skip


@pytest.mark.parametrize("given", SETS)
def test_the_command_reads_test_sets_as_their_names_say(align, table, given):
    for name, lines in SETS[given].items():
        write(table / name, *lines)
    printed = align("check-overlap", "pairs.tsv", given, "--json", "out.json", "--out", "hits.tsv").out
    total = json.loads((table / "out.json").read_text())["total"]
    assert (total["texts"], total["equal"]) == (4, 2)
    assert total["pairs"] == (0 if given.startswith(("sts", "some", "text")) else 2)
    assert "| all |  | 4 | 2 | 0 | 0 |" in printed
    assert len((table / "hits.tsv").read_text().splitlines()) == 3


def test_the_command_fails_above_a_share(align, table):
    write(table / "t.txt", "dog", "cat")
    align("check-overlap", "pairs.tsv", "t.txt", "--fail-above", "0.5")
    printed = align("check-overlap", "pairs.tsv", "t.txt", "--fail-above", "0.4", code=1)
    assert printed.err == "align: 50.00% of a test set was found, more than 40.00%\n"


def test_the_command_says_what_is_missing(align, table):
    printed = align("check-overlap", "pairs.tsv", "nowhere", code=2)
    assert printed.err == "align: no such file or folder of test text: nowhere\n"


def test_wordsim_and_an_unnamed_language(align, table):
    write(table / "EN.txt", "dog\tcat\t1.0", "Hund\tcow\t2.0")
    align("check-overlap", "pairs.tsv", "wordsim=EN.txt", "--json", "out.json")
    assert json.loads((table / "out.json").read_text())["total"]["equal"] == 2

"""Sentences whose entities are named in another language: found or given, all into one, what is kept aside."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from align import entity_pairs, read_pairs
from align.errors import InputError
from align.pairs.switching.entities import Mention, name_finder, read_mentions, read_names, switch_entities
from align.streams import stream

NAMES = {
    "c:1": {"eng_Latn": ["Guinea"], "hin_Deva": ["गिनी"], "rus_Cyrl": ["Гвинея", "Республика Гвинея"]},
    "c:2": {"eng_Latn": ["Guinea-Bissau"], "hin_Deva": ["गिनी-बिसाउ"]},
    "c:3": {"eng_Latn": ["Georgia"], "deu_Latn": ["Georgien"]},
    "c:4": {"eng_Latn": ["Georgia"], "deu_Latn": ["Georgia"]},
    "c:5": {"zho_Hans": ["挪威"], "eng_Latn": ["Norway"], "hin_Deva": ["नॉर्वे"], "rus_Cyrl": ["Норвегия"]},
}
TABLE = "code\ten\thi\tru\tzh\nNO\tNorway\tनॉर्वे\tНорвегия\t挪威\nFR\tFrance\tफ़्रांस\tФранция\t\nGN\tGuinea\tगिनी\t\t\n"


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "lands.tsv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_names_by_entity_and_language(names):
    assert read_names([names])["lands:GN"] == {"eng_Latn": ["Guinea"], "hin_Deva": ["गिनी"]}
    assert [*read_names([names], ["rus_Cyrl"])] == ["lands:NO", "lands:FR"]


def test_the_longest_name_whole_words_as_written():
    find, left = name_finder(NAMES, "eng_Latn")
    assert left == 1  # Georgia is two
    text = "Guinea-Bissau, Guinea; Guineas, guinea, New Guinea2 and Georgia"
    assert find(text) == [Mention(0, 13, "c:2"), Mention(15, 21, "c:1")]
    find, _ = name_finder(NAMES, "zho_Hans")
    assert find("我住在挪威。") == [Mention(3, 5, "c:5")]
    find, _ = name_finder(NAMES, "hin_Deva")
    assert find("गिनी में नॉर्वेवासी") == [Mention(0, 4, "c:1")]  # marks go on with a word
    assert name_finder(NAMES, "tam_Taml")[0]("Guinea") == []


def entities(*given):
    return {"entities": [dict(zip(("start", "end", "id", "name"), one, strict=False)) for one in given]}


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({}, "entities is no list of start, end, id"), ({"entities": "x"}, "entities is no list of start, end, id"),
        (entities((0, 4)), "an entity is no start, end, id: {'start': 0, 'end': 4}"),
        (entities((0, 4.0, "a")), "an entity is no start, end, id: {'start': 0, 'end': 4.0, 'id': 'a'}"),
        (entities((0, True, "a")), "an entity is no start, end, id: {'start': 0, 'end': True, 'id': 'a'}"),
        (entities((3, 9, "a")), "an entity beyond the text: 3-9 of 8 characters"),
        (entities((-1, 2, "a")), "an entity beyond the text: -1-2 of 8 characters"),
        (entities((2, 2, "a")), "an entity beyond the text: 2-2 of 8 characters"),
        (entities((3, 8, "a"), (0, 4, "b")), "entities overlap: 0-4 and 3-8"),
        (entities((1, 5, "a", "Oslo")), "a shifted entity: 'Oslo' is named, 'slo ' stands at 1-5"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_given_entities(record, problem):
    assert read_mentions(record, "Oslo now") == ([], problem)


def test_given_entities_in_order():
    assert read_mentions(entities((5, 8, "b"), (0, 5, "a")), "Oslo now") == (
        [Mention(0, 5, "a"), Mention(5, 8, "b")],
        "",
    )
    assert read_mentions({"entities": []}, "Oslo") == ([], "")


def test_all_entities_go_into_one_language_that_has_them_all():
    text, both = "Norway, Guinea.", [Mention(0, 6, "c:5"), Mention(8, 14, "c:1")]
    made = switch_entities(text, both, NAMES, "eng_Latn", stream(0, "x"))
    assert made.keys() == {"hin_Deva", "rus_Cyrl"}
    assert made["hin_Deva"] == "नॉर्वे, गिनी."
    drawn = {switch_entities(text, both, NAMES, "eng_Latn", stream(k, "x"))["rus_Cyrl"] for k in range(20)}
    assert drawn == {"Норвегия, Гвинея.", "Норвегия, Республика Гвинея."}
    assert not switch_entities("Guinea-Bissau, Georgia", [Mention(0, 13, "c:2"), Mention(15, 22, "c:3")], NAMES,
                               "eng_Latn", stream(0, "x"))  # fmt: skip
    # what has no names at all stays, and hinders nothing
    assert switch_entities("Oslo, Guinea-Bissau", [Mention(0, 4, "?"), Mention(6, 19, "c:2")], NAMES, "eng_Latn",
                           stream(0, "x")) == {"hin_Deva": "Oslo, गिनी-बिसाउ"}  # fmt: skip
    assert switch_entities("Georgia", [Mention(0, 7, "c:4")], NAMES, "eng_Latn", stream(0, "x")) == {}  # the same


def test_so_many_languages_and_all_as_likely():
    names = {"a": {code: [code] for code in ("eng_Latn", "hin_Deva", "rus_Cyrl", "deu_Latn")}}
    drawn = Counter(
        code for seed in range(300)
        for code in switch_entities("x", [Mention(0, 1, "a")], names, "eng_Latn", stream(seed, "x"), outputs=2)
    )  # fmt: skip
    assert drawn.total() == 600 and drawn.keys() == {"hin_Deva", "rus_Cyrl", "deu_Latn"} and min(drawn.values()) > 160


def test_pairs_of_found_and_of_given_entities(names, tmp_path):
    (tmp_path / "eng_Latn.txt").write_text("Norway and France.\n\nNo land.\nA Guinea pig.\n", encoding="utf-8")
    found = entity_pairs(tmp_path / "eng_Latn.txt", [names], tmp_path / "out")
    rows = read_pairs(tmp_path / "out").to_list()
    assert {row["source"] for row in rows[:2]} == {"नॉर्वे and फ़्रांस.", "Норвегия and Франция."}
    assert [row["target"] for row in rows[:2]] == ["Norway and France."] * 2
    assert {row["source_lang"] for row in rows[:2]} == {"hin_Deva", "rus_Cyrl"}
    assert rows[2] | {"group_id": ""} == {
        "source": "A गिनी pig.", "target": "A Guinea pig.", "source_lang": "hin_Deva", "target_lang": "eng_Latn",
        "kind": "switched entities", "group_id": "",
    }  # fmt: skip
    assert len({row["group_id"] for row in rows}) == 2
    assert found["rejects"] == {"empty": 1, "no entity": 1}
    assert (found["texts"], found["with_entities"], found["entities"], found["named"]) == (4, 2, 3, 3)
    assert found["into"] == {"hin_Deva": 2, "rus_Cyrl": 1}
    text = "In Paris, France"
    given = jsonl(
        tmp_path / "eng_Latn.jsonl", {"text": text, **entities((10, 16, "FR", "France"))},
        {"text": text, **entities((10, 16, "lands:FR"), (3, 8, "Q90"))},
        {"text": text, **entities((9, 16, "FR", "France"))},
        {"text": "x", **entities((0, 1, "Q1"))}, {"text": "", "entities": []},
    )  # fmt: skip
    found = entity_pairs(given, [names], tmp_path / "out", languages=["rus_Cyrl"])
    assert read_pairs(tmp_path / "out")["source"][:] == ["In Paris, Франция"] * 2
    assert found["rejects"] == {"a shifted entity": 1, "no entity is named in another language": 1, "empty": 1}
    aside = (tmp_path / "out" / "rejects.tsv").read_text(encoding="utf-8")
    assert "eng_Latn.jsonl\t3\tIn Paris, France\\t'France' is named, ' France' stands at 9-16" in aside


def test_refused(names, tmp_path):
    (tmp_path / "eng_Latn.txt").write_text("No land.\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"no entity .* is named .*: 0 were found \(none\), and 3 have names"):
        entity_pairs(tmp_path / "eng_Latn.txt", [names], tmp_path / "out")
    with pytest.raises(InputError, match="at least 1; got 0"):
        entity_pairs(tmp_path / "eng_Latn.txt", [names], tmp_path / "out", outputs=0)
    (tmp_path / "eng_Latn-deu_Latn.tsv").write_text("dog\tHund\n", encoding="utf-8")
    with pytest.raises(InputError, match="no name of an entity: expected tables"):
        entity_pairs(tmp_path / "eng_Latn.txt", [tmp_path / "eng_Latn-deu_Latn.tsv"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_verb(names, tmp_path, align):
    (tmp_path / "eng_Latn.txt").write_text("Norway.\n", encoding="utf-8")
    words = ("pairs", "entities", tmp_path / "eng_Latn.txt", "--out", tmp_path / "out")
    assert json.loads(align(*words, "--names", names, "--languages", "hin_Deva").out)["into"] == {"hin_Deva": 1}
    assert "expected --names FILE" in align(*words, code=2).err

from __future__ import annotations


def test_the_text_of_the_demo():
    from importlib.resources import files

    from align.files.whole import read_lines

    folder = files("align") / "data" / "demo"
    sizes = {
        part: {path.name: len(list(read_lines(path))) for path in (folder / part).iterdir()}
        for part in ("train", "test")
    }
    topics = {path.name: len(list(read_lines(path))) for path in (folder / "topics").iterdir()}
    assert topics.pop("index.tsv") == 764
    assert len(topics) == 6 and set(topics.values()) == {763}
    assert len(sizes["train"]) == 11
    assert set(sizes["train"].values()) == {1077}
    assert set(sizes["test"].values()) == {269}
    english = {part: set(read_lines(folder / part / "eng_Latn.txt.gz")) for part in ("train", "test")}
    assert not english["train"] & english["test"]


def test_romanised_verses_are_looked_for_in_all_languages(bert_folder, tmp_path):
    from align.demo import search_by_romanisation
    from align.encoders.checkpoint import load_encoder
    from align.indexes.index import load_index

    encoder = load_encoder(str(bert_folder))
    verses = {"rus_Cyrl": ["αβ", "γδ"], "eng_Latn": ["ab", "gd"]}
    lines, query = search_by_romanisation(encoder, verses, {"rus_Cyrl": ["γδ", "γδ"]}, tmp_path / "index")
    assert query == "γδ"
    assert lines[0].startswith("Searching 4 verses in 2 languages: of 2 romanised ones in rus_Cyrl, 1 find their own")
    assert lines[0].endswith("For instance: γδ")
    assert lines[1] == f"  1.000  {'rus_Cyrl:1':14} γδ" and len(lines) == 5
    row = load_index(tmp_path / "index").rows_file.take([1])[0]
    assert (row["id"], row["language"], row["script"]) == ("rus_Cyrl:1", "rus_Cyrl", "Cyrl")


def test_searches_belong_to_measures():
    from align.demo import column_of

    expected = {
        ("rus_Cyrl", "rus_Latn"): "native -> roman", ("rus_Latn", "rus_Cyrl"): "roman -> native",
        ("rus_Cyrl", "eng_Latn"): "translation", ("eng_Latn", "rus_Cyrl"): "translation",
        ("rus_Latn", "eng_Latn"): "roman -> English", ("eng_Latn", "rus_Latn"): None,
    }  # fmt: skip
    assert {pair: column_of(*pair) for pair in expected} == expected


def test_what_rose_and_what_fell_is_said():
    from align.demo import in_words, table

    def measure(old, new, real):
        sides = {
            when: {"mean": value, "interval": (value - 0.1, value + 0.1), "languages": {"rus": value}}
            for when, value in (("before", old), ("after", new))
        }
        change = {"value": new - old, "interval": (new - old - 0.1, new - old + 0.1), "distinguishable": real}
        return sides | {"difference": change}

    scores = {
        "native -> roman": measure(0.1, 0.9, True), "roman -> native": measure(0.2, 0.8, True),
        "translation": measure(0.5, 0.5, False), "roman -> English": measure(0.0, 0.5, True),
        "topic": measure(0.6, 0.595, False),
    }  # fmt: skip
    assert in_words(scores) == (
        "Rose: native -> roman, roman -> native, roman -> English. "
        "Neither rose nor fell by more than chance: topic. As before: translation."
    )
    scores["topic"] = measure(0.6, 0.5, True)
    assert "Fell: topic." in in_words(scores)
    lines = table(scores).splitlines()
    assert " ".join(lines[1].split()) == "rus 0.100 -> 0.900 0.200 -> 0.800 0.500 -> 0.500 0.000 -> 0.500"
    assert "0.500 (0.400 to 0.600)" in lines[-1] and "-0.100 (-0.200 to 0.000)" in lines[-1]

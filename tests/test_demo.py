from __future__ import annotations


def test_the_text_of_the_demo():
    from importlib.resources import files

    from align.files.whole import read_lines

    folder = files("align") / "data" / "demo"
    sizes = {
        part: {path.name: len(list(read_lines(path))) for path in (folder / part).iterdir()}
        for part in ("train", "test")
    }
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
    lines = search_by_romanisation(encoder, verses, {"rus_Cyrl": ["γδ", "γδ"]}, tmp_path / "index")
    assert lines[0] == ("Searching 4 verses in 2 languages: of 2 romanised ones in rus_Cyrl, 1 find their own first.")
    assert lines[1:3] == ["For instance: γδ", f"  1.000  {'rus_Cyrl:1':14} γδ"] and len(lines) == 5
    row = load_index(tmp_path / "index").rows_file.take([1])[0]
    assert (row["id"], row["language"], row["script"]) == ("rus_Cyrl:1", "rus_Cyrl", "Cyrl")

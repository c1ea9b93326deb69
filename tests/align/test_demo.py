from __future__ import annotations


def test_the_text_of_the_demo():
    from importlib.resources import files

    from align.files import read_lines

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

"""Line-aligned files as OPUS and Moses name them: by the tag that a name ends in."""

from __future__ import annotations

import zipfile

import pytest

from align import translation_pairs
from align.errors import InputError
from align.files.whole import existing_file
from align.pairs.reading.finding import find_sources
from align.pairs.reading.table import read_pairs


def pairs(given, out):
    translation_pairs(given, out)
    return [tuple(row[name] for name in ("source", "target", "source_lang", "target_lang")) for row in read_pairs(out)]


EXPECTED = [("one text", "ein Text", "eng_Latn", "deu_Latn")]


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text + "\n")
    return folder


def test_a_folder_of_a_corpus(tmp_path):
    folder = write(tmp_path / "a", corpus_en="one text", corpus_de="ein Text", README="about", notes_txt="x")
    assert pairs(folder, tmp_path / "out") == EXPECTED
    assert pairs([folder / "corpus.de", folder / "corpus.en"], tmp_path / "out2") == EXPECTED


def test_dev_and_test_are_passed_over(tmp_path, caplog):
    both = {"train_en": "one text", "train_de": "ein Text", "dev_en": "two texts", "dev_de": "zwei Texte"}
    assert pairs(write(tmp_path / "a", **both), tmp_path / "out") == EXPECTED
    assert "not read, their names say dev or test: dev" in caplog.text


def test_two_corpora_are_not_one(tmp_path):
    folder = write(tmp_path / "a", one_en="a text", one_de="ein Text", two_en="b text", two_de="b Text")
    with pytest.raises(InputError, match=r"a holds several corpora: one, two; expected one, or CODE=FILE of each side"):
        translation_pairs(folder, tmp_path / "out")


def test_one_text_by_its_ending(tmp_path):
    folder = write(tmp_path / "a", corpus_ru="вода", corpus_mdx="x")
    assert find_sources(folder / "corpus.ru")[0].language == "rus_Cyrl"
    with pytest.raises(InputError, match=r"corpus.mdx: unknown language code 'corpus'"):
        find_sources(folder / "corpus.mdx")


def test_a_corpus_in_an_archive(tmp_path):
    path = tmp_path / "de-en.txt.zip"
    files = {
        "README": "Corpus",
        "B.de-en.de": "Haus\nHund\n",
        "B.de-en.en": "house\ndog\n",
        "B.de-en.xml": "<x/>",
    }
    with zipfile.ZipFile(path, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    expected = [("house", "Haus", "eng_Latn", "deu_Latn"), ("dog", "Hund", "eng_Latn", "deu_Latn")]
    assert pairs(path, tmp_path / "out") == expected
    assert pairs({"eng_Latn": path / "B.de-en.en", "deu_Latn": f"{path}:B.de-en.de"}, tmp_path / "b") == expected


def test_the_nearest_name_is_offered(tmp_path):
    write(tmp_path / "a", corpus_en="one")
    with pytest.raises(InputError, match=r"no such file: .*corpus.enn; did you mean .*corpus.en\?"):
        existing_file(tmp_path / "a" / "corpus.enn")
    with pytest.raises(InputError, match=r"no such file: .*nowhere/b$"):
        existing_file(tmp_path / "nowhere" / "b")

"""Tables are read by the names of their columns, wherever these stand."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from align.errors import InputError
from align.tasks import read_dictionary, read_sts, read_vocabulary, read_wordsim
from align.tasks.texts.bitext import read_aligned

ROWS = [("tiger", "cat", "7.35"), ("book", "paper", "7.46"), ("king", "cabbage", "0.23")]
SEPARATORS = {"txt": "\t", "csv": ","}


def write(path: Path, *rows: object, between: str = "\t") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else between.join(map(str, row)) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", SEPARATORS)
@pytest.mark.parametrize(
    "header",
    [
        ("word1", "word2", "score"),
        ("score", "word1", "word2"),
        ("", "word1", "word2", "score"),
        ("# Type", "Word 1", "Word 2", "Human (mean)"),
        ("Word 2", "SD", "Word 1", "Similarity"),
        ("word1", "word2", "POS", "SimLex999", "conc(w1)", "conc(w2)"),
        ("id", "english", "german", "pos", "score"),
        ("pos", "score", "eng", "cmn"),
    ],
)
def test_word_similarity_by_names(tmp_path: Path, header: tuple[str, ...], ending: str) -> None:
    values = {name: at for at, name in enumerate(("first", "second", "score"))}
    means = {
        "word1": "first", "Word 1": "first", "english": "first", "eng": "first", "word2": "second", "Word 2": "second",
        "german": "second", "cmn": "second", "score": "score", "Human (mean)": "score", "Similarity": "score",
        "SimLex999": "score",
    }  # fmt: skip
    rows = [[row[values[means[name]]] if name in means else "5" for name in header] for row in ROWS]
    path = write(tmp_path / f"EN_words.{ending}", header, *rows, between=SEPARATORS[ending])
    (one,) = read_wordsim(path).values()
    assert list(zip(one.first, one.second, map(str, one.scores), strict=True)) == ROWS


@pytest.mark.parametrize("ending", SEPARATORS)
@pytest.mark.parametrize(
    "header", [("word1", "word2", "value"), ("a", "b", "c", "score"), ("word1", "word2", "score", "similarity")]
)
def test_word_similarity_whose_columns_cannot_be_told(tmp_path: Path, header: tuple[str, ...], ending: str) -> None:
    between = SEPARATORS[ending]
    path = write(tmp_path / f"EN_words.{ending}", header, *[[1] * len(header)] * 2, between=between)
    with pytest.raises(InputError, match=rf"EN_words.{ending}, line 1: .* got {','.join(header)}: it cannot"):
        read_wordsim(path)


def test_word_similarity_without_a_header_and_languages_in_another_order(tmp_path: Path) -> None:
    path = write(tmp_path / "EN_a.txt", "score goal 7.5", "word1 word2 1")
    assert read_wordsim(path)["EN_a"].first == ("score", "word1")
    path = write(tmp_path / "CMN-ENG.csv", "ID,ENG,CMN,PoS,score", "1,dog,狗,n,3", "2,cat,貓,n,4")
    one = read_wordsim(path)["CMN-ENG"]
    assert (one.languages, one.first) == (("cmn_Hans", "eng_Latn"), ("狗", "貓"))


STS = ("split", "score", "sentence1", "sentence2")


def test_sts_of_one_split_in_one_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [("train", 5, "a", "b"), ("test", 1, "c", "d"), ("Validation", 2, "e", "f"), ("test", 3, "g", "h")]
    path = write(tmp_path / "eng_Latn.tsv", STS, *rows)
    with caplog.at_level(logging.INFO):
        assert read_sts(path)["eng_Latn"].first == ("c", "g")
    assert "rows of other splits are not read: {'train': 1, 'dev': 1}" in caplog.text
    assert read_sts(tmp_path, split="dev")["eng_Latn"].scores == (2.0,)
    write(path, STS, *rows[:1])
    with pytest.raises(InputError, match=r"eng_Latn.tsv has no row of the split test: its column split has train"):
        read_sts(path)
    write(path, STS, ("fold 3", 1, "a", "b"))
    with pytest.raises(InputError, match=r"eng_Latn.tsv, line 2: the split is 'fold 3', expected one of train, "):
        read_sts(path)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("{}.tsv", "sts"), ("sts-{}.tsv", "sts"), ("ko.{}.tsv", "ko"), ("ko-{}.tsv", "ko"), ("sts_{}.tsv", "sts")],
)
def test_sts_of_one_split_among_files(tmp_path: Path, pattern: str, name: str) -> None:
    for split in ("train", "dev", "test"):
        write(tmp_path / pattern.format(split), STS[1:], (1, split, "x"), (2, split, "y"))
    for split in ("train", "dev", "test"):
        assert {key: set(one.first) for key, one in read_sts(tmp_path, split=split).items()} == {name: {split}}


def test_unscored_pairs_of_semeval_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "STS.input.answer.txt", "a\tb\tsource", "c\td\tsource", "e\tf\tsource")
    write(tmp_path / "STS.gs.answer.txt", "4", "", "1")
    one = read_sts(tmp_path)["answer"]
    assert (one.scores, one.first, one.second) == ((4.0, 1.0), ("a", "e"), ("b", "f"))
    assert "1 of 3 pairs have no score and are left out: " in caplog.text
    write(tmp_path / "STS.gs.answer.txt", "", "", "")
    with pytest.raises(InputError, match=r"gs.answer.txt, line 1: expected a score, got none, as in each of its 3"):
        read_sts(tmp_path)


PAIR = ("eng_Latn", "deu_Latn")


@pytest.mark.parametrize(
    "lines",
    [
        ["source\ttarget", "dog\tHund"],
        ["Source Target", "dog Hund"],
        ["src\ttgt", "dog\tHund"],
        ["deu_Latn\teng_Latn", "Hund\tdog"],
        ["de\ten", "Hund\tdog"],
        ["id\tpos\ttarget\tsource", "7\tnoun\tHund\tdog"],
        ["Englisch\tDeutsch", "dog\tHund"],
        ["German English", "Hund dog"],
        ["dog\tHund"],
    ],
)
def test_dictionaries_by_names(tmp_path: Path, lines: list[str]) -> None:
    assert read_dictionary(write(tmp_path / "a.txt", *lines), PAIR).pairs == (("dog", "Hund"),)


def test_a_line_of_a_dictionary_that_does_not_fit_its_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "id\tsource\ttarget", "1\tdog")
    with pytest.raises(InputError, match="a.txt, line 2: 2 columns, expected 3"):
        read_dictionary(path, PAIR)


def test_lists_of_frequencies_are_words(tmp_path: Path) -> None:
    assert read_vocabulary(write(tmp_path / "a.txt", "the 900", "New York 12", "the 3")) == ("the", "New York")
    assert read_vocabulary(write(tmp_path / "a.txt", "the\t900", "dog\t1.5")) == ("the", "dog")
    assert read_vocabulary(write(tmp_path / "a.txt", "the", "Apollo 11", "12")) == ("the", "Apollo 11", "12")
    path = write(tmp_path / "a.txt", "the 900", "dog")
    with pytest.raises(InputError, match="a.txt, line 2: expected a word and its count, .* got 'dog'"):
        read_vocabulary(path)


@pytest.mark.parametrize(
    "lines",
    [
        ["eng_Latn\tdeu_Latn", "a dog\tein Hund"],
        ["id\tdeu_Latn\tnote\teng_Latn", "1\tein Hund\t-\ta dog"],
        ["Source\tTarget", "a dog\tein Hund"],
        ["id\ttgt\tsrc", "1\tein Hund\ta dog"],
        ["a dog\tein Hund"],
    ],
)
def test_aligned_text_by_names(tmp_path: Path, lines: list[str]) -> None:
    found = read_aligned(write(tmp_path / "a.tsv", *lines), languages=PAIR)
    assert found == {"eng_Latn": ["a dog"], "deu_Latn": ["ein Hund"]}

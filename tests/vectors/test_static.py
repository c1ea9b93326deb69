from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from align.errors import InputError
from align.vectors.static import StaticVectors, read_vectors, static_covered, static_encode, write_vectors


def write(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            file.write(text)
    else:
        path.write_text(text, encoding="utf-8", newline="")
    return path


def as_dict(vectors: StaticVectors) -> dict[str, list[float]]:
    return dict(zip(vectors.words, vectors.vectors.tolist(), strict=True))


@pytest.mark.parametrize("name", ["a.vec", "a.vec.gz", "a.txt"])
@pytest.mark.parametrize(
    "text",
    [
        "2 3\nthe 1 2.5 -3e-1\nof 0 0 1\n",
        "2 3 \r\nthe 1 2.5 -3e-1 \r\nof 0 0 1 \r\n",  # fastText ends its lines in a space
        "the 1 2.5 -3e-1\nof 0 0 1",  # GloVe
        "2\t3\nthe\t1\t2.5\t-3e-1\nof\t0\t0\t1\n",
    ],
)
def test_the_formats(tmp_path: Path, name: str, text: str) -> None:
    found = read_vectors(write(tmp_path / name, text))
    assert found.words == ("the", "of") and found.rows == {"the": 0, "of": 1}
    assert found.vectors.dtype == np.float32 and found.vectors.flags.writeable
    assert found.vectors.tolist() == [[1, 2.5, float(np.float32(-0.3))], [0, 0, 1]]


def test_words_may_hold_spaces_and_be_numbers(tmp_path: Path) -> None:
    words = ["a\u00a0b", "\u00a0", "\u2028x", "7", ". .", "at name@x.org", "nan", "\u3000"]
    text = f"{len(words)} 2\n" + "".join(f"{word} {i} 0.5\n" for i, word in enumerate(words))
    assert read_vectors(write(tmp_path / "a.vec", text)).words == tuple(words)
    assert as_dict(read_vectors(write(tmp_path / "b.vec", "7 0.5 1\n8 1 2\n"))) == {"7": [0.5, 1], "8": [1, 2]}


def test_the_first_line_of_a_word_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.vec", "5 1\nThe 1\nof 2\nthe 3\nof 4\nTHE 5\n")
    assert as_dict(read_vectors(path)) == {"The": [1], "of": [2], "the": [3], "THE": [5]}
    assert "a.vec: 1 lines repeat a word" in caplog.text
    assert as_dict(read_vectors(path, lowercase=True)) == {"the": [1], "of": [2]}
    assert "a.vec: 3 lines repeat a word" in caplog.text


def by_definition(
    rows: list[tuple[str, float]], limit: int | None, lowercase: bool, words: list[str] | None
) -> dict[str, list[float]]:
    """Fold, keep the first of each, cut, choose."""
    kept: dict[str, list[float]] = {}
    for word, value in rows:
        word = word.lower() if lowercase else word
        if word not in kept:
            kept[word] = [value]
    kept = dict(list(kept.items())[:limit])
    chosen = words and {word.lower() if lowercase else word for word in words}
    return {word: row for word, row in kept.items() if chosen is None or word in chosen}


@pytest.mark.parametrize("limit", [None, 1, 3, 4, 99])
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("words", [None, ["a", "B", "d"], ["d", "A"]])
def test_limit_case_and_words(tmp_path: Path, limit: int | None, lowercase: bool, words: list[str] | None) -> None:
    rows = [(word, float(i)) for i, word in enumerate(["A", "b", "a", "B", "A", "c", "b", "d", "D", "e"])]
    path = write(tmp_path / "a.vec", "".join(f"{word} {value}\n" for word, value in rows))
    expected = by_definition(rows, limit, lowercase, words)
    if expected:
        assert as_dict(read_vectors(path, limit=limit, lowercase=lowercase, words=words)) == expected
    else:
        with pytest.raises(InputError, match=rf"a.vec has none of the {len(words or ())} words that were asked for"):
            read_vectors(path, limit=limit, lowercase=lowercase, words=words)


def test_the_rest_of_the_file_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vec", "9 2\na 1 2\nb x y\nc 3 4\nbroken\n")
    assert as_dict(read_vectors(path, limit=3, words=["c"])) == {"c": [3, 4]}  # b is not parsed, line 5 not reached
    assert as_dict(read_vectors(path, words=["c", "a"])) == {"a": [1, 2], "c": [3, 4]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a.vec is empty; expected a word and its numbers on each line$"),
        ("3 2\n", r"a.vec, line 1: expected 'rows dimensions' or a word and its numbers, got '3 2'$"),
        ("0 2\n", r"a.vec, line 1: expected 'rows dimensions' or a word and its numbers, got '0 2'$"),
        ("2 0\na\nb\n", r"a.vec, line 2: expected 'rows dimensions' or a word"),
        ("word\n", r"a.vec, line 1: expected 'rows dimensions' or a word and its numbers, got 'word'$"),
        ("a 1 1e39\n", r"has no word with numbers: of its lines 1 hold NaN or infinity as float32, first line 1$"),
        ("<!DOCTYPE html>\n<html>\n", r"a.vec, line 1: expected a word and its numbers, got an XML or HTML page"),
        ('<?xml version="1.0"?>\n', r"a.vec, line 1: .*XML or HTML page"),
        ("2 2\na \0\0\0 b\0", r"a.vec is binary; expected text: unpack it, or convert it in gensim"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_vectors(write(tmp_path / "a.vec", text))


GOOD = {"a": [1, 2], "b c": [3, 4]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"2 2\na 1 2\nb c 3 4\n", ""),
        (b"a 1 2\nb c 3 4\n\n \t\r\n", ""),
        (b"a\t1 2\r\nb c\t3 4\r\n", ""),
        (b"2 2\na\t1\t2\t\nb c\t3\t4\t\n", ""),
        (b"2\t2\na  1  2\nb c  3\t 4\n", ""),
        (b"b c 3 4\na 1 2\n", ""),
        (b"9 2\na 1 2\nb c 3 4\n", "line 1 says 9 rows of 2 numbers; there are 2 rows of 2"),
        (b"1 2\na 1 2\nb c 3 4\n", "line 1 says 1 rows of 2 numbers; there are 2 rows of 2"),
        (b"2 3\na 1 2\nb c 3 4\n", "line 1 says 2 rows of 3 numbers; there are 2 rows of 2"),
        (b"2 1\na 1 2\nb c 3 4\n", "line 1 says 2 rows of 1 numbers; there are 2 rows of 2"),
        (b"3 2\na 1 2\n\xff 5 6\nb c 3 4\n", "1 hold invalid UTF-8, first line 3"),
        (b"a 1 2\nd 5\nb c 3 4\nd\n", "2 have fewer than 2 numbers, first line 2"),
        (b"a 1 2\n 5 6\nb c 3 4\n", "1 have no word, first line 2"),
        (b"a 1 2\nb c 3 4\nd 1,5 2\n", "1 hold what is no number, first line 3"),
        (b"d nan 2\na 1 2\nb c 3 4\ne inf -inf\n", "2 hold NaN or infinity as float32, first line 1"),
    ],
)
def test_lines_that_are_no_row_are_passed_over_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: bytes, told: str
) -> None:
    (tmp_path / "a.vec").write_bytes(text)
    assert as_dict(read_vectors(tmp_path / "a.vec")) == GOOD
    assert told in caplog.text and bool(told) == bool(caplog.text)


def test_words_that_end_in_a_number(tmp_path: Path) -> None:
    found = read_vectors(write(tmp_path / "a.vec", "a 1 2\nsection 5 3 4\nb 5 6\n"))
    assert as_dict(found) == {"a": [1, 2], "section 5": [3, 4], "b": [5, 6]}


def test_more_bad_input(tmp_path: Path) -> None:
    assert read_vectors(write(tmp_path / "glove.txt", "<unk> 1 2\n")).words == ("<unk>",)  # no web page
    with pytest.raises(InputError, match="no such file"):
        read_vectors(tmp_path / "nowhere.vec")
    (tmp_path / "a.vec.gz").write_bytes(b"the 1 2\n")
    with pytest.raises(InputError, match="a.vec.gz is not a complete gzip file"):
        read_vectors(tmp_path / "a.vec.gz")
    with pytest.raises(InputError, match="limit must be at least 1 word, got 0"):
        read_vectors(tmp_path / "glove.txt", limit=0)
    with pytest.raises(InputError, match=r"^2 words and vectors of shape \(1, 2\): expected a row for each word$"):
        StaticVectors(("a", "b"), np.ones((1, 2), dtype=np.float32))
    with pytest.raises(InputError, match="^2 words, 1 of them different: expected each once$"):
        StaticVectors(("a", "a"), np.ones((2, 2), dtype=np.float32))


def vectors(words: list[str], width: int = 3) -> StaticVectors:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((len(words), width)) * 10.0 ** rng.integers(-44, 38, (len(words), width))
    return StaticVectors(tuple(words), values.astype(np.float32))


@pytest.mark.parametrize("name", ["a.vec", "deep/a.vec.gz"])
def test_what_is_written_reads_back_equal(tmp_path: Path, name: str) -> None:
    one = vectors([f"wörd {i}x" for i in range(300)] + ["a\u00a0b", "\u2028", "x\ty", "section 5"])
    write_vectors(one, tmp_path / name)
    found = read_vectors(tmp_path / name)
    assert found.words == one.words
    np.testing.assert_array_equal(found.vectors, one.vectors)
    before = (tmp_path / name).read_bytes()
    write_vectors(one, tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    assert (before[:2] == b"\x1f\x8b") == name.endswith(".gz")
    assert not name.endswith(".gz") or before[3:8] == bytes(5)  # neither name nor time


@pytest.mark.parametrize(
    ("words", "number", "message"),
    [
        (["a", "b\nc"], 1.0, r"a.vec was not written: the word 'b\\nc' could not be read back"),
        (["a", "two  spaces"], 1.0, "a.vec was not written: the word 'two  spaces' could not be read back"),
        (["", "a"], 1.0, "a.vec was not written: the word '' could not be read back"),
        (["a", "b"], np.nan, "a.vec was not written: the vector of 'b' holds NaN or infinity"),
        (["a", "b"], np.inf, "a.vec was not written: the vector of 'b' holds NaN or infinity"),
        ([], 1.0, r"a.vec was not written: vectors of shape \(0, 3\) are empty"),
    ],
)
def test_nothing_is_half_written(tmp_path: Path, words: list[str], number: float, message: str) -> None:
    one = vectors(words)
    one.vectors[-1:, 1] = number
    with pytest.raises(InputError, match=message):
        write_vectors(one, tmp_path / "a.vec")
    assert list(tmp_path.iterdir()) == []


def test_encode_and_coverage() -> None:
    english = StaticVectors(("cat", "dog"), np.array([[1, 0], [0, 2]], dtype=np.float32))
    german = StaticVectors(("hund",), np.array([[0, 3]], dtype=np.float32))
    assert english.covered(["dog", "Dog", "cow", ""]).tolist() == [True, False, False, False]
    assert english.covered([]).shape == (0,)
    assert static_encode(english)(["dog", "cat", "dog"], "any").tolist() == [[0, 2], [1, 0], [0, 2]]
    assert static_encode(english)([], "any").shape == (0, 2)
    both = {"eng_Latn": english, "deu_Latn": german}
    assert static_encode(both, lowercase=True)(["Hund"], "deu_Latn").tolist() == [[0, 3]]
    assert static_covered(both, lowercase=True)(["Hund", "Katze"], "deu_Latn").tolist() == [True, False]
    assert static_covered(both)(["Hund", "dog"], "deu_Latn").tolist() == [False, False]
    with pytest.raises(InputError, match="^deu_Latn: 2 of 3 words have no vector, first 'Hund'$"):
        static_encode(both)(["Hund", "hund", "Katze"], "deu_Latn")
    for function in (static_encode(both), static_covered(both)):
        with pytest.raises(InputError, match="^no static vectors of fra_Latn; there are those of eng_Latn, deu_Latn$"):
            function(["a"], "fra_Latn")

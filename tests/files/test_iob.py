"""IOB2 in its three layouts; other schemes and broken lines are refused with their place."""

from __future__ import annotations

import pytest

from align.errors import InputError
from align.files.iob import read_iob


def read(tmp_path, text, name="a.iob2"):
    (tmp_path / name).write_bytes(text.encode())
    return list(read_iob(tmp_path / name))


def test_universal_ner(tmp_path):
    text = "# sent_id = d-1\n# text = In New York .\n1\tIn\tO\t-\tann\n2\tNew York\tB-LOC\t-\tann\n3\t#\tO\t-\t-\n\n"
    (one,) = read(tmp_path, text)
    assert (one.words, one.tags) == (("In", "New York", "#"), ("O", "B-LOC", "O"))
    assert (one.name, one.lines) == ("d-1", (3, 4, 5))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_conll_2003_and_two_columns(tmp_path, end):
    lines = ["-DOCSTART- -X- O O", "", "EU NNP I-NP B-ORG", "EU NNP I-NP I-ORG", "1 CD I-NP B-PER", "", "", "Ja\tO"]
    first, second = read(tmp_path, end.join(lines))
    assert (first.words, first.tags, first.name) == (("EU", "EU", "1"), ("B-ORG", "I-ORG", "B-PER"), "")
    assert (second.words, second.tags, second.lines) == (("Ja",), ("O",), (8,))


def test_a_first_word_that_is_a_number_is_no_numbering(tmp_path):
    (one,) = read(tmp_path, "1 x O\n7 x B-PER\n")
    assert (one.words, one.tags) == (("1", "7"), ("O", "B-PER"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a O\nb S-PER\n", "a.iob2, line 2: tag 'S-PER'; expected O, B-TYPE or I-TYPE (IOB2): turn other schemes"),
        ("a B-\n", "line 1: tag 'B-'"),
        ("a O\n\nb I-PER\n", "line 3: I-PER stands after O: in IOB2 a span begins with B-PER; is the file IOB1?"),
        ("a B-LOC\nb I-PER\n", "line 2: I-PER stands after B-LOC"),
        ("alone\n", "line 1: expected a word and a tag, got 'alone'"),
        ("\tO\n", "line 1: the word before the tag 'O' is empty"),
    ],
)
def test_other_files_are_refused(tmp_path, text, said):
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)

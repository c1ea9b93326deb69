import gzip

import pytest
from dictd_files import dictionary, number

from align.errors import InputError
from align.pairs.lexicons.freedict import read_dictd

ENTRIES = [
    (["zoo"], "zoo /zu/\nTiergarten\n"),
    (["colour", "color"], "color, colour\nFarbe\n"),
    (["ant"], "ant\nAmeise\n"),
]


def test_numbers_are_those_of_dictd_worked_out_by_hand():
    assert [number(value) for value in (0, 63, 64, 4097)] == ["A", "/", "BA", "BAB"]


@pytest.mark.parametrize("suffix", [".dict.dz", ".dict"])
def test_entries_come_in_the_order_of_the_text_without_metadata(tmp_path, suffix):
    index = dictionary(tmp_path, ENTRIES, suffix=suffix)
    lines = index.read_text().splitlines()
    read = list(read_dictd(index))
    assert [(entry.headwords, entry.text) for entry in read] == [
        (("zoo",), "zoo /zu/\nTiergarten\n"),
        (("color", "colour"), "color, colour\nFarbe\n"),
        (("ant",), "ant\nAmeise\n"),
    ]
    for entry in read:
        assert lines[entry.number - 1].startswith(entry.headwords[0] + "\t")


def test_the_dictzip_of_this_test_is_gzip(tmp_path):
    index = dictionary(tmp_path, ENTRIES)
    raw = gzip.decompress(index.with_suffix(".dict.dz").read_bytes())
    assert raw.endswith(b"ant\nAmeise\n")
    assert index.with_suffix(".dict.dz").read_bytes()[12:14] == b"RA"


def test_a_headword_may_begin_with_00_and_a_fourth_column_is_passed_over(tmp_path):
    index = dictionary(tmp_path, [(["00 gauge"], "00 gauge\nSpur 00\n")])
    index.write_text("".join(line + "\t00 Gauge\n" for line in index.read_text().splitlines()))
    assert [entry.headwords for entry in read_dictd(index)] == [("00 gauge",)]


def test_texts_that_overlap_are_both_read(tmp_path):
    (tmp_path / "toy.dict").write_text("abcdef")
    (tmp_path / "toy.index").write_text(f"x\tA\t{number(4)}\ny\tC\t{number(3)}\nz\tA\tB\n")
    assert [(entry.headwords, entry.text) for entry in read_dictd(tmp_path / "toy.index")] == [
        (("z",), "a"),
        (("x",), "abcd"),
        (("y",), "cde"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("<!DOCTYPE html><html>", r"line 2: expected headword TAB offset TAB length, as in dictd, got '<!DOCTYPE html"),
        ("dog\tA", "line 2: expected headword TAB"),
        ("dog\tA\tB\tdog\tmore", "line 2: expected headword TAB"),
        ("dog\tA?\tB", r"line 2: expected a number in base 64 \(A-Z a-z 0-9 \+ /\), got 'A\?'"),
        ("dog\tA\t", "line 2: expected a number in base 64 .*, got ''"),
        ("dog\tAA\tB-", "line 2: expected a number in base 64 .*, got 'B-'"),
    ],
)
def test_a_bad_line_of_the_index_is_named(tmp_path, line, reason):
    (tmp_path / "toy.dict").write_text("abcdef")
    (tmp_path / "toy.index").write_text(f"ant\tA\tB\n{line}\n")
    with pytest.raises(InputError, match=rf"toy\.index, {reason}"):
        list(read_dictd(tmp_path / "toy.index"))


def test_an_entry_beyond_the_text_is_named(tmp_path):
    (tmp_path / "toy.dict").write_text("abcdef")
    (tmp_path / "toy.index").write_text("ant\tA\tB\ndog\tE\tD\n")
    with pytest.raises(InputError, match=r"toy\.index, line 2: the entry ends at byte 7, .*toy\.dict before that"):
        list(read_dictd(tmp_path / "toy.index"))


def test_an_entry_that_cuts_a_letter_is_named(tmp_path):
    (tmp_path / "toy.dict").write_text("aüb", encoding="utf-8")
    (tmp_path / "toy.index").write_text("ant\tA\tC\n")
    with pytest.raises(
        InputError, match=r"line 1: the bytes 0 to 2 of .*toy\.dict are not UTF-8; is it of this index\?"
    ):
        list(read_dictd(tmp_path / "toy.index"))


@pytest.mark.parametrize("end", [30, -4])
def test_a_truncated_dictzip_is_named(tmp_path, end):
    index = dictionary(tmp_path, [(["long"], "long\n" + " ".join(map(str, range(99_999))) + "\n")])
    text = index.with_suffix(".dict.dz")
    raw = text.read_bytes()
    text.write_bytes(raw[: end if end > 0 else len(raw) // 2])
    with pytest.raises(InputError, match=r"toy\.dict\.dz is not a complete dictzip file"):
        list(read_dictd(index))


def test_a_page_instead_of_a_dictzip_is_named(tmp_path):
    index = dictionary(tmp_path, ENTRIES)
    index.with_suffix(".dict.dz").write_text("<html>404</html>")
    with pytest.raises(InputError, match=r"toy\.dict\.dz is not a complete dictzip file: Not a gzipped file"):
        list(read_dictd(index))


def test_files_that_are_missing_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no such file: .*toy\.index"):
        list(read_dictd(tmp_path / "toy.index"))
    index = dictionary(tmp_path, ENTRIES)
    text = index.with_suffix(".dict.dz")
    with pytest.raises(
        InputError, match=r"expected the \.index of a dictionary, and toy\.dict\.dz or toy\.dict beside"
    ):
        (tmp_path / "toy.txt").write_text(index.read_text())
        list(read_dictd(tmp_path / "toy.txt"))
    text.unlink()
    with pytest.raises(InputError, match=r"toy\.dict\.dz or toy\.dict beside it"):
        list(read_dictd(index))


def test_an_index_without_headwords_is_named(tmp_path):
    with pytest.raises(InputError, match=r"toy\.index holds no headword: expected lines of headword TAB offset"):
        list(read_dictd(dictionary(tmp_path, [])))
    (tmp_path / "toy.index").write_text("")
    with pytest.raises(InputError, match=r"toy\.index holds no headword: expected lines of headword TAB offset"):
        list(read_dictd(tmp_path / "toy.index"))

"""Cells of TSV as corpora have it, of TSV in quotes, and of CSV."""

from __future__ import annotations

import csv
import io

import pytest

from align.files.cells import cell_lines

ROWS = [["id", "source", "target"], ["1", 'He said "yes", twice', 'Ja; "ja"'], ["2", "tab\there", "zwei\nZeilen"]]


def read(path):
    return [(number, cells) for number, cells, _ in cell_lines(path)]


def test_texts_of_corpora_are_not_in_quotes(tmp_path):
    path = tmp_path / "a.tsv"
    lines = ['"Yes."\t"Ja."', '"He said.\tx"', '"a" and "b"\t"', '"""\t""', "", "plain\t", '"Two\tZwei']
    path.write_text("\n".join(lines))
    assert read(path) == [(number, line.split("\t")) for number, line in enumerate(lines, 1)]


def test_doubled_quotes_are_those_of_pandas(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('source\ttarget\n"He said ""yes"""\tJa\n"""Yes"" and ""no"""\t"plain"\n')
    assert [cells for _, cells in read(path)] == [
        ["source", "target"], ['He said "yes"', "Ja"], ['"Yes" and "no"', '"plain"'],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.csv", {}), ("a.csv", {"delimiter": ";"}), ("a.csv", {"delimiter": "\t", "quoting": csv.QUOTE_ALL}),
        ("a.tsv", {"delimiter": "\t", "quoting": csv.QUOTE_ALL}),
    ],
)  # fmt: skip
def test_what_the_csv_module_writes(tmp_path, name, options):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", **options).writerows([*ROWS, ["3", "end", "Ende"]])
    (tmp_path / name).write_text(text.getvalue())
    assert read(tmp_path / name) == [(1, ROWS[0]), (2, ROWS[1]), (3, ROWS[2]), (5, ["3", "end", "Ende"])]


def test_numbers_without_quotes_beside_texts_in_quotes(tmp_path):
    (tmp_path / "a.tsv").write_text('"n"\t"text"\n1\t"plain"\n2.5\t"Yes."\nNA\t""\n')
    assert [cells for _, cells in read(tmp_path / "a.tsv")] == [
        ["n", "text"],
        ["1", "plain"],
        ["2.5", "Yes."],
        ["NA", ""],
    ]


@pytest.mark.parametrize("many", [3, 40])
def test_a_few_lines_in_quotation_marks_are_those_of_the_texts(tmp_path, many):
    lines = ['"Yes."\t"Ja."', '"No."\t"Nein."', *["plain\tblank"] * many]
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    assert read(tmp_path / "a.tsv")[0] == (1, ['"Yes."', '"Ja."'])
    quoted = ['"a"\t"b"', *[f'"{number}"\t"two\nlines"' for number in range(many)]]
    (tmp_path / "b.tsv").write_text("\n".join(quoted))
    assert [cells for _, cells in read(tmp_path / "b.tsv")] == [
        ["a", "b"],
        *[[str(n), "two\nlines"] for n in range(many)],
    ]


def test_a_broken_line_says_so(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a,b\nx,y\n\xff,z\nu,v\n")
    assert [(cells.number, cells.problem) for cells in cell_lines(tmp_path / "a.csv")] == [
        (1, ""), (2, ""), (3, "invalid UTF-8 (its encoding is none that is known here: convert it to UTF-8)"), (4, ""),
    ]  # fmt: skip
    (tmp_path / "b.csv").write_text('a,b\n"' + "x" * 200_000 + "\nu,v\n")
    found = [
        (cells.number, cells.cells[:9], cells.problem.partition(" (")[0]) for cells in cell_lines(tmp_path / "b.csv")
    ]
    assert [(number, problem) for number, _, problem in found] == [(1, ""), (2, "no row of CSV"), (3, "")]
    assert found[2][1] == ["u", "v"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("sep=;\nsource;target\na, b;c\n", [(2, ["source", "target"]), (3, ["a, b", "c"])]),
        ("SEP=|\r\nsource|target\r\n", [(2, ["source", "target"])]),
        ("source|target\na b|c\n", [(1, ["source", "target"]), (2, ["a b", "c"])]),
        ("source,target\na | b,c|d\n", [(1, ["source", "target"]), (2, ["a | b", "c|d"])]),
    ],
)
def test_the_sign_between_cells_of_csv(tmp_path, text, rows):
    (tmp_path / "a.csv").write_text(text)
    assert read(tmp_path / "a.csv") == rows


def test_a_cell_in_quotes_goes_on_in_lines_that_are_no_rows(tmp_path):
    path = tmp_path / "a.tsv"  # as pandas writes TSV: quotes where they are needed alone
    path.write_text(
        'source\ttarget\n"The boat\nis old"\t"Das ""Boot""\n\nist alt"\nx\t"y\nz"\n"Yes.\t"Ja.\nplain\tblank\n'
    )
    assert read(path) == [
        (1, ["source", "target"]), (2, ["The boat\nis old", 'Das "Boot"\n\nist alt']), (6, ["x", "y\nz"]),
        (8, ['"Yes.', '"Ja.']), (9, ["plain", "blank"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ['x\t"He said', 'y\tshe did"', "z\tw"],  # each is a row
        ['"Yes', "a\tb", 'c"'],  # together they are none
        ['x\t"open', *["plain\tblank"] * 30, 'alone"'],  # too far away
        ['x\t"open', 'no"body\tz'],
        ['x\t"open'],
    ],
)
def test_quotation_marks_of_texts_over_lines(tmp_path, lines):
    (tmp_path / "a.tsv").write_text("\n".join(["source\ttarget", *lines]))
    assert [cells for _, cells in read(tmp_path / "a.tsv")][1:] == [line.split("\t") for line in lines]


def test_a_broken_line_ends_the_search_for_the_end_of_a_cell(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b'source\ttarget\n"a\n\xff\nb"\tc\nd\te\n')
    found = [(cells.number, cells.cells, bool(cells.problem)) for cells in cell_lines(tmp_path / "a.tsv")]
    assert found[1:] == [(2, ['"a'], False), (3, ["\\xff"], True), (4, ['b"', "c"], False), (5, ["d", "e"], False)]


def test_a_quotation_mark_that_is_never_closed_spoils_one_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('source,target\n"d,e\nf,g\nh,i\n')
    found = [(line.number, line.cells, line.problem) for line in cell_lines(path)]
    assert found == [
        (1, ["source", "target"], ""),
        (2, ['"d,e'], "a quotation mark is never closed"),
        (3, ["f", "g"], ""),
        (4, ["h", "i"], ""),
    ]

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align.errors import InputError
from align.vectors.corpus.repeats import Repeats
from align.vectors.corpus.rows import Reject, Row, open_corpus
from align.vectors.corpus.survey import copies_of, survey


def read(*paths, **rules):
    return [row for row in open_corpus(paths, **rules).rows() if row is not None]


def plain(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def packed(path, content):
    data = content.encode()
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    else:
        with pa.output_stream(str(path), compression="zstd") as file:
            file.write(data)
    return path


TEXTS = ["नमस्ते दुनिया", "a\u2028b\x85c\x0bd", "  two  ", "e\u0301"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_plain_text_keeps_a_text_a_line_as_it_stands(tmp_path, ending, last):
    path = plain(tmp_path / "a.txt", "\ufeff" + ending.join(TEXTS) + (ending if last else ""))
    rows = read(path)
    assert [row.text for row in rows] == TEXTS
    assert [row.line for row in rows] == [1, 2, 3, 4]
    assert {row.file for row in rows} == {str(path)}
    assert [row.id for row in rows] == [hashlib.sha256(text.encode()).hexdigest()[:32] for text in TEXTS]
    assert all((row.language, row.script) == ("", "") for row in rows)


def test_every_format_gives_the_same_rows(tmp_path):
    rows = [("x1", "eins", "deu_Latn"), ("x2", "два", "rus_Cyrl"), ("x3", "三", "")]
    tsv = "id\ttext\tlanguage\n" + "".join("\t".join(row) + "\n" for row in rows)
    objects = [dict(zip(("id", "text", "language"), row, strict=True)) for row in rows]
    jsonl = "".join(json.dumps(each) + "\n" for each in objects)
    pq.write_table(pa.Table.from_pylist(objects), tmp_path / "d.parquet")
    paths = [
        plain(tmp_path / "a.tsv", tsv), packed(tmp_path / "a.tsv.gz", tsv), packed(tmp_path / "a.tsv.zst", tsv),
        plain(tmp_path / "b.jsonl", jsonl), packed(tmp_path / "b.jsonl.gz", jsonl),
        packed(tmp_path / "b.ndjson.zst", jsonl),        tmp_path / "d.parquet",
    ]  # fmt: skip
    for path in paths:
        found = read(path)
        assert [row[:4] for row in found] == [
            ("x1", "eins", "deu_Latn", "Latn"), ("x2", "два", "rus_Cyrl", "Cyrl"), ("x3", "三", "", ""),
        ], path  # fmt: skip
        assert [row.line for row in found] == ([2, 3, 4] if "tsv" in path.name else [1, 2, 3])
    two = (tmp_path / "a.tsv.zst").read_bytes()
    texts = packed(tmp_path / "t.zst", "a\nb\n")
    texts.write_bytes(texts.read_bytes() * 2)  # frames one after the other, as several threads write them
    assert [row.text for row in read(texts)] == ["a", "b", "a", "b"] and two


def test_a_bad_line_is_a_reject_and_moves_no_other(tmp_path):
    path = plain(tmp_path / "a.txt", b"one\n\xff\xfe two\n\n \t\nfive\n")
    rows = read(path, id="line")
    assert [type(row) for row in rows] == [Row, Reject, Reject, Reject, Row]
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert rows[1].known() == {
        "file": str(path), "line": 2, "reason": "invalid UTF-8", "text": "\\xff\\xfe two",
    }  # fmt: skip
    assert rows[2].reason == "the text is blank"
    assert rows[4].id == "5"
    long = Reject("f", 1, "why", None, "x" * 1000).known()
    assert len(long["text"]) == 200 and "id" not in long


def test_bad_lines_of_tsv(tmp_path):
    path = plain(
        tmp_path / "a.tsv", "id\ttext\tlang\n1\tfine\teng_Latn\n2\tshort\n3\t\teng_Latn\n\tnone\t\n4\tx\txx\n5\tz\t\n"
    )
    reasons = {row.line: (row.reason, row.id, row.text) for row in read(path) if isinstance(row, Reject)}
    assert reasons == {
        3: ("expected 3 columns, got 2", None, "2\tshort"),
        4: ("the text is blank", None, "3\t\teng_Latn"),
        5: ("the id is empty", None, "none"),
        6: (
            "unknown language code 'xx': expected iso639-3_Script such as hin_Deva", "4", "x",
        ),
    }  # fmt: skip
    assert [row.id for row in read(path) if isinstance(row, Row)] == ["1", "5"]


def test_bad_lines_of_jsonl(tmp_path):
    lines = [
        '{"id": 7, "text": "int id"}', "{broken", "[1]", '{"id": "b"}', '{"id": "c", "text": 5}', '{"text": "no id"}',
        '{"id": true, "text": "t"}', '{"id": "\\ud800", "text": "t"}', '{"id": "g", "text": "t", "lang": 3}',
        "[" * 100_000, '{"id": "i", "text": "ok", "lang": null}', '{"id": "h", "text": "half \\ud800"}',
    ]  # fmt: skip
    path = plain(tmp_path / "a.jsonl", "\n".join(lines))
    rows = read(path)
    assert [(row.line, row.id) for row in rows if isinstance(row, Row)] == [(1, "7"), (11, "i"), (12, "h")]
    reasons = [row.reason for row in rows if isinstance(row, Reject)]
    assert [reason.split(":")[0] for reason in reasons] == [
        "invalid JSON", "expected a JSON object, got list", "the text is missing", "the text is int, expected a string",
        "the id is missing", "the id is bool, expected a string", "the id is no Unicode text",
        "'lang' is int, expected a language code", "invalid JSON",
    ]  # fmt: skip
    assert reasons[2] == "the text is missing: no value of 'text'"


def test_bad_rows_of_parquet(tmp_path):
    binary = pa.array([b"fine", b"\xff", None, b"  ", b"last"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 5, binary.buffers(), null_count=1)  # as a broken writer leaves it
    pq.write_table(pa.table({"n": range(5), "text": text}), tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet", id="n")
    assert [(row.line, row.id, row.text) for row in rows if isinstance(row, Row)] == [
        (1, "0", "fine"),
        (5, "4", "last"),
    ]
    assert [row.reason for row in rows if isinstance(row, Reject)] == [
        "invalid UTF-8", "the text is missing: no value of 'text'", "the text is blank",
    ]  # fmt: skip


def test_tables_as_pandas_writes_them(tmp_path):
    path = plain(tmp_path / "a.tsv", '\tID\tText \tLang\n0\t1\t"He said ""yes"""\ten\n1\t2\t"Yes."\tde\n\t\t\t\n\n')
    *rows, last, blank = read(path)
    assert [(row.id, row.text, row.language) for row in rows] == [
        ("1", 'He said "yes"', "eng_Latn"), ("2", '"Yes."', "deu_Latn"),
    ]  # fmt: skip
    assert last.reason == blank.reason == "the line is blank"


@pytest.mark.parametrize(("between", "mark"), [(",", ""), (";", "\ufeff"), ("\t", "")])
def test_csv_with_cells_of_several_lines(tmp_path, between, mark):
    rows = ["id,Text,Lang", '1,"a, ""b""\nc",en', "", "2,d", '3," ",de', "4,é,de"]
    lines = [row if row.startswith("1") else row.replace(",", between) for row in rows]
    lines[1] = lines[1].replace("1,", f"1{between}").replace('",en', f'"{between}en')
    found = read(plain(tmp_path / "a.csv", mark + "\r\n".join(lines) + "\r\n"))
    assert [(row.id, row.text, row.language, row.line) for row in found if isinstance(row, Row)] == [
        ("1", 'a, "b"\nc', "eng_Latn", 2), ("4", "é", "deu_Latn", 7),
    ]  # fmt: skip
    assert [(row.reason, row.line) for row in found if isinstance(row, Reject)] == [
        ("the line is blank", 4), ("expected 3 columns, got 2", 5), ("the text is blank", 6),
    ]  # fmt: skip


def test_columns_that_are_kept(tmp_path):
    rows = [
        {"text": "a", "Topic": "law", "n": 3, "license": "CC0"},
        {"text": "b", "Topic": None, "n": 0.5, "license": ""},
        {"text": "c", "Topic": ["x", "ü"], "n": True},
        {"text": "d", "Topic": "a\0b", "n": float("nan")},
    ]
    jsonl = plain(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    corpus = open_corpus([jsonl], keep=["topic=Topic", "n"], licence="CC BY 4.0")
    assert list(corpus.keep) == ["topic", "n", "licence"]
    found = [row for row in corpus.rows() if row]
    assert [row.kept for row in found[:3]] == [
        ("law", "3", "CC0"), ("", "0.5", "CC BY 4.0"), ('["x", "ü"]', "true", "CC BY 4.0"),
    ]  # fmt: skip
    assert found[3].reason == "'Topic' holds the character NUL"
    pq.write_table(pa.Table.from_pylist([{"text": "e", "licence": "CC0"}]), tmp_path / "b.parquet")
    two = open_corpus([tmp_path / "b.parquet", plain(tmp_path / "c.txt", "f\n")])
    assert [row.kept for row in two.rows()] == [("CC0",), ("",)]
    assert [row.kept for row in read(plain(tmp_path / "d.txt", "f\n"))] == [()]  # or the licence would be asked for
    for keep, message in (
        (["Topics"], r"a\.jsonl has no column 'Topics' for the payload Topics: it has text, Topic, n, license"),
        (["text"], "a column of one's own cannot be called 'text': Align writes id, text_sha256, language"),
        (["Thema der Woche"], r"every engine takes names of .* give it another, such as domain=Thema der Woche"),
    ):
        with pytest.raises(InputError, match=message):
            open_corpus([jsonl], keep=keep)


def test_language_tags_in_a_column(tmp_path):
    values = ["en", "eng", "ENG", "zh-Hans", "sr", "deu_Latn", "pt-BR", "", None, float("nan"), "klingonish"]
    lines = [json.dumps({"text": "дом" if value == "sr" else "house", "lang": value}) for value in values]
    *rows, last = read(plain(tmp_path / "a.jsonl", "\n".join(lines)))
    expected = ["eng_Latn"] * 3 + ["cmn_Hans", "srp_Cyrl", "deu_Latn", "por_Latn", "", "", ""]
    assert [row.language for row in rows] == expected
    assert last.reason.startswith("unknown language code 'klingonish'")


def test_languages(tmp_path):
    tsv = plain(tmp_path / "a.tsv", "text\tlanguage\tlang\tcode\nx\thin_Deva\trus_Cyrl\ttam_Taml\n")
    txt = plain(tmp_path / "b.txt", "y\n")
    languages = lambda *paths, **rules: [row.language for row in read(*paths, **rules)]  # noqa: E731
    assert languages(tsv, txt) == ["hin_Deva", ""]
    assert languages(tsv, language_column="code") == ["tam_Taml"]
    assert languages(tsv, language_column="") == [""]
    assert languages(tsv, txt, language="urd_Arab") == ["urd_Arab"] * 2
    named = plain(tmp_path / "ell_Grek.dev.txt", "x\n")
    assert [(row.language, row.script) for row in read(named)] == [("ell_Grek", "Grek")]
    assert languages(named, language_column="") == [""]
    assert languages(named, language="urd_Arab") == ["urd_Arab"]
    column = plain(tmp_path / "ell_Grek.tsv", "text\tlang\nx\t\n")
    assert languages(column) == [""]
    assert read(txt, language="urd_Arab")[0].script == "Arab"
    with pytest.raises(InputError, match="did you mean urd_Arab"):
        read(txt, language="ur_Arab")
    with pytest.raises(InputError, match="expected one of them"):
        read(tsv, language="urd_Arab", language_column="code")


def test_ids_by_line(tmp_path):
    (tmp_path / "x").mkdir()
    a, b, c = (plain(tmp_path / name, "t\nu\n") for name in ("a.txt", "b.txt", "x/b.txt"))
    assert [row.id for row in read(a, id="line")] == ["1", "2"]
    assert [row.id for row in read(a, b, id="line")] == ["a.txt:1", "a.txt:2", "b.txt:1", "b.txt:2"]
    assert [row.id for row in read(b, c, id="line")][::2] == [f"{b}:1", f"{c}:1"]


def test_what_stops_the_reading(tmp_path):
    def refused(match, *paths, **rules):
        with pytest.raises(InputError, match=match) as caught:
            read(*paths, **rules)
        assert "\n" not in str(caught.value)

    tsv = plain(tmp_path / "a.tsv", "id\tsentence\n1\tx\n")
    with_id, without = plain(tmp_path / "i.jsonl", '{"id": "1", "text": "x"}\n'), plain(tmp_path / "t.txt", "x\n")
    refused("no such file: .*none.txt", tmp_path / "none.txt")
    refused("is a folder", tmp_path)
    refused("a.tsv has no column 'text' for the text: it has id, sentence", tsv)
    refused("a.tsv has no column 'key' for the id: it has id, sentence", tsv, text="sentence", id="key")
    refused("a.tsv has no column 'l' for the language", tsv, text="sentence", language_column="l")
    refused("t.txt has no column 'id' for the id: it has lines of text alone", without, id="id")
    refused("i.jsonl has no column 'body' for the text: it has id, text", with_id, text="body")
    refused("i.jsonl has a column 'id', .*t.txt has none: say content or line", with_id, without)
    refused("t.txt is given twice; expected each file once", without, tmp_path / "." / "t.txt")
    refused("column 'a' is there twice", plain(tmp_path / "d.tsv", "a\ta\n"))
    refused("e.tsv is empty; expected a line with the names of the columns", plain(tmp_path / "e.tsv", ""))
    refused("h.tsv, line 1: expected the names of the columns, got invalid UTF-8", plain(tmp_path / "h.tsv", b"\xff\n"))
    refused("expected plain text, .tsv", plain(tmp_path / "a.json", "[]"))
    refused("expected plain text, .tsv", plain(tmp_path / "a.parquet.gz", "id,text\n"))
    refused("got an XML or HTML page", plain(tmp_path / "p.txt", "\n<!DOCTYPE html>\n"))
    refused("got an XML or HTML page", packed(tmp_path / "p.jsonl.gz", "<html>\n"))
    refused("got an XML or HTML page", plain(tmp_path / "p.parquet", "<html>\n"))
    refused("q.parquet is not a whole Parquet file", plain(tmp_path / "q.parquet", b"PAR1 and no more"))
    refused("z.gz is not a complete gzip file: it is empty", plain(tmp_path / "z.gz", b""))
    refused("y.gz is not a complete gzip file", plain(tmp_path / "y.gz", b"plain text\n"))
    refused("y.zst is not a complete zstd file", plain(tmp_path / "y.zst", b"plain text\n"))
    with pytest.raises(InputError, match="expected a list of files"):
        open_corpus(str(tsv))
    os.mkfifo(tmp_path / "pipe")
    refused("is a pipe", tmp_path / "pipe")


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst"])
def test_a_truncated_file(tmp_path, name):
    rng = np.random.default_rng(0)
    path = packed(tmp_path / name, "".join(f"{rng.integers(1 << 60)}\n" for _ in range(20_000)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{name} is not a complete (gzip|zstd) file"):
        read(path)


def test_a_damaged_parquet_file(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(1000)]}), path, compression="snappy")
    data = bytearray(path.read_bytes())
    data[20:2000] = b"\xff" * 1980
    path.write_bytes(data)
    with pytest.raises(InputError, match="a.parquet is not a whole Parquet file"):
        read(path)


def look(tmp_path, *paths, of=None, **rules):
    corpus = open_corpus(paths, **rules)
    found = survey(corpus, tmp_path / "survey", of=of or {"n": 1})
    return corpus, found, list(copies_of(tmp_path / "survey"))


def test_survey_finds_copies_over_files(tmp_path):
    a = plain(tmp_path / "a.tsv", "text\none\ntwo\none\n\n")
    b = plain(tmp_path / "b.txt", "")
    c = plain(tmp_path / "c.txt", "three\ntwo\none\n")
    corpus, found, copies = look(tmp_path, a, b, c, id="content")
    assert (found.lines, found.rejected, found.copies, found.rows, found.starts) == (7, 1, 3, 3, (0, 4, 4))
    assert copies == [(2, 0), (5, 1), (6, 0)]
    assert found.rejected_first == f"{a}, line 5: the line is blank"
    assert [found.place(corpus, position) for position in (0, 3, 4)] == [f"{a}, line 2", f"{a}, line 5", f"{c}, line 1"]
    assert sorted(path.name for path in (tmp_path / "survey").iterdir()) == [
        ".align-folder.json",
        "copies.npy",
        "survey.json",
    ]


def test_survey_is_kept_while_it_is_of_the_same(tmp_path, monkeypatch):
    path = plain(tmp_path / "a.txt", "one\none\n")
    _, found, _ = look(tmp_path, path)
    plain(path, "one\none\none\n")
    assert look(tmp_path, path)[1] == found
    assert look(tmp_path, path, of={"n": 2})[1].lines == 3
    (tmp_path / "survey" / "copies.npy").write_bytes(b"other")
    assert look(tmp_path, path, of={"n": 2})[2] == [(1, 0), (2, 0)]
    (tmp_path / ".survey.new").mkdir()
    (tmp_path / "survey" / "survey.json").write_text("[]")
    assert look(tmp_path, path, of={"n": 2})[1].copies == 2
    assert not (tmp_path / ".survey.new").exists()


def test_survey_refuses(tmp_path):
    a = plain(tmp_path / "a.tsv", "id\ttext\nx\t1\ny\t2\n")
    b = plain(tmp_path / "b.tsv", "id\ttext\n\tnone\nz\t3\ny\t4\nx\t5\n")
    with pytest.raises(InputError) as caught:
        look(tmp_path, a, b)
    assert str(caught.value) == (
        f"id 'y' is there twice: {a}, line 3 and {b}, line 4 (and 1 more); expected each id once"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tsv", "b.tsv"]
    assert look(tmp_path, a, b, id="line")[1].rows == 6
    with pytest.raises(InputError, match=r"e\.txt is empty: there is nothing to encode"):
        look(tmp_path, plain(tmp_path / "e.txt", ""), of={"n": 2})
    with pytest.raises(
        InputError, match=r"none of the 2 lines can be encoded; the first is .*f\.txt, line 1: the text"
    ):
        look(tmp_path, plain(tmp_path / "f.txt", "\n \n"), of={"n": 3})


@pytest.mark.parametrize("n", [0, 1, 7, 5000, 5001])
def test_repeats_are_those_of_a_dictionary(tmp_path, monkeypatch, n):
    monkeypatch.setattr("align.vectors.corpus.repeats.HELD", 1000)
    rng = np.random.default_rng(n)
    names = rng.integers(0, max(1, n // 2), n).tolist()
    positions = np.cumsum(rng.integers(1, 4, n)).tolist()
    repeats, first, expected = Repeats(tmp_path), {}, []
    for name, position in zip(names, positions, strict=True):
        # equal in one half, or in all but the last byte
        digest = hashlib.sha256(str(name // 3).encode()).digest()[:15] + bytes([name % 3])
        repeats.add(digest, position)
        if digest in first:
            expected.append([position, first[digest]])
        first.setdefault(digest, position)
    assert repeats.write(tmp_path / "out.npy") == len(expected)
    found = np.load(tmp_path / "out.npy", allow_pickle=False)
    assert found.dtype == np.int64 and found.shape == (len(expected), 2)
    assert found.tolist() == expected


def test_memory_does_not_depend_on_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr("align.vectors.corpus.repeats.HELD", 4000)

    def peak(n, kind, time=0):
        path = tmp_path / f"{n}.{kind}"
        texts = [f"text number {i % (n - n // 4)}" for i in range(n)]
        if kind == "parquet":
            pq.write_table(pa.table({"text": texts}), path, row_group_size=1000)
        else:
            plain(path, "\n".join(texts))
        del texts
        corpus = open_corpus([path])
        tracemalloc.start()
        found = survey(corpus, tmp_path / f"survey-{n}-{kind}-{time}", of={})
        again = sum(1 for _ in copies_of(tmp_path / f"survey-{n}-{kind}-{time}"))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.copies == again == n // 4
        return used

    for kind in ("txt", "parquet"):
        peak(2000, kind)  # what is imported or cached once
        # the least of two: the interpreter's own table of names may grow in the middle of either
        small, large = (min(peak(n, kind, time) for time in (1, 2)) for n in (4000, 40_000))
        assert large < 1.3 * small + 200_000, kind


def test_quoted_cells_and_whole_numbers_as_pandas_writes_them(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('"id"\t"text"\n"1"\t"two\nlines"\n"2"\t"a ""word"""\n')
    assert [(row.id, row.text) for row in open_corpus([path], id="id").rows()] == [
        ("1", "two\nlines"),
        ("2", 'a "word"'),
    ]
    path = tmp_path / "b.jsonl"
    path.write_text('{"id": 3.0, "text": "a"}\n{"id": 2.5, "text": "b"}\n{"id": true, "text": "c"}\n')
    assert [getattr(row, "reason", row.id) for row in open_corpus([path], id="id").rows()] == [
        "3",
        "the id is float, expected a string",
        "the id is bool, expected a string",
    ]
    path = tmp_path / "c.jsonl"
    path.write_text('[{"text": "a"}]')
    with pytest.raises(InputError, match=r"c.jsonl is a JSON array; expected JSON Lines"):
        open_corpus([path])

"""What is no text is refused by every reader, with the file and the cause."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align import read_pairs, sts_pairs, translation_pairs
from align.errors import InputError
from align.files.whole import read_lines
from align.pairs.reading.records import json_records, parquet_records
from align.training.config import load_recipe
from align.vectors.corpus.rows import Reject, open_corpus


def zipped(text):
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.txt", text)
        return file.getvalue()


def saved(array):
    with io.BytesIO() as file:
        np.save(file, array)
        return file.getvalue()


TEXT = "a line\nein Satz\n"
OTHERS = {
    " is UTF-16LE without a byte-order mark, 'a line'; expected": TEXT.encode("utf-16-le"),
    " is UTF-16BE without a byte-order mark, 'a line'; expected": TEXT.encode("utf-16-be"),
    " is UTF-32LE without a byte-order mark, 'a line'; expected": TEXT.encode("utf-32-le"),
    " is UTF-32BE without a byte-order mark, 'a line'; expected": TEXT.encode("utf-32-be"),
    "a pointer to a file in Git LFS; .* by git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid 4d",
    "line 2: a NUL byte": b"a line\nein\0Satz\n",
    "line 1: a NUL byte, ": b"\0" * 100,
    "a PDF document": b"%PDF-1.4\n1 0 obj\n(A line of text)\nendobj\n",
    "a ZIP archive": zipped(TEXT),
    "a gzip file": gzip.compress(TEXT.encode()),
    "an xz file": lzma.compress(TEXT.encode()),
    "a bzip2 file": bz2.compress(TEXT.encode()),
    "a NumPy array": saved(np.arange(5)),
}


@pytest.mark.parametrize("cause", OTHERS)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_no_text_is_refused_with_the_cause(tmp_path, cause, packed):
    path = tmp_path / ("eng_Latn.txt.gz" if packed else "eng_Latn.txt")
    path.write_bytes(gzip.compress(OTHERS[cause]) if packed else OTHERS[cause])
    with pytest.raises(InputError, match=rf"eng_Latn.txt.*{cause}"):
        list(read_lines(path))
    with pytest.raises(InputError, match=rf"eng_Latn.txt.*{cause}"):
        open_corpus([path])


def test_a_nul_byte_in_one_line_of_many_is_a_reject_of_that_line(tmp_path):
    path = tmp_path / "eng_Latn.txt"
    path.write_bytes(b"a line\nthe\0next\nlast\n")
    rows = list(open_corpus([path]).rows())
    assert [isinstance(row, Reject) for row in rows] == [False, True, False]
    assert rows[1].line == 2 and rows[1].reason.startswith("a NUL byte")


def test_a_nul_in_a_row_of_parquet_is_a_reject_of_that_row(tmp_path):
    path = tmp_path / "eng_Latn-deu_Latn.parquet"
    pq.write_table(pa.table({"source": ["The boat", "A\0 bird"], "target": ["Das Boot", "Ein Vogel"]}), path)
    manifest = translation_pairs(path, tmp_path / "out")
    assert manifest["rows"] == 1 and manifest["rejects"] == {
        "'source' holds the character NUL, as binary data does; expected text": 1
    }


def test_text_that_only_looks_like_another_format_is_read(tmp_path):
    for line in ("PK and other letters", "BZh is no word", "PAR1 is a name", "7z is an ending", "% a comment"):
        (tmp_path / "a.txt").write_text(line)
        assert list(read_lines(tmp_path / "a.txt")) == [line]
        assert [row.text for row in open_corpus([tmp_path / "a.txt"]).rows()] == [line]


def test_nul_in_the_strings_of_records_is_refused(tmp_path):
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.parquet"
    for value in ("a\0", {"de": ["a\0b"]}):
        rows = [{"text": "fine", "more": None}, {"text": "fine", "more": value}]
        lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
        pq.write_table(pa.Table.from_pylist(rows), table)
        with pytest.raises(InputError, match=r"a.jsonl, line 2: 'more' holds the character NUL"):
            list(json_records(lines))
        with pytest.raises(InputError, match=r"a.parquet, row 2: 'more' holds the character NUL"):
            list(parquet_records(table))
    lines.write_text(json.dumps({"text": r"the escape \u0000 is no NUL"}))
    assert len(list(json_records(lines))) == 1


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_nul_in_pairs_and_in_a_corpus(tmp_path, kind):
    def write(name, rows):
        path = tmp_path / f"{name}.{kind}"
        if kind == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            pq.write_table(pa.Table.from_pylist(rows), path)
        return path

    codes = {"source_lang": "eng_Latn", "target_lang": "deu_Latn"}
    pairs = write("pairs", [{"source": "a", "target": "b"} | codes, {"source": "a\0", "target": "b"} | codes])
    with pytest.raises(InputError, match=rf"pairs.{kind}, (line|row) 2: source holds the character NUL|'source' holds"):
        read_pairs(pairs)
    scored = write("eng_Latn", [{"score": 1.0, "sentence1": "a", "sentence2": "b\0"}])
    with pytest.raises(InputError, match=rf"eng_Latn.{kind}, (line|row) 1: 'sentence2' holds the character NUL"):
        sts_pairs([scored], tmp_path / "out")
    texts = [{"id": "1", "text": "a"}, {"id": "2", "text": "\0"}, {"id": "3\0", "text": "c"}]
    rows = list(open_corpus([write("corpus", texts)]).rows())
    assert [row.reason for row in rows[1:]] == ["the text holds the character NUL", "the id is no Unicode text"]
    assert not isinstance(rows[0], Reject)


def test_nul_far_down_a_corpus_is_a_reject(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"text\n" * 200 + b"a\0b\n")
    *rows, last = open_corpus([tmp_path / "a.txt"]).rows()
    assert len(rows) == 200 and last.line == 201 and last.reason.startswith("a NUL byte")


def test_a_recipe_in_utf_16_is_read(tmp_path):
    (tmp_path / "r.toml").write_bytes("train = 5\n".encode("utf-16"))
    with pytest.raises(InputError, match="train"):
        load_recipe(tmp_path / "r.toml")

"""Text is read in any encoding, compression and line end."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re

import pyarrow as pa
import pytest

from align.errors import InputError
from align.files.lines import byte_lines, encoding_of, text_lines
from align.files.packed import PACKED, also_packed, open_bytes, plain_name, plain_suffix
from align.files.whole import read_lines
from align.vectors.corpus.rows import open_corpus

LINES = ["Ein Haus", "ਅ ૐ\u2028\u0085", "", "𐍈 end"]  # U+0A05 has the byte of a line end in UTF-16
TEXT = "\n".join(LINES) + "\n"


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(data)
    return sink.getvalue().to_pybytes()


PACKERS = {".gz": gzip.compress, ".zst": zstd, ".xz": lzma.compress, ".bz2": bz2.compress}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE), ("utf-32-le", codecs.BOM_UTF32_LE), ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)  # fmt: skip
def test_encodings_and_line_ends(tmp_path, encoding, mark, ends):
    path = tmp_path / "eng_Latn.txt"
    for text in (TEXT, TEXT.removesuffix("\n")):
        path.write_bytes(mark + text.replace("\n", ends).encode(encoding))
        assert list(read_lines(path)) == LINES
        rows = list(open_corpus([path]).rows())
        assert [row.text for row in rows if row.text] == [line for line in LINES if line]
        assert [row.line for row in rows] == [1, 2, 3, 4]


def test_the_line_ends_of_old_macs(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\rzwei ä\r\xff".encode("latin-1").replace(b"\xe4", b"\xc3\xa4"))
    assert list(text_lines(path))[:2] == [("one", ""), ("zwei ä", "")]
    assert list(text_lines(path))[2][0] == r"\xff"
    path.write_bytes(b"one\rstays\ntwo\r\n")
    assert list(read_lines(path)) == ["one\rstays", "two"]


@pytest.mark.parametrize("ending", PACKED)
def test_compressed_files_of_several_parts(tmp_path, ending):
    pack, path = PACKERS[ending], tmp_path / f"eng_Latn.txt{ending}"
    path.write_bytes(pack(TEXT.encode()) + pack(b"more\n") + pack(b"last"))
    assert list(read_lines(path)) == [*LINES, "more", "last"]
    assert [row.text for row in open_corpus([path]).rows()][-2:] == ["more", "last"]
    path.write_bytes(pack(codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le")))
    assert list(read_lines(path)) == LINES


@pytest.mark.parametrize("ending", PACKED)
def test_damaged_files_are_named_by_their_kind(tmp_path, ending):
    kind = {".gz": "gzip", ".zst": "zstd", ".xz": "xz", ".bz2": "bzip2"}[ending]
    path = tmp_path / f"a.txt{ending}"
    for data in (b"", b"plain text\n", PACKERS[ending](TEXT.encode() * 500)[:-9]):
        path.write_bytes(data)
        with pytest.raises(InputError, match=rf"a\.txt\{ending} is not a complete {kind} file"):
            list(read_lines(path))


def test_bytes_of_another_encoding_are_a_problem_of_their_line(tmp_path, caplog):
    cure = "probably WINDOWS-1252, 'Straße': convert it by iconv -f WINDOWS-1252 -t UTF-8"
    path = tmp_path / "a.txt"
    path.write_bytes("eins\nStraße\ndrei\n".encode("latin-1"))
    assert list(text_lines(path)) == [
        ("eins", ""),
        (r"Stra\xdfe", f"invalid UTF-8 ({cure})"),
        ("drei", ""),
    ]
    assert f"a.txt: 1 of its lines are invalid UTF-8 ({cure})" in caplog.text
    with pytest.raises(InputError, match=re.escape(f"a.txt, line 2: invalid UTF-8 ({cure})")):
        list(read_lines(path))
    assert list(read_lines(path, blank_bad=True)) == ["eins", "", "drei"]
    path.write_bytes(b"a\0b\nc\n")
    assert list(read_lines(path, blank_bad=True)) == ["", "c"]
    assert "a.txt: 1 of its lines hold a NUL byte" in caplog.text
    path.write_bytes(b"\n\xe4\n")
    with pytest.raises(InputError, match=r"a\.txt, line 2: invalid UTF-8"):
        list(read_lines(path, blank_bad=True))
    path.write_bytes("one\ntwo".encode("utf-16")[:-1])
    with pytest.raises(InputError, match=r"a\.txt, after line \d: no UTF-16, as its first bytes say"):
        list(byte_lines(path))


@pytest.mark.parametrize(("ending", "pack"), [(".xz", lzma.compress), (".bz2", bz2.compress)])
def test_streams_follow_each_other_and_nothing_is_lost(tmp_path, ending, pack):
    path = tmp_path / f"a{ending}"
    path.write_bytes(pack(b"one\n") + b"\0" * 8 + pack(b"") + pack(b"two\n" * 500_000) + b"\0" * 4)
    assert list(read_lines(path)) == ["one", *["two"] * 500_000]
    path.write_bytes(pack(b"one\n") + b"garbage")
    with pytest.raises(InputError, match=rf"a{ending} is not a complete"):
        list(read_lines(path))


def test_names_without_the_ending_of_a_compressed_file():
    assert [plain_name(f"folder/a.tsv{ending}") for ending in ("", *PACKED, ".XZ")] == ["a.tsv"] * 6
    assert plain_suffix("a.TSV.gz") == ".tsv" and plain_suffix("gz") == ""
    assert also_packed([".a", ".b"])[5:7] == (".b", ".b.gz")
    assert encoding_of(codecs.BOM_UTF32_LE) == ("utf-32-le", 4)


def test_a_missing_file_stays_one_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError), open_bytes(tmp_path / "no.xz"):
        pass

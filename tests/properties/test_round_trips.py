"""What is written is read: TMX, TSV, CSV, JSON Lines and word vectors, whatever the texts hold."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.files.cells import cell_lines
from align.files.lines import text_lines
from align.files.packed import PACKED
from align.pairs.reading.bitext import read_bitext
from align.pairs.reading.sources import RowFile
from align.vectors.static import StaticVectors, read_vectors, write_vectors
from align.vectors.vector_lines import split_row

# No NUL, which is refused as binary; no surrogates, which have no UTF-8 form.
LETTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXT = st.text(LETTERS, min_size=1, max_size=12)
CELL = st.text(
    st.one_of(
        st.characters(exclude_characters="\0\n\r\t", exclude_categories=["Cs"]), st.sampled_from("\"'\u2028\x85,;\\")
    ),
    min_size=1,
    max_size=12,
)
ROWS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6)


def stripped(rows):
    return [(one.strip(), other.strip()) for one, other in rows]


def translations(name, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        found = list(read_bitext(RowFile(path, ("eng_Latn", "deu_Latn")), None))
    assert not any(row.problem for row in found)
    return [(row.source, row.target) for row in found]


@given(rows=ROWS, mark=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_tsv(rows, mark, end):
    rows = [
        (one.replace('""', '"'), other.replace('""', '"')) for one, other in rows
    ]  # doubled ones are one: see below
    lines = [("source", "target"), *rows]
    content = "".join(f"{one}\t{other}{end}" for one, other in lines).encode("utf-8-sig" if mark else "utf-8")
    assert translations("a.tsv", content) == stripped(rows)


@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), between=st.sampled_from(",;"))
def test_csv_as_python_writes_it(rows, between):
    written = io.StringIO()
    csv.writer(written, delimiter=between, lineterminator="\n").writerows([("source", "target"), *rows])
    found = translations("a.csv", written.getvalue().encode())
    assert found == [tuple(cell.strip() for cell in row) for row in rows]


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=2, max_size=6))
def test_tsv_with_all_cells_in_quotes(rows):
    lines = ["\t".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [("source", "target"), *rows]]
    assert translations("a.tsv", "".join(f"{line}\n" for line in lines).encode()) == stripped(rows)


@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), ascii_only=st.booleans())
def test_jsonl(rows, ascii_only):
    lines = [json.dumps({"target": other, "source": one}, ensure_ascii=ascii_only) for one, other in rows]
    assert translations("a.jsonl", "".join(f"{line}\n" for line in lines).encode()) == stripped(rows)


XML = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"], exclude_characters="\u2028\u2029"),
    min_size=1,
    max_size=12,
).filter(str.strip)


@given(rows=st.lists(st.tuples(XML, XML), min_size=1, max_size=4), encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_tmx(rows, encoding):
    units = "".join(
        f'<tu><tuv xml:lang="de"><seg>{escape(other)}</seg></tuv>'
        f'<tuv xml:lang="en"><seg><![CDATA[]]>{escape(one)}</seg></tuv></tu>\n'
        for one, other in rows
    )
    text = f'<?xml version="1.0" encoding="{encoding}"?><tmx version="1.4"><body>{units}</body></tmx>'
    assert translations("a.tmx", text.encode(encoding)) == stripped(rows)


@given(
    lines=st.lists(
        st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=12), max_size=8
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_lines_are_those_that_were_written(lines, encoding, end):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.txt")
        path.write_bytes("".join(line + end for line in lines).encode(encoding))
        expected = [
            line.removeprefix("\ufeff") if not number and encoding == "utf-8" else line
            for number, line in enumerate(lines)
        ]
        assert list(text_lines(path)) == [(line, "") for line in expected]


@pytest.mark.parametrize("packed", ["", *PACKED])
def test_cells_come_out_of_every_compression(packed, tmp_path):
    import bz2
    import gzip
    import lzma

    import pyarrow as pa

    content = b"a\tb\n\nc\td\n" * 50
    pack = {
        "": bytes,
        ".gz": gzip.compress,
        ".xz": lzma.compress,
        ".bz2": bz2.compress,
        ".zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True),
    }
    path = tmp_path / f"a.tsv{packed}"
    path.write_bytes(pack[packed](content))
    found = list(cell_lines(path))
    assert [cells.cells for cells in found] == [["a", "b"], [""], ["c", "d"]] * 50
    assert [cells.number for cells in found] == list(range(1, 151))


WORD = st.text(LETTERS, min_size=1, max_size=8).filter(
    lambda word: not {"\n", "\r"} & set(word) and split_row(f"{word} 0", 1) == (word, ["0"]) and word[0] != "\ufeff"
)


@given(
    words=st.lists(WORD, min_size=1, max_size=6, unique=True),
    seed=st.integers(0, 2**32),
    d=st.integers(1, 4),
    packed=st.booleans(),
)
def test_word_vectors_to_the_bit(words, seed, d, packed):
    rng = np.random.default_rng(seed)
    numbers = (rng.standard_normal((len(words), d)) * 10.0 ** rng.integers(-30, 30, (len(words), d))).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.vec.gz" if packed else "a.vec")
        write_vectors(StaticVectors(tuple(words), numbers), path)
        found = read_vectors(path)
    assert found.words == tuple(words)
    assert np.array_equal(found.vectors, numbers)

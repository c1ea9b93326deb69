"""Queries are lines of text, or a column of a table; one that cannot be read moves no other."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align.errors import InputError
from align.pairs.reading.queries import read_queries


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines(tmp_path: Path, encoding: str, end: str) -> None:
    (tmp_path / "q.txt").write_bytes(f"boat{end}{end}bürd{end}".encode(encoding))
    assert read_queries(tmp_path / "q.txt") == ["boat", "", "bürd"]


def test_a_bad_line_is_blank_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "q.txt").write_bytes(b"boat\ncaf\xe9\nx\0\nbird\n")
    assert read_queries(tmp_path / "q.txt") == ["boat", "", "", "bird"]
    assert "are invalid UTF-8" in caplog.text and "a NUL byte" in caplog.text
    (tmp_path / "q.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match=r"q\.txt, line 1: invalid UTF-8"):
        read_queries(tmp_path / "q.txt")


@pytest.mark.parametrize("name", ["Query", "text"])
def test_a_column_of_a_table(tmp_path: Path, name: str) -> None:
    (tmp_path / "q.tsv").write_text(f"id\t{name}\n1\tboat\n2\tone\tmore\n3\tbird\n")
    (tmp_path / "q.csv").write_text(f'id,{name}\n1,"boat, old"\n')
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ({name: "boat"}, {name: 5}, {"id": 1})))
    pq.write_table(pa.table({name: ["boat", None]}), tmp_path / "q.parquet")
    found = [read_queries(tmp_path / f"q.{kind}") for kind in ("tsv", "csv", "jsonl", "parquet")]
    assert found == [["boat", "", "bird"], ["boat, old"], ["boat", "", ""], ["boat", ""]]


def test_query_goes_before_text(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"text": "a passage", "query": "boat"}\n')
    assert read_queries(tmp_path / "q.jsonl") == ["boat"]


def test_a_table_without_such_a_column(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("id\tquestion\n1\tboat\n")
    with pytest.raises(InputError, match=r"q\.tsv: expected a column 'query' or 'text'; found id, question"):
        read_queries(tmp_path / "q.tsv")
    with pytest.raises(InputError, match="no such file"):
        read_queries(tmp_path / "none.txt")

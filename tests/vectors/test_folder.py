from __future__ import annotations

import errno
import hashlib
import json
import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from align.errors import InputError
from align.files.nested import differences
from align.files.whole import read_json, sha256
from align.vectors import folder as module
from align.vectors.folder import Vectors, open_vectors, vector_column, vector_table, vectors_of
from align.vectors.writing import begin, finish, finished_parts, part_name, save_vectors, write_part

ENCODER = {"fingerprint": "abc", "pooling": {"layer": 8}, "romanizer": None}
SETTINGS = {"encoder": ENCODER, "dimension": 4, "dtype": "float32", "part_rows": 3}


def rows(n: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(n).standard_normal((n, 4)).astype(dtype)


def names(n: int) -> list[str]:
    return [f"s{i}" for i in range(n)]


def saved(out: Path, n: int = 7, dtype: str = "float32", **options: object) -> Vectors:
    given = {"texts": names(n), "encoder": ENCODER, "part_rows": 3, **options}
    return save_vectors(out, names(n), rows(n, dtype), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("n", [0, 1, 3, 7])
def test_what_is_saved_is_read(tmp_path: Path, n: int, dtype: str) -> None:
    found = saved(tmp_path / "v", n, dtype, languages=["hin_Deva"] * n, scripts=["Deva"] * n)
    tables = list(found.tables(rows=2))
    read = np.concatenate([np.empty((0, 4), dtype), *(vectors_of(table) for table in tables)])
    assert read.dtype == dtype and (read == rows(n, dtype)).all()
    for name, expected in (("id", names(n)), ("text", names(n)), ("language", ["hin_Deva"] * n)):
        assert [value for table in tables for value in table[name].to_pylist()] == expected
    assert (found.rows, found.dimension, found.encoder) == (n, 4, ENCODER)
    assert max((table.num_rows for table in tables), default=0) <= 2


def test_a_part_written_again_has_its_own_rejects(tmp_path: Path) -> None:
    out = tmp_path / "v"
    begin(out, SETTINGS)
    table = vector_table(["a"], rows(1), texts=["x"])
    write_part(out, 0, table, [{"reason": "blank"}])
    (out / "part-00000.parquet").write_bytes(b"damaged")
    write_part(out, 0, table)
    assert finish(out, 1).manifest["rejected"] == 0
    assert not list((out / "rejects").iterdir())


def test_a_part_that_is_there_whole_stays(tmp_path: Path) -> None:
    """A worker that was thought lost writes its part after another has, and after the folder is complete."""
    out = tmp_path / "v"
    begin(out, SETTINGS)
    table = vector_table(["a"], rows(1), texts=["x"])
    late = table.set_column(table.column_names.index("vector"), "vector", vector_column(rows(2)[1:]))
    write_part(out, 0, table)
    before = (out / "part-00000.parquet").read_bytes()
    write_part(out, 0, late)
    with pytest.raises(InputError, match=r"part-00000.parquet is there with .* \(1, 0\), now they are \(0, 0\)"):
        write_part(out, 0, table.slice(0, 0))
    found = finish(out, 1)
    write_part(out, 0, late)
    assert (out / "part-00000.parquet").read_bytes() == before
    found.check()
    (out / "part-00000.parquet").unlink()
    with pytest.raises(InputError, match="v is complete, but part-00000.parquet is damaged: run the same command"):
        write_part(out, 0, late)


def test_vectors_in_memory_replace_no_others(tmp_path: Path) -> None:
    for _ in range(2):
        assert saved(tmp_path / "v", 3).rows == 3
    (tmp_path / "v/part-00000.parquet").write_bytes(b"damaged")
    saved(tmp_path / "v", 3).check()
    for change in ({"texts": ["a", "b", "other"]}, {"languages": ["hin_Deva"] * 3}):
        with pytest.raises(InputError, match="v was begun with other settings: content"):
            save_vectors(
                tmp_path / "v", names(3), rows(3), encoder=ENCODER, part_rows=3, **{"texts": names(3)} | change
            )


def test_a_row_by_hand(tmp_path: Path) -> None:
    out = tmp_path / "v"
    save_vectors(out, ["a"], [[3, 4]], texts=["नमस्ते\ud800"], encoder={})
    (row,) = pq.read_table(out / "part-00000.parquet").to_pylist()
    digest = hashlib.sha256("नमस्ते".encode() + b"\xed\xa0\x80").hexdigest()
    assert row == {
        "id": "a", "text_sha256": digest, "language": "", "script": "", "text": "नमस्ते\ufffd", "vector": [3.0, 4.0],
    }  # fmt: skip
    manifest = json.loads((out / "manifest.json").read_text())
    entry = {"name": "part-00000.parquet", "rows": 1, "sha256": sha256(out / "part-00000.parquet")}
    assert (manifest["complete"], manifest["parts"], manifest["rejected"]) == (True, [entry], 0)


def test_columns_are_chosen_and_texts_left_out(tmp_path: Path) -> None:
    found = saved(tmp_path / "v", store_texts=False)
    assert next(found.tables()).column_names == ["id", "text_sha256", "language", "script", "vector"]
    assert next(found.tables(["vector", "text"])).column_names == ["vector"]


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out = tmp_path / "v"
    tables = [vector_table([f"{i}"], rows(1), texts=["x"]) for i in range(3)]
    begin(out, SETTINGS)
    write_part(out, 2, tables[2], [{"line": 9, "reason": "blank"}])
    write_part(out, 0, tables[0])
    with pytest.raises(InputError, match="is not complete: run the same align encode again"):
        open_vectors(out)
    with pytest.raises(InputError, match="part-00001 is missing; run the same command again"):
        finish(out, 3)
    begin(out, SETTINGS)
    assert sorted(finished_parts(out)) == [0, 2]
    write_part(out, 1, tables[1])
    found = finish(out, 3)
    assert [table["id"].to_pylist() for table in found.tables()] == [["0"], ["1"], ["2"]]
    assert (found.rows, found.manifest["rejected"]) == (3, 1)
    assert json.loads((out / "rejects/part-00002.jsonl").read_text()) == {"line": 9, "reason": "blank"}


@pytest.mark.parametrize("change", ["parquet", "shorter", "rejects", "no rejects", "encoder", "name", "json", "other"])
def test_a_part_that_is_not_whole_does_not_count(tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "v"
    begin(out, SETTINGS)
    for number in range(2):
        write_part(out, number, vector_table(["a"], rows(1), texts=["x"]), [{"reason": "blank"}])
    part, about = out / "part-00001.parquet", out / "part-00001.json"
    whole = part.read_bytes()
    if change == "parquet":
        part.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    elif change == "shorter":
        part.write_bytes(whole[:-1])
    elif change == "rejects":
        (out / "rejects/part-00001.jsonl").write_text("{}\n")
    elif change == "no rejects":
        (out / "rejects/part-00001.jsonl").unlink()
    elif change == "encoder":
        about.write_text(json.dumps(read_json(about) | {"encoder": {"fingerprint": "of another"}}))
    elif change == "name":
        about.write_text(json.dumps(read_json(about) | {"number": 0}))
    else:
        about.write_text("{" if change == "json" else "[1]")
    assert list(finished_parts(out)) == [0]
    assert f"{part} is not whole: written again" in caplog.text
    if change in ("encoder", "name", "json", "other"):
        with pytest.raises(InputError, match="part-00001 is missing"):
            finish(out, 2)
    else:
        with pytest.raises(InputError, match="is damaged") if change in ("parquet", "shorter") else nullcontext():
            list(finish(out, 2).tables())


def test_a_damaged_part_is_refused_when_it_is_read(tmp_path: Path) -> None:
    found = saved(tmp_path / "v")
    part = tmp_path / "v/part-00001.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:-10])
    tables = found.tables()
    next(tables)
    with pytest.raises(InputError, match=r"part-00001.parquet is damaged: its SHA-256 is not the one in manifest.json"):
        next(tables)
    with pytest.raises(InputError, match=r"part-00001.parquet is damaged: "):
        list(found.tables(verify=False))
    part.unlink()
    with pytest.raises(InputError, match=r"no such file: .*part-00001.parquet"):
        list(found.tables())


def test_other_settings_are_refused(tmp_path: Path) -> None:
    begin(tmp_path / "v", SETTINGS)
    other = SETTINGS | {"encoder": {"fingerprint": "def"}, "part_rows": 5}
    expected = (
        'was begun with other settings: encoder.fingerprint ("abc" there, "def" now), '
        "encoder.pooling.layer (8 there, null now), part_rows (3 there, 5 now); give another --out, or remove it"
    )
    with pytest.raises(InputError, match=re.escape(expected)):
        begin(tmp_path / "v", other)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    (tmp_path / "link").symlink_to("v")
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported/part-00000.parquet").touch()
    (tmp_path / "v/rejects").mkdir()
    (tmp_path / "v/rejects/file").touch()
    for place, message in {
        "other": "other holds file, which is not of vectors that Align wrote: give another --out, or remove it",
        "exported": "exported holds part-00000.parquet, which is not of vectors",
        "v": "v holds rejects/file, which is not of vectors",
        "other/file": "is a file; expected a folder",
        "link": "is a symlink; expected a folder",
    }.items():
        with pytest.raises(InputError, match=message):
            begin(tmp_path / place, SETTINGS)


def test_a_part_of_another_width_or_type_is_refused(tmp_path: Path) -> None:
    begin(tmp_path / "v", SETTINGS)
    for wrong in (np.ones((1, 5), np.float32), np.ones((1, 4), np.float16)):
        with pytest.raises(
            InputError, match=r"part-00000.parquet: vectors have .* but manifest.json says \(4, 'float32"
        ):
            write_part(tmp_path / "v", 0, vector_table(["a"], wrong, texts=["x"]))
    assert not list((tmp_path / "v").glob("part*"))


def test_a_full_disk_leaves_nothing_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, table = tmp_path / "v", vector_table(["a"], rows(1), texts=["x"])
    begin(out, SETTINGS)
    write_part(out, 0, table)
    (out / "part-00000.parquet").write_bytes(b"damaged")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.pq, "write_table", full)
    with pytest.raises(InputError, match=r"part-00000.parquet was not written: no space left on the disk"):
        write_part(out, 0, table, [{"reason": "blank"}])
    assert not finished_parts(out)
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((["a"], rows(2)), {"texts": ["x", "y"]}, "2 vectors but 1 ids: expected one for each row"),
        ((["a"], rows(1)), {"texts": []}, "1 vectors but 0 texts"),
        ((["a"], rows(1)), {"texts": ["x"], "languages": []}, "1 vectors but 0 languages"),
        ((["a", "b"], [[1, 2], [np.nan, 1]]), {"texts": ["x", "y"]}, "the vector of id 'b' holds NaN or Inf"),
        ((["a"], [[1e39]]), {"texts": ["x"]}, "the vector of id 'a' holds NaN or Inf"),
        ((["a", "b", "b"], rows(3)), {"texts": ["x"] * 3}, "id 'b' is there twice: expected each id once"),
        ((["a"], rows(1)), {"texts": ["x"], "encoder": {"a": {1}}}, "the description is not JSON"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, arguments: tuple, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        save_vectors(tmp_path / "v", *arguments, **{"encoder": {}, **options})
    assert not (tmp_path / "v").exists()


def test_what_is_no_folder_of_vectors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"is no folder of vectors: it has no manifest.json; expected what align encode"
    ):
        open_vectors(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "align-vectors/9"}')
    with pytest.raises(InputError, match=r"is not the manifest of a folder of vectors \(align-vectors/1\)"):
        open_vectors(tmp_path)


def test_differences_are_named() -> None:
    assert differences({"a": 1, "b": None}, {"a": 1}, "here", "there") == ""
    assert differences({"a": 1, "b": 2}, {"a": 3}, "here", "there") == "a (1 here, 3 there), b (2 here, null there)"


def test_parts_are_named_in_order() -> None:
    assert [part_name(number) for number in (0, 12, 123_456)] == ["part-00000", "part-00012", "part-123456"]

import hashlib

import pyarrow.parquet as pq
import pytest

from align.errors import InputError
from align.files.whole import read_json
from align.pairs.table import COLUMNS, pair_writer, write_pairs


def row(number, language="hin_Deva", **more):
    base = {"source": f"पाठ {number}", "target": f"path {number}", "source_lang": language, "target_lang": "hin_Latn"}
    return base | {"kind": "test", "group_id": str(number)} | more


def test_rows_and_manifest(tmp_path):
    rows = [row(0), row(1, "urd_Arab"), row(2), row(3, "mar_Deva")]
    manifest = write_pairs(iter(rows), tmp_path / "pairs", manifest={"kind": "test", "rows": "the writer knows better"})
    assert pq.read_table(tmp_path / "pairs" / "pairs.parquet").to_pylist() == rows
    assert manifest == read_json(tmp_path / "pairs" / "manifest.json")
    digest = hashlib.sha256((tmp_path / "pairs" / "pairs.parquet").read_bytes()).hexdigest()
    assert manifest == {
        "format": "align-pairs",
        "version": 1,
        "kind": "test",
        "rows": 4,
        "languages": {"hin_Deva": 2, "urd_Arab": 1, "mar_Deva": 1},
        "scripts": {"Deva": 3, "Arab": 1},
        "rejects": {},
        "files": {"pairs.parquet": digest},
    }
    names = [".align-folder.json", "manifest.json", "pairs.parquet"]
    assert sorted(path.name for path in (tmp_path / "pairs").iterdir()) == names
    assert [path.name for path in tmp_path.iterdir()] == ["pairs"]


def test_blocks_do_not_show(tmp_path, monkeypatch):
    rows = [row(i) for i in range(7)]
    for size in (1, 3, 7, 100):
        monkeypatch.setattr("align.pairs.table.BLOCK_ROWS", size)
        write_pairs(rows, tmp_path / str(size), manifest={})
        with pq.ParquetFile(tmp_path / str(size) / "pairs.parquet") as file:
            assert file.num_row_groups == -(-7 // size)
            assert file.read().to_pylist() == rows


def test_columns_come_in_their_order_and_optional_ones_may_be_empty(tmp_path):
    rows = [row(0, negative=None, score=0.5), row(1, score=None, negative="other")]
    write_pairs(rows, tmp_path / "pairs", manifest={})
    table = pq.read_table(tmp_path / "pairs" / "pairs.parquet")
    assert table.column_names == [*COLUMNS, "score", "negative"]
    assert table.to_pylist() == rows


def test_rejects_are_escaped_listed_and_hashed(tmp_path):
    with pair_writer(tmp_path / "pairs") as writer:
        writer.add(row(0))
        writer.reject("too long", "a.txt", 3, "a\tb\nc\\d\re\u2028\ud800")
        writer.reject("empty", "a.txt", 9, "")
    text = (tmp_path / "pairs" / "rejects.tsv").read_bytes().decode()
    expected = "reason\tfile\tline\ttext\ntoo long\ta.txt\t3\ta\\tb\\nc\\\\d\\re\u2028\\ud800\nempty\ta.txt\t9\t\n"
    assert text == expected
    assert writer.manifest["rejects"] == {"too long": 1, "empty": 1}
    assert writer.manifest["files"]["rejects.tsv"] == hashlib.sha256(text.encode()).hexdigest()


RENAMED = {name if name != "kind" else "kinds": value for name, value in row(1).items()}


@pytest.mark.parametrize("wrong", [row(1, score=1.0), row(1, extra="x"), {"source": "a"}, RENAMED])
def test_columns_must_agree(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"row 1 has columns .*; expected \['group_id', 'kind'"):
        write_pairs([row(0), wrong], tmp_path / "pairs", manifest={})
    with pytest.raises(ValueError, match=r"row 0 has columns \['source'\]"):
        write_pairs([{"source": "a"}], tmp_path / "pairs", manifest={})
    assert list(tmp_path.iterdir()) == []


def test_missing_value(tmp_path):
    with pytest.raises(ValueError, match="'group_id' has a missing value"):
        write_pairs([row(0), row(1, group_id=None)], tmp_path / "pairs", manifest={})
    assert list(tmp_path.iterdir()) == []


def test_no_rows_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no pair is left to write; set aside: nothing"):
        write_pairs([], tmp_path / "pairs", manifest={})
    with pytest.raises(InputError, match=r"set aside: \{'empty': 1\}"), pair_writer(tmp_path / "pairs") as writer:
        writer.reject("empty", "a", 1, "")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_table(tmp_path):
    write_pairs([row(0)], tmp_path / "pairs", manifest={})

    def rows():
        yield row(1)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write_pairs(rows(), tmp_path / "pairs", manifest={})
    assert pq.read_table(tmp_path / "pairs" / "pairs.parquet")["group_id"].to_pylist() == ["0"]
    write_pairs([row(2)], tmp_path / "pairs", manifest={})
    assert pq.read_table(tmp_path / "pairs" / "pairs.parquet")["group_id"].to_pylist() == ["2"]
    assert [path.name for path in tmp_path.iterdir()] == ["pairs"]


@pytest.mark.parametrize("manifest", [None, "{}", "[]", "not JSON", '{"format": "other"}'])
def test_a_folder_with_something_else_is_left_alone(tmp_path, manifest):
    (tmp_path / "novel.txt").write_text("chapter one")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="holds (manifest.json|novel.txt), which is not of a pair table"):
        write_pairs([row(0)], tmp_path, manifest={})
    assert (tmp_path / "novel.txt").read_text() == "chapter one"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "pairs").mkdir()
    assert write_pairs([row(0)], tmp_path / "pairs", manifest={})["rows"] == 1

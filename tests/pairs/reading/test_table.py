import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align import read_pairs
from align.errors import InputError
from align.pairs import write_pairs

datasets = pytest.importorskip("datasets")
HEADER = "source\ttarget\tsource_lang\ttarget_lang"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def row(number, **more):
    base = {"source": f"पाठ {number}", "target": f"path {number}", "source_lang": "hin_Deva", "target_lang": "hin_Latn"}
    return base | {"kind": "test", "group_id": f"g{number}"} | more


def without(number, *names):
    return {name: value for name, value in row(number).items() if name not in names}


def jsonl(path, rows):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("more", [{}, {"score": 0.25}, {"score": 1.0, "negative": "wrong"}])
def test_what_was_written_is_read(tmp_path, more):
    rows = [row(i, **more) for i in range(5)]
    write_pairs(rows, tmp_path / "pairs", manifest={})
    pairs = read_pairs(tmp_path / "pairs")
    assert isinstance(pairs, datasets.Dataset)
    assert list(pairs) == rows == list(read_pairs(str(tmp_path / "pairs" / "pairs.parquet")))


def test_several_negatives_a_row_are_read_from_every_form(tmp_path):
    wrong = [{"negative_1": "a", "negative_2": "b", "negative_10": None}, dict.fromkeys(names := ["negative_1",
             "negative_2", "negative_10"]), {"negative_1": "c", "negative_2": None, "negative_10": "d"}]  # fmt: skip
    rows = [row(i, **more) for i, more in enumerate(wrong)]
    write_pairs(rows, tmp_path / "pairs", manifest={})
    jsonl(tmp_path / "a.jsonl", [{name: value for name, value in r.items() if value is not None} for r in rows])
    header = [*row(0), *reversed(names)]
    lines = ["\t".join(r[name] or "" for name in header) for r in rows]
    (tmp_path / "a.tsv").write_text("\n".join(["\t".join(header), *lines]), encoding="utf-8")
    for name in ("pairs", "a.jsonl", "a.tsv"):
        pairs = read_pairs(tmp_path / name)
        assert list(pairs) == rows, name
        assert pairs.column_names[-3:] == names, name
    for name in ("negative_0", "negative_", "negative_01", "negative_1x"):
        jsonl(tmp_path / "b.jsonl", [row(0, **{name: "a"})])
        expected = f"the column '{name}' is unknown.*negative, label, class, mention, negative_1, "
        with pytest.raises(InputError, match=expected):
            read_pairs(tmp_path / "b.jsonl")


def test_every_form_gives_the_same(tmp_path):
    rows = [row(i, score=i / 4) for i in range(3)]
    write_pairs(rows, tmp_path / "pairs", manifest={})
    jsonl(tmp_path / "a.jsonl", [dict(reversed(r.items())) for r in rows])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    names = list(reversed(rows[0]))
    lines = ["\t".join(str(r[name]) for name in names) for r in rows]
    (tmp_path / "a.tsv").write_text("\n".join(["\t".join(names), *lines]), encoding="utf-8")
    (tmp_path / "a.b.tsv.gz").write_bytes(gzip.compress((tmp_path / "a.tsv").read_bytes()))
    pq.write_table(pa.Table.from_pylist(rows).select(names), tmp_path / "a.parquet")
    expected = read_pairs(tmp_path / "pairs")
    for name in ("a.jsonl", "a.jsonl.gz", "a.tsv", "a.b.tsv.gz", "a.parquet"):
        pairs = read_pairs(tmp_path / name)
        assert list(pairs) == rows, name
        assert pairs.features == expected.features and pairs.column_names == expected.column_names, name


def test_missing_group_and_kind_are_filled(tmp_path):
    rows = [without(i, "group_id", "kind") for i in range(3)]
    jsonl(tmp_path / "a.jsonl", rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.tsv").write_text("\n".join([HEADER, *("\t".join(r.values()) for r in rows)]), encoding="utf-8")
    for name in ("a.jsonl", "a.parquet", "a.tsv"):
        pairs = read_pairs(tmp_path / name)
        assert (pairs["group_id"][:], pairs["kind"][:]) == (["0", "1", "2"], ["pair"] * 3), name


def test_columns_in_any_case_and_the_index_of_pandas(tmp_path):
    given = [
        {"Unnamed: 0": i} | {name.replace("_", " ").title(): value for name, value in row(i).items()} for i in range(2)
    ]
    jsonl(tmp_path / "a.jsonl", given)
    pq.write_table(pa.Table.from_pylist(given), tmp_path / "a.parquet")
    lines = [["", *list(given[0])[1:]], *([str(value) for value in each.values()] for each in given)]
    (tmp_path / "a.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))
    (tmp_path / "a.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    for name in ("a.jsonl", "a.parquet", "a.tsv", "a.csv"):
        assert list(read_pairs(tmp_path / name)) == [row(0), row(1)], name


def test_numbers_as_group_and_blank_lines(tmp_path):
    jsonl(tmp_path / "a.jsonl", [row(0, group_id=7)])
    pq.write_table(pa.Table.from_pylist([row(0, group_id=7)]), tmp_path / "a.parquet")
    assert read_pairs(tmp_path / "a.jsonl")[0] == read_pairs(tmp_path / "a.parquet")[0] == row(0, group_id="7")
    (tmp_path / "a.jsonl").write_text("\n" + json.dumps(row(0)) + "\n\n")
    assert list(read_pairs(tmp_path / "a.jsonl")) == [row(0)]


def test_an_optional_column_may_begin_late(tmp_path):
    pairs = read_pairs(jsonl(tmp_path / "a.jsonl", [row(0), row(1, score=2), row(2)]))
    assert pairs["score"][:] == [None, 2.0, None]
    with pytest.raises(InputError, match="line 1: group_id is empty"):
        read_pairs(jsonl(tmp_path / "b.jsonl", [without(0, "group_id"), row(1)]))


def test_a_changed_file_is_noticed(tmp_path):
    write_pairs([row(0)], tmp_path / "pairs", manifest={})
    path = tmp_path / "pairs" / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist([row(1)]), path)
    with pytest.raises(InputError, match=r"pairs\.parquet differs from its manifest"):
        read_pairs(tmp_path / "pairs")
    path.unlink()
    with pytest.raises(InputError, match=r"no such file: .*pairs\.parquet"):
        read_pairs(tmp_path / "pairs")


def test_folders_that_are_no_table(tmp_path):
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        read_pairs(tmp_path)
    for manifest in ("[]", '{"format": "align-pairs", "version": 2}', '{"format": "other", "version": 1}'):
        (tmp_path / "manifest.json").write_text(manifest)
        with pytest.raises(InputError, match="expected format 'align-pairs', version 1"):
            read_pairs(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [without(0, "target_lang")],
            "'target_lang' is missing; expected source, target, source_lang, target_lang and",
        ),
        ([row(0, scores=1)], "'scores' is unknown; expected .*; found source, target"),
        ([row(0), row(1, scores=1)], "'scores' is unknown"),
        ([row(0), row(1, source=None)], "line 2: source is empty"),
        ([row(0), row(1, target="  ")], "line 2: target is empty"),
        ([row(0), without(1, "source")], "line 2: source is empty"),
        ([row(0), row(1, source=5)], "line 2: expected text in the column 'source', got 5"),
        ([row(0), row(1, source_lang="hi_Deva")], "line 2: unknown language code 'hi_Deva'.*did you mean hin_Deva"),
        ([row(0, target_lang="hin_Lath")], "line 1: unknown script in language code 'hin_Lath'"),
        ([row(0, score="high")], "line 1: expected a number as score, got 'high'"),
        ([row(0), row(1, score=float("nan"))], "line 2: score is not finite"),
        ([], "is empty"),
        ([[1]], "line 1: expected a JSON object, got list"),
    ],
)
def test_bad_json(tmp_path, rows, message):
    with pytest.raises(InputError, match=rf"a\.jsonl.*{message}"):
        read_pairs(jsonl(tmp_path / "a.jsonl", rows))


def test_the_line_counts_blank_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(row(0))}\n\n{json.dumps(row(1, target=''))}\n")
    with pytest.raises(InputError, match="line 3: target is empty"):
        read_pairs(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(row(0))}\n{{")
    with pytest.raises(InputError, match="line 2: not valid JSON"):
        read_pairs(tmp_path / "a.jsonl")


def test_blank_lines_at_the_end_are_no_rows(tmp_path):
    (tmp_path / "a.tsv").write_text(f"{HEADER}\na\tb\thin_Deva\thin_Latn\n\n\t\t\t\n", encoding="utf-8")
    assert len(read_pairs(tmp_path / "a.tsv")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (HEADER, "is empty"),
        (f"{HEADER}\na\tb\thin_Deva", "line 2: expected 4 columns as in line 1, got 3"),
        ("पाठ\tpath\thin_Deva\thin_Latn", "'source' is missing"),
        (f"{HEADER}\na\t\thin_Deva\thin_Latn", "line 2: target is empty"),
        (f"{HEADER}\tscore\na\tb\thin_Deva\thin_Latn\tx", "line 2: expected a number as score, got 'x'"),
    ],
)
def test_bad_tsv(tmp_path, text, message):
    (tmp_path / "a.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"a\.tsv.*{message}"):
        read_pairs(tmp_path / "a.tsv")


def test_an_empty_score_in_tsv_is_missing(tmp_path):
    (tmp_path / "a.tsv").write_text(f"{HEADER}\tscore\na\tb\thin_Deva\thin_Latn\t\nc\td\thin_Deva\thin_Latn\t1\n")
    assert read_pairs(tmp_path / "a.tsv")["score"][:] == [None, 1.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(0), row(1, target="")], "row 2: target is empty"),
        ([row(0), row(1, group_id=None)], "row 2: group_id is empty"),
        ([row(0), row(1), row(2, source_lang="xxx_Deva")], "row 3: unknown language code 'xxx_Deva'"),
        ([without(0, "kind"), without(1, "kind") | {"source": ""}], "row 2: source is empty"),
        ([row(0, source=["a"])], "a column is neither text nor"),
        ([{"text": "a"}], "'source' is missing; .*found text"),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 100])
def test_bad_parquet(tmp_path, rows, message, block):
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=block)
    with pytest.raises(InputError, match=rf"a\.parquet.*{message}"):
        read_pairs(tmp_path / "a.parquet")


def test_the_row_counts_blocks(tmp_path):
    table = pa.Table.from_pylist([row(0)] * 70_000 + [row(1, target="")])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 70001: target is empty"):
        read_pairs(tmp_path / "a.parquet")


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_pairs(tmp_path / "none")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(InputError, match=r"expected a folder of pairs or a file that ends in \.parquet"):
        read_pairs(tmp_path / "a.doc")
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="is not a complete Parquet file"):
        read_pairs(tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pylist([row(0)]).slice(1), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet is empty"):
        read_pairs(tmp_path / "b.parquet")

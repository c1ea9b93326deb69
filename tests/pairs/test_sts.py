import hashlib
import json
import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align import read_pairs, sts_pairs
from align.errors import InputError
from align.files.whole import read_json
from align.pairs import HubRows

TSV = "score\tsentence1\tsentence2"
SCORES = [5.0, 0.0, 3.2]


def build(texts, out, **options):
    manifest = sts_pairs(texts, out, **options)
    assert manifest == read_json(out / "manifest.json")
    assert manifest["lines"] == manifest["rows"] - manifest["cross_rows"] + sum(manifest["rejects"].values())
    assert sum(manifest["language_pairs"].values()) == manifest["rows"]
    assert all(row["kind"] == "sts" for row in rows(out))
    return manifest


def rows(out):
    return pq.read_table(out / "pairs.parquet").to_pylist()


def rejects(out):
    lines = (out / "rejects.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
    return [(reason, Path(file).name, int(line)) for reason, file, line, _ in (line.split("\t") for line in lines)]


def write(path, *lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def digest(*texts):
    return hashlib.blake2b("\t".join(texts).encode(), digest_size=8).hexdigest()


@pytest.fixture
def aligned(tmp_path):
    """Three rows in four languages; ``ba2`` is sentence 2 of row 2 in language b."""
    codes = {"a": "eng_Latn", "b": "deu_Latn", "c": "fra_Latn", "d": "spa_Latn"}
    return {
        code: write(
            tmp_path / f"{letter}.tsv",
            TSV,
            *(f"{score}\t{letter}1 {row}\t{letter}2 {row}" for row, score in enumerate(SCORES)),
        )
        for letter, code in codes.items()
    }


def test_a_row_by_hand(tmp_path):
    path = write(tmp_path / "eng_Latn.test.tsv", TSV, "3.8\t A  plane \tA bird", "5\tOne\tOne")
    manifest = build(path, tmp_path / "out", licence="CC BY-SA 4.0")
    pair = {"source": "A  plane", "target": "A bird", "source_lang": "eng_Latn", "target_lang": "eng_Latn"}
    found = rows(tmp_path / "out")
    assert found[0] == pair | {"kind": "sts", "group_id": digest("a plane", "a bird"), "score": pytest.approx(0.76)}
    assert found[1]["score"] == 1.0
    entry = {"name": str(path), "languages": ["eng_Latn"], "licence": "CC BY-SA 4.0", "lines": 2}
    assert manifest["sources"] == [entry | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}]
    assert (manifest["kind"], manifest["scale"], manifest["observed"]) == ("sts", [0.0, 5.0], [3.8, 5.0])
    assert manifest["options"] == {"parallel": False, "cross": False, "per_row": None, "seed": 0}
    assert manifest["licences"] == ["CC BY-SA 4.0"]
    pytest.importorskip("datasets")
    assert read_pairs(tmp_path / "out")["score"][:] == [0.76, 1.0]


@pytest.mark.parametrize(("scale", "expected"), [((1, 7), [2 / 3, 0.0]), ((-5, 5), [1.0, 0.6]), ((0, 5), [1.0, 0.2])])
def test_scores_lie_between_0_and_1(tmp_path, scale, expected):
    path = write(tmp_path / "eng_Latn.tsv", TSV, "5\ta\tb", "1\tc\td")
    assert build(path, tmp_path / "out", scale=scale)["scale"] == list(scale)
    assert [row["score"] for row in rows(tmp_path / "out")] == pytest.approx(expected)


def test_rows_without_a_score_are_set_aside(tmp_path):
    path = write(tmp_path / "eng_Latn.csv", TSV.replace("\t", ";"), "3;a;b", "NaN;c;d", ";e;f", "4;g")
    manifest = build(path, tmp_path / "out")
    assert manifest["rejects"] == {"no score": 2, "expected 3 columns as in line 1": 1}
    assert [row["source"] for row in rows(tmp_path / "out")] == ["a"]


@pytest.mark.parametrize("value", ["5.01", "-0.1", "inf", "high", "3,5"])
def test_a_score_outside_of_its_scale(tmp_path, value):
    path = write(tmp_path / "eng_Latn.tsv", TSV, "3\ta\tb", f"{value}\ta\tb")
    with pytest.raises(InputError, match=rf"eng_Latn\.tsv, line 3: expected a score from 0 to 5, got {value!r}"):
        build(path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_a_scale_that_the_scores_do_not_fill_is_doubted(tmp_path, caplog):
    path = write(tmp_path / "eng_Latn.tsv", TSV, "0\ta\tb", "2.5\tc\td")
    build(path, tmp_path / "out")
    assert caplog.text == ""
    build(path, tmp_path / "out", scale=(0, 6))
    assert "the scores lie between 0 and 2.5 on a scale of 0 to 6: is this their scale?" in caplog.text


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("name", ["score", "similarity_score"])
def test_records(tmp_path, ending, name):
    records = [{"sentence1": "a", "sentence2": "b", name: 4}, {"sentence1": "c", "sentence2": "d", name: 2}]
    path = tmp_path / f"eng_Latn{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        write(path, *map(json.dumps, records))
    build(path, tmp_path / "out")
    assert [(row["source"], row["target"], row["score"]) for row in rows(tmp_path / "out")] == [
        ("a", "b", 0.8),
        ("c", "d", 0.4),
    ]
    place = "row 2" if ending == ".parquet" else "line 2"
    with pytest.raises(InputError, match=rf"{ending}, {place}: expected a score from 3 to 5, got 2"):
        build(path, tmp_path / "no", scale=(3, 5))


def test_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    row = {"sentence1": "a", "sentence2": "b", "score": 0.5}
    monkeypatch.setattr(datasets, "load_dataset", lambda *words, **options: iter([row, row | {"score": 1.0}]))
    source = HubRows("mteb/stsb_multi_mt", "pl", "dev", ("pol_Latn",))
    manifest = build(source, tmp_path / "out", scale=(0, 1))
    assert [row["score"] for row in rows(tmp_path / "out")] == [0.5, 1.0]
    assert manifest["sources"][0]["name"] == "hub:mteb/stsb_multi_mt/pl/dev"
    with pytest.raises(InputError, match="hub:mteb/stsb_multi_mt/pl/dev, row 1: expected a score from 1 to 5, got 0.5"):
        build(source, tmp_path / "out", scale=(1, 5))
    with pytest.raises(InputError, match="hub:a/b/train: its language is not known"):
        build(HubRows("a/b"), tmp_path / "out")


def test_sentences_of_two_languages(tmp_path):
    path = write(tmp_path / "spa_Latn-eng_Latn.4a.tsv", TSV, "1.4\tLa gente\tPeople")
    manifest = build(path, tmp_path / "out")
    assert manifest["language_pairs"] == {"spa_Latn-eng_Latn": 1}
    for options in ({"parallel": True}, {"cross": True}):
        with pytest.raises(
            InputError, match="is in spa_Latn-eng_Latn: expected row-aligned sources of one language each"
        ):
            build(path, tmp_path / "no", **options)


def test_translations_share_the_row(tmp_path, aligned):
    build(aligned, tmp_path / "out", parallel=True)
    found = rows(tmp_path / "out")
    assert Counter(row["group_id"] for row in found) == {digest(f"a1 {i}", f"a2 {i}"): 4 for i in range(3)}
    assert all(row["group_id"] == digest(f"a1 {row['source'][-1]}", f"a2 {row['target'][-1]}") for row in found)
    build(aligned, tmp_path / "out")
    assert len({row["group_id"] for row in rows(tmp_path / "out")}) == 12


def test_every_two_languages(tmp_path, aligned):
    manifest = build(aligned, tmp_path / "out", cross=True)
    letters = dict(zip(aligned, "abcd", strict=True))
    expected = {
        (
            f"{letters[one]}1 {row}",
            f"{letters[two]}2 {row}",
            one,
            two,
            SCORES[row] / 5,
            digest(f"a1 {row}", f"a2 {row}"),
        )
        for row in range(3)
        for one in aligned
        for two in aligned
    }
    names = ("source", "target", "source_lang", "target_lang", "score", "group_id")
    found = [tuple(row[name] for name in names) for row in rows(tmp_path / "out")]
    assert set(found) == expected and len(found) == 3 * 16
    assert manifest["cross_rows"] == 3 * 12 and manifest["lines"] == 12
    assert set(manifest["language_pairs"].values()) == {3}
    assert manifest["options"]["parallel"] is True


@pytest.mark.parametrize("per_row", [1, 5, 12, 100])
def test_combinations_are_drawn(tmp_path, aligned, per_row):
    manifest = build(aligned, tmp_path / "out", cross=True, per_row=per_row)
    assert manifest["cross_rows"] == 3 * min(per_row, 12)
    crossed = [row for row in rows(tmp_path / "out") if row["source_lang"] != row["target_lang"]]
    assert len({(row["source"], row["target"]) for row in crossed}) == len(crossed) == manifest["cross_rows"]
    again = build(aligned, tmp_path / "again", cross=True, per_row=per_row)
    assert again["files"] == manifest["files"]
    other = build(aligned, tmp_path / "other", cross=True, per_row=per_row, seed=1)
    assert (other["files"] == manifest["files"]) is (per_row >= 12)


def test_the_draw_is_even(tmp_path):
    lines = [f"{i % 6}\ts{i}\tt{i}" for i in range(600)]
    files = {code: write(tmp_path / f"{code}.tsv", TSV, *lines) for code in ("eng_Latn", "deu_Latn", "fra_Latn")}
    manifest = build(files, tmp_path / "out", cross=True, per_row=1)
    crossed = [count for pair, count in manifest["language_pairs"].items() if pair[:8] != pair[9:]]
    assert len(crossed) == 6 and min(crossed) > 70 and max(crossed) < 130  # 100 each; 3 standard deviations are 27


def test_rows_without_a_text(tmp_path, aligned):
    write(aligned["eng_Latn"], TSV, "5\ta1 0\ta2 0", "0\ta1 1\t", "3.2\ta1 2\ta2 2")
    write(aligned["fra_Latn"], TSV, "5\tc1 0\tc2 0", "0\tc1 1\tc2 1", "3.2\t\tc2 2")
    manifest = build(aligned, tmp_path / "out", cross=True)
    assert rejects(tmp_path / "out") == [("empty", "a.tsv", 3), ("empty", "c.tsv", 4)]
    sizes = Counter(row["source"][-1] for row in rows(tmp_path / "out"))
    assert sizes == {"0": 16, "1": 9, "2": 9} and manifest["cross_rows"] == 12 + 6 + 6
    groups = {row["group_id"] for row in rows(tmp_path / "out") if row["source"][-1] == "1"}
    assert len(groups) == 1 and groups != {digest("b1 1", "b2 1")}


def test_a_language_without_rows_counts_none(tmp_path):
    files = {
        "eng_Latn": write(tmp_path / "en.tsv", TSV, "5\ta\tb"),
        "deu_Latn": write(tmp_path / "de.tsv", TSV, "5\t\tb"),
    }
    assert build(files, tmp_path / "out")["language_pairs"] == {"eng_Latn-eng_Latn": 1, "deu_Latn-deu_Latn": 0}


def test_texts_that_are_none(tmp_path):
    records = [
        {"score": 1, "sentence1": 5, "sentence2": "b"},
        {"score": 1, "sentence1": "a\ud800", "sentence2": "b"},
        {"score": 5, "sentence1": "a", "sentence2": "b"},
    ]
    path = write(tmp_path / "eng_Latn.jsonl", *map(json.dumps, records))
    for options in ({}, {"parallel": True}):
        build(path, tmp_path / "out", **options)
        assert rejects(tmp_path / "out") == [("no text", path.name, 1), ("lone surrogate", path.name, 2)]


def test_sources_that_are_no_translations(tmp_path, aligned):
    write(aligned["fra_Latn"], TSV, "5\tc\tc", "0.006\tc\tc", "3.2\tc\tc")
    message = (
        r"c\.tsv, line 3 has the score 0\.006, .*a\.tsv, line 3 has 0: expected row-aligned translations of each other"
    )
    for options in ({"parallel": True}, {"cross": True}):
        with pytest.raises(InputError, match=message):
            build(aligned, tmp_path / "out", **options)
    write(aligned["fra_Latn"], TSV, "5\tc\tc", "0.004\tc\tc", "3.2\tc\tc")  # rounded otherwise
    assert build(aligned, tmp_path / "out", parallel=True)["rows"] == 12
    write(aligned["deu_Latn"], TSV, "5\tb\tb")
    with pytest.raises(InputError, match=r"b\.tsv has 1 rows and .*a\.tsv has 3: expected row-aligned translations"):
        build(aligned, tmp_path / "no", parallel=True)
    with pytest.raises(InputError, match=r"c\.tsv is in eng_Latn as is .*a\.tsv: expected row-aligned sources of one"):
        build({"eng_Latn": [aligned["eng_Latn"], aligned["fra_Latn"]]}, tmp_path / "no", parallel=True)
    with pytest.raises(InputError, match=r"cross needs sources of two languages or more, got .*a\.tsv only"):
        build({"eng_Latn": aligned["eng_Latn"]}, tmp_path / "no", cross=True)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (5, 0)}, "scale is two finite numbers, the lower one first; got 5 and 0"),
        ({"scale": (0, float("inf"))}, "scale is two finite numbers, the lower one first; got 0 and inf"),
        ({"per_row": 0, "cross": True}, "per_row is at least 1 and bounds what cross adds; got 0, cross on"),
        ({"per_row": 2}, "per_row is at least 1 and bounds what cross adds; got 2, cross off"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ],
)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        build(write(tmp_path / "eng_Latn.tsv", TSV, "5\ta\tb"), tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("eng_Latn.tsv", [TSV], "is empty"),
        ("eng_Latn.tsv", [TSV, "5\ta"], "line 2: expected 3 columns as in line 1, got 2"),
        ("eng_Latn.tsv", ["sentence1\tsentence2", "a\tb"], "expected a column 'score' or 'similarity_score'; found"),
        (
            "eng_Latn.tsv",
            ["score\ta\tsentence2", "1\ta\tb"],
            "expected a column 'sentence1'; found score, a, sentence2",
        ),
        ("eng_Latn.tsv", ["score\tsentence1\tb", "1\ta\tb"], "expected a column 'sentence2'; found"),
        ("en.test.tsv", [TSV, "5\ta\tb"], "unknown language code 'en'.*name the file by its language"),
    ],
)
def test_bad_files(tmp_path, name, lines, message):
    with pytest.raises(InputError, match=rf"{name}.*{message}"):
        build(write(tmp_path / name, *lines), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_left(tmp_path):
    with pytest.raises(InputError, match=r"no pair is left to write; set aside: \{'empty': 1\}"):
        build(write(tmp_path / "eng_Latn.tsv", TSV, "5\ta\t"), tmp_path / "out")


def test_real_sts(tmp_path):
    data = os.environ.get("ALIGN_DATA")
    if not data:
        pytest.skip("ALIGN_DATA is not set")
    names = {"eng_Latn": "en", "kor_Hang": "ko", "hin_Deva": "hi"}
    files = {code: Path(data) / "sts" / "stsb" / f"{name}.dev.tsv" for code, name in names.items()}
    with pytest.raises(
        InputError, match=r"hi\.dev\.tsv, line 1044 has the score 3.25, .*en\.dev\.tsv, line 1044 has 3:"
    ):
        build(files, tmp_path / "out", cross=True)  # four rows of the Hindi file are out of place
    del files["hin_Deva"]
    manifest = build(files, tmp_path / "out", cross=True)
    assert (manifest["rows"], manifest["cross_rows"]) == (6000, 3000)

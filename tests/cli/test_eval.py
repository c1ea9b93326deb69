from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from align.tasks import read_classification, read_sts
from align.tasks.classification import classification
from align.tasks.sts import sts


def rows(lines):
    return "score\tsentence1\tsentence2\n" + "".join(f"{score}\t{a}\t{b}\n" for score, a, b in lines)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Row-aligned sets in Latin and Greek letters, of two splits."""
    folder = tmp_path / "sets"
    folder.mkdir()
    latin = [(5, "abc def", "abc def"), (4, "ghi", "ghj"), (1.2, "klm", "xyz abc"), (0, "nop", "q"), (3, "rst", "rsu")]
    greek = [(5, "αβγ δεζ", "αβγ δεζ"), (4, "ηθι", "ηθκ"), (1.2, "κλμ", "χψω αβγ"), (0, "νοπ", "ρ"), (3, "ρστ", "ρσυ")]
    (folder / "en.test.tsv").write_text(rows(latin))
    (folder / "ell_Grek.test.tsv").write_text(rows(greek), encoding="utf-8")
    (folder / "en.dev.tsv").write_text(rows(latin[1:]))
    return folder


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    """Twelve lines in two scripts: those of one class share letters."""
    folder = tmp_path / "topics"
    folder.mkdir()
    latin = ["aab", "aba", "bab", "xxy", "yxy", "xyx", "abb", "yyx", "bba", "xyy", "aaa", "xxx"]
    greek = ["ααβ", "αβα", "βαβ", "χχψ", "ψχψ", "χψχ", "αββ", "ψψχ", "ββα", "χψψ", "ααα", "χχχ"]
    classes = ["early" if line[0] in "ab" else "late" for line in latin]
    splits = ["train"] * 6 + ["dev"] * 2 + ["test"] * 4
    (folder / "eng_Latn.txt").write_text("\n".join(latin) + "\n")
    (folder / "ell_Grek.txt").write_text("\n".join(greek) + "\n", encoding="utf-8")
    index = [f"{i}\t{split}\t{name}" for i, (split, name) in enumerate(zip(splits, classes, strict=True))]
    (folder / "index.tsv").write_text("\n".join(["id\tsplit\ttopic", *index]) + "\n")
    return folder


def load(folder):
    from align.encoders.checkpoint import load_encoder

    return load_encoder(str(folder))


def test_sts(align, bert_folder, sets, tmp_path):
    words = ("eval", "sts", bert_folder, "--data", sets, "--resamples", "50", "--seed", "3", "--out", "sts.json")
    printed = align(*words, "--cross", "--per-item")
    encoder = load(bert_folder)
    expected = sts(
        lambda texts, _: encoder.encode(texts), read_sts(sets), cross=True, resamples=50, seed=3, per_item=True
    )
    assert printed.out == expected.table() + "\n"
    assert "| ell_Grek |" in printed.out
    found = json.loads((tmp_path / "sts.json").read_text())
    assert (found["model"], found["encoder"]) == (str(bert_folder), encoder.identity())
    assert found["headline"]["spearman"] == pytest.approx(expected.headline(), abs=1e-12)
    assert [row["name"] for row in found["across"]] == ["ell_Grek-en", "en-ell_Grek"]
    assert found["scores"][1]["cosines"][0] == pytest.approx(1.0, abs=1e-5)
    align(*words[:5], "--split", "dev", "--languages", "en", "--layer", "1", "--resamples", "0", "--out", "dev.json")
    dev = json.loads((tmp_path / "dev.json").read_text())
    assert ([row["n"] for row in dev["scores"]], dev["across"]) == ([4], [])
    assert dev["encoder"]["pooling"]["layer"] == 1


def test_classification(align, bert_folder, topics, tmp_path):
    words = ("eval", "classification", bert_folder, "--data", topics, "-k", "3", "--out", "classes.json")
    printed = align(*words, "--per-item")
    encoder = load(bert_folder)
    expected = classification(lambda texts, _: encoder.encode(texts), read_classification(topics), k=3, per_item=True)
    assert printed.out == expected.table() + "\n"
    found = json.loads((tmp_path / "classes.json").read_text())
    assert (found["model"], found["encoder"]) == (str(bert_folder), encoder.identity())
    assert found["transfer_gap"] == expected.to_json()["transfer_gap"]
    assert found["scores"][0]["lines"] == [9, 10, 11, 12]
    assert [row["language"] for row in found["scores"]] == ["eng_Latn", "ell_Grek"]
    align(*words, "--train", "ell_Grek", "--languages", "ell_Grek", "--penalty", "0.5")
    alone = json.loads((tmp_path / "classes.json").read_text())
    assert ([row["language"] for row in alone["scores"]], alone["penalty"]) == (["ell_Grek"], 0.5)
    align(*words, "--train", "ell_Grek", "--languages", "eng_Latn")  # the language to learn from is read anyhow
    both = json.loads((tmp_path / "classes.json").read_text())
    assert [row["language"] for row in both["scores"]] == ["ell_Grek", "eng_Latn"]


def test_progress_is_one_line_a_set_and_follows_quiet(bert_folder, sets, tmp_path):
    command = [sys.executable, "-m", "align.cli", "eval", "sts", str(bert_folder), "--data", str(sets)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "1 entries are no STS files of split test: en.dev.tsv" in done.stderr
    assert "sts 1/2: ell_Grek, Spearman " in done.stderr and "sts 2/2: en, Spearman " in done.stderr
    assert "sts 1/2" not in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sts", "seed", "--data", "nowhere"], "nowhere is no folder, STS file or data set on the Hub (owner/name)"),
        (["sts", "seed", "--data", "broken"], "broken/de.tsv, line 3: the score is 'x', expected a number"),
        (["sts", "seed", "--data", "short.tsv"], "short.tsv, line 2: 2 columns, expected 3 as in the header"),
        (["sts", "seed", "--data", "one.tsv"], "one, gold scores: a correlation needs a list of at least 2 values"),
        (["sts", "seed", "--data", "same.tsv"], "same, gold scores: all 2 values are 1; a correlation needs two"),
        (["sts", "seed", "--data", "pairs", "--cross"], "de and fr give pair 1 the scores 1 and 1.5 (2 pairs differ)"),
        (["sts", "seed", "--data", "pairs", "--split", "x"], "unknown split 'x': expected one of train, dev, test"),
        (["sts", "seed", "--data", "pairs", "--languages", "fr,it"], "no text in it; available: de, fr"),
        (["classification", "seed", "--data", "nowhere"], "no such folder: nowhere"),
        (
            ["classification", "seed", "--data", "topics", "--train", "fra_Latn"],
            "no text in fra_Latn to learn from; available: ",
        ),
        (["classification", "seed", "--data", "topics", "--penalty", "-1"], "a penalty above 0, got 5 and -1.0"),
        (["classification", "seed", "--data", "bad"], "bad/index.tsv, line 2: split 'x', expected train, dev, test"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(align, topics, tmp_path, words, sentence):
    header = "score\tsentence1\tsentence2\n"
    for folder in ("broken", "pairs", "bad"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken" / "de.tsv").write_text(header + "1\ta\tb\nx\ta\tb\n")
    (tmp_path / "short.tsv").write_text(header + "1\ta\n")
    (tmp_path / "one.tsv").write_text(header + "1\ta\tb\n")
    (tmp_path / "same.tsv").write_text(header + "1\ta\tb\n1\ta\tc\n")
    (tmp_path / "pairs" / "de.tsv").write_text(header + "1\ta\tb\n2\ta\tc\n")
    (tmp_path / "pairs" / "fr.tsv").write_text(header + "1.5\ta\tb\n1\ta\tc\n")
    (tmp_path / "bad" / "index.tsv").write_text("id\tsplit\ttopic\n1\tx\tearly\n")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    errors = align("eval", *words, "--out", "result.json", code=2).err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_help_names_the_tasks(align):
    text = align("eval", "--help").out
    for verb in ("retrieval", "sts", "classification"):
        assert verb in text

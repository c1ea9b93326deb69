from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from align.tasks import combine, read_classification, read_sets, read_sts, xsim_plus
from align.tasks.classification import classification
from align.tasks.retrieval import retrieval
from align.tasks.retrieval.protocols import PROTOCOLS, changed
from align.tasks.sts import sts
from align.tasks.task import tasks
from align.tasks.xsim import xsim


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


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_sts(align, bert_folder, sets, tmp_path):
    words = ("eval", bert_folder, f"sts={sets}", "--no-cache")
    printed = align(*words, "--set", "cross=true", "--resamples", "50", "--seed", "3", "--out", "sts.json")
    encoder = load(bert_folder)
    expected = sts(lambda texts, _: encoder.encode(texts), read_sts(sets), cross=True)
    found = read(tmp_path / "sts.json")
    assert (found["model"], found["encoder"]) == (str(bert_folder), encoder.identity())
    every = expected.scores
    assert [row["id"] for row in found["scores"]] == [score.name for score in every]
    assert [row["metrics"]["pearson"] for row in found["scores"]] == [score.pearson for score in every]
    assert [row["value"] for row in found["scores"]] == [score.spearman for score in every]
    assert found["scores"][1]["items"][0] == pytest.approx(1.0, abs=1e-5) and "| ell_Grek " in printed.out
    align(*words, "--set", "sts.split=dev", "--languages", "en", "--layer", "1", "--out", "dev.json")
    dev = read(tmp_path / "dev.json")
    assert [(row["id"], row["n"]) for row in dev["scores"]] == [("en", 4)]
    assert dev["encoder"]["pooling"]["layer"] == 1


def test_classification(align, bert_folder, topics, tmp_path):
    words = ("eval", bert_folder, f"classification={topics}", "--no-cache", "--set", "k=3", "--out", "classes.json")
    printed = align(*words).out
    encoder = load(bert_folder)
    expected = classification(lambda texts, _: encoder.encode(texts), read_classification(topics), k=3)
    found = read(tmp_path / "classes.json")
    assert (found["model"], found["encoder"]) == (str(bert_folder), encoder.identity())
    for row, score in zip(found["scores"], expected.scores, strict=True):
        assert row["metrics"] == {**score.accuracy, "commonest": score.commonest}
        assert row["value"] == score.accuracy["logistic"] == pytest.approx(sum(row["items"]) / 4)
        assert row["lines"] == [9, 10, 11, 12]
    assert [row["direction"] for row in found["scores"]] == ["train", "transfer"] and "| direction | train" in printed
    align(*words, "--set", "train=ell_Grek", "--languages", "ell_Grek", "--set", "penalty=0.5")
    alone = read(tmp_path / "classes.json")
    assert ([row["language"] for row in alone["scores"]], alone["protocol"]["penalty"]) == (["ell_Grek"], 0.5)
    assert alone["protocol"]["name"] == "probes (changed)"
    align(*words, "--set", "train=ell_Grek", "--languages", "eng_Latn")  # the language to learn from is read anyhow
    assert [row["language"] for row in read(tmp_path / "classes.json")["scores"]] == ["ell_Grek", "eng_Latn"]


def test_progress_is_one_line_a_set_and_follows_quiet(bert_folder, sets, tmp_path):
    command = [sys.executable, "-m", "align.cli", "eval", str(bert_folder), f"sts={sets}"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "1 entries are no STS files of split test: en.dev.tsv" in done.stderr
    assert "sets ell_Grek: ell_Grek " in done.stderr and "sets en: en " in done.stderr
    assert "sets en: en" not in done.stdout


@pytest.fixture
def tatoeba(tmp_path: Path) -> Path:
    """Two sets in the layout of Tatoeba that share an English line, and have one twice."""
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for code, lines, english in (
        ("ell", ["αβγ δε", "ζ ηθι", "κλ", "κλμ"], ["we are abc", "two are de", "is it fgh", "is it fgh"]),
        ("deu", ["abc ist da", "xyz", "zwei"], ["we are abc", "it is xyz", "two of us"]),
    ):
        (folder / f"tatoeba.{code}-eng.{code}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / f"tatoeba.{code}-eng.eng").write_text("\n".join(english) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("hard", [False, True])
def test_xsim(align, bert_folder, tatoeba, tmp_path, hard):
    words = ["eval", bert_folder, f"xsim={tatoeba}", "--set", "similarity=distance", "--set", "xsim.k=2", "--no-cache"]
    words += ["--protocol", "xsim++", "--set", "seed=5", "--set", "per_kind=2"] if hard else []
    printed = align(*words, "--out", "xsim.json")
    measure, more = (xsim_plus, {"seed": 5, "per_kind": 2}) if hard else (xsim, {})
    encoder = load(bert_folder)
    expected = [
        measure(lambda texts, _: encoder.encode(texts), texts, similarity="distance", k=2, per_item=True, **more)
        for texts in read_sets(tatoeba)
    ]
    found = read(tmp_path / "xsim.json")
    scores = [score for one in expected for score in one.scores]
    assert [row["id"] for row in found["scores"]] == ["deu_Latn>eng_Latn", "ell_Grek>eng_Latn"]
    assert [row["items"] for row in found["scores"]] == [list(score.items) for score in scores]
    assert [row["metrics"] for row in found["scores"]] == [{"error": s.error, **s.kinds} for s in scores]
    assert found["protocol"]["name"] == ("xsim++ (changed)" if hard else "xsim (changed)")
    assert found["metric"] == "error" and "ranked by distance" in printed.out


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ([], PROTOCOLS["align"]),
        (["--protocol", "margin"], PROTOCOLS["margin"]),
        (["--set", "similarity=csls", "--set", "margin_k=2"],
         changed(PROTOCOLS["align"], similarity="csls", margin_k=2)),
        (["--protocol", "xsim", "--set", "margin_k=3"], changed(PROTOCOLS["xsim"], margin_k=3)),
    ],
)  # fmt: skip
def test_similarity_of_retrieval(align, bert_folder, tatoeba, tmp_path, options, protocol):
    align("eval", bert_folder, f"retrieval={tatoeba}", *options, "--no-cache", "--out", "r.json")
    encoder = load(bert_folder)
    expected = combine(
        [retrieval(lambda lines, _: encoder.encode(lines), texts, protocol=protocol) for texts in read_sets(tatoeba)]
    )
    found = read(tmp_path / "r.json")
    assert found["protocol"] == json.loads(json.dumps(asdict(protocol) | {"described": protocol.describe()}))
    assert [row["metrics"] for row in found["scores"]] == [score.metrics for score in expected.scores]
    assert found["headline"]["value"] == pytest.approx(expected.headline())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sts=nowhere"], "nowhere is no folder, STS file or data set on the Hub (owner/name)"),
        (["sts=broken"], "broken/de.tsv, line 3: the score is 'x', expected a number"),
        (["sts=short.tsv"], "short.tsv, line 2: 2 columns, expected 3 as in the header"),
        (["sts=one.tsv"], "one, gold scores: a correlation needs a list of at least 2 values"),
        (["sts=same.tsv"], "same, gold scores: all 2 values are 1; a correlation needs two"),
        (["sts=pairs", "--set", "cross=true"], "de and fr give pair 1 the scores 1 and 1.5 (2 pairs differ)"),
        (["sts=pairs", "--set", "split=x"], "unknown split 'x': expected one of train, dev, test"),
        (["sts=pairs", "--languages", "it"], "nothing could be scored: no set it; there are de, fr"),
        (["sts=pairs", "--set", "spilt=dev"], "; did you mean split?"),
        (["sts=pairs", "--set", "cross=perhaps"], "sts.cross: expected bool, such as false, got 'perhaps'"),
        (["sts=pairs", "--set", "bli.both=true"], "--set bli: nothing of that task is scored"),
        (["sts=pairs", "--set", "both"], "expected TASK.KEY=VALUE or KEY=VALUE, such as bli.candidates=20000, got"),
        (["sts=pairs", "--protocol", "muse"], "pairs has no protocols: sts is scored in one way"),
        (["sts="], "sts=: expected sts=PATH"),
        (["qa=pairs"], "unknown benchmark 'qa=pairs': expected one of tatoeba, "),
        ([], "nothing to score: expected benchmarks of `align list`, TASK=PATH, or a folder of text"),
        (["sts=pairs", "sts=one.tsv"], "2 results do not go into one file: expected a folder, got result.json"),
        (["classification=nowhere"], "no such folder: nowhere"),
        (["classification=topics", "--set", "train=fra_Latn"], "no text in fra_Latn to learn from; available: "),
        (["classification=topics", "--set", "penalty=-1"], "a penalty above 0, got 5 and -1"),
        (["classification=bad"], "bad/index.tsv, line 2: split 'x', expected train, dev, test"),
        (["xsim=tatoeba", "--set", "similarity=absolute"], "unknown score 'absolute': expected one of cosine, csls"),
        (["retrieval=tatoeba", "--set", "similarity=margin"], "unknown score 'margin': expected one of cosine, csls"),
        (["xsim=tatoeba", "--languages", "fra"], "nothing could be scored: no text in fra"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(align, topics, tatoeba, tmp_path, words, sentence):
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
    errors = align("eval", "seed", *words, "--no-cache", "--out", "result.json", code=2).err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_the_list_names_the_tasks(align):
    text = align("list").out
    for name, one in tasks().items():
        assert name in text and one.asks in text
    assert "candidates = 200000" in align("list", "bli").out

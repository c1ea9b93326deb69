from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

from align import cli


def run(*words, cwd, code=0, **environment):
    """Run the command as a user does, in a folder of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "align.cli", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "100"} | environment,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def align(tmp_path, monkeypatch, capsys):
    """Run the command in this process, which has loaded torch; returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["align", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        assert (stopped.value.code or 0) == code, printed.err
        return printed

    return run


@pytest.fixture
def text(tmp_path):
    """Ten Greek lines, as many English ones, in a folder of line-aligned files."""
    greek = ["αβγ δε", "ζηθ", "ικλ μν", "ξοπ", "ρστ υφ", "χψω", "βαδ", "γεζ", "θηι", "κμλ"]
    latin = ["abg de", "zit", "ikl mn", "xop", "rst yf", "hpo", "bad", "gez", "thi", "kml"]
    folder = tmp_path / "verses"
    folder.mkdir()
    (folder / "ell_Grek.txt").write_text("\n".join(greek) + "\n", encoding="utf-8")
    (folder / "eng_Latn.txt").write_text("\n".join(latin) + "\n", encoding="utf-8")
    return folder


def test_the_whole_way(align, text, bert_folder, tmp_path):
    greek = text / "ell_Grek.txt"
    made = align("-q", "pairs", "transliteration", greek, "--out", "pairs", "--licence", "CC0")
    assert json.loads(made.out)["rows"] == 10
    rows = [f"αβγ{c}\tgood{c}\tell_Grek\teng_Latn\tt{c}" for c in "abcd"]
    header = "source\ttarget\tsource_lang\ttarget_lang\tgroup_id"
    (tmp_path / "translations.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    words = ("--pairs", "pairs", "--pairs", "translations.tsv", "--model", bert_folder, "--out", "model")
    small = ("--set", "train.steps=2", "--set", "train.batch_size=4")
    trained = align("-q", "train", "transliteration", *words, *small)
    facts = json.loads(trained.out)
    assert (facts["pairs"], facts["scripts"]) == (14, ["Grek"])
    assert "CC0" in (tmp_path / "model" / "README.md").read_text()
    encoded = align("-q", "encode", "model", greek, "--out", "index")
    facts = json.loads(encoded.out)
    assert (facts["rows"], facts["rejected"], facts["dimension"], facts["out"]) == (10, 0, 16, "index")
    found = align("-q", "search", "model", "index", "αβγ δε", "-k", "2", "--json")
    hits = [json.loads(line) for line in found.out.splitlines()]
    assert [hit["rank"] for hit in hits] == [1, 2]
    assert (hits[0]["id"], hits[0]["text"]) == (hashlib.sha256("ell_Grek\0αβγ δε".encode()).hexdigest()[:32], "αβγ δε")
    assert hits[0]["score"] == pytest.approx(1.0, abs=1e-5)
    align("-q", "encode", "model", greek, "--out", "half", "--float16")
    assert json.loads((tmp_path / "half" / "manifest.json").read_text())["dtype"] == "float16"
    scored = align("-q", "eval", "model", f"retrieval={text}", "--out", "scores.json")
    assert "protocol align" in scored.out
    assert json.loads((tmp_path / "scores.json").read_text())["scores"][0]["n"] == 10
    refused = align("search", bert_folder, "index", "αβγ", code=2)
    assert "fingerprint" in refused.err


def test_training_shows_what_it_does_and_follows_quiet(align, text, bert_folder, tmp_path):
    align("-q", "pairs", "transliteration", text / "ell_Grek.txt", "--out", "pairs")
    words = ("train", "transliteration", "--pairs", "pairs", "--model", bert_folder, "--out", "model")
    words += ("--set", "train.steps=2", "--set", "train.batch_size=4", "--set", "train.log_every=1")
    loud = run(*words, cwd=tmp_path).stderr
    assert "10 pairs in 10 groups, 1 languages, 1 scripts (Grek), 3 negatives per anchor" in loud
    assert "step 2/2  loss" in loud
    assert run("-q", *words, cwd=tmp_path).stderr == ""


def test_romanize(align, text, tmp_path):
    done = align("-q", "romanize", text / "ell_Grek.txt", "roman.txt", "--lang", "ell_Grek")
    assert json.loads(done.out)["lines"] == 10
    assert (tmp_path / "roman.txt").read_text().isascii()


def test_the_protocol_decides_layer_and_direction(align, text, tmp_path):
    done = align("-q", "eval", "seed", text, "--protocol", "glot500", code=2)
    assert "pooling layer 8 does not exist: the encoder has layers 0 to 4" in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "transliteration", "--pairs", "missing", "--out", "o"], "missing"),
        (["train", "nothing", "--pairs", "p", "--out", "o"], "no recipe 'nothing': expected a .toml file or one of"),
        (
            ["train", "transliteration", "--pairs", "p", "--out", "o", "--set", "train.stepz=1"],
            "did you mean train.steps?",
        ),
        (["encode", "nowhere/at/all", "lines.txt", "--out", "o"], "no such model folder: nowhere/at/all"),
        (["encode", "seed", "missing.txt", "--out", "o"], "no such file: missing.txt"),
        (["encode", "seed", "empty.txt", "--out", "o"], "empty.txt is empty: there is nothing to encode"),
        (["encode", "seed", "lines.txt", "--id", "name", "--out", "o"], "lines.txt has no column 'name' for the id"),
        (["encode", "seed", "lines.txt", "--layer", "9", "--out", "o"], "pooling layer 9 does not exist"),
        (["search", "seed", "missing", "q"], "missing is no index: it has no manifest.json"),
        (["pairs", "transliteration", "lines.txt", "--out", "o"], "lines"),
        (["pairs", "transliteration", "--human", "ell_Grek.tsv", "--out", "o"], "expected native TAB roman"),
        (["eval", "seed", "retrieval=uneven"], "line-aligned"),
        (["eval", "seed", "retrieval=uneven", "--protocol", "x"], "unknown protocol 'x'"),
        (["romanize", "lines.txt", "o", "--lang", "hindi"], "unknown language code"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path, monkeypatch, capsys, words, sentence):
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "ell_Grek.tsv").write_text("αβγ\nδεζ\n", encoding="utf-8")
    (tmp_path / "uneven").mkdir()
    (tmp_path / "uneven" / "ell_Grek.txt").write_text("α\nβ\n", encoding="utf-8")
    (tmp_path / "uneven" / "eng_Latn.txt").write_text("a\nb\nc\n")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["align", "-q", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_help_and_version(tmp_path):
    from align import __version__

    assert run("--version", cwd=tmp_path).stdout.strip() == __version__
    text = run("--help", cwd=tmp_path).stdout
    for verb in ("romanize", "pairs", "train", "eval", "encode", "search", "demo"):
        assert verb in text
    assert "train.steps" in run("train", "--help", cwd=tmp_path).stdout


def test_recipes_are_listed_and_explained(align, tmp_path):
    listed = align("recipe").out
    assert "translico        nt_xent, mlm\n" in listed
    assert "indicsbert       multiple_negatives; then cosine_mse\n" in listed
    (tmp_path / "mine.toml").write_text(align("recipe", "translico").out)
    assert "temperature = 1.0" in align("recipe", "mine.toml").out
    assert "no recipe 'translic'" in align("recipe", "translic", code=2).err

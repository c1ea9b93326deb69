from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from align.vectors.folder import open_vectors, vectors_of


@pytest.fixture
def corpus(tmp_path):
    lines = [f"{i}\tabc{chr(97 + i)}\tαβγ\teng_Latn" for i in range(5)]
    path = tmp_path / "corpus.tsv"
    path.write_text("key\tsentence\tother\tlang\n" + "\n".join(lines) + "\n9\t \tαβγ\t\n", encoding="utf-8")
    return path


def table_of(folder):
    (table,) = open_vectors(folder).tables()
    return table


def test_encode(align, tmp_path, bert_folder, corpus):
    from align.encoders.checkpoint import load_encoder

    words = ("encode", bert_folder, corpus, "-o", "o", "--text", "sentence", "--id", "key")
    printed = json.loads(align(*words).out)
    assert printed.pop("seconds") >= 0
    assert printed == {"rows": 5, "rejected": 1, "rejects": "o/rejects", "dimension": 16, "out": "o"}
    table = table_of(tmp_path / "o")
    assert table["id"].to_pylist() == ["0", "1", "2", "3", "4"]
    assert table["text"].to_pylist() == ["abca", "abcb", "abcc", "abcd", "abce"]
    assert set(table["language"].to_pylist()) == {"eng_Latn"}
    expected = load_encoder(bert_folder).encode(table["text"].to_pylist())
    assert np.array_equal(vectors_of(table), expected)
    assert json.loads(align(*words).out)["rows"] == 5  # a finished folder: nothing to do


def test_every_option_reaches_the_vectors(align, tmp_path, bert_folder, corpus):
    from align.encoders.checkpoint import load_encoder
    from align.text.romanize.romanizer import romanize

    align(
        "encode", bert_folder, corpus, "-o", "o", "--text", "other", "--id", "line", "--language", "ell_Grek",
        "--romanize", "--float16", "--no-store-texts", "--part-rows", "4", "--deterministic", "--attention", "padded",
        "--layer", "1", "--pooling", "cls", "--prompt", "zz ",
    )  # fmt: skip
    made = open_vectors(tmp_path / "o")
    encoder = load_encoder(bert_folder, layer=1, kind="cls", prompt="zz ")
    assert made.encoder["pooling"] == {"layer": 1, "kind": "cls", "special_tokens": True}
    assert made.encoder["prompt"] == "zz " and made.encoder["romanizer"].startswith("uroman ")
    assert made.manifest["compute"] == {"backend": "torch", "bf16": False, "deterministic": True}
    tables = list(made.tables())
    assert [name for table in tables for name in table["id"].to_pylist()] == ["2", "3", "4", "5", "6", "7"]
    assert "text" not in tables[0].column_names and tables[0]["script"].to_pylist() == ["Grek"] * 4
    expected = encoder.encode(romanize(["αβγ"], lang="ell_Grek")).astype(np.float16)
    assert np.allclose(vectors_of(tables[0]), expected, atol=1e-3) and vectors_of(tables[0]).dtype == np.float16


def test_ids_from_content_and_language_columns(align, tmp_path, bert_folder, corpus):
    printed = align(
        "encode", bert_folder, corpus, "-o", "o", "--text", "other", "--id", "content", "--language-column", ""
    )
    assert (json.loads(printed.out)["rows"], json.loads(printed.out)["rejected"]) == (1, 5)
    table = table_of(tmp_path / "o")
    assert table["language"].to_pylist() == [""] and table["script"].to_pylist() == ["Grek"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.txt"], "no such file: none.txt"),
        (["corpus.tsv"], "corpus.tsv has no column 'text' for the text: it has key, sentence, other, lang"),
        (["corpus.tsv", "--text", "sentence", "--id", "lang"], "id 'eng_Latn' is there twice: corpus.tsv, line 2 and"),
        (["empty.txt"], "empty.txt is empty: there is nothing to encode"),
        (["page.txt"], "got an XML or HTML page"),
        (["cut.txt.gz"], "cut.txt.gz is not a complete gzip file"),
        (["one.txt", "--attention", "flash"], "--attention must be auto or padded, got 'flash'"),
        (["one.txt", "--engine", "spark"], "--engine must be local or ray, got 'spark'"),
        (["one.txt", "--part-rows", "0"], "part_rows must be at least 1, got 0"),
        (["one.txt", "--language", "el"], "did you mean ell_Script?"),
        (["one.txt", "--layer", "7"], "pooling layer 7 does not exist: the encoder has layers 0 to 2"),
    ],
)
def test_bad_input_is_one_sentence(align, tmp_path, bert_folder, corpus, words, sentence):
    import gzip

    (tmp_path / "empty.txt").touch()
    (tmp_path / "one.txt").write_text("abc\n")
    (tmp_path / "page.txt").write_text("<html>\n")
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"abc\n")[:-3])
    printed = align("encode", bert_folder, *words, "-o", "o", code=2)
    assert sentence in printed.err and printed.err.count("\n") == 1
    assert printed.out == "" and not (tmp_path / "o").exists()


def test_progress_is_on_stderr(tmp_path, bert_folder, corpus):
    words = ["encode", str(bert_folder), str(corpus), "-o", "o", "--text", "sentence", "--id", "key"]
    done = subprocess.run(
        [sys.executable, "-m", "align.cli", *words, "--part-rows", "2"], cwd=tmp_path,
        capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 5
    for shown in ("survey:", "5 rows to encode, 0 copies, 1 other rejects", "line 7: the text is blank", "6.00/6.00"):
        assert shown in done.stderr
    made = open_vectors(tmp_path / "o")
    assert [part["rows"] for part in made.manifest["parts"]] == [2, 2, 1]

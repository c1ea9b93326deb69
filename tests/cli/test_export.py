from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from align.encoders.checkpoint import load_encoder
from align.engines.registry import engines
from align.vectors.writing import save_vectors


@pytest.fixture
def vectors(tmp_path):
    rows = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    save_vectors(tmp_path / "v", [f"r{i}" for i in range(40)], rows, texts=["x"] * 40, encoder={"model": "toy"})
    return tmp_path / "v"


def test_there_and_verified(align, vectors):
    made = json.loads(align("export", vectors, "parquet", "out", "--option", "part-rows=9", "--name", "n").out)
    assert (made["rows"], made["count"], made["to"], made["name"]) == (40, 40, "out", "n")
    assert len(list((vectors.parent / "out").glob("part-*.parquet"))) == 5
    verified = align("verify-export", vectors, "parquet", "out", "--queries", 7, "-k", 3, "--name", "n")
    result = json.loads(verified.out)
    assert (result["passed"], result["queries"], result["k"], result["exact"]) == (True, 7, 3, True)


def test_what_does_not_agree_is_a_failure_with_its_numbers(align, vectors, tmp_path):
    align("export", vectors, "npy", "out")
    rows = np.random.default_rng(1).normal(size=(41, 5)).astype(np.float32)
    save_vectors(tmp_path / "w", [f"r{i}" for i in range(41)], rows, texts=["y"] * 41, encoder={"model": "toy"})
    printed = align("verify-export", "w", "npy", "out", "--queries", 6, code=2)
    result = json.loads(printed.out)
    assert (result["passed"], result["wrong_queries"], result["rows"], result["count"]) == (False, 6, 41, 40)
    assert printed.err.startswith(
        "align: npy at out does not answer as the vectors do: it has 40 of 41 rows; 6 of 6 queries were answered "
        "otherwise; the payload of id 'r"
    )


def test_queries_of_ones_own(align, bert_folder, tmp_path, caplog):
    encoder = load_encoder(str(bert_folder))
    texts = ["abc", "bcd", "cde", "xyz"]
    save_vectors(tmp_path / "v", list("abcd"), encoder.encode(texts), texts=texts, encoder=encoder.identity())
    (tmp_path / "asked.txt").write_text("abd\n\nyxz\n")
    align("export", "v", "vespa", "out")
    words = ("verify-export", "v", "vespa", "out", "--queries-file", "asked.txt")
    result = json.loads(align(*words, "--model", bert_folder).out)
    assert (result["passed"], result["queries"]) == (True, 2)
    assert "1 of 3 queries of asked.txt are blank, and are not asked" in caplog.messages
    assert "expected --queries-file and --model together" in align(*words, code=2).err
    (tmp_path / "empty.txt").write_text("\n")
    empty = align("verify-export", "v", "vespa", "out", "--queries-file", "empty.txt", "-m", bert_folder, code=2)
    assert "empty.txt is empty: there is nothing to ask" in empty.err
    other = encoder.identity() | {"pooling": "other"}
    save_vectors(tmp_path / "w", list("abcd"), encoder.encode(texts), texts=texts, encoder=other)
    align("export", "w", "vespa", "out2")
    refused = align("verify-export", "w", "vespa", "out2", "--queries-file", "asked.txt", "-m", bert_folder, code=2)
    assert '"other"' in refused.err and refused.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("v", "milvus2", "x"),
            "align: no engine 'milvus2': expected one of elasticsearch, lance, milvus, npy, opensearch",
        ),
        (("v", "npy", "x", "--option", "index"), "align: --option is KEY=VALUE, got 'index'"),
        (("v", "npy", "x", "--option", "a=b"), "align: npy has no option 'a': expected one of none"),
        (("none", "npy", "x"), "align: none is no folder of vectors"),
    ],
)
def test_bad_input(align, vectors, words, message):
    printed = align("export", *words, code=2)
    assert printed.err.startswith(message) and printed.out == ""


def test_a_password_is_never_shown(align, vectors):
    pytest.importorskip("psycopg", reason="needs psycopg")
    pytest.importorskip("pgvector", reason="needs pgvector")
    printed = align("export", vectors, "pgvector", "postgresql://me:hunter22@127.0.0.1:1/x", "--retries", 0, code=2)
    assert "pgvector at postgresql://me:***@127.0.0.1:1/x cannot be reached (1 try; " in printed.err
    assert "hunter22" not in printed.out + printed.err


def test_the_help_names_every_engine(align):
    for verb in ("export", "verify-export"):
        printed = " ".join(align(verb, "--help").out.split())
        for engine in engines().values():
            assert f" {engine.name} {engine.to} " in printed, printed


def test_no_engine_is_looked_for_before_it_is_needed():
    code = (
        "import sys, align.cli\n"
        "sys.exit(any(name.startswith('align.engines.') or name == 'pyarrow' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

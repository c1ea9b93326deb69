from __future__ import annotations

import io
import json
import re

import pytest
import typer
from typer.testing import CliRunner

from align.cli.index import index
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.indexes.build import save_index
from align.indexes.index import load_index
from align.text.romanize.romanizer import romanize, romanizer_version
from align.vectors.writing import save_vectors

TEXTS = ["αβγ δε", "ζηθ", "abg de", "ζηθ ι", "κλμ", "xyz"]
IDS = [f"t{i}" for i in range(6)]
LANGUAGES = ["ell_Grek"] * 2 + ["eng_Latn"] + ["ell_Grek"] * 2 + ["eng_Latn"]


@pytest.fixture
def encoder(bert_folder):
    return load_encoder(str(bert_folder))


@pytest.fixture
def vectors(encoder, tmp_path):
    return save_vectors(
        tmp_path / "vectors", IDS, encoder.encode(TEXTS), texts=TEXTS, encoder=encoder.identity(), languages=LANGUAGES,
        scripts=[language[4:] for language in LANGUAGES],
    )  # fmt: skip


def run_index(*words):
    app = typer.Typer()
    app.command()(index)
    return CliRunner().invoke(app, [*map(str, words)])


def test_index_says_what_it_made(vectors, tmp_path) -> None:
    done = run_index(vectors.folder, "--out", tmp_path / "i", "--float16")
    about = json.loads(done.stdout)
    assert (about["factory"], about["rows"], about["dimension"]) == ("Flat", 6, 16)
    assert about["out"] == str(tmp_path / "i") and about["recall"] is None
    assert load_index(tmp_path / "i").vectors.dtype == "float16"
    refused = run_index(vectors.folder, "--out", tmp_path / "i", "--factory", "IVF9,Flat", "--float32")
    assert isinstance(refused.exception, InputError) and "float16 is for the factory Flat" in str(refused.exception)


def test_index_with_faiss(vectors, tmp_path) -> None:
    pytest.importorskip("faiss")
    words = ("--factory", "HNSW8", "--ef", 32, "--recall-queries", 20, "-k", 3, "--seed", 1)
    about = json.loads(run_index(vectors.folder, "-o", tmp_path / "i", *words).stdout)
    assert about["search"] == {"ef_search": 32}
    assert {name: about["recall"][name] for name in ("recall", "k", "queries", "seed")} == {
        "recall": 1.0, "k": 3, "queries": 20, "seed": 1,
    }  # fmt: skip
    refused = run_index(vectors.folder, "-o", tmp_path / "j", "--factory", "IVF7,Flat", "--nprobe", 1)
    assert str(refused.exception) == "'IVF7,Flat' needs at least 7 rows to train on, got 6"


def test_json_lines(align, vectors, bert_folder) -> None:
    printed = align("search", bert_folder, vectors.folder, "ζηθ", "xyz", "-k", "2", "--json")
    hits = [json.loads(line) for line in printed.out.splitlines()]
    assert [(hit["query"], hit["rank"]) for hit in hits] == [("ζηθ", 1), ("ζηθ", 2), ("xyz", 1), ("xyz", 2)]
    assert hits[0] == {
        "query": "ζηθ", "rank": 1, "id": "t1", "score": 1.0, "text": "ζηθ", "language": "ell_Grek", "script": "Grek",
    }  # fmt: skip


def test_a_table_of_a_file_of_queries(align, vectors, bert_folder, tmp_path) -> None:
    (tmp_path / "q.txt").write_text("ζηθ\nxyz\n", encoding="utf-8")
    words = ("search", bert_folder, vectors.folder, "--queries", tmp_path / "q.txt", "-k", "1")
    assert align(*words).out == "ζηθ\n  1. 1.000  t1  ell_Grek  ζηθ\nxyz\n  1. 1.000  t5  eng_Latn  xyz\n"
    filtered = align(*words, "--language", "eng_Latn", "--script", "Latn,Grek").out
    assert re.findall(r"t\d  (\w+)", filtered) == ["eng_Latn", "eng_Latn"]
    nothing = align(*words, "--language", "eng_Latn", "--script", "Grek").out
    assert nothing == "ζηθ\n  nothing found\nxyz\n  nothing found\n"


def test_a_conversation_shows_latency(align, vectors, bert_folder, monkeypatch, caplog) -> None:
    caplog.set_level("INFO", logger="align.cli.search")
    monkeypatch.setattr("sys.stdin", io.StringIO("ζηθ\n\n  xyz  \nκλμ"))
    printed = align("search", bert_folder, vectors.folder, "abg de", "-i", "-k", "1", "--no-verify")
    assert re.findall(r"  (t\d)  ", printed.out) == ["t2", "t1", "t5", "t4"]
    assert "query>" not in printed.err  # nobody is there to be asked
    assert len(re.findall(r"1 query: encoded in \d+\.\d ms, searched in \d+\.\d ms", caplog.text)) == 4


def test_a_person_is_asked(align, vectors, bert_folder, monkeypatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("xyz\n"))
    printed = align("search", bert_folder, vectors.folder, "--interactive", "-k", "1")
    assert printed.err.count("query> ") == 2 and printed.out.startswith("xyz\n  1. 1.000  t5")


def test_a_romanised_index_and_the_effort(align, encoder, bert_folder, tmp_path) -> None:
    pytest.importorskip("faiss")
    identity = encoder.identity() | {"romanizer": romanizer_version()}
    latin = encoder.encode(romanize(TEXTS))
    save_vectors(tmp_path / "r", IDS, latin, texts=TEXTS, encoder=identity)
    run_index(tmp_path / "r", "--out", tmp_path / "i", "--factory", "IVF2,Flat")
    words = ("search", bert_folder, tmp_path / "i", "ζηθ", "-k", "1", "--json")
    for more in ((), ("--romanize",), ("--nprobe", "2"), ("--query-language", "ell_Grek")):
        assert json.loads(align(*words, *more).out)["id"] == "t1"
    assert "nprobe must be at least 1, got 0" in align(*words, "--nprobe", "0", code=2).err
    assert "ef_search is for an HNSW index" in align(*words, "--ef", "5", code=2).err


def test_what_it_refuses(align, vectors, encoder, bert_folder, tmp_path) -> None:
    save_index(tmp_path / "old", encoder.encode(TEXTS), IDS, encoder=encoder.identity() | {"fingerprint": "f00"})
    (tmp_path / "empty.txt").write_text("")
    for words, message in (
        ((vectors.folder,), "nothing to search for: expected a QUERY, --queries FILE with a line, or --interactive"),
        ((vectors.folder, "--queries", "empty.txt"), "nothing to search for"),
        ((vectors.folder, "a", "--layer", "1"), "pooling.layer (2 in the index, 1 in the queries)"),
        ((vectors.folder, "a", "--romanize"), "holds texts that were not romanised before encoding"),
        ((vectors.folder, "a", "--language", "fra_Latn"), "'fra_Latn': known are ell_Grek, eng_Latn"),
        ((vectors.folder, "a", "-k", "0"), "k must be at least 1, got 0"),
        ((tmp_path / "old", "a"), 'fingerprint ("f00" in the index, '),
        (("nowhere", "a"), "nowhere is no index: it has no manifest.json"),
    ):
        printed = align("search", bert_folder, *words, code=2)
        assert message in printed.err and printed.out == ""
    assert align("search", bert_folder, vectors.folder, "a", "--prompt", "query: ", "-k", "1").out.startswith("a\n  1.")


def test_faiss_searches_on_the_device_of_the_encoder(align, encoder, vectors, bert_folder, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr("align.indexes.index.find_gpu", seen.append)
    align("search", bert_folder, vectors.folder, TEXTS[0], "--device", "cpu")
    align("search", bert_folder, vectors.folder, TEXTS[0])
    assert seen == ["cpu", None]

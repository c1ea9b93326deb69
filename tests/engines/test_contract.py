"""What every engine of the registry has to do: one that is new is tested here as soon as it is found.

An engine that is written to a folder, or to a file, needs nothing more; one that needs a server has it in its own test.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from exported import (
    CLIENTS,
    HARSH,
    PLACES,
    TERMS,
    check_columns,
    check_empty,
    check_export,
    check_ids,
    check_refusals,
    fill,
    nearest,
    payload,
    queries,
    rows,
    schema,
    weights_matrix,
)
from plugged import contributed

import align.engines
import align.registry
from align import encode, export, load_encoder, offsets, verify_export
from align.engines.opening import opened
from align.engines.registry import engine, engines
from align.engines.send import schema_of
from align.engines.target import Engine
from align.errors import InputError
from align.registry import offered
from align.vectors.sparse import SparseVectors
from align.vectors.writing import save_vectors

ROOT = Path(__file__).parents[2]
NAMES = list(engines())
CHECKS = ("check_engine", "check_export", "check_refusals", "check_empty", "check_columns", "check_sparse", "check_ids")
SERVERS = {"pgvector"}
"""Engines whose own test has a server: what is checked here is checked there."""


@pytest.fixture(params=[name for name in NAMES if name not in SERVERS])
def place(request, tmp_path):
    """An engine, where it is written to, and its options."""
    for client in CLIENTS.get(request.param, ()):
        pytest.importorskip(client, reason=f"needs {client}")
    where, options = PLACES.get(request.param, ("align", {}))
    return request.param, str(tmp_path / where), options


def test_an_engine_with_a_server_has_its_own_test():
    for name in SERVERS:
        own = (Path(__file__).parent / f"test_{name}.py").read_text()
        assert all(f"{check}(" in own for check in CHECKS)


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_says_what_it_takes(name):
    found = engine(name)
    assert found.name == name and name == name.lower() and " " not in name
    assert 5 < len(found.to) < 70 and found.to == found.to.strip()
    options = dict(inspect.signature(found.open_target).parameters)
    assert next(iter(options)) == "to" and options.pop("to").kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert options.pop("name").default is inspect.Parameter.empty
    documented = inspect.getdoc(found.open_target) or ""
    for option in options.values():
        assert option.kind is inspect.Parameter.KEYWORD_ONLY and option.default is not inspect.Parameter.empty
        assert str(option.annotation).split(" | ")[0] in ("bool", "int", "float", "str"), option
        assert f"\n    {option.name}: " in documented, f"{name}: {option.name} is not documented"


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_refuses_what_it_does_not_know(name, tmp_path):
    with (
        pytest.raises(InputError, match=rf"{name} has no option 'colour': expected one of \w+"),
        opened(name, str(tmp_path / "x"), "align", {"colour": "red"}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_reached_before_it_is_prepared(place, tmp_path):
    name, to, options = place
    with opened(name, to, "align", options):
        assert list(tmp_path.iterdir()) == []


def test_the_whole_way(place, tmp_path):
    name, to, options = place
    proof = check_export(name, to, tmp_path / "vectors", start=20, **options)  # without hostile ids, which some refuse
    assert proof["exact"]


def test_an_export_carries_rows_without_their_offsets(place, tmp_path, bert_folder):
    """Queries in any language find their text; rows have lost their offset once, whatever an engine does."""
    name, to, options = place
    texts = {"ell_Grek": ["αβγ", "δε ζ", "ηθικ"], "eng_Latn": ["abg", "de z", "ethik"]}
    files = {code: tmp_path / f"{code}.txt" for code in texts}
    for code, lines in texts.items():
        files[code].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    offsets(bert_folder, files, tmp_path / "offsets")
    vectors = encode(str(bert_folder), list(files.values()), tmp_path / "v", offsets=tmp_path / "offsets")
    (table,) = vectors.tables()
    plain = load_encoder(bert_folder).encode(table["text"].to_pylist())
    moved = plain - np.repeat([plain[:3].mean(axis=0), plain[3:].mean(axis=0)], 3, axis=0)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    assert export(vectors, name, to, **options)["count"] == 6
    encoder = load_encoder(bert_folder, offsets=tmp_path / "offsets")
    for code, lines in texts.items():
        asked = encoder.encode(lines, language=code)
        assert verify_export(vectors, name, to, queries=asked, k=3, **options)["passed"]
        with opened(name, to, "align", options) as target:
            target.prepare(schema_of(vectors, "align"), make=False)
            found = target.search(asked, 3)
        ids = table["id"].to_pylist()
        assert found == [[ids[row] for row in np.argsort(-scores)[:3]] for scores in asked @ moved.T]
    with pytest.raises(InputError, match=r"holds other vectors: offsets.fingerprint"):
        export(encode(str(bert_folder), list(files.values()), tmp_path / "other"), name, to, **options)


def test_columns_of_the_users_own_are_payload_and_filters(place):
    name, to, options = place
    check_columns(lambda: engine(name).open_target(to, name="align", **options), start=20)


def test_a_corpus_with_licences_goes_the_whole_way(place, tmp_path, bert_folder):
    name, to, options = place
    corpus = tmp_path / "corpus.jsonl"
    lines = [
        {"text": f"text {row}", "Topic": ["news", "law", None][row % 3], "license": "CC0" if row % 2 else "CC BY 4.0"}
        for row in range(12)
    ]
    corpus.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    encode(str(bert_folder), [corpus], tmp_path / "v", language="eng_Latn", keep=["topic=Topic"])
    assert export(tmp_path / "v", name, to, **options)["count"] == 12
    proof = verify_export(tmp_path / "v", name, to, queries=5, k=3, **options)
    assert proof["passed"] and proof["wrong_payloads"] == [], proof
    told = {(one["column"], one["value"], one["rows"], one["wrong_queries"]) for one in proof["filtered"]}
    assert told == {("topic", "law", 4, 0), ("licence", "CC BY 4.0", 6, 0)}


def test_ids_of_any_text_survive(place, tmp_path):
    name, to, options = place
    check_ids(name, to, tmp_path / "vectors", [*HARSH, "a\0b"], **options)


def test_other_vectors_are_refused(place):
    name, to, options = place
    check_refusals(lambda: engine(name).open_target(to, name="align", **options), start=20)


def test_no_rows(place):
    name, to, options = place
    check_empty(lambda: engine(name).open_target(to, name="align", **options))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_that_is_missing_is_named(name, monkeypatch):
    monkeypatch.delitem(sys.modules, "align.engines.milvus.collection", raising=False)
    monkeypatch.setitem(sys.modules, CLIENTS[name][0], None)
    to = {"milvus": "http://127.0.0.1:1", "pgvector": "postgresql://127.0.0.1/x"}.get(name, "x")
    package = CLIENTS[name][0].replace("_", "-") + ("-py" if name == "qdrant-edge" else "")
    with pytest.raises(InputError, match=rf"engine {name} needs {package}: pip install 'align-encoders\[{name}\]'"):
        engine(name).open_target(to, name="align")


KILLED = """
import os, signal, sys, threading
from exported import rows, schema
from align.engines.registry import engine

target = engine(sys.argv[1]).open_target(sys.argv[2], name="align")
target.prepare(schema())
corpus = rows(1_000, start=20)
for first in range(0, 500, 100):
    target.upsert(corpus.slice(first, 100))
    print(first + 100, flush=True)
threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGKILL)).start()
while True:
    target.upsert(corpus.slice(500, 100))
"""


@pytest.mark.parametrize("name", ["lance", "qdrant-edge", "npy"])
def test_a_process_killed_in_the_middle_loses_nothing_acknowledged(name, tmp_path):
    """A folder of files acknowledges when it is whole: of that nothing is there."""
    for client in CLIENTS.get(name, ()):
        pytest.importorskip(client, reason=f"needs {client}")
    to, options = str(tmp_path / "out"), PLACES.get(name, ("", {}))[1]
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, name, to], env=os.environ | paths, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout.split() == ["100", "200", "300", "400", "500"]
    corpus = rows(1_000, start=20)
    target = engine(name).open_target(to, name="align", **options)
    if name == "npy":
        with pytest.raises(InputError, match="is not there: run align export first"):
            target.prepare(schema(), make=False)
    else:
        target.prepare(schema())
        assert 500 <= target.count() <= 600
        acknowledged = corpus.slice(0, 500)
        assert target.payloads(acknowledged.column("id").to_pylist()) == payload(acknowledged)
    fill(target, corpus)
    assert target.count() == 1_000
    assert target.search(queries(5), 10) == nearest(corpus, queries(5), 10)
    target.close()


def test_every_file_of_the_room_is_an_engine_or_none():
    """An engine that imports its client at its head would hide all of them from who has not its extra."""
    home = Path(align.engines.__file__).parent
    for path in home.glob("*.py"):
        value = importlib.import_module(f"align.engines.{path.stem}") if path.stem != "__init__" else align.engines
        for one in offered(value, Engine):
            assert engines()[one.name] is one


THEIRS = """
from align.engines.registry import engine
from align.engines.send import schema_of
from align.engines.target import Engine

given = []

def open_target(to: str, *, name: str, size: int = 1, share: float | None = None):
    given[:] = [to, size, share]
    return engine("npy").open_target(to, name=name)

ENGINE = Engine("theirs", "a folder of theirs", open_target)
"""


class TestOfAnotherPackage:
    @pytest.fixture
    def offer(self, monkeypatch):
        """Offer a value as the entry point of another package."""

        def make(value):
            monkeypatch.setattr(EntryPoint, "load", lambda entry: value() if callable(value) else value)
            entry = EntryPoint("theirs", "their_package.engine:ENGINE", "align.engines")
            monkeypatch.setattr(
                align.registry, "entry_points", lambda group: [entry] if group == "align.engines" else []
            )
            engines.cache_clear()

        yield make
        monkeypatch.undo()
        engines.cache_clear()

    @pytest.mark.parametrize("postponed", ["", "from __future__ import annotations\n"])
    @pytest.mark.parametrize("whole", [True, False])
    def test_is_found_and_used(self, offer, tmp_path, postponed, whole):
        theirs = types.ModuleType("their_package")
        exec(compile(postponed + THEIRS, "theirs", "exec", dont_inherit=True), vars(theirs))
        offer(theirs if whole else theirs.ENGINE)
        assert list(engines()) == sorted([*NAMES, "theirs"])
        vectors = save_vectors(tmp_path / "v", ["a"], np.eye(1, 3), texts=["x"], encoder={"model": "toy"})
        assert export(vectors, "theirs", str(tmp_path / "out"), size="7", share="0.5")["count"] == 1
        assert theirs.given == [str(tmp_path / "out"), 7, 0.5]

    def test_is_refused_where_it_is_none(self, offer):
        place = r"the entry point 'theirs' of align\.engines \(their_package\.engine:ENGINE\)"

        def missing():
            raise ModuleNotFoundError("No module named 'their_package'")

        for value, message in (
            (missing, rf"{place} does not load: No module named 'their_package'"),
            (types.ModuleType("their_package"), rf"{place} offers no engine"),
            (3, rf"{place} must offer align\.engines\.target\.Engine, got 3"),
            (
                Engine("npy", "x", engine("npy").open_target),
                r"two engines are called 'npy': of align\.engines\.npy and",
            ),
        ):
            offer(value)
            with pytest.raises(InputError, match=message):
                engines()


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only in a checkout of the source")
def test_the_engine_of_the_contributors_page_exports(tmp_path):
    package = contributed(tmp_path, "align.engines", "align/engines/jsonl.py", "CONTRIBUTING.md")
    sparse = SparseVectors(weights_matrix([{0: 0.1}, {}]), TERMS)
    save_vectors(
        tmp_path / "v", ["a", "b"], np.eye(2, 3), texts=["x", "é\u2028"], encoder={"model": "toy"}, part_rows=1,
        sparse=sparse,
    )  # fmt: skip
    for verb, told in (("export", '"sparse": true'), ("verify-export", '"passed": true')):
        done = package.run(verb, "v", "jsonl", "out")
        assert done.returncode == 0 and told in done.stdout, done.stderr
    written = (tmp_path / "out" / "rows.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line)["vector"] for line in written[:-1]] == np.eye(2, 3).tolist()
    assert [json.loads(line)["sparse"] for line in written[:-1]] == [{"0": 0.1}, {}]


@pytest.mark.parametrize("dialect", ["opensearch", "elasticsearch"])
def test_either_dialect_to_the_byte(tmp_path, dialect):
    vectors = save_vectors(
        tmp_path / "v", ["a", 'say "x"', "é\n"], np.array([[3, 4, 0], [0, 0, 2], [0, -8, -6]], np.float32),
        texts=["one", "två", "तीन"], encoder={"model": "toy", "pooling": "mean"}, languages=["eng", "swe", "hin"],
        scripts=["Latn", "Latn", "Deva"],
    )  # fmt: skip
    export(vectors, dialect, str(tmp_path / "out"), name="docs", m=24)
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.name[0] != "."}
    golden = Path(__file__).parent / "golden" / dialect
    assert written == {path.name: path.read_bytes() for path in golden.iterdir()}
    assert schema().described()["format"] in (golden / "index.json").read_text()

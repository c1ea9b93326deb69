from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from held import another_process

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.files import whole as files
from align.files.whole import read_json
from align.vectors.corpus import encoding as corpus_encoding
from align.vectors.corpus.encoding import encode
from align.vectors.corpus.rows import content_id
from align.vectors.folder import open_vectors, vectors_of
from align.vectors.writing import finished_parts, save_vectors


@pytest.fixture
def encoder(bert_folder):
    return load_encoder(bert_folder, device="cpu")


@pytest.fixture
def corpus(tmp_path):
    """Forty texts on 43 lines: one is blank, one is invalid, one is there twice; 10 lines make a part."""
    lines = [f"text {chr(97 + i % 26)}{chr(97 + i // 26)}".encode() for i in range(40)]
    lines[5:5] = [b"", b"\xff"]
    lines.append(lines[0])
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def texts_of(corpus):
    lines = corpus.read_bytes().split(b"\n")[:-2]
    return [line.decode() for line in lines if line and line != b"\xff"]


def contents(made, column="id"):
    return [value for table in made.tables() for value in table[column].to_pylist()]


def test_every_row_is_there_once_in_order(tmp_path, encoder, corpus):
    texts = texts_of(corpus)
    made = encode(encoder, [corpus], tmp_path / "o", part_rows=10, deterministic=True)
    assert (made.rows, made.dimension, made.manifest["rejected"]) == (40, 16, 3)
    assert contents(made) == [content_id(text) for text in texts]
    assert contents(made, "text") == texts
    expected = encoder.encode(texts, deterministic=True)
    assert np.array_equal(np.concatenate([vectors_of(table) for table in made.tables()]), expected)
    assert [part["rows"] for part in made.manifest["parts"]] == [8, 10, 10, 10, 2]
    rejects = [
        json.loads(line)
        for path in sorted((tmp_path / "o" / "rejects").iterdir())
        for line in path.read_text().splitlines()
    ]
    assert [(each["line"], each["reason"]) for each in rejects] == [
        (6, "the text is blank"), (7, "invalid UTF-8"), (43, f"the same text as {corpus}, line 1"),
    ]  # fmt: skip
    assert made.encoder == encoder.identity()
    inputs = made.manifest["inputs"]["corpus.txt"]
    assert inputs == {"number": 0, "bytes": corpus.stat().st_size, "sha256": files.sha256(corpus)}


def test_a_finished_folder_is_left_as_it_is(tmp_path, encoder, corpus, monkeypatch, caplog):
    encode(encoder, [corpus], tmp_path / "o", part_rows=10)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "o").rglob("*")}
    monkeypatch.setattr("align.vectors.corpus.encoding.survey", None)
    with caplog.at_level(logging.INFO):
        assert encode(encoder, [corpus], tmp_path / "o", part_rows=10).rows == 40
    assert "is complete: nothing is left to encode" in caplog.text
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "o").rglob("*")}


class Stop(Exception):
    pass


def stopped_after(monkeypatch, parts):
    """encode, stopped as by a crash after so many parts; which texts are encoded is noted."""
    from align.vectors.corpus import encoding as encode_corpus

    seen, real = [], encode_corpus.encode_chunk

    def counted(encoder, job, chunk, **given):
        if len(seen) == parts:
            raise Stop
        seen.append(chunk.number)
        return real(encoder, job, chunk, **given)

    monkeypatch.setattr(encode_corpus, "encode_chunk", counted)
    return seen


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_stopped_run_goes_on(tmp_path, encoder, corpus, monkeypatch, parts):
    whole = contents(encode(encoder, [corpus], tmp_path / "whole", part_rows=10))
    with monkeypatch.context() as patch:
        seen = stopped_after(patch, parts)
        with pytest.raises(Stop):
            encode(encoder, [corpus], tmp_path / "o", part_rows=10)
    assert seen == list(range(parts))
    with pytest.raises(InputError, match="is not complete: run the same align encode again"):
        open_vectors(tmp_path / "o")
    (tmp_path / "o" / ".part-00000.parquet.left").write_text("of a killed run")
    with monkeypatch.context() as patch:
        seen = stopped_after(patch, 100)
        patch.setattr("align.vectors.corpus.survey._read", None)  # the survey is kept
        made = encode(encoder, [corpus], tmp_path / "o", part_rows=10)
    assert seen == list(range(parts, 5))
    assert contents(made) == whole
    assert not list((tmp_path / "o").glob(".*"))


def test_parts_that_do_not_count_are_written_again(tmp_path, encoder, corpus, monkeypatch):
    out = tmp_path / "o"
    with monkeypatch.context() as patch:
        stopped_after(patch, 4)
        with pytest.raises(Stop):
            encode(encoder, [corpus], out, part_rows=10)
    truncated, stale, unrejected = (out / f"part-0000{number}.parquet" for number in (0, 1, 2))
    truncated.write_bytes(truncated.read_bytes()[:-1])
    about = read_json(stale.with_suffix(".json"))
    about["encoder"]["fingerprint"] = "of another encoder"
    stale.with_suffix(".json").write_text(json.dumps(about))
    unrejected.with_suffix(".json").unlink()
    with monkeypatch.context() as patch:
        seen = stopped_after(patch, 100)
        made = encode(encoder, [corpus], out, part_rows=10)
    assert seen == [0, 1, 2, 4]
    assert contents(made) == [content_id(text) for text in texts_of(corpus)]


def test_other_settings_are_refused(tmp_path, encoder, bert_folder, corpus, monkeypatch):
    out = tmp_path / "o"
    with monkeypatch.context() as patch:
        stopped_after(patch, 2)
        with pytest.raises(Stop):
            encode(encoder, [corpus], out, part_rows=10)
    other = load_encoder(bert_folder, layer=1, device="cpu")
    for model, given, match in [
        (encoder, {"part_rows": 11}, r"part_rows \(10 there, 11 now\)"),
        (encoder, {"dtype": "float16"}, r"dtype \(\"float32\" there, \"float16\" now\)"),
        (encoder, {"store_texts": False}, "store_texts"),
        (encoder, {"id": "line"}, "id"),
        (encoder, {"language": "eng_Latn"}, "language"),
        (encoder, {"deterministic": True}, "deterministic"),
        (encoder, {"romanize": True}, "romanizer"),
        (other, {}, "layer"),
    ]:
        with pytest.raises(InputError, match=f"was begun with other settings: .*{match}"):
            encode(model, [corpus], out, **{"part_rows": 10, **given})
    corpus.write_bytes(corpus.read_bytes() + b"more\n")
    with pytest.raises(InputError, match=r"inputs.corpus.txt.bytes"):
        encode(encoder, [corpus], out, part_rows=10)
    assert len(finished_parts(out)) == 2


def test_a_folder_without_a_part_may_begin_again(tmp_path, encoder, corpus, monkeypatch):
    with monkeypatch.context() as patch:
        stopped_after(patch, 0)
        with pytest.raises(Stop):
            encode(encoder, [corpus], tmp_path / "o", part_rows=10)
    assert encode(encoder, [corpus], tmp_path / "o", part_rows=20, id="line").rows == 41


def test_what_is_refused_leaves_nothing(tmp_path, encoder, corpus):
    twice = tmp_path / "twice.tsv"
    twice.write_text("id\ttext\nx\ta\nx\tb\n")
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    for path, match in [(twice, "id 'x' is there twice"), (empty, "is empty: there is nothing to encode")]:
        with pytest.raises(InputError, match=match):
            encode(encoder, [path], tmp_path / "o")
        assert not (tmp_path / "o").exists()
    assert encode(encoder, [twice], tmp_path / "o", id="line").rows == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    with pytest.raises(InputError, match="mine holds file, which is not of vectors that Align wrote"):
        encode(encoder, [corpus], tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


@pytest.mark.parametrize("damage", ["changed", "removed", "its note", "rejects", "survey too"])
def test_the_same_command_repairs_a_folder(tmp_path, encoder, corpus, damage, caplog):
    made = encode(encoder, [corpus], tmp_path / "o", part_rows=10, deterministic=True)
    vectors = np.concatenate([vectors_of(table) for table in made.tables()])
    manifest = (tmp_path / "o/manifest.json").read_bytes()
    part, others = tmp_path / "o/part-00000.parquet", [tmp_path / f"o/part-0000{i}.parquet" for i in range(1, 5)]
    stamps = [other.stat().st_mtime_ns for other in others]
    if damage == "removed":
        part.unlink()
    elif damage == "its note":
        part.with_suffix(".json").write_text("{")
    elif damage == "rejects":
        (tmp_path / "o/rejects/part-00000.jsonl").write_text("")
    else:
        part.write_bytes(part.read_bytes()[:-1] + b"x")
    if damage == "survey too":
        (tmp_path / "o/survey/survey.json").write_text("{")
    again = encode(encoder, [corpus], tmp_path / "o", part_rows=10, deterministic=True)
    assert "o was complete, and is damaged: what is missing is made again" in caplog.text
    again.check()
    assert np.array_equal(np.concatenate([vectors_of(table) for table in again.tables()]), vectors)
    assert [other.stat().st_mtime_ns for other in others] == stamps
    assert (tmp_path / "o/manifest.json").read_bytes() == manifest
    assert len((tmp_path / "o/rejects/part-00000.jsonl").read_text().splitlines()) == 2
    caplog.clear()
    encode(encoder, [corpus], tmp_path / "o", part_rows=10, deterministic=True)
    assert "damaged" not in caplog.text


def test_a_folder_that_another_process_writes(tmp_path, encoder, corpus):
    for begun in (False, True):
        with another_process(tmp_path / "o" / "manifest.json") as process:
            with pytest.raises(InputError, match=rf"o is being written by process {process.pid} \(align train\)"):
                encode(encoder, [corpus], tmp_path / "o")
            with pytest.raises(InputError, match="o is being written by process"):
                save_vectors(tmp_path / "o", ["a"], [[1.0]], texts=["a"], encoder={})
        assert encode(encoder, [corpus], tmp_path / "o").rows == 40 or not begun
    assert not [path.name for path in (tmp_path / "o").iterdir() if path.name.startswith(".")]


def test_nothing_of_anybody_else_goes_with_a_run_that_came_to_nothing(tmp_path, encoder, corpus):
    encode(encoder, [corpus], tmp_path / "o")
    for path in (tmp_path / "o").glob("part-*"):
        path.unlink()
    manifest = read_json(tmp_path / "o/manifest.json") | {"complete": False}
    (tmp_path / "o/manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "o/rejects/thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="o holds rejects/thesis.tex, which is not of vectors"):
        encode(encoder, [corpus], tmp_path / "o", dtype="float16")
    (tmp_path / "o/rejects/thesis.tex").rename(tmp_path / "thesis.tex")
    assert encode(encoder, [corpus], tmp_path / "o", dtype="float16").manifest["dtype"] == "float16"


def test_options_are_checked(tmp_path, encoder, corpus):
    for given, match in [
        ({"dtype": "int8"}, "dtype must be float32 or float16, got 'int8'"),
        ({"attention": "flash"}, "attention must be auto or padded"),
        ({"engine": "spark"}, "engine must be local or ray, got 'spark'"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"part_rows": 0}, "part_rows must be at least 1"),
        ({"workers": 2}, "an encoder in memory encodes as it is, in this process"),
        ({"attention": "padded"}, "an encoder in memory"),
        ({"layer": 1}, "an encoder in memory"),
    ]:
        with pytest.raises(InputError, match=match):
            encode(encoder, [corpus], tmp_path / "o", **given)
    with pytest.raises(InputError, match="no such model folder"):
        encode(tmp_path / "nothing", [corpus], tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path, encoder, corpus, monkeypatch):
    from align.vectors.corpus import encoding as encode_corpus

    real = encode_corpus.run_here

    def append(*given):
        real(*given)
        with corpus.open("a") as file:
            file.write("more\n")

    monkeypatch.setattr(encode_corpus, "run_here", append)
    with pytest.raises(InputError, match=r"corpus.txt was changed while it was encoded: remove"):
        encode(encoder, [corpus], tmp_path / "o", part_rows=10)

    def cut(corpus, *given, **more):
        found = survey(corpus, *given, **more)
        corpus.sources[0].path.write_text("one\n")
        return found

    survey = encode_corpus.survey
    monkeypatch.setattr(encode_corpus, "survey", cut)
    with pytest.raises(InputError, match="the corpus had 44 lines and now has 1: it was changed meanwhile"):
        encode(encoder, [corpus], tmp_path / "p", part_rows=10)


def test_a_full_disk_in_the_survey(tmp_path, encoder, corpus, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("align.vectors.corpus.repeats.Repeats.write", full)
    with pytest.raises(InputError, match="survey was not written: no space left on the disk"):
        encode(encoder, [corpus], tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_too_little_space_is_said_before(tmp_path, encoder, corpus, monkeypatch, caplog):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    encode(encoder, [corpus], tmp_path / "o")
    assert "the vectors need 0.0 GB" in caplog.text


@pytest.mark.parametrize("engine", ["workers", "ray_engine"])
def test_engines_may_answer_in_any_order(tmp_path, bert_folder, corpus, monkeypatch, engine):
    from types import ModuleType

    from align.vectors.corpus.parts import encode_chunk, load_job_encoder

    calls = []

    def run(job, chunks, **given):
        calls.append(given)
        encoder = load_job_encoder(job)
        for chunk in reversed(list(chunks)):
            yield encode_chunk(encoder, job, chunk)

    module = ModuleType(f"align.vectors.corpus.{engine}")
    module.run_workers = module.run_ray = run
    monkeypatch.setitem(sys.modules, f"align.vectors.corpus.{engine}", module)
    many = {"workers": 2} if engine == "workers" else {"workers": 2, "engine": "ray", "address": "auto"}
    made = encode(str(bert_folder), [corpus], tmp_path / "o", part_rows=10, device="cpu", **many)
    assert contents(made) == [content_id(text) for text in texts_of(corpus)]
    many.pop("engine", None)
    assert calls == [many]


KILLED = """
import sys
from pathlib import Path
import align.vectors.corpus.parts as parts
from align.vectors.corpus.encoding import encode
real = parts.write_part
def slow(out, number, *given):
    real(out, number, *given)
    Path(sys.argv[3], str(number)).touch()
    if number + 1 == int(sys.argv[4]):
        import time
        time.sleep(600)
parts.write_part = slow
encode(sys.argv[1], [sys.argv[2]], "o", part_rows=10, deterministic=True, device="cpu")
"""


def test_sigkill_and_again_gives_every_row_once(tmp_path, bert_folder, encoder, corpus):
    marks = tmp_path / "marks"
    marks.mkdir()
    words = [sys.executable, "-c", KILLED, str(bert_folder), str(corpus), str(marks)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running = subprocess.Popen([*words, "3"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if (marks / "2").exists() or running.poll() is not None:
                break
            time.sleep(0.1)
    finally:
        os.kill(running.pid, signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    out = tmp_path / "o"
    assert sorted(finished_parts(out)) == [0, 1, 2]
    written = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    (out / "part-00003.parquet").write_bytes(b"PAR1 half written")
    made = encode(encoder, [corpus], out, part_rows=10, deterministic=True)
    assert {path: path.stat().st_mtime_ns for path in written} == written
    texts = texts_of(corpus)
    assert contents(made) == [content_id(text) for text in texts]
    vectors = np.concatenate([vectors_of(table) for table in made.tables()])
    assert np.array_equal(vectors, encoder.encode(texts, deterministic=True))
    assert pq.read_table(out / "part-00003.parquet").num_rows == 10


def test_chunks_know_the_copies_behind_finished_ones(tmp_path):
    from align.vectors.corpus.rows import open_corpus
    from align.vectors.corpus.survey import copies_of, part_count, read_chunks, survey

    path = tmp_path / "a.txt"
    path.write_text("a\na\nb\nb\na\n")
    corpus = open_corpus([path])
    found = survey(corpus, tmp_path / "survey", of={})
    assert part_count(found, 2) == 3
    for finished in [(), {0}, {1}, {0, 1}]:
        chunks = read_chunks(corpus, found, copies_of(tmp_path / "survey"), part_rows=2, finished=finished)
        seen = {c.number: ([row.line for row in c.rows], [reject.line for reject in c.rejects]) for c in chunks}
        whole = {0: ([1], [2]), 1: ([3], [4]), 2: ([], [5])}
        assert seen == {number: lines for number, lines in whole.items() if number not in finished}


def test_shards_make_the_folder_that_one_makes(tmp_path, encoder, corpus):
    alone = encode(encoder, [corpus], tmp_path / "alone", part_rows=10, deterministic=True)
    for number in (3, 1, 2):
        made = encode(encoder, [corpus], tmp_path / "o", part_rows=10, deterministic=True, shard=f"{number}/3")
        assert made.manifest["complete"] is (number == 2)
        if number == 3:
            assert (made.rows, made.manifest["rejected"]) == (10, 0)
            assert sorted(finished_parts(tmp_path / "o")) == [2]
            with pytest.raises(InputError, match="is not complete"):
                open_vectors(tmp_path / "o")
    assert made.manifest == alone.manifest
    with pytest.raises(InputError, match="expected i/n"):
        encode(encoder, [corpus], tmp_path / "o", shard="4/3")


def test_shards_write_at_a_time(tmp_path, encoder, corpus):
    """While a shard encodes, another begins; it waits only for what is done before that and after."""
    inside = []

    encode_chunk = corpus_encoding.encode_chunk

    def meanwhile(*args, **options):
        if not inside:
            inside.append(1)
            done = encode(encoder, [corpus], tmp_path / "o", part_rows=10, shard="2/2")
            assert not done.manifest["complete"]
        return encode_chunk(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_encoding, "encode_chunk", meanwhile)
        made = encode(encoder, [corpus], tmp_path / "o", part_rows=10, shard="1/2")
    assert made.manifest["complete"] and made.rows == 40 and inside


def test_the_same_text_in_two_languages_is_a_row_in_each(tmp_path, encoder):
    (tmp_path / "eng_Latn.txt").write_text("Hotel\nhouse\nHotel\n")
    (tmp_path / "deu_Latn.txt").write_text("Hotel\nHaus\n")
    (tmp_path / "c.tsv").write_text("language\ttext\n\tHotel\neng_Latn\tTaxi\n")
    files = [tmp_path / name for name in ("eng_Latn.txt", "deu_Latn.txt", "c.tsv")]
    made = encode(encoder, files, tmp_path / "o")
    found = list(zip(contents(made, "language"), contents(made, "text"), strict=True))
    assert found == [
        ("eng_Latn", "Hotel"), ("eng_Latn", "house"), ("deu_Latn", "Hotel"), ("deu_Latn", "Haus"),
        ("", "Hotel"), ("eng_Latn", "Taxi"),
    ]  # fmt: skip
    assert len(set(contents(made))) == made.rows == 6
    assert made.manifest["rejected"] == 1  # the second English Hotel
    assert contents(encode(encoder, files[1:2], tmp_path / "again")) == contents(made)[2:4]


def test_a_content_id_tells_language_and_text_apart():
    ids = [content_id(*row) for row in (("b", "a"), ("b",), ("a", "b"), ("ab",), ("ab", ""), ("a\tb",), ("b", "aa"))]
    assert len(set(ids)) == 6 and ids[3] == ids[4] == hashlib.sha256(b"ab").hexdigest()[:32]

from __future__ import annotations

import dataclasses
import errno
import json
import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.text.romanize.romanizer import romanize, romanizer_version
from align.vectors.corpus.parts import (
    Chunk,
    Done,
    Job,
    encode_chunk,
    encoder_identity,
    load_job_encoder,
    romanized,
    script_of,
)
from align.vectors.corpus.rows import Reject, Row
from align.vectors.folder import vectors_of
from align.vectors.writing import begin, finish, finished_parts


@pytest.fixture
def encoder(bert_folder):
    return load_encoder(bert_folder, device="cpu")


def begun(out, encoder, *, romanize=False, dtype="float32", **given):
    settings = {"encoder": encoder_identity(encoder, romanize=romanize), "dimension": 16, "dtype": dtype}
    begin(out, settings)
    return Job(out, encoder.name, {"device": "cpu"}, romanize=romanize, dtype=dtype, **given)


ROWS = [
    Row("a", "abc", "eng_Latn", "Latn", 1, "f.txt"),
    Row("b", "αβγ", "", "", 2, "f.txt"),
    Row("c", "привет", "rus_Cyrl", "Cyrl", 4, "f.txt"),
    Row("d", "12", "", "", 5, "f.txt"),
]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("store_texts", [True, False])
def test_a_chunk_is_a_part(tmp_path, encoder, dtype, store_texts):
    job = begun(tmp_path / "o", encoder, dtype=dtype, store_texts=store_texts)
    seen = []
    reject = Reject("f.txt", 3, "the text is blank", None, "")
    done = encode_chunk(encoder, job, Chunk(0, ROWS, [reject]), progress=seen.append)
    assert done == Done(0, 4, 1) and done.lines == 5
    assert sum(seen) == 4
    (table,) = finish(tmp_path / "o", 1).tables()
    assert table["id"].to_pylist() == ["a", "b", "c", "d"]
    assert table["language"].to_pylist() == ["eng_Latn", "", "rus_Cyrl", ""]
    assert table["script"].to_pylist() == ["Latn", "Grek", "Cyrl", ""]
    assert ("text" in table.column_names) == store_texts
    expected = encoder.encode([row.text for row in ROWS]).astype(dtype)
    assert vectors_of(table).dtype == dtype and np.array_equal(vectors_of(table), expected)
    (line,) = (tmp_path / "o" / "rejects" / "part-00000.jsonl").read_text().splitlines()
    assert json.loads(line) == {"file": "f.txt", "line": 3, "reason": "the text is blank", "text": ""}


def test_texts_are_romanised_by_their_languages_and_stored_as_they_were(tmp_path, encoder):
    rows = [
        Row("1", "Їжак", "ukr_Cyrl", "Cyrl", 1, "f"), Row("2", "Їжак гора", "rus_Cyrl", "Cyrl", 2, "f"),
        Row("3", "αβ", "", "", 3, "f"), Row("4", "гора", "ukr_Cyrl", "Cyrl", 4, "f"),
    ]  # fmt: skip
    expected = [romanize([row.text], lang=row.language or None)[0] for row in rows]
    assert romanized([row.text for row in rows], [row.language for row in rows]) == expected
    assert romanize(["гора"], lang="ukr_Cyrl") != romanize(["гора"], lang="rus_Cyrl")  # else the test shows nothing
    job = begun(tmp_path / "o", encoder, romanize=True)
    encode_chunk(encoder, job, Chunk(0, rows))
    made = finish(tmp_path / "o", 1)
    (table,) = made.tables()
    assert made.encoder == encoder.identity() | {"romanizer": romanizer_version()}
    assert table["text"].to_pylist() == [row.text for row in rows]
    assert np.array_equal(vectors_of(table), encoder.encode(expected))


def test_a_vector_that_is_not_finite_is_a_reject(tmp_path, encoder):
    job = begun(tmp_path / "o", encoder)
    z = encoder.tokenizer.convert_tokens_to_ids("z")
    with torch.no_grad():
        encoder.body.embeddings.word_embeddings.weight[z] = float("nan")
    rows = [Row(str(i), text, "", "", i, "f") for i, text in enumerate(["ab", "az", "cd", "z"])]
    with pytest.raises(InputError, match="NaN or infinity for text 1: 'az'"):
        encoder.encode([row.text for row in rows])
    assert encode_chunk(encoder, job, Chunk(0, rows)) == Done(0, 2, 2)
    assert encode_chunk(encoder, job, Chunk(1, rows[3:])) == Done(1, 0, 1)  # a part without a row
    (table,) = finish(tmp_path / "o", 1).tables()
    assert table["id"].to_pylist() == ["0", "2"]
    assert np.array_equal(vectors_of(table), encoder.encode(["ab", "cd"]))
    lines = [json.loads(line) for line in (tmp_path / "o" / "rejects" / "part-00000.jsonl").read_text().splitlines()]
    assert lines[0] == {"file": "f", "line": 1, "id": "1", "text": "az", "reason": "the encoder gives NaN or infinity"}
    assert [line["id"] for line in lines] == ["1", "3"]


def test_a_vector_that_half_precision_cannot_hold_is_a_reject(tmp_path, encoder):
    encoder.unit = False
    job = begun(tmp_path / "o", encoder, dtype="float16")
    with torch.no_grad():
        encoder.model.base_model.encoder.layer[-1].output.LayerNorm.weight.mul_(1e6)
    assert encode_chunk(encoder, job, Chunk(0, ROWS[:2])) == Done(0, 0, 2)
    text = (tmp_path / "o" / "rejects" / "part-00000.jsonl").read_text()
    assert text.count("the vector does not fit float16") == 2


def test_finite_false_leaves_the_vectors(encoder):
    with torch.no_grad():
        encoder.body.embeddings.word_embeddings.weight[encoder.tokenizer.convert_tokens_to_ids("z")] = float("inf")
    found = encoder.encode(["ab", "z"], finite=False)
    assert np.array_equal(found[0], encoder.encode(["ab"])[0]) and np.isnan(found[1]).all()


def test_a_job_travels(encoder, tmp_path):
    job = begun(tmp_path / "o", encoder)
    chunk = Chunk(3, ROWS, [Reject("f", 1, "r")])
    assert pickle.loads(pickle.dumps((job, chunk, Done(1, 2, 3)))) == (job, chunk, Done(1, 2, 3))
    loaded = load_job_encoder(dataclasses.replace(job, attention="padded", load={"device": "cpu", "layer": None}))
    assert loaded.attention == "padded" and loaded.identity() == encoder.identity()


def test_another_encoder_of_the_same_name_is_refused(encoder, tmp_path):
    job = begun(tmp_path / "o", encoder)
    with pytest.raises(InputError, match=r"begun with another encoder than .*bert: .*layer \(2 there, 1 now\)"):
        load_job_encoder(dataclasses.replace(job, load={"layer": 1, "device": "cpu"}))
    with pytest.raises(InputError, match="romanizer"):
        load_job_encoder(dataclasses.replace(job, romanize=True))


def test_a_full_disk_is_one_sentence_and_nothing_counts(tmp_path, encoder, monkeypatch):
    job = begun(tmp_path / "o", encoder)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(InputError, match=r"part-00000.parquet was not written: no space left on the disk"):
            encode_chunk(encoder, job, Chunk(0, ROWS))
    assert finished_parts(tmp_path / "o") == {}
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["manifest.json"]
    assert encode_chunk(encoder, job, Chunk(0, ROWS)).rows == 4


@pytest.mark.parametrize(
    ("text", "script"), [("", ""), ("12 !", ""), ("abc где", "Latn"), ("กข", "Thai"), ("汉字かな", "Hani")]
)
def test_script_of(text, script):
    assert script_of(text) == script

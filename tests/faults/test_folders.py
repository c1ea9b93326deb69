"""Folders that somebody else made, to do harm."""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import pickle
import shutil
import sys

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from killed import train_toy
from result_dicts import result, score

from align.encoders.checkpoint import load_encoder
from align.encoders.offsets.folder import open_offsets
from align.encoders.saving import save_encoder
from align.errors import InputError
from align.evaluation.results import result_name
from align.evaluation.vocabulary_cache import cached
from align.files.folders import MARK
from align.files.whole import read_lines
from align.pairs.reading.table import read_pairs
from align.pairs.table import write_pairs
from align.training import resume
from align.training.store import build_store, open_store
from align.vectors.folder import open_vectors
from align.vectors.writing import save_vectors


@pytest.fixture
def payload(tmp_path):
    """What runs a command when it is unpickled; the test fails if it ran."""

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    yield Payload()
    assert not (tmp_path / "ran").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    home = tmp_path_factory.mktemp("trained")
    tiny_bert().save_pretrained(home / "bert")
    tiny_tokenizer().save_pretrained(home / "bert")
    train_toy(home / "bert", home / "out", steps=6, save_every=4)
    return home


@pytest.mark.parametrize("how", ["pickle", "torch"])
@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "model.safetensors"])
def test_S1_a_pickle_in_a_checkpoint(trained, tmp_path, payload, name, how):
    """A file of a checkpoint, whose hashes agree, is a pickle that runs a command.

    It does not run; resuming is refused with a sentence.
    """
    work = tmp_path / "out.checkpoints"
    shutil.copytree(trained / "out.checkpoints", work)
    shutil.rmtree(work / "checkpoint-6")  # of the last step, where nothing is drawn any more
    folder = work / "checkpoint-4"
    settings = json.loads((folder / "run.json").read_text())
    if how == "pickle":
        (folder / name).write_bytes(pickle.dumps(payload))
    else:
        torch.save({"state": payload}, folder / name)
    resume.seal(folder, settings)
    with pytest.raises(InputError, match="checkpoint-4 cannot be resumed: "):
        train_toy(trained / "bert", tmp_path / "out", steps=6, save_every=4, resume=True)


def test_S1_a_pickle_that_nobody_reads(trained, tmp_path, payload):
    """A checkpoint holds a pickle in place of training_args.bin, of which nothing is read.

    It does not run; the run goes on.
    """
    work = tmp_path / "out.checkpoints"
    shutil.copytree(trained / "out.checkpoints", work)
    for folder in work.iterdir():
        (folder / "training_args.bin").write_bytes(pickle.dumps(payload))
        resume.seal(folder, json.loads((folder / "run.json").read_text()))
    train_toy(trained / "bert", tmp_path / "out", steps=6, save_every=4, resume=True)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_S1_a_pickle_in_a_model(bert_folder, payload, name):
    """The weights of a model folder are a pickle that runs a command.

    It does not run; the folder is refused with a sentence.
    """
    (bert_folder / "model.safetensors").unlink()
    torch.save({"bert.embeddings": payload}, bert_folder / name)
    with pytest.raises(InputError, match="cannot be loaded: "):
        load_encoder(bert_folder)


def test_S1_a_pickle_in_an_array(bert_folder, tmp_path, payload):
    """An array of a store or of offsets, whose hash agrees, holds objects: pickles that run a command.

    They do not run; the folder is refused with a sentence.
    """
    from toy import table

    evil = tmp_path / "evil.npy"
    np.save(evil, np.array([payload], dtype=object), allow_pickle=True)
    about = {"bytes": evil.stat().st_size, "sha256": hashlib.sha256(evil.read_bytes()).hexdigest()}
    build_store(table(), load_encoder(bert_folder), max_tokens=16, cache=tmp_path / "stores")
    (store,) = (tmp_path / "stores").iterdir()
    shutil.copy(evil, store / "scores.npy")
    change(store / "store.json", lambda manifest: manifest["files"].update({"scores.npy": about}))
    with pytest.raises(InputError, match="scores.npy is damaged: .*Python objects"):
        open_store(store, verify=True)
    (tmp_path / "offsets").mkdir()
    shutil.copy(evil, tmp_path / "offsets" / "offsets.npy")
    manifest = {"format": "align-offsets/1", "method": "centre", "languages": {}, "rows": 1, "encoder": {}}
    (tmp_path / "offsets/manifest.json").write_text(json.dumps(manifest | {"sha256": about["sha256"]}))
    with pytest.raises(InputError, match="offsets.npy is damaged: Object arrays cannot be loaded"):
        open_offsets(tmp_path / "offsets")


def change(path, how):
    """As somebody would who knows the format: without the seal, which is his to make."""
    value = json.loads(path.read_text())
    value.pop("seal", None)
    how(value)
    path.write_text(json.dumps(value))


EVIL = """
from pathlib import Path
Path(r"{mark}").touch()
from sentence_transformers.sentence_transformer.modules import Dense as Evil
from transformers import BertConfig as Config, BertForMaskedLM as Model, BertTokenizer as Tok
"""


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """Code that must not run, whatever is asked; and nobody is there to be asked."""
    mark = tmp_path / "ran"
    monkeypatch.setattr(builtins, "input", lambda *_: "y")
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil_here.py").write_text(EVIL.format(mark=mark))
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(folder):
        (folder / "evil.py").write_text(EVIL.format(mark=mark))

    yield put
    assert not mark.exists()
    assert "evil_here" not in sys.modules


@pytest.mark.parametrize("name", ["evil.Evil", "evil_here.Evil"])
def test_S2_modules_json_names_a_class(bert_folder, tmp_path, evil, name):
    """modules.json names a class of a file beside it, or of a module that can be imported.

    It is not imported; the folder is refused with a sentence, as sentence-transformers wrote it or as Align did.
    """
    encoder = load_encoder(bert_folder)
    encoder.tail.append(torch.nn.Identity())
    from sentence_transformers.sentence_transformer.modules import Dense

    encoder.tail[0] = Dense(16, 16)
    save_encoder(encoder, tmp_path / "saved")
    evil(tmp_path / "saved")
    (tmp_path / "saved" / MARK).unlink()
    modules = json.loads((tmp_path / "saved" / "modules.json").read_text())
    dense = next(module for module in modules if module["type"].endswith("Dense"))
    dense["type"] = name
    (tmp_path / "saved" / "modules.json").write_text(json.dumps(modules))
    for _ in range(2):
        with pytest.raises(InputError, match=f"cannot be loaded: .*references the module class '{name}'"):
            load_encoder(tmp_path / "saved")
        (tmp_path / "saved" / "align.json").unlink(missing_ok=True)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("writer", ["transformers", "sentence-transformers"])
def test_S2_auto_map(bert_folder, tmp_path, evil, writer, file):
    """config.json or tokenizer_config.json names classes of a file beside it (auto_map), and a kind that nobody knows.

    Nobody is asked, nothing runs: the folder is refused with a sentence, or read without that file.
    """
    folder = bert_folder
    if writer != "transformers":
        save_encoder(load_encoder(bert_folder), folder := tmp_path / "saved")
        (folder / MARK).unlink()
        (folder / "align.json").unlink()
    evil(folder)
    names = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoModelForMaskedLM": "evil.Model",
             "AutoTokenizer": ["evil.Tok", "evil.Tok"]}  # fmt: skip
    unknown = {"model_type": "evil", "architectures": ["Evil"], "tokenizer_class": "Evil"}
    expected = load_encoder(folder).encode(["abc"])
    for more in ({"auto_map": names}, unknown):
        change(folder / file, lambda config, more=more: config.update(more))
        try:
            assert np.array_equal(load_encoder(folder).encode(["abc"]), expected)
        except InputError as error:
            assert "cannot be loaded" in str(error)


LEADING_OUT = "names a file .*which is not in it"


def test_S4_manifests_that_name_files_elsewhere(bert_folder, tmp_path):
    """A manifest names a file by a path that leads out of its folder: of vectors, a store, pairs, a model's parts.

    Refused with the name, before the file is read.
    """
    from toy import table

    vectors = save_vectors(tmp_path / "v", ["a"], np.eye(1, 4), texts=["a"], encoder={})
    shutil.copy(tmp_path / "v" / "part-00000.parquet", tmp_path / "part-00000.parquet")
    for name in ("../part-00000.parquet", str(tmp_path / "part-00000.parquet")):
        change(vectors.folder / "manifest.json", lambda m, name=name: m["parts"][0].update(name=name))
        with pytest.raises(InputError, match=LEADING_OUT):
            list(open_vectors(vectors.folder).tables())
    build_store(table(), load_encoder(bert_folder), max_tokens=16, cache=tmp_path / "stores")
    (store,) = (tmp_path / "stores").iterdir()
    np.save(tmp_path / "stores" / "x.npy", np.eye(2))
    change(store / "store.json", lambda manifest: manifest["files"].update({"../x.npy": {}}))
    for verify in (True, False):
        with pytest.raises(InputError, match=LEADING_OUT):
            open_store(store, verify=verify)
    write_pairs(({**row, "kind": "toy"} for row in table()), tmp_path / "pairs", manifest={})
    change(tmp_path / "pairs" / "manifest.json", lambda manifest: manifest["files"].update({"../v/manifest.json": ""}))
    with pytest.raises(InputError, match=LEADING_OUT):
        read_pairs(tmp_path / "pairs")
    save_encoder(load_encoder(bert_folder), tmp_path / "saved")
    change(tmp_path / "saved" / MARK, lambda mark: mark["files"].update({"../bert/config.json": ""}))
    with pytest.raises(InputError, match=LEADING_OUT):
        load_encoder(tmp_path / "saved")
    for file in (MARK, "align.json"):
        (tmp_path / "saved" / file).unlink()
    modules = json.loads((tmp_path / "saved" / "modules.json").read_text())
    modules[0]["path"] = "../bert"
    (tmp_path / "saved" / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match="cannot be loaded: Invalid model path '../bert'"):
        load_encoder(tmp_path / "saved")


def test_S4_names_that_lead_out_are_no_part_of_a_path(tmp_path):
    """A language, a task, a benchmark or a model is called ../../x.

    Files that are named by it stay in their folder.
    """
    hostile = "../../x"
    name = result_name(result(hostile, [score(hostile, [1.0])], benchmark=hostile, task=hostile))
    assert "/" not in name and not name.startswith(".")
    (tmp_path / "a" / "b" / "cache").mkdir(parents=True)
    read = cached(lambda words, language: np.eye(2, dtype=np.float32), encoder={}, folder=tmp_path / "a/b/cache")
    read(["one", "two"], hostile)
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and not [*(tmp_path / "a" / "b").glob("x*")]
    assert len(list((tmp_path / "a" / "b" / "cache").iterdir())) == 1


def test_S4_archives_are_not_unpacked(tmp_path):
    """An archive is given whose member is called ../x.

    No archive is unpacked: its files are read where they lie, and those whose names lead out of it are not read.
    """
    import zipfile

    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        archive.writestr("../x.txt", "text")
    with pytest.raises(InputError, match="corpus.zip is an archive without a file in it"):
        list(read_lines(tmp_path / "corpus.zip"))
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.zip"]

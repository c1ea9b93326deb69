"""Disks are full, may not be written to, or fail."""

from __future__ import annotations

import errno
import os
import sys

import numpy as np
import pytest
import torch
from killed import train_toy
from toy import words
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.encoders.saving import save_encoder
from align.errors import InputError
from align.evaluation.vocabulary_cache import cached
from align.files.folders import whole_folder
from align.files.whole import read_json, read_lines, sha256, whole_file, write_json
from align.indexes.build import save_index
from align.indexes.index import load_index
from align.training.resume import checkpoints, undamaged
from align.vectors.corpus.encoding import encode
from align.vectors.writing import finished_parts

FULL = "no space left on the disk"


class Fill(TrainerCallback):
    """Leaves so many kilobytes on a disk before a step."""

    def __init__(self, place, step, kilobytes):
        self.place, self.step, self.kilobytes = place, step, kilobytes

    def on_step_begin(self, args, state, control, **_):
        if state.global_step == self.step:
            left = os.statvfs(self.place)
            (self.place / "filler").write_bytes(bytes(left.f_bavail * left.f_frsize - 1024 * self.kilobytes))


@pytest.mark.parametrize("kilobytes", [0, 20, 60, 120])
def test_T12_full_while_a_checkpoint_is_written(bert_folder, tmp_path, disk, kilobytes):
    """The disk is full while a checkpoint is written: before it, in its weights, in its optimizer.

    The run ends with a sentence, nothing is left of the checkpoint, and the run goes on from the one before.
    """
    place = disk(1024)
    with pytest.raises(InputError, match=rf"checkpoint-4.* was not written: .*{FULL}.*; the checkpoints before it are"):
        train_toy(bert_folder, place / "out", steps=6, callbacks=[Fill(place, 2, kilobytes)])
    (place / "filler").unlink()
    (kept,) = (place / "out.checkpoints").iterdir()
    assert kept.name == "checkpoint-2" and undamaged(kept) and not (place / "out").exists()
    assert train_toy(bert_folder, place / "out", steps=6) == train_toy(bert_folder, tmp_path / "whole", steps=6)


@pytest.mark.parametrize("kilobytes", [0, 30, 70])
def test_T12_full_while_the_encoder_is_saved(bert_folder, disk, kilobytes):
    """The disk is full while the trained encoder is saved over an older one.

    A sentence; the older one is there whole.
    """
    place = disk(1024)
    encoder = load_encoder(bert_folder)
    save_encoder(encoder, place / "out")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    left = os.statvfs(place)
    (place / "filler").write_bytes(bytes(left.f_bavail * left.f_frsize - 1024 * kilobytes))
    with torch.no_grad():
        next(encoder.parameters()).add_(1.0)
    with pytest.raises(InputError, match=rf"out was not written: .*{FULL}"):
        save_encoder(encoder, place / "out")
    (place / "filler").unlink()
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_T13_a_disk_that_may_not_be_written_to(bert_folder, disk):
    """The disk becomes read-only while a run trains.

    It ends with a sentence at its next checkpoint; the one before is whole.
    """
    place = disk(4096)

    class Seal(TrainerCallback):
        def on_save(self, *given, **named):
            disk.seal()

    with pytest.raises(InputError, match=r"checkpoint-4.* was not written: Read-only file system; the checkpoints bef"):
        train_toy(bert_folder, place / "out", steps=6, callbacks=[Seal()])
    assert undamaged(*checkpoints(place / "out.checkpoints"))
    with pytest.raises(InputError, match="was not written: Read-only file system"):
        train_toy(bert_folder, place / "out", steps=6)
    with pytest.raises(InputError, match="was not written: Read-only file system"):
        write_json(place / "x.json", {})
    with pytest.raises(InputError, match="was not written: Read-only file system"):
        save_index(place / "index", np.eye(2), ["a", "b"], encoder={})


def test_E8_full_in_the_middle_of_a_corpus(bert_folder, tmp_path, disk):
    """The disk is full while parts of a corpus are written.

    A sentence; the parts that are there are whole, none is half there, and the same command goes on once there is room.
    """
    place, many = disk(2_500), words(20_000)
    (tmp_path / "corpus.txt").write_text("\n".join(many), encoding="utf-8")
    options = {"part_rows": 1_000}
    encoder = load_encoder(bert_folder)
    with pytest.raises(InputError, match=rf"was not written: {FULL}"):
        encode(encoder, [tmp_path / "corpus.txt"], place / "out", **options)
    parts = finished_parts(place / "out")
    assert 0 < len(parts) < 20 and len(list((place / "out").glob("part-*.parquet"))) == len(parts)
    assert not list((place / "out").glob(".part*"))
    disk._run("mount", "-o", "remount,size=20m")
    assert encode(encoder, [tmp_path / "corpus.txt"], place / "out", **options).rows == len(set(many))


def test_I4_full_while_an_index_is_written(disk):
    """The disk is full while an index is written over an older one.

    A sentence; the older one is there whole, and nothing else.
    """
    place = disk(256)
    save_index(place / "index", np.eye(4, dtype=np.float32), list("abcd"), encoder={})
    with pytest.raises(InputError, match=rf"index was not written: {FULL}"):
        save_index(place / "index", np.ones((4_000, 64), dtype=np.float32), [str(i) for i in range(4_000)], encoder={})
    assert load_index(place / "index").rows == 4
    assert [path.name for path in place.iterdir()] == ["index"]


def test_V7_full_while_a_cache_is_written(disk, caplog):
    """The disk is full where vectors of vocabularies are kept.

    A warning; the vectors are those that were computed, and nothing is left on the disk.
    """
    place = disk(64)
    vectors = np.ones((2_000, 16), dtype=np.float32)
    read = cached(lambda words, language: vectors, encoder={}, folder=place)
    assert read([str(i) for i in range(2_000)], "eng_Latn") is vectors
    assert "the vectors of 2000 words were not cached" in caplog.text and FULL in caplog.text
    assert list(place.iterdir()) == []


def test_T13_a_file_that_cannot_be_flushed(tmp_path, monkeypatch):
    """The disk takes the bytes of a file and fails (EIO) when they are to be flushed.

    A sentence; the older file, or folder, is there whole, and nothing else.
    """
    (tmp_path / "a").write_text("older")
    with whole_folder(tmp_path / "f", kind="index") as folder:
        (folder / "x").write_text("older")

    def failing(handle):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(InputError, match="a was not written: Input/output error"), whole_file(tmp_path / "a") as file:
        file.write_text("newer")
    with (
        pytest.raises(InputError, match=r"f.new/.* was not written: Input/output error"),
        whole_folder(tmp_path / "f", kind="index") as folder,
    ):
        (folder / "x").write_text("newer")
    assert (tmp_path / "a").read_text() == (tmp_path / "f" / "x").read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "f"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, of which one file cannot be read")
def test_T13_a_file_that_cannot_be_read(tmp_path, align):
    """A file is there and can be opened, but the disk fails (EIO) when it is read.

    A sentence with its name, in the library and on the command line; never an empty or a half-read text.
    """
    for name in ("corpus.txt", "manifest.json"):
        (tmp_path / name).symlink_to("/proc/self/mem")  # its first bytes are nobody's: EIO
    for read in (lambda path: list(read_lines(path)), sha256, read_json):
        with pytest.raises(OSError, match="Input/output error") as raised:
            read(tmp_path / ("manifest.json" if read is read_json else "corpus.txt"))
        assert raised.value.filename
    message = align("encode", "seed", "corpus.txt", "--out", "out", code=2).err
    assert message.strip().endswith("corpus.txt: Input/output error") and not (tmp_path / "out").exists()

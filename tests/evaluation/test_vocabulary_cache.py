from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from align.errors import InputError
from align.evaluation.vocabulary_cache import cache_folder, cached
from align.files.whole import read_json

WORDS = ["dog", "cat", "no\u00a0one", "日本"]
MADE_BY = {"fingerprint": "f00", "pooling": {"layer": 3}, "unit": True}


class Encode:
    def __init__(self, scale: float = 1.0) -> None:
        self.calls, self.scale = 0, scale

    def __call__(self, words: Sequence[str], language: str) -> np.ndarray:
        self.calls += 1
        return np.arange(len(words) * 3, dtype=np.float64).reshape(-1, 3) * self.scale + len(language)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_a_vocabulary_is_encoded_once(tmp_path) -> None:
    encode = Encode()
    first = cached(encode, encoder=MADE_BY, folder=tmp_path)(WORDS, "eng_Latn")
    second = cached(encode, encoder=dict(reversed(MADE_BY.items())), folder=tmp_path)(tuple(WORDS), "eng_Latn")
    assert encode.calls == 1
    assert first.dtype == second.dtype == np.float32
    assert np.array_equal(first, second) and np.array_equal(first, encode(WORDS, "eng_Latn"))
    assert len(entries(tmp_path)) == 1


def test_what_decides_the_vectors_decides_the_entry(tmp_path) -> None:
    encode = Encode()
    run = cached(encode, encoder=MADE_BY, folder=tmp_path)
    run(WORDS, "eng_Latn")
    other = cached(encode, encoder=MADE_BY | {"pooling": {"layer": 2}}, folder=tmp_path)
    for call in (
        lambda: other(WORDS, "eng_Latn"),
        lambda: run(WORDS, "deu_Latn"),
        lambda: run(WORDS[:3], "eng_Latn"),
        lambda: run(WORDS[::-1], "eng_Latn"),
        lambda: run(["dog", "cat", "no one", "日本"], "eng_Latn"),
    ):
        before = encode.calls
        call()
        assert encode.calls == before + 1
        call()
        assert encode.calls == before + 1
    assert len(entries(tmp_path)) == 6


def test_a_damaged_entry_is_encoded_anew(tmp_path, caplog) -> None:
    encode = Encode()
    run = cached(encode, encoder=MADE_BY, folder=tmp_path)
    expected = np.array(run(WORDS, "eng_Latn"))
    (entry,) = entries(tmp_path)

    def damage_vectors() -> None:
        data = bytearray((entry / "vectors.npy").read_bytes())
        data[-1] ^= 1
        (entry / "vectors.npy").write_bytes(data)

    def other_words() -> None:
        from align.indexes.build import save_index

        save_index(entry, expected, ["a", "b", "c", "d"], encoder=MADE_BY | {"language": "eng_Latn"})

    def other_encoder() -> None:
        manifest = read_json(entry / "manifest.json")
        manifest["encoder"]["unit"] = False
        (entry / "manifest.json").write_text(json.dumps(manifest))

    def no_json() -> None:
        (entry / "manifest.json").write_text("{")

    for calls, damage in enumerate((damage_vectors, other_words, other_encoder, no_json), 2):
        damage()
        caplog.clear()
        assert np.array_equal(run(WORDS, "eng_Latn"), expected)
        assert encode.calls == calls
        assert "encoded anew" in caplog.text
        assert np.array_equal(run(WORDS, "eng_Latn"), expected)
        assert encode.calls == calls  # it was written again


def test_an_unfinished_entry_does_not_count(tmp_path) -> None:
    encode = Encode()
    run = cached(encode, encoder=MADE_BY, folder=tmp_path)
    run(WORDS, "eng_Latn")
    (entry,) = entries(tmp_path)
    (entry / "manifest.json").unlink()
    run(WORDS, "eng_Latn")
    assert encode.calls == 2


def test_vectors_that_cannot_be_kept_are_still_returned(tmp_path, caplog) -> None:
    encode = Encode(scale=float("nan"))
    vectors = cached(encode, encoder=MADE_BY, folder=tmp_path)(WORDS, "eng_Latn")
    assert np.isnan(vectors).all()  # the task names the word
    assert entries(tmp_path) == []
    assert "eng_Latn: the vectors of 4 words were not cached: " in caplog.text


def test_the_users_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "align" / "vocabularies"
    cached(Encode(), encoder=MADE_BY)(WORDS, "eng_Latn")
    (entry,) = entries(cache_folder())
    assert entry.name.startswith("eng_Latn-")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "align" / "vocabularies"


def test_a_folder_that_cannot_be_written_to(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as raised:
        cached(Encode(), encoder=MADE_BY, folder=tmp_path / "file")
    assert str(raised.value).startswith(f"the vocabulary cache {tmp_path / 'file'} cannot be written to: ")


def test_it_says_where_vectors_come_from(tmp_path, caplog) -> None:
    caplog.set_level(logging.INFO)
    run = cached(Encode(), encoder=MADE_BY, folder=tmp_path)
    run(WORDS, "eng_Latn")
    assert caplog.text == ""
    run(WORDS, "eng_Latn")
    assert f"eng_Latn: vectors of 4 words read from {entries(tmp_path)[0]}" in caplog.text

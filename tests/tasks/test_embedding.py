from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from align.errors import InputError
from align.tasks.embedding import remembered


class Lengths:
    """The vector of a text is its length and its number of a's; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str], language: str) -> np.ndarray:
        self.asked.append([language, *texts])
        return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)


def test_each_text_of_the_language_is_encoded_once() -> None:
    plain, asked = Lengths(), Lengths()
    encode = remembered(asked, "eng_Latn")
    calls = [
        (["ab", "c", "ab"], "eng_Latn"), (["ab"], "deu_Latn"), (["c", "add", "ab", "add"], "eng_Latn"),
        (["ab"], "deu_Latn"), (["add", "c"], "eng_Latn"),
    ]  # fmt: skip
    for texts, code in calls:
        found = np.asarray(encode(texts, code))
        assert found.dtype == np.float32
        assert (found == plain(texts, code)).all()
    assert asked.asked == [
        ["eng_Latn", "ab", "c"], ["deu_Latn", "ab"], ["eng_Latn", "add"], ["deu_Latn", "ab"],
    ]  # fmt: skip


def test_no_more_vectors_are_kept_than_was_said() -> None:
    asked = Lengths()
    encode = remembered(asked, "eng_Latn", most=2)
    for _ in range(2):
        assert np.asarray(encode(["a", "bb", "ccc", "ccc"], "eng_Latn")).tolist() == [[1, 1], [2, 0], [3, 0], [3, 0]]
    assert asked.asked == [["eng_Latn", "a", "bb", "ccc"], ["eng_Latn", "ccc"]]


def test_too_few_vectors_are_refused() -> None:
    encode = remembered(lambda texts, _: np.ones((1, 2)), "eng_Latn")
    with pytest.raises(InputError, match="eng_Latn: the encoder returned 1 embeddings for 2 texts"):
        encode(["a", "b"], "eng_Latn")

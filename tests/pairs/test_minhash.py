from __future__ import annotations

import numpy as np
import pytest

from align.pairs import minhash
from align.pairs.minhash import BANDS, MISSED, NearTexts, ngrams, rows_of_a_band


def texts_with_copies(n: int, seed: int = 0) -> list[str]:
    """Random texts of a few letters, and copies of them with some letters changed."""
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(n):
        text = rng.integers(97, 123, rng.integers(1, 90))
        texts.append(text)
        for changes in (1, 2, 4):
            copy = text.copy()
            copy[rng.integers(0, len(copy), changes)] = 0x0915 + changes
            texts.append(copy)
    return list(dict.fromkeys("".join(map(chr, text)) for text in texts))


def jaccard(a: str, b: str, n: int) -> float:
    grams = [{text[i : i + n] for i in range(len(text) - n + 1)} or {text} for text in (a, b)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


@pytest.mark.parametrize(("threshold", "n"), [(0.5, 3), (0.8, 5), (1.0, 5)])
def test_it_finds_what_comparing_all_pairs_finds(threshold: float, n: int) -> None:
    texts = texts_with_copies(40)
    queries = texts_with_copies(40)[::-1] + texts_with_copies(20, seed=1)
    expected = {
        (q, t): jaccard(query, text, n)
        for q, query in enumerate(queries)
        for t, text in enumerate(texts)
        if jaccard(query, text, n) >= threshold
    }
    found = {(q, t): j for q, t, j in NearTexts(texts, threshold=threshold, n=n).search(queries)}
    assert len(expected) >= len(texts)
    assert found == pytest.approx(expected)
    assert list(found) == sorted(found)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_with_copies(30)
    whole = list(NearTexts(texts, threshold=0.7).search(texts))
    monkeypatch.setattr(minhash, "BLOCK_CHARACTERS", 100)
    assert list(NearTexts(texts, threshold=0.7).search(texts)) == whole


def test_candidates_are_few_and_a_function_of_the_seed() -> None:
    texts = texts_with_copies(100)
    index = NearTexts(texts, threshold=0.8)
    pairs = list(index._candidates(texts))
    assert len(texts) <= len(pairs) < 0.05 * len(texts) ** 2
    assert pairs == list(NearTexts(texts, threshold=0.8)._candidates(texts))
    assert pairs != list(NearTexts(texts, threshold=0.8, seed=1)._candidates(texts))


@pytest.mark.parametrize(("threshold", "rows"), [(0.5, 1), (0.8, 5)])
def test_bands_agree_as_often_as_the_jaccard_says(threshold: float, rows: int) -> None:
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 60)))
    a, b = letters[:55], letters[3:]
    agree = []
    for seed in range(60):
        keys = NearTexts([a], threshold=threshold, seed=seed)._band_keys([a, b])
        agree.append((keys[:, 0] == keys[:, 1]).mean())
    assert np.mean(agree) == pytest.approx(jaccard(a, b, 5) ** rows, abs=0.04)


def test_ngrams_by_hand() -> None:
    assert ngrams("abcab", 2) == {"ab", "bc", "ca"}
    assert ngrams("ab", 3) == {"ab"}
    # {abc bcd cde} and {abc bcd cdx}: 2 of 4
    assert list(NearTexts(["abcde"], threshold=0.5, n=3).search(["abcdx", "zzzzz"])) == [(0, 0, 0.5)]


def test_rows_of_a_band_by_hand() -> None:
    assert [rows_of_a_band(threshold) for threshold in (0.5, 0.8, 0.9, 1.0)] == [1, 5, 8, 8]
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        assert (1 - threshold ** rows_of_a_band(threshold)) ** BANDS <= MISSED

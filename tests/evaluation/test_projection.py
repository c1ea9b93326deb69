from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from align.errors import InputError
from align.evaluation import projection
from align.evaluation.projection import pca, sentence_map

TEXTS = {
    "eng_Latn": ["one", "two", "three", "four"],
    "hin_Deva": ["एक", "दो", " ", "चार"],
    "deu_Latn": ["eins", "zwei", "drei", "vier"],
}


def encode(texts, code):
    seeds = [[ord(c) for c in text] for text in texts]
    return np.array([np.random.default_rng(seed).standard_normal(6) for seed in seeds])


def test_pca_is_the_eigenvectors_of_the_covariance():
    rows = np.random.default_rng(0).standard_normal((30, 5)) * [5, 3, 1, 1, 1]
    flat, explained = pca(rows)
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    for k in (0, 1):
        axis = vectors[:, -1 - k]
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
        assert flat[:, k] == pytest.approx((rows - rows.mean(0)) @ axis, abs=1e-9)
        assert explained[k] == pytest.approx(values[-1 - k] / values.sum())


def test_pca_by_hand():
    flat, explained = pca(np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 2.0]]))
    assert flat == pytest.approx(np.array([[-1, 0], [1, 0], [0, 0]]))
    assert explained == pytest.approx([1, 0])


@pytest.mark.parametrize("rows", [np.ones((1, 3)), np.ones((4, 3)), np.zeros((2, 1)), np.array([[1.0], [2.0]])])
def test_pca_of_little(rows):
    flat, explained = pca(rows)
    assert flat.shape == (len(rows), 2) and np.isfinite(flat).all()
    assert explained == ([1.0, 0.0] if np.ptp(rows) else [0.0, 0.0])


def test_every_sentence_has_its_place_and_translation():
    found = sentence_map(encode, TEXTS, lines=10)
    vectors = np.vstack([encode([line for line in lines if line.strip()], "") for lines in TEXTS.values()])
    flat, explained = pca(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert np.array([[p["x"], p["y"]] for p in found["points"]]) == pytest.approx(flat, abs=2e-5)
    assert found["explained"] == pytest.approx(explained, abs=1e-5)
    told = [(p["language"], p["script"], p["text"], p["translation"]) for p in found["points"]]
    assert len(told) == 11
    assert told[6] == ("hin_Deva", "Deva", "चार", "four")
    assert (found["method"], found["missing"]) == ("pca", [])
    assert found == sentence_map(encode, TEXTS, lines=10)


def test_lines_that_most_languages_have_come_first():
    found = sentence_map(encode, TEXTS, lines=3)
    assert [p["text"] for p in found["points"] if p["language"] == "deu_Latn"] == ["eins", "zwei", "vier"]


def test_another_pivot_and_none():
    assert sentence_map(encode, TEXTS, lines=1, pivot="deu_Latn")["points"][0]["translation"] == "eins"
    assert sentence_map(encode, TEXTS, lines=1, pivot="fra_Latn")["points"][0]["translation"] == ""


def test_a_language_without_a_line_is_named():
    found = sentence_map(encode, {"eng_Latn": ["a", "b"], "hin_Deva": ["", " "]})
    assert found["missing"] == ["hin_Deva"]
    assert {p["language"] for p in found["points"]} == {"eng_Latn"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "tsne"}, "unknown method 'tsne' of a sentence map: expected pca or umap"),
        ({"lines": 0}, "at least one line of each language, got lines=0"),
        ({"texts": {"eng_Latn": [" "]}}, "needs text: all lines are blank"),
        ({"texts": {"eng_Latn": ["a"], "deu_Latn": ["a", "b"]}}, "eng_Latn has 1 lines, deu_Latn has 2"),
        ({"encode": lambda texts, code: np.ones((len(texts), len(code)))}, "vectors of 3 and 8 dimensions"),
        ({"encode": lambda texts, code: np.full((len(texts), 2), np.nan)}, "returned NaN or Inf"),
    ],
)
def test_refusals(given, message):
    given = {"encode": encode, "texts": {"eng_Latn": ["a"], "fra": ["b"]}} | given
    with pytest.raises(InputError, match=message):
        sentence_map(given.pop("encode"), given.pop("texts"), **given)


def test_umap_names_what_to_install(monkeypatch):
    monkeypatch.setattr(projection.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"umap-learn: pip install 'align-encoders\[umap\]'"):
        sentence_map(encode, TEXTS, method="umap")


@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="umap-learn is not installed")
@pytest.mark.filterwarnings("ignore")
def test_umap_by_seed():
    first, again = (sentence_map(encode, TEXTS, method="umap", seed=3) for _ in range(2))
    assert first == again and first["explained"] == []
    assert all(np.isfinite([p["x"], p["y"]]).all() for p in first["points"])
    with pytest.raises(InputError, match="at least 4 sentences, got 3"):
        sentence_map(encode, {"eng_Latn": ["a", "b", "c"]}, method="umap")

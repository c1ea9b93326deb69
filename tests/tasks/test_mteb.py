"""The same vectors, scored by mteb's own evaluators: the numbers of this project must be those that others publish."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from align.tasks import StsSet
from align.tasks.retrieval import retrieval
from align.tasks.sts import sts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies' own
    pytest.importorskip("mteb", reason="mteb is not installed (extra dev)")

pytestmark = pytest.mark.filterwarnings("ignore")

N = 300


class Model:
    """What mteb asks of an encoder, over a table of vectors."""

    mteb_model_meta = None

    def __init__(self, vectors: dict[str, np.ndarray]) -> None:
        self.vectors = vectors

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        return np.stack([self.vectors[text] for batch in inputs for text in batch["text"]])

    def similarity(self, a: np.ndarray, b: np.ndarray) -> Any:
        from mteb.similarity_functions import cos_sim

        return cos_sim(a, b)

    def similarity_pairwise(self, a: np.ndarray, b: np.ndarray) -> Any:
        from mteb.similarity_functions import pairwise_cos_sim

        return pairwise_cos_sim(a, b)


def sides(noise: float) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Two languages of N sentences, and vectors of which the second language's are the first's with noise."""
    rng = np.random.default_rng(0)
    first, second = ([f"{side}{i}" for i in range(N)] for side in "ab")
    rows = rng.standard_normal((N, 24)).astype(np.float32)
    other = (rows + noise * rng.standard_normal((N, 24))).astype(np.float32)
    return first, second, dict(zip(first + second, [*rows, *other], strict=True))


def scores_of_mteb(name: str, subset: str, columns: dict[str, list], vectors: dict[str, np.ndarray]) -> dict[str, Any]:
    import mteb
    from datasets import Dataset

    task = mteb.get_task(name)
    task.dataset = {subset: {"test": Dataset.from_dict(columns)}}
    task.data_loaded = True
    scores: dict[str, Any] = task.evaluate(Model(vectors), "test", [subset], encode_kwargs={"batch_size": 64})[subset]
    return scores


def test_sts() -> None:
    first, second, vectors = sides(1.5)
    rng = np.random.default_rng(1)
    cosines = [
        vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b])
        for a, b in zip(first, second, strict=True)
    ]
    gold = np.clip(np.round((np.array(cosines) * 5 + rng.standard_normal(N)) * 5) / 5, 0, 5).tolist()
    assert len(set(gold)) < 30  # steps of 0.2, as people give them: many ties
    theirs = scores_of_mteb("STS17", "es-en", {"sentence1": first, "sentence2": second, "score": gold}, vectors)
    ours = sts(
        lambda texts, _: np.stack([vectors[text] for text in texts]),
        {"es-en": StsSet(tuple(gold), tuple(first), tuple(second), ("es", "en"))},
    ).scores[0]
    assert 0.3 < ours.spearman < 0.9
    for key in ("cosine_spearman", "spearman"):
        assert ours.spearman == pytest.approx(theirs[key], abs=1e-6)
    for key in ("cosine_pearson", "pearson"):
        assert ours.pearson == pytest.approx(theirs[key], abs=1e-6)


def test_bitext_mining() -> None:
    first, second, vectors = sides(1.8)
    theirs = scores_of_mteb("Tatoeba", "deu-eng", {"sentence1": first, "sentence2": second}, vectors)
    result = retrieval(
        lambda texts, _: np.stack([vectors[text] for text in texts]),
        {"deu_Latn": first, "eng_Latn": second},
        protocol="xtreme",
    )
    (ours,) = result.scores
    assert 0.2 < ours.metrics["P@1"] < 0.9
    for key in ("accuracy", "recall"):
        assert ours.metrics["P@1"] == pytest.approx(theirs[key], abs=1e-6)

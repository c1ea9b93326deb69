from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from toy import greek, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.evaluation.mteb_model import mteb_model, mteb_task
from align.tasks import StsSet
from align.tasks.retrieval import retrieval
from align.tasks.sts import sts


@pytest.fixture
def mteb():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies' own
        return pytest.importorskip("mteb", reason="mteb is not installed (extra mteb)")


LATIN = words(60, seed=3)
SIDES = {"ell_Grek-ell_Latn": (greek(LATIN), LATIN), "ell_Latn-ell_Grek": (LATIN, greek(LATIN))}


def scores(mteb, model, task):
    """By subset, as ``mteb.evaluate`` gives them."""
    found = mteb.evaluate(model, tasks=[task], cache=None, show_progress_bar=False, co2_tracker=False)
    return {row["hf_subset"]: row for row in found.task_results[0].scores["test"]}


@pytest.mark.filterwarnings("ignore")
def test_bitext_mining_gives_the_p1_of_retrieval(mteb, bert_folder):
    encoder = load_encoder(bert_folder, layer=1, kind="weighted", special_tokens=False, prompt="abc ")
    found = scores(mteb, mteb_model(encoder), mteb_task("Toy", SIDES))
    result = retrieval(
        lambda texts, _: encoder.encode(texts),
        dict(zip(("ell_Grek", "ell_Latn"), SIDES["ell_Grek-ell_Latn"], strict=True)),
    )
    assert len(result.scores) == 2
    for score in result.scores:
        row = found[f"{score.queries}-{score.candidates}"]
        assert row["accuracy"] == row["main_score"] == pytest.approx(score.metrics["P@1"], abs=1e-9)
        assert row["languages"] == [code.replace("_", "-") for code in (score.queries, score.candidates)]


@pytest.mark.filterwarnings("ignore")
def test_sts_gives_the_correlation_of_sts(mteb, bert_folder):
    encoder = load_encoder(bert_folder)
    rng = np.random.default_rng(0)
    first, second, gold = LATIN, LATIN[::-1], (rng.integers(0, 26, 60) / 5).tolist()
    task = mteb_task("ToySTS", {"ell_Latn-ell_Latn": (first, second, gold)}, licence="cc0-1.0")
    row = scores(mteb, mteb_model(encoder), task)["ell_Latn-ell_Latn"]
    ours = sts(
        lambda texts, _: encoder.encode(texts),
        {"x": StsSet(tuple(gold), tuple(first), tuple(second), ("ell_Latn", "ell_Latn"))},
    )  # fmt: skip
    assert row["cosine_spearman"] == row["main_score"] == pytest.approx(ours.headline(), abs=1e-6)
    assert task.metadata.license == "cc0-1.0"


@pytest.mark.filterwarnings("ignore")
def test_the_model_is_an_encoder_of_mteb_with_a_name_and_our_fingerprint(mteb, bert_folder):
    from mteb.models import EncoderProtocol

    model = mteb_model(str(bert_folder))
    assert isinstance(model, EncoderProtocol)
    assert model.mteb_model_meta.name.startswith("align/")
    assert model.mteb_model_meta.name.endswith("bert")
    assert model.mteb_model_meta.name.count("/") == 1
    assert mteb_model(str(bert_folder), name="me/mine").mteb_model_meta.name == "me/mine"
    encoder = load_encoder(bert_folder)
    assert model.mteb_model_meta.revision == encoder.identity()["fingerprint"]
    assert model.mteb_model_meta.embed_dim == 16
    batches = [{"text": LATIN[:7]}, {"text": LATIN[7:9]}]
    assert np.array_equal(model.encode(batches, task_metadata=None), encoder.encode(LATIN[:9]))


@pytest.mark.filterwarnings("ignore")
def test_messages(mteb, bert_folder, monkeypatch):
    for subsets, message in (
        ({}, "expected one or more subsets, all of two sides or all with scores"),
        ({"ell-eng": (["a"], ["b"])}, "expected a subset named by two languages, such as .*, got 'ell-eng'"),
        ({"ell_Grek-ell_Latn": (["a", "b"], ["b"])}, "expected two sides, and scores or none, .* got 2 and 1"),
        ({"ell_Grek-ell_Latn": (["a"],)}, "expected two sides, and scores or none, of one length, got 1"),
        ({"ell_Grek-ell_Latn": (["a", "b"], ["b", " "])}, "ell_Grek-ell_Latn: row 2 is blank on a side"),
        ({"ell_Grek-ell_Latn": ([], [])}, "ell_Grek-ell_Latn: there is no row"),
        ({"ell_Grek-ell_Latn": (["a"], ["b"]), "ell_Latn-ell_Grek": (["a"], ["b"], [1.0])}, "all of two sides or all"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            mteb_task("Toy", subsets)
    monkeypatch.setattr("align.evaluation.mteb_model.find_spec", lambda name: None)
    for call in (lambda: mteb_model(str(bert_folder)), lambda: mteb_task("Toy", SIDES)):
        with pytest.raises(InputError, match=r"MTEB is not installed: pip install 'align-encoders\[mteb\]'"):
            call()
    assert sys.modules["mteb"] is mteb

"""A name on the Hub without a network: from its cache, or refused at once, with what to do."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.files import hub
from align.files.hub import hub_or_cache, no_network
from align.pairs.reading.records import hub_records
from align.tasks import read_sts


@pytest.fixture
def constants(monkeypatch, tmp_path):
    """The client's settings: online, at an address where nobody answers, with an empty cache; it may not wait."""
    import huggingface_hub
    from huggingface_hub import constants

    huggingface_hub.close_session()  # it may know a proxy, which would answer
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the port that discards
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"it waits {seconds} s to try again"))
    asked = hub._asked
    asked.cache_clear()
    yield constants
    asked.cache_clear()


def test_a_model_that_is_nowhere_is_refused_at_once(constants):
    expected = (
        "^'some/model' is no local folder and could not be had from the Hugging Face Hub .no network: .*; with a "
    )
    with pytest.raises(InputError, match=expected + "network run `hf download some/model`, without one give a folder"):
        load_encoder("some/model")


def test_a_dataset_is_refused_at_once(constants):
    with pytest.raises(InputError, match="'some/data' .*could not be read from the Hugging Face Hub: OSError: no netw"):
        list(hub_records("some/data", None, "train", None))


def test_a_data_set_to_score_is_refused_at_once(constants):
    with pytest.raises(InputError, match=r"its cache \(without a network, give a folder\): no network: "):
        read_sts("some/data")
    from datasets import config

    assert not constants.HF_HUB_OFFLINE and not config.HF_HUB_OFFLINE


def test_a_model_of_the_cache_is_loaded_without_asking(constants, bert_folder, tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "cache" / "models--some--model"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    shutil.copytree(bert_folder, home / "snapshots" / commit)
    encoder = load_encoder("some/model")
    assert np.array_equal(encoder.encode(["abc"]), load_encoder(bert_folder).encode(["abc"]))
    assert constants.HF_HUB_OFFLINE is False


def test_an_answer_holds_for_a_while(constants, monkeypatch):
    asked = []

    class Session:
        def head(self, url, timeout):
            asked.append((url, timeout))

    monkeypatch.setattr("huggingface_hub.get_session", Session)
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert no_network() == no_network() == ""
    with hub_or_cache("some/model"):
        assert constants.HF_HUB_OFFLINE is False
    assert asked == [("http://127.0.0.1:9", hub.SECONDS)]
    now[0] += hub.REMEMBERED
    assert no_network() == "" and len(asked) == 2


def test_who_asked_to_be_offline_is_not_asked(constants, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_asked", lambda *_: pytest.fail("it asks"))
    with hub_or_cache("some/model"):
        pass
    assert constants.HF_HUB_OFFLINE is True

"""A model on the Hub, against a stand-in for its API: nothing here asks the Hub."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.errors import HfHubHTTPError
from result_dicts import result, save, score

from align import InputError, push
from align.publishing.card import complete_card, grams

CARD = """---
library_name: sentence-transformers
tags: [align]
license: apache-2.0
base_model: xlm-roberta-base
---

# A model

Text.
"""


@pytest.fixture
def folder(tmp_path):
    """What matters of a saved encoder."""
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "align.json").write_text(json.dumps({"identity": {"fingerprint": "f00"}}))
    (folder / "model.safetensors").write_bytes(b"12345")
    (folder / "1_Pooling" / "config.json").write_text("{}")
    (folder / ".align-folder.json").write_text("{}")
    (folder / "README.md").write_text(CARD)
    return folder


class Hub:
    """What was asked of it."""

    def __init__(self, refuses=None):
        self.asked, self.refuses = [], refuses

    def create_repo(self, repo, *, private, exist_ok):
        self.asked.append(("repo", repo, private))
        assert exist_ok
        return SimpleNamespace(repo_id=f"me/{repo}")

    def create_branch(self, repo, *, branch, exist_ok):
        self.asked.append(("branch", repo, branch))
        assert exist_ok

    def create_commit(self, repo, operations, *, commit_message, revision):
        if self.refuses:
            raise self.refuses
        self.sent = {one.path_in_repo: one.path_or_fileobj for one in operations}
        self.asked.append(("commit", repo, commit_message, revision))
        return SimpleNamespace(commit_url="https://hub/commit/1")


def scores(tmp_path, **more):
    found = result("model", [score("ell_Grek", [1.0, 0.0, 1.0, 1.0])], fingerprint="f00")
    return save(tmp_path / "results" / "one.json", found | more)


def test_all_files_go_in_one_commit(folder, tmp_path):
    hub, before = Hub(), (folder / "README.md").read_text()
    done = push(folder, "model", results=[scores(tmp_path)], private=True, revision="dev", commit_message="m", api=hub)
    assert hub.asked == [("repo", "model", True), ("branch", "me/model", "dev"), ("commit", "me/model", "m", "dev")]
    assert set(hub.sent) == {"align.json", "model.safetensors", "1_Pooling/config.json", "README.md"}
    assert hub.sent["README.md"] == done.card.encode() and str(hub.sent["model.safetensors"]).endswith("safetensors")
    assert (done.repo, done.url, done.files["model.safetensors"]) == ("me/model", "https://hub/commit/1", 5)
    assert done.files["README.md"] == len(done.card.encode())
    assert (folder / "README.md").read_text() == before
    push(folder, "model", api=hub)
    assert hub.asked[3:] == [("repo", "model", False), ("commit", "me/model", "Upload a model of Align", None)]


def test_the_hub_reads_the_scores_of_the_card(folder, tmp_path):
    done = push(folder, "me/mine", results=[tmp_path / "results"], api=Hub()) if scores(tmp_path) else None
    (tmp_path / "card.md").write_text(done.card, encoding="utf-8")
    data = ModelCard.load(tmp_path / "card.md").data
    (found,) = data.eval_results
    assert (data.license, data.base_model, data.model_name) == ("apache-2.0", "xlm-roberta-base", "mine")
    assert (found.task_type, found.task_name, found.dataset_name) == ("sentence-similarity", "retrieval", "tatoeba")
    assert (found.metric_type, found.metric_name, found.metric_value) == ("p_at_1", "P@1", 0.75)
    assert found.metric_args == {"protocol": "align", "interval": [0.1, 0.9], "scores": 1, "data_sha256": "5eed" * 16}
    assert "| tatoeba | P@1 | 0.750 | 0.100-0.900 | 1 | align |" in done.card and "# A model\n\nText." in done.card


def test_scores_are_replaced_and_the_rest_stays(tmp_path):
    text = CARD + "\n<!-- certificate -->\nrose\n<!-- end of certificate -->\n"
    one = result("model", [score("ell_Grek", [1.0, 0.0])])
    once = complete_card(text, "m", [one], {})
    other = one | {"headline": {"value": 0.125, "interval": None}, "task": "classification", "metric": "accuracy"}
    twice = complete_card(once, "m", [other], {})
    assert twice.count("## Scores") == 1 and "rose" in twice and "0.500" not in twice
    assert "| tatoeba | accuracy | 0.125 | - | 1 | align |" in twice
    assert [found.task_type for found in ModelCard(twice).data.eval_results] == ["text-classification"]
    assert complete_card(twice, "m", [], {}).count("## Scores") == 1


def test_what_the_card_must_say(folder):
    (folder / "README.md").write_text("# A model\n")
    with pytest.raises(InputError, match=r"does not say license \(--license\) and base_model \(--base-model\)$"):
        push(folder, "m", dry_run=True)
    done = push(folder, "m", license="mit", base_model="a/b", datasets=["c/d"], dry_run=True)
    data = ModelCard(done.card).data
    assert (data.license, data.base_model, data.datasets) == ("mit", "a/b", ["c/d"])
    (folder / "README.md").write_text("---\nlicense: [\n---\n")
    with pytest.raises(InputError, match="the head of the model card cannot be read"):
        push(folder, "m", dry_run=True)


def test_what_codecarbon_counted(folder, tmp_path):
    (folder / "emissions.csv").write_text("timestamp,emissions\na,0.0125\nb,0.001\n")
    done = push(folder, "m", dry_run=True)
    assert ModelCard(done.card).data.co2_eq_emissions == {"emissions": 13.5, "source": "codecarbon"}
    for text in ("timestamp\na\n", "emissions\nmuch\n"):
        (tmp_path / "other.csv").write_text(text)
        with pytest.raises(InputError, match="no emissions.csv of codecarbon"):
            grams(tmp_path / "other.csv")


def test_what_is_refused_before_anything_is_sent(folder, tmp_path):
    hub = Hub()
    other = save(tmp_path / "other.json", result("another", [score("ell_Grek", [1.0])], fingerprint="bad"))
    with pytest.raises(InputError, match=r"other.json has the scores of another encoder \(another\)"):
        push(folder, "m", results=[other], api=hub)
    with pytest.raises(InputError, match="no folder that Align saved an encoder in"):
        push(tmp_path, "m", api=hub)
    assert hub.asked == []


def test_what_the_hub_refuses_is_one_sentence(folder):
    for error in (OSError("no network\nat all"), HfHubHTTPError("401 Unauthorized", response=SimpleNamespace(
        headers={}, status_code=401, request=None, text="",
    ))):  # fmt: skip
        with pytest.raises(InputError, match=r"^me/m cannot be written on the Hugging Face Hub \(.*hf auth login`$"):
            push(folder, "me/m", api=Hub(error))


def test_the_verb_prints_and_sends_nothing(align, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    printed = align("push", folder, "me/m", "--results", scores(tmp_path), "--dry-run").out
    assert "model.safetensors                    5\n" in printed and printed.endswith("nothing was sent to me/m\n")
    assert "base_model: xlm-roberta-base" in printed and "model-index:" in printed and "hf_secret" not in printed
    hub = Hub()
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    assert align("push", folder, "m").out == "https://hub/commit/1\n"

"""Topics by a tuned encoder: what is learnt, on which lines, by how many seeds; and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from align.errors import InputError
from align.evaluation.encoding import encode_of
from align.tasks import LabelledTexts
from align.tasks.task import task
from align.tasks.topic import TASK, TopicTuning, topic

ENG = "eng_Latn"
SPLITS = ["train", "train", "dev", "test", "test", "test"]
CLASSES = ["sun", "rain", "sun", "sun", "rain", "snow"]
DATA = LabelledTexts({"deu_Latn": ["", "b", "c", "rain", " ", "f"], ENG: [*"abcdef"]}, CLASSES, SPLITS)


class Said:
    """Says 1 (sun) of every text, and with odd seeds 0 (rain); keeps what it is tuned on."""

    def __init__(self):
        self.given = []

    def tuned(self, train, dev, classes, how):
        self.given.append((train, dev, classes, how))
        return lambda texts: [np.array([1 - how.seed % 2]) for _ in texts]


def test_by_hand():
    learner = Said()
    english, german = topic(learner, DATA, TopicTuning(seeds=3, epochs=5))
    train, dev, classes, how = learner.given[2]
    assert (train.inputs, dev.inputs, classes, how.seed, how.epochs) == (["a", "b"], ["c"], 2, 2, 5)
    assert [one.tolist() for one in train.labels] == [[1], [0]] and len(learner.given) == 3
    assert (how.score([np.array([1])]), how.score([np.array([0])])) == (1, 0)
    assert english["items"] == pytest.approx([2 / 3, 1 / 3, 0]) and english["lines"] == [4, 5, 6]  # snow is not learnt
    assert english["facts"]["of_seeds"] == pytest.approx([1 / 3] * 3) and english["direction"] == "train"
    assert (german["lines"], german["left_out"], german["direction"]) == ([4, 6], 1, "transfer")
    assert german["value"] == pytest.approx(1 / 3) == german["metrics"]["accuracy"]
    assert german["metrics"]["gap"] == pytest.approx(0)
    assert TASK.chance(english, TopicTuning()) == pytest.approx(1 / 3)  # rain, of equals the first
    assert TASK.chance(german, TopicTuning()) == 0


def test_what_is_refused():
    for data, protocol, said in (
        (DATA, TopicTuning(train="hin_Deva"), "no text in hin_Deva to learn from; available: deu_Latn, eng_Latn"),
        (DATA, TopicTuning(train="deu_Latn"), "train split of deu_Latn has 1 classes, and 1 lines in its dev split"),
        (replace(DATA, splits=["train"] * 3 + ["test"] * 3), TopicTuning(), "2 classes, and 0 lines in its dev split"),
        (replace(DATA, texts={**DATA.texts, "fra_Latn": ["a"] * 3 + [""] * 3}), TopicTuning(), "fra_Latn has no line"),
    ):
        with pytest.raises(InputError, match=said):
            topic(Said(), data, protocol)
    with pytest.raises(InputError, match="epochs of at least 1, got 0"):
        TopicTuning(epochs=0)


def test_from_the_command_line(align, bert_folder, tmp_path):
    folder = tmp_path / "topics"
    folder.mkdir()
    rows = [("train", "sun", "aaa"), ("train", "rain", "bbb")] * 4 + [("dev", "sun", "aa"), ("test", "rain", "bb")]
    (folder / "index.tsv").write_text("split\ttopic\n" + "".join(f"{split}\t{name}\n" for split, name, _ in rows))
    (folder / "eng_Latn.txt").write_text("".join(f"{text}\n" for *_, text in rows))
    words = ["--set", "seeds=1", "--set", "epochs=2", "--no-cache", "--out", "r.json"]
    align("eval", bert_folder, f"topic={folder}", *words)
    (row,) = json.loads((tmp_path / "r.json").read_text())["scores"]
    told = align("eval", bert_folder, f"topic={folder}", "--backend", "onnx", code=2).err
    assert "what learns labels reads and tunes the model in torch: not with --backend" in told
    with pytest.raises(InputError, match="topic reads and tunes an encoder, not Said"):
        encode_of(Said(), task("topic"))
    assert row["id"] == ENG and row["items"][0] in (0, 1) and row["facts"]["training_lines"] == 8

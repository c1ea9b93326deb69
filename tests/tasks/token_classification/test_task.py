"""Classes of words: files read by their names, scores by hand, cut words, twins, seeds, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from align.errors import InputError
from align.tasks.learning import NOT_READ
from align.tasks.texts.tagged import HELD_OUT, TaggedSentence, TaggedSets, TaggedTest, read_tagged
from align.tasks.token_classification import TASK, token_classification
from align.tasks.token_classification.protocols import PROTOCOLS, Tagging
from align.tasks.token_classification.twins import twin_of

ENG, ELL = "eng_Latn", "ell_Grek"
NER = PROTOCOLS["ner"]


def sentence(words, labels, name="s"):
    return TaggedSentence(tuple(words.split()), tuple(labels.split()), name)


class Letters:
    """A word's vector says which letter it begins with; words with x are not read. It keeps what it is tuned on."""

    def __init__(self):
        self.tuned_on = []

    def word_vectors(self, sentences):
        made = []
        for words in sentences:
            places = np.array([i for i, word in enumerate(words) if "x" not in word], dtype=np.int64)
            made.append((np.array([np.eye(3)["abc".index(words[i][0])] for i in places]).reshape(-1, 3), places))
        return made

    def tuned(self, train, dev, classes, how):
        self.tuned_on.append((train, dev, classes, how, how.score([labels.copy() for labels in dev.labels])))
        return lambda sentences: [np.full(len(words), how.seed % classes) for words in sentences]


TRAIN = [sentence("a b c a", "B-P I-P O B-P"), sentence("c a b c", "O B-P I-P O")] * 4
TESTS = [
    TaggedTest(ENG, "one", (sentence("a b c", "B-P I-P O", "n1"), sentence("c x a", "O B-P B-P", "n2"))),
    TaggedTest("deu_Latn", "one", (sentence("a c", "B-P O", "n1"), sentence("a b c c", "O O B-Q I-Q", "n2"))),
]
SETS = TaggedSets(tuple(TRAIN), tuple(TRAIN[:2]), tuple(TESTS), "made up")


def test_spans_by_hand():
    english, german = token_classification(Letters(), SETS, NER)
    assert (english["id"], english["direction"], german["direction"]) == ("eng_Latn:one", "train", "transfer")
    assert english["metrics"] == {"f1": 1, "precision": 1, "recall": 1, "accuracy": 1, "gap": 0}
    assert (english["facts"]["words"], english["facts"]["words_not_read"]) == (5, 1)
    # n1 is right; n2: P 0-1 is said, Q 2-3 is the gold: 2 right of 2 + 2
    assert german["value"] == pytest.approx(2 / 4) == german["metrics"]["f1"] == np.mean(german["items"])
    assert german["metrics"]["accuracy"] == pytest.approx(2 / 6) and german["metrics"]["gap"] == pytest.approx(0.5)
    assert (german["n"], german["lines"], german["left_out"]) == (2, ["n1", "n2"], 0)
    assert german["items"] == pytest.approx([0.5 + 2 * (2 - 0.5 * 2) / 4, 0.5 + 2 * (0 - 0.5 * 2) / 4])


def test_words_by_hand():
    protocol = Tagging("words", "accuracy", "spans", penalty=0.001)
    english, german = token_classification(Letters(), SETS, protocol)
    assert (english["value"], german["value"]) == (1, pytest.approx(2 / 6))
    assert german["facts"]["penalty"] == 0.001 and german["facts"]["labels"] == 3
    chances = [TASK.chance(row, protocol) for row in (english, german)]
    assert chances == [3 / 6, 1 / 6]  # B-P, of equals the first
    assert TASK.chance(english, NER) == 0


def test_a_sentence_without_a_word_that_is_read_is_left_out():
    test = TaggedTest(ENG, "", (sentence("x x", "O O", "n1"), sentence("a b", "B-P I-P", "n2")))
    (row,) = token_classification(Letters(), replace(SETS, tests=(test,)), NER)
    assert (row["n"], row["left_out"], row["lines"], row["id"]) == (1, 1, ["n2"], "eng_Latn")
    with pytest.raises(InputError, match="eng_Latn: the encoder reads no word of it"):
        token_classification(Letters(), replace(SETS, tests=(replace(test, sentences=test.sentences[:1]),)), NER)


def test_the_penalty_is_the_best_on_the_dev_part(monkeypatch):
    class Fit:
        def __init__(self, *_, penalty, **__):
            self.said = 2 if penalty == 0.01 else 0  # O of all words, or B-P

        def predict(self, vectors):
            return np.full(len(vectors), self.said)

    monkeypatch.setattr("align.tasks.token_classification.task.fit_logistic", Fit)
    dev = (sentence("a b c", "O O B-P"),)
    protocol = Tagging("words", "accuracy", "spans")
    assert token_classification(Letters(), replace(SETS, dev=dev), protocol)[0]["facts"]["penalty"] == 0.01
    same = (sentence("a b", "O B-P"),)  # of equally good ones the strongest
    assert token_classification(Letters(), replace(SETS, dev=same), protocol)[0]["facts"]["penalty"] == 0.1


def test_seeds_are_added_up():
    learner = Letters()
    protocol = replace(PROTOCOLS["ner-tuned"], seeds=3, rate=0.5)
    english, _ = token_classification(learner, SETS, protocol)
    train, _, classes, how, of_gold = learner.tuned_on[2]
    assert (classes, how.seed, how.rate, of_gold, len(learner.tuned_on)) == (3, 2, 0.5, 1.0, 3)
    assert train.inputs[0] == ("a", "b", "c", "a") and train.labels[0].tolist() == [0, 1, 2, 0]
    # the seeds say B-P, I-P and O of every word: of 3 spans 2, 0 and 0 are right, of 6, 2 and 0 that are said
    assert english["facts"]["of_seeds"] == pytest.approx([2 * 2 / (3 + 6), 0, 0])
    assert english["metrics"]["precision"] == pytest.approx(2 / 8)
    assert english["metrics"]["recall"] == pytest.approx(2 / 9)
    assert english["value"] == pytest.approx(2 * 2 / (3 * 3 + 6 + 2)) and english["facts"]["words"] == 6


def test_labels_that_were_not_learnt_are_none():
    learner = Letters()
    dev = (sentence("a b", "B-Q O"),)
    token_classification(learner, replace(SETS, dev=dev), replace(PROTOCOLS["ner-tuned"], seeds=1))
    assert learner.tuned_on[0][1].labels[0].tolist() == [NOT_READ, 2]
    with pytest.raises(InputError, match=r"the label \['O'\] alone"):
        token_classification(learner, replace(SETS, train=(sentence("a", "O"),)), NER)


CELLS = "{}\t{}\t_\t{}\t_\t_\t_\t_\t_\t_"


def write(folder, name, *sentences):
    """Files of CoNLL-U or IOB2 from (words, labels)."""
    folder.mkdir(exist_ok=True)
    parts = []
    for number, (words, labels) in enumerate(sentences, 1):
        rows = zip(words.split(), labels.split(), strict=True)
        form = CELLS if name.endswith("conllu") else "{0}\t{1}\t{2}"
        lines = [form.format(place, *row) for place, row in enumerate(rows, 1)]
        parts.append("\n".join([f"# sent_id = n{number}", *lines]))
    (folder / name).write_text("\n\n".join(parts) + "\n\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "sets"
    write(place, "en_ewt-ud-dev.conllu", *[("a b c", "NOUN VERB ADJ")] * 2 * HELD_OUT)
    write(place, "en_pud-ud-test.conllu", ("a b", "NOUN VERB"), ("c a", "ADJ NOUN"))
    write(place, "ell_Grek-test.conllu", ("α β", "NOUN VERB"), ("γ α", "ADJ VERB"))
    write(
        place,
        "hsb_ufal-ud-test.conllu",
        ("c", "ADJ"),
    )
    write(place, "eng_Latn.test.iob2", ("a", "O"))
    return place


def test_files_are_read_by_their_names(folder):
    sets = read_tagged(folder, "upos")
    assert (len(sets.train), len(sets.dev)) == (2 * HELD_OUT - 2, 2)
    assert sets.dev[0].name == "n10" and "dev files of eng_Latn; dev part: 2 sentences" in sets.learnt_on
    found = [(one.language, one.treebank, len(one.sentences)) for one in sets.tests]
    assert found == [(ENG, "pud", 2), (ELL, "", 2), ("hsb_Latn", "ufal", 1)]
    assert [one.language for one in read_tagged(folder, "upos", languages=[ELL]).tests] == [ELL]
    write(folder, "en_ewt-ud-train.conllu", ("a b", "NOUN VERB"))
    sets = read_tagged(folder, "upos")
    assert (len(sets.train), len(sets.dev)) == (1, 2 * HELD_OUT)


@pytest.mark.parametrize(
    ("file", "rows", "said"),
    [
        ("de-test.conllu", ("a b", "NOUN FOO"), "de-test.conllu, line 3: 'FOO' is no part of speech of Universal"),
        ("de-test.conllu", ("a b", "NOUN _"), "de-test.conllu, line 3: 'b' has no upos; --set labels=COLUMN"),
        ("qq_x-ud-test.conllu", ("a", "NOUN"), "no language is called 'qq'"),
    ],
)
def test_broken_files_are_refused(folder, file, rows, said):
    write(folder, file, rows)
    with pytest.raises(InputError) as refused:
        read_tagged(folder, "upos")
    assert said in str(refused.value)


def test_what_is_missing_is_told(folder, tmp_path):
    for given, said in (
        ((folder, "spans"), "no train or dev file of eng_Latn to learn from; --set train=CODE"),
        ((tmp_path / "none", "upos"), "no such folder"),
        ((tmp_path, "upos"), "no file is named as en_pud-ud-test.conllu or"),
    ):
        with pytest.raises(InputError, match=said):
            read_tagged(*given)
    with pytest.raises(InputError, match="no test file of hin_Deva; there are those of ell_Grek, eng_Latn, hsb_Latn"):
        read_tagged(folder, "upos", languages=["hin_Deva"])
    for path in folder.glob("*.conllu"):
        path.unlink()
    with pytest.raises(InputError, match=r"no CoNLL-U file \(is --protocol ner meant\?\)"):
        read_tagged(folder, "upos")
    write(folder, "en-train.iob2", *[("a b", "B-P O")] * (HELD_OUT - 1))
    with pytest.raises(InputError, match="9 sentences of eng_Latn to learn from; expected at least 10"):
        read_tagged(folder, "spans")


def test_protocols_refuse_what_makes_no_sense():
    for changes, said in (
        ({"labels": "pos"}, "labels is 'pos'; expected one of lemma, upos"), ({"headline": "f1"}, "upos have accuracy"),
        ({"penalty": 0.0}, "a penalty above 0"),
        ({"seeds": 0}, "seeds of at least 1"), ({"rate": -1.0}, "rates above 0"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            replace(PROTOCOLS["pos"], **changes)


def test_the_twin_of_a_romaniser():
    test = TaggedTest(ELL, "x", (sentence("αβ \u200d γ", "NOUN PUNCT ADJ", "n1"),))
    made, kept = twin_of(test, "uroman")
    assert made.language == "ell_Latn" and made.sentences[0].labels == ("NOUN", "PUNCT", "ADJ")
    assert made.sentences[0].words[0] == "av" or made.sentences[0].words[0] == "ab"
    assert len(made.sentences[0].words) == 3 and kept in (0, 1)
    assert twin_of(test, "") is None and twin_of(TESTS[0], "uroman") is None


def test_the_twin_of_a_folder(folder, tmp_path, align, bert_folder):
    people = tmp_path / "people"
    write(people, "ell_Latn-test.conllu", ("a b", "X X"), ("c a", "X X"))
    words = ["--twin", people, "--no-cache", "--languages", "eng_Latn,ell_Grek"]
    printed = " ".join(
        align("eval", bert_folder, f"token_classification={folder}", *words, "--out", "r.json").out.split()
    )
    assert (
        "romanised twin (people): the same words in Latin letters" in printed
        and "| native | romanised |" in " ".join(printed.split())
    )
    result = json.loads((tmp_path / "r.json").read_text())
    rows = {one["id"]: one for one in result["scores"]}
    assert set(rows) == {"eng_Latn:pud", "ell_Grek", "ell_Grek~people"}
    twin = rows["ell_Grek~people"]
    assert (twin["language"], twin["twin_of"], twin["direction"]) == ("ell_Latn", ELL, "romanised")
    assert result["headline"]["scores"] == 2 and result["protocol"]["name"] == "pos, twin people"
    assert [one["language"] for one in result["twins"]] == [ELL, "mean"]
    assert result["twins"][0]["gap"] == pytest.approx(rows[ELL]["value"] - twin["value"])
    write(people, "ell_Latn-test.conllu", ("a b", "X X"), ("c a a", "X X X"))
    told = align("eval", bert_folder, f"token_classification={folder}", *words, code=2).err
    assert "ell_Latn-test.conllu, line 6: 3 words, the native sentence has 2 (" in told
    write(people, "ell_Latn-test.conllu", ("a b", "X X"))
    told = align("eval", bert_folder, f"token_classification={folder}", *words, code=2).err
    assert "has 1 sentences, ell_Grek has 2" in told
    told = align("eval", bert_folder, f"token_classification={folder}", "--twin", "nobody", code=2).err
    assert "twin 'nobody': expected a romaniser (" in told

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from align.errors import InputError
from align.tasks import LabelledTexts, read_classification
from align.tasks.classification import classification
from align.tasks.classification.task import PENALTIES, PENALTY
from align.tasks.measures.logistic import fit_logistic
from align.tasks.measures.nearest import nearest_class

ENG = "eng_Latn"


class Table:
    """An encoder that looks the vector of line i of a language up, and counts what it is asked."""

    def __init__(self, vectors: dict[str, Sequence[Sequence[float]]]) -> None:
        self.vectors = {code: np.asarray(rows, dtype=float) for code, rows in vectors.items()}
        self.calls: Counter[str] = Counter()
        self.lines: dict[str, list[int]] = {}

    def __call__(self, texts: Sequence[str], language: str) -> np.ndarray:
        self.calls[language] += 1
        self.lines[language] = [int(text) for text in texts]
        return self.vectors[language][self.lines[language]]


def numbered(codes: Sequence[str], classes: Sequence[str], splits: Sequence[str]) -> LabelledTexts:
    return LabelledTexts({code: [f"{i}" for i in range(len(classes))] for code in codes}, classes, splits)


SPLITS = ["train"] * 4 + ["test"] * 4
CLASSES = ["sun", "sun", "rain", "rain"] * 2
FOUR = [[0, 5], [1, 5], [5, 0], [5, 1]]  # sun points up, rain to the right


def test_by_hand() -> None:
    vectors = {ENG: FOUR * 2, "deu_Latn": [*FOUR, [0, 1], [1, 0], [1, 0], [1, 0]], "hin_Deva": FOUR + FOUR[::-1]}
    encode = Table(vectors)
    result = classification(encode, numbered(list(vectors), CLASSES, SPLITS), k=2, penalty=0.1, per_item=True)
    assert [score.language for score in result.scores] == [ENG, "deu_Latn", "hin_Deva"]
    for probe in ("knn", "logistic"):
        assert [score.accuracy[probe] for score in result.scores] == [1.0, 0.75, 0.0]
        assert result.scores[1].predictions[probe] == ("sun", "rain", "rain", "rain")
    assert result.scores[1].lines == (5, 6, 7, 8)
    assert [(s.n, s.left_out, s.commonest) for s in result.scores] == [(4, 0, 0.5)] * 3
    assert result.facts == {"classes": ("rain", "sun"), "training_lines": 4, "dev_lines": 0, "penalty": 0.1}
    assert encode.calls == dict.fromkeys(vectors, 1)
    assert encode.lines == {ENG: [*range(8)], "deu_Latn": [4, 5, 6, 7], "hin_Deva": [4, 5, 6, 7]}


def nearest_by_loop(query: np.ndarray, known: np.ndarray, classes: np.ndarray, k: int) -> int:
    cosines = [float(query @ row / np.linalg.norm(query) / np.linalg.norm(row)) for row in known]
    order = sorted(range(len(known)), key=lambda i: (-round(cosines[i], 6), i))[:k]
    votes: dict[int, list[float]] = {}
    for i in order:
        votes.setdefault(int(classes[i]), []).append(round(cosines[i], 6))
    return min(votes, key=lambda c: (-len(votes[c]), -round(sum(votes[c]), 6), c))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8, 100])
def test_nearest_class_matches_a_loop(k: int) -> None:
    rng = np.random.default_rng(k)
    known, queries, classes = rng.standard_normal((40, 3)), rng.standard_normal((60, 3)), rng.integers(0, 4, 40)
    found = nearest_class(queries, known, classes, k=k)
    assert found.tolist() == [nearest_by_loop(query, known, classes, k) for query in queries]
    assert len(set(found.tolist())) > 1 or k == 100


def test_ties_of_the_vote() -> None:
    known = np.array([[1, 0], [0, 1], [1, 0.1], [0.3, 1]])
    classes = np.array([2, 1, 2, 1])
    # cosines with (1, 1): .7071, .7071, .7740, .8805: class 1 has the larger sum
    assert nearest_class([[1, 1]], known, classes, k=4).tolist() == [1]
    assert nearest_class([[1, 0.9]], known[:2], classes[:2], k=2).tolist() == [2]
    assert nearest_class([[1, 1]], known[:2], classes[:2], k=2).tolist() == [1]  # as large: the lower class
    assert nearest_class([[1, 1]], known[:2], classes[:2], k=1).tolist() == [2]  # as near: the lower row votes
    assert nearest_class([[-1, -1]], known, np.array([2, 3, 2, 3]), k=4).tolist() == [2]  # sums below 0 are votes too
    three = np.array([[1, 0], [-1, 0], [-1, 0.1]])
    assert nearest_class([[1, 0]], three, np.array([0, 1, 1]), k=3).tolist() == [1]  # votes go before cosines


def cloud(codes: dict[str, float], n: int = 150, d: int = 6) -> tuple[Table, LabelledTexts]:
    """Three classes, shared by all languages, and for each language that much noise; 60 % train, a fifth dev, test."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, n)
    meaning = 1.5 * np.eye(3, d)[classes] + 0.7 * rng.standard_normal((n, d))
    vectors = {code: meaning + noise * rng.standard_normal((n, d)) for code, noise in codes.items()}
    splits = ["train"] * (3 * n // 5) + ["dev"] * (n // 5) + ["test"] * (n // 5)
    return Table(vectors), numbered(list(codes), [f"c{c}" for c in classes], splits)


def test_probes_on_the_definition() -> None:
    encode, data = cloud({"deu_Latn": 1.0, ENG: 0.3})
    result = classification(encode, data, k=3)
    classes = np.array([int(name[1:]) for name in data.classes])
    known = encode.vectors[ENG][:90]
    own, german = result.scores
    assert (own.language, german.language) == (ENG, "deu_Latn")
    right = {}
    for penalty in PENALTIES:  # chosen on the dev split of English
        probe = fit_logistic(known.astype(np.float32), classes[:90], count=3, penalty=penalty)
        right[penalty] = (probe.predict(encode.vectors[ENG][90:120].astype(np.float32)) == classes[90:120]).sum()
    best = max(PENALTIES, key=lambda penalty: (right[penalty], penalty))
    assert len(set(right.values())) > 1
    assert (result.facts["penalty"], result.facts["dev_lines"]) == (best, 30)
    probe = fit_logistic(known.astype(np.float32), classes[:90], count=3, penalty=best)
    for score in (own, german):
        test = encode.vectors[score.language][120:].astype(np.float32)
        truth = classes[120:]
        nearest = [nearest_by_loop(query, known, classes[:90], 3) for query in test]
        assert score.accuracy["knn"] == (np.array(nearest) == truth).mean()
        assert score.accuracy["logistic"] == (probe.predict(test) == truth).mean()
        assert score.commonest == (truth == np.bincount(classes[:90]).argmax()).mean()
        assert score.predictions is None and score.lines is None
    assert result.scores[0].accuracy["knn"] > result.scores[1].accuracy["knn"] + 0.05


def test_the_penalty_is_given_chosen_or_the_default() -> None:
    encode, data = cloud({ENG: 0.3})
    given = classification(encode, data, penalty=2.5)
    assert given.facts["penalty"] == 2.5
    without = LabelledTexts(data.texts, data.classes, ["train" if s == "dev" else s for s in data.splits])
    default = classification(encode, without)
    assert (default.facts["penalty"], default.facts["dev_lines"]) == (PENALTY, 0)
    assert default.facts["training_lines"] == 120


def test_equally_good_penalties_go_to_the_strongest() -> None:
    splits = ["train"] * 4 + ["dev"] * 4 + ["test"] * 4
    result = classification(Table({ENG: FOUR * 3}), numbered([ENG], ["sun", "sun", "rain", "rain"] * 3, splits))
    assert result.facts["penalty"] == max(PENALTIES)
    assert result.scores[0].accuracy["logistic"] == 1.0


def test_blank_lines_are_left_out_and_counted() -> None:
    encode, data = cloud({"deu_Latn": 1.0, ENG: 0.3})
    texts = {code: list(lines) for code, lines in data.texts.items()}
    for row in (3, 95, 125):  # train, dev, test
        texts[ENG][row] = " "
    texts["deu_Latn"][130] = texts["deu_Latn"][3] = ""
    result = classification(encode, LabelledTexts(texts, data.classes, data.splits), per_item=True)
    assert (result.facts["training_lines"], result.facts["dev_lines"]) == (89, 29)
    assert [(s.n, s.left_out) for s in result.scores] == [(29, 1), (29, 1)]
    assert 126 not in result.scores[0].lines and 131 not in result.scores[1].lines
    assert 126 in result.scores[1].lines
    assert not {3, 95, 125} & set(encode.lines[ENG])
    for score in result.scores:
        wrong = [p != data.classes[line - 1] for p, line in zip(score.predictions["knn"], score.lines, strict=True)]
        assert score.accuracy["knn"] == pytest.approx(1 - np.mean(wrong))


def test_a_class_that_was_not_learnt_is_an_error() -> None:
    classes = ["sun", "sun", "rain", "rain", "sun", "sun", "rain", "fog"]
    result = classification(Table({ENG: FOUR * 2}), numbered([ENG], classes, SPLITS), k=1)
    assert result.facts["classes"] == ("fog", "rain", "sun")
    assert [result.scores[0].accuracy[probe] for probe in ("knn", "logistic")] == [0.75, 0.75]


def test_table() -> None:
    encode, data = cloud({"deu_Latn": 1.0, ENG: 0.3})
    result = classification(encode, data, per_item=True)
    own = result.scores[0]
    cells = [ENG, "30", "0", *(f"{own.accuracy[probe]:.3f}" for probe in ("knn", "logistic")), f"{own.commonest:.3f}"]
    (line,) = [line for line in result.table().split("\n") if line.startswith(f"| {ENG} |")]
    assert [cell.strip() for cell in line.strip("|").split("|")] == cells
    assert result.table().startswith("classification, learnt in eng_Latn: kNN: 5 nearest by cosine")
    assert result.headline() == pytest.approx(np.mean([score.accuracy["logistic"] for score in result.scores]))


TWO = numbered(["deu_Latn", ENG], CLASSES, SPLITS)


def bad_encoder(rows: object):
    return lambda texts, language: rows if language == "deu_Latn" else np.array(FOUR * 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.eye(3, 2), "^deu_Latn: the encoder returned 3 embeddings for 4 texts"),
        (np.eye(4, 5), "^eng_Latn and deu_Latn: the encoder returned 2 and 5 dimensions; expected the same"),
        (np.array([[1, 1], [1, 1], [1, np.nan], [1, 1]]), "^deu_Latn: .* NaN or Inf for 1 texts, the first on line 7"),
    ],
)
def test_a_bad_encoder_is_refused_with_language_and_line(rows: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        classification(bad_encoder(rows), TWO)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (TWO, {"k": 0}, "^expected k of at least 1 and a penalty above 0, got 0 and None$"),
        (TWO, {"penalty": 0.0}, "a penalty above 0, got 5 and 0.0"),
        (TWO, {"penalty": float("nan")}, "a penalty above 0, got 5 and nan"),
        (TWO, {"train": "fra_Latn"}, "^no text in fra_Latn to learn from; available: deu_Latn, eng_Latn$"),
        (
            numbered([ENG], ["sun", "sun", "sun", "rain"], ["train", "train", "train", "test"]),
            {},
            "^the train split of eng_Latn has 1 classes: expected at least two to tell apart$",
        ),
        (numbered([ENG], ["sun", "rain"], ["test", "test"]), {}, "^the train split of eng_Latn has 0 classes"),
        (numbered([ENG], ["sun", "rain"], ["train", "train"]), {}, "^eng_Latn has no line in the test split"),
        (
            LabelledTexts(
                {ENG: ["a"] * 3, "deu_Latn": ["a", "a", " "]}, ["sun", "rain", "sun"], ["train", "train", "test"]
            ),
            {},
            "^deu_Latn has no line in the test split: there is nothing to score$",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_encoded(data: LabelledTexts, options: dict, message: str) -> None:
    def encode(texts: Sequence[str], language: str) -> np.ndarray:
        raise AssertionError

    with pytest.raises(InputError, match=message):
        classification(encode, data, **options)


def test_labelled_texts_check_themselves() -> None:
    with pytest.raises(InputError, match="2 lines of text have 1 classes and 2 splits: expected one each"):
        LabelledTexts({ENG: ["a", "b"]}, ["x"], ["train", "test"])
    with pytest.raises(InputError, match="unknown split 'valid': expected train, dev, test"):
        LabelledTexts({ENG: ["a", "b"]}, ["x", "y"], ["train", "valid"])
    with pytest.raises(InputError, match="eng_Latn has 1 lines, deu_Latn has 2: line-aligned"):
        LabelledTexts({ENG: ["a"], "deu_Latn": ["a", "b"]}, ["x"], ["train"])


@pytest.fixture
def sib(tmp_path: Path) -> Path:
    (tmp_path / "eng_Latn.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "deu_Latn.txt").write_text("eins\nzwei\ndrei\n")
    (tmp_path / "index.tsv").write_text(
        "index_id\tsplit\tcategory\n0\ttrain\thealth\n1\tdev\tsports\n5\ttest\thealth\n"
    )
    return tmp_path


def test_reading(sib: Path) -> None:
    data = read_classification(sib)
    assert data.texts == {"deu_Latn": ["eins", "zwei", "drei"], ENG: ["one", "two", "three"]}
    assert (data.classes, data.splits) == (("health", "sports", "health"), ("train", "dev", "test"))
    assert list(read_classification(str(sib), languages=[ENG]).texts) == [ENG]
    (sib / "index.tsv").write_text("topic\tsplit\nhealth\ttrain\nsports\tdev\nhealth\ttest\n")
    assert read_classification(sib) == data


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", r"index.tsv, line 1: expected a header with split and one of category, topic, label .* got \[''\]"),
        ("id\tcategory\n", "expected a header with split and one of"),
        ("split\ttopic\tlabel\n", "expected a header with split and one of"),
        ("id\tsplit\tlabel\n1\ttrain\n", r"index.tsv, line 2: 2 columns, expected 3$"),
        ("id\tsplit\tlabel\n1\ttrain\tx\ty\n", r"index.tsv, line 2: 4 columns, expected 3$"),
        (
            "id\tsplit\tlabel\n1\ttrain\tx\n2\tvalid\tx\n",
            "index.tsv, line 3: split 'valid', expected train, dev, test$",
        ),
        ("id\tsplit\tlabel\n1\ttrain\t \n", "index.tsv, line 2: the label is empty$"),
        ("id\tsplit\tlabel\n1\ttrain\tx\n", "index.tsv has 1 rows, deu_Latn has 3 lines: expected as many$"),
    ],
)
def test_a_bad_index(sib: Path, index: str, message: str) -> None:
    (sib / "index.tsv").write_text(index)
    with pytest.raises(InputError, match=message):
        read_classification(sib)


def test_bad_folders(sib: Path) -> None:
    with pytest.raises(InputError, match="no text in fra_Latn; available: deu_Latn, eng_Latn"):
        read_classification(sib, languages=["fra_Latn"])
    with pytest.raises(InputError, match="no such folder: .*nowhere"):
        read_classification(sib / "nowhere")
    (sib / "index.tsv").unlink()
    with pytest.raises(InputError, match="no such file: .*index.tsv"):
        read_classification(sib)


DATA = Path(os.environ.get("ALIGN_DATA", "/nonexistent"))


@pytest.mark.skipif(not DATA.is_dir(), reason="ALIGN_DATA does not name the data folder")
def test_real_data() -> None:
    data = read_classification(DATA / "sib200", languages=["eng_Latn", "hin_Deva"])
    assert Counter(data.splits) == {"train": 701, "dev": 99, "test": 204}
    assert len(set(data.classes)) == 7
    rng = np.random.default_rng(0)
    result = classification(lambda texts, _: rng.standard_normal((len(texts), 8)), data)
    assert [score.n for score in result.scores] == [204, 204]
    assert max(score.accuracy["logistic"] for score in result.scores) < 0.4  # noise

from __future__ import annotations

import gzip
import math
import os
import sys
import types
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from align.errors import InputError
from align.tasks import StsSet, read_sts
from align.tasks.sts import sts
from align.tasks.sts.task import scored_pairs, units_of
from align.tasks.texts.sts_sets import labels


class Vectors:
    """An encoder that looks the vector of a text up, and counts what it is asked."""

    def __init__(self, rows: dict[str, Sequence[float]]) -> None:
        self.rows = rows
        self.calls: Counter[str] = Counter()

    def __call__(self, texts: Sequence[str], language: str) -> np.ndarray:
        self.calls[language] += 1
        return np.array([self.rows[text] for text in texts])


def angles(degrees: Sequence[float], side: str) -> dict[str, tuple[float, float]]:
    """Texts a0, a1, ... as unit vectors at these angles."""
    return {f"{side}{i}": (math.cos(math.radians(d)), math.sin(math.radians(d))) for i, d in enumerate(degrees)}


def numbered(scores: Sequence[float], language: str = "de", sides: str = "ab") -> StsSet:
    first, second = ([f"{side}{i}" for i in range(len(scores))] for side in sides)
    return StsSet(tuple(scores), tuple(first), tuple(second), (language, language))


def test_by_hand() -> None:
    encode = Vectors(angles([0, 0, 0, 0], "a") | angles([0, 60, 90, 180], "b"))  # cosines 1, 0.5, 0, -1
    result = sts(encode, {"de": numbered([5, 3, 4, 0])}, per_item=True)
    (score,) = result.scores
    # ranks 4, 3, 2, 1 and 4, 2, 3, 1: rho = 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    assert score.spearman == pytest.approx(0.8, abs=1e-12)
    # deviations .875, .375, -.125, -1.125 and 2, 0, 1, -3
    expected = (0.875 * 2 - 0.125 + 1.125 * 3) / math.sqrt((0.875**2 + 0.375**2 + 0.125**2 + 1.125**2) * 14)
    assert score.pearson == pytest.approx(expected, abs=1e-7)
    assert score.cosines == pytest.approx((1, 0.5, 0, -1), abs=1e-7)
    assert (score.name, score.first, score.second, score.n, score.left_out) == ("de", "de", "de", 4, 0)
    assert result.headline() == score.spearman


def test_several_sets_of_any_length_weigh_the_same() -> None:
    rows = angles([0] * 4, "a") | angles([0, 60, 90, 180], "b")
    sets = {"de": numbered([5, 3, 4, 0]), "fr": numbered([1, 2], "fr")}  # rho 0.8 and -1
    result = sts(Vectors(rows), sets)
    assert [s.spearman for s in result.scores] == pytest.approx([0.8, -1.0])
    assert result.headline() == pytest.approx(-0.1)


def test_cosines_within_the_tolerance_are_ties() -> None:
    rows = {"a0": (1, 0), "b0": (1, 3e-7), "a1": (0.3, 0.4), "b1": (0.6, 0.8), "a2": (1, 0), "b2": (0, 1)}
    (score,) = sts(Vectors(rows), {"de": numbered([5, 5, 0])}).scores  # two pairs of cosine 1
    assert score.spearman == 1.0


def random_sets(languages: Sequence[str], n: int) -> tuple[Vectors, dict[str, StsSet]]:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 26, n) / 5
    rows, sets = {}, {}
    for language in languages:
        first, second = ([f"{language}{side}{i}" for i in range(n)] for side in "ab")
        rows |= {text: rng.standard_normal(6) for text in first + second}
        sets[language] = StsSet(tuple(gold), tuple(first), tuple(second), (language, language))
    return Vectors(rows), sets


def rho(encode: Vectors, first: Sequence[str], second: Sequence[str], gold: Sequence[float]) -> float:
    cosines = []
    for a, b in zip(first, second, strict=True):
        x, y = np.array(encode.rows[a]), np.array(encode.rows[b])
        cosines.append(float(x @ y) / math.sqrt(float(x @ x) * float(y @ y)))
    return stats.spearmanr(cosines, gold)[0]


def test_every_two_languages_and_one_encoding_of_each_side() -> None:
    encode, sets = random_sets(["de", "en", "hi"], 50)
    result = sts(encode, sets, cross=True)
    assert encode.calls == {"de": 2, "en": 2, "hi": 2}
    cells = {(s.first, s.second): s for s in result.scores}
    assert len(cells) == 9 and len(result.scores) == 9
    for (i, j), cell in cells.items():
        assert cell.spearman == pytest.approx(rho(encode, sets[i].first, sets[j].second, sets[i].scores), abs=1e-9)
        assert cell.name == (i if i == j else f"{i}-{j}")
    assert cells["de", "hi"].spearman != pytest.approx(cells["hi", "de"].spearman)  # the matrix is not symmetric
    alone = sts(encode, sets)
    assert alone.scores == result.scores[:3] and alone.headline() == result.headline()  # of the sets alone


def test_sets_of_two_languages() -> None:
    encode, sets = random_sets(["en", "es"], 20)
    mixed = StsSet(sets["es"].scores, sets["es"].first, sets["en"].second, ("es", "en"))
    result = sts(encode, {"t1": sets["en"], "t4.es-en": mixed})
    assert [(score.first, score.second) for score in result.scores] == [("en", "en"), ("es", "en")]
    assert encode.calls == {"en": 3, "es": 1}


def test_rounded_scores_are_the_same_and_the_first_language_has_its_own() -> None:
    encode, sets = random_sets(["de", "en"], 30)
    gold = np.array(sets["de"].scores)
    sets["en"] = StsSet(
        tuple(gold + 0.05 * np.sign(np.arange(30) % 3 - 1)), sets["en"].first, sets["en"].second, ("en",) * 2
    )
    result = sts(encode, sets, cross=True)
    for cell in result.scores[2:]:
        expected = rho(encode, sets[cell.first].first, sets[cell.second].second, sets[cell.first].scores)
        assert cell.spearman == pytest.approx(expected, abs=1e-9)
    moved = list(sets["en"].scores)
    moved[6] = gold[6] + 0.3
    moved[9] = gold[9] - 0.06
    sets["en"] = StsSet(tuple(moved), sets["en"].first, sets["en"].second, ("en", "en"))
    message = rf"^de and en give pair 7 the scores {gold[6]:g} and {gold[6] + 0.3:g} \(2 pairs differ\): row-aligned"
    with pytest.raises(InputError, match=message):
        sts(encode, sets, cross=True)
    assert sts(encode, sets).scores  # each for itself they are sound


def test_blank_pairs_are_left_out_and_counted() -> None:
    encode, sets = random_sets(["de", "en"], 12)
    for language, side, row in (("de", 0, 2), ("de", 1, 5), ("en", 1, 7)):
        one = sets[language]
        sides = [list(one.first), list(one.second)]
        sides[side][row] = " \u3000"
        sets[language] = StsSet(one.scores, tuple(sides[0]), tuple(sides[1]), one.languages)
    result = sts(encode, sets, cross=True, per_item=True)
    found = {s.name: (s.n, s.left_out) for s in result.scores}
    assert found == {"de": (10, 2), "en": (11, 1), "de-en": (10, 2), "en-de": (11, 1)}
    cell = next(s for s in result.scores if s.name == "de-en")
    assert [i for i, cosine in enumerate(cell.cosines) if cosine is None] == [2, 7]
    rows = [i for i in range(12) if i not in (2, 7)]
    first, second = ([texts[i] for i in rows] for texts in (sets["de"].first, sets["en"].second))
    assert cell.spearman == pytest.approx(rho(encode, first, second, [sets["de"].scores[i] for i in rows]), abs=1e-9)


def test_table() -> None:
    encode, sets = random_sets(["de", "en"], 20)
    result = sts(encode, sets, cross=True)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in result.table().split("\n")]
    assert ["name", "first", "second", "n", "left out", "spearman", "pearson"] in lines
    for score in result.scores:
        row = [score.name, score.first, score.second, "20", "0", f"{score.spearman:.3f}", f"{score.pearson:.3f}"]
        assert row in lines


GOOD = Vectors(angles([0, 0, 0], "a") | angles([0, 60, 90], "b"))
THREE = numbered([1, 2, 3])


def constant(texts: Sequence[str], language: str) -> np.ndarray:
    return np.ones((len(texts), 2))


def broken(texts: Sequence[str], language: str) -> np.ndarray:
    rows = np.eye(3, 4)[: len(texts)]
    rows[2, 0] = np.nan if texts[0] == "b0" else 0
    return rows


def uneven(texts: Sequence[str], language: str) -> np.ndarray:
    return np.eye(3, 4 if texts[0] == "b0" else 3)


@pytest.mark.parametrize(
    ("encode", "sets", "options", "message"),
    [
        (GOOD, {}, {}, "^no STS set was given$"),
        (GOOD, {"de": numbered([])}, {}, r"^de, gold scores: .* at least 2 values, got shape \(0,\)"),
        (GOOD, {"de": numbered([1])}, {}, r"^de, gold scores: .* at least 2 values, got shape \(1,\)"),
        (GOOD, {"de": numbered([2, 2, 2])}, {}, "^de, gold scores: all 3 values are 2; a correlation needs two"),
        (GOOD, {"de": numbered([1, math.nan, 2])}, {}, "^de, gold scores: value 2 is nan"),
        (constant, {"de": THREE}, {}, "^de, cosines: all 3 values are 1; a correlation needs two different ones"),
        (broken, {"de": THREE}, {}, "^de, second sentences: the encoder returned NaN or Inf for 1 texts, .* line 3"),
        (uneven, {"de": THREE}, {}, "^de: the encoder returned 3 and 4 dimensions for the two sides"),
        (GOOD, {"de": THREE}, {"cross": True}, "^scores across languages need at least two sets, got de$"),
        (
            GOOD,
            {"de": THREE, "x.de": THREE},
            {"cross": True},
            "^two of de, x.de are of one language: across languages expects one set of each$",
        ),
        (
            GOOD,
            {"de": THREE, "en": numbered([1, 2], "en")},
            {"cross": True},
            "^de has 3 lines, en has 2: line-aligned texts were expected$",
        ),
        (
            GOOD,
            {"de": THREE, "t4": StsSet((1.0, 2.0, 3.0), THREE.first, THREE.second, ("es", "en"))},
            {"cross": True},
            "^t4 is of two languages: scores across languages are made of sets of one each$",
        ),
    ],
)
def test_bad_input_is_refused(encode, sets, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sts(encode, sets, **options)


def test_nothing_is_encoded_before_all_sets_are_sound() -> None:
    encode, sets = random_sets(["de", "en"], 5)
    with pytest.raises(InputError, match="^fr, gold scores"):
        sts(encode, sets | {"fr": numbered([1, 1], "fr")})
    assert not encode.calls


def test_sets_check_themselves() -> None:
    with pytest.raises(InputError, match="STS set of 2 scores, 1 and 2 sentences: expected as many of each"):
        StsSet((1, 2), ("a",), ("a", "b"), ("de", "de"))
    with pytest.raises(InputError, match="unknown script in language code 'deu_Xxxx'"):
        StsSet((), (), (), ("deu_Xxxx", "deu_Xxxx"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("de", ("de", "de")),
        ("deu_Latn", ("deu_Latn", "deu_Latn")),
        ("track4a.es-en", ("es", "en")),
        ("spa_Latn-eng_Latn", ("spa_Latn", "eng_Latn")),
        ("zh-hans", ("zh-hans", "zh-hans")),
        ("v1.0.kaz", ("kaz", "kaz")),
    ],
)
def test_labels(name: str, expected: tuple[str, str]) -> None:
    assert labels(name) == expected


HEADER = "score\tsentence1\tsentence2\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_folder_of_tables(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    folder = write(
        tmp_path,
        {
            "de.test.tsv": HEADER + '2.5\t"Ja" sagt er\tNein\n0\ta\tb\n',
            "de.dev.tsv": HEADER + "1\tc\td\n",
            "hin_Deva.tsv": "id\tsentence2\tsentence1\tsimilarity_score\n7\tदो\tएक\t0.5\n",
            "LICENSE.txt": "",
        },
    )
    with gzip.open(tmp_path / "track4a.es-en.tsv.gz", "wt", encoding="utf-8") as file:
        file.write(HEADER + "4\tsí\tyes\n")
    assert read_sts(folder) == {
        "de": StsSet((2.5, 0.0), ('"Ja" sagt er', "a"), ("Nein", "b"), ("de", "de")),
        "hin_Deva": StsSet((0.5,), ("एक",), ("दो",), ("hin_Deva", "hin_Deva")),
        "track4a.es-en": StsSet((4.0,), ("sí",), ("yes",), ("es", "en")),
    }
    assert "2 entries are no STS files of split test: LICENSE.txt, de.dev.tsv" in caplog.text
    assert list(read_sts(folder, languages=["track4a.es-en", "de"])) == ["track4a.es-en", "de"]
    assert read_sts(str(folder), split="dev", languages=["de"])["de"].first == ("c",)
    assert read_sts(folder / "de.dev.tsv")["de"].scores == (1.0,)


def test_the_original_benchmark(tmp_path: Path) -> None:
    rows = [
        "main-captions\tMSRvid\t2012test\t0024\t2.500\tA girl is styling her hair.\tA girl is brushing her hair.",
        "main-news\theadlines\t2016\t0001\t5.000\tone\tother\tsource of one\tsource of the other",
    ]
    write(tmp_path, {"sts-test.csv": "\n".join(rows) + "\n", "sts-dev.csv": "main-news\ta\tb\tc\t1\tx\ty\n"})
    second = ("A girl is brushing her hair.", "other")
    assert read_sts(tmp_path) == {
        "en": StsSet((2.5, 5.0), ("A girl is styling her hair.", "one"), second, ("en", "en"))
    }
    assert read_sts(tmp_path / "sts-dev.csv")["en"].first == ("x",)
    write(tmp_path, {"sts-test.csv": rows[0] + "\nmain-news\ta\tb\n"})
    with pytest.raises(InputError, match=r"sts-test.csv, line 2: 3 columns, expected at least 7"):
        read_sts(tmp_path)


def test_semeval(tmp_path: Path) -> None:
    write(tmp_path, {"STS.input.track4a.es-en.txt": "sí\tyes\nno\tnot\n", "STS.gs.track4a.es-en.txt": "4.5\n0\n"})
    expected = {"track4a.es-en": StsSet((4.5, 0.0), ("sí", "no"), ("yes", "not"), ("es", "en"))}
    assert read_sts(tmp_path) == read_sts(tmp_path / "STS.input.track4a.es-en.txt") == expected
    write(tmp_path, {"STS.gs.track4a.es-en.txt": "4.5\n"})
    with pytest.raises(InputError, match="has 2 lines, STS.gs.track4a.es-en.txt has 1: expected a score for each"):
        read_sts(tmp_path)
    write(tmp_path, {"STS.gs.track4a.es-en.txt": "4.5\nx\n"})
    with pytest.raises(InputError, match="STS.gs.track4a.es-en.txt, line 2: the score is 'x', expected a number"):
        read_sts(tmp_path)
    write(tmp_path, {"STS.gs.track4a.es-en.txt": "4\n1\n", "STS.input.track4a.es-en.txt": "sí\tyes\nno\n"})
    with pytest.raises(InputError, match="STS.input.track4a.es-en.txt, line 2: 1 columns, expected 2 sentences"):
        read_sts(tmp_path)
    (tmp_path / "STS.gs.track4a.es-en.txt").unlink()
    with pytest.raises(InputError, match="has no gold scores: expected STS.gs.track4a.es-en.txt beside it"):
        read_sts(tmp_path)


def test_rows_without_a_score_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, {"x.tsv": HEADER + "1\ta\tb\n\tc\td\nNA\te\tf\n2\tg\th\n\t\t\n\n"})
    (found,) = read_sts(tmp_path).values()
    assert (found.scores, found.first) == ((1.0, 2.0), ("a", "g"))
    assert f"2 of 4 pairs have no score and are left out: {tmp_path / 'x.tsv'}, line 3" in caplog.text
    (unit,) = units_of({"x": found}, None)
    vectors = {"a": (1, 0), "b": (1, 0), "g": (1, 0), "h": (0, 1)}
    score = sts(lambda texts, _: np.array([vectors[text] for text in texts]), {"x": found}, per_item=True).scores[0]
    assert scored_pairs(score, found, unit)["left_out"] == 2


@pytest.mark.parametrize("ending", ["tsv", "csv"])
@pytest.mark.parametrize(
    "head",
    [
        ["Sentence 1", "Sentence 2", "Similarity"],
        ["", "text1", "text2", "Score"],
        ["sentence_A", "sentence_B", "relatedness_score"],
    ],
)
def test_columns_by_any_spelling(tmp_path: Path, ending: str, head: list[str]) -> None:
    rows = [head, *([""] * (len(head) - 3) + row for row in (['"a ""b"""', "c", "2.0"], ["d", "e", "NaN"]))]
    text = "".join((";" if ending == "csv" else "\t").join(row) + "\r\n" for row in rows)
    (tmp_path / f"x.{ending}").write_bytes(text.encode("utf-16"))
    (found,) = read_sts(tmp_path).values()
    assert (found.scores, found.first, found.second) == ((2.0,), ('a "b"',), ("c",))


def test_bad_rows_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.tsv"
    path.write_bytes(f"{HEADER}1\ta\tb\n2\ta\n3\tc\td\n".encode() + b"4\t\xe4\tb\n")
    assert read_sts(path)["x"].scores == (1, 3)
    assert f"2 rows are left out: {path}, line 3: 2 columns, expected 3 as in the header" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "2\ta\n", r"x.tsv, line 2: 2 columns, expected 3 as in the header$"),
        (HEADER + "1\ta\tb\tc\n", r"x.tsv, line 2: 4 columns, expected 3"),
        (HEADER + "2,5\ta\tb\n", r"x.tsv, line 2: the score is '2,5', expected a number$"),
        (HEADER + "nan\ta\tb\n", r"x.tsv, line 2: expected a score, got none, as in each of its 1 pairs$"),
        (HEADER + "inf\ta\tb\n", "the score is 'inf', expected a number"),
        (
            "1\ta\tb\n",
            r"x.tsv, line 1: expected a header with score, sentence1, sentence2 between tabs, got \['1', 'a'",
        ),
        ("", r"x.tsv, line 1: expected a header .* got \[''\]"),
        ("score\tsentence1\n", "expected a header"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, {"x.tsv": text})
    with pytest.raises(InputError, match=message):
        read_sts(tmp_path)


def test_bad_sources(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no STS file of the split test: expected <name>.tsv, "):
        read_sts(tmp_path)
    write(tmp_path, {"de.dev.tsv": HEADER, "notes.txt": ""})
    with pytest.raises(InputError, match="has no STS file of the split test"):
        read_sts(tmp_path)
    with pytest.raises(InputError, match="unknown split 'valid': expected one of train, dev, test"):
        read_sts(tmp_path, split="valid")
    with pytest.raises(InputError, match="no text in fr; available: de"):
        read_sts(tmp_path, split="dev", languages=["fr"])
    with pytest.raises(InputError, match=r"notes.txt is no STS file: expected <name>.tsv"):
        read_sts(tmp_path / "notes.txt")
    for missing in ("nowhere", "a/b/c", tmp_path / "x.tsv", "stsb/x.tsv"):
        with pytest.raises(InputError, match="is no folder, STS file or data set on the Hub"):
            read_sts(missing)
    write(tmp_path, {"de.tsv": HEADER})
    with pytest.raises(InputError, match=r"holds de twice: de.dev.tsv and de.tsv"):
        read_sts(tmp_path, split="dev")
    write(tmp_path, {"xyx_Latn.tsv": HEADER})
    with pytest.raises(InputError, match="unknown language code 'xyx_Latn'"):
        read_sts(tmp_path, languages=["xyx_Latn"])


class Table(dict):
    column_names = property(lambda self: list(self))


def fake_datasets(monkeypatch: pytest.MonkeyPatch, configs: list[str], answer: object) -> list[tuple]:
    asked = []

    def load_dataset(name: str, config: str, *, split: str, revision: str | None = None) -> object:
        asked.append((name, config, split))
        if isinstance(answer, Exception):
            raise answer
        return answer

    module = types.ModuleType("datasets")
    module.get_dataset_config_names = lambda name, revision=None: configs
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    return asked


@pytest.mark.parametrize("column", ["score", "similarity_score"])
def test_hub(monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    rows = Table({"sentence1": ["sí"], "sentence2": ["yes"], column: [4.0], "lang": ["es-en"]})
    asked = fake_datasets(monkeypatch, ["default", "es-en", "en-en"], rows)
    expected = StsSet((4.0,), ("sí",), ("yes",), ("es", "en"))
    assert read_sts("mteb/sts17-crosslingual-sts", languages=["es-en"]) == {"es-en": expected}
    assert asked == [("mteb/sts17-crosslingual-sts", "es-en", "test")]
    assert list(read_sts("mteb/sts17-crosslingual-sts", split="dev")) == ["es-en", "en-en"]
    assert asked[-1] == ("mteb/sts17-crosslingual-sts", "en-en", "dev")
    fake_datasets(monkeypatch, ["default"], rows)
    assert list(read_sts("a/b")) == ["default"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ConnectionError("no network\nat all"), "^data set a/b could not be .* cache .*: no network$"),
        (Table(text=["a"]), "^data set a/b, de: expected the columns score, sentence1 and sentence2, got text$"),
        (
            Table(score=[1.0, "high"], sentence1=["a", "b"], sentence2=["a", "b"]),
            "^data set a/b, de, row 2: the score is 'high', expected a number$",
        ),
    ],
)
def test_bad_hub_data(monkeypatch: pytest.MonkeyPatch, answer: object, message: str) -> None:
    fake_datasets(monkeypatch, ["de"], answer)
    with pytest.raises(InputError, match=message):
        read_sts("a/b")
    with pytest.raises(InputError, match="^no text in fr; available: de$"):
        read_sts("a/b", languages=["fr"])


DATA = Path(os.environ.get("ALIGN_DATA", "/nonexistent"))


@pytest.mark.skipif(not DATA.is_dir(), reason="ALIGN_DATA does not name the data folder")
def test_real_data() -> None:
    sets = read_sts(DATA / "sts/stsb")
    assert len(sets) == 15 and {len(one.scores) for one in sets.values()} == {1379}
    assert sets["de"].second[0] == "Ein Mädchen bürstet sich die Haare."
    assert read_sts(DATA / "sts/sts17")["track4a.es-en"].languages == ("es", "en")
    rng = np.random.default_rng(0)
    two = {name: sets[name] for name in ("de", "hi")}
    result = sts(lambda texts, _: rng.standard_normal((len(texts), 8)), two, cross=True)
    assert len(result.scores) == 4 and abs(result.headline()) < 0.1

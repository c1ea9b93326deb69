from __future__ import annotations

import gzip
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from align.errors import InputError
from align.tasks import StsSet, read_wordsim
from align.tasks.wordsim import wordsim
from align.vectors.static import StaticVectors, static_covered, static_encode

E, G = "eng_Latn", "deu_Latn"


class Vectors:
    """An encoder that looks the vector of a word of a language up, and counts what it is asked."""

    def __init__(self, rows: dict[tuple[str, str], Sequence[float]]) -> None:
        self.rows = rows
        self.asked: Counter[tuple[str, str]] = Counter()

    def __call__(self, words: Sequence[str], language: str) -> np.ndarray:
        self.asked.update((language, word) for word in words)
        return np.array([self.rows[language, word] for word in words], dtype=np.float32)

    def covered(self, words: Sequence[str], language: str) -> np.ndarray:
        return np.array([(language, word) in self.rows for word in words], dtype=np.bool_)


def unit(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def one_set(rows: Sequence[tuple[str, str, float]], first: str = E, second: str = E) -> StsSet:
    left, right, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return StsSet(scores, left, right, (first, second))


HAND = [("a", "b", 5.0), ("a", "c", 3.0), ("a", "d", 4.0), ("a", "e", 0.0)]
AT = Vectors({(E, word): unit(d) for word, d in zip("abcde", [0, 0, 60, 90, 180], strict=True)})


def test_by_hand() -> None:
    result = wordsim(AT, {"EN": one_set(HAND)}, per_item=True)
    (score,) = result.scores  # cosines 1, 0.5, 0, -1: ranks 4, 3, 2, 1 and 4, 2, 3, 1
    assert score.spearman == pytest.approx(1 - 6 * (0 + 1 + 1 + 0) / (4 * 15), abs=1e-12)
    assert score.cosines == pytest.approx((1, 0.5, 0, -1), abs=1e-6)
    assert (score.n, score.left_out, score.first, score.second) == (4, 0, E, E)
    assert result.headline() == score.spearman


def random_sets(seed: int = 0) -> tuple[Vectors, dict[str, StsSet]]:
    """Sets of shared words, a fifth of which have no vector, and one pair without a score."""
    rng = np.random.default_rng(seed)
    words = {code: [f"{code[:1]}{i}" for i in range(40)] for code in (E, G)}
    rows = {(code, word): rng.standard_normal(6) for code in words for word in words[code] if rng.random() < 0.8}
    sets = {}
    for name, first, second in (("EN", E, E), ("DE", G, G), ("EN-DE", E, G), ("DE-EN", G, E)):
        pairs = [(rng.choice(words[first]), rng.choice(words[second]), float(rng.integers(11))) for _ in range(120)]
        sets[name] = one_set([*pairs, (words[first][0], words[second][1], math.nan)], first, second)
    return Vectors(rows), sets


def by_loops(encode: Vectors, one: StsSet) -> tuple[list[float | None], float, float]:
    cosines: list[float | None] = []
    for a, b, score in zip(one.first, one.second, one.scores, strict=True):
        x, y = (encode.rows.get((code, word)) for code, word in zip(one.languages, (a, b), strict=True))
        if x is None or y is None or math.isnan(score):
            cosines.append(None)
        else:
            dot = sum(float(i) * float(j) for i, j in zip(x, y, strict=True))
            cosines.append(dot / math.sqrt(sum(float(i) ** 2 for i in x) * sum(float(j) ** 2 for j in y)))
    pairs = [(cosine, score) for cosine, score in zip(cosines, one.scores, strict=True) if cosine is not None]
    # a word with itself has the cosine 1, to the last bits: rounded, as ties count
    rho = stats.spearmanr([round(cosine, 5) for cosine, _ in pairs], [score for _, score in pairs])[0]
    return cosines, rho, stats.pearsonr(*zip(*pairs, strict=True))[0]


@pytest.mark.parametrize("seed", range(3))
def test_covered_pairs_against_loops(seed: int) -> None:
    encode, sets = random_sets(seed)
    result = wordsim(encode, sets, covered=encode.covered, per_item=True)
    left = 0
    for score, (name, one) in zip(result.scores, sets.items(), strict=True):
        cosines, rho, r = by_loops(encode, one)
        assert score.name == name and len(score.cosines) == len(cosines) == 121
        assert [cosine is None for cosine in score.cosines] == [cosine is None for cosine in cosines]
        assert [c for c in score.cosines if c is not None] == pytest.approx(
            [c for c in cosines if c is not None], abs=1e-6
        )
        assert (score.spearman, score.pearson) == (pytest.approx(rho, abs=1e-3), pytest.approx(r, abs=1e-6))
        assert (score.n, score.left_out) == (121 - cosines.count(None), cosines.count(None))
        assert 1 < score.left_out < 100
        left += score.left_out
    assert left > 4
    assert set(encode.asked.values()) == {1}  # each word of a language once, and none that has no vector
    assert result.headline() == pytest.approx(np.mean([score.spearman for score in result.scores]))
    whole = wordsim(encode, {"EN": one_set(a_line(encode))})
    assert whole.scores[0].left_out == 0


def a_line(encode: Vectors) -> list[tuple[str, str, float]]:
    words = [word for code, word in encode.rows if code == E]
    return [(words[0], words[i], float(i)) for i in range(5)]


def test_static_vectors_are_an_encoder() -> None:
    english = StaticVectors(("cat", "dog", "cow"), np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    german = StaticVectors(("katze", "hund"), np.array([[1, 0.1], [0.5, 1]], dtype=np.float32))
    one = one_set(
        [("cat", "Katze", 6), ("dog", "Hund", 5), ("cow", "Kuh", 6), ("cow", "Katze", 1), ("Cow", "Hund", 2)], E, G
    )
    both = {E: english, G: german}
    (score,) = wordsim(
        static_encode(both, lowercase=True), {"EN-DE": one}, covered=static_covered(both, lowercase=True), per_item=True
    ).scores
    expected = [1 / math.sqrt(1.01), 1.5 / math.sqrt(2 * 1.25), None, 0.1 / math.sqrt(1.01), 1 / math.sqrt(1.25)]
    assert [cosine is None for cosine in score.cosines] == [False, False, True, False, False]
    assert [c for c in score.cosines if c] == pytest.approx([c for c in expected if c], abs=1e-6)
    with pytest.raises(InputError, match=r"^EN-DE: none of its 5 pairs is covered \(vectors for 4 first and 0 second"):
        wordsim(static_encode(both), {"EN-DE": one}, covered=static_covered(both))


@pytest.mark.parametrize(
    ("encode", "rows", "message"),
    [
        (AT, [], r"^EN, gold scores: a correlation needs a list of at least 2 values, got shape \(0,\)"),
        (AT, HAND[:1], r"^EN, gold scores: .* at least 2 values, got shape \(1,\)"),
        (AT, [("a", "b", math.nan), *HAND[:1]], r"^EN, gold scores: .* at least 2 values, got shape \(1,\)"),
        (AT, [("a", "b", 2.0), ("a", "c", 2.0)], "^EN, gold scores: all 2 values are 2; a correlation needs two"),
        (lambda words, _: np.ones((len(words), 2)), HAND, "^EN, cosines: all 4 values are 1; a correlation needs"),
        (lambda words, _: np.full((len(words), 2), np.nan), HAND, "^eng_Latn: the vectors of 5 words hold NaN .* 'a'"),
        (lambda words, _: np.ones((2, 2)), HAND, "^eng_Latn: the encoder returned 2 vectors for 5 words"),
    ],
)
def test_bad_input(encode, rows: list[tuple[str, str, float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        wordsim(encode, {"EN": one_set(rows)})


def test_more_bad_input() -> None:
    with pytest.raises(InputError, match="^no word similarity set was given$"):
        wordsim(AT, {})
    uneven = {"EN-DE": one_set(HAND, E, G)}
    with pytest.raises(InputError, match="^EN-DE: the encoder returned 2 and 3 dimensions for the two sides"):
        wordsim(lambda words, code: np.eye(len(words), 2 if code == E else 3), uneven)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


TWO = (("old", "new", 1.5), ("hot dog", "Wurst", 4.0))


@pytest.mark.parametrize(
    ("name", "text", "languages", "rows"),
    [
        (
            "CMN-ENG.csv", 'ID,CMN,ENG,PoS,score\n1,员工,"a, b",nouns,0.18\n2,热,c d ,x,3\n',
            ("cmn_Hans", E), (("员工", "a, b", 0.18), ("热", "c d", 3)),
        ),
        ("YUE-SWA.csv", "ID,YUE,SWA,PoS,score\r\n1,手,m,n,1\r\n", ("yue_Hant", "swa_Latn"), (("手", "m", 1),)),
        ("simlex-english.txt", "word 1\tword 2\tscore\nold\tnew\t1.5\nhot dog\tWurst\t4\n", (E, E), TWO),
        (
            "SimLex-english-old.txt",
            "word1\tword2\tPOS\tSimLex999\tconc\nold\tnew\tA\t1.5\t2\nhot dog\tWurst\tN\t4\t1\n", (E, E), TWO,
        ),
        ("wordsim353-german-rel.txt", "Word 1\tWord 2\tHuman (mean)\r\nold\tnew\t1.5\r\n", (G, G), TWO[:1]),
        ("simlex-german.txt", "word 1\tword 2\tscore\rold\tnew\t1.5\rhot dog\tWurst\t4", (G, G), TWO),
        ("simlex-croatian.txt", "word 1\tword 2\tscore\nold new 1.5\n", ("hrv_Latn",) * 2, TWO[:1]),
        ("EN_MTurk-771.txt", "old new 1.5\n", (E, E), TWO[:1]),
        ("EN_MEN-TR-3k.txt", "old  new 1.5\n", (E, E), TWO[:1]),
        ("FR_RG-65.txt", "old\tnew\t1.5\t\nhot dog\tWurst\t4.0\n", ("fra_Latn",) * 2, TWO),
        ("en-de-SEMEVAL17.txt", "old\tnew\t1.5\nhot dog\tWurst\t4.0\n", (E, G), TWO),
        ("eng_Latn-deu_Latn.mine.tsv", "old\tnew\t1.5\n", (E, G), TWO[:1]),
        ("eng_Latn.tsv", "\ufeffold\tnew\t1.5\n", (E, E), TWO[:1]),
    ],
)  # fmt: skip
def test_the_formats(tmp_path: Path, name: str, text: str, languages: tuple[str, str], rows: tuple) -> None:
    path = write(tmp_path / name, text)
    expected = {name.rpartition(".")[0]: one_set(rows, *languages)}
    assert read_wordsim(path) == read_wordsim([str(path)]) == expected
    with gzip.open(tmp_path / f"{name}.gz", "wt", encoding="utf-8", newline="") as file:
        file.write(text)
    assert read_wordsim(tmp_path / f"{name}.gz") == expected


def test_the_caller_may_say_the_language(tmp_path: Path) -> None:
    path = write(tmp_path / "words.txt", "old\tnew\t1.5\n")
    assert read_wordsim(f"sin_Sinh={path}") == {"words": one_set(TWO[:1], "sin_Sinh", "sin_Sinh")}
    assert read_wordsim(f"sin_Sinh-eng_Latn={path}") == {"words": one_set(TWO[:1], "sin_Sinh", E)}
    with pytest.raises(InputError, match=r"the name of .*words.txt does not say the language .*: write eng_Latn="):
        read_wordsim(path)
    with pytest.raises(InputError, match="unknown language code 'xyx_Latn'"):
        read_wordsim(f"xyx_Latn={path}")


TRANSLATION = """\
ID,ENG 1,ENG 2,PoS,ARA 1,ARA 2,ENG 3,scores 1,scores 2
1,arm,muscle,n,ذراع,عضل,x,y,z
2,day,dawn,n,يوم,فجر ,x,y,z
"""
SCORES = "ID,ENG 1,ENG 2,PoS,ARA,CMN,ENG,scores\n1,arm,muscle,n,2.9,1,0.7,1\n2,day,dawn,n,nan,1,4,1\n"


def test_multisimlex_within_languages(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "translation.csv", TRANSLATION)
    write(tmp_path / "scores.csv", SCORES)
    for source in (tmp_path, path, tmp_path / "scores.csv"):
        sets = read_wordsim(source)
        assert sorted(sets) == ["ARA", "ENG"]  # no words of CMN
        assert sets["ENG"] == one_set([("arm", "muscle", 0.7), ("day", "dawn", 4)])
        assert sets["ARA"].languages == ("ara_Arab", "ara_Arab") and sets["ARA"].second == ("عضل", "فجر")
        assert sets["ARA"].scores[0] == 2.9 and math.isnan(sets["ARA"].scores[1])
    assert "ARA: 1 pairs have no score (nan), the first is يوم, فجر" in caplog.text
    write(tmp_path / "scores.csv", SCORES.replace("\n2,", "\n3,"))
    with pytest.raises(InputError, match="translation.csv and scores.csv beside it differ in their ID column"):
        read_wordsim(path)
    write(tmp_path / "scores.csv", SCORES.replace("0.7", "?"))
    with pytest.raises(InputError, match=r"scores.csv, line 2: the score is '\?'; expected a number"):
        read_wordsim(path)
    write(tmp_path / "scores.csv", "ID,CMN\n1,2\n2,3\n")
    with pytest.raises(InputError, match="translation.csv, line 1: no language has columns such as 'ENG 1'"):
        read_wordsim(path)
    write(tmp_path / "translation.csv", "ID,XYX 1,XYX 2\n1,a,b\n")
    write(tmp_path / "scores.csv", "ID,XYX\n1,2\n")
    with pytest.raises(InputError, match="^the language XYX is not known here; expected one of .*eng"):
        read_wordsim(path)
    (tmp_path / "scores.csv").unlink()
    with pytest.raises(InputError, match="no such file: .*scores.csv"):
        read_wordsim(path)


def test_semeval_in_two_files(tmp_path: Path) -> None:
    path = write(tmp_path / "data" / "en-de.test.data.txt", "old\tnew\nhot dog\tWurst\n")
    gold = write(tmp_path / "keys" / "en-de.test.gold.txt", "1.5\n4\n")
    expected = {"en-de.test": one_set(TWO, E, G)}
    assert read_wordsim(path) == read_wordsim(tmp_path / "data") == expected
    gold = gold.rename(path.with_name(gold.name))
    assert read_wordsim(path) == read_wordsim(tmp_path / "data") == expected
    write(gold, "1.5\n")
    with pytest.raises(InputError, match="data.txt has 2 lines, .*gold.txt has 1: expected a score for each pair"):
        read_wordsim(path)
    write(gold, "1.5\nx\n")
    with pytest.raises(InputError, match="gold.txt, line 2: the score is 'x'"):
        read_wordsim(path)
    write(path, "old\tnew\nhot dog Wurst\n")
    with pytest.raises(InputError, match="data.txt, line 2: 1 columns, expected word TAB word"):
        read_wordsim(path)
    gold.unlink()
    with pytest.raises(InputError, match=r"has no gold scores: expected en-de.test.gold.txt beside it or in ../keys"):
        read_wordsim(path)


def test_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with pytest.raises(InputError, match="has no word similarity set: expected names such as CMN-ENG.csv"):
        read_wordsim(tmp_path)
    for name in ("EN_A.txt", "DE_A.txt", "questions-words.txt", "words-in-it.txt"):
        write(tmp_path / name, "old\tnew\t1.5\n")
    (tmp_path / "EN_folder").mkdir()
    assert list(read_wordsim(tmp_path)) == ["DE_A", "EN_A"]
    assert "3 entries name no language: EN_folder, questions-words.txt, words-in-it.txt" in caplog.text
    with pytest.raises(InputError, match="EN_A.txt: there is a set named EN_A already; expected different names"):
        read_wordsim([tmp_path, tmp_path / "EN_A.txt"])
    write(tmp_path / "EN_A.tsv", "old\tnew\t1.5\n")
    with pytest.raises(InputError, match="holds two sets named EN_A; expected different names"):
        read_wordsim(tmp_path)
    with pytest.raises(InputError, match="^no word similarity file was given$"):
        read_wordsim([])
    with pytest.raises(InputError, match="no such file: nowhere.txt"):
        read_wordsim("nowhere.txt")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("EN_A.txt", "old new 1\nhot dog Wurst 4\n", "EN_A.txt, line 2: 'hot dog Wurst 4' is no pair; expected word"),
        ("EN_A.txt", "old\tnew\t1\n\n", "EN_A.txt, line 2: '' is no pair"),
        ("EN_A.txt", "old\tnew\t1\tx\n", "EN_A.txt, line 1: .* is no pair"),
        ("EN_A.txt", "a\tb\tPOS\tscore\nold\tnew\t1\n", "EN_A.txt, line 2: .* is no pair; expected 4 columns as"),
        ("EN_A.txt", "Wort\tWort\tWert\nold\tnew\t1\n", "EN_A.txt, line 1: the score is 'Wert'; expected a number"),
        ("EN_A.txt", "old\tnew\tinf\n", "EN_A.txt, line 1: the score is 'inf'"),
        ("EN_A.txt", "old\tnew\t1,5\n", "EN_A.txt, line 1: the score is '1,5'"),
        ("EN_A.txt", "<!DOCTYPE html>\n", "EN_A.txt, line 1: expected pairs of words, got an XML or HTML page"),
        ("EN_A.txt", "", "EN_A.txt is empty; expected pairs of words with a score"),
        ("CMN-ENG.csv", "<html><body>\n", "CMN-ENG.csv, line 1: expected pairs of words, got an XML"),
        ("CMN-ENG.csv", "a,b,c\n1,2,3\n", "CMN-ENG.csv, line 1: expected a header such as ID,CMN,ENG,PoS,score, got a"),
        ("CMN-ENG.csv", "ID,CMN,ENG,PoS,score\n1,a,b,n\n", "CMN-ENG.csv, line 2: expected 5 columns as in the header"),
        ("CMN-ENG.csv", "ID,CMN,ENG,PoS,score\n1,a,b,n,1,2\n", "CMN-ENG.csv, line 2: expected 5 columns"),
        ("CMN-ENG.csv", "ID,CMN,ENG,PoS,score\n1,a,b,n,x\n", "CMN-ENG.csv, line 2: the score is 'x'"),
        ("CMN-ENG.csv", 'ID,CMN,ENG,PoS,score\n1,"a"b,c,n,1\n', "CMN-ENG.csv, line 2: "),
        ("CMN-ENG.csv", "ID,CMN,ENG,PoS,score\n", "CMN-ENG.csv has a header, but no row"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_wordsim(write(tmp_path / name, text))


DATA = Path(os.environ.get("ALIGN_DATA", "/nonexistent"))


@pytest.mark.skipif(not DATA.is_dir(), reason="ALIGN_DATA does not name the data folder")
def test_real_data() -> None:
    sets = read_wordsim(DATA / "bli/multisimlex")
    assert len(sets) == 21 and sum(len(one.scores) for one in sets.values()) == 62518
    assert sets["CMN-ENG"].languages == ("cmn_Hans", "eng_Latn")
    one = sets["CMN-ENG"]
    assert (one.first[0], one.second[0], one.scores[0]) == (
        "员工",
        "vocalist",
        0.18,
    )
    rng = np.random.default_rng(0)
    few = {name: sets[name] for name in ("CMN-FIN", "RUS-SPA")}
    result = wordsim(lambda words, _: rng.standard_normal((len(words), 8)), few)
    assert [score.left_out for score in result.scores] == [2, 0] and abs(result.headline()) < 0.1

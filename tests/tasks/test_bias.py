from __future__ import annotations

import json

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.offsets import language_mean
from align.tasks.bias import Collection, language_bias

CODES = ("ell_Grek", "eng_Latn", "hin_Deva")


class Table:
    """An encoder of texts that name their row: "3" of a language is the fourth row of its matrix."""

    def __init__(self, vectors):
        self.vectors = vectors

    def __call__(self, texts, language):
        return self.vectors[language][[int(text) for text in texts]]

    def texts(self):
        return {code: [str(i) for i in range(len(rows))] for code, rows in self.vectors.items()}


def cloud(language: float, meaning: float = 1, n: int = 40, d: int = 20, seed: int = 0) -> Table:
    """What a line means, the same in all languages; a direction of each language; and noise."""
    rng = np.random.default_rng(seed)
    shared = meaning * rng.standard_normal((n, d))
    return Table({
        code: shared + language * rng.standard_normal(d) + 0.3 * rng.standard_normal((n, d)) for code in CODES
    })  # fmt: skip


def by_definition(table: Table, k: int) -> dict[str, list[float]]:
    """Excess of each query, one candidate at a time."""
    codes, n = list(table.vectors), len(next(iter(table.vectors.values())))
    unit = {(code, i): row / np.linalg.norm(row) for code in codes for i, row in enumerate(table.vectors[code])}
    found: dict[str, list[float]] = {code: [] for code in codes}
    for code in codes:
        for line in range(n):
            others = [key for key in unit if key != (code, line)]
            near = sorted(others, key=lambda key: -float(unit[key] @ unit[code, line]))[:k]
            same = sum(one == code for one, _ in near)
            unexplained = sum(i != line for _, i in near)
            irrelevant = [key for key in others if key[1] != line]
            chance = sum(one == code for one, _ in irrelevant) / len(irrelevant)
            found[code].append((same - chance * unexplained) / len(near))
    return found


@pytest.mark.parametrize(("language", "k"), [(0, 5), (1, 1), (1, 5), (3, 10), (1, 500)])
def test_excess_is_what_it_says(language, k):
    table = cloud(language)
    result = language_bias(table, table.texts(), k=k)
    expected = by_definition(table, k)
    for score in result.scores:
        assert score.items == pytest.approx(expected[score.language], abs=1e-6)
        assert score.excess == pytest.approx(np.mean(expected[score.language]))
        assert (score.n, score.left_out, score.lines) == (40, 0, tuple(range(1, 41)))
    assert result.headline() == pytest.approx(np.mean([np.mean(of) for of in expected.values()]))


def test_by_hand():
    """Two lines in two languages: of two hits one can be right, and a chance of 1/2 is that another is in one's own."""
    table = Table({"eng_Latn": np.array([[1, 0], [0.9, 0.3]]), "deu_Latn": np.array([[1, 0.1], [-1, 0]])})
    english, german = language_bias(table, table.texts(), k=2).scores
    # eng 0: deu 0 (right), eng 1: (1 - 1/2) / 2; eng 1: deu 0, eng 0 (neither): (1 - 2/2) / 2
    assert english.items == (0.25, 0.0)
    # deu 0: eng 0 (right), eng 1: (0 - 1/2) / 2; deu 1: eng 1 (right), deu 0: (1 - 1/2) / 2
    assert german.items == (-0.25, 0.25)
    assert (english.same, german.same, english.relevant, german.relevant) == (0.5, 0.25, 0.5, 1)


def test_who_does_not_see_language_has_none_and_who_sees_nothing_else_all():
    blind = language_bias(cloud(0), cloud(0).texts()).scores
    assert all(abs(score.excess) < 0.06 and score.relevant == 1 for score in blind)
    lost = cloud(0, meaning=0)  # it finds no translation, but sees no language either
    assert all(abs(s.excess) < 0.06 and s.relevant < 0.4 for s in language_bias(lost, lost.texts()).scores)
    same = Table({code: np.ones((40, 3)) for code in CODES})
    constant = language_bias(same, same.texts())  # all queries have the same hits, by lot
    assert abs(constant.headline()) < 0.01 and sum(score.identity for score in constant.scores) == 1
    far = cloud(50)
    for score in language_bias(far, far.texts(), k=10).scores:
        assert (score.same, score.identity) == (1, 1)
        assert score.excess == pytest.approx(2 / 3) and score.chance == pytest.approx(1 / 3)


def test_what_offsets_take_off_is_measured():
    before = cloud(1.5)
    after = Table({code: rows - language_mean(rows) for code, rows in before.vectors.items()})
    biased, centred = (language_bias(one, one.texts()) for one in (before, after))
    assert biased.headline() > 0.4 > 0.06 > abs(centred.headline())
    identity = [np.mean([score.identity for score in one.scores]) for one in (biased, centred)]
    assert identity[0] == 1 and identity[1] < 0.6


def test_lines_that_do_not_count():
    table = cloud(1, n=6)
    texts = table.texts()
    texts["eng_Latn"][2] = " "  # blank: the line is left out of all languages
    texts["hin_Deva"][4] = "0"  # stood before
    result = language_bias(table, texts, k=3)
    assert all((score.n, score.left_out, score.lines) == (4, 2, (1, 2, 4, 6)) for score in result.scores)
    kept = Table({code: rows[[0, 1, 3, 5]] for code, rows in table.vectors.items()})
    assert result.values == language_bias(kept, kept.texts(), k=3).values


def test_one_line_and_few_lines():
    one = cloud(1, n=1)
    for score in language_bias(one, one.texts()).scores:
        assert (score.excess, score.same, score.relevant, score.identity) == (0, 0, 1, None)
    few = cloud(1, n=3)
    assert all(0 <= score.identity <= 1 for score in language_bias(few, few.texts(), probe_lines=1).scores)


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        ({"eng_Latn": ["a"]}, {}, "language bias needs at least two languages, got eng_Latn"),
        ({"eng_Latn": ["a"], "deu_Latn": ["a", "b"]}, {}, "eng_Latn has 1 lines, deu_Latn has 2"),
        ({"eng_Latn": ["a", ""], "deu_Latn": ["", "b"]}, {}, "no line is filled in each of eng_Latn, deu_Latn"),
        ({"eng_Latn": ["a"], "deu_Latn": ["b"]}, {"k": 0}, "expected k and probe_lines of at least 1, got 0 and 200"),
    ],
)
def test_what_is_refused(texts, options, sentence):
    with pytest.raises(InputError, match=sentence):
        language_bias(lambda lines, _: np.ones((len(lines), 2)), texts, **options)
    uneven = {"eng_Latn": ["a"], "deu_Latn": ["b"]}
    with pytest.raises(InputError, match="the encoder returned 2 and 3 dimensions; expected the same"):
        language_bias(lambda lines, code: np.ones((len(lines), 2 + (code == "deu_Latn"))), uneven)


def test_it_is_evaluated_and_compared(align, tmp_path, bert_folder):
    (tmp_path / "verses").mkdir()
    lines = {"ell_Grek": "αβγ\nδε\nζη\nθ\n", "eng_Latn": "abg\nde\nzh\nx\n", "ell_Latn": "avg\nd\nzi\nt\n"}
    for code, of in lines.items():
        (tmp_path / "verses" / f"{code}.txt").write_text(of, encoding="utf-8")
    text = ("--text", "verses/ell_Grek.txt", "--text", "verses/eng_Latn.txt", "--text", "verses/ell_Latn.txt")
    align("offsets", bert_folder, *text, "--out", "offsets")
    words = ("eval", bert_folder, "bias=verses", "--set", "k=3", "--no-cache", "--out")
    before = align(*words, "r/before.json", "--name", "before").out
    align(*words, "r/after.json", "--name", "after", "--offsets", "offsets")
    assert "excess" in before and "identity" in before and "chance" in before
    results = {name: json.loads((tmp_path / "r" / f"{name}.json").read_text()) for name in ("before", "after")}
    assert results["before"]["lower_is_better"] and results["before"]["metric"] == "excess"
    assert [row["id"] for row in results["before"]["scores"]] == ["ell_Grek", "ell_Latn", "eng_Latn"]
    assert results["after"]["headline"]["value"] < results["before"]["headline"]["value"]
    assert "before against after" in align("compare", "r", "--baseline", "after").out
    assert Collection(k=3).describe() in results["before"]["protocol"]["described"]

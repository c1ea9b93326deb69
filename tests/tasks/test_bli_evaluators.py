"""Each preset equals the evaluator it is named after, written again here, plainly, from its description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from align.tasks import BLI_PROTOCOLS, Dictionary
from align.tasks.bli import bli

SOURCE, TARGET = "eng_Latn", "deu_Latn"
D = 12


@dataclass
class Files:
    """Two vector files in frequency order, and a dictionary, all with their own spelling."""

    source: list[tuple[str, np.ndarray]]
    target: list[tuple[str, np.ndarray]]
    pairs: list[tuple[str, str]]


def make(*, capitals: bool, seed: int = 0, n: int = 90) -> Files:
    """Words with a shared meaning and noise; some sources have several golds, some words are in no file."""
    rng = np.random.default_rng(seed)
    meaning = rng.standard_normal((n, D))
    hub = rng.standard_normal(D)  # near to much: CSLS and NN differ

    def spelled(word: str) -> str:
        return word.capitalize() if capitals and rng.random() < 0.4 else word

    def side(letter: str, noise: float) -> list[tuple[str, np.ndarray]]:
        rows = [
            (spelled(f"{letter}{i}"), m + noise * rng.standard_normal(D) + (i % 3 == 0) * hub)
            for i, m in enumerate(meaning)
        ]
        if capitals:  # the same word in its other spelling, further down
            rows += [(word.swapcase(), rng.standard_normal(D)) for word, _ in rows[::4]]
        return [rows[i] for i in rng.permutation(len(rows))]

    source, target = side("s", 0.7), side("t", 0.7)
    pairs = [(f"s{i}", f"t{i}") for i in range(0, n, 2)]
    pairs += [(f"s{i}", f"t{i + 1}") for i in range(0, n - 1, 6)]  # a second gold, mostly further away
    pairs += [(f"s{i}", f"t{i + 2}") for i in range(0, n - 2, 12)]
    pairs += [("s0", "t0"), ("s1", "nowhere"), ("s3", "nothing"), ("s0", "nothing"), ("absent", "t5"), ("s7", "s7")]
    target.insert(9, ("s7", meaning[7] + 0.1 * rng.standard_normal(D)))  # a copy
    return Files(source, target, [(spelled(a), spelled(b)) for a, b in pairs])


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x.astype(float), y.astype(float)))
    return x @ y.T


def first_kept(rows: list[tuple[str, np.ndarray]], *, lower: bool, limit: int | None) -> dict[str, np.ndarray]:
    kept: dict[str, np.ndarray] = {}
    for word, vector in rows:
        name = word.lower() if lower else word
        if name not in kept and (limit is None or len(kept) < limit):
            kept[name] = vector
    return kept


def hubness(x: np.ndarray, y: np.ndarray, k: int = 10) -> np.ndarray:
    """Mean cosine of each row of y to its k nearest rows of x, by a full sort."""
    return np.sort(cosines(x, y), axis=0)[-k:].mean(axis=0)


def ranked(order: np.ndarray, golds: set[int]) -> int:
    """Place of the first gold, golds before it not counted: there are none."""
    return next(place for place, row in enumerate(order.tolist(), 1) if row in golds)


def by_source(
    files: Files, *, lower: bool, limit: int | None, every: bool, csls: bool, rows_of_r: bool
) -> dict[str, float]:
    source, target = (first_kept(rows, lower=lower, limit=limit) for rows in (files.source, files.target))
    place = {word: row for row, word in enumerate(target)}
    golds: dict[str, set[int]] = {}
    asked = set()
    for s, t in files.pairs:
        s, t = (s.lower(), t.lower()) if lower else (s, t)
        asked.add(s)
        if s in source and t in place:
            golds.setdefault(s, set()).add(place[t])
    x, y = np.stack(list(source.values())), np.stack(list(target.values()))
    found = {f"P@{k}": 0 for k in (1, 5, 10)}
    reciprocal = 0.0
    for word, right in golds.items():
        scores = cosines(source[word][None], y)[0]
        if csls:
            scores = 2 * scores - hubness(x, y)
            if rows_of_r:
                scores = scores - hubness(y, source[word][None])[0]
        order = np.argsort(-scores)
        for k in (1, 5, 10):
            found[f"P@{k}"] += bool(set(order[:k].tolist()) & right)
        reciprocal += 1 / ranked(order, right)
    denominator = len(asked) if every else len(golds)
    return {name: count / denominator for name, count in found.items()} | {
        "MRR": reciprocal / denominator,
        "coverage": len(golds) / len(asked),
    }


def muse(files: Files, limit: int | None, csls: bool) -> dict[str, float]:
    return by_source(files, lower=True, limit=limit, every=False, csls=csls, rows_of_r=True)


def vecmap(files: Files, limit: int | None, csls: bool) -> dict[str, float]:
    return by_source(files, lower=False, limit=limit, every=False, csls=csls, rows_of_r=False)


def fasttext(files: Files, limit: int | None, csls: bool) -> dict[str, float]:
    return by_source(files, lower=False, limit=limit, every=True, csls=csls, rows_of_r=False)


def by_line(questions: list[tuple[np.ndarray, int]], lines: int, x: np.ndarray, y: np.ndarray, csls: bool):
    ranks = []
    for vector, gold in questions:
        scores = cosines(vector[None], y)[0]
        scores = 2 * scores - hubness(x, y) if csls else scores
        ranks.append(int(np.argwhere(np.argsort(scores)[::-1] == gold)[0, 0]) + 1)
    found = np.array(ranks)
    return {f"P@{k}": float((found <= k).mean()) for k in (1, 5, 10)} | {
        "MRR": float((1 / found).mean()),
        "coverage": len(ranks) / lines,
    }


def xling(files: Files, limit: int | None, csls: bool) -> dict[str, float]:
    source, target = (first_kept(rows, lower=True, limit=limit) for rows in (files.source, files.target))
    place = list(target)
    lines = [(s.lower(), t.lower()) for s, t in files.pairs]
    questions = [(source[s], place.index(t)) for s, t in lines if s in source and t in target]
    x, y = np.stack(list(source.values())), np.stack(list(target.values()))
    return by_line(questions, len(lines), x, y, csls)


def babelbert(files: Files, limit: int | None, csls: bool) -> dict[str, float]:
    source, target = (first_kept(rows, lower=True, limit=limit) for rows in (files.source, files.target))
    as_spelled = spelled_vectors(files)
    place, questions = list(target), []
    for s, t in files.pairs:
        t = t if t in target else t.lower()
        if t in target and (s in source or s.lower() in source):
            vector = source[s] if s in source else as_spelled[s]  # the word as it is, capital and all
            questions.append((vector, place.index(t)))
    x, y = np.stack(list(source.values())), np.stack(list(target.values()))
    return by_line(questions, len(files.pairs), x, y, csls)


def spelled_vectors(files: Files) -> dict[str, np.ndarray]:
    """What an encoder gives for the source words of the dictionary, spelled as they are."""
    rng = np.random.default_rng(5)
    lower = first_kept(files.source, lower=True, limit=None)
    return {
        s: lower.get(s.lower(), np.zeros(D)) + 0.7 * rng.standard_normal(D) for s, _ in files.pairs if s != s.lower()
    }


EVALUATORS = {"muse": muse, "vecmap": vecmap, "fasttext": fasttext, "xling": xling, "babelbert": babelbert}


def look_up(files: Files, lower: bool):
    """The function that the vectors are: as read, in lower case or not."""
    tables = {
        SOURCE: spelled_vectors(files) | first_kept(files.source, lower=lower, limit=None),
        TARGET: first_kept(files.target, lower=lower, limit=None),
    }

    def encode(words: Sequence[str], language: str) -> np.ndarray:
        return np.stack([tables[language][word] for word in words])

    return encode


@pytest.mark.parametrize("limit", [None, 75])
@pytest.mark.parametrize("capitals", [False, True])
@pytest.mark.parametrize("name", list(EVALUATORS))
def test_a_preset_is_its_evaluator(name: str, capitals: bool, limit: int | None) -> None:
    files = make(capitals=capitals)
    preset = BLI_PROTOCOLS[name]
    protocol = preset if limit is None else replace(preset, candidates=limit)
    result = bli(
        look_up(files, preset.case != "none"),
        Dictionary((SOURCE, TARGET), tuple(files.pairs)),
        [word for word, _ in files.source],
        [word for word, _ in files.target],
        protocol=protocol,
    )
    (score,) = result.scores
    for method in ("NN", "CSLS"):
        expected = EVALUATORS[name](files, limit, method == "CSLS")
        assert score.coverage == pytest.approx(expected.pop("coverage"), abs=1e-12)
        assert score.methods[method].metrics == pytest.approx(expected, abs=1e-12)
        assert 0 < expected["P@1"] < expected["P@10"] < 1.01  # else nothing was compared
    assert score.methods["NN"].metrics != score.methods["CSLS"].metrics
    assert 0.2 < score.coverage < 1
    method, metric = preset.headline.split()
    assert result.headline() == score.methods[method].metrics[metric]


def test_the_presets_differ_where_their_descriptions_do() -> None:
    p = BLI_PROTOCOLS
    assert {name: one.unit for name, one in p.items()} == {
        "muse": "source", "vecmap": "source", "fasttext": "source", "xling": "pair", "babelbert": "pair",
    }  # fmt: skip
    assert [one.denominator for one in p.values()] == ["covered", "covered", "all", "covered", "covered"]
    assert [one.case for one in p.values()] == ["lower both", "none", "none", "lower both", "lower candidates"]
    assert [one.candidates for one in p.values()] == [200_000, None, 200_000, None, 100_000]
    assert {one.csls_k for one in p.values()} == {10}
    assert [one.headline for one in p.values()] == ["CSLS P@1", "NN P@1", "CSLS P@1", "NN MRR", "NN MRR"]
    assert all(one.source_in_vocabulary and not one.script_filter and one.identical == "keep" for one in p.values())
    assert all(key == one.name and one.ties == "against" and one.reference for key, one in p.items())


@pytest.mark.parametrize(("ties", "rank"), [("against", 3), ("mean", 2), ("for", 1)])
@pytest.mark.parametrize("name", list(EVALUATORS))
def test_ties(name: str, ties: str, rank: float) -> None:
    """Two candidates have the vector of the gold, one is further away; by hand."""
    table = {"a": [1, 0], "b": [0, 1], "x": [1, 1], "y": [1, 1], "z": [1, 1], "w": [-1, 0.5]}
    result = bli(
        lambda words, _: np.array([table[word] for word in words], dtype=float),
        Dictionary((SOURCE, TARGET), (("a", "y"),)),
        ["a", "b"],
        ["x", "y", "z", "w"],
        protocol=replace(BLI_PROTOCOLS[name], ties=ties),
        per_word=True,
    )
    (word,) = result.scores[0].words
    assert word.ranks == {"NN": rank, "CSLS": rank}
    for method in result.scores[0].methods.values():
        assert method.metrics == {"P@1": float(rank == 1), "P@5": 1.0, "P@10": 1.0, "MRR": pytest.approx(1 / rank)}

"""Tasks as evaluators of training: scores of an encoder on a small slice of a test set, the same at every step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from align.errors import InputError
from align.evaluation.encoding import encode_of
from align.tasks import (
    LabelledTexts,
    StsSet,
    bli_pairs,
    combine,
    find_dictionaries,
    read_classification,
    read_dictionary,
    read_sets,
    read_sts,
    read_wordsim,
)
from align.tasks.classification import classification
from align.tasks.mexa import mexa
from align.tasks.retrieval import retrieval
from align.tasks.retrieval.protocols import in_headline
from align.tasks.retrieval.task import direction
from align.tasks.sts import sts
from align.tasks.task import tasks
from align.tasks.wordsim import wordsim
from align.tasks.xsim import xsim

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

Scores = Mapping[str, float]
Evaluator = Callable[["Encoder"], Scores]
"""Scores of an encoder by name."""
Build = Callable[[str, int, int], Evaluator]


def evaluators(specs: Sequence[str], *, lines: int = 200, seed: int = 0) -> dict[str, Evaluator]:
    """Evaluators for ``align.train`` by name.

    Each spec is ``TASK=PATH`` or ``TASK:NAME=PATH``; its scores are called ``TASK/score`` or ``TASK:NAME/score``. The
    data is read now, and cut to a slice that is the same at every evaluation and, where languages are line-aligned, in
    every language. No slice is the test set: its scores say whether training goes well, not how good the encoder is.

    - ``retrieval``: what ``read_sets`` reads; P@1, P@10 and MRR, the mean over the searches with English (over all
      where none has it) of ``lines`` lines; script_P@1 and so on, over two scripts of a language with each other.
    - ``xsim``: likewise; right, the share of lines that mining by ratio margin aligns with their own (1 - xsim).
    - ``mexa``: likewise; mean and max over layers, the mean over languages.
    - ``bli``: what ``find_dictionaries`` finds; P@1, P@10 and MRR by nearest neighbour for ``lines`` lines of each
      dictionary, both ways, among all words that the dictionaries have of the language.
    - ``sts``, ``wordsim``: what ``read_sts`` (of a folder: its dev split) and ``read_wordsim`` read; spearman, the mean
      over sets of ``lines`` pairs.
    - a task of another package: whole; the mean of each metric.
    - ``classification``: what ``read_classification`` reads; knn and logistic, the mean accuracy over languages on
      ``lines`` lines of the dev split, learnt on as many of the train split of English, or else the first language.

    Args:
        specs: see above.
        lines: of a slice, at least 2.
        seed: of the choice of lines.

    Raises:
        InputError: a spec of another form, an unknown task, a name twice, or what the reader says.
    """
    if lines < 2:
        raise InputError(f"a slice to evaluate on needs at least 2 lines, got {lines}")
    found: dict[str, Evaluator] = {}
    for spec in specs:
        name, equals, path = spec.partition("=")
        task = name.partition(":")[0]
        known = [*TASKS, *(one for one in tasks() if one not in TASKS)]
        if not (equals and path) or task not in known or "/" in name:
            raise InputError(f"expected TASK=PATH or TASK:NAME=PATH with a task of {', '.join(known)}; got {spec!r}")
        if name in found:
            raise InputError(f"two evaluators are called {name}; give {task}:NAME=PATH")
        found[name] = _quiet(TASKS[task](path, lines, seed) if task in TASKS else _other(task, path))
    return found


def _retrieval(path: str, lines: int, seed: int) -> Evaluator:
    sets = [_slice(texts, lines, seed) for texts in read_sets(path)]

    def evaluate(encoder: Encoder) -> Scores:
        result = combine(
            [retrieval(lambda lines, _: encoder.encode(lines), texts, check_alignment=False) for texts in sets]
        )
        with_pivot = in_headline([direction(score, result.protocol) for score in result.scores])
        apart = [score.metrics for i, score in enumerate(result.scores) if i not in with_pivot]
        scripts = {f"script_{name}": value for name, value in _means(apart).items()} if apart else {}
        return {**_means(result.scores[i].metrics for i in with_pivot), **scripts}

    return evaluate


def _xsim(path: str, lines: int, seed: int) -> Evaluator:
    sets = [_slice(texts, lines, seed) for texts in read_sets(path)]
    return lambda encoder: {
        "right": 1 - combine([xsim(lambda texts, _: encoder.encode(texts), one) for one in sets]).headline(),
    }


def _mexa(path: str, lines: int, seed: int) -> Evaluator:
    from align.encoders.layers import encode_layers

    sets = [_slice(texts, lines, seed) for texts in read_sets(path)]

    def evaluate(encoder: Encoder) -> Scores:
        kind = encoder.pooling.kind
        found = combine(
            [mexa(lambda texts, _: encode_layers(encoder, texts, kinds=[kind]), texts, n=lines) for texts in sets]
        )
        return _means({"mean": score.mean, "max": score.max} for score in found.scores)

    return evaluate


def _bli(path: str, lines: int, seed: int) -> Evaluator:
    whole = [read_dictionary(file, languages) for languages, file in find_dictionaries([path]).items()]
    words: dict[str, dict[str, None]] = {}
    for one in whole:
        for language, side in zip(one.languages, zip(*one.pairs, strict=True), strict=True):
            words.setdefault(language, {}).update(dict.fromkeys(side))
    vocabularies = {language: list(known) for language, known in words.items()}
    asked = [replace(one, pairs=tuple(one.pairs[row] for row in _rows(len(one.pairs), lines, seed))) for one in whole]

    def evaluate(encoder: Encoder) -> Scores:
        result = bli_pairs(lambda words, _: encoder.encode(words), asked, vocabularies, both=True, csls=False)
        return _means(score.methods["NN"].metrics for score in result.scores)

    return evaluate


def _sts(path: str, lines: int, seed: int) -> Evaluator:
    sets = _cut(read_sts(path, split="dev"), lines, seed)
    return lambda encoder: {
        "spearman": sts(lambda texts, _: encoder.encode(texts), sets).headline(),
    }


def _wordsim(path: str, lines: int, seed: int) -> Evaluator:
    sets = _cut(read_wordsim(path), lines, seed)
    return lambda encoder: {
        "spearman": wordsim(lambda words, _: encoder.encode(words), sets).headline(),
    }


def _classification(path: str, lines: int, seed: int) -> Evaluator:
    data = read_classification(path)
    learnt, judged = ([row for row, split in enumerate(data.splits) if split == wanted] for wanted in ("train", "dev"))
    if not judged:
        raise InputError(f"{path} has no line of the split dev to evaluate on")
    rows = [part[i] for part in (learnt, judged) for i in _rows(len(part), lines, seed)]
    data = LabelledTexts(
        {code: [texts[row] for row in rows] for code, texts in data.texts.items()},
        [data.classes[row] for row in rows],
        ["train" if data.splits[row] == "train" else "test" for row in rows],
    )
    train = "eng_Latn" if "eng_Latn" in data.texts else next(iter(data.texts))

    def evaluate(encoder: Encoder) -> Scores:
        result = classification(lambda texts, _: encoder.encode(texts), data, train=train)
        return _means(score.accuracy for score in result.scores)

    return evaluate


def _other(name: str, path: str) -> Evaluator:
    """A task that another package offers, as the registry has it."""
    kind = tasks()[name]
    protocol = kind.protocols[kind.default]
    units = [(unit, unit.load()) for unit in kind.read(path, None, protocol)]

    def evaluate(encoder: Encoder) -> Scores:
        encode = encode_of(encoder, kind)
        return _means(row["metrics"] for unit, content in units for row in kind.score(encode, unit, content, protocol))

    return evaluate


TASKS: dict[str, Build] = {
    "retrieval": _retrieval,
    "xsim": _xsim,
    "mexa": _mexa,
    "bli": _bli,
    "sts": _sts,
    "wordsim": _wordsim,
    "classification": _classification,
}


def _rows(n: int, lines: int, seed: int) -> list[int]:
    """Some of n rows, in their order."""
    return sorted(np.random.default_rng(seed).permutation(n)[:lines].tolist())


def _slice(texts: Mapping[str, Sequence[str]], lines: int, seed: int) -> dict[str, list[str]]:
    """The same lines of every language: at random, of those that the most languages have."""
    order = np.random.default_rng(seed).permutation(len(next(iter(texts.values()))))
    filled = sum(np.array([bool(line.strip()) for line in side], dtype=np.int64) for side in texts.values())
    rows = sorted(order[np.argsort(-np.asarray(filled)[order], kind="stable")][:lines].tolist())
    return {code: [side[row] for row in rows] for code, side in texts.items()}


def _cut(sets: Mapping[str, StsSet], lines: int, seed: int) -> dict[str, StsSet]:
    """The same rows of all sets of a size."""
    cut = {}
    for name, one in sets.items():
        rows = _rows(len(one.scores), lines, seed)
        first, second = (tuple(side[row] for row in rows) for side in (one.first, one.second))
        cut[name] = StsSet(tuple(one.scores[row] for row in rows), first, second, one.languages)
    return cut


def _means(metrics: Any) -> Scores:
    """Mean of each metric."""
    every = list(metrics)
    names = dict.fromkeys(chain.from_iterable(every))
    return {name: float(np.mean([one[name] for one in every])) for name in names}


def _quiet(evaluator: Evaluator) -> Evaluator:
    """Without the tasks' own lines in the log, which would come at every evaluation."""

    def evaluate(encoder: Encoder) -> Scores:
        with _level(logging.getLogger("align.tasks"), logging.WARNING):
            return evaluator(encoder)

    return evaluate


@contextmanager
def _level(logger: logging.Logger, level: int) -> Iterator[None]:
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)

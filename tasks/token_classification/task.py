"""Classes of words in their sentences: what a linear layer learns in one language, does it hold in the others?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.tasks.learning import NOT_READ, Classes, Examples, Learner, Predict, tuning_of
from align.tasks.measures.logistic import Logistic, fit_logistic
from align.tasks.measures.ratio import ratio_items
from align.tasks.measures.spans import span_counts
from align.tasks.retrieval.protocols import ROMANISED
from align.tasks.retrieval.twins import MARK
from align.tasks.task import Row, Task, Unit, row
from align.tasks.texts.tagged import SPANS, TaggedSentence, TaggedSets, TaggedTest, read_tagged
from align.tasks.token_classification.protocols import PROTOCOLS, Tagging
from align.tasks.token_classification.twins import twin_of

logger = logging.getLogger(__name__)

PENALTIES = (0.1, 0.01, 0.001)
"""Of the layer on frozen vectors, tried on the dev part; of equally good ones the first, the strongest, is taken."""

Counts = NDArray[np.int64]
"""(sentences, 6): words right, words scored, spans right, spans of the gold, spans predicted, words not read."""


def token_classification(learner: Learner, sets: TaggedSets, protocol: Tagging) -> list[Row]:
    """Accuracy of words, or micro F1 of spans (see :func:`align.tasks.measures.spans.spans`), on every test set.

    Words that the encoder does not read (cut, or without a piece) are taken out of both sides and counted. Of several
    seeds the counts are added up. A label that the training part lacks is never predicted: its words are errors.

    Args:
        learner: an encoder that learns.
        sets: what is learnt from, and scored.
        protocol: see :class:`.protocols.Tagging`.

    Returns:
        A row for each test set, its items by sentence (:func:`align.tasks.measures.ratio.ratio_items`); after it that
        of its romanised twin, if the protocol asks for one and it is not in Latin letters.

    Raises:
        InputError: fewer than two labels to learn, a test set without a word that is read, or what the learner says.

    References:
        Conneau et al. 2020, arXiv:1911.02116, section 4 (fine-tuning, zero-shot); Alain and Bengio 2016,
        arXiv:1610.01644 (linear layers on frozen vectors); Hu et al. 2020, arXiv:2003.11080 (transfer gap).
    """
    names = sorted({label for one in sets.train for label in one.labels})
    if len(names) < 2:
        raise InputError(f"the training part has the label {names} alone: expected at least two to tell apart")
    predictors, facts = _learnt(learner, sets, names, protocol)
    learnt = Counter(label for one in sets.train for label in one.labels)
    commonest = max(names, key=lambda name: learnt[name])  # the first of equals
    facts |= {"learnt_on": sets.learnt_on, "labels": len(names), "commonest_label": commonest}
    rows: list[Row] = []
    for place, test in enumerate(sets.tests, 1):
        rows.append(_row(test, predictors, names, protocol, facts))
        if twin := twin_of(test, protocol.twin):
            romanised, kept = twin
            name = f"{test.language}{MARK}{protocol.twin_name}"
            rows.append(
                _row(romanised, predictors, names, protocol, {**facts, "words_kept": kept}, name)
                | {"direction": ROMANISED, "twin_of": test.language}
            )
        logger.info("token_classification %d/%d: %s %.3f", place, len(sets.tests), rows[-1]["id"], rows[-1]["value"])
    return _with_gaps(rows, protocol)


def _learnt(
    learner: Learner, sets: TaggedSets, names: Sequence[str], protocol: Tagging
) -> tuple[list[Predict], dict[str, Any]]:
    """What predicts, one a seed, and what is known of it."""
    if not protocol.tuned:
        fit, penalty = _probe(learner, sets, names, protocol)
        return [partial(_predicted, learner, fit)], {"penalty": penalty}
    train, dev = (_examples(some, names) for some in (sets.train, sets.dev))

    def score(found: list[Classes]) -> float:
        return _ratio(_counts(sets.dev, found, names, protocol).sum(axis=0), protocol.headline)

    return [
        learner.tuned(train, dev, len(names), tuning_of(protocol, seed, score)) for seed in range(protocol.seeds)
    ], {"seeds": protocol.seeds}


def _probe(
    learner: Learner, sets: TaggedSets, names: Sequence[str], protocol: Tagging
) -> tuple[Logistic, float]:  # fmt: skip
    """The linear layer with the penalty that is best on the dev part."""
    examples = _examples(sets.train, names)
    read = learner.word_vectors(examples.inputs)
    known = np.concatenate([vectors for vectors, _ in read])
    classes = np.concatenate([labels[places] for labels, (_, places) in zip(examples.labels, read, strict=True)])
    if not len(known):
        raise InputError("the encoder reads no word of the training part")
    dev = [one.words for one in sets.dev]
    dev_read = learner.word_vectors(dev)
    fits: list[tuple[float, Logistic, float]] = []
    for penalty in (protocol.penalty,) if protocol.penalty else PENALTIES:
        fit = fit_logistic(
            known, classes, count=len(names), penalty=penalty, start=fits[-1][1] if fits else None
        )  # fmt: skip
        found = [
            _placed(fit, vectors, places, len(words)) for (vectors, places), words in zip(dev_read, dev, strict=True)
        ]
        fits.append((_ratio(_counts(sets.dev, found, names, protocol).sum(axis=0), protocol.headline), fit, penalty))
        logger.info("token_classification: penalty %g, %.4f on the dev part", penalty, fits[-1][0])
    _, fit, penalty = max(fits, key=lambda one: one[0])  # the first of equals
    return fit, penalty


def _predicted(learner: Learner, fit: Logistic, sentences: Sequence[Sequence[str]]) -> list[Classes]:
    read = learner.word_vectors(sentences)
    return [_placed(fit, *one, len(words)) for one, words in zip(read, sentences, strict=True)]


def _placed(fit: Logistic, vectors: NDArray[np.float32], places: Classes, words: int) -> Classes:
    found = np.full(words, NOT_READ, dtype=np.int64)
    if len(places):
        found[places] = fit.predict(vectors)
    return found


def _examples(sentences: Sequence[TaggedSentence], names: Sequence[str]) -> Examples:
    """With labels that are not among the names as ``NOT_READ``: nothing is learnt of them."""
    numbers = {name: i for i, name in enumerate(names)}
    labels = [np.array([numbers.get(label, NOT_READ) for label in one.labels], dtype=np.int64) for one in sentences]
    return Examples([one.words for one in sentences], labels)


def _counts(
    sentences: Sequence[TaggedSentence], found: Sequence[Classes], names: Sequence[str], protocol: Tagging
) -> Counts:
    rows = []
    for one, classes in zip(sentences, found, strict=True):
        read = np.flatnonzero(classes != NOT_READ)
        gold, said = [one.labels[i] for i in read], [names[c] for c in classes[read]]
        right = sum(a == b for a, b in zip(gold, said, strict=True))
        of_spans = span_counts(gold, said) if protocol.labels == SPANS else (0, 0, 0)
        rows.append([right, len(read), *of_spans, len(classes) - len(read)])
    return np.array(rows, dtype=np.int64).reshape(-1, 6)


def _parts(counts: Counts, metric: str) -> tuple[Any, Any]:
    """Numerator and denominator of a metric."""
    right, words, found, gold, predicted, _ = counts.T
    return {
        "accuracy": (right, words), "f1": (2 * found, gold + predicted), "precision": (found, predicted),
        "recall": (found, gold),
    }[metric]  # fmt: skip


def _ratio(counts: Counts, metric: str) -> float:
    """Of counts that are added up; 0 of nothing."""
    above, below = _parts(counts, metric)
    return float(above / below) if below else 0.0


def _row(
    test: TaggedTest, predictors: Sequence[Predict], names: Sequence[str], protocol: Tagging, facts: dict[str, Any],
    called: str = "",
) -> Row:  # fmt: skip
    words = [one.words for one in test.sentences]
    of_seeds = [_counts(test.sentences, predict(words), names, protocol) for predict in predictors]
    counts = sum(of_seeds, np.zeros_like(of_seeds[0]))
    label = (called or test.language) + (f":{test.treebank}" if test.treebank else "")
    read = np.flatnonzero(counts[:, 1])
    if not len(read):
        raise InputError(f"{label}: the encoder reads no word of it")
    cut = int(of_seeds[0][:, 5].sum())
    if cut:
        logger.warning("%s: %d of %d words are not read by the encoder, and not scored", label, cut,
                       int(of_seeds[0][:, [1, 5]].sum()))  # fmt: skip
    metrics = ["accuracy", *(("f1", "precision", "recall") if protocol.labels == SPANS else ())]
    values: dict[str, float | None] = {name: _ratio(counts.sum(axis=0), name) for name in metrics}
    gold = [label for one in test.sentences for label in one.labels]
    numbers = {
        "commonest": gold.count(facts["commonest_label"]) / len(gold),
        "words": int(of_seeds[0][:, 1].sum()), "words_not_read": cut,
        "of_seeds": [_ratio(one.sum(axis=0), protocol.headline) for one in of_seeds],
    }  # fmt: skip
    direction = "train" if test.language == protocol.train else "transfer"
    return row(
        label, test.language, protocol.train, direction, ratio_items(*_parts(counts[read], protocol.headline)).tolist(),
        [test.sentences[i].name for i in read], left_out=len(counts) - len(read), metrics=values,
        value=values[protocol.headline], facts={**facts, **numbers},
    )  # fmt: skip


def _with_gaps(rows: Sequence[Row], protocol: Tagging) -> list[Row]:
    """Each with its transfer gap: what the source has on the same treebank, or else on average, minus it."""
    own = {row["id"].partition(":")[2]: row["value"] for row in rows if row["direction"] == "train"}
    if not own:
        return list(rows)
    mean = sum(own.values()) / len(own)
    return [
        row | {"metrics": row["metrics"] | {"gap": own.get(row["id"].partition(":")[2], mean) - row["value"]}}
        for row in rows
    ]  # fmt: skip


def _read(source: str | Path, languages: Sequence[str] | None, protocol: Tagging) -> Iterator[Unit]:
    yield Unit("words", partial(read_tagged, source, protocol.labels, train=protocol.train, languages=languages))


def _scored(learner: Learner, unit: Unit, sets: TaggedSets, protocol: Tagging) -> list[Row]:
    return token_classification(learner, sets, protocol)


TASK = Task(
    "token_classification", "do classes of words, learned in one language, hold in others?", _read, _scored,
    lambda sets: ((test.language, [" ".join(one.words) for one in test.sentences]) for test in sets.tests),
    PROTOCOLS, "pos", inputs="labels",
    chance=lambda row, protocol: 0.0 if protocol.headline == "f1" else row["facts"]["commonest"],
)  # fmt: skip

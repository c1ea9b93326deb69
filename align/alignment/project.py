"""Projection: labels of the words of a text carried over to its translation, as training data for it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.alignment.aligner import words_linked
from align.alignment.projection import Place, Projecting, Side, by_alignment, placed, ranked
from align.alignment.sentences import Sentence, read_parallel
from align.alignment.spans import Span, iob2, offsets, read_labels
from align.encoders.encoder import Encoder
from align.encoders.pretokenised import WordVectors, usual_layer, word_vectors
from align.errors import InputError
from align.files.whole import whole_file
from align.similarity.cosine import normalize
from align.similarity.links import Linking, link

log = logging.getLogger(__name__)

CHUNK = 256
ENDINGS = {".iob2": iob2, ".jsonl": offsets}
"""What is written, by the end of the name of the file."""


class Projected(NamedTuple):
    """What became of the spans of one sentence."""

    spans: list[Span]
    """In the translation, with the labels that they had."""
    rejects: list[tuple[Span, str]]
    """Spans of the source that have no place, and why."""
    candidates: list[list[Place]]
    """Of each span, best first."""


def projections(
    encoder: Encoder,
    pairs: Sequence[tuple[Sequence[str], Sequence[str], Sequence[Span]]],
    how: Projecting | None = None,
    *,
    linking: Linking | None = None,
    layer: int | None = None,
    centred: int = 0,
) -> Iterator[Projected]:
    """Carry spans of sentences over to their translations.

    Args:
        encoder: whose words are linked at a layer, and whose vectors compare texts by themselves.
        pairs: words of a sentence, of its translation, spans of the first.
        how: the method; ``None``: ranked.
        linking: of words; ``None``: itermax.
        layer: k of hidden_states[k]; ``None``: :func:`align.encoders.pretokenised.usual_layer`.
        centred: take off each side the mean of its words in the first so many pairs.

    Yields:
        For each pair its spans in the translation.
    """
    how, layers = how or Projecting(), [usual_layer(encoder) if layer is None else layer]
    means: list[Any] = [0.0, 0.0]
    if centred:
        for side in (0, 1):
            first = word_vectors(encoder, [pair[:2][side] for pair in pairs[:centred]], layers=layers)
            means[side] = np.concatenate([one.vectors[0] for one in first]).mean(axis=0)

    def alone(texts: Sequence[str]) -> NDArray[np.float32]:
        return normalize(encoder.encode(texts))

    for chunk in (pairs[k : k + CHUNK] for k in range(0, len(pairs), CHUNK)):
        sides: list[list[WordVectors]] = []
        for side in (0, 1):
            found = word_vectors(encoder, [pair[:2][side] for pair in chunk], layers=layers)
            sides.append([one._replace(vectors=normalize(one.vectors[0] - means[side])) for one in found])
        linked = link([one.vectors for one in sides[0]], [one.vectors for one in sides[1]], linking or Linking())
        for (source, target, spans), rows, s, t in zip(chunk, linked, *sides, strict=True):
            links, scores = words_linked(rows, s.words, t.words)
            one, other = Side(source, s.vectors, s.words), Side(target, t.vectors, t.words)
            made = [
                by_alignment(span, links, scores, how) if how.method == "alignment"
                else ranked(span, one, other, links, alone, how) for span in spans
            ]  # fmt: skip
            yield _placed(spans, made, monotone=how.monotone)


def _placed(spans: Sequence[Span], made: Sequence[tuple[list[Place], str]], *, monotone: bool) -> Projected:
    candidates = [places for places, _ in made]
    kept, rejects = [], []
    for span, (_, why), (place, taken) in zip(spans, made, placed(spans, candidates, monotone=monotone), strict=True):
        if place is None:
            rejects.append((span, why or taken))
        else:
            kept.append(Span(place.start, place.end, span.label))
    return Projected(sorted(kept), rejects, candidates)


def project(
    encoder: Encoder,
    source: Path | str,
    target: Path | str,
    labels: Path | str,
    out: Path | str,
    how: Projecting | None = None,
    *,
    split: str = "spaces",
    **options: Any,
) -> dict[str, int]:
    """Write a translation with the labels of its source: ``.iob2``, or ``.jsonl`` with character offsets.

    Spans without a place stand in ``OUT.rejects.jsonl``: sentence, words, label, reason.

    Args:
        encoder: see :func:`projections`.
        source: sentences, see :func:`align.alignment.sentences.read_sentences`.
        target: their translations.
        labels: of the source, see :func:`align.alignment.spans.read_labels`.
        out: file to write, whole or not at all.
        how: the method; ``None``: ranked.
        split: how lines become words.
        options: of ``projections``.

    Returns:
        Sentences, spans, projected spans, and how many have no place, by reason.

    Raises:
        InputError: an unknown ending of ``out``, and what those functions refuse.
    """
    out = Path(out)
    if out.suffix not in ENDINGS:
        raise InputError(f"{out}: expected a name that ends in {' or '.join(ENDINGS)}")
    both = list(read_parallel(source, target, split=split))
    spans = read_labels(labels, [one for one, _ in both], source)
    pairs = [(one.words, other.words, of) for (one, other), of in zip(both, spans, strict=True)]
    counts = Counter({"sentences": len(both), "spans": sum(map(len, spans)), "projected": 0})
    rejects = out.with_name(f"{out.name}.rejects.jsonl")
    made = zip(both, projections(encoder, pairs, how, **options), strict=True)
    with (
        whole_file(out) as written, whole_file(rejects) as aside,
        open(written, "w", encoding="utf-8", newline="\n") as file, open(aside, "w", encoding="utf-8") as left,
    ):  # fmt: skip
        for number, ((one, other), found) in enumerate(made, 1):
            file.write(ENDINGS[out.suffix](other, found.spans))
            counts["projected"] += len(found.spans)
            for span, reason in found.rejects:
                counts[reason] += 1
                left.write(_reject(number, one, span, reason))
    log.info("%s: %s", out, ", ".join(f"{n} {name}" for name, n in counts.items()))
    return dict(counts)


def _reject(number: int, sentence: Sentence, span: Span, reason: str) -> str:
    text = " ".join(sentence.words[span.start : span.end])
    record = {"sentence": number, "line": sentence.line, "start": span.start, "end": span.end, "text": text}
    return json.dumps(record | {"label": span.label, "reason": reason}, ensure_ascii=False) + "\n"

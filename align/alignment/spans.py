"""Labelled spans of words: read from IOB2, from MISC of CoNLL-U, from character offsets in JSONL; written as IOB2."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from align.alignment.sentences import Sentence, read_sentences
from align.errors import InputError
from align.files.packed import plain_suffix
from align.files.whole import read_lines

MISC_KEY = "NER"
"""What a tag goes by in the last column of CoNLL-U, ``NER=B-PER``; a word without one is O."""


class Span(NamedTuple):
    """Words ``start`` to ``end`` - 1 of a sentence, and what they are."""

    start: int
    end: int
    label: str


class Labelled(NamedTuple):
    """A sentence of a file of labels."""

    words: list[str] | None
    """None: the file has spans alone."""
    spans: list[Span]
    line: int
    """Its first line in the file."""


def spans_of(tags: Sequence[str], where: Sequence[str]) -> list[Span]:
    """The spans of IOB2 tags: B-X begins a span, I-X goes on with it, O is outside.

    >>> spans_of(["B-PER", "I-PER", "O", "B-LOC", "B-LOC"], [""] * 5)
    [Span(start=0, end=2, label='PER'), Span(start=3, end=4, label='LOC'), Span(start=4, end=5, label='LOC')]

    Raises:
        InputError: another tag, or an I-X that does not follow a B-X or I-X; ``where`` names the file and line of each.
    """
    found: list[Span] = []
    for k, tag in enumerate(tags):
        kind, dash, label = tag.partition("-")
        if tag == "O":
            continue
        if kind not in ("B", "I") or not dash or not label:
            raise InputError(f"{where[k]}: expected a tag of IOB2 (O, B-PER, I-PER), got {tag!r}")
        if kind == "B":
            found.append(Span(k, k + 1, label))
        elif found and found[-1].end == k and found[-1].label == label:
            found[-1] = found[-1]._replace(end=k + 1)
        else:
            before = tags[k - 1] if k else "the beginning"
            raise InputError(f"{where[k]}: {tag} follows {before}: in IOB2 a span begins with B-{label}")
    return found


def tags_of(spans: Iterable[Span], words: int) -> list[str]:
    """IOB2 tags of so many words.

    >>> tags_of([Span(1, 3, "PER")], 4)
    ['O', 'B-PER', 'I-PER', 'O']

    Raises:
        InputError: two spans overlap, or one is beyond the words.
    """
    tags = ["O"] * words
    for span in sorted(spans):
        if not 0 <= span.start < span.end <= words:
            raise InputError(f"the span {span.start}-{span.end} {span.label} is beyond the sentence of {words} words")
        if any(tag != "O" for tag in tags[span.start : span.end]):
            raise InputError(f"the span {span.start}-{span.end} {span.label} overlaps another: IOB2 has no such")
        tags[span.start : span.end] = [f"B-{span.label}", *[f"I-{span.label}"] * (span.end - span.start - 1)]
    return tags


def read_labels(path: Path | str, sentences: Sequence[Sentence], source: Path | str) -> list[list[Span]]:
    """The spans of each sentence of ``source``, from ``.jsonl`` (a line for each), ``.conllu``, or else IOB2.

    Raises:
        InputError: another number of sentences, a sentence of other words, tags that are no IOB2, offsets that are not
            those of words, spans that overlap.
    """
    suffix = plain_suffix(path)
    every = list(enumerate(sentences, 1))
    if suffix == ".jsonl":
        found = _offsets(path, sentences)
    else:
        found = list(_from_misc(path) if suffix == ".conllu" else read_iob2(path))
        every = [(number, one) for number, one in every if one.words]  # these files know no sentence without words
    if len(found) != len(every):
        raise InputError(f"{path} has {len(found)} sentences and {source} {len(every)}: expected labels for each")
    spans: list[list[Span]] = [[] for _ in sentences]
    for (number, sentence), labelled in zip(every, found, strict=True):
        where = f"{path}, line {labelled.line}: sentence {number}"
        if labelled.words is not None and len(labelled.words) != len(sentence.words):
            raise InputError(
                f"{where} has {len(labelled.words)} words, and {len(sentence.words)} in {source}, line {sentence.line}"
            )
        other = [(a, b) for a, b in zip(labelled.words or (), sentence.words, strict=False) if a != b]
        if other:
            raise InputError(f"{where} has {other[0][0]!r} where {source}, line {sentence.line}, has {other[0][1]!r}")
        spans[number - 1] = labelled.spans
    return spans


def read_iob2(path: Path | str) -> Iterator[Labelled]:
    """``word TAB tag``, or ``number TAB word TAB tag``, as Universal NER has it; an empty line ends a sentence."""
    rows: list[tuple[str, str, str]] = []
    start = 1
    for number, line in enumerate([*read_lines(path), ""], 1):
        if not line.strip():
            if rows:
                words, tags, where = (list(column) for column in zip(*rows, strict=True))
                yield Labelled(words, spans_of(tags, where), start)
            rows, start = [], number + 1
            continue
        if line.startswith("# "):
            continue
        cells = line.split("\t") if "\t" in line else line.split(" ")
        numbered = len(cells) > 2 and cells[0] == str(len(rows) + 1)
        if len(cells) < 2:
            raise InputError(f"{path}, line {number}: expected a word and its tag, got {line[:40]!r}")
        word, tag = (cells[1], cells[2]) if numbered else (cells[0], cells[-1])
        rows.append((word, tag, f"{path}, line {number}"))


def _from_misc(path: Path | str) -> Iterator[Labelled]:
    for sentence in read_sentences(path):
        fields = [dict(part.partition("=")[::2] for part in of.split("|")) for of in sentence.misc]
        where = [f"{path}, sentence of line {sentence.line}, word {k + 1}" for k in range(len(fields))]
        yield Labelled(sentence.words, spans_of([one.get(MISC_KEY, "O") for one in fields], where), sentence.line)


def _offsets(path: Path | str, sentences: Sequence[Sentence]) -> list[Labelled]:
    """``{"spans": [{"start": 0, "end": 5, "label": "PER"}]}``: characters of the line of the text, end exclusive."""
    found = []
    for number, (line, sentence) in enumerate(zip(read_lines(path), sentences, strict=False), 1):
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
            given = [(int(one["start"]), int(one["end"]), str(one["label"])) for one in record["spans"]]
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise InputError(
                f'{where}: expected {{"spans": [{{"start": 0, "end": 5, "label": "PER"}}]}}, got {line[:60]!r}'
            ) from error
        starts = {place: k for k, place in enumerate(sentence.starts)}
        ends = {place + len(sentence.words[k]): k + 1 for k, place in enumerate(sentence.starts)}
        spans = []
        for start, end, label in given:
            if start not in starts or end not in ends or starts[start] >= ends[end]:
                raise InputError(
                    f"{where}: the span {start}-{end} {label} ({sentence.text[start:end][:40]!r}) does not begin and "
                    "end with a word of the text"
                )
            spans.append(Span(starts[start], ends[end], label))
        spans.sort()
        for one, other in pairwise(spans):
            if other.start < one.end:
                raise InputError(
                    f"{where}: the spans of {one.label} and {other.label} overlap at word {other.start + 1}"
                )
        found.append(Labelled(None, spans, number))
    return found


def iob2(sentence: Sentence, spans: Iterable[Span]) -> str:
    """The lines of a sentence as Universal NER has them: number, word, tag; its ``sent_id`` before it.

    Of a sentence without words there is an empty line, which readers of IOB2 pass over.
    """
    tags = tags_of(spans, len(sentence.words))
    rows = [f"{k}\t{word}\t{tag}\t-\t-" for k, (word, tag) in enumerate(zip(sentence.words, tags, strict=True), 1)]
    head = [f"# sent_id = {sentence.id}"] if sentence.id else []
    return "\n".join([*head, *rows, "", ""])


def offsets(sentence: Sentence, spans: Iterable[Span]) -> str:
    """A line of JSON: the text, and its spans by character."""
    text, starts = sentence.text, list(sentence.starts)
    if not text:  # of CoNLL-U: words with a space between
        text, starts = " ".join(sentence.words), []
        place = 0
        for word in sentence.words:
            starts.append(place)
            place += len(word) + 1
    records: list[dict[str, Any]] = [
        {"start": starts[one.start], "end": starts[one.end - 1] + len(sentence.words[one.end - 1]), "label": one.label}
        for one in sorted(spans)
    ]
    return json.dumps({"text": text, "spans": records}, ensure_ascii=False) + "\n"

"""Labelled spans: IOB2, MISC of CoNLL-U, offsets; and every way in which a file of them is wrong."""

from __future__ import annotations

import json

import pytest

from align.alignment.sentences import read_sentences
from align.alignment.spans import Span, iob2, offsets, read_labels, tags_of
from align.errors import InputError

TEXT = "Anna saw New York .\n\nRome\n"
SPANS = [[Span(0, 1, "PER"), Span(2, 4, "LOC")], [], [Span(0, 1, "LOC")]]


def read(folder, name, text, source=TEXT, split="spaces", suffix="txt"):
    (folder / f"text.{suffix}").write_text(source, encoding="utf-8")
    (folder / name).write_text(text, encoding="utf-8")
    sentences = list(read_sentences(folder / f"text.{suffix}", split=split))
    return read_labels(folder / name, sentences, folder / f"text.{suffix}")


def conllu(tags):
    rows = zip(("Anna", "saw", "New", "York", "."), tags, strict=True)
    blank = "\t_" * 7
    lines = [f"{k}\t{word}{blank}\tSpaceAfter=No|NER={tag}" for k, (word, tag) in enumerate(rows, 1)]
    return "\n".join(["# sent_id = s1", *lines, "", ""]).replace("|NER=O", "")


def test_every_form(tmp_path):
    new_york, anna = {"start": 9, "end": 17, "label": "LOC"}, {"start": 0, "end": 4, "label": "PER"}
    lines = [[new_york, anna], [], [anna | {"label": "LOC"}]]
    text = "".join(f"{json.dumps({'spans': one})}\n" for one in lines)
    assert read(tmp_path, "a.jsonl", text) == SPANS
    plain = "Anna B-PER\nsaw O\nNew B-LOC\nYork I-LOC\n. O\n\nRome B-LOC\n"
    assert read(tmp_path, "a.iob2", plain) == SPANS
    rows = ["# sent_id = 1", "1\tAnna\tB-PER\t-\tx", "2\tsaw\tO\t-\t-", "3\tNew\tB-LOC\t-\t-", "4\tYork\tI-LOC\t-\t-"]
    rows += ["5\t.\tO\t-\t-", "", "", "1\tRome\tB-LOC\t-\t-", ""]
    assert read(tmp_path, "b.iob2", "\n".join(rows)) == SPANS
    text = conllu(["B-PER", "O", "B-LOC", "I-LOC", "O"])
    assert read(tmp_path, "a.conllu", text, text, suffix="conllu") == [SPANS[0]]


@pytest.mark.parametrize(("tags", "sentence"), [
    (["B-PER", "O", "I-LOC"], "line 3: I-LOC follows O: in IOB2 a span begins with B-LOC"),
    (["I-PER"], "line 1: I-PER follows the beginning: in IOB2 a span begins with B-PER"),
    (["B-PER", "I-LOC"], "line 2: I-LOC follows B-PER: in IOB2 a span begins with B-LOC"),
    (["S-PER"], "line 1: expected a tag of IOB2 .O, B-PER, I-PER., got 'S-PER'"),
    (["B-"], "line 1: expected a tag of IOB2 .O, B-PER, I-PER., got 'B-'"),
    (["PER"], "line 1: expected a tag of IOB2 .O, B-PER, I-PER., got 'PER'"),
])  # fmt: skip
def test_other_schemes_are_refused(tmp_path, tags, sentence):
    words = [f"w{k}" for k in range(len(tags))]
    lines = "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
    with pytest.raises(InputError, match=f"a.iob2, {sentence}"):
        read(tmp_path, "a.iob2", lines, " ".join(words) + "\n")


def test_words_that_differ_from_the_text(tmp_path):
    for lines, sentence in (
        ("Anna O\n\nRome O\n", r"a.iob2, line 1: sentence 1 has 1 words, and 2 in .*text.txt, line 1"),
        ("Anna O\nsaw O\n\nRoma O\n", r"a.iob2, line 4: sentence 2 has 'Roma' where .*text.txt, line 2, has 'Rome'"),
        ("Anna O\nsaw O\n", r"a.iob2 has 1 sentences and .*text.txt 2: expected labels for each"),
        ("Anna O\nsaw\n", r"a.iob2, line 2: expected a word and its tag, got 'saw'"),
    ):
        with pytest.raises(InputError, match=sentence):
            read(tmp_path, "a.iob2", lines, "Anna saw\nRome\n")


@pytest.mark.parametrize(("spans", "sentence"), [
    ([{"start": 0, "end": 3, "label": "X"}], r"a.jsonl, line 1: the span 0-3 X \('Ann'\) does not begin and end with"),
    ([{"start": 5, "end": 4, "label": "X"}], r"line 1: the span 5-4 X \(''\) does not begin and end with a word"),
    ([{"start": 0, "end": 8, "label": "X"}, {"start": 5, "end": 12, "label": "Y"}],
     "line 1: the spans of X and Y overlap at word 2"),
    ([{"start": 0}], "line 1: expected {.spans.: "),
    (7, "line 1: expected {.spans.: "),
])  # fmt: skip
def test_offsets_that_are_none(tmp_path, spans, sentence):
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, "a.jsonl", json.dumps({"spans": spans}) + "\n", "Anna saw New York .\n")


def test_what_is_written_reads_as_it_was(tmp_path):
    (tmp_path / "t.txt").write_text("L'eau est à  New York!\n", encoding="utf-8")
    (sentence,) = read_sentences(tmp_path / "t.txt", split="words")
    spans = [Span(0, 1, "A"), Span(3, 5, "LOC")]
    line = json.loads(offsets(sentence, spans))
    assert [line["text"][one["start"] : one["end"]] for one in line["spans"]] == ["L'eau", "New York"]
    (tmp_path / "a.jsonl").write_text(offsets(sentence, spans), encoding="utf-8")
    (tmp_path / "a.iob2").write_text(iob2(sentence._replace(id="s1"), spans), encoding="utf-8")
    for name in ("a.jsonl", "a.iob2"):
        assert read_labels(tmp_path / name, [sentence], "t.txt") == [spans]
    assert iob2(sentence._replace(id="s1"), spans).startswith("# sent_id = s1\n1\tL'eau\tB-A\t-\t-\n2\test\tO")
    words = sentence._replace(text="", starts=())
    assert json.loads(offsets(words, spans)) == {"text": "L'eau est à New York !", "spans": [
        {"start": 0, "end": 5, "label": "A"}, {"start": 12, "end": 20, "label": "LOC"}
    ]}  # fmt: skip
    with pytest.raises(InputError, match="the span 1-3 B overlaps another: IOB2 has no such"):
        tags_of([Span(0, 2, "A"), Span(1, 3, "B")], 4)
    with pytest.raises(InputError, match="the span 3-5 B is beyond the sentence of 4 words"):
        tags_of([Span(3, 5, "B")], 4)

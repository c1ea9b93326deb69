import gzip
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align.errors import InputError
from align.indexes.queries import column_queries, make_queries
from align.indexes.query_sources import first_sentences, generated, lexicon_switched, romanized
from align.vectors.writing import save_vectors


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        ("  One! Two?", "One!"),
        ("It is 3.5 km to example.org. Far.", "It is 3.5 km to example.org."),
        ("Really?! Yes.", "Really?!"),
        ('He said "no." Then left.', 'He said "no."'),
        ("यह एक है। यह दो है।", "यह एक है।"),
        ("这是一。这是二。", "这是一。"),
        ("「はい。」と言った。", "「はい。」"),
        ("یہ ایک ہے۔ دو۔", "یہ ایک ہے۔"),
        ("ሰላም ነው። እሺ።", "ሰላም ነው።"),
        ("no end", "no end"),
        ("two\nlines. Three", "two\nlines."),
        ("...", "..."),
    ],
)
def test_first_sentence(text, sentence):
    assert first_sentences([text], [""]) == [[sentence]]


def test_no_text_has_no_sentence():
    assert first_sentences(["", "  ", "a"], ["", "", ""]) == [[], [], ["a"]]
    assert first_sentences([], []) == []


def test_romanized_by_the_rules_of_each_language():
    texts, languages = ["Москва", "अब", "", "Київ"], ["rus_Cyrl", "", "hin_Deva", "ukr_Cyrl"]
    assert romanized(texts, languages) == [["Moskva"], ["ab"], [""], ["Kyiv"]]
    assert romanized([], []) == []
    with pytest.raises(InputError, match="unknown language code"):
        romanized(["a"], ["xx_Latn"])


def lexicon(path, *lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_words_are_switched(tmp_path):
    switch = lexicon_switched(lexicon(tmp_path / "d.tsv", "cat\tKatze", "the\tdie", "sat\tsaß"), share=1)
    texts = ["The cat, the cats; cat's.", "nothing here", "", "CAT"]
    assert switch(texts, [""] * 4) == [["die Katze, die cats; cat's."], [], [], ["Katze"]]


def test_words_of_scripts_with_marks(tmp_path):
    """A vowel sign is part of its word: नमस्ते is not cut after म."""
    switch = lexicon_switched(lexicon(tmp_path / "d.tsv", "नमस्ते\tnamaste", "नम\twrong"), share=1)
    assert switch(["नमस्ते।"], [""]) == [["namaste।"]]


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.5, 4), (0.75, 6), (1, 8)])
def test_so_many_words_are_switched(tmp_path, share, count):
    source = lexicon_switched(lexicon(tmp_path / "d.tsv", *(f"w{i}\tX" for i in range(8))), share=share)
    text = " ".join(f"w{i}" for i in range(8)) + " other"
    [[made]] = source([text], [""])
    assert made.split().count("X") == count
    left = [word for word in made.split() if word != "X"]
    assert left == [word for word in text.split() if word in left]


def test_draws_depend_on_seed_and_text_alone(tmp_path):
    path = lexicon(tmp_path / "d.tsv", *(f"w{i}\t{letter}{i}" for i in range(9) for letter in "abc"))
    texts = [" ".join(f"w{(i + j) % 9}" for i in range(9)) for j in range(9)]
    source = lexicon_switched(path, seed=3)
    made = source(texts, [""] * 9)
    assert source(texts[::-1], [""] * 9) == made[::-1] == lexicon_switched(path, seed=3)(texts, [""] * 9)[::-1]
    assert lexicon_switched(path, seed=4)(texts, [""] * 9) != made
    letters = {word[0] for [text] in made for word in text.split()}
    assert letters == {"a", "b", "c", "w"}  # every translation is drawn
    for [text] in made:
        for word in text.split():
            assert re.fullmatch(r"[abcw]\d", word)


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ([], {}, "d.tsv has no entries; expected lines of word TAB translation"),
        (["a\t"], {}, "d.tsv has no entries; expected lines of word TAB translation"),
        (["a\tb\tc"], {}, "d.tsv, line 1: expected source TAB target, got 3 columns"),
        (["a\tb"], {"share": 0}, "expected a share above 0 and at most 1, and a seed of at least 0, got 0 and 0"),
        (["a\tb"], {"share": 1.1}, "expected a share above 0 and at most 1, .* got 1.1 and 0"),
        (["a\tb"], {"share": float("nan")}, "expected a share above 0 and at most 1, .* got nan and 0"),
        (["a\tb"], {"seed": -1}, "expected a share above 0 .* got 0.5 and -1"),
    ],
)
def test_lexicons_that_are_refused(tmp_path, lines, options, message):
    with pytest.raises(InputError, match=message):
        lexicon_switched(lexicon(tmp_path / "d.tsv", *lines), **options)


class Echo:
    """A generator's double: what it was asked, as often as it was asked for."""

    def generate(self, text, language, k):
        return [f"{language}:{text}:{i}" for i in range(k)]


def test_a_generator():
    source = generated(Echo(), k=2)
    assert source(["x", "y"], ["eng_Latn", ""]) == [["eng_Latn:x:0", "eng_Latn:x:1"], [":y:0", ":y:1"]]
    with pytest.raises(InputError, match="^k must be at least 1, got 0$"):
        generated(Echo(), k=0)


@pytest.mark.parametrize("answer", ["text", ["a", "b", "c"], ["a", None], None, ("a",)])
def test_generators_that_answer_something_else(answer):
    bad = type("Bad", (), {"generate": lambda *_: answer})()
    message = f"Bad.generate: expected a list of at most 2 strings, got {answer!r}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        generated(bad, k=2)(["x"], [""])


TEXTS = ["One. Two.", "नमस्ते दोस्त", "Only", "a\nb. c", "Москва"]
LANGUAGES = ["eng_Latn", "hin_Deva", "eng_Latn", "", "rus_Cyrl"]


def stored(folder, texts=TEXTS, languages=LANGUAGES, ids=None, **options):
    ids = ids or [f"p{i}" for i in range(len(texts))]
    return save_vectors(
        folder, ids, np.ones((len(texts), 2)), texts=texts, languages=languages, encoder={}, part_rows=2, **options
    )


def test_queries_of_a_folder(tmp_path):
    vectors, out = stored(tmp_path / "v"), tmp_path / "q.tsv"
    assert make_queries(vectors, out, first_sentences) == {"passages": 5, "queries": 2, "left_out": 3}
    assert out.read_text(encoding="utf-8") == "p0\tOne.\np3\ta b.\n"
    assert make_queries(vectors, out, romanized) == {"passages": 5, "queries": 2, "left_out": 3}
    assert out.read_text(encoding="utf-8") == "p1\tnamaste dosta\np4\tMoskva\n"
    assert make_queries(vectors, out, romanized, language="rus_Cyrl") == {"passages": 1, "queries": 1, "left_out": 0}
    assert out.read_text(encoding="utf-8") == "p4\tMoskva\n"
    assert make_queries(vectors, out, generated(Echo(), k=2), language="eng_Latn")["queries"] == 4
    assert out.read_text(encoding="utf-8").splitlines()[:2] == ["p0\teng_Latn:One. Two.:0", "p0\teng_Latn:One. Two.:1"]


def test_white_space_and_broken_text(tmp_path):
    vectors = stored(tmp_path / "v", ["x"], [""])
    odd = lambda texts, languages: [[" a\tb\r\nc\u2028d ", "\ud800", "  ", " x "]]  # noqa: E731
    assert make_queries(vectors, tmp_path / "q", odd) == {"passages": 1, "queries": 2, "left_out": 2}
    assert (tmp_path / "q").read_bytes().decode() == "p0\ta b c d\np0\t\ufffd\n"


def test_folders_without_what_is_needed(tmp_path):
    out = tmp_path / "q.tsv"
    with pytest.raises(InputError, match="v1 holds no texts to make queries from: encode with the texts stored"):
        make_queries(stored(tmp_path / "v1", store_texts=False), out, romanized)
    with pytest.raises(InputError, match="v2 has no passage in fra_Latn"):
        make_queries(stored(tmp_path / "v2"), out, romanized, language="fra_Latn")
    with pytest.raises(InputError, match=r"v3: id 'a\\tb' holds a tab or a line end"):
        make_queries(stored(tmp_path / "v3", ["x", "y"], ["", ""], ids=["a", "a\tb"]), out, romanized)
    assert not out.exists()
    empty = stored(tmp_path / "v4", [], [])
    assert make_queries(empty, out, romanized) == {"passages": 0, "queries": 0, "left_out": 0}
    assert out.read_text() == ""


RECORDS = [{"id": 1, "title": "A  title"}, {"id": "b", "title": None}, {"id": "c", "title": " "}]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_column_of_json(tmp_path, suffix):
    text = "".join(json.dumps(record) + "\n" for record in RECORDS)
    path = tmp_path / f"c{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix == ".jsonl.gz" else text.encode())
    counts = column_queries(path, tmp_path / "q.tsv", column="title")
    assert counts == {"rows": 3, "queries": 1, "left_out": 2}
    assert (tmp_path / "q.tsv").read_text() == "1\tA title\n"


def test_a_column_of_parquet(tmp_path):
    pq.write_table(pa.table({"key": ["a", "b"], "translation": ["x", "y"]}), tmp_path / "c.parquet")
    column_queries(tmp_path / "c.parquet", tmp_path / "q.tsv", column="translation", id_column="key")
    assert (tmp_path / "q.tsv").read_text() == "a\tx\nb\ty\n"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": "a"}, "line 2: expected columns 'id' and 'title', got id"),
        ({"title": "a"}, "line 2: expected columns 'id' and 'title', got title"),
        ({"id": "a", "title": 3}, "line 2: expected text in 'title', got int"),
        ({"id": "a\nb", "title": "x"}, r"line 2: id 'a\\nb' holds a tab or a line end"),
        ([], "line 2: expected a JSON object, got list"),
    ],
)
def test_records_that_are_refused(tmp_path, record, message):
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(RECORDS[0]) + "\n" + json.dumps(record) + "\n")
    with pytest.raises(InputError, match=message):
        column_queries(path, tmp_path / "q.tsv", column="title")
    assert not (tmp_path / "q.tsv").exists()

from __future__ import annotations

import json
import logging
import random
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align.errors import InputError
from align.files.whole import read_json
from align.memory.terms import Term, find_terms, term_list
from align.memory.translation_memory import Match, read_memory, tm
from align.pairs import write_pairs
from align.text.edit_distance import fuzzy_match, levenshtein, plain_text
from align.vectors.folder import MANIFEST, open_vectors
from align.vectors.writing import save_vectors


class Letters:
    """Vectors are counts of letters; ``calls`` tells what was encoded."""

    def __init__(self, name: str = "letters") -> None:
        self.name, self.calls = name, []

    def encode(self, texts):
        self.calls.append(list(texts))
        vectors = np.zeros((len(texts), 26), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for letter in unicodedata.normalize("NFKD", text).lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - 97] += 1
        return vectors

    def identity(self):
        return {"name": self.name}


MEMORY = [
    ("the house is red", "das Haus ist rot"),
    ("the house is blue", "das Haus ist blau"),
    ("the house is red", "das Haus ist hochrot"),
    ("zyx", "qwertz"),
]


def by_table(a: str, b: str) -> int:
    table = [[i + j for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            swapped = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, swapped)
    return table[-1][-1]


def test_levenshtein_matches_the_table() -> None:
    draw = random.Random(0)
    for _ in range(400):
        a, b = ("".join(draw.choices("abक", k=draw.choice((0, 1, 2, 7, 30, 90)))) for _ in "ab")
        assert levenshtein(a, b) == levenshtein(b, a) == by_table(a, b)
    assert levenshtein("kitten", "sitting") == 3  # k to s, e to i, g more


def test_fuzzy_match_by_hand() -> None:
    assert fuzzy_match("kitten", "sitting") == 1 - 3 / 7
    assert (fuzzy_match("", ""), fuzzy_match("a", ""), fuzzy_match("ab", "ab"), fuzzy_match("a", "A")) == (1, 0, 1, 0)


def test_plain_text() -> None:
    assert plain_text(" cafe\u0301 \u00a0 \t x\n") == "caf\u00e9 x"


def test_matches_by_hand() -> None:
    (found,) = tm(MEMORY, ["the  house is red "], encoder=Letters())
    assert [(match.target, match.exact, match.percent) for match in found.matches[:2]] == [
        ("das Haus ist rot", True, 100), ("das Haus ist hochrot", True, 100)
    ]  # fmt: skip
    # letters of red: t h2 e3 o u s2 i r d: squares 1 4 9 1 1 4 1 1 1 = 23; of blue: t h2 e3 o u2 s2 i b l: 26;
    # the product: 1 + 4 + 9 + 1 + 2 + 4 + 1 = 22
    (near,) = found.matches[2:]
    assert near.score == pytest.approx(22 / np.sqrt(23 * 26), abs=1e-6)
    assert near.edit == pytest.approx(1 - 4 / 17, abs=1e-6)  # "red" to "blue": three swapped, one more; 17 characters
    assert (near.exact, near.percent, near.target) == (False, 76, "das Haus ist blau")
    assert found.query == "the  house is red " and found.terms == ()


def test_the_best_k_above_the_threshold() -> None:
    queries = ["the house is red", "a house is blue", "", "  ", "xyz"]
    found = tm(MEMORY, queries, encoder=Letters(), k=2, threshold=0.5)
    assert [len(each.matches) for each in found] == [2, 2, 0, 0, 1]
    assert found[1].matches[0].target == "das Haus ist blau"
    assert all(match.score >= 0.5 for each in found for match in each.matches)
    assert found[4].matches[0] == Match("zyx", "qwertz", 1.0, pytest.approx(1 / 3, abs=1e-6), False)
    assert found[4].matches[0].percent == 33  # another text, though the encoder sees no difference
    strict = tm(MEMORY, ["the house was red", "the house is red"], encoder=Letters(), threshold=1)
    assert [len(each.matches) for each in strict] == [0, 2]
    assert tm(MEMORY, ["", "x"], encoder=Letters(), threshold=-1)[0].matches == ()
    assert tm(MEMORY, [], encoder=Letters()) == []


def test_the_percent_is_the_one_that_translators_know() -> None:
    same, other = "the house is red", "the house is not red"  # four characters of twenty more

    class Deaf(Letters):
        def encode(self, texts):
            return super().encode([text.replace("not ", "") for text in texts])

    (found,) = tm([(same, "x")], [other], encoder=Deaf())
    (match,) = found.matches
    assert (match.score, match.edit, match.percent, match.exact) == (1.0, 0.8, 80, False)
    percents = [Match("", "", 0.0, edit, False).percent for edit in (0, 0.29, 0.994999, 0.999999, 1)]
    assert percents == [0, 29, 99, 99, 99]
    assert Match("", "", -1.0, 1, True).percent == 100


def test_the_least_percent_is_of_characters_and_the_threshold_of_the_cosine() -> None:
    near = [("ab cd " * 9 + word, word) for word in ("x", "yy", "zzz")]
    far = [("dc ba " * 9 + "x" * i, str(i)) for i in range(1, 30)]  # the letters of the query, in another order
    query = ["ab cd " * 9 + "xx"]
    first = tm([*far, *near], query, encoder=Letters(), k=3)[0].matches
    assert {match.target for match in first} <= {str(i) for i in range(1, 30)} | {"x"}
    found = tm([*far, *near], query, encoder=Letters(), k=3, min_percent=90)[0].matches
    assert {match.target for match in found} == {"x", "yy", "zzz"} and min(match.percent for match in found) >= 90
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
    assert tm([*far, *near], query, encoder=Letters(), min_percent=100)[0].matches == ()
    assert tm(near, [near[1][0]], encoder=Letters(), min_percent=100)[0].matches[0].exact
    assert tm(near, query, encoder=Letters(), min_percent=90, threshold=1)[0].matches == ()


def test_exact_matches_come_whatever_the_encoder_thinks() -> None:
    class Blind(Letters):
        def encode(self, texts):
            return np.eye(40, dtype=np.float32)[[hash_of(text) for text in texts]]

    def hash_of(text: str) -> int:
        return sum(text.encode()) % 40

    composed, spaced = "café  noir", "cafe\u0301 noir"
    (found,) = tm([(spaced, "black coffee"), ("tea", "tea")], [composed], encoder=Blind(), threshold=0.9)
    assert [(match.target, match.percent, match.edit) for match in found.matches] == [("black coffee", 100, 1)]


def test_vectors_are_written_once_and_used_ever_after(tmp_path: Path) -> None:
    first, folder = Letters(), tmp_path / "vectors"
    queries = ["the house is read", "xyz"]
    wanted = tm(MEMORY, queries, encoder=first)
    assert tm(MEMORY, queries, encoder=first, vectors=folder) == wanted
    assert open_vectors(folder).encoder == {"name": "letters"} and open_vectors(folder).rows == 3
    again = Letters()
    assert tm(MEMORY, queries, encoder=again, vectors=folder) == wanted
    assert again.calls == [queries]
    # rows of other texts, and copies, are passed over: a memory that shrank, in another order
    assert tm(MEMORY[:0:-1], queries, encoder=again, vectors=folder, k=9) == tm(
        MEMORY[:0:-1], queries, encoder=again, k=9
    )


def test_vectors_that_copies_and_other_texts_stand_in(tmp_path: Path) -> None:
    texts = ["not in it", "zyx", *(source for source, _ in MEMORY)]
    save_vectors(
        tmp_path / "v", [str(i) for i in range(6)], Letters().encode(texts), texts=texts, encoder={"name": "letters"},
        part_rows=2,
    )  # fmt: skip
    queries = ["the house", "xyz", "not in it"]
    found = tm(MEMORY, queries, encoder=Letters(), vectors=tmp_path / "v", k=3, threshold=-1)
    assert found == tm(MEMORY, queries, encoder=Letters(), k=3, threshold=-1)
    assert [len(each.matches) for each in found] == [3, 3, 3]


def test_a_folder_that_was_stopped_in_is_written_again(tmp_path: Path) -> None:
    wanted = tm(MEMORY, ["xyz"], encoder=Letters(), vectors=tmp_path)
    manifest = read_json(tmp_path / MANIFEST)
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"complete": False}))
    (tmp_path / "part-00000.parquet").unlink()
    assert tm(MEMORY, ["xyz"], encoder=Letters(), vectors=tmp_path) == wanted


def write_tmx(path: Path) -> Path:
    path.write_text(
        """<?xml version="1.0"?><tmx version="1.4"><body>
        <tu><tuv xml:lang="en"><seg>the house is red</seg></tuv>
        <tuv xml:lang="de"><seg>das Haus ist rot</seg></tuv></tu>
        <tu><tuv xml:lang="en"><seg>only this</seg></tuv></tu>
        </body></tmx>""",
        encoding="utf-8",
    )
    return path


def test_memories_of_files(tmp_path: Path, caplog) -> None:
    pairs = MEMORY[:2]
    tsv = tmp_path / "memory.tsv"
    tsv.write_text("source\ttarget\n" + "".join(f"{a}\t{b}\n" for a, b in pairs) + "only one\n\t\nx\t\n", "utf-8")
    with caplog.at_level(logging.WARNING):
        assert list(read_memory(tsv)) == pairs
    assert "left out: 1 one column, 2 empty; the first is row 4" in caplog.text
    pq.write_table(pa.table({"source": [a for a, _ in pairs], "target": [b for _, b in pairs]}), tmp_path / "m.parquet")
    assert list(read_memory(tmp_path / "m.parquet")) == pairs
    (tmp_path / "m.jsonl").write_text("".join(json.dumps({"src": a, "tgt": b}) + "\n" for a, b in pairs))
    assert list(read_memory(str(tmp_path / "m.jsonl"))) == pairs
    named, other = write_tmx(tmp_path / "eng_Latn-deu_Latn.tmx"), write_tmx(tmp_path / "m.tmx")
    assert list(read_memory(named)) == list(read_memory(other, ("eng_Latn", "deu_Latn"))) == pairs[:1]
    assert list(read_memory(other, ("deu_Latn", "eng_Latn"))) == [pairs[0][::-1]]


def test_a_memory_of_a_pair_table(tmp_path: Path) -> None:
    rows = [
        {"source": a, "target": b, "source_lang": "eng_Latn", "target_lang": "deu_Latn", "kind": "x", "group_id": a}
        for a, b in MEMORY
    ]
    write_pairs(rows, tmp_path / "pairs", manifest={})
    assert list(read_memory(tmp_path / "pairs")) == MEMORY


TERMS = term_list(
    [
        ("virus", "Virus"), ("Corona  virus", "Coronavirus"), ("corona virus", "Corona"), ("public health", "-"),
        ("病毒", "virus"), ("冠状病毒", "coronavirus"), ("ไวรัส", "virus"), ("ウイルス", "virus"), ("वायरस", "virus"),
        ("don't", "nicht"), ("don", "Don"), ("COVID-19", "COVID-19"), ("straße", "street"),
        ("café", "coffee"), ("वाक्", "speech"), (" ", "x"),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The CORONA \n VIRUS is a virus.", [("CORONA VIRUS", 4), ("virus", 22)]),  # the longer one, not "virus" twice
        ("viruses, antivirus and virus_x", []),  # no part of a word
        ("public health", [("public health", 0)]),
        ("publichealth, public. health", []),
        ("新型冠状病毒感染", [("冠状病毒", 2)]),  # no spaces: anywhere, and the longest
        ("这种病毒", [("病毒", 2)]),
        ("เชื้อไวรัสโคโรนา", [("ไวรัส", 5)]),
        ("コロナウイルス", [("ウイルス", 3)]),  # within a run of Katakana
        ("कोरोना वायरस है, वायरसों", [("वायरस", 7)]),
        ("I don't, Don", [("don't", 2), ("Don", 9)]),
        ("वाक्", [("वाक्", 0)]),  # a virama at the end of a word cuts nothing
        ("of covid-19!", [("covid-19", 3)]),
        ("STRASSE, Straße", [("STRASSE", 0), ("Straße", 9)]),  # folded, not lowered
        ("cafe\u0301", [("café", 0)]),
        ("", []),
    ],
)
def test_terms_found(text: str, wanted: list) -> None:
    assert [(term.source, term.start) for term in find_terms(text, TERMS)] == wanted


def test_terms_have_their_translations() -> None:
    assert find_terms("corona virus", TERMS) == (Term("corona virus", ("Coronavirus", "Corona"), 0),)
    assert find_terms("text", {}) == ()
    # a longer term that begins later wins, and of equal ones the first
    known = term_list([("a b", "1"), ("b c d", "2"), ("c d", "3")])
    assert [term.source for term in find_terms("a b c d", known)] == ["b c d"]
    assert [term.source for term in find_terms("a b c", term_list([("a b", "1"), ("b c", "2")]))] == ["a b"]


def test_no_letter_is_cut_from_its_marks() -> None:
    known = term_list([("ก", "k"), ("ស", "s"), ("က", "k")])
    for text in ("กิ", "ស្ត្រី", "ត្ស", "က္က", "ကို"):  # a vowel above; consonants stacked below and above
        assert find_terms(text, known) == (), text
    assert [len(find_terms(text, known)) for text in ("กก", "សស", "ကက")] == [2, 2, 2]


def test_terms_of_a_file_are_found_in_queries(tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("house\tHaus\nred\trot\n")
    for terms in (tmp_path / "terms.tsv", [("house", "Haus"), ("red", "rot")]):
        (found,) = tm(MEMORY, ["Red is my house"], encoder=Letters(), terms=terms)
        assert [(term.source, term.targets) for term in found.terms] == [("Red", ("rot",)), ("house", ("Haus",))]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.tsv").write_text("")
    (tmp_path / "one.tsv").write_text("x\n")
    (tmp_path / "none.tsv").write_text("x\ty\n".replace("y", ""))
    write_tmx(tmp_path / "m.tmx")
    write_tmx(tmp_path / "eng_Latn.tmx")
    for memory, message in (
        ("empty.tsv", "empty.tsv is empty"),
        ("one.tsv", "one.tsv: expected source TAB target"),
        ("none.tsv", "none.tsv: the memory holds no pair; expected a source and its translation"),
        ("m.tmx", "m.tmx: unknown language code 'm'.*; name the two languages, such as eng_Latn-hin_Deva"),
        ("eng_Latn.tmx", "eng_Latn.tmx: expected the codes of two languages, such as eng_Latn-hin_Deva, got eng_Latn"),
        ("missing.tsv", "no such file: .*missing.tsv"),
    ):
        with pytest.raises(InputError, match=message):
            tm(tmp_path / memory, ["x"], encoder=Letters())
    for options, message in (
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"threshold": 70}, "the threshold is 70: expected a cosine, from -1 to 1"),
        ({"threshold": float("nan")}, "the threshold is nan"),
        ({"min_percent": 101}, "the least percent is 101: expected 0 to 100"),
    ):
        with pytest.raises(InputError, match=message):
            tm(MEMORY, ["x"], encoder=Letters(), **options)
    with pytest.raises(InputError, match="tm needs a list of queries, got one string"):
        tm(MEMORY, "x", encoder=Letters())
    tm(MEMORY, ["x"], encoder=Letters(), vectors=tmp_path / "v")
    with pytest.raises(
        InputError, match='v was made by another encoder: name ."letters" in the memory, "xyz" in the q'
    ):
        tm(MEMORY, ["x"], encoder=Letters("xyz"), vectors=tmp_path / "v")
    with pytest.raises(InputError, match="v lacks 2 of 5 sources of the memory, the first is 'new': remove it"):
        tm([*MEMORY, ("new", "neu"), ("newer", "n")], ["x"], encoder=Letters(), vectors=tmp_path / "v")
    with pytest.raises(InputError, match="which is not of vectors that Align wrote"):
        tm(MEMORY, ["x"], encoder=Letters(), vectors=tmp_path)

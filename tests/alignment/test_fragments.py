"""Fragments of translations swapped into sentences: which are whole, how many, what is written."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from encoder_folders import bert

from align import read_pairs
from align.alignment import aligner
from align.alignment.aligner import WordAlignment
from align.alignment.fragment_pairs import fragment_pairs
from align.alignment.fragments import FragmentSwitching, linked_fragments, switch_fragments
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.pairs.switching.sentence import cut


def by_definition(links, words, longest):
    """Every run of words and every run of targets: all links of one lead into the other, and the ends are linked."""
    found = {}
    n, m = max(words, default=-1) + 1, max((j for _, j in links), default=-1) + 1
    for a, b in product(range(n), range(n + 1)):
        if 0 < b - a <= longest and {*range(a, b)} <= {*words}:
            for c, d in product(range(m), range(m + 1)):
                inside = [(i, j) for i, j in links if a <= i < b]
                back = [(i, j) for i, j in links if c <= j < d]
                ends = {i for i, _ in inside} >= {a, b - 1} and {j for _, j in inside} >= {c, d - 1}
                if d > c and inside and ends and set(inside) == set(back):
                    found[a, b] = (c, d)
    return found


def test_fragments_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    some = 0
    for _ in range(60):
        n, m = rng.integers(1, 6, size=2)
        links = [(i, j) for i, j in product(range(n), range(m)) if rng.random() < 0.25]
        words = [i for i in range(n) if rng.random() < 0.8]
        for longest in (1, 2, 3):
            made = linked_fragments(links, words, longest)
            assert made == by_definition(links, words, longest)
            some += len(made)
    assert some > 100


def test_fragments_by_hand():
    assert linked_fragments([], [0, 1], 3) == {}
    assert linked_fragments([(0, 0), (0, 2), (1, 1)], [0, 1], 2) == {(1, 2): (1, 2), (0, 2): (0, 3)}
    assert linked_fragments([(0, 0), (2, 1)], [0, 1, 2], 3) == {(0, 1): (0, 1), (0, 3): (0, 2), (2, 3): (1, 2)}


ENGLISH, GERMAN = cut("The big dog, sleeps.", "eng_Latn"), cut("Der große Hund schläft!", "deu_Latn")
LINKS = [(0, 0), (1, 1), (2, 2), (4, 3)]  # tokens: the comma is one


def test_the_share_is_kept_and_nothing_overlaps():
    seen = set()
    for seed in range(100):
        text, changes = switch_fragments(ENGLISH, GERMAN, LINKS, np.random.default_rng(seed), FragmentSwitching(0.5, 2))
        assert sum(stop - start for start, stop in changes) == 2
        assert text == ENGLISH.replaced(changes)
        seen.add(text)
    assert {"Der große dog, sleeps.", "The big Hund, schläft."} <= seen
    assert switch_fragments(ENGLISH, GERMAN, [], np.random.default_rng(0)) == ("The big dog, sleeps.", {})


def test_two_fragments_never_take_the_same_words_of_the_translation():
    links = [(0, 0), (1, 0), (2, 1)]
    for seed in range(30):
        _, changes = switch_fragments(
            cut("a b c", "eng_Latn"), cut("x y", "deu_Latn"), links, np.random.default_rng(seed), FragmentSwitching(1.0)
        )
        assert len({*changes.values()}) == len(changes)


def test_a_fragment_that_reads_the_same_is_none():
    same = cut("Der Bus", "deu_Latn")
    for seed in range(10):
        text, _ = switch_fragments(
            cut("The Bus", "eng_Latn"), same, [(0, 0), (1, 1)], np.random.default_rng(seed), FragmentSwitching(1.0, 1)
        )
        assert text == "Der Bus"
    assert not switch_fragments(cut("Bus", "eng_Latn"), cut("Bus", "deu_Latn"), [(0, 0)], np.random.default_rng(0))[1]


def test_pairs(tmp_path, monkeypatch):
    """Links as given, word by word; a row without links is kept aside, on both sides."""
    table = tmp_path / "p.tsv"
    table.write_text(
        "source\ttarget\tsource_lang\ttarget_lang\n"
        "a big dog\tein großer Hund\teng_Latn\tdeu_Latn\nno\tnein\teng_Latn\tdeu_Latn\n", encoding="utf-8",
    )  # fmt: skip
    monkeypatch.setattr(aligner, "CHUNK", 1)
    monkeypatch.setattr(aligner, "word_alignments", lambda encoder, pairs, linking: [
        WordAlignment([(i, i) for i in range(3)] if len(one) == 3 else [], [], (0, 0)) for one, _ in pairs
    ])  # fmt: skip
    encoder = load_encoder(bert(tmp_path / "model"))
    manifest = fragment_pairs(table, encoder, tmp_path / "out", how=FragmentSwitching(0.3))
    rows = read_pairs(tmp_path / "out").to_list()
    assert [row["target"] for row in rows] == ["a big dog", "ein großer Hund", "ein großer Hund", "a big dog"]
    assert rows[0]["source"] == rows[1]["source"] in ("ein big dog", "a großer dog", "a big Hund")
    assert rows[2]["source"] in ("a großer Hund", "ein big Hund", "ein großer dog")
    assert [row["source_lang"] for row in rows] == ["eng_Latn"] * 2 + ["deu_Latn"] * 2
    assert len({row["group_id"] for row in rows}) == 1
    assert manifest["rejects"] == {"no fragment": 2}
    assert (manifest["texts"], manifest["words"], manifest["switched"]) == (4, 6, 2)


def test_the_verb_and_what_is_refused(tmp_path, align):
    table, model = tmp_path / "p.tsv", bert(tmp_path / "model")
    table.write_text("source\ttarget\tsource_lang\ttarget_lang\nabc\txyz\teng_Latn\tdeu_Latn\n", encoding="utf-8")
    assert '"texts": 2' in align("pairs", "fragments", table, "--model", model, "--out", tmp_path / "out").out
    for given, message in (({"rate": 2.0}, "0..1, and not 0; got 2"), ({"longest": 0}, "at least 1; got 0")):
        with pytest.raises(InputError, match=message):
            FragmentSwitching(**given)
    with pytest.raises(InputError, match="no text is given"):
        fragment_pairs((), str(model), tmp_path / "other")
    with pytest.raises(InputError, match="an encoder in memory is as it is"):
        fragment_pairs(table, load_encoder(model), tmp_path / "other", prompt="query: ")

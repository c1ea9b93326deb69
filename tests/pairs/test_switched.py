"""Code-switched pairs by a dictionary: which words, into what, what is kept aside."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from align import read_pairs
from align.errors import InputError
from align.pairs.switched import switched_pairs
from align.pairs.switching.lexicon import Switching, read_translations, switch_words
from align.pairs.switching.sentence import cut
from align.pairs.switching.spans import draw_spans
from align.streams import stream

EN_DE = ("eng_Latn", "deu_Latn")
WORDS = "house\tHaus\nhouse\tGebäude\ndog\tHund\nred\trot\nbig\tgroß\nsleeps\tschläft\n"
ROWS = [
    ("The big dog sleeps in the red HOUSE.", "Der Hund schläft im Haus.", "eng_Latn", "deu_Latn"),
    ("Nothing here", "Nichts", "eng_Latn", "deu_Latn"),
]  # fmt: skip


def tsv(path, rows, header="source\ttarget\tsource_lang\ttarget_lang"):
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "eng_Latn-deu_Latn.tsv"
    path.write_text(WORDS, encoding="utf-8")
    return path


@pytest.mark.parametrize(("words", "rate"), [(1, 0.01), (2, 0.35), (7, 0.5), (40, 0.35), (40, 1.0)])
def test_spans_are_apart_in_order_and_of_the_share(words, rate):
    for seed in range(30):
        spans = draw_spans(words, rate, 3.5, np.random.default_rng(seed))
        places = [k for start, stop in spans for k in range(start, stop)]
        assert places == sorted({*places}) and set(places) <= set(range(words))
        assert len(places) == max(1, round(rate * words))


def test_the_length_of_spans_is_that_of_poisson():
    """Far from the share, no length is cut: the mean of max(1, Poisson(3.5)) is 3.5 + e^-3.5."""
    rng = np.random.default_rng(0)
    sizes = [stop - start for _ in range(60) for start, stop in draw_spans(2000, 0.05, 3.5, rng)]
    assert np.mean(sizes) == pytest.approx(3.5 + np.exp(-3.5), abs=0.15)
    assert {1, 2, 3, 4, 5, 6} <= {*sizes}


@pytest.mark.parametrize("starts", [3])
def test_spans_start_anywhere(starts):
    places = Counter(draw_spans(starts, 0.34, 1.0, np.random.default_rng(seed))[0][0] for seed in range(300))
    assert set(places) == {0, 1, 2} and min(places.values()) > 60


@pytest.mark.parametrize(
    ("given", "message"),
    [({"rate": 0.0}, "0..1, and not 0; got 0"), ({"rate": 1.5}, "got 1.5"), ({"rate": float("nan")}, "got nan"),
     ({"span": 0.0}, "length of switched spans is positive; got 0"), ({"top": 0}, "at least 1; got 0")],
)  # fmt: skip
def test_refused_settings(given, message):
    with pytest.raises(InputError, match=message):
        Switching(**given)


def test_words_and_what_stands_between():
    sentence = cut("  It's 3 dogs, isn’t it?  ", "eng_Latn")
    assert [sentence.tokens[k] for k in sentence.words] == ["It's", "dogs", "isn’t", "it"]
    assert sentence.replaced({}) == "  It's 3 dogs, isn’t it?  "
    assert sentence.replaced({(0, 1): "Es", (2, 3): "Hunde"}) == "  Es 3 Hunde, isn’t it?  "
    assert sentence.replaced({(0, 3): "Hunde"}) == "  Hunde, isn’t it?  "
    assert sentence.replaced({(0, len(sentence.tokens)): "x"}) == "  x  "
    assert cut("", "eng_Latn").replaced({}) == ""


def test_given_tokens_of_a_script_without_spaces():
    sentence = cut("狗 在 红色 的 房子 里 。 2 New York", "zho_Hans", "spaces")
    assert sentence.replaced({}) == "狗在红色的房子里。2New York"
    assert sentence.replaced({(4, 5): "house"}) == "狗在红色的 house 里。2New York"
    assert cut("狗在红色的房子里。 dog", "zho_Hans").words == (2,)  # a run of letters there is no word
    assert cut("狗 ( dog ) runs", "eng_Latn", "spaces").replaced({}) == "狗 ( dog ) runs"  # not here


def test_only_the_first_translations_and_all_as_likely():
    known = {"dog": ["a", "b", "c", "d"]}
    made = Counter(
        switch_words(cut("dog", "eng_Latn"), known, ("eng_Latn", "deu_Latn"), stream(seed, "x")).text
        for seed in range(300)
    )
    assert set(made) == {"a", "b", "c"} and min(made.values()) > 70


def test_capitals_and_signs_stay():
    known = {"dog": ["hund"], "isik": ["dog"], "istanbul": ["isik"]}
    how = Switching(rate=1.0)

    def made(text, languages=EN_DE):
        return switch_words(cut(text, languages[0]), known, languages, stream(0, "x"), how).text

    assert made("(Dog) DOG, dog. x") == "(Hund) HUND, hund. x"
    assert made("Istanbul", ("eng_Latn", "tur_Latn")) == "İsik"


def test_what_is_drawn_and_not_known_is_counted_and_nothing_else_is_drawn_for_it():
    sentence = cut("dog x dog y dog z dog w", "eng_Latn")
    for seed in range(20):
        made = switch_words(
            sentence, {"dog": ["hund"]}, ("eng_Latn", "deu_Latn"), stream(seed, "x"), Switching(rate=0.5)
        )
        assert len(made.changes) + made.unknown == 4
        assert made.text == sentence.replaced(made.changes) and made.text.count("hund") == len(made.changes)


def test_translations_both_ways_in_the_order_of_the_file(lexicon, tmp_path):
    known, _ = read_translations(lexicon)
    assert known["eng_Latn", "deu_Latn"]["house"] == ["Haus", "Gebäude"]
    assert known["deu_Latn", "eng_Latn"]["gebäude"] == ["house"]
    only = tmp_path / "eng_Latn-eng_Latn.tsv"
    only.write_text("big\tlarge\n", encoding="utf-8")
    with pytest.raises(InputError, match="no pair of words of two languages"):
        read_translations(only)


def test_pairs_with_the_original_and_the_translation(lexicon, tmp_path):
    manifest = switched_pairs(tsv(tmp_path / "p.tsv", ROWS), lexicon, tmp_path / "out", how=Switching(rate=1.0))
    rows = read_pairs(tmp_path / "out").to_list()
    english, german = ROWS[0][:2]
    assert [row["target"] for row in rows] == [english, german, german, english]
    assert {(row["source_lang"], row["target_lang"]) for row in rows[:2]} == {
        ("eng_Latn", "eng_Latn"), ("eng_Latn", "deu_Latn"),
    }  # fmt: skip
    assert rows[0]["source"] == rows[1]["source"] and rows[0]["source"] in (
        "The groß hund schläft in the rot HAUS.", "The groß Hund schläft in the rot HAUS.",
        "The groß Hund schläft in the rot GEBÄUDE.",
    )  # fmt: skip
    assert rows[2]["source"] == "Der Dog sleeps im House."
    assert len({row["group_id"] for row in rows}) == 1
    assert manifest["coverage"] == {
        "deu_Latn-eng_Latn": {"covered": 3, "words": 6}, "eng_Latn-deu_Latn": {"covered": 5, "words": 10},
    }  # fmt: skip
    assert manifest["rejects"] == {"no word has a translation": 2}
    assert (manifest["texts"], manifest["words"], manifest["switched"], manifest["unknown"]) == (4, 16, 8, 8)
    assert manifest["rows"] == 4


@pytest.mark.parametrize(("rows", "targets"), [("original", 0), ("translation", 1)])
def test_one_of_the_two(lexicon, tmp_path, rows, targets):
    switched_pairs(tsv(tmp_path / "p.tsv", ROWS[:1]), lexicon, tmp_path / "out", rows=rows)
    assert read_pairs(tmp_path / "out")[0]["target"] == ROWS[0][targets]
    with pytest.raises(InputError, match="rows is one of both, original, translation; got 'none'"):
        switched_pairs(tsv(tmp_path / "p.tsv", ROWS[:1]), lexicon, tmp_path / "out", rows="none")


def test_texts_without_translation_go_into_one_language_of_the_dictionaries(lexicon, tmp_path):
    other = tmp_path / "eng_Latn-fra_Latn.tsv"
    other.write_text("dog\tchien\n", encoding="utf-8")
    (tmp_path / "eng_Latn.txt").write_text("dog\n\n" + "dog dog\n" * 40 + "cat\n", encoding="utf-8")
    given = switched_pairs(
        (), [lexicon, other], tmp_path / "out", texts=tmp_path / "eng_Latn.txt", how=Switching(rate=1.0)
    )
    rows = read_pairs(tmp_path / "out")
    assert {*rows["source"][1:]} == {"Hund Hund", "chien chien"}  # never both in one text
    assert {*rows["target"]} == {"dog", "dog dog"}
    assert given["rejects"] == {"empty": 1, "no word has a translation": 1}
    assert {*rows["target_lang"]} == {"eng_Latn"}


def test_what_has_no_dictionary_or_no_words_is_kept_aside(lexicon, tmp_path):
    given = tsv(tmp_path / "p.tsv", [
        ROWS[0], ("dog", "chien", "eng_Latn", "fra_Latn"), ("dog", "dogs", "eng_Latn", "eng_Latn"),
    ])  # fmt: skip
    assert switched_pairs(given, lexicon, tmp_path / "out")["rejects"] == {
        "no dictionary of eng_Latn into fra_Latn": 1, "no dictionary of fra_Latn into eng_Latn": 1,
        "both texts are of one language": 1,
    }  # fmt: skip
    (tmp_path / "eng_Latn-zho_Hans.tsv").write_text("dog\t狗\n", encoding="utf-8")
    given = tsv(tmp_path / "p.tsv", [("A dog", "一只狗", "eng_Latn", "zho_Hans")])
    lists = tmp_path / "eng_Latn-zho_Hans.tsv"
    assert switched_pairs(given, lists, tmp_path / "out", how=Switching(rate=1.0))["rejects"] == {
        "no spaces between words: give tokens": 1
    }


def test_refused_with_what_there_is(lexicon, tmp_path):
    given = tsv(tmp_path / "p.tsv", [("chien", "cane", "fra_Latn", "ita_Latn")])
    with pytest.raises(InputError, match="of the texts, fra_Latn, ita_Latn; there are deu_Latn-eng_Latn, eng_"):
        switched_pairs(given, lexicon, tmp_path / "out")
    with pytest.raises(InputError, match="know no word of the texts, of deu_Latn-eng_Latn, eng_Latn-deu_Latn: are"):
        switched_pairs(tsv(tmp_path / "p.tsv", ROWS[1:]), lexicon, tmp_path / "out")
    with pytest.raises(InputError, match="no text is given: expected tables"):
        switched_pairs((), lexicon, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_seed_decides_and_the_coverage_is_said_first(lexicon, tmp_path, caplog):
    rows = [("big red dog house " * 5, "Haus", "eng_Latn", "deu_Latn")] * 8
    given = tsv(tmp_path / "p.tsv", rows)

    def made(seed):
        switched_pairs(given, lexicon, tmp_path / "out", seed=seed)
        return read_pairs(tmp_path / "out")["source"]

    with caplog.at_level("INFO"):
        first = made(0)
    assert "eng_Latn into deu_Latn: 160 of 160 words have a translation" in caplog.text
    assert first == made(0) != made(1)
    assert len({*first}) > 8  # each text has a stream of its own


def test_the_verb(lexicon, tmp_path, align):
    given = tsv(tmp_path / "p.tsv", ROWS)
    words = ("pairs", "switched", given, "--lexicon", f"eng_Latn-deu_Latn={lexicon}", "--rate", "1")
    assert json.loads(align(*words, "--out", tmp_path / "out").out)["switched"] == 8
    assert "expected --lexicon" in align("pairs", "switched", given, "--out", tmp_path / "other", code=2).err

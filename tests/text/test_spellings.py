"""Romanisation as people spell it."""

from collections import Counter

import pytest

from align.errors import InputError
from align.text.romanize.spellings import aligned, learn_spellings, letters


def plain(texts, language):
    assert language == "xxx_Cyrl"
    return [text.translate(str.maketrans("абвгор", "abvgor")) for text in texts]


def learn(*attested):
    return learn_spellings(attested, language="xxx_Cyrl", romanizer=plain)


def test_a_letter_and_its_neighbours():
    assert letters("ab") == [("^", "a", "b"), ("a", "b", "$")]
    assert letters("") == []


@pytest.mark.parametrize(
    ("ours", "theirs", "written"),
    [
        ("pura", "pura", ["p", "u", "r", "a"]),
        ("pura", "poor", ["p", "oo", "r", ""]),
        ("ab", "xab", ["xa", "b"]),
        ("ab", "axb", ["ax", "b"]),
        ("ab", "abx", ["a", "bx"]),
        ("ab", "", ["", ""]),
        ("", "ab", []),
    ],
)
def test_what_stands_for_each_letter(ours, theirs, written):
    assert aligned(ours, theirs) == list(zip(letters(ours), written, strict=True))
    if ours:
        assert "".join(what for _, what in aligned(ours, theirs)) == theirs


def test_a_known_word_is_drawn_by_its_attestations():
    spelt = learn(("вор", "Wor", 3), ("вор", "vor", 1), ("га", "ga", 1))
    assert spelt.words["вор"] == {"wor": 3, "vor": 1}
    drawn = Counter(spelt.romanize(["вор"] * 4000))
    assert set(drawn) == {"wor", "vor"}
    assert drawn["wor"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_another_word_is_uromans_with_the_letters_that_people_write():
    spelt = learn(("вор", "wor", 1))
    assert spelt.edits[("^", "v", "o")] == {"w": 1}
    assert learn(("вор", "wor", 3)).edits[("^", "v", "o")] == {"w": 3}
    assert spelt.romanize(["вог", "ов"]) == ["wog", "ov"]  # v at the start before o; not at the end


def test_signs_stay_and_words_in_latin_letters_too():
    assert learn(("вор", "wor", 1)).romanize(["Вор, вор! abc (вор)"]) == ["wor, wor! abc (wor)"]


def test_texts_go_word_by_word_or_not_at_all():
    spelt = learn(("га вор.", "gah wor", 2), ("га вор", "gavor", 1))
    assert dict(spelt.words) == {"га": {"gah": 2}, "вор": {"wor": 2}}


def test_seeds():
    spelt = learn(("вор", "wor", 1), ("вор", "vor", 1))
    texts = ["вор"] * 50
    assert spelt.romanize(texts, seed=1) == spelt.romanize(texts, seed=1) != spelt.romanize(texts, seed=2)
    assert spelt.romanize([]) == []


def test_refused():
    with pytest.raises(InputError, match="вор as vor is attested 0 times: expected 1 or more"):
        learn(("вор", "vor", 0))
    with pytest.raises(InputError, match="no word of xxx_Cyrl has a spelling"):
        learn(("га вор", "gavor", 1))


def test_capitals_of_the_romaniser_are_small_letters():
    spelt = learn_spellings(
        [("вор", "wor", 1)], language="xxx_Cyrl", romanizer=lambda x, of: [t.upper() for t in plain(x, of)]
    )
    assert spelt.edits[("^", "v", "o")] == {"w": 1}
    assert spelt.romanize(["воб"]) == ["WOB"]  # signs go through the romaniser once more, and so do letters


def test_marks_belong_to_words_and_signs_do_not():
    spelt = learn_spellings([("हिंदी है।", "hindee hae.", 1)], language="hin_Deva")  # uroman is the usual one
    assert dict(spelt.words) == {"हिंदी": {"hindee": 1}, "है": {"hae": 1}}
    assert spelt.romanize(["है हिंदी।"]) == ["hae hindee."]

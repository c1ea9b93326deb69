from __future__ import annotations

import sys
import unicodedata

import pytest

from align.text.normal_forms import folded, normalised, text_hash, visible

HIDDEN = ["\ufeff", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u2066", "\u2069", "\u00ad", "\u2060",
          "\u061c", "\u034f", "\ufe0f", "\U000e0041"]  # fmt: skip


@pytest.mark.parametrize("mark", HIDDEN)
@pytest.mark.parametrize("text", ["Snow fell.", "שלג ירד", "Ήρθε", "雪が降った"])
def test_a_mark_that_nothing_shows_makes_no_other_text(text, mark):
    for place in range(len(text) + 1):
        assert normalised(text[:place] + mark + text[place:]) == normalised(text)
        assert folded(text[:place] + mark + text[place:]) == folded(text)


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cروم",  # Persian: I go; without it, another word's spelling
        "क्\u200dष",  # Devanagari: half form
        "നന്\u200d",  # Malayalam: chillu at the end of a word
        "র\u200d্যাব",  # Bengali: before the virama
        "ක්\u200dෂ",  # Sinhala
        "ه\u200c",  # Kurdish: ae at the end of a word
        "👩\u200d🚀",  # emoji: an astronaut, not a woman and a rocket
        "ᠬᠠᠷ\u180eᠠ",  # Mongolian: a vowel set apart
    ],
)
def test_joiners_that_carry_meaning_stay(text):
    assert visible(text) == text
    assert normalised(text) != normalised(text.replace("\u200c", "").replace("\u200d", "").replace("\u180e", ""))


@pytest.mark.parametrize("text", ["سلام\u200c دنیا", "नमस्ते\u200c", "\u200cसच", "\u200dसच", "a\u200db"])
def test_joiners_beside_nothing_to_join_go(text):
    assert visible(text) == text.replace("\u200c", "").replace("\u200d", "")


def test_visible_text_stays_to_the_letter():
    shown = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ("Ll", "Nd", "Po"))
    assert visible(shown) == shown
    assert visible("") == normalised("") == ""


def test_normal_form_by_hand():
    assert normalised("  Ｓtraße\u00a0 \t ENDE\n") == "strasse ende"
    assert normalised("e\u034f\u0301") == normalised("é")  # what is parted by a mark is composed
    assert normalised("İ") == normalised(normalised("İ"))
    assert folded("Ａ") != folded("A")
    assert text_hash("a") != text_hash("b")

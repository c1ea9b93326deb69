import numpy as np
import pytest

from align.errors import InputError
from align.pairs.filters.texts import Filters, reject_reason, repeats, skeleton
from align.text.normal_forms import normalised, text_hash


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("a", "too short"),
        ("ab", ""),
        ("abcde", ""),
        ("abcdef", "too long"),
        ("१२ 3", "no letter"),
        ("!?", "no letter"),
        ("क्षि", ""),  # one syllable, four code points
        ("a\ud800", "lone surrogate"),
    ],
)
def test_reject_reason(text, reason):
    assert reject_reason(text, Filters(min_chars=2, max_chars=5)) == reason


def test_normalised_folds_width_case_and_white_space():
    assert normalised("  Ｓtraße\u00a0 \t ENDE\n") == "strasse ende"


def test_skeleton_keeps_letters_and_marks():
    assert skeleton(normalised("Chapter 3, verse 1")) == skeleton(normalised("chapter 4 verse 2")) == "chapterverse"
    assert skeleton("कि") != skeleton("की")
    assert skeleton("a b\tc d") == "ab\tcd"


def test_text_hash_is_eight_bytes_and_stable():
    assert text_hash("hello") == text_hash("hello") != text_hash("hello ")
    assert f"{text_hash('hello'):016x}" == "a7b6eda801e5347d"
    assert max(text_hash(str(i)) for i in range(100)).bit_length() > 60


@pytest.mark.parametrize("values", [[], [5], [3, 3, 3], [2, 1, 2, 1, 0, 2**64 - 1, 2]])
def test_repeats_against_a_loop(values):
    expected, seen = [], set()
    for value in values:
        expected.append(value in seen)
        seen.add(value)
    assert repeats(np.array(values, dtype=np.uint64)).tolist() == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_chars": 0}, "1 <= min_chars <= max_chars, got 0 and 1000"),
        ({"min_chars": 5, "max_chars": 4}, "got 5 and 4"),
        ({"duplicates": "drop"}, "duplicates is one of keep, exact, near; got 'drop'"),
        ({"identity": "no"}, "identity is one of keep, drop; got 'no'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        Filters(**options)

from __future__ import annotations

import re

import pytest

from align.tasks import HardNegative, hard_negatives

SET = [
    "We met Anna Smith in Berlin.",
    "It cost 1990 euros in two shops.",
    "Is this your first visit?",
    "We like it.",
    "They say Tom's not coming, said Peter.",
]


def made(text: str, kind: str, others: list[str] | None = None, **options: int) -> list[str]:
    found = hard_negatives([text, *(others or SET)], **options).negatives
    return [one.text for one in found if one.line == 0 and one.kind == kind]


def test_kinds_lines_and_what_no_rule_touches() -> None:
    found = hard_negatives(SET)
    assert [(one.line, one.kind) for one in found.negatives] == [
        (0, "entity"), (1, "number"), (2, "number"), (2, "negation"), (4, "entity"),
    ]  # fmt: skip
    assert found.untouched == (3,)
    assert all(isinstance(one, HardNegative) and one.text != SET[one.line] for one in found.negatives)


def test_seeded() -> None:
    assert hard_negatives(SET) == hard_negatives(SET)
    several = {hard_negatives(SET, seed=seed).negatives for seed in range(8)}
    assert len(several) > 4
    alone = hard_negatives(SET[1:2]).negatives
    assert alone[0].text.count("euros") == 1


@pytest.mark.parametrize("seed", range(20))
def test_numbers(seed: int) -> None:
    (other,) = made("It cost 1990 euros.", "number", seed=seed)
    match = re.fullmatch(r"It cost (\d{4}) euros\.", other)
    assert match and match[1] != "1990" and match[1][0] != "0"
    assert sum(a != b for a, b in zip(match[1], "1990", strict=True)) == 1
    (other,) = made("At 7 or later.", "number", seed=seed)
    assert re.fullmatch(r"At [0-689] or later\.", other)
    (other,) = made("Twenty came, said the man.", "number", seed=seed)
    assert other.split()[0] in ["Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety"]
    (other,) = made("It is the second of two.", "number", seed=seed)
    ordinal, number = re.fullmatch(r"It is the (\w+) of (\w+)\.", other).groups()
    assert (ordinal == "second") != (number == "two")
    assert made("It is one of mine, someone said.", "number", seed=seed) == []  # "one" is no number there


def test_a_number_does_not_come_to_begin_with_zero() -> None:
    found = {made("It cost 10 euros.", "number", seed=seed)[0] for seed in range(150)}
    assert found == {f"It cost {n} euros." for n in [*range(11, 20), *range(20, 100, 10)]}


@pytest.mark.parametrize("seed", range(20))
def test_entities(seed: int) -> None:
    names = {"Anna Smith", "Berlin", "Tom", "Peter"}
    (other,) = made("Yesterday Maria went to Rome.", "entity", seed=seed)
    assert other in {f"Yesterday {name} went to Rome." for name in names} | {
        f"Yesterday Maria went to {name}." for name in names
    }
    (other,) = made("Peter sleeps.", "entity", seed=seed)  # a name, as it stands in another sentence
    assert other in {f"{name} sleeps." for name in names - {"Peter"}}
    assert made("Sleep well.", "entity", seed=seed) == []  # not known to be a name
    assert made('He said, "Come here." So I went.', "entity", seed=seed) == []  # beginnings, and I
    assert made("We know Rome.", "entity", ["It rains."], seed=seed) == []  # nothing to put there


def test_a_name_that_is_in_the_sentence_is_not_put_there_again() -> None:
    assert made("We saw Tom and Tom.", "entity", ["We saw Tom."]) == []


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("I am here.", "I am not here."),
        ("He can swim.", "He can not swim."),
        ("I'm here.", "I'm not here."),
        ("It's late.", "It's not late."),
        ("They’re late and will sing.", "They’re not late and will sing."),
        ("She has been there.", "She has not been there."),
        ("We have walked.", "We have not walked."),
        ("Is he here?", "Isn't he here?"),
        ("Will you come?", "Won't you come?"),
        ("Can you come?", "Can't you come?"),
        ("Do you know?", "Don't you know?"),
        ("I am not here.", "I am here."),
        ("It's not late.", "It's late."),
        ("He doesn't know.", "He does know."),
        ("He didn’t know.", "He did know."),
        ("They can't sing.", "They can sing."),
        ("Can't you sing?", "Can you sing?"),
        ("We won't and shan't.", "We will and shan't."),
        ("You cannot.", "You can."),
        ("It should not be.", "It should be."),
    ],
)
def test_negations(text: str, other: str) -> None:
    assert made(text, "negation") == [other]


@pytest.mark.parametrize(
    "text", ["I like it.", "She has a dog.", "Nobody is here.", "He is never here.", "Do it!", "Have a seat."]
)  # fmt: skip
def test_no_negation(text: str) -> None:
    assert made(text, "negation") == []


def test_several_of_a_kind_are_different() -> None:
    for seed in range(5):
        found = made("It cost 1990 euros in Rome, is true.", "number", per_kind=3, seed=seed)
        assert len(set(found)) == 3
        assert len(made("It cost 1990 euros in Rome, is true.", "entity", per_kind=3, seed=seed)) in (2, 3)
        assert len(made("It cost 1990 euros in Rome, is true.", "negation", per_kind=3, seed=seed)) == 1
    one = made("It cost 1990 euros.", "number")
    assert made("It cost 1990 euros.", "number", per_kind=3)[:1] == one


def test_no_sentences() -> None:
    assert hard_negatives([]) == hard_negatives(()) and hard_negatives([]).negatives == ()
    assert hard_negatives(["", " "]).untouched == (0, 1)

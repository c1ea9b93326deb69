"""English sentences that are nearly the same and no longer say the same: another number, another name, a negation.

The idea is that of xsim++; the rules are these alone. A changed sentence may be unidiomatic; what counts is that it is
no translation of what the first one translates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

KINDS = ("number", "entity", "negation")

Rule = Callable[[str, np.random.Generator], Iterator[str]]


@dataclass(frozen=True)
class HardNegative:
    """A sentence made from another."""

    text: str
    """It differs from the one that it was made from."""
    kind: str
    """``number``, ``entity`` or ``negation``."""
    line: int
    """Row of the sentence that it was made from."""


@dataclass(frozen=True)
class HardNegatives:
    """What the rules made of a list of sentences."""

    negatives: tuple[HardNegative, ...]
    """By line, then by kind."""
    untouched: tuple[int, ...]
    """Lines to which no rule applies."""


def hard_negatives(texts: Sequence[str], *, per_kind: int = 1, seed: int = 0) -> HardNegatives:
    """Sentences nearly like ``texts`` that say something else, by rules for English.

    - number: a number in digits becomes another with as many digits; two, third, twenty, million become others of
      their sort.
    - entity: one capitalised word, or several in a row, inside a sentence becomes one of another sentence; also the
      first word of a sentence, if another sentence has it inside.
    - negation: not or n't after an auxiliary verb goes; where nothing is negated, it is put there.

    Args:
        texts: n English sentences.
        per_kind: the most negatives of one kind that one sentence gets; a negation is the only one of its sentence.
        seed: decides which number, which name and which others; equal arguments give equal negatives.

    Returns:
        The negatives, all of one line different, and the lines that have none.

    References:
        Chen et al. 2023, arXiv:2306.12907 (xsim++).
    """
    names = sorted({match[0] for text in texts for match in _NAMES.finditer(text)})
    rules: dict[str, Rule] = {
        "number": _numbers, "entity": lambda text, rng: _entities(text, names, rng), "negation": _negations,
    }  # fmt: skip
    negatives, untouched = [], []
    for line, text in enumerate(texts):
        made = {text: ""}
        for number, kind in enumerate(KINDS):
            others = rules[kind](text, np.random.default_rng((seed, line, number)))
            before = len(made)
            for other in others:
                made.setdefault(other, kind)
                if len(made) - before == per_kind:
                    break
        del made[text]
        negatives += [HardNegative(other, kind, line) for other, kind in made.items()]
        if not made:
            untouched.append(line)
    return HardNegatives(tuple(negatives), tuple(untouched))


_DRAWS = 8  # an unlucky draw, such as the number that stands there, is drawn again so often
_SORTS = tuple(
    words.split()
    for words in (
        "two three four five six seven eight nine ten eleven twelve",
        "thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
        "twenty thirty forty fifty sixty seventy eighty ninety",
        "hundred thousand million billion",
        "hundreds thousands millions billions",
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "once twice",
        "half third quarter",
    )
)
_SORT = {word: sort for sort in reversed(_SORTS) for word in sort}
_NUMBER = re.compile(rf"\d+|\b(?:{'|'.join(_SORT)})\b", re.IGNORECASE)
_NAME = r"[A-ZÀ-ÖØ-Þ][\wÀ-ÿ]+"
_NAMES = re.compile(rf"(?<=[\w,;] ){_NAME}(?: {_NAME})*")
_FIRST = re.compile(rf"^{_NAME}")


def _numbers(text: str, rng: np.random.Generator) -> Iterator[str]:
    found = list(_NUMBER.finditer(text))
    for _ in range(_DRAWS if found else 0):
        match = found[rng.integers(len(found))]
        yield _replaced(text, match, _other_number(match[0], rng))


def _other_number(number: str, rng: np.random.Generator) -> str:
    if number.isdigit():
        digits = list(number)
        place = int(rng.integers(len(digits)))
        least = 1 if place == 0 and len(digits) > 1 else 0  # 1990 does not become 0990
        digits[place] = str(rng.choice([d for d in range(least, 10) if str(d) != digits[place]]))
        return "".join(digits)
    sort = _SORT[number.lower()]
    other = sort[(sort.index(number.lower()) + int(rng.integers(1, len(sort)))) % len(sort)]
    return _like(number, other)


def _entities(text: str, names: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    found = list(_NAMES.finditer(text))
    first = _FIRST.match(text)
    if first and first[0] in names:
        found.append(first)
    for _ in range(_DRAWS if found else 0):
        match = found[rng.integers(len(found))]
        name = names[int(rng.integers(len(names)))]
        if name not in text:
            yield _replaced(text, match, name)


_AUXILIARY = "am|is|are|was|were|do|does|did|have|has|had|can|could|will|would|shall|should|may|might|must|need"
_JOINED = r"(?:I['’]m|(?:you|we|they)['’]re|(?:he|she|it|that|there)['’]s|(?:I|you|he|she|it|we|they)['’]ll)(?![\w'’])"
_SHORT = {"can't": "can", "won't": "will", "shan't": "shall", "cannot": "can"}
_NEGATED = re.compile(
    rf"\b(?:(?:({_AUXILIARY})(?:n['’]t| not)|({_JOINED}) not)|(can['’]t|won['’]t|shan['’]t|cannot))\b", re.IGNORECASE
)
_NEGATIVE = re.compile(r"n['’]t\b|\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|cannot)\b", re.IGNORECASE)
_POSITIVE = re.compile(
    r"\b(?:am|is|are|was|were|can|could|will|would|shall|should|may|might|must"
    r"|(?:have|has|had)(?= (?:been|gone|done|seen|made|had|come|become|got|given|taken|\w+ed)\b))\b"
    rf"|\b(?i:{_JOINED})"
)
_QUESTION = re.compile(r"^(Is|Are|Was|Were|Do|Does|Did|Has|Have|Had|Can|Could|Will|Would|Should|Must)\b(?=.*\?\W*$)")
_ASKED = {"Can": "Can't", "Will": "Won't"}


def _negations(text: str, _: np.random.Generator) -> Iterator[str]:
    """At most one, and no choice in it."""
    if match := _NEGATED.search(text):
        yield _replaced(text, match, _affirmed(match))
    elif _NEGATIVE.search(text):
        return
    elif match := _QUESTION.match(text):
        yield _replaced(text, match, _ASKED.get(match[1], f"{match[1]}n't"))
    elif match := _POSITIVE.search(text):
        yield _replaced(text, match, f"{match[0]} not")


def _affirmed(match: re.Match[str]) -> str:
    kept = match[1] or match[2]
    return kept or _like(match[3], _SHORT[match[3].lower().replace("’", "'")])


def _like(word: str, other: str) -> str:
    return other.capitalize() if word[0].isupper() else other


def _replaced(text: str, match: re.Match[str], other: str) -> str:
    return text[: match.start()] + other + text[match.end() :]

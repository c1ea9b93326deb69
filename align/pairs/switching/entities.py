"""Switching by entities: the names in a sentence become those of one other language (EntityCS)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import regex

from align.pairs.lexicons.format import ConceptWord
from align.pairs.lexicons.lexicon import GivenLexicons, find_lexicons, lexicon_rows
from align.pairs.switching.sentence import CODES

Names = Mapping[str, Mapping[str, Sequence[str]]]
"""Of each entity, by language, its names."""
PART = r"[\p{L}\p{M}\p{N}]"
"""What a word is made of."""


class Mention(NamedTuple):
    """Characters ``start`` to ``end`` - 1 of a text, and which entity they name."""

    start: int
    end: int
    entity: str


def read_names(lexicons: GivenLexicons, languages: Sequence[str] = ()) -> dict[str, dict[str, list[str]]]:
    """The names of entities by language, in the order of the files; of dictionaries there are none.

    Args:
        lexicons: names as :func:`align.synonym_pairs` reads them: tables of a key and locales, JSON Lines, wordnets.
        languages: of which names are wanted; (): of all.
    """
    names: dict[str, dict[str, dict[str, None]]] = {}
    for lexicon in find_lexicons(lexicons):
        for row in lexicon_rows(lexicon, languages):
            if isinstance(row, ConceptWord) and not row.problem and (not languages or row.language in languages):
                names.setdefault(row.concept, {}).setdefault(row.language, {})[row.word] = None
    return {entity: {code: [*of] for code, of in every.items()} for entity, every in names.items()}


def name_finder(names: Names, language: str) -> tuple[Callable[[str], list[Mention]], int]:
    """What finds the names of a language in a text, and how many of its names it leaves out: those of two entities.

    Names are found as they are written, whole words, the longest first; where the script puts no space between words,
    anywhere.
    """
    entities: dict[str, set[str]] = {}
    for entity, of in names.items():
        for name in of.get(language, ()):
            entities.setdefault(name, set()).add(entity)
    sure = {name: next(iter(of)) for name, of in entities.items() if len(of) == 1}
    every = "|".join(map(regex.escape, sorted(sure, key=len, reverse=True))) or r"(?!)"
    joined = language.partition("_")[2] in CODES
    found = regex.compile(every if joined else f"(?<!{PART})(?:{every})(?!{PART})")

    def find(text: str) -> list[Mention]:
        return [Mention(one.start(), one.end(), sure[one[0]]) for one in found.finditer(text)]

    return find, len(entities) - len(sure)


def read_mentions(record: Mapping[str, Any], text: str) -> tuple[list[Mention], str]:
    """The entities of a row of JSON Lines, in order, or what is wrong with them.

    ``{"text": "Oslo is in Norway.", "entities": [{"start": 0, "end": 4, "id": "Q585"}, ...]}``: characters (code
    points) from 0, the end behind the last; ``"name": "Oslo"`` beside them is compared with the text.
    """
    given = record.get("entities")
    if not isinstance(given, list):
        return [], "entities is no list of start, end, id"
    found: list[Mention] = []
    for one in given:
        start, end, entity = (one.get(key) for key in ("start", "end", "id")) if isinstance(one, dict) else (None,) * 3
        if type(start) is not int or type(end) is not int or not isinstance(entity, str):
            return [], f"an entity is no start, end, id: {one!r:.80}"
        mention = Mention(start, end, entity)
        if not 0 <= mention.start < mention.end <= len(text):
            return [], f"an entity beyond the text: {mention.start}-{mention.end} of {len(text)} characters"
        name, there = one.get("name"), text[mention.start : mention.end]
        if name is not None and name != there:
            return [], f"a shifted entity: {name!r:.40} is named, {there!r:.40} stands at {mention.start}-{mention.end}"
        found.append(mention)
    found.sort()
    for one, other in pairwise(found):
        if other.start < one.end:
            return [], f"entities overlap: {one.start}-{one.end} and {other.start}-{other.end}"
    return found, ""


def switch_entities(
    text: str, mentions: Sequence[Mention], names: Names, language: str, rng: np.random.Generator, *, outputs: int = 5
) -> dict[str, str]:
    """The text with all its entities named in one other language; by language, of up to ``outputs`` languages.

    The languages are drawn from those in which all entities that have names at all are named; each name is drawn from
    those of its entity, all as likely. Entities without names stay. What reads the same is left out.

    Args:
        text: of a language.
        mentions: ascending, none of which overlap.
        names: of the entities.
        language: of the text; there is no switching into it.
        rng: source of all randomness.
        outputs: texts, at most.

    Returns:
        Nothing, if no language has names of all.

    References:
        Whitehouse et al. 2022 (EntityCS), arXiv:2210.12540, section 3.1: one language a sentence, five sentences.
    """
    known = [one for one in mentions if one.entity in names]
    shared = set.intersection(*({*names[one.entity]} for one in known)) - {language} if known else set[str]()
    languages = sorted(shared)
    drawn = rng.permutation(len(languages))[:outputs]
    made: dict[str, str] = {}
    for k in drawn:
        parts, at = list[str](), 0
        for one in known:
            choices = names[one.entity][languages[k]]
            parts += [text[at : one.start], choices[int(rng.integers(len(choices)))]]
            at = one.end
        made[languages[k]] = "".join([*parts, text[at:]])
    return {code: mixed for code, mixed in made.items() if mixed != text}

"""Bilingual lexicon induction (BLI): is the nearest word of the other language a translation?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.csls import neighbourhood_means
from align.tasks.bli.protocols import BliProtocol, find_bli_protocol, without_csls
from align.tasks.bli.result import BliResult, BliScore
from align.tasks.bli.score import score_direction
from align.tasks.bli.units import questions
from align.tasks.bli.words import Side, encode_side, vocabulary_of
from align.tasks.embedding import Encode
from align.tasks.texts.dictionaries import Dictionary
from align.tasks.texts.named_files import Pair

logger = logging.getLogger(__name__)


def bli(
    encode: Encode,
    dictionary: Dictionary,
    source_vocabulary: Sequence[str],
    target_vocabulary: Sequence[str],
    *,
    encode_target: Encode | None = None,
    protocol: str | BliProtocol = "muse",
    csls: bool = True,
    per_word: bool = False,
    translations: int = 0,
    resamples: int = 1000,
    seed: int = 0,
) -> BliResult:
    """Score one dictionary in its direction; everything as in ``bli_pairs``.

    Args:
        encode: (words, language) -> (n, d) of an encoder, static vectors (``align.vectors.static.static_encode``) or
            a mix of both (``mixed``).
        dictionary: what is right.
        source_vocabulary: words of the source language, the frequent ones first.
        target_vocabulary: words of the target language, likewise: the candidates.
        encode_target: for the target language, where that is another function; of the same dimension.
        protocol: a name in ``BLI_PROTOCOLS`` or a protocol of one's own.
        csls: score with CSLS, too.
        per_word: keep the outcome for each unit.
        translations: candidates to keep for each covered source word and method.
        resamples: 0: no interval.
        seed: kept in the result; Wilson's interval draws nothing.
    """
    source, target = dictionary.languages

    def either(words: Sequence[str], language: str) -> ArrayLike:
        return (encode_target if encode_target and language == target else encode)(words, language)

    return bli_pairs(
        either,
        [dictionary],
        {source: source_vocabulary, target: target_vocabulary},
        protocol=protocol,
        csls=csls,
        per_word=per_word,
        translations=translations,
        resamples=resamples,
        seed=seed,
    )


def bli_pairs(
    encode: Encode,
    dictionaries: Sequence[Dictionary],
    vocabularies: Mapping[str, Sequence[str]],
    *,
    protocol: str | BliProtocol = "muse",
    both: bool = False,
    csls: bool = True,
    per_word: bool = False,
    translations: int = 0,
    resamples: int = 1000,
    seed: int = 0,
) -> BliResult:
    """Rank the right answers of each source word among the words of the target language.

    By nearest neighbour (NN) the score is the cosine, by CSLS it is 2 cos(x, y) - r_T(x) - r_S(y), where r is the mean
    cosine to the k nearest words of the whole other vocabulary, not of the questions alone. A unit (source word or
    line, see ``BliProtocol``) has the rank of its best right answer among the candidates that are no right answer;
    P@k is the share of units of rank k or less, MRR the mean of one over the rank. Ranks are counted, not sorted.

    Each language's words are encoded once, serve all its directions, and are forgotten after its last pair; the means
    of CSLS are computed once for both directions of a pair.

    Args:
        encode: (words, language) -> (n, d) finite vectors, never of no words. Asked for the vocabulary, and for source
            words that are not in it as they are written.
        dictionaries: one for each direction.
        vocabularies: words by language, the frequent ones first.
        protocol: a name in ``BLI_PROTOCOLS`` or a protocol of one's own.
        both: score each dictionary in the other direction, too, unless that has a dictionary of its own.
        csls: score with CSLS, too, if the protocol does; without, one whose headline is CSLS quotes NN.
        per_word: keep the outcome for each unit.
        translations: candidates to keep for each covered source word and method.
        resamples: 0: no interval; else Wilson's 95 % interval of P@1, units of one source word counted together.
        seed: kept in the result; Wilson's interval draws nothing.

    Returns:
        Scores of each direction by NN and CSLS, and averages.

    Raises:
        InputError: no dictionary or two of one direction, a language without vocabulary or whose candidates are all
            filtered out, a dictionary of which nothing is covered (all before anything is encoded); vectors of another
            number, of different dimension, or with NaN or infinity.
    """
    chosen = find_bli_protocol(protocol)
    chosen = chosen if csls else without_csls(chosen)
    if resamples < 0 or translations < 0:
        raise InputError(f"resamples and translations must be 0 or more, got {resamples} and {translations}")
    directions = _directions(dictionaries, both)
    known = {code: vocabulary_of(code, vocabularies, chosen) for code in chain.from_iterable(directions)}
    asked = {(s, t): questions(one, known[s], known[t], chosen) for (s, t), one in directions.items()}
    sources = {code: [u.source for way, one in asked.items() if way[0] == code for u in one.covered] for code in known}
    groups: dict[frozenset[str], list[Pair]] = {}
    for way in directions:
        groups.setdefault(frozenset(way), []).append(way)
    uses = Counter(code for group in groups for code in group)
    sides: dict[str, Side] = {}
    scores: dict[Pair, BliScore] = {}
    for number, ways in enumerate(groups.values(), 1):
        for code in ways[0]:
            if code not in sides:
                sides[code] = encode_side(encode, known[code], sources[code])
        _check_widths(sides, ways[0])
        means = _means(sides, ways[0], chosen) if "CSLS" in chosen.methods else {}
        for s, t in ways:
            scores[s, t] = score_direction(
                asked[s, t], sides[s], sides[t], known[t], means.get(t), chosen,
                per_word=per_word, translations=translations, resamples=resamples,
            )  # fmt: skip
            p1 = ", ".join(f"{name} P@1 {found.metrics['P@1']:.3f}" for name, found in scores[s, t].methods.items())
            logger.info("bli, pair %d/%d: %s-%s, %s", number, len(groups), s, t, p1)
        for code in ways[0]:
            uses[code] -= 1
            if not uses[code]:
                del sides[code]
    return BliResult(chosen, tuple(scores[way] for way in directions), resamples, seed)


def _means(sides: Mapping[str, Side], pair: Pair, protocol: BliProtocol) -> dict[str, NDArray[np.float32]]:
    """Mean cosine of each word of either language to its neighbours in the other."""
    first, second = (sides[code].vectors for code in pair)
    return dict(zip(pair, neighbourhood_means(first, second, k=protocol.csls_k), strict=True))


def _check_widths(sides: Mapping[str, Side], pair: Pair) -> None:
    first, second = (sides[code].vectors.shape[1] for code in pair)
    if first != second:
        raise InputError(f"{pair[0]} and {pair[1]}: vectors of {first} and {second} dimensions; expected the same")


def _directions(dictionaries: Sequence[Dictionary], both: bool) -> dict[Pair, Dictionary]:
    found: dict[Pair, Dictionary] = {}
    for one in dictionaries:
        if one.languages in found:
            raise InputError(f"{found[one.languages].label} and {one.label} are of one direction; expected one of each")
        found[one.languages] = one
    if not found:
        raise InputError("no dictionary was given")
    for one in dictionaries if both else ():
        found.setdefault(one.languages[::-1], one.reversed())
    return found

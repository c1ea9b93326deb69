"""Bilingual lexicon induction (BLI): is the nearest word of the other language a translation?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.csls import neighbourhood_means
from align.tasks.bli.protocols import BLI_PROTOCOLS, BliProtocol, find_bli_protocol, without_csls
from align.tasks.bli.score import BliScore, score_direction, translation_lines
from align.tasks.bli.units import questions
from align.tasks.bli.words import Side, encode_side, vocabulary_of
from align.tasks.embedding import Encode
from align.tasks.layers import split_lines
from align.tasks.measures.ranks import expected_by_chance
from align.tasks.reranked import reranked_by
from align.tasks.result import Result
from align.tasks.retrieval.task import outcomes
from align.tasks.task import Halving, Row, Task, Unit, row
from align.tasks.texts.bitext import chosen as chosen_codes
from align.tasks.texts.dictionaries import Dictionary, find_dictionaries, read_dictionary
from align.tasks.texts.named_files import Pair, files_by_language, language_code
from align.tasks.texts.vocabulary import read_vocabulary

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
) -> Result[BliScore]:
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
) -> Result[BliScore]:
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

    Returns:
        Scores of each direction by NN and CSLS; the headline is their mean.

    Raises:
        InputError: no dictionary or two of one direction, a language without vocabulary or whose candidates are all
            filtered out, a dictionary of which nothing is covered (all before anything is encoded); vectors of another
            number, of different dimension, or with NaN or infinity.
    """
    chosen = find_bli_protocol(protocol)
    chosen = chosen if csls else without_csls(chosen)
    if translations < 0:
        raise InputError(f"translations must be 0 or more, got {translations}")
    directions = _directions(dictionaries, both)
    reranked = reranked_by(encode, chosen)
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
                per_word=per_word, translations=translations, reranked=reranked,
            )  # fmt: skip
            p1 = ", ".join(f"{name} P@1 {found.metrics['P@1']:.3f}" for name, found in scores[s, t].methods.items())
            logger.info("bli, pair %d/%d: %s-%s, %s", number, len(groups), s, t, p1)
        for code in ways[0]:
            uses[code] -= 1
            if not uses[code]:
                del sides[code]
    method, _, metric = chosen.headline.partition(" ")
    every = tuple(scores[way] for way in directions)
    return Result(every, tuple(score.methods[method].metrics[metric] for score in every), chosen)


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


Words = Mapping[str, Sequence[str]]
Content = tuple[Dictionary, Words]


def _read(
    source: str | Path,
    languages: Sequence[str] | None,
    protocol: BliProtocol,
    *,
    vocabulary: str | Callable[[str], Sequence[str]] | None = None,
    both: bool = False,
    top: int = 0,
) -> Iterator[Unit]:
    """Test dictionaries; words of each language in ``vocabulary``, or in a folder ``vocab`` in or beside the source.

    ``both``: each in both directions; ``top``: words that are kept of each that is asked.
    """
    folder = Path(source)
    words = vocabulary if callable(vocabulary) else cache(partial(_listed, *_word_lists(folder, vocabulary)))
    tests = folder / "test" if (folder / "test").is_dir() else folder
    files = find_dictionaries([tests] if tests.exists() else str(source).split(","))
    known = sorted(set(chain.from_iterable(files)))
    asked = None if languages is None else [language_code(code) for code in languages]
    kept, absent = chosen_codes(known, asked)
    yield from absent
    if asked is not None and "eng_Latn" not in asked:
        kept = [code for code in kept if code != "eng_Latn"]

    def load(pair: Pair, turned: bool) -> Content:
        one = read_dictionary(files[pair], pair)
        return one.reversed() if turned else one, {code: words(code) for code in pair}

    for pair in files:
        if set(pair) <= set(kept):
            yield Unit("-".join(pair), partial(load, pair, False), "text", top)
            if both and pair[::-1] not in files:
                yield Unit("-".join(pair[::-1]), partial(load, pair, True), "text", top)


def _word_lists(folder: Path, vocabulary: str | None) -> list[str | Path]:
    if vocabulary:
        return list(vocabulary.split(","))
    home = next((place for place in (folder / "vocab", folder.parent / "vocab") if place.is_dir()), None)
    if home is None:
        raise InputError(f"no candidates: expected the folder vocab in or beside {folder}, word lists by language")
    return [home]


def _listed(*places: str | Path) -> Sequence[str]:
    *given, code = places
    return read_vocabulary(files_by_language(given, [str(code)], "vocabulary")[str(code)])


def _rows(encode: Encode, unit: Unit, content: Content, protocol: BliProtocol) -> list[Row]:
    dictionary, vocabularies = content
    result = bli_pairs(
        encode, [dictionary], vocabularies, protocol=protocol, per_word=True,
        translations=max(1, unit.answers),
    )  # fmt: skip
    (score,) = result.scores
    method, _, metric = protocol.headline.partition(" ")
    counted = [word for word in score.words or () if word.ranks or protocol.denominator == "all"]
    items = outcomes([word.ranks.get(method, inf) for word in counted], metric)
    metrics = {f"{name} {k}": v for name, found in score.methods.items() for k, v in found.metrics.items()}
    without = {f"{name} P@1 without copies": found.without_identical for name, found in score.methods.items()}
    shown = [t for t in score.translations if t.method == method and t.rank == 1]
    golds: dict[str, dict[str, None]] = {}  # of all lines of a source word: each is a right translation
    for word in counted:
        golds.setdefault(word.source, {}).update(dict.fromkeys(word.golds))
    places = _first_lines(dictionary, lower=protocol.case == "lower both")
    names = [places[w.source] if unit.lines == "number" else f"{score.source} {w.source}" for w in counted]
    facts = {
        "coverage": score.coverage, "candidates": score.candidates, "golds": score.golds_per_source,
        "identical": score.identical, "outside_script": score.outside_script,
    }  # fmt: skip
    examples = [
        {
            "source": t.source, "source_lang": score.source, "target_lang": score.target, "predicted": t.candidate,
            "gold": list(golds.get(t.source, ())), "right": t.gold,
        }
        for t in shown[:: max(1, len(shown) // 20)][:20]
    ]  # fmt: skip
    return [row(
        f"{score.source}>{score.target}", score.source, score.target, "direct", items, names,
        value=metrics[protocol.headline], left_out=score.units - score.n, metrics=metrics | without, facts=facts,
        examples=examples, **({"translations": list(translation_lines(result.scores))} if unit.answers else {}),
    )]  # fmt: skip


def _first_lines(dictionary: Dictionary, *, lower: bool) -> dict[str, int]:
    """Number (from 1) of the first line of each source word."""
    found: dict[str, int] = {}
    for number, (source, _) in enumerate(dictionary.pairs, 1):
        found.setdefault(source.lower() if lower else source, number)
    return found


def _texts(content: Content) -> Iterator[tuple[str, Sequence[str]]]:
    dictionary, _ = content
    for side, language in enumerate(dictionary.languages):
        yield language, [pair[side] for pair in dictionary.pairs]


def _halves(content: Content, how: Halving) -> tuple[Content, Content, str]:
    """The lines of half of the source words, and the others; case does not part a word from itself."""
    dictionary, words = content
    sources = list(dict.fromkeys(source.lower() for source, _ in dictionary.pairs))
    dev, test = ({sources[i] for i in half} for half in split_lines(len(sources), seed=how.seed))

    def of(kept: set[str]) -> Content:
        return replace(dictionary, pairs=tuple(pair for pair in dictionary.pairs if pair[0].lower() in kept)), words

    return of(dev), of(test), f"a random half of the source words (seed {how.seed})"


TASK = Task(
    "bli", "does a word find its translation among all words of the other language?", _read, _rows, _texts,
    BLI_PROTOCOLS, "muse", inputs="words", halves=_halves,
    chance=lambda row, protocol: expected_by_chance(protocol.headline.partition(" ")[2], row["facts"]["candidates"]),
)  # fmt: skip

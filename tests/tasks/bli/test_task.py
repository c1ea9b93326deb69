from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from align.errors import InputError
from align.tasks import BLI_PROTOCOLS, BliProtocol, Dictionary, bli_pairs, find_bli_protocol, mixed
from align.tasks.bli import bli
from align.tasks.bli.score import translation_lines
from align.vectors.static import StaticVectors, static_encode

ENG, DEU, FRA, RUS = "eng_Latn", "deu_Latn", "fra_Latn", "rus_Cyrl"
PLAIN = BliProtocol(name="plain", candidates=None)


class Table:
    """An encoder that looks the vector of each (word, language) up, and counts what it is asked."""

    def __init__(self, vectors: dict[str, dict[str, Sequence[float]]]) -> None:
        self.vectors = vectors
        self.asked: list[tuple[str, list[str]]] = []

    def __call__(self, words: Sequence[str], language: str) -> np.ndarray:
        self.asked.append((language, list(words)))
        return np.array([self.vectors[language][word] for word in words], dtype=np.float32)


def at(**degrees: float) -> dict[str, tuple[float, float]]:
    """Words as unit vectors at these angles."""
    return {word: (np.cos(np.radians(d)), np.sin(np.radians(d))) for word, d in degrees.items()}


def words(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{i}" for i in range(n)]


def random_languages(codes: Sequence[str], n: int = 40, d: int = 8) -> Table:
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((n, d))
    return Table(
        {
            code: dict(
                zip(words(code[0], n), (meaning + 0.6 * rng.standard_normal((n, d))).astype(np.float32), strict=True)
            )
            for code in codes
        }
    )


def lines(source: str, target: str, n: int = 40) -> Dictionary:
    return Dictionary((source, target), tuple(zip(words(source[0], n), words(target[0], n), strict=True)))


ENCODE = Table({ENG: at(dog=0, cat=50, tree=90), DEU: at(hund=20, köter=5, katze=52, baum=95, dog=1)})


def test_by_hand() -> None:
    dictionary = Dictionary((ENG, DEU), (("dog", "hund"), ("dog", "köter"), ("cat", "hund"), ("tree", "wald")))
    result = bli(ENCODE, dictionary, ["dog", "cat", "tree"], list(ENCODE.vectors[DEU]), protocol=PLAIN, per_word=True)
    (score,) = result.scores
    # dog (0): dog 1, köter 5, hund 20 ...; any gold counts, so köter at rank 2. cat (50): katze 2, hund 30 ...
    assert score.words == (
        ("dog", ("hund", "köter"), score.words[0].ranks),
        ("cat", ("hund",), score.words[1].ranks),
        ("tree", (), {}),
    )
    assert [word.ranks.get("NN") for word in score.words] == [2, 2, None]
    assert score.methods["NN"].metrics == {"P@1": 0.0, "P@5": 1.0, "P@10": 1.0, "MRR": 0.5}
    assert (score.lines, score.units, score.covered, score.n, score.candidates) == (4, 3, 2, 2, 5)
    assert (score.coverage, score.golds_per_source, score.identical) == (2 / 3, 1.5, 0)
    all_of_them = bli(
        ENCODE,
        dictionary,
        ["dog", "cat", "tree"],
        list(ENCODE.vectors[DEU]),
        protocol=replace(PLAIN, denominator="all"),
    )
    assert (all_of_them.scores[0].n, all_of_them.scores[0].methods["NN"].metrics["MRR"]) == (3, pytest.approx(1 / 3))


def test_lines_are_units_of_their_own() -> None:
    dictionary = Dictionary((ENG, DEU), (("dog", "hund"), ("dog", "köter"), ("dog", "hund")))
    protocol = replace(PLAIN, unit="pair", headline="NN MRR")
    result = bli(ENCODE, dictionary, ["dog"], ["hund", "köter", "baum"], protocol=protocol, per_word=True)
    (score,) = result.scores
    assert [word.ranks["NN"] for word in score.words] == [2, 1, 2]  # the other gold is an error above it
    assert (score.units, score.duplicates, score.golds_per_source) == (3, 1, 2.0)
    assert result.headline() == pytest.approx(2 / 3)


def test_csls_means_are_of_the_whole_vocabularies() -> None:
    encode = random_languages([ENG, DEU])
    dictionary = Dictionary((ENG, DEU), lines(ENG, DEU).pairs[:6])
    result = bli(encode, dictionary, words("e", 40), words("d", 40), protocol=PLAIN, per_word=True, translations=3)
    x, y = (np.stack(list(encode.vectors[code].values())).astype(float) for code in (ENG, DEU))
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
    cosines = x @ y.T
    r_target = np.sort(cosines, axis=1)[:, -10:].mean(axis=1)
    r_source = np.sort(cosines, axis=0)[-10:].mean(axis=0)
    csls = 2 * cosines - r_target[:, None] - r_source
    expected = []
    for method, scores in (("NN", cosines), ("CSLS", csls)):
        for i in range(6):
            assert result.scores[0].words[i].ranks[method] == 1 + (scores[i] > scores[i, i]).sum()
            for rank, j in enumerate(np.argsort(-scores[i])[:3], 1):
                expected.append((method, f"e{i}", rank, f"d{j}", pytest.approx(scores[i, j], abs=2e-6), i == j))
    assert list(result.scores[0].translations) == expected
    table = list(translation_lines(result.scores))
    assert table[0] == "source_lang\ttarget_lang\tmethod\tsource\trank\tcandidate\tscore\tgold"
    _, _, _, candidate, score, gold = result.scores[0].translations[0]
    assert table[1] == f"{ENG}\t{DEU}\tNN\te0\t1\t{candidate}\t{score:.6f}\t{'yes' if gold else 'no'}"
    assert len(table) == 1 + 2 * 6 * 3


def test_identical_pairs() -> None:
    vocabulary = ["hund", "köter", "katze", "baum", "dog"]
    dictionary = Dictionary((ENG, DEU), (("dog", "dog"), ("dog", "hund"), ("cat", "katze"), ("cat", "Cat")))
    keep = bli(ENCODE, dictionary, ["dog", "cat"], vocabulary, protocol=PLAIN).scores[0]
    drop = bli(ENCODE, dictionary, ["dog", "cat"], vocabulary, protocol=replace(PLAIN, identical="drop")).scores[0]
    assert (keep.identical, drop.identical, keep.lines, drop.lines) == (0.5, 0.5, 4, 4)
    for method in ("NN", "CSLS"):
        a, b = keep.methods[method], drop.methods[method]
        assert a.metrics["P@1"] == a.with_identical == b.with_identical
        assert b.metrics["P@1"] == b.without_identical == a.without_identical
    assert (keep.methods["NN"].with_identical, keep.methods["NN"].without_identical) == (1.0, 0.5)
    assert (keep.golds_per_source, drop.golds_per_source) == (1.5, 1.0)
    only = bli(ENCODE, Dictionary((ENG, DEU), (("dog", "dog"),)), ["dog"], vocabulary, protocol=PLAIN)
    assert only.scores[0].methods["NN"].without_identical is None


def test_script_filter() -> None:
    encode = Table({ENG: at(dog=0, radio=40), RUS: at(собака=10, dog=0, радио=80, radio=41, кот=70)})
    dictionary = Dictionary((ENG, RUS), (("dog", "собака"), ("radio", "radio"), ("radio", "радио")))
    vocabulary = [*encode.vectors[RUS], "2005", "…"]
    encode.vectors[RUS] |= at(**{"2005": 180, "…": 200})
    off = bli(encode, dictionary, ["dog", "radio"], vocabulary, protocol=PLAIN, per_word=True)
    on = bli(
        encode, dictionary, ["dog", "radio"], vocabulary, protocol=replace(PLAIN, script_filter=True), per_word=True,
        translations=9,
    )  # fmt: skip
    assert [word.ranks["NN"] for word in off.scores[0].words] == [2, 1]
    assert [word.ranks["NN"] for word in on.scores[0].words] == [1, 3]  # cosines of 40: собака 30, кот 30, радио 40
    assert [word.golds for word in on.scores[0].words] == [("собака",), ("радио",)]
    assert (off.scores[0].candidates, on.scores[0].candidates) == (7, 5)
    assert off.scores[0].outside_script == on.scores[0].outside_script == 2 / 7
    assert {t.candidate for t in on.scores[0].translations} == {"собака", "радио", "кот", "2005", "…"}
    assert [t.candidate for t in on.scores[0].translations if t.gold] == ["собака", "радио", "собака", "радио"]
    line = replace(PLAIN, script_filter=True, unit="pair")
    assert bli(encode, dictionary, ["dog", "radio"], vocabulary, protocol=line).scores[0].coverage == 2 / 3


def test_a_script_filter_leaves_the_means_of_csls_alone() -> None:
    encode = random_languages([ENG, DEU])
    vocabulary = [f"w{i}" if i % 3 == 1 else f"я{i}" for i in range(40)]
    encode.vectors[RUS] = dict(zip(vocabulary, encode.vectors[DEU].values(), strict=True))
    dictionary = Dictionary((ENG, RUS), tuple((f"e{i}", vocabulary[i]) for i in range(12)))
    protocol = replace(PLAIN, script_filter=True)
    (found,) = bli(
        encode, dictionary, words("e", 40), vocabulary, protocol=protocol, per_word=True, translations=26
    ).scores
    x, y = (np.stack(list(encode.vectors[code].values())).astype(float) for code in (ENG, RUS))
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
    cosines = x @ y.T
    r_target, r_source = np.sort(cosines, axis=1)[:, -10:].mean(axis=1), np.sort(cosines, axis=0)[-10:].mean(axis=0)
    csls = 2 * cosines - r_target[:, None] - r_source
    inside = [i for i in range(40) if i % 3 != 1]
    for word in found.words:
        i = int(word.source[1:])
        assert word.ranks.get("CSLS") == (1 + (csls[i, inside] > csls[i, i]).sum() if i % 3 != 1 else None)
    scores = {(t.source, t.candidate): t.score for t in found.translations if t.method == "CSLS"}
    expected = {(f"e{i}", vocabulary[j]): csls[i, j] for i in range(12) if i % 3 != 1 for j in inside}
    assert scores == {key: pytest.approx(expected[key], abs=2e-6) for key in scores}
    assert len(scores) == 8 * 26


def test_source_words_outside_their_vocabulary() -> None:
    encode = Table({ENG: at(dog=0, cat=50, tree=90), DEU: at(hund=5, katze=52, baum=95)})
    dictionary = Dictionary((ENG, DEU), (("dog", "hund"), ("cat", "katze"), ("tree", "katze")))
    strict = bli(encode, dictionary, ["dog"], list(encode.vectors[DEU]), protocol=PLAIN)
    assert (strict.scores[0].covered, strict.scores[0].units) == (1, 3)
    encode.asked.clear()
    loose = bli(
        encode, dictionary, ["dog"], list(encode.vectors[DEU]), protocol=replace(PLAIN, source_in_vocabulary=False)
    )
    assert loose.scores[0].covered == 3
    assert loose.scores[0].methods["NN"].metrics["P@1"] == pytest.approx(2 / 3)
    assert encode.asked == [(ENG, ["dog"]), (ENG, ["cat", "tree"]), (DEU, ["hund", "katze", "baum"])]
    assert "source words outside the vocabulary too" in loose.protocol.describe()


def test_case_rules() -> None:
    encode = Table({ENG: at(dog=0, Dog=50, cat=50), DEU: at(hund=2, Hund=90, katze=52)})
    dictionary = Dictionary((ENG, DEU), (("Dog", "Hund"),))

    def rank(case: str, source: list[str], target: list[str]) -> tuple[float, list]:
        encode.asked.clear()
        protocol = replace(PLAIN, case=case)
        (word,) = bli(encode, dictionary, source, target, protocol=protocol, per_word=True).scores[0].words
        return word.ranks["NN"], encode.asked

    both = ["Dog", "dog", "cat"], ["hund", "Hund", "katze"]
    # as they are: Dog (50) and Hund (90), katze (52) between; hund is another candidate, 48 away
    assert rank("none", *both) == (2, [(ENG, both[0]), (DEU, both[1])])
    lower = [(ENG, ["dog", "cat"]), (DEU, ["hund", "katze"])]
    assert rank("lower both", *both) == (1, lower)
    # dog is in the vocabulary, but the word is encoded as it is: 50, and hund (2) is behind katze (52)
    assert rank("lower candidates", *both) == (2, [lower[0], (ENG, ["Dog"]), lower[1]])
    assert rank("lower candidates", ["DOG", "cat"], ["HUND", "katze"])[0] == 2


def test_each_language_is_encoded_once_and_forgotten() -> None:
    encode = random_languages([ENG, DEU, FRA])
    vocabularies = {code: words(code[0], 40) for code in (ENG, DEU, FRA)}
    dictionaries = [lines(ENG, DEU), lines(ENG, FRA), lines(DEU, FRA)]
    alive: dict[str, weakref.ref] = {}
    living: list[tuple[str, list[str]]] = []

    def watched(given: Sequence[str], language: str) -> np.ndarray:
        living.append((language, [code for code, ref in alive.items() if ref() is not None]))
        vectors = encode(given, language)
        alive[language] = weakref.ref(vectors)
        return vectors

    result = bli_pairs(watched, dictionaries, vocabularies, both=True, protocol=PLAIN)
    assert Counter(code for code, _ in encode.asked) == {ENG: 1, DEU: 1, FRA: 1}
    assert living == [(ENG, []), (DEU, [ENG]), (FRA, [ENG, DEU])]
    assert all(ref() is None for ref in alive.values())
    directions = [(score.source, score.target) for score in result.scores]
    assert directions == [(ENG, DEU), (ENG, FRA), (DEU, FRA), (DEU, ENG), (FRA, ENG), (FRA, DEU)]
    for score in result.scores:  # together as alone
        (alone,) = bli(
            encode, lines(score.source, score.target), words(score.source[0], 40), words(score.target[0], 40),
            protocol=PLAIN,
        ).scores  # fmt: skip
        assert alone == score
    assert 0 < result.headline() < 1

    living.clear()
    alive.clear()
    encode.vectors[RUS] = dict(zip(words("r", 40), encode.vectors[DEU].values(), strict=True))
    bli_pairs(watched, [lines(ENG, DEU), lines(FRA, RUS)], vocabularies | {RUS: words("r", 40)}, protocol=PLAIN)
    assert living == [(ENG, []), (DEU, [ENG]), (FRA, []), (RUS, [FRA])]


def test_a_dictionary_of_its_own_goes_before_the_reversed_one() -> None:
    encode = random_languages([ENG, DEU])
    vocabularies = {code: words(code[0], 40) for code in (ENG, DEU)}
    own = Dictionary((DEU, ENG), lines(DEU, ENG).pairs[:7], "own.tsv")
    result = bli_pairs(encode, [lines(ENG, DEU), own], vocabularies, both=True, protocol=PLAIN)
    assert [(score.source, score.lines) for score in result.scores] == [(ENG, 40), (DEU, 7)]


def test_the_headline_is_the_mean_over_directions() -> None:
    encode = random_languages([ENG, DEU, FRA])
    vocabularies = {code: words(code[0], 40) for code in (ENG, DEU, FRA)}
    result = bli_pairs(encode, [lines(ENG, DEU), lines(ENG, FRA)], vocabularies, both=True, protocol=PLAIN)
    values = [score.methods["CSLS"].metrics["P@1"] for score in result.scores]
    assert len(set(values)) > 1 and result.headline() == pytest.approx(sum(values) / 4)


def test_without_csls() -> None:
    encode = random_languages([ENG, DEU])
    result = bli(encode, lines(ENG, DEU), words("e", 40), words("d", 40), csls=False, translations=1)
    assert list(result.scores[0].methods) == ["NN"]
    assert result.protocol.headline == "NN P@1"
    assert result.headline() == result.scores[0].methods["NN"].metrics["P@1"]
    assert {t.method for t in result.scores[0].translations} == {"NN"}


def test_two_functions_static_vectors_and_mixes() -> None:
    encode = random_languages([ENG, DEU])
    sides = {
        code: StaticVectors(tuple(table), np.stack(list(table.values()))) for code, table in encode.vectors.items()
    }
    options = {"protocol": PLAIN, "per_word": True}
    expected = bli(encode, lines(ENG, DEU), words("e", 40), words("d", 40), **options)
    given = (lines(ENG, DEU), words("e", 40), words("d", 40))
    assert bli(static_encode(sides), *given, **options) == expected
    two = {"encode_target": static_encode(sides[DEU])}
    assert bli(static_encode(sides[ENG]), *given, **two, **options) == expected
    other = random_languages([ENG, DEU], d=8)
    other.vectors = {c: {w: v[::-1] * 3 for w, v in table.items()} for c, table in encode.vectors.items()}
    assert bli(mixed(encode, other, weight=1.0), *given, **options) == expected
    assert bli(mixed(other, encode, weight=0.0), *given, **options) == expected
    word = mixed(encode, other, weight=0.8)(["e3"], ENG)[0]
    u, v = (one(["e3"], ENG)[0] for one in (encode, other))
    assert word == pytest.approx(0.8 * u / np.linalg.norm(u) + 0.2 * v / np.linalg.norm(v), abs=1e-6)


def test_table_and_translations() -> None:
    encode = random_languages([ENG, DEU])
    vocabularies = {code: words(code[0], 40) for code in (ENG, DEU)}
    result = bli_pairs(encode, [lines(ENG, DEU)], vocabularies, both=True, translations=2)
    table = result.table()
    assert table.startswith("protocol muse: units: source words, any translation counts; denominator: covered; case: ")
    for name in ("covered", "candidates", "golds per source", "identical", "outside script", "CSLS P@1", "NN MRR"):
        assert name in table
    head, *rows = translation_lines(result.scores)
    assert head.split("\t")[2:5] == ["method", "source", "rank"] and len(rows) == 2 * 2 * 40 * 2


def test_one_word_on_each_side() -> None:
    encode = Table({ENG: {"dog": (1, 0)}, DEU: {"hund": (0, 1)}})
    for name in BLI_PROTOCOLS:
        result = bli(encode, Dictionary((ENG, DEU), (("dog", "hund"),)), ["dog"], ["hund"], protocol=name)
        assert result.headline() == 1.0


def test_describe_names_every_setting() -> None:
    base = BliProtocol(name="x")
    changes = {
        "unit": "pair", "denominator": "all", "case": "lower both", "candidates": 7, "csls_k": 3, "ties": "mean",
        "identical": "drop", "script_filter": True, "source_in_vocabulary": False, "headline": "NN MRR",
    }  # fmt: skip
    texts = {replace(base, **{field: value}).describe() for field, value in changes.items()} | {base.describe()}
    assert len(texts) == len(changes) + 1
    assert all("\n" not in text for text in texts)
    assert find_bli_protocol(base) is base


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"unit": "word"}, "protocol x: unit is 'word'; expected 'source' or 'pair'"),
        ({"case": "upper"}, "case is 'upper'; expected 'none' or 'lower both' or 'lower candidates'"),
        ({"ties": "first"}, "ties is 'first'; expected 'against' or 'mean' or 'for'"),
        ({"denominator": "some"}, "denominator is 'some'"),
        ({"identical": "maybe"}, "identical is 'maybe'"),
        ({"candidates": 0}, "candidates 0, csls_k 10; expected at least 1"),
        ({"csls_k": 0}, "csls_k 0; expected at least 1"),
        ({"headline": "P@1"}, "headline is 'P@1'; expected such as 'CSLS P@1'"),
        ({"headline": "NN P@2"}, "headline is 'NN P@2'"),
    ],
)
def test_bad_protocols(change: dict, sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        BliProtocol(name="x", **change)
    assert sentence in str(raised.value)


def fails(**changes) -> str:
    given = {
        "encode": ENCODE,
        "dictionaries": [Dictionary((ENG, DEU), (("dog", "hund"),), "en-de.tsv")],
        "vocabularies": {ENG: ["dog", "cat"], DEU: ["hund", "katze"]},
    }
    with pytest.raises(InputError) as raised:
        bli_pairs(**(given | changes))
    return str(raised.value)


def test_bad_input_is_one_sentence_before_anything_is_encoded() -> None:
    ENCODE.asked.clear()
    assert fails(protocol="glot500").startswith("unknown protocol 'glot500': expected one of muse, vecmap, fasttext")
    assert fails(dictionaries=[]) == "no dictionary was given"
    twice = [Dictionary((ENG, DEU), (("a", "b"),), name) for name in ("x.tsv", "")]
    assert fails(dictionaries=twice).startswith("x.tsv and the dictionary eng_Latn-deu_Latn are of one direction")
    assert fails(vocabularies={ENG: ["dog"]}) == "no vocabulary of deu_Latn; there are those of eng_Latn"
    assert (
        fails(vocabularies={ENG: ["dog"], DEU: []}) == "the vocabulary of deu_Latn is empty: there is nothing to search"
    )
    covered = fails(vocabularies={ENG: ["Dog", "cat"], DEU: ["maus"]})
    assert covered == (
        "en-de.tsv: no pair is covered by the vocabularies: of 1 lines 1 have their source word (in lower case) among "
        "the 2 words of eng_Latn, 0 their translation among the 1 candidates of deu_Latn"
    )
    filtered = BliProtocol(name="x", script_filter=True)
    other = {"dictionaries": [Dictionary((ENG, RUS), (("dog", "dog"),))], "vocabularies": {ENG: ["dog"], RUS: ["dog"]}}
    assert fails(protocol=filtered, **other) == "no candidate of rus_Cyrl is left: all 1 words are in another script"
    assert "unknown language code 'xx'" in fails(dictionaries=[Dictionary((ENG, "xx"), (("a", "b"),))])
    assert fails(translations=-1) == "translations must be 0 or more, got -1"
    only = replace(PLAIN, identical="drop")
    same = [Dictionary((ENG, DEU), (("dog", "dog"),))]
    assert "no pair is covered" in fails(dictionaries=same, vocabularies={ENG: ["dog"], DEU: ["dog"]}, protocol=only)
    assert ENCODE.asked == []
    with pytest.raises(
        InputError, match="the dictionary eng_Latn-eng_Latn is of eng_Latn only; expected two languages"
    ):
        Dictionary((ENG, ENG), (("a", "b"),))
    with pytest.raises(InputError, match="empty: expected a source word and its translation on each line"):
        Dictionary((ENG, DEU), ())


def test_bad_vectors_are_one_sentence() -> None:
    def encode(answer: dict[str, object]):
        return lambda given, language: answer[language] if language in answer else np.ones((len(given), 3))

    widths = fails(encode=encode({DEU: np.ones((2, 4))}))
    assert widths == "eng_Latn and deu_Latn: vectors of 3 and 4 dimensions; expected the same"
    assert fails(encode=encode({DEU: np.ones((5, 3))})) == "deu_Latn: the encoder returned 5 vectors for 2 words"
    bad = np.ones((2, 3))
    bad[1, 2] = np.nan
    assert fails(encode=encode({ENG: bad})) == (
        "eng_Latn: the vectors of 1 words hold NaN or infinity, first that of 'cat' (word 2)"
    )
    assert "first that of 'hund'" in fails(encode=encode({DEU: np.full((2, 3), 1e39)}))
    assert "deu_Latn: no vectors of 2 words: expected a matrix" in fails(encode=encode({DEU: np.ones(2)}))
    two = np.ones((2, 3)), np.ones((1, 4))
    any_source = replace(PLAIN, source_in_vocabulary=False)
    other = {"dictionaries": [Dictionary((ENG, DEU), (("tree", "hund"),))], "protocol": any_source}
    message = fails(encode=lambda given, language: two[len(given) == 1] if language == ENG else two[0], **other)
    assert message == (
        "eng_Latn: the encoder returned 3 dimensions for the vocabulary, 4 for the source words; expected the same"
    )
    narrow = static_encode(StaticVectors(("dog", "cat"), np.ones((2, 2), dtype=np.float32)))
    mix = mixed(narrow, encode({}))
    assert fails(encode=mix).startswith("eng_Latn: vectors of 2 and of 3 dimensions cannot be mixed; expected the same")
    with pytest.raises(InputError, match=r"the weight of a mix must be from 0 to 1, got 1\.5"):
        mixed(ENCODE, ENCODE, weight=1.5)

from __future__ import annotations

import hashlib
import json
import math
import random
import sys
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array

from align import cli
from align.errors import InputError
from align.files.whole import read_json
from align.pairs.conditional import conditional_pairs
from align.pairs.conversion import Conversion, convert, convert_columns
from align.pairs.filters.shares import Share
from align.pairs.filters.texts import Filters
from align.pairs.tagging.labelled_tagger import cross_validate, fit_tagger
from align.pairs.tagging.tagger import Tagger
from align.pairs.tagging.tokens import edit_distance, join_tokens, split_tokens, token_features
from align.pairs.tagging.word_tables import read_actions, read_labelled, read_lexicon, read_words
from align.similarity.logistic import loss_and_gradient, minimise

LATIN = str.maketrans("абвгдежклмнопрстуияйюыьАБВГДЛМНПР", "abvgdejklmnoprstuiajyy'ABVGDLMNPR")
LABELLED = [
    [("Мама", "rus"), ("любит", "rus"), ("shopping", "eng"), ("в", "rus"), ("Лондоне", "name"), ("!", "symbol")],
    [("Папа", "rus"), ("юзает", "mixed"), ("Python", "name"), (",", "symbol"), ("но", "rus"), ("не", "rus")],
    [("deadline", "eng"), ("и", "rus"), ("дедлайн", "mixed"), (".", "symbol"), ("Анна", "name"), ("рад", "rus")],
]
ACTIONS = {"rus": "translit", "mixed": "translit", "eng": "pass", "symbol": "pass", "name": "translate"}
LEXICON = {"ЛОНДОНЕ": "London", "мама": "mother", "Анна": "Queen Anne", "лондоне": "Londres"}


def fake(texts, language):
    """Cyrillic to Latin letters; combining marks are lost."""
    assert language == "rus_Cyrl"
    return ["".join(c for c in text if c not in "\u0301\u0308").translate(LATIN) for text in texts]


def tagger(**options):
    tokens, tags = zip(*(pair for sentence in LABELLED for pair in sentence), strict=True)
    return Tagger.fit(tokens, tags, **options)


def converted(sentences, variant, made=None, **options):
    conversion = Conversion(variant, ACTIONS, LEXICON)
    return convert(sentences, made or tagger(), conversion, **{"lang": "rus_Cyrl", "romanizer": fake} | options)


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def labelled_file(path):
    lines = [line for sentence in LABELLED for line in [*("\t".join(pair) for pair in sentence), ""]]
    return write(path, *lines)


TOKENS = [["Мама", "любит", "shopping", "в", "Лондоне", "!"], ["Анна", "и", "Python"]]


@pytest.mark.parametrize(
    ("variant", "sentences", "actions", "misses", "joined"),
    [
        ("full", ["Mama lybit shopping v Londone !", "Anna i Python"], (9, 0, 0), 0, 0),
        ("partial", ["Mama lybit shopping v Лондоне !", "Анна i Python"], (4, 0, 5), 0, 0),
        ("mixed", ["Mama lybit shopping v London !", "Queen_Anne i Python"], (5, 2, 2), 1, 1),
    ],
)
def test_the_three_variants(variant, sentences, actions, misses, joined):
    found = converted(TOKENS, variant)
    assert [" ".join(sentence) for sentence in found.sentences] == sentences
    tags = {} if variant == "full" else {"eng": 1, "name": 3, "rus": 4, "symbol": 1}
    assert found.counts == {
        "tokens": 9,
        "actions": dict(zip(("translit", "translate", "pass"), actions, strict=True)),
        "tags": tags,
        "lexicon_misses": misses,
        "empty_romanisations": 0,
        "joined": joined,
    }


def test_the_full_variant_needs_no_tagger_and_occurrences_count():
    found = convert([["рад", "рад"], [], ["рад"]], None, Conversion("full"), lang="rus_Cyrl", romanizer=fake)
    assert found.sentences == [["rad", "rad"], [], ["rad"]]
    assert found.counts["tokens"] == found.counts["actions"]["translit"] == 3


def test_no_sentence():
    assert converted([], "mixed").sentences == []
    assert converted([], "mixed").counts["tokens"] == 0


def test_a_token_without_a_romanisation_is_passed_and_counted():
    found = converted([["рад", "\u0301", "\u0308\u0301", "\u0301"]], "full")
    assert found.sentences == [["rad", "\u0301", "\u0308\u0301", "\u0301"]]
    assert found.counts["actions"] == {"translit": 1, "translate": 0, "pass": 3}
    assert found.counts["empty_romanisations"] == 3


def test_tokens_keep_their_number_whatever_they_hold():
    generator = random.Random(0)
    pieces = ["Мама", "и\u0306", "\u0301", "👩‍👩‍👧", "❤️", "no\u0308", "Анна", "1 000", "…", "don't", "\u200d", "юзаю"]

    def odd(texts, language):
        return [generator.choice(["", " ", text, "a b", " a\u2028b\t", "ab\n"]) for text in texts]

    for variant in ("full", "partial", "mixed"):
        sentences = [generator.choices(pieces, k=generator.randrange(6)) for _ in range(40)]
        found = converted(sentences, variant, romanizer=odd)
        assert [len(sentence) for sentence in found.sentences] == [len(sentence) for sentence in sentences]
        assert found.counts["tokens"] == sum(found.counts["actions"].values()) == sum(map(len, sentences))
        for before, after in zip(chain(*sentences), chain(*found.sentences), strict=True):
            assert after and (after == before or not any(c.isspace() for c in after))


def test_white_space_inside_a_conversion_becomes_an_underscore():
    found = convert(
        [["а", "1 000"]], None, Conversion("full"), lang="rus_Cyrl",
        romanizer=lambda texts, language: [" x  y " if text == "а" else text for text in texts],
    )  # fmt: skip
    assert found.sentences == [["x_y", "1 000"]] and found.counts["joined"] == 1


def test_a_tag_with_the_name_of_an_action_needs_none():
    made = Tagger.fit(["мама", "и", "ok"], ["translit", "translate", "pass"])
    found = convert([["мама", "и", "ok"]], made, lang="rus_Cyrl", romanizer=fake)
    assert found.sentences == [["mama", "и", "ok"]]
    mixed = Conversion("mixed", {"pass": "translit"}, {"и": "and"})
    assert convert([["и", "ok"]], made, mixed, lang="rus_Cyrl", romanizer=fake).sentences == [["and", "ok"]]
    assert mixed.action_of("pass") == "translit"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"conversion": Conversion("partial", {"rus": "translit"})}, "the tag 'eng' has no action: .*are of rus"),
        ({"conversion": Conversion()}, "the tag 'eng' has no action: expected translit, translate, pass; no actions"),
        ({"tagger": None}, "the variant partial needs a tagger"),
        ({"lang": "ru_Cyrl"}, "unknown language code 'ru_Cyrl'.*did you mean rus_Cyrl"),
        ({"sentences": ["мама"]}, "expected lists of tokens, got the string 'мама'"),
        ({"sentences": [["мама", 5]]}, "expected tokens that are strings, got int"),
        ({"romanizer": lambda texts, language: texts[1:]}, "the romaniser gave 0 texts for 1 of rus_Cyrl"),
        ({"romanizer": None, "backend": "perl"}, "unknown romaniser 'perl'"),
    ],
)
def test_bad_input_of_convert(change, sentence):
    given = {"sentences": [["мама"]], "tagger": tagger(), "conversion": Conversion("partial", ACTIONS)}
    given |= {"lang": "rus_Cyrl", "romanizer": fake} | change
    sentences, made, conversion = (given.pop(name) for name in ("sentences", "tagger", "conversion"))
    with pytest.raises(InputError, match=sentence):
        convert(sentences, made, conversion, **given)


def test_bad_conversions():
    with pytest.raises(InputError, match="variant is one of full, partial, mixed; got 'half'"):
        Conversion("half")
    with pytest.raises(InputError, match="action of the tag 'rus' is one of translit, translate, pass; got 'keep'"):
        Conversion("full", {"rus": "keep"})
    with pytest.raises(InputError, match="the variant mixed needs a lexicon"):
        Conversion("mixed", ACTIONS)
    made = tagger(translated=["" for sentence in LABELLED for _ in sentence])
    with pytest.raises(InputError, match="fitted with candidate translations: give a lexicon"):
        convert([["мама"]], made, Conversion("partial", ACTIONS), lang="rus_Cyrl", romanizer=fake)


# ------------------------------------------------------------------------------------------------ the tagger


def test_a_token_seen_with_one_tag_keeps_it():
    tokens = ["abc", *["abd", "abe", "abf"] * 5, "xyz", "xyz"]
    tags = ["odd", *["even"] * 15, "odd", "even"]
    made = Tagger.fit(tokens, tags, penalty=1)
    assert made.predict(["abc"]) == ["odd"]
    assert replace(made, seen={}).predict(["abc"]) == ["even"]  # what the regression alone would say
    assert "xyz" not in made.seen and made.seen.keys() == {"abc", "abd", "abe", "abf"}


def test_other_tokens_have_the_most_probable_tag():
    tokens, tags = ["один", "два", "три", "one", "two", "three", "12", "20"], ["r"] * 3 + ["e"] * 3 + ["n"] * 2
    made = Tagger.fit(tokens, tags, penalty=0.01)
    assert made.predict(["семь", "seven", "2012"]) == ["r", "e", "n"]
    often = Tagger.fit(["ok", "ok", "ok", "да"], ["e", "e", "r", "r"])
    assert often.seen == {"да": "r"} and often.predict(["ok", "да"]) == ["e", "r"]


def test_the_order_of_the_rows_does_not_matter():
    pairs = [pair for sentence in LABELLED for pair in sentence] * 2
    random.Random(1).shuffle(pairs)
    made = Tagger.fit(*zip(*pairs, strict=True), penalty=1 / 18)
    np.testing.assert_allclose(made.weights, tagger(penalty=1 / 18).weights, atol=1e-5)


def test_one_token_and_one_tag():
    made = Tagger.fit(["a"], ["x"])
    assert made.predict(["a", "b"]) == ["x", "x"] and made.predict([]) == []


@pytest.mark.parametrize("name", ["romanised", "translated"])
def test_candidates_tell_tags_apart(name):
    tokens = ["aaaa", "bbbb", "cccc", "dddd"]
    made = Tagger.fit(tokens, ["same", "other", "same", "other"], **{name: ["aaaa", "zzzz", "cccc", "xxxx"]})
    assert made.predict(["eeee", "ffff"], **{name: ["eeee", "zzzz"]}) == ["same", "other"]
    assert made.predict(["eeee", "eeee"], **{name: ["eeee", "zzzz"]}) == ["same", "other"]
    with pytest.raises(InputError, match=r"was fitted with (romanisations|candidate.*) of the tokens, got none"):
        made.predict(["eeee"])
    with pytest.raises(InputError, match="was fitted without .* of the tokens, got some"):
        tagger().predict(["eeee"], **{name: [""]})
    with pytest.raises(InputError, match="expected a text for each of 1 tokens, got 2"):
        made.predict(["eeee"], **{name: ["", ""]})


@pytest.mark.parametrize(
    ("tokens", "tags", "penalty", "sentence"),
    [
        ([], [], None, "at least one token and a tag for each, got 0 and 0 tags"),
        (["a"], ["x", "y"], None, "got 1 and 2 tags"),
        (["a"], ["x"], 0, "penalty must be above 0, got 0"),
        (["a"], ["x"], math.nan, "penalty must be above 0, got nan"),
    ],
)
def test_bad_input_of_fit(tokens, tags, penalty, sentence):
    with pytest.raises(InputError, match=sentence):
        Tagger.fit(tokens, tags, penalty=penalty)


def test_features_by_hand():
    scripts = {"scripts Cyrl Latn", "case mixed", "digits some", "punctuation some", "closed class"}
    padded = " iя-5 "
    grams = {f"gram {padded[i : i + n]}" for n in (2, 3, 4) for i in range(7 - n)}
    found = token_features("iЯ-5", closed={"iя-5"}, romanised="ia-5", translated="me")
    distances = {"token romanised": 1 / 4, "token translated": 1.0, "romanised translated": 1.0}
    ones = dict.fromkeys(scripts | grams, 1.0)
    assert found == ones | {f"distance {name}": value for name, value in distances.items()}
    assert "no translation" in token_features("a", translated="") and "no translation" not in token_features("a")


@pytest.mark.parametrize(
    ("token", "names"),
    [
        ("मकर", {"case none", "digits none", "punctuation none", "scripts Deva"}),
        ("ABC", {"case upper", "scripts Latn"}),
        ("Abc", {"case title"}),
        ("२०", {"digits all", "scripts none", "case none"}),
        ("❤️", {"punctuation all", "scripts none"}),
        ("", {"punctuation none", "digits none", "case none", "scripts none"}),
    ],
)
def test_features(token, names):
    assert names <= token_features(token).keys()


def distance_by_definition(a, b):
    if not a or not b:
        return len(a) + len(b)
    rest = distance_by_definition(a[1:], b[1:]) + (a[0] != b[0])
    return min(rest, distance_by_definition(a[1:], b) + 1, distance_by_definition(a, b[1:]) + 1)


def test_edit_distance():
    assert edit_distance("kitten", "SITTING") == 3 / 7
    assert (edit_distance("", ""), edit_distance("", "ab"), edit_distance("x" * 900, "x" * 800)) == (0, 1, 0)
    generator = random.Random(2)
    for _ in range(40):
        a, b = ("".join(generator.choices("ab", k=generator.randrange(1, 6))) for _ in "12")
        assert edit_distance(a, b) == distance_by_definition(a, b) / max(len(a), len(b))


# ------------------------------------------------------------------------------------------------ the regression


def problem(m=7, d=5, c=3, seed=3):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(m, d)) * (generator.random((m, d)) < 0.6)
    counts = generator.integers(0, 4, size=(m, c)).astype(float)
    counts[:c] += np.eye(c)
    return x, counts, generator.normal(size=(d + 1) * c)


def test_the_loss_is_its_definition():
    x, counts, parameters = problem()
    table = parameters.reshape(6, 3)
    loss = 0.0
    for i in range(7):
        scores = [sum(x[i, k] * table[k, j] for k in range(5)) + table[5, j] for j in range(3)]
        for j in range(3):
            loss -= counts[i, j] * math.log(math.exp(scores[j]) / sum(map(math.exp, scores)))
    loss = loss / counts.sum() + 0.3 / 2 * sum(value**2 for value in table[:5].ravel())
    assert loss_and_gradient(parameters, csr_array(x), counts, 0.3)[0] == pytest.approx(loss, rel=1e-12)


def test_the_gradient_is_the_slope_of_the_loss():
    x, counts, parameters = problem()
    x = csr_array(x)
    gradient = loss_and_gradient(parameters, x, counts, 0.3)[1]
    slopes = []
    for k in range(len(parameters)):
        step = np.zeros_like(parameters)
        step[k] = 1e-5
        up, down = (loss_and_gradient(parameters + sign * step, x, counts, 0.3)[0] for sign in (1, -1))
        slopes.append((up - down) / 2e-5)
    np.testing.assert_allclose(gradient, slopes, atol=1e-9)
    assert np.abs(gradient).min() > 1e-4


def test_the_fit_by_hand():
    # rows +1 and -1, one each of two classes: W = (w, -w) with 1 - sigmoid(2 w) = penalty * w; w = log(3) / 2 gives 3/4
    x, w = csr_array(np.array([[1.0], [-1.0]])), math.log(3) / 2
    weights, bias = minimise(x, np.eye(2), penalty=0.25 / w)
    np.testing.assert_allclose(weights, [[w, -w]], atol=1e-5)
    np.testing.assert_allclose(bias, [0, 0], atol=1e-5)
    # without features the bias gives the shares of the classes
    _, bias = minimise(csr_array((1, 0)), np.array([[3.0, 1.0]]), penalty=1)
    assert bias[0] - bias[1] == pytest.approx(math.log(3), abs=1e-4)


def test_the_fit_is_an_optimum(caplog):
    x, counts, _ = problem()
    weights, bias = minimise(csr_array(x), counts, penalty=0.05)
    found = np.vstack([weights, bias]).ravel()
    assert np.abs(loss_and_gradient(found, csr_array(x), counts, 0.05)[1]).max() < 1e-5
    assert caplog.text == ""


def test_a_fit_that_stops_early_says_so(monkeypatch, caplog):
    monkeypatch.setattr("align.similarity.logistic.ITERATIONS", 1)
    x, counts, _ = problem()
    minimise(csr_array(x), counts, penalty=0.05)
    assert "logistic regression (penalty 0.05) stopped early" in caplog.text


# ------------------------------------------------------------------------------------------------ files


def test_a_saved_tagger_predicts_the_same(tmp_path):
    made = fit_tagger(labelled_file(tmp_path / "rus_Cyrl.tsv"), lexicon=LEXICON, closed=["НЕ"], folds=2, romanizer=fake)
    made.save(tmp_path / "tagger.json")
    again = Tagger.load(tmp_path / "tagger.json")
    words = ["мамы", "shop", "лайн", "не", "Анна", "5", "👩‍👩‍👧", "", "NEW york"]
    candidates = {"romanised": fake(words, "rus_Cyrl"), "translated": ["", "", "x"] * 3}
    assert again.predict(words, **candidates) == made.predict(words, **candidates)
    assert (again.weights == made.weights).all() and (again.bias == made.bias).all()
    assert (again.tags, again.features, again.seen) == (made.tags, made.features, dict(made.seen))
    assert (again.closed, again.romanised, again.translated) == (frozenset({"не"}), True, True)
    assert again.facts == made.facts and again.facts["cross_validation"]["folds"] == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other"}, "expected format 'align-tagger', version 1"),
        ({"version": 2}, "expected format 'align-tagger', version 1"),
        ({"bias": [0.0]}, "is not a complete tagger: ValueError"),
        ({"weights": {"gram a": [1.0]}}, "is not a complete tagger: ValueError"),
        ({"bias": [0.0, math.nan]}, "is not a complete tagger: expected finite weights and known tags"),
        ({"seen": {"a": "z"}}, "is not a complete tagger: expected finite weights and known tags"),
        ({"seen": None}, "is not a complete tagger: TypeError"),
    ],
)
def test_a_damaged_tagger(tmp_path, change, sentence):
    path = tmp_path / "tagger.json"
    Tagger.fit(["a", "b"], ["x", "y"]).save(path)
    assert Tagger.load(path).tags == ("x", "y")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=sentence):
        Tagger.load(path)
    path.write_text('{"format": "align-tagger", "version": 1}')
    with pytest.raises(InputError, match="is not a complete tagger: KeyError"):
        Tagger.load(path)
    path.write_text("[")
    with pytest.raises(InputError, match="is not valid JSON"):
        Tagger.load(path)


def test_facts_of_a_tagger(tmp_path):
    path = labelled_file(tmp_path / "rus_Cyrl.train.tsv")
    facts = fit_tagger(path, lexicon=LEXICON, folds=0, romanizer=fake).facts
    assert facts == {
        "labelled": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "lang": "rus_Cyrl",
        "romaniser": "given: fake",
        "tokens": 18,
        "sentences": 3,
        "tags": {"eng": 2, "mixed": 2, "name": 3, "rus": 8, "symbol": 3},
        "lexicon": {"words": 4, "hash": facts["lexicon"]["hash"]},
        "cross_validation": None,
    }
    with pytest.raises(InputError, match=r"t\.tsv: unknown language code 't'.*name the file by its language"):
        fit_tagger(labelled_file(tmp_path / "t.tsv"), romanizer=fake)


def test_labelled_tokens(tmp_path):
    path = write(tmp_path / "a.tsv", "", "мама\trus", " New York \tname", "", " ", "ok\teng", "")
    assert read_labelled(path) == [[("мама", "rus"), ("New York", "name")], [("ok", "eng")]]


def test_lexicon_actions_and_words(tmp_path):
    path = write(tmp_path / "lexicon.tsv", "мама\tmother\t0.9", "", "мама\tmum", "дом\thouse")
    assert read_lexicon(path) == {"мама": "mother", "дом": "house"}
    assert read_actions(write(tmp_path / "a.tsv", "rus\ttranslit", "eng\tpass")) == {"rus": "translit", "eng": "pass"}
    assert read_words(write(tmp_path / "w.txt", " и ", "", "в")) == ["и", "в"]


@pytest.mark.parametrize(
    ("read", "lines", "sentence"),
    [
        (read_labelled, ["a\tx", "b"], r"t\.tsv, line 2: expected token TAB tag, got 1 column$"),
        (read_labelled, ["a\tx\ty"], r"t\.tsv, line 1: expected token TAB tag, got 3 columns$"),
        (read_labelled, ["a\tx", "\tx"], r"t\.tsv, line 2: expected token TAB tag, got an empty column$"),
        (read_labelled, ["a\tx", "\t"], r"t\.tsv, line 2: .* got an empty column$"),
        (read_labelled, [], r"t\.tsv is empty: expected lines of token TAB tag$"),
        (read_labelled, ["", ""], r"t\.tsv is empty"),
        (read_lexicon, ["a\tb", "a b"], r"t\.tsv, line 2: expected word TAB translation, got 1 column$"),
        (read_lexicon, ["a\t "], r"t\.tsv, line 1: .* got an empty column$"),
        (read_lexicon, [], r"t\.tsv is empty: expected lines of word TAB translation$"),
        (read_actions, ["a\tpass", "a\ttranslit"], r"the tag 'a' has two actions, pass and translit$"),
        (read_actions, ["a\tpass\tb"], r"t\.tsv, line 1: expected tag TAB action, got 3 columns$"),
        (read_actions, [], r"t\.tsv is empty: expected lines of tag TAB action$"),
        (read_words, [""], r"t\.tsv is empty: expected one word a line$"),
    ],
)
def test_bad_files(tmp_path, read, lines, sentence):
    with pytest.raises(InputError, match=sentence):
        read(write(tmp_path / "t.tsv", *lines))


# ------------------------------------------------------------------------------------------------ cross-validation


@pytest.mark.parametrize(("folds", "by"), [(3, "sentence"), (5, "token")])
def test_cross_validation_against_a_loop(folds, by):
    sentences = [i for i in range(4) for _ in range(6)]
    generator = random.Random(4)
    tokens = [generator.choice(["один", "два", "three", "four", "ok"]) + generator.choice(["", "s"]) for _ in sentences]
    tags = ["e" if token[0] in "tfo" and generator.random() < 0.9 else "r" for token in tokens]
    found = cross_validate(tokens, tags, sentences, folds=folds, seed=5)
    units = sentences if by == "sentence" else list(range(24))
    order = list(np.random.default_rng(5).permutation(len(set(units))))
    fold_of = [order[unit] % folds for unit in units]
    right = new = new_right = 0
    for i in range(24):  # a tagger for every single token
        rest = [j for j in range(24) if fold_of[j] != fold_of[i]]
        made = Tagger.fit([tokens[j] for j in rest], [tags[j] for j in rest])
        hit, unseen = made.predict([tokens[i]]) == [tags[i]], tokens[i] not in [tokens[j] for j in rest]
        right, new, new_right = right + hit, new + unseen, new_right + (hit and unseen)
    assert 0 < new < 24 and 0 < right < 24
    assert found == {
        "accuracy": right / 24,
        "majority": max(tags.count("e"), tags.count("r")) / 24,
        "unseen": new,
        "unseen_accuracy": new_right / new,
        "tokens": 24,
        "folds": folds,
        "by": by,
        "seed": 5,
    }


def test_cross_validation_of_few_tokens():
    found = cross_validate(["a", "a"], ["x", "x"], [0, 0])
    assert (found["folds"], found["by"], found["accuracy"], found["unseen_accuracy"]) == (2, "token", 1.0, None)
    for few, folds, seed in ((["a"], 10, 0), (["a", "b"], 1, 0), (["a", "b"], 2, -1)):
        with pytest.raises(InputError, match="needs at least 2 folds, 2 tokens and a seed from 0; got"):
            cross_validate(few, few, folds=folds, seed=seed)
    with pytest.raises(InputError, match="expected a tag and a sentence for each of 2 tokens, got 1 tags"):
        cross_validate(["a", "b"], ["x"])


# ------------------------------------------------------------------------------------------------ tables and columns


@pytest.mark.parametrize(
    ("text", "how", "tokens"),
    [
        ("  Мама, я-то  дома!\n", "words", ["Мама", ",", "я", "-", "то", "дома", "!"]),
        ("з'ява l’eau 'да'", "words", ["з'ява", "l’eau", "'", "да", "'"]),
        ("нет\u200cне हिन्दी …❤️5️⃣", "words", ["нет\u200cне", "हिन्दी", "…❤️", "5️⃣"]),
        (" il- kelb, ", "spaces", ["il-", "kelb,"]),
        ("", "words", []),
        (" \u2028 ", "spaces", []),
    ],
)
def test_split_and_join(text, how, tokens):
    found, between = split_tokens(text, how)
    assert found == tokens and len(between) == len(tokens) + 1 and not "".join(between).strip()
    assert join_tokens(found, between) == text
    assert join_tokens(["x"] * len(found), between) == between[0] + "".join("x" + space for space in between[1:])


def test_pairs_by_hand(tmp_path):
    lines = ["Мама  любит shopping, не Лондоне!", "", "shopping deadline", "Анна рад и", "анна РАД и 5"]
    path = write(tmp_path / "rus_Cyrl.txt", *lines)
    made = fit_tagger(labelled_file(tmp_path / "t" / "rus_Cyrl.tsv"), folds=3, romanizer=fake)
    manifest = conditional_pairs(
        path, tmp_path / "out", made, Conversion("mixed", ACTIONS, LEXICON), romanizer=fake, licence="CC0"
    )
    groups = [hashlib.blake2b(text.casefold().encode(), digest_size=8).hexdigest() for text in ("Мама любит shopping, "
              "не Лондоне!", "Анна рад и")]  # fmt: skip
    common = {"source_lang": "rus_Cyrl", "target_lang": "rus_Latn", "kind": "conditional transliteration"}
    assert pq.read_table(tmp_path / "out" / "pairs.parquet").to_pylist() == [
        {"source": lines[0], "target": "Mama  lybit shopping, ne London!", "group_id": groups[0]} | common,
        {"source": lines[3], "target": "Queen_Anne rad i", "group_id": groups[1]} | common,
    ]
    assert manifest == read_json(tmp_path / "out" / "manifest.json")
    assert manifest["rejects"] == {"empty": 1, "identity": 1, "near duplicate": 1}
    assert manifest["lines"] == manifest["rows"] + 3 == 5 and manifest["identity_pairs"] == 1
    assert (manifest["tokens"], manifest["actions"]) == (12, {"translit": 5, "translate": 2, "pass": 5})
    assert (manifest["kind"], manifest["romaniser"]) == ("conditional transliteration", "given: fake")
    assert manifest["tagger"] == made.facts and manifest["tagger"]["cross_validation"]["by"] == "sentence"
    assert manifest["options"]["actions"] == ACTIONS and manifest["options"]["lexicon"]["words"] == 4
    assert manifest["sources"][0]["licence"] == "CC0"


def test_blocks_and_languages_do_not_show(tmp_path, monkeypatch):
    for code in ("rus_Cyrl", "ukr_Cyrl"):
        write(tmp_path / "in" / f"{code}.txt", "мама мама", "рада", "дом", "мир")

    def romanizer(texts, language):
        return [f"{language} {text}" for text in texts]

    files = []
    for size in (1, 3, 100):
        monkeypatch.setattr("align.pairs.conditional.BLOCK_LINES", size)
        options = {"romanizer": romanizer, "tokens": "spaces", "target_script": "Arab", "share": Share(cap=3)}
        manifest = conditional_pairs(tmp_path / "in", tmp_path / "out", None, Conversion("full"), **options)
        files.append(manifest["files"])
    assert files[0] == files[1] == files[2]
    assert (manifest["rows"], manifest["not_sampled"], manifest["tagger"]) == (6, 2, None)
    for row in pq.read_table(tmp_path / "out" / "pairs.parquet").to_pylist():
        expected = " ".join(f"{row['source_lang']}_{word}" for word in row["source"].split())
        assert (row["target"], row["target_lang"]) == (expected, f"{row['source_lang'][:3]}_Arab")


def test_pairs_whose_sides_are_equal_are_kept_by_choice(tmp_path):
    path = write(tmp_path / "rus_Cyrl.txt", "shopping")
    options = {"romanizer": fake, "filters": Filters(identity="keep")}
    manifest = conditional_pairs(path, tmp_path / "out", tagger(), Conversion("partial", ACTIONS), **options)
    assert (manifest["rows"], manifest["identity_pairs"]) == (1, 1)


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        ((), {}, "no text is given"),
        ("ru.txt", {}, "unknown language code 'ru'"),
        ("rus_Cyrl.txt", {"tokens": "letters"}, "tokens is one of words, spaces; got 'letters'"),
        ("rus_Cyrl.txt", {"target_script": "Latin"}, "unknown script in language code 'und_Latin'"),
        ("rus_Cyrl.txt", {"tagger": None}, "the variant partial needs a tagger"),
        ("rus_Cyrl.txt", {"filters": Filters(min_chars=50)}, "no pair is left to write"),
    ],
)
def test_bad_input_writes_no_pairs(tmp_path, texts, options, sentence):
    write(tmp_path / "rus_Cyrl.txt", "мама")
    write(tmp_path / "ru.txt", "мама")
    texts, options = tmp_path / texts if texts else texts, {"tagger": tagger(), "romanizer": fake} | options
    with pytest.raises(InputError, match=sentence):
        conditional_pairs(texts, tmp_path / "out", conversion=Conversion("partial", ACTIONS), **options)
    assert not (tmp_path / "out").exists()


CONLLU = """# text = Мама любит
1\tМама\tмама\tNOUN\t_
2-3\tлюбит\t_\t_\t_

# sent_id = 2
1\t#\t#\tSYM\t
2\tЛондоне\tЛондон\tPROPN\tGeo=Yes
"""


def test_columns(tmp_path):
    path = tmp_path / "in.conllu"
    path.write_bytes(CONLLU.replace("\n", "\r\n").encode())
    conversion, options = Conversion("mixed", ACTIONS, LEXICON), {"lang": "rus_Cyrl", "romanizer": fake}
    counts = convert_columns(path, tmp_path / "out.conllu", tagger(), conversion, column=2, **options)
    expected = CONLLU.replace("\tМама", "\tMama").replace("\tлюбит", "\tlybit").replace("\tЛондоне", "\tLondon")
    assert (tmp_path / "out.conllu").read_bytes().decode() == expected
    assert counts["tokens"] == 4 and counts["actions"]["translate"] == 1
    write(tmp_path / "in.tsv", "#\tO", "Мама\tB-PER", "#comment", "", "рад\tO")
    convert_columns(tmp_path / "in.tsv", tmp_path / "out.tsv", None, Conversion("full"), **options)
    assert (tmp_path / "out.tsv").read_text() == "#\tO\nMama\tB-PER\n#comment\n\nrad\tO\n"


@pytest.mark.parametrize(
    ("lines", "options", "sentence"),
    [
        (["мама\tO", "дом"], {}, r"in\.tsv, line 2: expected at least 2 columns between tabs, got 1 column$"),
        (["мама\tO"], {"column": 3}, r"in\.tsv, line 1: expected at least 3 columns between tabs, got 2 columns$"),
        (["мама\tO", " \tO"], {}, r"in\.tsv, line 2: expected a token in column 1, got nothing$"),
        (["# a", ""], {}, r"in\.tsv is empty: expected lines of columns between tabs$"),
        (["мама\tO"], {"column": 0}, "column is a number from 1, got 0"),
        (["мама\tO"], {"lang": "rus"}, "unknown script in language code 'rus'"),
    ],
)
def test_bad_columns(tmp_path, lines, options, sentence):
    path = write(tmp_path / "in.tsv", *lines)
    with pytest.raises(InputError, match=sentence):
        convert_columns(
            path, tmp_path / "out", None, Conversion("full"), **{"lang": "rus_Cyrl", "romanizer": fake} | options
        )
    assert list(tmp_path.iterdir()) == [path]


# ------------------------------------------------------------------------------------------------ the command line


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """The verb as ``align pairs conditional``, in a folder with text, labels, a lexicon and actions."""
    monkeypatch.setattr(
        "align.text.romanize.romanizer.romanize", lambda texts, lang, backend, processes: fake(texts, lang)
    )
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rus_Cyrl.txt", "Мама, рад и Анна")
    write(tmp_path / "in.tsv", "Мама\tO", "", "Анна\tB-PER")
    labelled_file(tmp_path / "labelled" / "rus_Cyrl.tsv")
    write(tmp_path / "lexicon.tsv", "Анна\tQueen Anne")
    write(tmp_path / "actions.tsv", *(f"{tag}\t{action}" for tag, action in ACTIONS.items()))
    write(tmp_path / "one.tsv", "word")

    def run(words):
        monkeypatch.setattr(sys, "argv", ["align", "pairs", "conditional", *words.split()])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        streams = capsys.readouterr()
        return stopped.value.code, streams.out, streams.err

    return run


def test_the_verb(command, tmp_path):
    common = "--variant mixed --lexicon lexicon.tsv --actions actions.tsv --action symbol=translit"
    code, out, err = command(f"rus_Cyrl.txt --labelled labelled/rus_Cyrl.tsv {common} --folds 3 --save-tagger t.json")
    assert code == 0, err
    shown = json.loads(out)
    assert (shown["rows"], shown["actions"]) == (1, {"translit": 4, "translate": 1, "pass": 0})
    assert shown["cross_validation"]["folds"] == 3 and 0 <= shown["cross_validation"]["accuracy"] <= 1
    assert pq.read_table(tmp_path / "pairs" / "pairs.parquet")["target"].to_pylist() == ["Mama, rad i Queen_Anne"]
    code, out, err = command(f"--conll in.tsv --lang rus_Cyrl --tagger t.json {common} --out out.tsv")
    assert code == 0, err
    assert (tmp_path / "out.tsv").read_text() == "Mama\tO\n\nQueen_Anne\tB-PER\n"
    assert json.loads(out)["cross_validation"] == shown["cross_validation"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("rus_Cyrl.txt", "the variant partial needs a tagger"),
        ("--conll in.tsv --variant full", "--conll is one file, without texts beside it, and needs its --lang"),
        ("--conll in.tsv --variant full --lang ru", "unknown language code 'ru'"),
        ("rus_Cyrl.txt --variant full --lexicon one.tsv", "one.tsv, line 1: expected word TAB translation, got 1 col"),
        ("rus_Cyrl.txt --labelled one.tsv --lang rus_Cyrl", "one.tsv, line 1: expected token TAB tag, got 1 column"),
        ("rus_Cyrl.txt --labelled a --tagger b", "--labelled fits a tagger and --tagger loads one"),
        ("rus_Cyrl.txt --labelled labelled/rus_Cyrl.tsv --folds 0", "the tag 'eng' has no action"),
        ("rus_Cyrl.txt --variant full --action rus", "expected TAG=ACTION, such as Arabic=translit, got 'rus'"),
        ("rus_Cyrl.txt --variant full --action rus=keep", "the action of the tag 'rus' is one of translit, translate"),
        ("rus_Cyrl.txt --variant full --save-tagger t.json", "--save-tagger needs a tagger"),
    ],
)
def test_bad_input_of_the_verb(command, tmp_path, words, sentence):
    before = sorted(tmp_path.rglob("*"))
    code, _, err = command(words)
    assert code == 2 and sentence in err and len(err.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before

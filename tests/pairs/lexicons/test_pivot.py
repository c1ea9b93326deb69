from __future__ import annotations

import random
from itertools import product

import pytest

from align.errors import InputError
from align.pairs import Pivot
from align.pairs.lexicons.format import WordPair
from align.pairs.lexicons.pivot import pivot_noise, routes_of
from align.text.normal_forms import normalised


def line(source, target, languages="deu_Latn-eng_Latn", number=1):
    one, two = languages.split("-")
    return WordPair("f", number, one, two, source, target, f"{one}:{source}")


def random_lines(generator, languages, flip):
    words = [(f"{languages[0]}{generator.randrange(5)}", generator.choice(["Bank", "bank", "shore", "dog", "cat"]))
             for _ in range(12)]  # fmt: skip
    names = "-".join((languages[1], languages[0]) if flip else languages)
    return [line(*(reversed(pair) if flip else pair), names, i) for i, pair in enumerate(words)]


@pytest.mark.parametrize("seed", range(6))
def test_joining_against_a_loop(seed):
    generator = random.Random(seed)
    first = random_lines(generator, ("deu_Latn", "eng_Latn"), generator.random() < 0.5)
    second = random_lines(generator, ("fra_Latn", "eng_Latn"), generator.random() < 0.5)
    routes = {}
    for one, two in product(first, second):
        (a, p), (b, q) = (
            (row.target, row.source) if row.source_lang == "eng_Latn" else (row.source, row.target)
            for row in (one, two)
        )
        if normalised(p) == normalised(q):
            routes.setdefault((a, b), set()).add(normalised(p))
    got = routes_of(first, second, pivot="eng_Latn")
    assert {(pair.source, pair.target): n for pair, n in got} == {key: len(on) for key, on in routes.items()}
    assert len(got) == len(set(got)) == len(routes)
    assert {(pair.source_lang, pair.target_lang, pair.kind) for pair, _ in got} <= {("deu_Latn", "fra_Latn", "pivot")}


def test_noise_by_hand_in_either_direction():
    joined = [(line("Bank", "banque", "deu_Latn-fra_Latn"), 2), (line("Bank", "rive", "deu_Latn-fra_Latn"), 1)]
    joined.append((line("Hund", "chien", "deu_Latn-fra_Latn"), 1))
    direct = [line("bank", "Banque", "deu_Latn-fra_Latn"), line("mer", "Meer", "fra_Latn-deu_Latn")]
    noise = pivot_noise(joined, direct)
    assert noise["direct"] == 2
    assert noise["routes"]["1"] == {"joined": 3, "judged": 2, "correct": 1, "precision": 0.5, "recall": 0.5}
    assert noise["routes"]["2"] == {"joined": 1, "judged": 1, "correct": 1, "precision": 1.0, "recall": 0.5}
    flipped = [line("Banque", "bank", "fra_Latn-deu_Latn"), line("mer", "Meer", "fra_Latn-deu_Latn")]
    assert pivot_noise(joined, flipped) == noise


def test_nothing_to_join_or_to_judge():
    assert routes_of([], [], pivot="eng_Latn") == [] == routes_of([line("Hund", "dog")], [], pivot="eng_Latn")
    assert pivot_noise([], [])["routes"]["1"] == {
        "joined": 0, "judged": 0, "correct": 0, "precision": None, "recall": None,
    }  # fmt: skip


def test_bad_pivots():
    with pytest.raises(InputError, match="f, line 7: expected a word in eng_Latn, got deu_Latn-fra_Latn"):
        routes_of([line("Hund", "chien", "deu_Latn-fra_Latn", 7)], [], pivot="eng_Latn")
    with pytest.raises(InputError, match="min_routes must be at least 1, got 0"):
        Pivot(min_routes=0)
    with pytest.raises(InputError, match="unknown language code 'en'"):
        Pivot("en")

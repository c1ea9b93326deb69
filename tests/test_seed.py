"""The encoder in the wheel: it knows translations in native scripts, nothing of romanised text, and fits its size."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
import torch

from align import demo
from align.encoders.checkpoint import load_encoder
from align.similarity.ranks import gold_ranks

FOLDER = files("align") / "data" / "seed"


@pytest.fixture(scope="module")
def seed():
    return load_encoder("seed", device="cpu")


@pytest.fixture(scope="module")
def verses(seed):
    """Vectors of the first hundred held-out verses, native and romanised, by language."""
    native, roman = demo.read_verses()
    return tuple({code: seed.encode(lines[:100]) for code, lines in texts.items()} for texts in (native, roman))


def p1(queries, candidates):
    return float((gold_ranks(queries, candidates) == 1).mean())


def test_it_fits_the_wheel():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 20e6


def test_a_verse_finds_its_translation(verses):
    native, _ = verses
    found = [p1(native[code], native["eng_Latn"]) for code in native if code != "eng_Latn"]
    assert np.mean(found) > 0.6


def test_a_verse_does_not_find_its_romanisation(verses):
    native, roman = verses
    assert np.mean([p1(native[code], roman[code]) for code in roman]) < 0.2


def test_likeness_follows_meaning_within_and_across_languages(seed):
    near = [
        ("A man is playing a guitar.", "Someone plays the guitar."), ("The child is asleep.", "Das Kind schläft."),
        ("Wash your hands with soap.", "Мойте руки с мылом."), ("He died yesterday.", "Il est mort hier."),
    ]  # fmt: skip
    left, right = (seed.encode([pair[side] for pair in near]) for side in (0, 1))
    cosines = left @ right.T
    others = cosines[~np.eye(len(near), dtype=bool)]
    assert cosines.diagonal().mean() > others.mean() + 0.15


def test_its_head_guesses_better_than_by_frequency(seed):
    text = "And he went out to the sea, and the multitude came to him, and he taught them."
    ids = torch.tensor([seed.tokenize([text])[0]])
    mask = torch.ones_like(ids)
    losses = []
    for place in range(1, ids.shape[1] - 1):
        masked = ids.clone()
        masked[0, place] = seed.tokenizer.mask_token_id
        with torch.no_grad():
            logits = seed.model(input_ids=masked, attention_mask=mask).logits[0, place]
        losses.append(torch.nn.functional.cross_entropy(logits, ids[0, place]).item())
    assert np.mean(losses) < 0.7 * np.log(len(seed.tokenizer))


def test_no_text_is_unknown_to_its_tokenizer(seed):
    unknown = seed.tokenizer.unk_token_id
    for text in ("ߒߞߏ", "ꯃꯩꯇꯩ", "𞤀𞤁", "a\u0301\U0001f600"):
        assert unknown not in seed.tokenize([text])[0]


def test_its_card_names_what_it_was_made_of():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for word in ("multilingual-e5-small", "MIT", "PanLex (CC0)", "Creative Commons", "sib200", "stsb"):
        assert word in card, word

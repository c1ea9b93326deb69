"""A tokenizer with more pieces: learnt on text, of its own kind, and put behind those that it has."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from align.encoders.vocabulary import description, merges_of, rebuilt

COMMON = 20
"""Pieces of both vocabularies from which on the scores of new ones are put on the scale of the old ones."""
STARTS = "▁Ġ"  # marks of the start of a word


@dataclass(frozen=True)
class Growth:
    """New pieces, in the order of their ids, and what splits text into them."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...] = ()
    """Log-probabilities of unigram pieces."""
    merges: tuple[tuple[str, str], ...] = ()
    """Of byte-pair encoding; they go after all that are there."""


def learnt(tokenizer: PreTrainedTokenizerBase, lines: Iterable[str], number: int) -> Growth:
    """The ``number`` most useful new pieces of some text, fewer if it has no more; single letters come first.

    A tokenizer of the same kind, which normalises and cuts into words in the same way, is trained on the text, and its
    pieces that the old one lacks are taken. So that text without a new piece is split as before:

    - unigram: no score is below the least old one, which decides what an unknown letter costs; where both
      vocabularies share 20 pieces, new scores are moved by the median difference of theirs;
    - byte pairs: merges come after the old ones, and none makes an old piece;
    - WordPiece: each letter that the vocabulary has is added as a continuation, too, if it lacks that: else a word
      that begins with a new piece could become unknown.

    Raises:
        InputError: a tokenizer without a tokenizer.json, or of another kind.
    """
    model = description(tokenizer)["model"]
    trained = _trained(tokenizer, model, lines, number)
    return {"Unigram": _unigram, "BPE": _byte_pairs}.get(model["type"], _words)(model, trained, number)


def _trained(
    tokenizer: PreTrainedTokenizerBase, model: Mapping[str, Any], lines: Iterable[str], number: int
) -> dict[str, Any]:
    """``model`` of a tokenizer trained on the text alone, with more pieces than wanted: some will not be new."""
    backend, kind, size = tokenizer.backend_tokenizer, model["type"], 2 * number + 300
    unknown, common = model.get("unk_token"), dict[str, Any](vocab_size=size, show_progress=False)
    if kind == "Unigram":
        fresh = Tokenizer(models.Unigram())
        trainer: Any = trainers.UnigramTrainer(unk_token="<unk>", special_tokens=["<unk>"], **common)
    elif kind == "BPE":
        fresh = Tokenizer(models.BPE(unk_token=unknown))
        marks = {name: model[name] for name in ("continuing_subword_prefix", "end_of_word_suffix") if model.get(name)}
        alphabet = pre_tokenizers.ByteLevel.alphabet() if _byte_level(json.loads(backend.to_str())) else []
        trainer = trainers.BpeTrainer(initial_alphabet=alphabet, **marks, **common)
    elif kind == "WordPiece":
        fresh = Tokenizer(models.WordPiece(unk_token=unknown))
        trainer = trainers.WordPieceTrainer(continuing_subword_prefix=model["continuing_subword_prefix"], **common)
    else:
        fresh, trainer = Tokenizer(models.WordLevel(unk_token=unknown)), trainers.WordLevelTrainer(**common)
    if backend.normalizer is not None:
        fresh.normalizer = backend.normalizer
    if backend.pre_tokenizer is not None:
        fresh.pre_tokenizer = backend.pre_tokenizer
    fresh.train_from_iterator(lines, trainer)
    made: dict[str, Any] = json.loads(fresh.to_str())["model"]
    return made


def _byte_level(described: Mapping[str, Any]) -> bool:
    return '"ByteLevel"' in json.dumps([described["pre_tokenizer"], described["normalizer"]])


def _unigram(model: Mapping[str, Any], trained: Mapping[str, Any], number: int) -> Growth:
    old: dict[str, float] = dict(model["vocab"])
    fresh: dict[str, float] = {piece: score for piece, score in trained["vocab"] if piece != "<unk>"}
    differ = [old[piece] - score for piece, score in fresh.items() if piece in old]
    moved = median(differ) if len(differ) >= COMMON else 0.0
    least = min(old.values())
    new = sorted((piece for piece in fresh if piece not in old), key=lambda piece: (len(piece) > 1, -fresh[piece]))
    chosen = new[:number]
    return Growth(tuple(chosen), tuple(min(0.0, max(least, fresh[piece] + moved)) for piece in chosen))


def _byte_pairs(model: Mapping[str, Any], trained: Mapping[str, Any], number: int) -> Growth:
    old = model["vocab"]
    known, merges = set(old), []
    prefix = model.get("continuing_subword_prefix") or ""
    joined = [(left, right, left + right.removeprefix(prefix)) for left, right in merges_of(trained)]
    made = {piece for _, _, piece in joined}
    chosen = [piece for piece in trained["vocab"] if piece not in old and piece not in made][:number]  # letters
    known |= set(chosen)
    for left, right, piece in joined:
        if left in known and right in known and piece not in old and len(chosen) < number:
            merges.append((left, right))
            if piece not in known:
                chosen.append(piece)
                known.add(piece)
    return Growth(tuple(chosen), merges=tuple(merges))


def _words(model: Mapping[str, Any], trained: Mapping[str, Any], number: int) -> Growth:
    """Of WordPiece, and of whole words."""
    old, prefix = model["vocab"], model.get("continuing_subword_prefix")
    by_use = sorted(trained["vocab"], key=trained["vocab"].__getitem__)

    def bare(piece: str) -> str:
        return piece.removeprefix(prefix or "")

    new = sorted((piece for piece in by_use if piece not in old), key=lambda piece: len(bare(piece)) > 1)[:number]
    letters = sorted({bare(piece) for piece in (*old, *new) if len(bare(piece)) == 1}) if prefix else []
    new += [one for one in (f"{prefix}{letter}" for letter in letters) if one not in old and one not in new]
    return Growth(tuple(new))


def grown(tokenizer: PreTrainedTokenizerBase, growth: Growth) -> tuple[PreTrainedTokenizerFast, int]:
    """The tokenizer with new pieces, and the id of the first; ids from there on have moved behind the new ones."""
    described = copy.deepcopy(description(tokenizer))
    model, pieces = described["model"], growth.pieces
    place = len(model["vocab"]) if model["type"] == "Unigram" else 1 + max(model["vocab"].values())
    new = {i: i if i < place else i + len(pieces) for i in tokenizer.get_vocab().values()}
    if model["type"] == "Unigram":
        model["vocab"] += [list(one) for one in zip(pieces, growth.scores, strict=True)]
    else:
        model["vocab"] |= {piece: place + i for i, piece in enumerate(pieces)}
    if model["type"] == "BPE":
        model["merges"] = [list(pair) for pair in (*merges_of(model), *growth.merges)]
    return rebuilt(tokenizer, described, new), place


def sources(tokenizer: PreTrainedTokenizerBase, pieces: Sequence[str], roman: Sequence[str]) -> list[list[int]]:
    """The old ids that each new piece is made of, or that its romanised form is.

    Args:
        tokenizer: the old one.
        pieces: new ones.
        roman: of each the romanised form; "": the piece as it is.

    Returns:
        Ids of each, at least one: the unknown piece, where nothing else is known.
    """
    backend, found = tokenizer.backend_tokenizer, []
    prefix = description(tokenizer)["model"].get("continuing_subword_prefix") or ""
    unknown = [0 if tokenizer.unk_token_id is None else tokenizer.unk_token_id]
    for piece, written in zip(pieces, roman, strict=True):
        form = piece.removeprefix(prefix)
        if written:
            form = backend.normalizer.normalize_str(written) if backend.normalizer else written
            form = (piece[0] if piece[0] in STARTS else "") + form.strip().replace(" ", "")
        found.append([token.id for token in backend.model.tokenize(form)] or unknown)
    return found

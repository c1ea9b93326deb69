"""A tokenizer with fewer pieces, which splits every text of kept pieces as before."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from align.errors import InputError
from align.text.languages import dominant_script

KINDS = ("WordPiece", "BPE", "Unigram", "WordLevel")
BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def description(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """What ``tokenizer.json`` says of a tokenizer.

    Raises:
        InputError: a tokenizer without one, or of another kind than ``KINDS``.
    """
    if not tokenizer.is_fast:
        raise InputError(f"{type(tokenizer).__name__} has no tokenizer.json; expected a fast tokenizer")
    described: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    kind = described["model"]["type"]
    if kind not in KINDS:
        raise InputError(f"the tokenizer is a {kind} one; expected {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    return described


def pieces_to_keep(
    tokenizer: PreTrainedTokenizerBase, used: Collection[int], *, scripts: Collection[str] = ()
) -> list[int]:
    """Ids, rising, of the pieces that are ``used`` and of those without which they would be split otherwise.

    Also kept are special and added tokens, bytes, all ids up to that of padding (positions of some models count from
    it), single letters of the scripts that used pieces have, and every piece of ``scripts``.
    """
    described = description(tokenizer)
    model, backend = described["model"], tokenizer.backend_tokenizer
    ids: dict[str, int] = backend.get_vocab(with_added_tokens=True)
    kept = set(used) | set(tokenizer.all_special_ids) | {token["id"] for token in described["added_tokens"]}
    kept |= {i for piece, i in ids.items() if BYTE.fullmatch(piece)} | set(range((tokenizer.pad_token_id or 0) + 1))
    if model.get("unk_id") is not None:
        kept.add(model["unk_id"])
    if isinstance(model.get("unk_token"), str):
        kept.add(ids[model["unk_token"]])
    text = {i: without_marks(backend, piece) for piece, i in ids.items()}
    script = {i: dominant_script(one) for i, one in text.items()}
    present = {script[i] for i in used}
    kept |= {i for i, one in text.items() if script[i] in scripts or (len(one) == 1 and script[i] in present)}
    if model["type"] == "Unigram":  # an unknown letter costs as much as the least piece, and a bit
        kept.add(min(range(len(model["vocab"])), key=lambda i: model["vocab"][i][1]))
    if model["type"] == "BPE":
        kept |= {i for piece, i in ids.items() if len(piece) == 1}
        ranks = {pair: rank for rank, pair in enumerate(merges_of(model))}
        names = {i: piece for piece, i in ids.items()}
        kept |= {ids[part] for i in tuple(kept) for part in _parts(names[i], ranks) if part in ids}
    return sorted(kept)


def pieces_by_script(tokenizer: PreTrainedTokenizerBase) -> Counter[str]:
    """How many pieces have most letters of each script."""
    description(tokenizer)  # refuses what has none
    backend = tokenizer.backend_tokenizer
    return Counter(dominant_script(without_marks(backend, piece)) for piece in backend.get_vocab())


def without_marks(backend: Tokenizer, piece: str) -> str:
    """A piece without what marks the start of a word or the lack of it."""
    decoded = backend.decoder.decode([piece]) if backend.decoder else piece
    return decoded.replace("##", "").replace("▁", "").strip()


def merges_of(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The merges of byte-pair encoding, first those that go first."""
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    return [(left, right) for left, right in pairs]


def _parts(piece: str, ranks: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """The pieces from which byte-pair encoding makes a piece: in a word they are merged as in the piece alone."""
    parts = list(piece)
    while len(parts) > 1:
        rank, at = min((ranks.get((parts[i], parts[i + 1]), len(ranks)), i) for i in range(len(parts) - 1))
        if rank == len(ranks):
            return
        parts[at : at + 2] = ["".join(parts[at : at + 2])]
        yield parts[at]


def cut(tokenizer: PreTrainedTokenizerBase, kept: list[int]) -> PreTrainedTokenizerFast:
    """The tokenizer with the pieces of these ids alone, which become 0, 1, 2, ...

    Scores of unigram pieces stay. Of merges those stay that join kept pieces into a kept one, in their order.
    """
    new = {old: i for i, old in enumerate(kept)}
    described = description(tokenizer)
    model = described["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][i] for i in kept if i < len(model["vocab"])]
        if model["unk_id"] is not None:
            model["unk_id"] = new[model["unk_id"]]
    else:
        model["vocab"] = {piece: new[i] for piece, i in model["vocab"].items() if i in new}
    if model["type"] == "BPE":
        known = model["vocab"]
        merges = ((left, right) for left, right in merges_of(model) if left in known and right in known)
        model["merges"] = [[left, right] for left, right in merges if left + right in known]
    return rebuilt(tokenizer, described, new)


def rebuilt(
    tokenizer: PreTrainedTokenizerBase, described: dict[str, Any], new: Mapping[int, int]
) -> PreTrainedTokenizerFast:
    """A tokenizer of another ``model`` in what ``tokenizer.json`` says, with added tokens by their new ids."""
    described["added_tokens"] = [token | {"id": new[token["id"]]} for token in described["added_tokens"]]
    described["post_processor"] = _renumbered(described["post_processor"], new)
    described["truncation"] = described["padding"] = None
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(described)), model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side, truncation_side=tokenizer.truncation_side,
        model_input_names=tokenizer.model_input_names, **tokenizer.special_tokens_map,
    )  # fmt: skip


def _renumbered(processor: Any, new: Mapping[int, int]) -> Any:
    """A post-processor of tokenizer.json with other ids of its tokens."""
    if isinstance(processor, list):
        return [_renumbered(one, new) for one in processor]
    if not isinstance(processor, dict):
        return processor
    changed = {key: _renumbered(value, new) for key, value in processor.items()}
    if isinstance(processor.get("ids"), list):  # of a template
        changed["ids"] = [new[i] for i in processor["ids"]]
    for name in ("cls", "sep"):  # of BERT and RoBERTa
        if isinstance(processor.get(name), list):
            changed[name] = [processor[name][0], new[processor[name][1]]]
    return changed

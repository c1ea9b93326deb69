"""Encoders with further pieces, for a language or script that their tokenizer was not made for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from align.encoders.checkpoint import given_encoder
from align.encoders.encoder import Encoder
from align.encoders.growth import grown, learnt, sources
from align.encoders.route import refuse_route
from align.encoders.saving import ENCODER, save_encoder
from align.encoders.trimming import split, with_parts, with_vocabulary
from align.encoders.vocabulary import without_marks
from align.errors import InputError
from align.files.folders import writing
from align.files.whole import read_lines, sha256
from align.text.languages import script_share
from align.text.romanize.registry import DEFAULT
from align.text.romanize.romanizer import romanize, romanizer_version
from align.text.surrogates import well_formed

ROWS = ("pieces", "romanised")


def extend(
    model: Encoder | str | Path,
    texts: Sequence[Path | str],
    out: Path | str,
    *,
    pieces: int = 1000,
    rows: str = "pieces",
    romanizer: str = DEFAULT,
    **load: Any,
) -> dict[str, Any]:
    """Save an encoder with new pieces, learnt on text of a language or script that its tokenizer was not made for.

    The pieces are of the tokenizer's own kind (:func:`align.encoders.growth.learnt`). A text that has none of them is
    split as before and has the same vector, to the last bit; of the given text this is checked. The row of a new piece,
    in embedding and masked-LM head, is the mean of the rows of its sources:

    - ``pieces``: the old pieces that it was split into;
    - ``romanised``: the old pieces of its romanised form (TransMI, arXiv:2405.09913; a mean, where that sums). A piece
      that the romaniser does not write in Latin letters has the former.

    The new rows are to be trained, by the recipe ``extension``.

    Args:
        model: what :func:`align.load_encoder` takes, or an encoder.
        texts: files of text, a text a line, plain or compressed.
        out: folder to write, whole or not at all.
        pieces: how many to add; where the text has fewer, those, and of WordPiece what some letters need besides.
        rows: ``pieces`` or ``romanised``.
        romanizer: a name of :func:`align.text.romanize.registry.romanizers`.
        load: further options of :func:`align.load_encoder`.

    Returns:
        ``added`` pieces; ``pieces``, ``before`` and ``after``; ``tokens`` of the text, likewise; ``unknown``: new
        pieces all of whose sources are unknown, whose rows are therefore equal; ``lines`` read, and how many are
        ``split_as_before``. Kept in ``align.json`` as ``extended``, with the identity of the encoder and the SHA-256
        of each text.

    Raises:
        InputError: no text, or none that gives a new piece; a tokenizer without a tokenizer.json, or that would split
            text without new pieces otherwise; an encoder that romanises scripts, has a route or takes offsets off.
    """
    if pieces < 1:
        raise InputError(f"pieces must be 1 or more, got {pieces}")
    if rows not in ROWS:
        raise InputError(f"rows of new pieces are the mean of their {' or '.join(ROWS)} sources, got {rows!r}")
    with writing(out, kind=ENCODER):
        encoder = given_encoder(model, load)
        refuse_route(encoder, "extend")
        if encoder.fallback is not None:
            raise InputError(f"{encoder.name} romanises scripts, whose pieces would never be read: extend it without")
        growth = learnt(encoder.tokenizer, _lines(texts), pieces)
        if not growth.pieces:
            named = ", ".join(map(str, texts)) or "no file"
            raise InputError(f"{named}: no piece that the tokenizer lacks; expected text in another language or script")
        tokenizer, place = grown(encoder.tokenizer, growth)
        of = sources(encoder.tokenizer, growth.pieces, _romanised(encoder, growth.pieces, rows, romanizer))
        new = {i: i if i < place else i + len(of) for i in range(_size(encoder))}
        extended = with_parts(encoder, with_vocabulary(encoder.model, _inserted(place, of), new), tokenizer)
        about = _compared(encoder, extended, texts, range(place, place + len(of)), new)
        about = {
            "added": len(of), "pieces": {"before": _size(encoder), "after": _size(extended)}, **about,
            "unknown": sum(set(some) == {encoder.tokenizer.unk_token_id} for some in of), "rows": rows,
        }  # fmt: skip
        origin: dict[str, Any] = {
            "of": encoder.identity(),
            "texts": {Path(path).name: sha256(Path(path)) for path in texts},
        }
        if rows == "romanised":
            origin["romanizer"] = romanizer_version(romanizer)
        save_encoder(extended, out, extra={"extended": about | origin})
    return about


def _lines(texts: Sequence[Path | str]) -> Iterator[str]:
    return (well_formed(line) for path in texts for line in read_lines(path) if line.strip())


def _size(encoder: Encoder) -> int:
    return int(encoder.model.get_input_embeddings().weight.shape[0])


def _romanised(encoder: Encoder, pieces: Sequence[str], rows: str, romanizer: str) -> list[str]:
    """What each piece is to be looked up by; "": itself."""
    if rows == "pieces":
        return [""] * len(pieces)
    written = [without_marks(encoder.tokenizer.backend_tokenizer, piece) for piece in pieces]
    return [roman if script_share(roman, "Latn") > 0 else "" for roman in romanize(written, backend=romanizer)]


def _inserted(place: int, of: Sequence[Sequence[int]]) -> Callable[[Tensor], Tensor]:
    """Puts the means of some rows before that of a place."""

    def change(rows: Tensor) -> Tensor:
        means = torch.stack([rows[list(some)].mean(dim=0) for some in of])
        return torch.cat([rows[:place], means, rows[place:]])

    return change


def _compared(
    before: Encoder, after: Encoder, texts: Sequence[Path | str], added: range, new: dict[int, int]
) -> dict[str, Any]:
    """Tokens of the text, and lines without new pieces; a tokenizer that splits these otherwise is refused."""
    lines = same = 0
    tokens = {"before": 0, "after": 0}
    for old, now in zip(*(chain.from_iterable(split(one, texts)) for one in (before, after)), strict=True):
        lines += 1
        tokens["before"] += len(old)
        tokens["after"] += len(now)
        if not any(i in added for i in now):
            same += 1
            if [new[i] for i in old] != now:
                text = before.tokenizer.decode(old, skip_special_tokens=True)
                raise InputError(f"beside the new pieces {text[:40]!r} is split otherwise: this tokenizer cannot grow")
    return {"lines": lines, "split_as_before": same, "tokens": tokens}

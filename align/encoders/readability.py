"""How a tokenizer reads each script, and the encoder that romanises text in those which it cannot read."""

from __future__ import annotations

import copy
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import regex
from transformers import PreTrainedTokenizerBase

from align.encoders.checkpoint import given_encoder
from align.encoders.encoder import Encoder
from align.encoders.fallback import Fallback
from align.encoders.route import refuse_route
from align.encoders.saving import ENCODER, save_encoder
from align.encoders.vocabulary import BYTE, pieces_by_script
from align.errors import InputError
from align.files.folders import writing
from align.files.whole import read_lines, sha256
from align.text.languages import SCRIPTS, check_script, dominant_script, script_share
from align.text.romanize.registry import DEFAULT
from align.text.romanize.romanizer import romanize, romanizer_version
from align.text.surrogates import well_formed

LETTER = regex.compile(r"[\p{L}\p{M}]")
KNOWN = 100
"""Pieces from which on a vocabulary is taken to have been made on text of a script."""
ROMANISED = 0.5
"""Share of its letters that the romaniser must know, for a script to be romanised."""
LINES, LETTERS = 1_000, 200  # tokenised together; looked at
Sums = dict[str, list[float]]
"""Script -> lines, letters, letters in unknown or byte pieces, pieces."""


def scripts(
    model: Encoder | str | Path,
    texts: Sequence[Path | str] = (),
    out: Path | str | None = None,
    *,
    reads: Collection[str] | None = None,
    romanizer: str = DEFAULT,
    **load: Any,
) -> dict[str, Any]:
    """How the tokenizer of an encoder reads each script; with ``out``, the encoder that romanises what it cannot read.

    Of the lines of text most of whose letters are of a script: ``unknown``, the share of letters (and marks) that lie
    in unknown or byte pieces, and ``pieces`` per letter. Of a script without text, ``unknown`` of its letters in
    Unicode. The thresholds are the greatest of each among the scripts that the tokenizer *reads*; a script is
    unreadable if it is none of these and exceeds one. It is then romanised, unless the romaniser knows less than half
    of its letters.

    Args:
        model: what :func:`align.load_encoder` takes, or an encoder.
        texts: files of text, a text a line, in any scripts; none: the verses of the demo, in 11 scripts.
        out: folder of the encoder that romanises (:class:`align.encoders.fallback.Fallback`), whole or not at all.
        reads: ISO 15924 codes of the scripts that the tokenizer reads; None: those of 100 pieces or more.
        romanizer: a name of :func:`align.text.romanize.registry.romanizers`.
        load: further options of :func:`align.load_encoder`.

    Returns:
        ``threshold`` (``unknown`` and ``pieces``); ``romanised``, the scripts that are; ``romanizer`` with its version;
        ``texts`` (SHA-256 by name); and ``scripts``: of each its ``lines``, ``unknown``, ``pieces`` per letter (None
        without text), the ``vocabulary``'s pieces, and ``read``: ``yes``, ``romanised`` or ``no``.

    Raises:
        InputError: text without a line in a script that is read, an unknown script or romaniser, a tokenizer without
            tokenizer.json, an encoder with a route, nothing to romanise where ``out`` is given.
    """
    version = romanizer_version(romanizer)
    encoder = given_encoder(model, load)
    refuse_route(encoder, "scripts")
    found = table(encoder.tokenizer, list(_lines(texts)), reads=reads, romanizer=romanizer)
    about = {"romanizer": version, "texts": {Path(path).name: sha256(Path(path)) for path in texts}} | found
    if out is not None:
        if not found["romanised"]:
            raise InputError(f"{encoder.name or 'this encoder'} reads every script that {version} romanises")
        with writing(out, kind=ENCODER):
            made = copy.copy(encoder)
            made.fallback = Fallback(tuple(found["romanised"]), romanizer, about)
            save_encoder(made, out)
    return about


def _lines(texts: Sequence[Path | str]) -> Iterator[str]:
    if texts:
        yield from (line for path in texts for line in read_lines(path))
    else:
        with as_file(files("align") / "data" / "demo" / "train") as folder:
            yield from (line for path in sorted(folder.iterdir()) for line in read_lines(path))


def table(
    tokenizer: PreTrainedTokenizerBase, lines: Sequence[str], *, reads: Collection[str] | None, romanizer: str
) -> dict[str, Any]:
    """``threshold``, ``romanised`` and ``scripts`` of :func:`scripts`."""
    vocabulary, poor = pieces_by_script(tokenizer), poor_pieces(tokenizer)
    many = (script for script, count in vocabulary.items() if count >= KNOWN)
    read = set(many if reads is None else map(check_script, reads))
    rows: dict[str, dict[str, Any]] = {
        script: {"lines": int(n), "unknown": unknown / letters, "pieces": pieces / letters}
        for script, (n, letters, unknown, pieces) in sums(tokenizer, lines, poor).items()
    }
    known = [row for script, row in rows.items() if script in read]
    if not known:
        raise InputError(
            f"no line of text in a script that the tokenizer reads ({', '.join(sorted(read)) or 'none'}), to fit on"
        )
    threshold = {name: max(row[name] for row in known) for name in ("unknown", "pieces")}
    letters = letters_of(SCRIPTS)
    for script in letters.keys() - rows.keys():
        alone = unknown_letters(tokenizer, letters[script], poor)
        rows[script] = {"lines": 0, "unknown": float(np.mean(alone)), "pieces": None}
    for script, row in rows.items():
        worse = row["unknown"] > threshold["unknown"] or (row["pieces"] or 0) > threshold["pieces"]
        row |= {"vocabulary": vocabulary[script], "read": "no" if worse and script not in read else "yes"}
        if row["read"] == "no" and knows(romanizer, letters.get(script, "")):
            row["read"] = "romanised"
    ordered = dict(sorted(rows.items(), key=lambda item: (-item[1]["lines"], item[0])))
    romanised = sorted(script for script, row in rows.items() if row["read"] == "romanised")
    return {"threshold": threshold, "romanised": romanised, "scripts": ordered}


def sums(tokenizer: PreTrainedTokenizerBase, lines: Sequence[str], poor: Collection[int]) -> Sums:
    """Of the lines with a letter, by the script of most letters."""
    found: Sums = defaultdict(lambda: [0, 0, 0, 0])
    left = iter(well_formed(line) for line in lines if LETTER.search(line))
    while some := list(islice(left, LINES)):
        split = tokenizer(some, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        for text, ids, spans in zip(some, split["input_ids"], split["offset_mapping"], strict=True):
            unknown = {at for i, span in zip(ids, spans, strict=True) if i in poor for at in range(*span)}
            lost = sum(bool(LETTER.match(text[at])) for at in unknown)
            row = 1, len(LETTER.findall(text)), lost, len(ids)
            script = dominant_script(text)
            found[script] = [total + one for total, one in zip(found[script], row, strict=True)]
    found.pop("Zyyy", None)  # no letter of a script alone
    return dict(found)


def unknown_letters(tokenizer: PreTrainedTokenizerBase, letters: str, poor: set[int]) -> list[bool]:
    """Of each letter, alone, whether it is split into unknown or byte pieces, or is lost."""
    rows = tokenizer(list(letters), add_special_tokens=False, verbose=False)["input_ids"]
    return [not row or not poor.isdisjoint(row) for row in rows]


def poor_pieces(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids of the unknown piece and of bytes."""
    found = {i for piece, i in tokenizer.get_vocab().items() if BYTE.fullmatch(piece)}
    return found | ({tokenizer.unk_token_id} if tokenizer.unk_token_id is not None else set())


@cache
def letters_of(scripts: tuple[str, ...]) -> dict[str, str]:
    """Letters that Unicode gives to each of some scripts alone, of many some 200; one that has none is left out."""
    every = "".join(filter(lambda c: unicodedata.category(c)[0] == "L", map(chr, range(0x20000))))
    found = {script: "".join(regex.findall(rf"\p{{sc={script}}}", every)) for script in sorted(scripts)}
    return {script: letters[:: len(letters) // LETTERS + 1] for script, letters in found.items() if letters}


@cache
def knows(romanizer: str, letters: str) -> bool:
    """Whether a romaniser writes at least half of some letters in Latin ones."""
    if not letters:
        return False
    roman = romanize(list(letters), backend=romanizer)
    return sum(script_share(one, "Latn") > 0 for one in roman) >= ROMANISED * len(letters)


def as_text(about: dict[str, Any]) -> str:
    """The table, for people."""
    rows: list[Sequence[str]] = [("script", "lines", "pieces known", "unknown", "pieces/letter", "read")]
    for script, row in about["scripts"].items():
        counts = (f"{row[name]:,}" for name in ("lines", "vocabulary"))
        pieces = "" if row["pieces"] is None else f"{row['pieces']:.2f}"
        rows.append((script, *counts, f"{row['unknown']:.3f}", pieces, row["read"]))
    count = Counter(row["read"] for row in about["scripts"].values())
    ends = "unknown {unknown:.3f}, pieces/letter {pieces:.2f}".format(**about["threshold"])
    lines = ["{:6} {:>7} {:>12} {:>8} {:>13}  {}".format(*row) for row in rows]
    counted = f"{count['yes']} scripts read, {count['romanised']} romanised, {count['no']} neither"
    return "\n".join([*lines, "", f"threshold: {ends}; {about['romanizer']}; {counted}"])

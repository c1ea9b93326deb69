"""Estimate language offsets on text of one's own, and write them as a folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.encoders.checkpoint import given_encoder
from align.encoders.encoder import Encoder
from align.encoders.offsets.folder import FORMAT, MANIFEST, METHODS, ROWS, Offsets, open_offsets
from align.errors import InputError, unknown
from align.files.folders import whole_folder, writing
from align.files.whole import read_lines, sha256, write_json
from align.similarity.offsets import language_directions, language_mean, shift_onto
from align.text.languages import check_language

log = logging.getLogger(__name__)

KIND = "offsets folder"
Texts = dict[str, list[str]]
Places = dict[str, NDArray[np.int64]]
"""Numbers of lines, from 0, rising."""


def offsets(
    model: Encoder | str | Path,
    texts: Mapping[str, Path | str],
    out: Path | str,
    *,
    method: str = "centre",
    pivot: str = "eng_Latn",
    k: int | None = None,
    progress: bool = False,
    **load: Any,
) -> Offsets:
    """Estimate what to take off the vectors of each language, and write it as a folder for ``load_encoder(offsets=)``.

    The text should be of the kind that will be encoded (sentences, words), and none that is scored. A line that is
    blank is left out, and counted in the manifest; of line-aligned text also where the pivot's is.

    Args:
        model: what :func:`align.load_encoder` takes, or an encoder.
        texts: a file for each language and script, plain or ``.gz``, a text a line.
        out: the folder; older offsets there are replaced.
        method: ``centre`` takes each language's mean off it (:func:`align.similarity.offsets.language_mean`);
            ``shift`` moves each language onto the pivot, which itself stays as it is to the last bit, of line-aligned
            text (:func:`align.similarity.offsets.shift_onto`); ``project`` takes the directions in which the means
            differ off every text, of whatever language (:func:`align.similarity.offsets.language_directions`).
        pivot: of ``shift``.
        k: directions of ``project``; ``None``: as many as there are, one less than languages.
        progress: show bars.
        load: further options of :func:`align.load_encoder`: prompt, layer, bf16, device, ...

    Raises:
        InputError: an unknown method or language, no text, one that is all blank, for ``shift`` no pivot, no other
            language or another number of lines, a ``k`` that cannot be; an encoder that takes offsets off already.
    """
    if method not in METHODS:
        raise InputError(unknown("method of offsets", method, METHODS))
    if k is not None and method != "project":
        raise InputError(f"k is of the method project, the method is {method}")
    lines = {check_language(code): list(read_lines(path, blank_bad=True)) for code, path in texts.items()}
    places = _filled(lines, texts, pivot if method == "shift" else None)
    if k is not None and not 0 <= k < len(lines):
        raise InputError(f"{len(lines)} languages differ along {len(lines) - 1} directions at most, got k = {k}")
    with writing(out, kind=KIND):
        encoder = given_encoder(model, load)
        if encoder.offsets is not None:
            raise InputError(f"the encoder takes the offsets of {encoder.offsets.folder} off already: give it without")
        vectors = {
            code: encoder.encode([lines[code][place] for place in here], language=code, progress=progress)
            for code, here in places.items()
        }
    names, rows = _estimated(vectors, places, method, pivot, k)
    manifest = {
        "format": FORMAT, "method": method, "encoder": encoder.identity(), "rows": names,
        "pivot": pivot if method == "shift" else None,
        "languages": {
            code: {
                "lines": len(places[code]), "blank": len(lines[code]) - len(places[code]), "file": Path(path).name,
                "sha256": sha256(Path(path)),
            } for code, path in texts.items()
        },
    }  # fmt: skip
    with whole_folder(out, kind=KIND) as folder:
        np.save(folder / ROWS, rows, allow_pickle=False)
        write_json(folder / MANIFEST, manifest | {"sha256": sha256(folder / ROWS)}, sealed=True)
    log.info("%s: %s of %s", out, method, ", ".join(f"{code} ({len(here)} lines)" for code, here in places.items()))
    return open_offsets(out)


def _filled(lines: Texts, files: Mapping[str, Path | str], pivot: str | None) -> Places:
    """The lines of each language that count; with a pivot, those where it has a line too."""
    if not lines:
        raise InputError("no text to estimate offsets on: expected a file for each language, such as hin_Deva=FILE")
    if pivot is not None and (pivot not in lines or len(lines) < 2):
        raise InputError(f"shift needs text of the pivot {pivot} and of another language, got {', '.join(lines)}")
    found: Places = {}
    for code, of in lines.items():
        beside = lines[pivot or code]
        if len(of) != len(beside):
            raise InputError(
                f"{files[code]} has {len(of)} lines, {files[pivot or code]} has {len(beside)}: shift needs aligned text"
            )
        both = enumerate(zip(of, beside, strict=True))
        found[code] = np.array([i for i, (text, other) in both if text.strip() and other.strip()], dtype=np.int64)
        if not len(found[code]):
            raise InputError(f"{files[code]}: none of the {len(of)} lines of {code} can be used: they are blank")
    return found


def _estimated(
    vectors: Mapping[str, NDArray[np.float32]], places: Places, method: str, pivot: str, k: int | None
) -> tuple[list[str], NDArray[np.float32]]:
    """What each row is of, and the (n, d) rows."""
    if method == "centre":
        found = {code: language_mean(of) for code, of in vectors.items()}
    elif method == "shift":
        beside = {code: np.searchsorted(places[pivot], here) for code, here in places.items() if code != pivot}
        found = {code: shift_onto(vectors[code], vectors[pivot][here]) for code, here in beside.items()}
    else:
        means = np.stack([language_mean(of) for of in vectors.values()])
        directions = language_directions(means, len(means) - 1 if k is None else k)
        return [f"direction {number}" for number in range(1, len(directions) + 1)], directions.astype(np.float32)
    return list(found), np.stack(list(found.values())).astype(np.float32)

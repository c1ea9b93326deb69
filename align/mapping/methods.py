"""The methods by name, on vectors with words, and a folder of what they make."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from align.errors import InputError, unknown
from align.files.folders import whole_folder, writing
from align.files.lines import text_lines
from align.files.whole import existing_file, sha256, write_json
from align.mapping.linear_map import Fit
from align.mapping.procrustes import fit_procrustes
from align.mapping.rcsls import rcsls
from align.mapping.refine import refine
from align.mapping.seeds import Seed, identical_seed, pairs_of
from align.mapping.self_learning import SelfLearning
from align.mapping.vecmap import Mode, vecmap
from align.vectors.static import StaticVectors, read_vectors, write_vectors

Method = Literal["procrustes", "refine", "rcsls", "vecmap", "semi", "identical", "unsupervised"]
METHODS = get_args(Method)
WITHOUT_DICTIONARY = ("identical", "unsupervised")
Format = Literal["vec", "npy"]
KIND = "map"
"""Of the folder, which no folder of another kind takes the place of."""


def fit_map(
    source: StaticVectors,
    target: StaticVectors,
    dictionary: Iterable[str] | None = None,
    *,
    method: Method = "procrustes",
    numerals: bool = False,
    normalization: str | None = None,
    seed: int = 0,
    block: int = 2048,
    name: str = "dictionary",
) -> tuple[Fit, Seed | None]:
    """Fit a map by the name of its method, with the method's defaults.

    Args:
        source: vectors, most frequent words first.
        target: vectors, most frequent words first.
        dictionary: lines of ``source TAB target``; ``None`` for ``identical`` and ``unsupervised``.
        method: ``procrustes``; ``refine`` (MUSE); ``rcsls``; VecMap's ``vecmap`` (supervised), ``semi``, ``identical``
            and ``unsupervised``.
        numerals: of identical words only the numerals.
        normalization: steps before the map; ``None``: the method's own.
        seed: of whatever is random.
        block: rows of each side in one product.
        name: file of the dictionary, for messages.

    Returns:
        The maps, and the seed dictionary with its coverage (``None`` where there was no dictionary).

    Raises:
        InputError: an unknown method, a dictionary too many or too few, no covered pair, or as the method.
    """
    if method not in METHODS:
        raise InputError(unknown("method", method, METHODS))
    if (dictionary is None) != (method in WITHOUT_DICTIONARY):
        raise InputError(f"method {method} {'needs a' if dictionary is None else 'takes no'} dictionary")
    options: dict[str, Any] = {"normalization": normalization} if normalization else {}
    x, y, learning = source.vectors, target.vectors, SelfLearning(seed=seed)
    if method == "unsupervised":
        return vecmap(x, y, mode="unsupervised", learning=learning, block=block, **options), None
    found = None if dictionary is None else pairs_of(dictionary, source.words, target.words, name=name)
    pairs = identical_seed(source.words, target.words, numerals=numerals) if found is None else found.rows
    if not len(pairs):
        raise InputError(_no_pair(found, name, numerals))
    if method == "procrustes":
        return fit_procrustes(x, y, pairs, **options), found
    if method == "refine":
        return refine(x, y, pairs, block=block, **options), found
    if method == "rcsls":
        return rcsls(x, y, pairs, seed=seed, block=block, **options), found
    mode: Mode = "supervised" if method == "vecmap" else method
    return vecmap(x, y, pairs, mode=mode, learning=learning, block=block, **options), found


def _no_pair(found: Seed | None, name: str, numerals: bool) -> str:
    if found is None:
        return f"the vocabularies share no {'numeral' if numerals else 'word'}: there is no pair to learn a map from"
    first = " - ".join(found.uncovered[0])
    return f"no pair of {name} has a vector on both sides: {found.lines} lines, the first {first!r}"


def map(
    source: Path,
    target: Path,
    out: Path,
    *,
    dictionary: Path | None = None,
    limit: int | None = 200_000,
    lowercase: bool = False,
    form: Format = "vec",
    **options: Any,
) -> dict[str, Any]:
    """Fit a map of two files of vectors and write both, mapped.

    The folder holds ``source.vec`` and ``target.vec`` (or ``.npy`` with ``.words.txt``); ``map.npy``, and
    ``target_map.npy`` where the target moves too: (d, d), x -> normalised x W; ``means.npy``: (2, c, d), of source and
    target the means that centring took off, in order; ``uncovered.tsv``: pairs of the dictionary without vectors; and,
    last, ``manifest.json``.

    Args:
        source: text file of vectors.
        target: text file of vectors.
        out: the folder, whole or not at all; an older map is replaced, anything else refused.
        dictionary: file of ``source TAB target``, or two words a line.
        limit: words to read of each file, from the top; ``None``: all.
        lowercase: fold the words of the files to lower case.
        form: ``vec`` or ``npy``.
        options: of ``fit_map``.

    Returns:
        The manifest.

    Raises:
        InputError: as ``read_vectors``, ``fit_map`` and :func:`align.files.folders.whole_folder`, or an unknown form.
    """
    if form not in ("vec", "npy"):
        raise InputError(f"unknown form {form!r}: expected vec or npy")
    with writing(out, kind=KIND):
        lines = [line for line, _ in text_lines(existing_file(dictionary))] if dictionary else None
        side_x, side_y = (read_vectors(path, limit=limit, lowercase=lowercase) for path in (source, target))
        fit, seed = fit_map(side_x, side_y, lines, name=str(dictionary), **options)
        mapped = [
            StaticVectors(side_x.words, fit.source(side_x.vectors)),
            StaticVectors(side_y.words, fit.target(side_y.vectors)),
        ]
        settings = {"limit": limit, "lowercase": lowercase, "form": form, **options}
        given = [("source", source), ("target", target), *([("dictionary", dictionary)] if dictionary else [])]
        return _write(out, fit, seed, mapped, settings, {role: Path(path) for role, path in given})


def _write(
    out: Path,
    fit: Fit,
    seed: Seed | None,
    mapped: list[StaticVectors],
    settings: dict[str, Any],
    given: dict[str, Path],
) -> dict[str, Any]:
    manifest = {
        "format": "align-map/1",
        "settings": settings,
        "normalization": list(fit.source.normalization.steps),
        "words": {"source": len(mapped[0].words), "target": len(mapped[1].words)},
        "dimensions": mapped[0].vectors.shape[1],
        "dictionary": seed.coverage() if seed else None,
        "fitted_pairs": len(fit.pairs),
        "objective": {"measure": fit.measure, "course": [round(value, 6) for value in fit.objective]},
        "inputs": {role: {"file": str(path), "sha256": sha256(path)} for role, path in given.items()},
    }
    with whole_folder(out, kind=KIND) as folder:
        for role, vectors in zip(("source", "target"), mapped, strict=True):
            if settings["form"] == "vec":
                write_vectors(vectors, folder / f"{role}.vec")
            else:
                np.save(folder / f"{role}.npy", vectors.vectors, allow_pickle=False)
                text = "".join(word + "\n" for word in vectors.words)
                (folder / f"{role}.words.txt").write_text(text, encoding="utf-8", newline="\n")
        np.save(folder / "map.npy", fit.source.matrix.astype(np.float32), allow_pickle=False)
        if not np.array_equal(fit.target.matrix, np.eye(len(fit.target.matrix))):
            np.save(folder / "target_map.npy", fit.target.matrix.astype(np.float32), allow_pickle=False)
        means = [fit.source.normalization.means, fit.target.normalization.means]
        if means[0]:
            np.save(folder / "means.npy", np.array(means), allow_pickle=False)
        if seed and seed.uncovered:
            text = "".join(f"{left}\t{right}\n" for left, right in seed.uncovered)
            (folder / "uncovered.tsv").write_text(text, encoding="utf-8", newline="\n")
        if seed and seed.odd:
            (folder / "set_aside.txt").write_text("\n".join(seed.odd) + "\n", encoding="utf-8", newline="\n")
        files = sorted(path.name for path in folder.iterdir())
        manifest["sha256"] = {name: sha256(folder / name) for name in files}
        write_json(folder / "manifest.json", manifest, sealed=True)
    return manifest

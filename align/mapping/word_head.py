"""Train a lexical head on the words of dictionaries with a frozen encoder, and write it as a folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import nn
from tqdm import tqdm

from align.encoders.checkpoint import given_encoder
from align.encoders.encoder import Encoder
from align.encoders.offsets.folder import FORMAT, HEAD, MANIFEST, MAPS, ROWS, Offsets, open_offsets
from align.encoders.saving import save_encoder
from align.errors import InputError
from align.files.folders import whole_folder, writing
from align.files.whole import sha256, write_json
from align.mapping.lexical_head import HeadFit, HeadOptions, Pairs, lexical_head
from align.pairs.filters.texts import WordFilters
from align.pairs.lexicons.lexicon import GivenLexicons
from align.pairs.word_pairs import word_pairs
from align.text.case import lower as in_lower_case

log = logging.getLogger(__name__)

KIND = "offsets folder"
Words = Mapping[str, Sequence[str]]


def word_head(
    model: Encoder | str | Path,
    dictionaries: Path | str | GivenLexicons,
    out: Path | str,
    *,
    vocabularies: Words | None = None,
    exclude: Sequence[Path | str] = (),
    lower: bool = True,
    options: HeadOptions | None = None,
    save: Path | str | None = None,
    progress: bool = False,
    **load: Any,
) -> Offsets:
    """Train a head on a frozen encoder and write it as a folder for ``load_encoder(model, head=out)``.

    The vector of a word is the pooled last layer with the mean of all layers behind it, without special tokens, as a
    unit vector: 2 D numbers. The head takes the mean of its language off and maps it
    (:func:`align.mapping.lexical_head.lexical_head`). A language that it has no pairs of, or has never heard of, goes
    through the map of all languages; one with a vocabulary has a mean of its own.

    Args:
        model: what :func:`align.load_encoder` takes, or an encoder; its own pooling is not asked.
        dictionaries: a table that ``align pairs synonyms`` wrote, or what :func:`align.synonym_pairs` takes.
        out: the folder; an older head there is replaced.
        vocabularies: words of languages, the candidates of the loss beside those of the dictionaries; ``None``: these
            alone. Means are of them.
        exclude: test dictionaries, of which no pair may hold a word; not with a table, which was made without.
        lower: words in lower case.
        options: of the training.
        save: folder for the whole encoder with the map of all languages as a Dense of sentence-transformers.
        progress: show bars.
        load: further options of :func:`align.load_encoder`: prompt, bf16, device, ...

    Raises:
        InputError: no pair is left, an encoder that takes offsets off or has modules after its pooling, one to be
            saved whose weights are rounded to bfloat16, or as the functions that read, encode and write.
    """
    options = options or HeadOptions()
    with writing(out, kind=KIND):
        words, pairs, counts = _words(dictionaries, vocabularies or {}, exclude, lower)
        encoder = for_words(model, **load)
        if save is not None and next(encoder.parameters()).dtype != torch.float32:
            raise InputError("the encoder that is saved keeps its float32 weights: save it without bf16")
        vectors = {code: encoder.encode(list(rows), language=code, progress=progress) for code, rows in words.items()}
        listed = {code: len(dict.fromkeys(_cased(of, code, lower))) for code, of in (vocabularies or {}).items()}
        means = {code: x[: listed.get(code) or len(x)].mean(axis=0) for code, x in vectors.items()}
        with tqdm(total=options.steps, unit="step", disable=not progress) as bar:
            fit = lexical_head(vectors, pairs, options, means=means, progress=bar.update)
        made = _write(Path(out), fit, encoder, words, listed, counts, options)
    if save is not None:
        save_encoder(with_shared_map(encoder, made), save)
    return made


def for_words(model: Encoder | str | Path, **load: Any) -> Encoder:
    """The encoder that gives the vectors a head is trained on.

    Raises:
        InputError: an encoder that takes offsets off, or has modules after its pooling.
    """
    encoder = given_encoder(model, load)
    if encoder.offsets is not None or len(encoder.tail):
        what = "takes offsets off" if encoder.offsets is not None else "has modules after its pooling"
        raise InputError(f"a head is of an encoder as it pools: this one {what}")
    pooling = replace(encoder.pooling, kind="mean", special_tokens=False, average_layers=False, with_average=True)
    made = copy(encoder)  # of the same weights
    made.pooling, made.unit = pooling, True
    if encoder.route is not None:
        made.route = copy(encoder.route)
        made.route.encoder = for_words(encoder.route.encoder)
    return made


def with_shared_map(encoder: Encoder, head: Offsets) -> Encoder:
    """The encoder with the map of all languages, after the mean of all offsets is taken off, as its own last modules.

    Args:
        encoder: what :func:`for_words` gives.
        head: one trained on it.
    """
    assert head.maps is not None
    map_of_all, mean = torch.from_numpy(head.maps[0]), torch.from_numpy(head.rows.mean(axis=0))
    dense = Dense(
        len(mean), len(mean), activation_function=nn.Identity(), init_weight=map_of_all.T.contiguous(),
        init_bias=-mean @ map_of_all,
    )  # fmt: skip
    made = Encoder(
        encoder.model, encoder.tokenizer, encoder.pooling, tail=[Normalize(), dense], prompt=encoder.prompt,
        prompts=encoder.prompts, max_tokens=encoder.max_tokens,
    )  # fmt: skip
    made.card, made.similarity, made.fallback = encoder.card, encoder.similarity, encoder.fallback
    return made.to(encoder.device).eval()


def _words(
    dictionaries: Any, vocabularies: Words, exclude: Sequence[Path | str], lower: bool
) -> tuple[dict[str, dict[str, int]], Pairs, dict[str, Any]]:
    """Words of each language by row, those of the vocabulary first; pairs of rows; and what was counted."""
    filters = WordFilters(max_words=1, case="lower" if lower else "keep")
    given, manifest = word_pairs(dictionaries, exclude=exclude, filters=filters)
    counts: dict[str, Any] = {name: manifest[name] for name in ("rejects", "excluded")} if manifest else {}
    words = {
        code: {w: i for i, w in enumerate(dict.fromkeys(_cased(of, code, lower)))} for code, of in vocabularies.items()
    }
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    within = 0
    for source, target, one, other in given:
        if one == other:
            within += 1
            continue
        sides = []
        for word, code in ((source, one), (target, other)):
            known = words.setdefault(code, {})
            (cased,) = _cased([word], code, lower)
            sides.append(known.setdefault(cased, len(known)))
        found.setdefault((one, other), []).append((sides[0], sides[1]))
    if within:
        log.warning("%d pairs of two words of one language are left out: a head joins languages", within)
    if not found:
        raise InputError(f"no pair of words of two languages to learn a head from, and {within} of one language")
    pairs = {way: np.array(of, dtype=np.int64) for way, of in found.items()}
    counts |= {"pairs": {"-".join(way): len(of) for way, of in pairs.items()}, "within_a_language": within}
    return words, pairs, counts


def _cased(words: Sequence[str], code: str, lower: bool) -> list[str]:
    return [in_lower_case(word, code) for word in words] if lower else list(words)


def _write(
    out: Path, fit: HeadFit, encoder: Encoder, words: Mapping[str, Mapping[str, int]], listed: Mapping[str, int],
    counts: Mapping[str, Any], options: HeadOptions,
) -> Offsets:  # fmt: skip
    codes = sorted(fit.offsets)
    rows: NDArray[np.float32] = np.stack([fit.offsets[code] for code in codes]).astype(np.float32)
    maps: NDArray[np.float32] = np.stack([fit.shared, *(fit.own[code] for code in sorted(fit.own))])
    manifest = {
        "format": FORMAT, "method": HEAD, "encoder": encoder.identity(), "rows": codes, "maps": sorted(fit.own),
        "pooling": asdict(encoder.pooling), "options": asdict(options),
        "languages": {code: {"words": len(words[code]), "listed": listed.get(code, 0)} for code in codes},
        "loss": {"first": fit.losses[0], "last": float(np.mean(fit.losses[-10:]))}, **counts,
    }  # fmt: skip
    with whole_folder(out, kind=KIND) as folder:
        np.save(folder / ROWS, rows, allow_pickle=False)
        np.save(folder / MAPS, maps.astype(np.float32), allow_pickle=False)
        hashes = {"sha256": sha256(folder / ROWS), "maps_sha256": sha256(folder / MAPS)}
        write_json(folder / MANIFEST, manifest | hashes, sealed=True)
    return open_offsets(out)

"""A lexical head on a frozen encoder, beside the encoder itself and linear maps of a pair, on the same dictionaries.

    RUN='E5 --prompt "query: " --bf16 --to runs/head'
    python -m scripts.experiments.heads $RUN --dev --out docs/results/head-dev.json
    python -m scripts.experiments.heads $RUN --maps --out docs/results/head.json

The pairs are those of `words` (words.py): the training dictionaries of XLING, PanLex-BLI and English-Sinhala, without
the languages of ``UNSEEN``, and without any pair that holds a word of a test set or of the dev part. The words of a
language are the first --candidates of its list, which are asked about, and those of its pairs. They are encoded once,
and kept in the folder ``vectors`` of --to. Measured are XLING both ways, PanLex-BLI (by NN alone) and English-Sinhala,
or the dev part (--dev), with 95 % intervals by source word, and Multi-SimLex. With --maps Procrustes, RCSLS and VecMap
map each two languages of XLING and English-Sinhala by their own pairs. --languages leaves the others out, --only the
other test sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from align.encoders.encoder import Encoder
from align.mapping import fit_procrustes, rcsls, vecmap
from align.mapping.lexical_head import HeadFit, HeadOptions, lexical_head
from align.mapping.word_head import for_words
from align.similarity.cosine import normalize
from align.tasks import BLI_PROTOCOLS, Dictionary, bli_pairs, read_wordsim
from align.tasks.bli.score import BliScore
from align.tasks.statistics.intervals import macro_interval
from align.tasks.wordsim import wordsim
from scripts.bench.harness import Row, command_line
from scripts.experiments import words
from scripts.experiments.plans import PLANS

Array = NDArray[np.float32]
Encode = Callable[[Sequence[str], str], Array]
MAPS: dict[str, Callable[..., Any]] = {
    "Procrustes": lambda x, y, pairs: fit_procrustes(x, y, pairs, normalization="unit,center,unit"),
    "RCSLS": rcsls,
    "VecMap": vecmap,
}


def heads(
    model: str, *, prompt: str | None = None, to: Path = Path("runs/head"), table: Path = Path("runs/table"),
    candidates: int = 10_000, seeds: Sequence[int] = (0, 1, 2), set: Sequence[str] = (), languages: Sequence[str] = (),
    kinds: Sequence[str] = ("shared", "own"), dev: bool = False, maps: bool = False, no_csls: bool = False,
    bf16: bool = False, only: Sequence[str] = (),
) -> Row:  # fmt: skip
    pairs_table, facts = words.word_pairs(PLANS["words"] | {"table": str(table), "freedict": ""}, to)
    encoder = for_words(model, prompt=prompt)
    known = [code for code in words.CODES.values() if not languages or code in languages]
    lists = {code: lower(words.vocabulary(code, candidates)) for code in known}
    rows, pairs = with_words_of(pairs_table, lists)
    vectors = {code: kept_vectors(encoder, code, [*of], to / "vectors", bf16) for code, of in rows.items()}
    means = {code: vectors[code][: len(lists[code])].mean(axis=0) for code in lists}
    half = encoder.dimension // 2
    spaces: dict[str, Any] = {
        "untouched": {code: x[:, :half] for code, x in vectors.items()},
        "centred [last ; mean of layers]": {code: x - means[code] for code, x in vectors.items()},
    }
    seconds: dict[str, float] = {}
    for kind in kinds:
        for seed in seeds:
            given = {key: float(value) for key, _, value in (one.partition("=") for one in set)}
            whole = {key: int(v) if key in ("steps", "batch") else v for key, v in given.items()}
            options = HeadOptions(own_maps=kind == "own", seed=seed, **whole)
            began = time.process_time()
            fit = lexical_head(vectors, pairs, options, means=means)
            seconds[f"{kind} {seed}"] = round(time.process_time() - began, 1)
            spaces[f"head, {kind}, seed {seed}"] = {code: fit(x, code) for code, x in vectors.items()}
            spaces[f"likeness, {kind}, seed {seed}"] = fit
    tests = {"dev": words.dev_part(words.training_dictionaries(table / "panlex"))} if dev else words.test_dictionaries()
    result: Row = {
        "candidates": candidates,
        "options": list(set),
        "languages": known,
        "train_seconds": seconds,
        **facts,
    }
    del result["pairs"]["excluded"]  # by path
    result["pairs_used"] = sum(map(len, pairs.values()))
    for name, several in tests.items():
        if only and name not in only:
            continue
        several = [one for one in several if {*one.languages} <= {*known}]
        protocol = replace(BLI_PROTOCOLS["muse" if name == "sinhala" else "xling"], candidates=candidates)
        protocol = replace(protocol, candidates=4000) if dev else protocol
        if name == "panlex" or no_csls:
            protocol = replace(protocol, methods=("NN",), headline="NN P@1")
        for system, space in spaces.items():
            if several and not isinstance(space, HeadFit):
                found = bli_pairs(looked_up(space, rows), several, lists, protocol=protocol, per_word=True)
                result.setdefault(name, {})[system] = means_of(found.scores)
                print(name, system, result[name][system], flush=True)
        if maps and name != "panlex":
            result.setdefault(name, {}).update(mapped(vectors, half, rows, pairs, several, lists, protocol))
    if not dev and not languages:
        result["likeness"] = likeness(encoder, spaces, half, to / "vectors", bf16)
    return result


def lower(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.lower() for word in given))


def with_words_of(table: Any, lists: dict[str, tuple[str, ...]]) -> tuple[dict[str, dict[str, int]], Any]:
    """Rows of words by language, those of the lists first, then those of pairs; and the pairs as rows."""
    rows = {code: {word: i for i, word in enumerate(of)} for code, of in lists.items()}
    pairs: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in table:
        codes = row["source_lang"], row["target_lang"]
        if codes[0] in rows and codes[1] in rows:
            sides = [rows[code].setdefault(row[side], len(rows[code])) for code, side in
                     zip(codes, ("source", "target"), strict=True)]  # fmt: skip
            pairs.setdefault(codes, []).append((sides[0], sides[1]))
    return rows, {codes: np.array(of) for codes, of in pairs.items()}


def kept_vectors(encoder: Encoder, name: str, texts: Sequence[str], folder: Path, bf16: bool) -> Array:
    """Vectors of words, from the folder if they are there: of the same words, by the same encoder."""
    file, said = folder / f"{name}.npy", folder / f"{name}.txt"
    about = "\n".join([encoder.fingerprint(), encoder.prompt, *texts])
    if not (file.is_file() and said.is_file() and said.read_text(encoding="utf-8") == about):
        folder.mkdir(parents=True, exist_ok=True)
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
            np.save(file, encoder.encode(texts).astype(np.float16))
        said.write_text(about, encoding="utf-8")
    found: Array = np.load(file).astype(np.float32)
    return found


def looked_up(space: dict[str, Array], rows: dict[str, dict[str, int]]) -> Encode:
    return lambda texts, code: space[code][[rows[code][text] for text in texts]]


def means_of(scores: Sequence[BliScore]) -> Row:
    """P@1 by NN and by CSLS over all directions, trained and not trained, with intervals, and without copies."""
    unseen = [one for one in scores if {one.source, one.target} & {*words.UNSEEN}]
    groups = {"all": scores, "trained": [one for one in scores if one not in unseen], "not trained": unseen}
    return {group: mean_of(of) for group, of in groups.items() if of}


def mean_of(scores: Sequence[BliScore]) -> Row:
    found: Row = {"directions": len(scores)}
    for method in scores[0].methods:
        words_of = [[word for word in score.words or () if word.ranks] for score in scores]
        items = [[int(word.ranks[method] <= 1) for word in of] for of in words_of]
        lines = [[f"{s.source} {word.source}" for word in of] for s, of in zip(scores, words_of, strict=True)]
        without = [one for s in scores if (one := s.methods[method].without_identical) is not None]
        found[method] = round(float(np.mean([s.methods[method].metrics["P@1"] for s in scores])), 4)
        found[f"{method} interval"] = [round(end, 4) for end in macro_interval(items, lines=lines)]
        found[f"{method} without copies"] = round(float(np.mean(without)), 4)
    return found


def mapped(
    vectors: dict[str, Array], half: int, rows: Any, pairs: Any, several: Sequence[Dictionary], lists: Any,
    protocol: Any,
) -> Row:  # fmt: skip
    """The methods of ``MAPS`` on untouched vectors and on [last ; mean of layers], each direction by its own pairs."""
    found: Row = {}
    for part in ("untouched", "[last ; mean of layers]"):
        for name, fit_of in MAPS.items():
            began, scores = time.process_time(), []
            for one in several:
                source, target = one.languages
                own = [pairs[(source, target)]] if (source, target) in pairs else []
                own += [pairs[(target, source)][:, ::-1]] if (target, source) in pairs else []
                if not own:
                    continue
                sides = [
                    normalize(vectors[code][:, :half] if part == "untouched" else vectors[code])
                    for code in (source, target)
                ]
                fit = fit_of(*sides, np.concatenate(own))
                space = {source: fit.source(sides[0]), target: fit.target(sides[1])}
                scores += bli_pairs(looked_up(space, rows), [one], lists, protocol=protocol, per_word=True).scores
            if scores:
                found[f"{name}, {part}"] = means_of(scores) | {"seconds": round(time.process_time() - began, 1)}
                print(name, part, found[f"{name}, {part}"]["all"], flush=True)
    return found


def likeness(encoder: Encoder, spaces: dict[str, Any], half: int, folder: Path, bf16: bool) -> Row:
    """Mean of Spearman's rho over the cross-lingual sets of Multi-SimLex."""
    sets = read_wordsim(words.files("multisimlex"))
    texts: dict[str, dict[str, None]] = {}
    for one in sets.values():
        for code, side in zip(one.languages, (one.first, one.second), strict=True):
            texts.setdefault(code, {}).update(dict.fromkeys(side))
    kept = {code: kept_vectors(encoder, f"{code}.likeness", [*of], folder, bf16) for code, of in texts.items()}
    place = {code: {text: i for i, text in enumerate(of)} for code, of in texts.items()}
    systems: dict[str, Callable[[Array, str], Array]] = {"untouched": lambda x, code: x[:, :half]}
    systems |= {name.replace("likeness", "head"): fit for name, fit in spaces.items() if isinstance(fit, HeadFit)}
    found: Row = {}
    for name, of in systems.items():
        result = wordsim(lambda given, code: of(kept[code][[place[code][t] for t in given]], code), sets)  # noqa: B023
        found[name] = round(float(np.mean([score.spearman for score in result.scores])), 4)
        print("likeness", name, found[name], flush=True)
    return found


if __name__ == "__main__":
    command_line(heads)

"""Synonym pairs on an encoder: word translation and word similarity, in trained and other languages.

Trains on the training dictionaries of XLING, PanLex-BLI and the English-Sinhala set, and of FreeDict between their
languages, in lower case, without the languages ``UNSEEN``, and without any pair that holds a word of a test set (XLING,
PanLex-BLI, Sinhala, Multi-SimLex) or of the dev part (300 source words each of seven training dictionaries, two of them
of an unseen language). Measured on all test sets, among the first words of each vocabulary.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from align import read_pairs, synonym_pairs
from align.files.whole import read_json
from align.mapping import fit_procrustes
from align.pairs import Lexicon, WordFilters
from align.tasks import (
    BLI_PROTOCOLS,
    Dictionary,
    Result,
    bli_pairs,
    combine,
    read_dictionary,
    read_vocabulary,
    read_wordsim,
)  # fmt: skip
from align.tasks.bli import bli
from align.tasks.bli.score import BliScore
from align.tasks.wordsim import wordsim
from scripts.bench.harness import data
from scripts.experiments.plans import LANGUAGES, Encode

CODES = LANGUAGES["words"]
UNSEEN = ("cat_Latn", "lit_Latn", "tha_Thai")
DEV = ("en-de", "en-fi", "it-fr", "bg-hu", "ko-tr", "lt-no", "ca-th")
DEV_WORDS = 300
METRICS = ("P@1", "MRR")


def languages(name: str) -> tuple[str, str]:
    """Codes in a file name: ``yacle.train.freq.5k.en-de.tsv``, ``bg-ca.train.5000.cc.trans``, ``wiki_en-si_...``."""
    parts = name.replace("_", ".").split(".")
    one, two = next(part for part in parts if len(part) == 5 and part[2] == "-").split("-")
    return CODES[one], CODES[two]


def files(pattern: str) -> list[Path]:
    return sorted((data() / "bli").glob(pattern))


def word_pairs(plan: dict[str, Any], to: Path) -> tuple[Any, dict[str, Any]]:
    """The pairs, made below the plan's ``table`` where they are missing, and what their manifest says of them."""
    out = Path(plan["table"])
    training = training_dictionaries(out / "panlex")
    (out / "dev").mkdir(parents=True, exist_ok=True)
    for one in dev_part(training):
        lines = "".join(f"{source}\t{target}\n" for source, target in one.pairs)
        (out / "dev" / f"{'-'.join(one.languages)}.tsv").write_text(lines, encoding="utf-8")
    lexicons = [Lexicon(file, "dictionary", languages(file.name)) for file in training]
    lexicons = [one for one in lexicons if not set(one.languages) & set(UNSEEN)]
    if plan["freedict"]:
        seen = {code[:3]: code for code in CODES.values() if code not in UNSEEN} | {"nor": CODES["no"]}
        for path in sorted(Path(plan["freedict"]).glob("freedict-*.index")):
            codes = tuple(seen.get(code, "") for code in path.stem.removeprefix("freedict-").split("-"))
            lexicons += [Lexicon(path, "freedict", codes)] if all(codes) else []
    if not (out / "pairs").is_dir():
        tests = files("xling/*/*.test.*.tsv") + files("panlex/test") + files("sinhala/*_testset_*.txt")
        filters = WordFilters(max_words=1, case="lower")
        synonym_pairs(lexicons, out / "pairs", exclude=[*tests, *files("multisimlex"), out / "dev"], filters=filters)
    manifest = read_json(out / "pairs" / "manifest.json")
    kept = {key: manifest[key] for key in ("rows", "rejects", "excluded", "identical_pairs")}
    return read_pairs(out / "pairs"), {"pairs": kept}


def training_dictionaries(panlex: Path) -> list[Path]:
    """Files of the training dictionaries; those of PanLex are unpacked."""
    if not panlex.is_dir():
        with tarfile.open(data() / "bli" / "panlex" / "train.5000.all210.tar.xz") as packed:
            packed.extractall(panlex, filter="data")
    others = files("xling/*/*.train.freq.5k.*.tsv") + files("sinhala/wiki_*_trainset_*.txt")
    return sorted([*others, *panlex.rglob("*.trans")])


def dev_part(training: Sequence[Path]) -> list[Dictionary]:
    """The lines of 300 source words of some dictionaries, drawn once for all."""
    found = []
    for name in DEV:
        path = next(file for file in training if f"{name}." in file.name or file.name.endswith(f".{name}.tsv"))
        whole = read_dictionary(path, languages(path.name))
        sources = list(dict.fromkeys(source for source, _ in whole.pairs))
        drawn = {sources[row] for row in np.random.default_rng(0).permutation(len(sources))[:DEV_WORDS]}
        found.append(replace(whole, pairs=tuple(pair for pair in whole.pairs if pair[0] in drawn)))
    return found


def test_dictionaries() -> dict[str, list[Dictionary]]:
    """Directions of each test set, by its name: XLING both ways, PanLex and Sinhala as they are given."""
    xling = [path for path in files("xling/*/*.test.*.tsv") if "fr-en" not in path.name]
    paths = {"xling": xling, "panlex": files("panlex/test/*"), "sinhala": files("sinhala/wiki_*_testset_*.txt")}
    found = {name: [read_dictionary(path, languages(path.name)) for path in of] for name, of in paths.items()}
    found["xling"] += [one.reversed() for one in found["xling"]]
    return found


def measure(plan: dict[str, Any], encode: Encode) -> dict[str, Any]:
    """P@1 and MRR of each direction, and Spearman's rho of each Multi-SimLex set."""
    found: dict[str, Any] = {"bli": {}}
    if plan["procrustes"]:
        found["procrustes"] = {}
        pairs = pairs_by_direction(Path(plan["table"], "pairs"))
    table = Path(plan["table"])
    dev = {"dev": dev_part(training_dictionaries(table / "panlex"))} if plan["dev"] else None
    for name, several in (dev or test_dictionaries()).items():
        protocol = replace(BLI_PROTOCOLS["muse" if name == "sinhala" else "xling"], candidates=plan["candidates"])
        words = {code: vocabulary(code, plan["candidates"]) for one in several for code in one.languages}
        found["bli"][name] = scores(bli_pairs(encode, several, words, protocol=protocol))
        print(name, found["bli"][name]["mean"], flush=True)
        if plan["procrustes"]:  # directions without training pairs are left out
            mapped = []
            for one in (one for one in several if one.languages in pairs):
                lists = [words[code] for code in one.languages]
                source, target = maps(encode, pairs[one.languages], one.languages, lists)
                mapped.append(bli(source, one, *lists, encode_target=target, protocol=protocol))
            whole = combine(mapped)
            found["procrustes"][name] = scores(whole)
    if not plan["dev"]:
        result = wordsim(encode, read_wordsim(files("multisimlex")))
        rhos = {score.name: round(score.spearman, 4) for score in result.scores}
        found["wordsim"] = {"mean": round(float(np.mean(list(rhos.values()))), 4), "sets": rhos}
    return found


def vocabulary(code: str, candidates: int) -> tuple[str, ...]:
    name = next(name for name, known in CODES.items() if known == code)
    (path,) = files("sinhala/wiki.si.vec_words.txt.gz") if name == "si" else files(f"vocab/{name}_vocab.txt.gz")
    return tuple(read_vocabulary(path)[:candidates])


def scores(result: Result[BliScore]) -> dict[str, Any]:
    """Of each direction, and means over all, those of trained languages, and those with one that was not trained."""
    rows: dict[str, dict[str, Any]] = {}
    for score in result.scores:
        row = rows[f"{score.source}-{score.target}"] = {"covered": score.covered, "of": score.units}
        for method, one in score.methods.items():
            row |= {f"{method} {metric}": round(one.metrics[metric], 4) for metric in METRICS}
            row[f"{method} without copies"] = one.without_identical
    unseen = {name for name in rows if set(name.split("-")) & set(UNSEEN)}
    groups = {"all": set(rows), "trained": set(rows) - unseen, "not trained": unseen}
    names = [f"{method} {metric}" for method in ("NN", "CSLS") for metric in (*METRICS, "without copies")]
    return {"directions": rows, "mean": {
        group: {m: round(float(np.mean([rows[n][m] for n in of if rows[n][m] is not None])), 4) for m in names}
        for group, of in groups.items() if of
    }}  # fmt: skip


def pairs_by_direction(table: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in read_pairs(table):
        codes, words = (row["source_lang"], row["target_lang"]), (row["source"], row["target"])
        found.setdefault(codes, []).append(words)
        found.setdefault(codes[::-1], []).append(words[::-1])
    return found


def maps(
    encode: Encode, pairs: Sequence[tuple[str, str]], codes: tuple[str, str], lists: Sequence[Sequence[str]]
) -> tuple[Encode, Encode]:
    """Encoders into the space that Procrustes makes of the pairs; centred by the means of the vocabularies."""
    sides = zip(*pairs, strict=True)
    x, y = (np.concatenate([encode(words), encode(side)]) for words, side in zip(lists, sides, strict=True))
    rows = np.arange(len(pairs))
    seed = np.stack([rows + len(lists[0]), rows + len(lists[1])], axis=1)
    fit = fit_procrustes(x, y, seed, normalization="unit,center,unit")
    return lambda words, code: fit.source(encode(words, code)), lambda words, code: fit.target(encode(words, code))

"""Pairs and measures of the experiments on sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from align import nli_pairs, read_pairs, sts_pairs, translation_pairs
from align.similarity.ranks import gold_ranks
from align.tasks import precision_at, read_sts
from align.tasks.sts import sts
from align.text.languages import latin
from align.text.romanize.romanizer import romanize
from scripts.bench.harness import data
from scripts.experiments.plans import LANGUAGES, TICO_TRAIN, Encode, lines, romanised

Plan = dict[str, Any]
Found = dict[str, Any]
DEV = ("hi", "bn", "mr", "ta", "ur", "ne", "km", "my", "am", "ar", "fa", "ru", "zh", "sw")  # of TICO-19
SIB = (
    "hin_Deva", "ben_Beng", "guj_Gujr", "kan_Knda", "mal_Mlym", "mar_Deva", "pan_Guru", "sin_Sinh", "tam_Taml",
    "tel_Telu", "urd_Arab", "khm_Khmr", "rus_Cyrl", "arb_Arab", "zho_Hans", "tha_Thai", "deu_Latn", "swh_Latn",
    "tur_Latn", "jpn_Jpan",
)  # fmt: skip
CROSS = ("en", "hi", "ru", "tr", "zh")  # scripts and families apart


def p1(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> float:
    return precision_at(gold_ranks(queries, candidates), 1)


def barrier_pairs(plan: Plan, to: Path) -> tuple[Any, Found]:
    """Sentences and words of Dakshina with their romanisation, and translations of TICO-19."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, str]] = []

    def add(pairs: Sequence[tuple[str, str]], source: str, target: str, kind: str, groups: Sequence[str]) -> None:
        about = {"source_lang": source, "target_lang": target, "kind": kind}
        rows.extend(about | {"source": x, "target": y, "group_id": g} for (x, y), g in zip(pairs, groups, strict=True))

    for code, language in LANGUAGES["dakshina"].items():
        lexicon = [line.split("\t")[:2] for line in lines("dakshina", "lexicons", f"{code}.train.tsv")[1:]]
        words = [(lexicon[i][0], lexicon[i][1]) for i in rng.permutation(len(lexicon))[: plan["words"]]]
        pairs = romanised(code, "train")[: plan["sentences"]]
        if plan["uroman"]:
            words, pairs = (
                list(zip(native, romanize(native, lang=language), strict=True))
                for native in ([source for source, _ in some] for some in (words, pairs))
            )
        roman = latin(language)
        add(pairs, language, roman, "transliteration", [f"{code}:{i}" for i in range(len(pairs))])
        add(words, language, roman, "lexicon", [f"word:{native}" for native, _ in words])
    english, tico = lines("tico19", "en.txt"), LANGUAGES["tico19"]
    texts = {name: lines("tico19", f"{name}.txt") for name in tico}
    every = [(name, i) for name in tico for i in range(TICO_TRAIN)]
    for name, i in (every[j] for j in rng.permutation(len(every))[: plan["translations"]]):
        if texts[name][i].strip() and english[i].strip():
            add([(english[i], texts[name][i])], "eng_Latn", tico[name], "translation", [f"tico:{i}"])
    return Dataset.from_list(rows), {}


def barrier(plan: Plan, encode: Encode) -> Found:
    """P@1 of each language native to roman and back, and of translations to English."""
    script = {}
    for code, language in LANGUAGES["dakshina"].items():
        native, roman = map(encode, zip(*romanised(code, "dev" if plan["dev"] else "test"), strict=True))
        script[language] = (p1(native, roman), p1(roman, native))
    ways = zip(("native_to_roman", "roman_to_native"), zip(*script.values(), strict=True), strict=True)
    means: Found = {name: mean(values) for name, values in ways}
    if plan["script_only"]:
        return means | {"script": script}
    if plan["dev"]:
        english = encode(lines("tico19", "en.txt")[TICO_TRAIN:])
        scores = {
            LANGUAGES["tico19"][name]: p1(encode(lines("tico19", f"{name}.txt")[TICO_TRAIN:]), english) for name in DEV
        }
    else:
        scores = sib200(encode)
    return means | {"script": script, "translation": mean(scores.values()), "translation_by_language": scores}


def sib200(encode: Encode) -> dict[str, float]:
    """P@1 of each language to English."""
    english = encode(lines("sib200", "eng_Latn.txt"))
    return {code: p1(encode(lines("sib200", f"{code}.txt")), english) for code in SIB}


def parallel_pairs(plan: Plan, to: Path) -> tuple[Any, Found]:
    """Translation pairs of both corpora below ``to``."""
    texts = to / "tico"
    texts.mkdir(parents=True, exist_ok=True)
    for name, code in {"en": "eng_Latn", **LANGUAGES["tico19"]}.items():
        kept = lines("tico19", f"{name}.txt")[:TICO_TRAIN]
        (texts / f"{code}.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    translation_pairs(texts, to / "tico-pairs", licence="CC0 1.0")
    bible = {"eng": "eng_Latn", **LANGUAGES["bible"]}
    verses = {code: data() / "bible" / f"{name}.txt" for name, code in bible.items()}
    translation_pairs(verses, to / "bible-pairs", licence="public domain")
    return {name: read_pairs(to / f"{name}-pairs") for name in ("tico", "bible")}, {}


def parallel(plan: Plan, encode: Encode) -> Found:
    """P@1 of each language to English, on Tatoeba and on SIB-200; means over those with training pairs, and others."""
    trained = {*LANGUAGES["tico19"].values(), *LANGUAGES["bible"].values()}
    found: Found = {"tatoeba": {}, "sib200": sib200(encode)}
    for name, code in LANGUAGES["tatoeba"].items():
        sides = (lines("tatoeba", f"tatoeba.{name}-eng.{side}") for side in (name, "eng"))
        found["tatoeba"][code] = p1(*map(encode, sides))
    means = {}
    for part, of in found.items():
        groups = {"all": of, "trained": trained & of.keys(), "not trained": of.keys() - trained}
        means[part] = {group: mean(of[code] for code in codes) for group, codes in groups.items()}
    return found | {"means": means}


def nli_sts_pairs(plan: Plan, to: Path) -> tuple[Any, Found]:
    """NLI: SNLI (English, dev and test rows), IndoNLI, FarsTail, JNLI, KLUE, OCNLI; STS: all but the test sets."""
    for kind, folder, build in (("nli", data() / "nli", nli_pairs), ("sts", data() / "sts" / "stsb", sts_pairs)):
        files: dict[str, list[Path]] = {}
        for path in sorted(folder.glob("*.tsv")):
            if kind == "nli" or ".test." not in path.name:
                files.setdefault(LANGUAGES["stages"][path.name.partition(".")[0]], []).append(path)
        build(files, to / kind)
    return {kind: read_pairs(to / kind) for kind in ("nli", "sts")}, {}


def nli_sts(plan: Plan, encode: Encode) -> Found:
    """Spearman's rho per language, and of every two of ``CROSS``."""
    every = read_sts(data() / "sts" / "stsb")
    cross = sts(encode, {name: every[name] for name in CROSS}, cross=True)
    others = sts(encode, {name: one for name, one in every.items() if name not in CROSS})
    languages = {
        score.name: round(score.spearman, 4) for score in (*cross.scores, *others.scores) if score.first == score.second
    }
    across = {score.name: round(score.spearman, 4) for score in cross.scores if score.first != score.second}
    means = {"languages": round(mean(languages.values()), 4), "across": round(mean(across.values()), 4)}
    return {"mean": means, "languages": dict(sorted(languages.items())), "across": across}

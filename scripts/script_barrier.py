"""Native and romanised text, and what is forgotten for it: the experiment on a real encoder behind docs/results.md.

    ALIGN_DATA=/path/to/data python scripts/script_barrier.py MODEL --prompt "query: " --recipe transliteration \
        --translations 6000 --out runs/barrier

Trains on half of Dakshina's sentences (even rows; 12 South Asian languages), optionally on its lexicons and on
translation pairs of TICO-19 (a rehearsal of what the encoder knows), and evaluates on the other half, both directions,
among 1,000 candidates per language; and on SIB-200, 20 languages to English, which no choice was made on. Choices are
made on the dev part: the last 200 pairs per language of the training half, and the last quarter of TICO-19 (--dev).
CPU seconds of training count every process and thread, starting vectors included.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset

import align
from align.encoders.encoder import Encoder
from align.files.whole import write_json
from align.similarity.cosine import gold_ranks
from align.tasks import precision_at

SCRIPTS = {
    "bn": "ben_Beng", "gu": "guj_Gujr", "hi": "hin_Deva", "kn": "kan_Knda", "ml": "mal_Mlym", "mr": "mar_Deva",
    "pa": "pan_Guru", "sd": "snd_Arab", "si": "sin_Sinh", "ta": "tam_Taml", "te": "tel_Telu", "ur": "urd_Arab",
}  # fmt: skip
TICO = {
    "am": "amh_Ethi", "ar": "arb_Arab", "bn": "ben_Beng", "ckb": "ckb_Arab", "es-LA": "spa_Latn", "fa": "pes_Arab",
    "fr": "fra_Latn", "ha": "hau_Latn", "hi": "hin_Deva", "id": "ind_Latn", "km": "khm_Khmr", "ku": "kmr_Latn",
    "ln": "lin_Latn", "mr": "mar_Deva", "ms": "zsm_Latn", "my": "mya_Mymr", "ne": "npi_Deva", "om": "gaz_Latn",
    "prs": "prs_Arab", "ps": "pbt_Arab", "pt-BR": "por_Latn", "ru": "rus_Cyrl", "rw": "kin_Latn", "so": "som_Latn",
    "sw": "swh_Latn", "ta": "tam_Taml", "ti": "tir_Ethi", "tl": "tgl_Latn", "ur": "urd_Arab", "zh": "zho_Hans",
    "zu": "zul_Latn",
}  # fmt: skip
SIB = [
    "hin_Deva",
    "ben_Beng",
    "guj_Gujr",
    "kan_Knda",
    "mal_Mlym",
    "mar_Deva",
    "pan_Guru",
    "sin_Sinh",
    "tam_Taml",
    "tel_Telu",
    "urd_Arab",
    "khm_Khmr",
    "rus_Cyrl",
    "arb_Arab",
    "zho_Hans",
    "tha_Thai",
    "deu_Latn",
    "swh_Latn",
    "tur_Latn",
    "jpn_Jpan",
]
DEV_PAIRS, TICO_TRAIN = 200, 768


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")


def romanised(data: Path, code: str, part: str) -> list[tuple[str, str]]:
    """(native, roman) sentences of one part: train, dev or test."""
    rows = [tuple(line.split("\t")) for line in lines(data / "dakshina" / "sentences" / f"{code}.dev.tsv")[1:]]
    half = rows[::2]
    chosen = {"train": half[:-DEV_PAIRS], "dev": half[-DEV_PAIRS:], "test": rows[1::2]}[part]
    return [(native, roman) for native, roman in chosen]


def training_pairs(
    data: Path, *, sentences: int | None, words: int, translations: int, uroman: bool, seed: int
) -> Dataset:
    """``sentences`` (None: all) and ``words`` of the lexicon of each language, ``translations`` of TICO-19 in all."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, str]] = []

    def add(pairs: Sequence[tuple[str, str]], source: str, target: str, kind: str, groups: Sequence[str]) -> None:
        keys = ("source", "target", "source_lang", "target_lang", "kind", "group_id")
        rows.extend(
            dict(zip(keys, (*p, source, target, kind, g), strict=True)) for p, g in zip(pairs, groups, strict=True)
        )

    for code, language in SCRIPTS.items():
        latin = language.split("_")[0] + "_Latn"
        pairs = romanised(data, code, "train")[:sentences]
        lexicon = [line.split("\t")[:2] for line in lines(data / "dakshina" / "lexicons" / f"{code}.train.tsv")[1:]]
        chosen = [(lexicon[i][0], lexicon[i][1]) for i in rng.permutation(len(lexicon))[:words]]
        if uroman:
            pairs, chosen = by_uroman(pairs, language), by_uroman(chosen, language)
        add(pairs, language, latin, "transliteration", [f"{code}:{i}" for i in range(len(pairs))])
        add(chosen, language, latin, "lexicon", [f"word:{native}" for native, _ in chosen])
    english = lines(data / "tico19" / "en.txt")
    every = [(name, i) for name in TICO for i in range(TICO_TRAIN)]
    texts = {name: lines(data / "tico19" / f"{name}.txt") for name in TICO}
    for j in rng.permutation(len(every))[:translations]:
        name, i = every[j]
        if texts[name][i].strip() and english[i].strip():
            add([(english[i], texts[name][i])], "eng_Latn", TICO[name], "translation", [f"tico:{i}"])
    return Dataset.from_list(rows)


def by_uroman(pairs: Sequence[tuple[str, str]], language: str) -> list[tuple[str, str]]:
    """The native sides with uroman's romanisation in the place of people's."""
    from align.text.romanize.romanizer import romanize

    native = [source for source, _ in pairs]
    return list(zip(native, romanize(native, lang=language), strict=True))


def p1(queries: np.ndarray, candidates: np.ndarray) -> float:
    return precision_at(gold_ranks(queries, candidates), 1)


def script_scores(encoder: Encoder, data: Path, part: str) -> dict[str, tuple[float, float]]:
    """Language -> P@1 native to roman, roman to native."""
    scores = {}
    for code, language in SCRIPTS.items():
        native, roman = (encoder.encode(side) for side in zip(*romanised(data, code, part), strict=True))
        scores[language] = (p1(native, roman), p1(roman, native))
        print(
            f"  {language} native->roman {scores[language][0]:.3f} roman->native {scores[language][1]:.3f}", flush=True
        )
    return scores


def translation_scores(encoder: Encoder, texts: Mapping[str, list[str]], english: list[str]) -> dict[str, float]:
    """Language -> P@1 of its lines among the English ones."""
    pivot = encoder.encode(english)
    return {language: p1(encoder.encode(side), pivot) for language, side in texts.items()}


def evaluate(encoder: Encoder, data: Path, *, dev: bool, script_only: bool) -> dict[str, object]:
    script = script_scores(encoder, data, "dev" if dev else "test")
    summary = {
        "native_to_roman": float(np.mean([a for a, _ in script.values()])),
        "roman_to_native": float(np.mean([b for _, b in script.values()])),
    }
    result: dict[str, object] = {"script": script}
    if not script_only:
        names = ("hi", "bn", "mr", "ta", "ur", "ne", "km", "my", "am", "ar", "fa", "ru", "zh", "sw")
        if dev:
            texts = {TICO[name]: lines(data / "tico19" / f"{name}.txt")[TICO_TRAIN:] for name in names}
            english = lines(data / "tico19" / "en.txt")[TICO_TRAIN:]
        else:
            texts = {language: lines(data / "sib200" / f"{language}.txt") for language in SIB}
            english = lines(data / "sib200" / "eng_Latn.txt")
        translation = translation_scores(encoder, texts, english)
        summary["translation"] = float(np.mean(list(translation.values())))
        result["translation_by_language"] = translation
    print(json.dumps(summary), flush=True)
    return summary | result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--prompt", default=None)
    parser.add_argument("--recipe", default="transliteration")
    parser.add_argument("--set", action="append", default=[], help="recipe settings, such as train.steps=100")
    parser.add_argument("--sentences", type=int, default=None, help="Dakshina sentences per language (default: all)")
    parser.add_argument("--words", type=int, default=0, help="lexicon entries per language")
    parser.add_argument("--translations", type=int, default=0, help="TICO-19 pairs in all")
    parser.add_argument("--uroman", action="store_true", help="train on uroman's romanisation, not on people's")
    parser.add_argument("--dev", action="store_true", help="evaluate on the dev parts")
    parser.add_argument("--script-only", action="store_true", help="do not evaluate translation")
    parser.add_argument("--before", action="store_true", help="evaluate the untouched encoder only")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = Path(os.environ["ALIGN_DATA"])
    encoder = align.load_encoder(args.model, prompt=args.prompt)
    result: dict[str, object] = {"settings": {k: str(v) for k, v in vars(args).items()}}
    if not args.before:
        recipe = align.load_recipe(args.recipe, changes=args.set)
        pairs = training_pairs(
            data, sentences=args.sentences, words=args.words, translations=args.translations, uroman=args.uroman,
            seed=recipe.train.seed,
        )  # fmt: skip
        began = time.process_time()
        facts = align.train(encoder, pairs, recipe, args.out / "model")
        result |= {"cpu_minutes": (time.process_time() - began) / 60, "summary": facts}
        print(f"training took {result['cpu_minutes']:.1f} CPU minutes", flush=True)
    result |= evaluate(encoder, data, dev=args.dev, script_only=args.script_only)
    write_json(args.out / ("dev.json" if args.dev else "test.json"), result)


if __name__ == "__main__":
    main()

"""NLI, then STS, on an encoder whose alignment is measured first: STS after each stage, per language and across them.

    ALIGN_DATA=/path/to/data python scripts/indicsbert.py seed --out runs/indicsbert
    ALIGN_DATA=/path/to/data python scripts/indicsbert.py E5 --prompt "query: " --out runs/indicsbert-e5

NLI: SNLI (English, dev and test rows), IndoNLI, FarsTail, JNLI, KLUE and OCNLI. STS: the English training set and the
dev sets of six languages. Evaluated on the STS benchmark's test sets in 16 languages, each with itself, and every two
of five languages. The recipe is `indicsbert`; --set changes it, `nli.train.steps=100` for one. CPU minutes count every
process and thread.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from numpy.typing import NDArray

import align
from align import nli_pairs, read_pairs, sts_pairs
from align.files.whole import write_json
from align.tasks import StsResult, read_sts
from align.tasks.sts import sts
from align.training.config import load_recipe

CODES = {
    "en": "eng_Latn", "fa": "pes_Arab", "id": "ind_Latn", "ja": "jpn_Jpan", "ko": "kor_Hang", "zh": "cmn_Hans",
    "hi": "hin_Deva", "ro": "ron_Latn", "ru": "rus_Cyrl", "tr": "tur_Latn",
}  # fmt: skip
CROSS = ("en", "hi", "ru", "tr", "zh")  # scripts and families apart


def tables(data: Path, out: Path) -> dict[str, Path]:
    """Pair tables of both stages below ``out``."""
    nli = {}
    for path in sorted((data / "nli").glob("*.tsv")):
        nli.setdefault(CODES[path.name.partition(".")[0]], []).append(path)
    nli_pairs(nli, out / "nli")
    scored = {}
    for path in sorted((data / "sts" / "stsb").glob("*.tsv")):
        if ".test." not in path.name:
            scored.setdefault(CODES[path.name.partition(".")[0]], []).append(path)
    sts_pairs(scored, out / "sts")
    return {"nli": out / "nli", "sts": out / "sts"}


def measure(encoder: align.Encoder, data: Path, bf16: bool) -> dict[str, object]:
    """Spearman per language, and of every two of ``CROSS``."""

    def encode(texts: Sequence[str], _: str) -> NDArray[np.float32]:
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
            return encoder.encode(texts)

    every = read_sts(data / "sts" / "stsb")
    cross: StsResult = sts(encode, {name: every[name] for name in CROSS}, cross=True, resamples=0)
    others: StsResult = sts(encode, {n: one for n, one in every.items() if n not in CROSS}, resamples=0)
    languages = {score.name: round(score.spearman, 4) for score in (*cross.scores, *others.scores)}
    across = {score.name: round(score.spearman, 4) for score in cross.across}
    means = {"languages": round(mean(languages.values()), 4), "across": round(mean(across.values()), 4)}
    return {"mean": means, "languages": dict(sorted(languages.items())), "across": across}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--prompt", default=None)
    parser.add_argument("--set", action="append", default=[], help="recipe settings, such as nli.train.steps=100")
    parser.add_argument(
        "--bf16", action="store_true", help="evaluate in bfloat16 (training: --set nli.train.bf16=true)"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = Path(os.environ["ALIGN_DATA"])
    paths = tables(data, args.out)
    recipe = load_recipe("indicsbert", changes=args.set)
    encoder = align.load_encoder(args.model, prompt=args.prompt)
    result: dict[str, object] = {"settings": {k: str(v) for k, v in vars(args).items()}}
    result["start"] = measure(encoder, data, args.bf16)
    print("start", result["start"], flush=True)
    for stage in recipe.stages:
        began = time.process_time()
        align.train(encoder, {stage.name: read_pairs(paths[stage.name])}, stage, args.out / f"after-{stage.name}")
        minutes = round((time.process_time() - began) / 60, 1)
        result[stage.name] = measure(encoder, data, args.bf16) | {"cpu_minutes": minutes}
        print(stage.name, result[stage.name], flush=True)
        write_json(args.out / "result.json", result)


if __name__ == "__main__":
    main()

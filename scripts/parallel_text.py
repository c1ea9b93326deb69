"""Parallel text on an encoder: translation retrieval before and after, in languages that were trained and others.

    ALIGN_DATA=/path/to/data python scripts/parallel_text.py seed --out runs/parallel
    ALIGN_DATA=/path/to/data python scripts/parallel_text.py seed --set tlm.weight=1 --out runs/parallel-tlm
    ALIGN_DATA=/path/to/data python scripts/parallel_text.py E5 --prompt "query: " --out runs/parallel-e5

Trains on TICO-19 (lines 1-768) and on verses in languages that TICO-19 lacks, each with English. Evaluated on Tatoeba,
the 36 languages of XTREME to English, and on SIB-200, 20 languages to English: P@1. No choice is made on either.
CPU minutes count every process and thread.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from script_barrier import SIB, TICO, TICO_TRAIN, lines, p1
from transformers import AutoTokenizer, BertForMaskedLM

import align
from align import read_pairs, translation_pairs
from align.encoders.encoder import Encoder
from align.files.whole import write_json

BIBLE = {
    "ces": "ces_Latn", "deu": "deu_Latn", "ell": "ell_Grek", "fin": "fin_Latn", "hun": "hun_Latn", "hye": "hye_Armn",
    "jpn": "jpn_Jpan", "kor": "kor_Hang", "mal": "mal_Mlym", "nld": "nld_Latn", "pol": "pol_Latn", "sqi": "sqi_Latn",
    "ukr": "ukr_Cyrl", "vie": "vie_Latn",
}  # fmt: skip
TATOEBA = {
    "afr": "afr_Latn", "ara": "arb_Arab", "bul": "bul_Cyrl", "ben": "ben_Beng", "deu": "deu_Latn", "ell": "ell_Grek",
    "spa": "spa_Latn", "est": "est_Latn", "eus": "eus_Latn", "pes": "pes_Arab", "fin": "fin_Latn", "fra": "fra_Latn",
    "heb": "heb_Hebr", "hin": "hin_Deva", "hun": "hun_Latn", "ind": "ind_Latn", "ita": "ita_Latn", "jpn": "jpn_Jpan",
    "jav": "jav_Latn", "kat": "kat_Geor", "kaz": "kaz_Cyrl", "kor": "kor_Hang", "mal": "mal_Mlym", "mar": "mar_Deva",
    "nld": "nld_Latn", "por": "por_Latn", "rus": "rus_Cyrl", "swh": "swh_Latn", "tam": "tam_Taml", "tel": "tel_Telu",
    "tgl": "tgl_Latn", "tha": "tha_Thai", "tur": "tur_Latn", "urd": "urd_Arab", "vie": "vie_Latn", "cmn": "zho_Hans",
}  # fmt: skip


def tables(data: Path, out: Path) -> dict[str, Path]:
    """Translation pairs of both corpora below ``out``."""
    texts = out / "tico"
    texts.mkdir(parents=True, exist_ok=True)
    for name, code in {"en": "eng_Latn", **TICO}.items():
        kept = lines(data / "tico19" / f"{name}.txt")[:TICO_TRAIN]
        (texts / f"{code}.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    translation_pairs(texts, out / "tico-pairs", licence="CC0 1.0")
    verses: dict[str, Path] = {code: data / "bible" / f"{name}.txt" for name, code in BIBLE.items()}
    translation_pairs({"eng_Latn": data / "bible" / "eng.txt", **verses}, out / "bible-pairs", licence="public domain")
    return {"tico": out / "tico-pairs", "bible": out / "bible-pairs"}


def measure(encoder: Encoder, data: Path, bf16: bool) -> dict[str, dict[str, float]]:
    """P@1 of each language to English, on Tatoeba and on SIB-200."""

    def encode(texts: list[str]) -> NDArray[np.float32]:
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
            return encoder.encode(texts)

    tatoeba = {}
    for name, code in TATOEBA.items():
        sides = (lines(data / "tatoeba" / f"tatoeba.{name}-eng.{side}") for side in (name, "eng"))
        tatoeba[code] = round(p1(*map(encode, sides)), 4)
    english = encode(lines(data / "sib200" / "eng_Latn.txt"))
    sib = {code: round(p1(encode(lines(data / "sib200" / f"{code}.txt")), english), 4) for code in SIB}
    return {"tatoeba": tatoeba, "sib200": sib}


def with_head(model: str, out: Path) -> Path:
    """A copy of a BERT encoder that lost its masked-LM head: a new one, tied to the word embeddings, so TLM can run."""
    torch.manual_seed(0)
    BertForMaskedLM.from_pretrained(model).save_pretrained(out / "start")
    AutoTokenizer.from_pretrained(model).save_pretrained(out / "start")
    return out / "start"


def means(scores: dict[str, float], trained: set[str]) -> dict[str, float]:
    groups = {"all": set(scores), "trained": trained & set(scores), "not trained": set(scores) - trained}
    return {name: round(float(np.mean([scores[code] for code in codes])), 4) for name, codes in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--prompt", default=None)
    parser.add_argument("--set", action="append", default=[], help="recipe settings, such as train.steps=100")
    parser.add_argument("--bf16", action="store_true", help="evaluate in bfloat16 (training: --set train.bf16=true)")
    parser.add_argument("--new-head", action="store_true", help="give MODEL a masked-LM head, its projection untrained")
    parser.add_argument("--no-before", action="store_true", help="evaluate the trained encoder only")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = Path(os.environ["ALIGN_DATA"])
    paths = tables(data, args.out)
    trained = {*TICO.values(), *BIBLE.values()}
    recipe = align.load_recipe("translation", changes=args.set)
    encoder = align.load_encoder(with_head(args.model, args.out) if args.new_head else args.model, prompt=args.prompt)
    result: dict[str, object] = {"settings": {k: str(v) for k, v in vars(args).items()}}

    def evaluate(when: str) -> None:
        scores = measure(encoder, data, args.bf16)
        result[when] = scores | {"means": {name: means(part, trained) for name, part in scores.items()}}
        print(when, result[when], flush=True)

    if not args.no_before:
        evaluate("before")
    began = time.process_time()
    tables_read = {name: read_pairs(path) for name, path in paths.items()}
    result["summary"] = align.train(encoder, tables_read, recipe, args.out / "model")
    result["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
    evaluate("after")
    write_json(args.out / "result.json", result)


if __name__ == "__main__":
    main()

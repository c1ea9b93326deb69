"""Synonym pairs on an encoder: word translation and word similarity before and after, in trained and other languages.

    ALIGN_DATA=/path/to/data python scripts/lexical.py E5 --recipe words --table runs/table --out runs/words
    ALIGN_DATA=/path/to/data python scripts/lexical.py E5 --dev --table runs/table --out runs/words-dev   # to choose on
    ALIGN_DATA=/path/to/data python scripts/lexical.py E5 --before --procrustes --table runs/table --out runs/start

Trains on the training dictionaries of XLING, PanLex-BLI and the English-Sinhala set, and with --freedict on those of
FreeDict between their languages, in lower case, without the languages ``UNSEEN``, and without any pair that holds a
word of a test set (XLING, PanLex-BLI, Sinhala, Multi-SimLex) or of the dev part (300 source words each of seven
training dictionaries, two of them of an unseen language). Evaluated on all test sets, among the first 20,000 words of
each vocabulary: the number of candidates, not the words, is what --candidates changes.
Beside the encoder: the same vectors before training, mapped by Procrustes on the same pairs (--procrustes).
CPU minutes count every process and thread.
"""

from __future__ import annotations

import argparse
import os
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import align
from align import read_pairs, synonym_pairs
from align.encoders.encoder import Encoder
from align.files.whole import read_json, write_json
from align.mapping import fit_procrustes
from align.pairs import Lexicon, WordFilters
from align.tasks import BLI_PROTOCOLS, BliResult, Dictionary, bli_pairs, read_dictionary, read_vocabulary, read_wordsim
from align.tasks.bli import bli
from align.tasks.wordsim import wordsim

CODES = {
    "bg": "bul_Cyrl", "ca": "cat_Latn", "de": "deu_Latn", "en": "eng_Latn", "eo": "epo_Latn", "et": "est_Latn",
    "eu": "eus_Latn", "fi": "fin_Latn", "fr": "fra_Latn", "he": "heb_Hebr", "hu": "hun_Latn", "id": "ind_Latn",
    "it": "ita_Latn", "ka": "kat_Geor", "ko": "kor_Hang", "lt": "lit_Latn", "no": "nob_Latn", "si": "sin_Sinh",
    "th": "tha_Thai", "tr": "tur_Latn",
}  # fmt: skip
UNSEEN = ("cat_Latn", "lit_Latn", "tha_Thai")
FREEDICT_CODES = {code[:3]: code for code in CODES.values() if code not in UNSEEN} | {"nor": CODES["no"]}
DEV = ("en-de", "en-fi", "it-fr", "bg-hu", "ko-tr", "lt-no", "ca-th")
DEV_WORDS = 300
Encode = Callable[[Sequence[str], str], NDArray[np.float32]]


def languages(name: str) -> tuple[str, str]:
    """Codes in a file name: ``yacle.train.freq.5k.en-de.tsv``, ``bg-ca.train.5000.cc.trans``, ``wiki_en-si_...``."""
    parts = name.replace("_", ".").split(".")
    one, two = next(part for part in parts if len(part) == 5 and part[2] == "-").split("-")
    return CODES[one], CODES[two]


def training_dictionaries(data: Path, out: Path) -> list[Path]:
    """Files of the training dictionaries; those of PanLex are unpacked below ``out``."""
    panlex = out / "panlex"
    if not panlex.is_dir():
        with tarfile.open(data / "bli" / "panlex" / "train.5000.all210.tar.xz") as packed:
            packed.extractall(panlex, filter="data")
    xling = (data / "bli" / "xling").glob("*/*.train.freq.5k.*.tsv")
    sinhala = (data / "bli" / "sinhala").glob("wiki_*_trainset_*.txt")
    return sorted([*xling, *sinhala, *panlex.rglob("*.trans")])


def dev_dictionaries(files: Sequence[Path]) -> list[Dictionary]:
    """The dev part: the lines of 300 source words, drawn once for all."""
    found = []
    for name in DEV:
        path = next(file for file in files if f"{name}." in file.name or file.name.endswith(f".{name}.tsv"))
        whole = read_dictionary(path, languages(path.name))
        sources = list(dict.fromkeys(source for source, _ in whole.pairs))
        rows = np.random.default_rng(0).permutation(len(sources))[:DEV_WORDS]
        drawn = {sources[row] for row in rows}
        found.append(replace(whole, pairs=tuple(pair for pair in whole.pairs if pair[0] in drawn)))
    return found


def test_sets(data: Path) -> list[Path]:
    bli_data = data / "bli"
    return [
        *sorted((bli_data / "xling").glob("*/*.test.*.tsv")), bli_data / "panlex" / "test",
        *sorted((bli_data / "sinhala").glob("*_testset_*.txt")), bli_data / "multisimlex",
    ]  # fmt: skip


def training_table(data: Path, out: Path, freedict: Path | None) -> tuple[dict[str, Any], list[Dictionary]]:
    """The manifest of the pair table below ``out``, which is made where it is missing, and the dev dictionaries."""
    files = training_dictionaries(data, out)
    dev = dev_dictionaries(files)
    folder = out / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    for one in dev:
        lines = "".join(f"{source}\t{target}\n" for source, target in one.pairs)
        (folder / f"{'-'.join(one.languages)}.tsv").write_text(lines, encoding="utf-8")
    seen = [file for file in files if not set(languages(file.name)) & set(UNSEEN)]
    lexicons = [Lexicon(file, "dictionary", languages(file.name)) for file in seen]
    lexicons += freedict_lexicons(freedict) if freedict else []
    if not (out / "pairs").is_dir():
        filters = WordFilters(max_words=1, case="lower")
        synonym_pairs(lexicons, out / "pairs", exclude=[*test_sets(data), folder], filters=filters)
    return read_json(out / "pairs" / "manifest.json"), dev


def freedict_lexicons(folder: Path) -> list[Lexicon]:
    """FreeDict's dictionaries between languages of the test sets that are trained."""
    found = []
    for path in sorted(folder.glob("freedict-*.index")):
        one, two = path.stem.removeprefix("freedict-").split("-")
        if one in FREEDICT_CODES and two in FREEDICT_CODES:
            found.append(Lexicon(path, "freedict", (FREEDICT_CODES[one], FREEDICT_CODES[two])))
    return found


def vocabularies(data: Path, codes: set[str], candidates: int) -> dict[str, tuple[str, ...]]:
    names = {code: name for name, code in CODES.items()}
    paths = {code: data / "bli" / "vocab" / f"{names[code]}_vocab.txt.gz" for code in codes}
    if "sin_Sinh" in codes:
        paths["sin_Sinh"] = data / "bli" / "sinhala" / "wiki.si.vec_words.txt.gz"
    return {code: read_vocabulary(path)[:candidates] for code, path in paths.items()}


def test_dictionaries(data: Path) -> dict[str, list[Dictionary]]:
    """Directions of each test set, by its name: XLING both ways, PanLex and Sinhala as they are given."""
    folder = data / "bli"
    panlex = sorted((folder / "panlex" / "test").iterdir())
    xling = [path for path in sorted((folder / "xling").glob("*/*.test.*.tsv")) if "fr-en" not in path.name]
    one_way = [read_dictionary(path, languages(path.name)) for path in xling]
    sinhala = sorted((folder / "sinhala").glob("wiki_*_testset_*.txt"))
    return {
        "xling": [*one_way, *(one.reversed() for one in one_way)],
        "panlex": [read_dictionary(path, languages(path.name)) for path in panlex],
        "sinhala": [read_dictionary(path, languages(path.name)) for path in sinhala],
    }


def measure(encode: Encode, data: Path, dictionaries: Mapping[str, list[Dictionary]], size: int) -> dict[str, Any]:
    """P@1 and MRR of each direction, NN and CSLS, and means over seen and unseen languages."""
    found: dict[str, Any] = {}
    for name, several in dictionaries.items():
        codes = {code for one in several for code in one.languages}
        protocol = replace(BLI_PROTOCOLS["muse" if name == "sinhala" else "xling"], candidates=size)
        words = vocabularies(data, codes, size)
        found[name] = scores(bli_pairs(encode, several, words, protocol=protocol, resamples=0))
        print(name, found[name]["mean"], flush=True)
    return found


def scores(result: BliResult) -> dict[str, Any]:
    rows = {
        f"{score.source}-{score.target}": {
            "covered": score.covered, "of": score.units,
            **{f"{method} {metric}": round(one.metrics[metric], 4) for method, one in score.methods.items()
               for metric in ("P@1", "MRR")},
            **{f"{method} without copies": one.without_identical for method, one in score.methods.items()},
        }
        for score in result.scores
    }  # fmt: skip
    return {"mean": means(rows), "directions": rows}


def means(rows: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Over all directions, those of trained languages only, and those with one language that was not trained."""
    unseen = [name for name in rows if set(name.split("-")) & set(UNSEEN)]
    groups = {"all": list(rows), "trained": [name for name in rows if name not in unseen], "not trained": unseen}
    metrics = [f"{method} {metric}" for method in ("NN", "CSLS") for metric in ("P@1", "MRR", "without copies")]
    return {
        group: {
            metric: round(float(np.mean([rows[n][metric] for n in names if rows[n][metric] is not None])), 4)
            for metric in metrics
        }
        for group, names in groups.items()
        if names
    }


def similarity(encode: Encode, data: Path) -> dict[str, Any]:
    """Spearman's rho of each Multi-SimLex set."""
    result = wordsim(encode, read_wordsim([data / "bli" / "multisimlex"]), resamples=0)
    rhos = {score.name: round(score.spearman, 4) for score in result.scores}
    return {"mean": round(float(np.mean(list(rhos.values()))), 4), "sets": rhos}


def procrustes(
    encode: Encode, data: Path, dictionaries: Mapping[str, list[Dictionary]], size: int, table: Path
) -> dict[str, Any]:
    """The same, of vectors mapped by the training pairs of each direction; directions without any are left out."""
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in read_pairs(table):
        one, two = (row["source_lang"], row["source"]), (row["target_lang"], row["target"])
        pairs.setdefault((one[0], two[0]), []).append((one[1], two[1]))
        pairs.setdefault((two[0], one[0]), []).append((two[1], one[1]))
    found = {}
    for name, several in dictionaries.items():
        protocol = replace(BLI_PROTOCOLS["muse" if name == "sinhala" else "xling"], candidates=size)
        words = vocabularies(data, {code for one in several for code in one.languages}, size)
        mapped = []
        for one in several:
            if one.languages not in pairs:
                continue
            lists = [words[code] for code in one.languages]
            source, target = maps(encode, pairs[one.languages], one.languages, lists)
            mapped.append(bli(source, one, *lists, encode_target=target, protocol=protocol, resamples=0))
        found[name] = scores(replace(mapped[0], scores=tuple(score for one in mapped for score in one.scores)))
        print("procrustes", name, found[name]["mean"], flush=True)
    return found


def maps(
    encode: Encode, pairs: Sequence[tuple[str, str]], codes: tuple[str, str], lists: Sequence[Sequence[str]]
) -> tuple[Encode, Encode]:
    """Encoders into the space that Procrustes makes of the pairs; centred by the means of the vocabularies."""
    sides = [[one for one, _ in pairs], [two for _, two in pairs]]
    x, y = (
        np.concatenate([encode(words, code), encode(side, code)])
        for words, side, code in zip(lists, sides, codes, strict=True)
    )
    rows = np.arange(len(pairs))
    seed = np.stack([rows + len(lists[0]), rows + len(lists[1])], axis=1)
    fit = fit_procrustes(x, y, seed, normalization="unit,center,unit")
    return lambda words, code: fit.source(encode(words, code)), lambda words, code: fit.target(encode(words, code))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--prompt", default=None)
    parser.add_argument("--special-tokens", action="store_true", help="let <s> and </s> count in the mean")
    parser.add_argument("--recipe", default="lexical")
    parser.add_argument("--set", action="append", default=[], help="recipe settings, such as train.steps=100")
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--before", action="store_true", help="evaluate the encoder as it is")
    parser.add_argument("--dev", action="store_true", help="evaluate on the dev part")
    parser.add_argument("--procrustes", action="store_true", help="with --before: also map by the training pairs")
    parser.add_argument("--bf16", action="store_true", help="evaluate in bfloat16 (training: --set train.bf16=true)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--table", type=Path, required=True, help="folder of the word pairs, shared by all runs")
    parser.add_argument("--freedict", type=Path, default=None, help="folder of Debian's dict-freedict-*, also to read")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = Path(os.environ["ALIGN_DATA"])
    encoder = align.load_encoder(args.model, prompt=args.prompt, special_tokens=args.special_tokens)
    manifest, dev = training_table(data, args.table, args.freedict)
    result: dict[str, Any] = {"settings": {k: str(v) for k, v in vars(args).items()}}
    result["pairs"] = {key: manifest[key] for key in ("rows", "rejects", "excluded", "identical_pairs")}
    if not args.before:
        recipe = align.load_recipe(args.recipe, changes=args.set)
        began = time.process_time()
        result["summary"] = align.train(encoder, read_pairs(args.table / "pairs"), recipe, args.out / "model")
        result["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
        print(f"training took {result['cpu_minutes']} CPU minutes", flush=True)

    encode = encode_with(encoder, args.bf16)
    dictionaries = {"dev": dev} if args.dev else test_dictionaries(data)
    result["bli"] = measure(encode, data, dictionaries, args.candidates)
    if not args.dev:
        result["wordsim"] = similarity(encode, data)
        print("wordsim", result["wordsim"]["mean"], flush=True)
    if args.procrustes:
        result["procrustes"] = procrustes(encode, data, dictionaries, args.candidates, args.table / "pairs")
    write_json(args.out / ("dev.json" if args.dev else "result.json"), result)


def encode_with(encoder: Encoder, bf16: bool) -> Encode:
    """Each word is encoded once and kept: vocabularies share a good part of theirs."""
    place: dict[str, int] = {}
    kept: list[NDArray[np.float32]] = []

    def encode(words: Sequence[str], language: str) -> NDArray[np.float32]:
        new = [word for word in dict.fromkeys(words) if word not in place]
        if new:
            place.update(zip(new, range(len(place), len(place) + len(new)), strict=True))
            with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
                kept.append(encoder.encode(new))
            kept[:] = [np.concatenate(kept)]
        return kept[0][[place[word] for word in words]]

    return encode


if __name__ == "__main__":
    main()

"""Word alignment before and after training on parallel text (recipe `word_alignment`), and what it costs sentences.

    python -m scripts.experiments.word_alignment E5 --prompt "query: " --to runs/words-align --dev
    python -m scripts.experiments.word_alignment E5 --prompt "query: " --to runs/words-align --bf16 \
        --out docs/results/word-alignment-trained.json

Trains on TICO-19 (lines 1-768) and verses, six languages with English (a model that is in ``--to`` is measured).
AER by the methods of links.py, each at the layer (of ``--layers``) and threshold that are best on the first 100 lines
of a set; scored are the other lines, and with ``--dev`` nothing but the first.
P@1 of 300 lines of SIB-200 to English and rho of 200 pairs of the STS benchmark in English (dev), before and after.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset

import align
from align import read_pairs, translation_pairs
from align.encoders.encoder import Encoder
from align.encoders.pretokenised import usual_layer
from align.similarity.cosine import normalize
from align.tasks import StsSet, read_sts
from align.tasks.sts import sts
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.links import golds, predictions, scored
from scripts.experiments.plans import TICO_TRAIN, lines

SETS = ("enfr", "jaen", "grc_eng")
TICO = {"en": "eng_Latn", "fr": "fra_Latn", "ru": "rus_Cyrl", "hi": "hin_Deva", "zh": "zho_Hans"}
BIBLE = {"eng": "eng_Latn", "jpn": "jpn_Jpan", "grc": "grc_Grek", "fra": "fra_Latn"}
SENTENCES = ("fra_Latn", "jpn_Jpan")
LINES, PAIRS = 300, 200  # of SIB-200, of the STS benchmark


def word_alignment(
    model: str, *, to: Path = Path("runs/word-alignment"), prompt: str | None = None, dev: bool = False,
    bf16: bool = False, layers: Sequence[int] = (), set: Sequence[str] = (),
) -> Row:  # fmt: skip
    """Train what is not there, and measure before and after."""
    result: Row = {"settings": {"set": list(set), "dev": dev, "bf16": bf16}}
    encoder = align.load_encoder(model, prompt=prompt, bf16=bf16)
    chosen = sorted({usual_layer(encoder), *map(int, layers)}) if layers else range(encoder.depth + 1)
    result["before"] = measured(encoder, chosen, dev=dev)
    if not (to / "model").is_dir():
        tables = pairs(to)
        changes = [*set, *(f"{stage}.train.bf16=true" for stage in ("warm-up", "links") if bf16)]
        recipe, began = align.load_recipe("word_alignment", changes=changes), time.process_time()
        align.train(align.load_encoder(model, prompt=prompt), tables, recipe, to / "model")
        result["cpu_minutes"] = (time.process_time() - began) / 60
    return result | {"after": measured(align.load_encoder(to / "model", bf16=bf16), chosen, dev=dev)}


def pairs(to: Path) -> dict[str, Dataset]:
    """Translation pairs of both corpora below ``to``."""
    texts = to / "tico"
    texts.mkdir(parents=True, exist_ok=True)
    for name, code in TICO.items():
        kept = lines("tico19", f"{name}.txt")[:TICO_TRAIN]
        (texts / f"{code}.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    translation_pairs(texts, to / "tico-pairs", licence="CC0 1.0")
    verses = {code: data() / "bible" / f"{name}.txt" for name, code in BIBLE.items()}
    translation_pairs(verses, to / "bible-pairs", licence="public domain")
    return {name: read_pairs(to / f"{name}-pairs") for name in ("tico", "bible")}


def measured(encoder: Encoder, layers: Sequence[int], *, dev: bool) -> Row:
    """Of each set and method the AER at the layer and threshold that the first lines choose; P@1 and rho."""
    found: Row = {"sets": {}}
    for gold in golds(None, ",".join(SETS)):
        methods = scored(gold, predictions(encoder, gold, layers)[0], usual_layer(encoder))["methods"]
        wanted = ("layer", "least", "dev", *(() if dev else ("aer", "interval", "precision", "recall")))
        found["sets"][gold.name] = {method: {key: one[key] for key in wanted} for method, one in methods.items()}
        print(gold.name, found["sets"][gold.name], flush=True)
    found["p1"] = {code: p1(encoder, code) for code in SENTENCES}
    pairs = read_sts(data() / "sts" / "stsb" / "en.dev.tsv")
    cut = {
        name: StsSet(one.scores[:PAIRS], one.first[:PAIRS], one.second[:PAIRS], one.languages)
        for name, one in pairs.items()
    }
    return found | {"sts": sts(lambda texts, _: encoder.encode(texts), cut).headline()}


def p1(encoder: Encoder, code: str) -> float:
    """Share of sentences of SIB-200 that find their English one."""
    own, english = (normalize(encoder.encode(lines("sib200", f"{one}.txt")[:LINES])) for one in (code, "eng_Latn"))
    return float(((own @ english.T).argmax(1) == range(len(own))).mean())


if __name__ == "__main__":
    command_line(word_alignment)

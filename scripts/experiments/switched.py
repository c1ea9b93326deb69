"""Queries of two languages: retrieval before and after training on code-switched text, and what it costs.

    python -m scripts.experiments.switched seed --out docs/results/switched-seed.json
    python -m scripts.experiments.switched E5 --prompt "query: " --bf16 --out docs/results/switched-e5.json

Trained on TICO-19 (French, lines 1-768) and verses (German, Finnish, French), with English: both sides switched by the
training dictionaries of XLING, and by fragments of each other (words linked by the encoder). Queries are English
sentences of SIB-200, their candidates all 1,004 translations: as they are, switched by the dictionaries, and by
fragments of the translation, at the shares of the published systems and at twice these; and the translations into five
other languages, which what was switched in does not help to find. Beside it P@1 of these five to English, and rho on
the STS benchmark (dev) in four languages.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import align
from align.alignment.aligner import word_alignments
from align.alignment.fragments import FragmentSwitching, switch_fragments
from align.encoders.encoder import Encoder
from align.pairs.switching.lexicon import Switching, read_translations, switch_words
from align.pairs.switching.sentence import cut
from align.similarity.links import Linking
from align.similarity.ranks import gold_ranks
from align.streams import stream
from align.tasks import read_sts
from align.tasks.statistics.intervals import macro_interval
from align.tasks.sts import sts
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.plans import TICO_TRAIN, lines

LANGUAGES = {"de": "deu_Latn", "fi": "fin_Latn", "fr": "fra_Latn"}
BIBLE = {"eng": "eng_Latn", "deu": "deu_Latn", "fin": "fin_Latn", "fra": "fra_Latn"}
OTHERS = ("hin_Deva", "rus_Cyrl", "swh_Latn", "tam_Taml", "zho_Hans")
SHARES = (1, 2)
"""Times the published shares of switched words."""
LIKENESS = ("en", "hi", "ru", "tr")


def switched(
    model: str, *, to: Path = Path("runs/switched"), prompt: str | None = None, bf16: bool = False,
    set: Sequence[str] = (),
) -> Row:  # fmt: skip
    """Train what is not there, and measure before and after."""
    encoder = align.load_encoder(model, prompt=prompt)
    queries = mixed(encoder)
    result: Row = {"settings": {"set": list(set), "bf16": bf16}, "before": measured(encoder, queries, bf16)}
    print(result["before"], flush=True)
    if not (to / "model").is_dir():
        changes = [*set, *(["train.bf16=true"] if bf16 else [])]
        tables, recipe = pairs(model, prompt, to), align.load_recipe("code_switching", changes=changes)
        began = time.process_time()
        align.train(align.load_encoder(model, prompt=prompt), tables, recipe, to / "model")
        result["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
    return result | {"after": measured(align.load_encoder(to / "model"), queries, bf16)}


def dictionaries() -> list[Path]:
    """The training dictionaries of XLING from English."""
    return [data() / "bli" / "xling" / f"en-{code}" / f"yacle.train.freq.5k.en-{code}.tsv" for code in LANGUAGES]


def lexicons(to: Path) -> Path:
    """A table of their words."""
    given = {f"eng_Latn-{code}": path for code, path in zip(LANGUAGES.values(), dictionaries(), strict=True)}
    if not (to / "words").is_dir():
        align.synonym_pairs(given, to / "words", licence="research")
    return to / "words"


def pairs(model: str, prompt: str | None, to: Path) -> dict[str, Any]:
    """Tables of mixed texts below ``to``."""
    tico = to / "tico"
    tico.mkdir(parents=True, exist_ok=True)
    for name, code in (("en", "eng_Latn"), ("fr", "fra_Latn")):
        text = "\n".join(lines("tico19", f"{name}.txt")[:TICO_TRAIN])
        (tico / f"{code}.txt").write_text(f"{text}\n", encoding="utf-8")
    align.translation_pairs(tico, to / "tico-pairs", licence="CC0 1.0")
    verses = {code: data() / "bible" / f"{name}.txt" for name, code in BIBLE.items()}
    align.translation_pairs(verses, to / "bible-pairs", licence="public domain")
    tables = [to / "tico-pairs", to / "bible-pairs"]
    align.switched_pairs(tables, lexicons(to), to / "by-lexicon")
    align.fragment_pairs(tables, model, to / "by-fragments", prompt=prompt, bf16=True)
    return {name: align.read_pairs(to / name) for name in ("by-lexicon", "by-fragments")}


def mixed(encoder: Encoder) -> dict[str, dict[str, list[str]]]:
    """By kind of query and language the English sentences of SIB-200, as they are and switched."""
    english = lines("sib200", "eng_Latn.txt")
    found: dict[str, dict[str, list[str]]] = {"as they are": {}}
    for code, path in zip(LANGUAGES.values(), dictionaries(), strict=True):
        way = ("eng_Latn", code)
        known = read_translations([align.pairs.Lexicon(path, languages=way)])[0][way]
        sides = [[cut(text, of) for text in lines("sib200", f"{of}.txt")] for of in way]
        links = [
            one.links for one in word_alignments(
                encoder, [(one.tokens, other.tokens) for one, other in zip(*sides, strict=True)], Linking("argmax")
            )
        ]  # fmt: skip
        found["as they are"][code] = english
        for times in SHARES:
            how, fragments = Switching(rate=0.35 * times), FragmentSwitching(rate=0.3 * times)
            found.setdefault(f"dictionary, {how.rate:.0%}", {})[code] = [
                switch_words(one, known, way, stream(0, "lexicon", k), how).text for k, one in enumerate(sides[0])
            ]
            found.setdefault(f"fragments, {fragments.rate:.0%}", {})[code] = [
                switch_fragments(*both, of, stream(0, "fragments", k), fragments)[0]
                for k, (*both, of) in enumerate(zip(*sides, links, strict=True))
            ]
    return found


def measured(encoder: Encoder, queries: dict[str, dict[str, list[str]]], bf16: bool) -> Row:
    """P@1 of each kind of query, with its interval, of other languages, and rho."""
    with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
        english = encoder.encode(lines("sib200", "eng_Latn.txt"))
        kept = {code: encoder.encode(lines("sib200", f"{code}.txt")) for code in (*LANGUAGES.values(), *OTHERS)}
        found: Row = {"queries": {}, "third": {}}
        for kind, by in queries.items():
            asked = {code: english if kind == "as they are" else encoder.encode(texts) for code, texts in by.items()}
            found["queries"][kind] = cell([first(asked[code], kept[code]) for code in by])
            found["third"][kind] = cell([first(asked[code], kept[other]) for code in by for other in OTHERS])
        found["others"] = cell([first(kept[code], english) for code in OTHERS])
        found["sts"] = likeness(encoder)
    return found


def likeness(encoder: Encoder) -> float:
    """Spearman's rho, the mean over four languages."""
    sets: dict[str, Any] = {}
    for code in LIKENESS:
        sets |= read_sts(data() / "sts" / "stsb" / f"{code}.dev.tsv")
    return round(sts(lambda texts, _: encoder.encode(texts), sets).headline(), 4)


def first(queries: Any, candidates: Any) -> np.ndarray:
    return (gold_ranks(queries, candidates) == 1).astype(float)


def cell(items: Sequence[np.ndarray], names: Sequence[Sequence[Any]] = ()) -> list[float]:
    """The mean over languages, and its interval by line: items of one name are one, by default those of one place."""
    value = float(np.mean([one.mean() for one in items]))
    interval = macro_interval(items, lines=names or [np.arange(len(one)) for one in items])
    return [round(number, 4) for number in (value, *interval)]


if __name__ == "__main__":
    command_line(switched)

"""Hidden names of held-out entities, restored by the masked-LM head before and after training on switched entities.

    python -m scripts.experiments.cloze seed --bf16 --out docs/results/cloze-seed.json

Names of territories, languages (CLDR) and currencies (ISO 4217) of three letters at least, without the world and its
parts; every third entity is held out. Trained on sentences of TICO-19 and verses that name others, and none of the
held-out ones, found by a dictionary, with their entities switched into the other languages: each mask of
`switched_mlm`, alone at rate 1 and at rate 0.5 beside masked language modelling of 15 % of the other pieces, and plain
masked language modelling, all as many steps. Then names of held-out entities are hidden in sentences of SIB-200:
English ones, those of the other languages, and English ones with the name in another language. hit@1 among the names of
held-out entities in this language that have as many pieces, by whether it is one, and of the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import align
from align.encoders.encoder import Encoder
from align.evaluation.cloze import Restored, cloze
from align.files.whole import read_json, write_json
from align.objectives.mlm import MlmOptions
from align.objectives.switched_mlm import SwitchedMlmOptions
from align.pairs.switching.entities import Names, name_finder, read_names
from align.tasks.statistics.intervals import macro_interval
from align.training.recipe import Recipe
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.plans import lines

LISTS = ("cldr-territories", "cldr-languages", "iso-codes-iso_4217")
ENGLISH, OTHERS = "eng_Latn", ("arb_Arab", "ben_Beng", "deu_Latn", "ell_Grek", "fra_Latn", "hin_Deva", "kor_Hang",
                               "rus_Cyrl", "tam_Taml")  # fmt: skip
TICO = {"en": ENGLISH, "ar": "arb_Arab", "bn": "ben_Beng", "fr": "fra_Latn", "hi": "hin_Deva", "ru": "rus_Cyrl",
        "ta": "tam_Taml"}  # fmt: skip
BIBLE = {"eng": ENGLISH, "deu": "deu_Latn", "fra": "fra_Latn", "rus": "rus_Cyrl", "kor": "kor_Hang"}
HELD_OUT, LETTERS = 3, 3
MASKS = ("wep", "pep_ms", "pep_mrs", "pep_m")


class Hidden(NamedTuple):
    """A sentence, where the name stands, the language of the name, and the entity."""

    text: str
    place: tuple[int, int]
    language: str
    entity: str


def masked(
    model: str, *, to: Path = Path("runs/cloze"), steps: int = 100, batch_size: int = 16, learning_rate: float = 3e-4,
    bf16: bool = False, masks: Sequence[str] = (),
) -> Row:  # fmt: skip
    """Train each way what is not there, and measure before and after."""
    names, held_out = entities()
    rows = write_pairs(names, held_out, to)
    asked, among = hidden({one: names[one] for one in held_out})
    result: Row = {
        "settings": {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "bf16": bf16},
        "pairs": rows, "held_out": len(held_out), "hidden": {kind: len(of) for kind, of in asked.items()},
    }  # fmt: skip
    result["before"] = measured(align.load_encoder(model), asked, among, bf16)
    print("before", result["before"], flush=True)
    train = replace(
        align.load_recipe("entity_cs").train, steps=steps, batch_size=batch_size, learning_rate=learning_rate,
        warmup=0.1, max_tokens=64, bf16=bf16,
    )  # fmt: skip
    for name, objective in ways(masks or MASKS).items():
        out = to / name.replace(" ", "-").replace("+", "and")
        kept = out.with_suffix(".json")
        if not kept.is_file():
            tables, recipe = align.read_pairs(to / "pairs"), Recipe(**objective, train=train)
            align.train(align.load_encoder(model), tables, recipe, out)
            write_json(kept, measured(align.load_encoder(out), asked, among, bf16))
        result[name] = read_json(kept)
        print(name, result[name], flush=True)
    return result


def ways(masks: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Plain masked language modelling, and each mask alone and beside it."""
    found: dict[str, Mapping[str, Any]] = {"MLM": {"mlm": MlmOptions(rate=0.15)}}
    for mask in masks:
        found[mask] = {"switched_mlm": SwitchedMlmOptions(mask=mask, rate=1.0)}
        found[f"{mask} + MLM"] = {"switched_mlm": SwitchedMlmOptions(mask=mask, rate=0.5, others=0.15)}
    return found


def entities() -> tuple[Names, list[str]]:
    """Names of the languages here, and which entities are held out."""
    every = read_names([data() / "entities" / f"{name}.tsv" for name in LISTS], [ENGLISH, *OTHERS])
    long = {
        one: {code: [n for n in of[code] if len(n) >= LETTERS] for code in of}
        for one, of in every.items() if not one.endswith(tuple("0123456789"))
    }  # fmt: skip
    names = {one: {code: several for code, several in of.items() if several} for one, of in long.items()}
    return names, [*names][::HELD_OUT]


def write_pairs(names: Names, held_out: Sequence[str], to: Path) -> int:
    """The table ``to/pairs``: sentences that name entities, but none that is held out."""
    texts: dict[str, list[str]] = {}
    for folder, codes in (("tico19", TICO), ("bible", BIBLE)):
        for name, code in codes.items():
            find, _ = name_finder(names, code)
            found = [(text, {one.entity for one in find(text)}) for text in lines(folder, f"{name}.txt")]
            texts.setdefault(code, []).extend(text for text, of in found if of and of.isdisjoint(held_out))
    (to / "texts").mkdir(parents=True, exist_ok=True)
    for code, some in texts.items():
        (to / "texts" / f"{code}.txt").write_text("\n".join(some) + "\n", encoding="utf-8")
    lists = [data() / "entities" / f"{name}.tsv" for name in LISTS]
    made = align.entity_pairs(to / "texts", lists, to / "pairs", languages=[ENGLISH, *OTHERS], licence="CC0 1.0")
    return int(made["rows"])


def hidden(names: Names) -> tuple[dict[str, list[Hidden]], dict[str, list[str]]]:
    """Of each kind the sentences of SIB-200 that name a held-out entity; and all names by language."""
    asked: dict[str, list[Hidden]] = {}
    for code in (ENGLISH, *OTHERS):
        find, _ = name_finder(names, code)
        for text in lines("sib200", f"{code}.txt"):
            for start, end, entity in find(text):
                kind = "English" if code == ENGLISH else "other languages"
                asked.setdefault(kind, []).append(Hidden(text, (start, end), code, entity))
                if code == ENGLISH:
                    for other in OTHERS:
                        for name in names[entity].get(other, ())[:1]:
                            mixed = text[:start] + name + text[end:]
                            one = Hidden(mixed, (start, start + len(name)), other, entity)
                            asked.setdefault("English, name in another", []).append(one)
    among = {code: [name for of in names.values() for name in of.get(code, ())] for code in (ENGLISH, *OTHERS)}
    return asked, among


def measured(
    encoder: Encoder, asked: Mapping[str, Sequence[Hidden]], among: Mapping[str, list[str]], bf16: bool
) -> Row:
    """Of each kind of sentence hit@1 among names, with its interval by entity, by pieces, and of the vocabulary."""
    found: Row = {}
    with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
        for kind, every in asked.items():
            parts: list[Restored] = []
            entity: list[str] = []
            for code in dict.fromkeys(one.language for one in every):
                some = [one for one in every if one.language == code]
                parts.append(cloze(encoder, [x.text for x in some], [x.place for x in some], among=among[code]))
                entity += [one.entity for one in some]
            pieces, hits, nats, right, others = (np.concatenate(column) for column in zip(*parts, strict=True))
            asked_of, single = others > 0, pieces == 1  # a name that no other has as many pieces as is no question
            one, several = asked_of & single, asked_of & ~single
            found[kind] = {
                "names": interval(right[asked_of], np.array(entity)[asked_of].tolist()),
                "chance": float((1 / (1 + others[asked_of])).mean()), "one piece": float(right[one].mean()),
                "several": float(right[several].mean()), "of one piece": int(one.sum()),
                "of several": int(several.sum()), "alone": int((~asked_of).sum()), "vocabulary": float(hits.mean()),
                "nats": float(nats.mean()),
            }  # fmt: skip
    return found


def interval(right: np.ndarray, entity: Sequence[str]) -> list[float]:
    """The share, and its 95 % interval by entity."""
    values = (float(right.mean()), *macro_interval([right.astype(float)], lines=[entity]))
    return [round(value, 4) for value in values]


if __name__ == "__main__":
    command_line(masked)

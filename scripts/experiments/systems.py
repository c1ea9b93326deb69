"""Figures of docs/systems.md that no other page has: MEXA, language tags, a language without meaning, fuzzy matches.

    python -m scripts.experiments.systems seed --out docs/results/systems-seed.json
    python -m scripts.experiments.systems E5 --prompt "query: " --bf16 --out docs/results/systems-e5.json

MEXA of the languages of TICO-19 with English on the first 100 lines of SIB-200, the highest of its layers, and how it
goes with P@1 over all lines (Pearson). Tags: the recipe `translation` on 31 languages of TICO-19 (lines 1-768), with
`train.language_tags` and without; P@1 of SIB-200, and a probe that tells the language of its vectors. Without meaning:
every word of the English lines is another made-up word, always the same. Fuzzy matches: TICO-19's lines 1-768 are a
memory, English with Hindi, and the others are looked up in it: how like their own Hindi the Hindi found is, by the
nearest vector, by the letters of the English, and by lot.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

import align
from align.encoders.encoder import Encoder
from align.encoders.layers import encode_layers
from align.streams import stream
from align.tasks.identity import language_identity
from align.tasks.mexa import mexa
from align.tasks.statistics.correlation import pearson
from align.text.edit_distance import fuzzy_match
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.plans import LANGUAGES, TICO_TRAIN, lines
from scripts.experiments.switched import cell, first

LETTERS = "abcdefghijklmnop"


def systems(
    model: str, *, to: Path = Path("runs/systems"), prompt: str | None = None, bf16: bool = False, steps: int = 150,
) -> Row:  # fmt: skip
    """Measure all, and train what is not there."""
    encoder = align.load_encoder(model, prompt=prompt)
    result: Row = {"settings": {"bf16": bf16, "steps": steps}}
    for name, of in (("mexa", layered), ("made_up", meaningless), ("memory", looked_up)):
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
            result[name] = of(encoder)
        print(name, result[name], flush=True)
    return result | {"tags": tagged(model, to, prompt, bf16, steps)}


def sib200() -> dict[str, list[str]]:
    """Lines of English and of the languages of TICO-19, by code."""
    codes = ["eng_Latn", *sorted(LANGUAGES["tico19"].values())]
    return {code: lines("sib200", f"{code}.txt") for code in codes if (data() / "sib200" / f"{code}.txt").is_file()}


def layered(encoder: Encoder) -> Row:
    """MEXA by language, the mean with its interval by line, and Pearson's r with P@1."""
    texts = sib200()
    found = mexa(lambda some, _: encode_layers(encoder, some), texts, per_item=True)
    best = [np.array(score.hits)[int(np.argmax(score.curve))].astype(float) for score in found.scores]
    english = encoder.encode(texts["eng_Latn"])
    right = [first(encoder.encode(texts[score.language]), english) for score in found.scores]
    with_p1 = pearson([one.mean() for one in best], [one.mean() for one in right])
    return {"mean": cell(best), "P@1": cell(right), "r": round(with_p1, 3), "languages": len(best)}


def meaningless(encoder: Encoder) -> Row:
    """P@1 of lines without meaning, which correspond to English word by word."""
    english = lines("sib200", "eng_Latn.txt")
    made = [" ".join(made_up(word) for word in line.split()) for line in english]
    return {"P@1": cell([first(encoder.encode(made), encoder.encode(english))]), "chance": 1 / len(english)}


def made_up(word: str) -> str:
    """Eight letters, always the same for a word."""
    return "".join(LETTERS[byte % len(LETTERS)] for byte in hashlib.sha256(word.encode()).digest()[:8])


def looked_up(encoder: Encoder) -> Row:
    """How like the Hindi of a line that of the segment found is, by each way of finding it."""
    english, hindi = lines("tico19", "en.txt"), lines("tico19", "hi.txt")
    asked = range(TICO_TRAIN, len(english))
    vectors = encoder.encode(english)
    near = np.argmax(vectors[TICO_TRAIN:] @ vectors[:TICO_TRAIN].T, axis=1)
    letters = [max(range(TICO_TRAIN), key=lambda k: fuzzy_match(english[i], english[k])) for i in asked]
    lot = stream(0, "memory").integers(TICO_TRAIN, size=len(asked))
    ways = {"vectors": near, "letters": letters, "lot": lot}
    return {
        name: cell([np.array([fuzzy_match(hindi[i], hindi[k]) for i, k in zip(asked, chosen, strict=True)])])
        for name, chosen in ways.items()
    }


def tagged(model: str, to: Path, prompt: str | None, bf16: bool, steps: int) -> Row:
    """P@1 and the accuracy of a probe of the language, trained with tags and without."""
    texts, result = sib200(), {}
    for path, code in {"en": "eng_Latn", **LANGUAGES["tico19"]}.items():
        (to / "tico").mkdir(parents=True, exist_ok=True)
        text = "\n".join(lines("tico19", f"{path}.txt")[:TICO_TRAIN])
        (to / "tico" / f"{code}.txt").write_text(f"{text}\n", encoding="utf-8")
    if not (to / "pairs").is_dir():
        align.translation_pairs(to / "tico", to / "pairs", licence="CC0 1.0")
    for name, changes in {"without": [], "with": ["train.language_tags=true"]}.items():
        if not (to / name).is_dir():
            every = [*changes, f"train.steps={steps}", *(["train.bf16=true"] if bf16 else [])]
            recipe, pairs = align.load_recipe("translation", changes=every), align.read_pairs(to / "pairs")
            align.train(align.load_encoder(model, prompt=prompt), pairs, recipe, to / name)
        encoder = align.load_encoder(to / name, language_tags=name == "with")
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
            result[name] = neutral(encoder, texts)
        print(name, result[name], flush=True)
    return result


def neutral(encoder: Encoder, texts: dict[str, list[str]]) -> Row:
    """P@1 to English, and how often a probe tells the language."""
    vectors = {code: encoder.encode(some, language=code) for code, some in texts.items()}
    rows = {code: dict(zip(some, vectors[code], strict=True)) for code, some in texts.items()}
    probed = language_identity(lambda some, code: np.stack([rows[code][text] for text in some])[None], texts)
    told = [np.array(score.items, dtype=float) for score in probed.scores]
    found = [first(of, vectors["eng_Latn"]) for code, of in vectors.items() if code != "eng_Latn"]
    return {"P@1": cell(found), "told": cell(told), "chance": 1 / len(texts)}


if __name__ == "__main__":
    command_line(systems)

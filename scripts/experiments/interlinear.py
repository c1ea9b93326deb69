"""Translation language modelling on pairs, or on interlinear text, of equally many tokens.

    python -m scripts.experiments.interlinear seed --set train.bf16=true --out docs/results/interlinear.json

Trained on verses of the Bible in four languages beside English, each fifth line held out (the encoder in the wheel has
not seen these either). Measured on held-out verses, by line with 95 % intervals: P@1 to English; and the share of
masked pieces of a line that are predicted right with the English line beside it, 15 % of them masked, or all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from datasets import Dataset

import align
from align.encoders.blocks import masked_lm_head
from align.encoders.encoder import Encoder
from align.objectives.tlm import TlmOptions
from align.similarity.ranks import gold_ranks
from align.streams import stream
from align.tasks.statistics.intervals import bootstrap_mean, macro_interval
from align.training.batches import Batches
from align.training.config import load_recipe
from align.training.masking.texts import join, mask_tokens, padded_joints
from align.training.recipe import Recipe
from align.training.store import build_store
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import lines
from scripts.experiments.romanised import cell

LANGUAGES = {"deu": "deu_Latn", "fin": "fin_Latn", "hun": "hun_Latn", "ukr": "ukr_Cyrl"}
HELD_OUT = 5
WAYS = {
    "pairs": TlmOptions(),
    "pairs, whole lines": TlmOptions(whole_lines=True),
    "interlinear": TlmOptions(interlinear=True),
    "interlinear, whole lines": TlmOptions(interlinear=True, whole_lines=True),
}


def interlinear(
    model: str, *, to: Path = Path("runs/interlinear"), prompt: str | None = None, tested: int = 200,
    set: Sequence[str] = (),
) -> Row:  # fmt: skip
    texts = {name: lines("bible", f"{name}.txt") for name in ("eng", *LANGUAGES)}
    whole = [i for i, verse in enumerate(zip(*texts.values(), strict=True)) if all(map(str.strip, verse))]
    test = [i for i in whole if i % HELD_OUT == HELD_OUT - 1][:tested]
    pairs = Dataset.from_list([
        {"source": texts[name][i], "target": texts["eng"][i], "source_lang": code, "target_lang": "eng_Latn",
         "group_id": str(i)}
        for name, code in LANGUAGES.items() for i in whole if i % HELD_OUT != HELD_OUT - 1
    ])  # fmt: skip
    plain = load_recipe("translation", changes=set).train
    result: Row = {"settings": {"pairs": len(pairs), "tested": len(test), "steps": plain.steps, "set": [*set]}}
    result["states"] = []

    def measure(name: str, encoder: Encoder, **more: Any) -> None:
        result["states"].append({"name": name} | more | scores(encoder, texts, test))
        print(result["states"][-1], flush=True)

    encoder = align.load_encoder(model, prompt=prompt)
    measure("start", encoder)
    sizes = {name: tokens(encoder, pairs, Recipe(objectives={"tlm": way}, train=plain)) for name, way in WAYS.items()}
    for name, way in WAYS.items():
        size = round(plain.batch_size * sizes["pairs"] / sizes[name])
        recipe = Recipe(objectives={"tlm": way}, train=replace(plain, batch_size=size))
        encoder, began = align.load_encoder(model, prompt=prompt), time.process_time()
        align.train(encoder, pairs, recipe, to / "model", progress=False)
        seconds = round(time.process_time() - began)
        measure(name, encoder, sequences=size, tokens=round(size * sizes[name]), cpu_seconds=seconds)
    return result


def tokens(encoder: Encoder, pairs: Dataset, recipe: Recipe) -> float:
    """Tokens of a sequence, the mean over 200 of them."""
    store = build_store(pairs, encoder, max_tokens=recipe.train.max_tokens)
    rows = stream(0, "rows").choice(len(pairs), 200, replace=False)
    return mean(Batches(store, encoder, recipe)[0, rows]["joint"]["lengths"])


def scores(encoder: Encoder, texts: dict[str, list[str]], test: Sequence[int]) -> Row:
    """P@1 to English, and the share of masked pieces that are predicted right."""
    english = [texts["eng"][i] for i in test]
    candidates = encoder.encode(english)
    right, some, every = [], [], []
    for name in LANGUAGES:
        verses = [texts[name][i] for i in test]
        right.append((gold_ranks(encoder.encode(verses), candidates) == 1).astype(float))
        some.append(predicted(encoder, verses, english, rate=0.15))
        every.append(predicted(encoder, verses, english, rate=1.0))
    found = {"P@1": cell(mean(map(np.mean, right)), macro_interval(right, lines=[range(len(test))] * len(right)))}
    for key, of in (("some", some), ("every", every)):
        by_line = np.concatenate(of)  # the share of each line's masked pieces, of lines that have one
        number = np.tile(np.arange(len(test)), len(of))
        known = np.isfinite(by_line)
        found[key] = cell(by_line[known].mean(), bootstrap_mean(by_line[known], lines=number[known].tolist()))
    return found


@torch.no_grad()
def predicted(encoder: Encoder, texts: Sequence[str], beside: Sequence[str], *, rate: float) -> np.ndarray[Any, Any]:
    """(n,) share of the masked pieces of each text that are right, with the other before it; NaN where none is."""
    transform, weight, bias = masked_lm_head(encoder.model)
    rows = zip(encoder.tokenize(beside), encoder.tokenize(texts), strict=True)
    begin = encoder.tokenizer.cls_token_id
    batch = padded_joints([join(*both, begin=begin, max_tokens=encoder.max_tokens) for both in rows], pad_id=0)
    ids, attention = batch["ids"], batch["attention"]
    maskable = (batch["lines"] == 1) & ~torch.isin(ids, torch.tensor(encoder.added_ids))
    generator = torch.Generator().manual_seed(0)
    _, labels = mask_tokens(ids, maskable, rate=rate, mask_id=0, vocabulary=1, generator=generator)
    masked = labels >= 0
    shown = ids.masked_fill(masked, encoder.tokenizer.mask_token_id)
    found = torch.zeros(ids.shape)
    encoder.eval()
    for part in torch.arange(len(ids)).split(20):
        states = encoder.hidden(shown[part], attention[part], head=True, types=batch["types"][part]).last
        logits = transform(states[masked[part]]) @ weight.T + (0.0 if bias is None else bias)
        found[part] = found[part].masked_scatter(masked[part], (logits.argmax(1) == labels[part][masked[part]]).float())
    share: np.ndarray[Any, Any] = (found.sum(1) / masked.sum(1)).numpy().astype(float)
    return share


if __name__ == "__main__":
    command_line(interlinear)

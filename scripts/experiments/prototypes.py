"""Topics that are known in English alone: what probes learn there, do they find it in other languages?

    python -m scripts.experiments.prototypes seed --bf16 --steps 110 --set train.learning_rate=1e-4 \
        train.max_tokens=64 --out docs/results/prototypes-seed.json

SIB-200's train split, as its task has it: the topics of every second English sentence, and, without topics, the other
sentences in three languages, so that no text without a topic is the translation of one with. Four states: before; after
the texts alone (`nt_xent`, two dropout views); after SupCon on the English texts; after `prototypes`, the same batches
and steps. Probes learn on all English sentences of the train split, the penalty is chosen on the English dev split;
scored are the test split's sentences in English, in the three, and in five languages of which nothing was trained on.
Nothing was tuned: the recipe's options, and the steps and rates above.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import align
from align.tasks.classification.task import classification
from align.tasks.statistics.intervals import macro_interval
from align.tasks.texts.labelled import LabelledTexts, read_classification
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.plans import encode_with

ENGLISH = "eng_Latn"
WITHOUT = ("deu_Latn", "hin_Deva", "rus_Cyrl")
STRANGE = ("arb_Arab", "fra_Latn", "swh_Latn", "tam_Taml", "zho_Hans")
GROUPS = {"English": (ENGLISH,), "texts without topics": WITHOUT, "languages not trained on": STRANGE}
WAYS = {
    "texts alone": ["nt_xent.temperature=0.07"],
    "SupCon in English": ["prototypes.guesses=0.0"],
    "prototypes": [],
}  # fmt: skip
"""What is changed of the recipe."""


def topics(
    model: str, *, to: Path = Path("runs/prototypes"), prompt: str | None = None, bf16: bool = False, steps: int = 110,
    set: Sequence[str] = (),
) -> Row:  # fmt: skip
    """Train each way from the start, and measure."""
    found = read_classification(data() / "sib200", languages=[ENGLISH, *WITHOUT, *STRANGE])
    tables = pairs(found, to)
    result: Row = {"settings": {"steps": steps, "set": [*set], "bf16": bf16}, "states": {}}
    result["texts"] = {name: len(table) for name, table in tables.items()}
    result["states"]["before"] = measured(align.load_encoder(model, prompt=prompt), found, bf16)
    for name, changes in WAYS.items():
        shared = [f"train.steps={steps}", f"train.bf16={str(bf16).lower()}", *set]
        recipe = align.load_recipe("prototypes", changes=[*shared, *changes])
        if "nt_xent" in recipe.objectives:
            recipe = recipe_of(recipe, "nt_xent")
        encoder, began = align.load_encoder(model, prompt=prompt), time.process_time()
        facts = align.train(encoder, tables, recipe, to / name.replace(" ", "-"), fresh=True, progress=False)
        minutes = round((time.process_time() - began) / 60, 1)
        state = measured(encoder, found, bf16) | {"cpu_minutes": minutes, "losses": facts["losses"][-1]}
        result["states"][name] = state
        print(name, {key: value for key, value in state.items() if key != "languages"}, flush=True)
    return result


def recipe_of(recipe: Any, name: str) -> Any:
    """The same with one objective alone."""
    from align.training.recipe import Recipe

    return Recipe(objectives={name: recipe.objectives[name]}, train=recipe.train)


def pairs(found: LabelledTexts, to: Path) -> dict[str, Any]:
    """Two tables, of the texts with topics and of those without."""
    train = [i for i, split in enumerate(found.splits) if split == "train"]
    for folder, languages, lines in (("with", (ENGLISH,), train[::2]), ("without", WITHOUT, train[1::2])):
        (to / folder).mkdir(parents=True, exist_ok=True)
        for code in languages:
            rows = [f"{found.texts[code][i]}\t{found.classes[i] if folder == 'with' else ''}" for i in lines]
            text = "\n".join(["text\tclass", *rows, ""])
            (to / folder / f"{code}.tsv").write_text(text, encoding="utf-8")
    align.class_pairs([to / "with", to / "without"], to / "pairs", licence="CC BY-SA 4.0")
    table = align.read_pairs(to / "pairs")
    known = np.array([bool(name) for name in table["class"]])
    return {
        "with topics": table.select(np.flatnonzero(known)), "without": table.select(np.flatnonzero(~known)),
    }  # fmt: skip


def measured(encoder: Any, found: LabelledTexts, bf16: bool) -> Row:
    """Accuracy of both probes: of each group with its interval by sentence, and by language."""
    scored = classification(encode_with(encoder, bf16=bf16), found, train=ENGLISH, per_item=True).scores
    state: Row = {"languages": {one.language: dict(one.accuracy) for one in scored}}
    for probe in ("knn", "logistic"):
        right = {one.language: items(one, probe, found.classes) for one in scored}
        state[probe] = {name: cell([right[code] for code in codes]) for name, codes in GROUPS.items()}
    return state


def items(score: Any, probe: str, classes: Sequence[str]) -> NDArray[np.float64]:
    """Which test lines the probe says right."""
    said = zip(score.lines, score.predictions[probe], strict=True)
    return np.array([float(classes[line - 1] == one) for line, one in said])


def cell(right: Sequence[NDArray[np.float64]]) -> list[float]:
    """The mean over languages, and its interval by sentence."""
    interval = macro_interval(right, lines=[np.arange(len(one)) for one in right])
    return [round(float(value), 4) for value in (np.mean([one.mean() for one in right]), *interval)]


if __name__ == "__main__":
    command_line(topics)

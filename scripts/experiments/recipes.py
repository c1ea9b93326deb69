"""Recipes against each other on the demo's verses: the same pairs, steps and pairs per step, each with its own vector.

    python -m scripts.experiments.recipes --to runs/recipes --out docs/results/recipes.json

TransliCo pools layer 8 of 12; of the seed encoder's 4 layers that is layer 3. Its published learning rate, 2e-5 over
tens of thousands of steps, moves little in 200, so its objective also runs with a larger one.
"""

from __future__ import annotations

import time
from importlib.resources import as_file, files
from pathlib import Path

import align
from align import demo
from scripts.bench.harness import Row, command_line

COMMON = ["train.batch_size=48", "train.accumulate=1", "train.max_tokens=48"]
SETTINGS = {
    "TransliCo, as published": ("translico", 3, []),
    "TransliCo, learning rate 1e-3": ("translico", 3, ["train.learning_rate=1e-3", "train.warmup=0.1"]),
    "`transliteration`, learning rate 1e-3": ("transliteration", 4, ["train.learning_rate=1e-3"]),
}


def recipes(*, to: Path = Path("runs/recipes"), steps: int = 200) -> Row:
    demo.write_texts(to, *demo.read_verses())
    with as_file(files("align") / "data" / "demo" / "train") as folder:
        texts = [path for path in sorted(folder.iterdir()) if not path.name.startswith(demo.PIVOT)]
        align.transliteration_pairs(texts, to / "pairs", groups="line", licence="public domain")
    results: Row = {}
    for name, (recipe, layer, more) in SETTINGS.items():
        encoder = align.load_encoder("seed", layer=layer, special_tokens=False if recipe == "translico" else None)
        before = demo.evaluate(encoder, to, "before")
        changes = [f"encoder.layer={layer}", *COMMON, *more, f"train.steps={steps}"]
        began = time.process_time()
        align.train(encoder, align.read_pairs(to / "pairs"), align.load_recipe(recipe, changes=changes), to / "model")
        minutes = round((time.process_time() - began) / 60, 1)
        scores = demo.summary(before, demo.evaluate(encoder, to, "after"))
        results[name] = {"layer": layer, "scores": scores, "cpu_minutes": minutes}
        print(name, results[name], flush=True)
    return {"settings": results}


if __name__ == "__main__":
    command_line(recipes)

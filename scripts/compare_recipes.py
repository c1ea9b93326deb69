"""Recipes against each other on the demo's verses: the same pairs, steps and pairs per step, each with its own vector.

    python scripts/compare_recipes.py runs/recipes

TransliCo pools layer 8 of 12; of the seed encoder's 4 layers that is layer 3. Its published learning rate, 2e-5 over
tens of thousands of steps, moves little in 200, so its objective also runs with larger ones. A setting that has a
result is left out, so that the script can go on where it was stopped.
"""

from __future__ import annotations

import argparse
import time
from importlib.resources import as_file, files
from pathlib import Path

import torch

import align
from align import demo, read_pairs, transliteration_pairs
from align.files.whole import read_json, write_json

STEPS, PAIRS = 200, 64
COMMON = [f"train.steps={STEPS}", f"train.batch_size={PAIRS}", "train.accumulate=1", "train.max_tokens=48"]
SETTINGS = {
    "TransliCo, as published": ("translico", 3, []),
    "TransliCo, learning rate 5e-4": ("translico", 3, ["train.learning_rate=5e-4", "train.warmup=0.1"]),
    "ours, layer 3": ("demo", 3, []),
    "ours (the demo's)": ("demo", 1, []),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    verses, roman = demo.read_verses()
    with as_file(files("align") / "data" / "demo" / "train") as folder:
        texts = [path for path in sorted(folder.iterdir()) if not path.name.startswith(demo.PIVOT)]
        transliteration_pairs(texts, args.out / "pairs", groups="line", licence="public domain")
    file = args.out / "recipes.json"
    results = read_json(file) if file.exists() else {}
    for name, (recipe, layer, changes) in SETTINGS.items():
        if name in results:
            continue
        special = False if recipe == "translico" else None
        encoder = align.load_encoder("seed", layer=layer, special_tokens=special)
        before = demo.evaluate(encoder, verses, roman)["mean"]
        chosen = align.load_recipe(recipe, changes=[f"encoder.layer={layer}", *COMMON, *changes])
        began = time.process_time()
        align.train(encoder, read_pairs(args.out / "pairs"), chosen, args.out / "model")
        minutes = (time.process_time() - began) / 60
        after = demo.evaluate(encoder, verses, roman)["mean"]
        results[name] = {"layer": layer, "before": before, "after": after, "cpu_minutes": round(minutes, 1)}
        write_json(file, results)
        print(name, results[name], flush=True)


if __name__ == "__main__":
    main()

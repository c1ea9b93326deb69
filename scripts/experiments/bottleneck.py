"""Names of held-out entities after training bottleneck adapters alone: one, and two of a part of the names each, fused.

    python -m scripts.experiments.bottleneck seed --bf16 --out docs/results/bottleneck-seed.json

The names, their parts and the measure are those of `scripts.experiments.entities`, the recipe is `knowledge` with
`bottleneck.reduction = 16`. Fused are an adapter trained on the names of territories and one trained on those of
languages and currencies, half as many steps each, by `align merge`: the mean of what they add.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import align
from align.files.whole import read_json, write_json
from scripts.bench.harness import Row, command_line
from scripts.experiments.entities import LISTS, measured, split

STEPS = 300
PARTS = {"one": LISTS, "territories": LISTS[:1], "the others": LISTS[1:]}


def adapted(
    model: str, *, to: Path = Path("runs/bottleneck"), prompt: str | None = None, bf16: bool = False,
    learning_rate: float = 1e-3,
) -> Row:  # fmt: skip
    """Train and measure what is not there."""
    split(to)
    result: Row = {"settings": {"learning_rate": learning_rate, "bf16": bf16}}
    for name, lists in PARTS.items():
        steps, out = STEPS if name == "one" else STEPS // 2, to / name.replace(" ", "-")
        if not out.is_dir():
            trained(model, lists, to, out, prompt, bf16, learning_rate, steps)
        result[f"{name}, trained"] = read_json(out / "align.json")["summary"]["trainable_parameters"]
    align.merge([to / "territories", to / "the-others"], to / "fused")
    for name in ("one", "fused"):
        kept = to / f"{name}.json"
        if not kept.is_file():
            write_json(kept, measured(align.load_encoder(to / name), to, bf16))
        result[name] = read_json(kept)
        print(name, result[name], flush=True)
    return result


def trained(
    model: str, lists: Sequence[str], to: Path, out: Path, prompt: str | None, bf16: bool, rate: float, steps: int
) -> None:
    """Write the encoder with an adapter trained on the names of some lists."""
    align.knowledge_pairs([to / "train" / f"{name}.tsv" for name in lists], to / "pairs", licence="Unicode-3.0")
    changes = ["bottleneck.reduction=16", f"train.learning_rate={rate}", f"train.steps={steps}"]
    recipe = align.load_recipe("knowledge", changes=[*changes, *(["train.bf16=true"] if bf16 else [])])
    align.train(align.load_encoder(model, prompt=prompt), align.read_pairs(to / "pairs"), recipe, out)


if __name__ == "__main__":
    command_line(adapted)

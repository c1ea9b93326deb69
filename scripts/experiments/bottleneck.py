"""Names of held-out entities after training bottleneck adapters alone: one, and two of a part of the names each, fused.

    python -m scripts.experiments.bottleneck seed --bf16 --out docs/results/bottleneck-seed.json

The names, their parts and the measure are those of `scripts.experiments.entities`, the recipe is `knowledge` with
`bottleneck.reduction = 16`. Fused are an adapter trained on the names of territories and one trained on those of
languages and currencies, half as many steps each, by `align merge`: the mean of what they add.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import align
from scripts.bench.harness import Row, command_line
from scripts.experiments.entities import LISTS, measured, split

STEPS = 300
PARTS = {"one": LISTS, "territories": LISTS[:1], "the others": LISTS[1:]}


def adapted(
    model: str, *, to: Path = Path("runs/bottleneck"), prompt: str | None = None, bf16: bool = False,
    learning_rate: float = 1e-3,
) -> Row:  # fmt: skip
    """Train what is not there, and measure."""
    split(to)
    result: Row = {"settings": {"learning_rate": learning_rate, "bf16": bf16}}
    for name, lists in PARTS.items():
        steps, out = STEPS if name == "one" else STEPS // 2, to / name.replace(" ", "-")
        made = trained(model, lists, to, out, prompt, bf16, learning_rate, steps)
        result[f"{name}, trained"], result[f"{name}, CPU minutes"] = made
    align.merge([to / "territories", to / "the-others"], to / "fused")
    for name in ("one", "fused"):
        result[name] = measured(align.load_encoder(to / name), to, bf16)
        print(name, result[name], flush=True)
    return result


def trained(
    model: str, lists: Sequence[str], to: Path, out: Path, prompt: str | None, bf16: bool, rate: float, steps: int
) -> tuple[int, float]:
    """Parameters trained, and CPU minutes."""
    align.knowledge_pairs([to / "train" / f"{name}.tsv" for name in lists], to / "pairs", licence="Unicode-3.0")
    changes = ["bottleneck.reduction=16", f"train.learning_rate={rate}", f"train.steps={steps}"]
    recipe = align.load_recipe("knowledge", changes=[*changes, *(["train.bf16=true"] if bf16 else [])])
    began = time.process_time()
    about = align.train(align.load_encoder(model, prompt=prompt), align.read_pairs(to / "pairs"), recipe, out)
    return about["trainable_parameters"], round((time.process_time() - began) / 60, 1)


if __name__ == "__main__":
    command_line(adapted)

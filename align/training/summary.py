"""What a user should know of a run before its first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from align.training.recipe import Recipe
from align.training.store import PairStore

if TYPE_CHECKING:
    from datasets import Dataset

ROWS = 10_000
"""Of a table, that are looked through for texts of each language."""


def summary(
    store: PairStore, recipe: Recipe, drawn: NDArray[np.int64], *, trained: int, processes: int
) -> dict[str, Any]:
    """Counts of the data and of a run that draws each pair so often, as JSON values.

    ``tables`` has the rows of each table and ``passes``: how often the run goes through them on average;
    ``source_languages`` likewise; ``never_drawn`` the number of pairs that the run does not come to, and the source
    languages of which it draws none.
    """
    train = recipe.train
    batch = train.batch_size * processes
    if train.batch_tokens:  # batches differ: their mean
        batch = round(int(drawn.sum()) / (train.steps * train.accumulate))
    languages = _passes(store.languages, store.names, drawn)
    return {
        "pairs": len(store.groups),
        "groups": len(np.unique(store.groups[:, 0])),
        "languages": len(store.names),
        "scripts": sorted({code.partition("_")[2] for code in store.names}),
        "negatives": negatives(recipe, batch, len(store.negative) / len(store.groups) if store.negative else 0.0),
        "pairs_per_step": batch * train.accumulate,
        "trainable_parameters": trained,
        "tables": _passes(store.tables, store.table_names, drawn),
        "source_languages": languages,
        "never_drawn": {
            "pairs": int(np.count_nonzero(drawn == 0)),
            "languages": [name for place, name in enumerate(store.names) if name in languages
                          and not drawn[store.languages == place].any()],
        },
    }  # fmt: skip


def _passes(of: NDArray[np.int64], names: Sequence[str], drawn: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Rows of each name, and how often a row of it is drawn on average."""
    sizes, visits = (np.bincount(of, weights, minlength=len(names)) for weights in (None, drawn))
    return {
        name: {"rows": int(size), "passes": round(float(visit / size), 3)}
        for name, size, visit in zip(names, sizes, visits, strict=True)
        if size
    }


def some_texts(tables: Mapping[str, Dataset], *, most: int = 100) -> dict[str, list[str]]:
    """By language the first texts of either side of the tables, so many of each at most."""
    found: dict[str, list[str]] = {}
    for table in tables.values():
        for row in table.select(range(min(len(table), ROWS))):
            for side in ("source", "target"):
                kept = found.setdefault(row[f"{side}_lang"], [])
                if len(kept) < most:
                    kept.append(row[side])
    return found


def negatives(recipe: Recipe, batch: int, hard: float) -> int:
    """Negatives of an anchor in a batch of so many pairs, groups aside; the most that an objective has.

    A pair brings ``hard`` of its own, on average.
    """
    return max(
        objective.negatives(recipe.objectives[name], batch) + round(batch * hard) * ("negatives" in recipe.reads(name))
        for name, objective in recipe.active.items()
    )


def summary_line(facts: Mapping[str, Any]) -> str:
    """One line for people."""
    tables = ", ".join(f"{name} {table['passes']:.2g}x" for name, table in facts["tables"].items())
    never = facts["never_drawn"]
    left_out = f"; never drawn: {never['pairs']:,} pairs" if never["pairs"] else ""
    if never["languages"]:
        left_out += f", all of {', '.join(never['languages'])} among them"
    return (
        f"{facts['pairs']:,} pairs in {facts['groups']:,} groups, {facts['languages']} languages, "
        f"{len(facts['scripts'])} scripts ({' '.join(facts['scripts'])}), {facts['negatives']} negatives per anchor, "
        f"{facts['pairs_per_step']} pairs per step, {facts['trainable_parameters']:,} trainable parameters; "
        f"passes: {tables}{left_out}"
    )

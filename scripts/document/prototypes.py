"""The numbers of docs/classes.md, from docs/results/prototypes-*.json."""

from __future__ import annotations

from scripts.document.switched import cell, encoder
from scripts.document.tables import ran, runs, table

PROBES = {"knn": "kNN", "logistic": "logistic"}
STATES = ("before", "texts alone", "SupCon in English", "prototypes")
GROUPS = ("English", "texts without topics", "languages not trained on")


def topics() -> str:
    """Accuracy of both probes by group of languages, before and after each way."""
    rows: list[tuple[str, ...]] = []
    for one in runs("prototypes"):
        states = one["states"]
        for probe, title in PROBES.items():
            for group in GROUPS:
                values = [cell(states[state][probe][group]) for state in STATES]
                rows += [(encoder(one), f"{title}, {group}", *values)]
        minutes = [str(states[state].get("cpu_minutes", "-")) for state in STATES]
        rows += [(encoder(one), "CPU minutes of training", *minutes)]
    heads = ("encoder", "", *STATES)
    return table({name: lambda row, k=k: row[k] for k, name in enumerate(heads)}, rows)


PARTS = {"topics": topics, "topics ran": lambda: "\n\n".join(map(ran, runs("prototypes")))}

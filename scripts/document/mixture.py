"""The numbers of docs/adapters.md, from docs/results/mixture-*.json."""

from __future__ import annotations

from scripts.document.switched import cell, encoder
from scripts.document.tables import ran, runs, table

WAYS = ("native to roman", "roman to native")
STATES = ("before", "one adapter", "mixture, all")


def adapters() -> str:
    """P@1 both ways, weights trained, entropy and purity of each way."""
    rows: list[tuple[str, ...]] = []
    for one in runs("mixture"):
        for name in STATES:
            state = one["states"][name]
            read = state.get("held out")
            entropies = [language["entropy"] for language in read["languages"].values()] if read else []
            rows += [(
                encoder(one), name, f"{state.get('trained', 0):,}", *(cell(state[way]) for way in WAYS),
                f"{sum(entropies) / len(entropies):.3f}" if read else "-",
                f"{read['purity']:.3f} ({read['purity_of_one']:.3f})" if read else "-",
                str(state.get("cpu_minutes", "-")),
            )]  # fmt: skip
    heads = ("encoder", "", "trained", *WAYS, "entropy, nats", "purity (of one)", "CPU minutes")
    return table({name: lambda row, k=k: row[k] for k, name in enumerate(heads)}, rows)


PARTS = {"adapters": adapters, "adapters ran": lambda: "\n\n".join(map(ran, runs("mixture")))}

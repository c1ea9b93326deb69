"""The numbers of docs/rerank.md, from docs/results/rerank.json and self-taught.json."""

from __future__ import annotations

from typing import Any

from scripts.document.tables import kept, ran, table


def systems() -> str:
    """P@1 of the encoder alone and with each scorer, and what a query costs."""
    found = kept("rerank")["systems"]
    columns: dict[str, Any] = {
        "system": str,
        "layers that read both": lambda name: f"{found[name].get('joint', '-')}",
        "layers above": lambda name: f"{found[name].get('rest', '-')}",
        "P@1": lambda name: with_interval([found[name]["P@1"], *found[name]["interval"]]),
        "ms of scoring a query": lambda name: cost(found[name]),
        "CPU minutes of training": lambda name: f"{found[name].get('cpu_minutes', '-')}",
    }
    return table(columns, ["retrieve", *(name for name in found if name != "retrieve")])


def languages() -> str:
    """P@1 of each language."""
    found = kept("rerank")["systems"]
    columns: dict[str, Any] = {"language": str}
    for name in ("retrieve", *(name for name in found if name != "retrieve")):
        columns[name] = lambda code, name=name: f"{found[name]['languages'][code]:.3f}"
    return table(columns, list(found["retrieve"]["languages"]))


def runs() -> str:
    """P@1 and rho before training, and after each run."""
    found = kept("self-taught")["runs"]
    columns: dict[str, Any] = {"run": lambda name: "(start)" if name == "before" else f"`{name}`"}
    for title, key in {
        "P@1, Hindi and Swahili": "P@1", "STS, Hindi": "sts hi",
    }.items():  # fmt: skip
        columns[title] = lambda name, key=key: with_interval(found[name][key])
    return table(columns, list(found))


def ceiling() -> str:
    """P@5 of the encoder alone: no scorer gets more of five candidates."""
    return f"{kept('rerank')['systems']['retrieve']['P@5']:.3f}"


def verdict() -> str:
    """Whether each scorer's interval lies above the encoder's."""
    found = kept("rerank")["systems"]
    base = found["retrieve"]
    told = []
    for name, one in found.items():
        if name != "retrieve":
            gain = one["P@1"] - base["P@1"]
            apart = one["interval"][0] > base["interval"][1] or one["interval"][1] < base["interval"][0]
            told.append(f"`{name}` {gain:+.3f}, intervals {'apart' if apart else 'that overlap'}")
    return "; ".join(told)


def cost(one: dict[str, Any]) -> str:
    """Milliseconds of the scorer for each query; of the encoder alone none."""
    return f"{1000 * one['rerank']['seconds'] / one['queries']:.0f}" if one.get("rerank") else "-"


def with_interval(found: Any) -> str:
    """A value and its interval."""
    value, low, high = found
    return f"{value:.3f} ({low:.3f}-{high:.3f})"


PARTS = {
    "rerank": systems, "rerank languages": languages, "rerank ceiling": ceiling, "rerank verdict": verdict,
    "rerank ran": lambda: ran(kept("rerank")), "self taught": runs, "self taught ran": lambda: ran(kept("self-taught")),
}  # fmt: skip

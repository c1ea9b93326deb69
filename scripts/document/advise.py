"""The numbers of docs/advise.md, from docs/results/advised-*.json."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.document.tables import kept, ran, table

TASKS = {"retrieval": "retrieval", "parts of speech": "pos"}
RANKINGS = ("typology", "lexical", "typology + lexical", "size", "likeness", "all", "all + usual", "usual", "chance")
SHUFFLED = ("typology", "syntax", "phonology", "inventory", "family", "geography", "lexical", "script", "trigrams",
            "subwords", "size", "likeness", "usual")  # fmt: skip
REGRETS = ("regret@1", "regret@3")


def held_out() -> str:
    """Rho and regrets of every ranking, by task."""
    result = {task: kept(f"advised-{task}") for task in TASKS.values()}
    columns = {"ranked by": str}
    for title, task in TASKS.items():
        of = result[task]["held_out"]
        columns[f"{title}: rho"] = lambda name, of=of: interval(of[name]["rho"], 2)
        for measure in REGRETS:
            columns[measure if title == "retrieval" else f"{measure} "] = lambda name, of=of, m=measure: interval(
                of[name][m], 3
            )
    return table(columns, RANKINGS)


def differences() -> str:
    """Of rho between two rankings."""
    result = {task: kept(f"advised-{task}") for task in TASKS.values()}
    columns = {"rho of": str} | {
        title: lambda name, task=task: interval(result[task]["differences"][name], 2, "+")
        for title, task in TASKS.items()
    }
    return table(columns, list(result["retrieval"]["differences"]))


def importance() -> str:
    """How far rho falls when features are shuffled."""
    result = {task: kept(f"advised-{task}") for task in TASKS.values()}
    columns = {"shuffled": str} | {
        title: lambda name, task=task: interval(result[task]["importance"][name], 2, "+")
        for title, task in TASKS.items()
    }
    return table(columns, SHUFFLED)


def interval(value: Sequence[float], digits: int, sign: str = "") -> str:
    """A value and its interval."""
    first, *ends = (f"{number:{sign}.{digits}f}" for number in value)
    return f"{first} ({', '.join(ends)})"


PARTS = {
    "advice held out": held_out,
    "advice differences": differences,
    "advice importance": importance,
    "advice ran": lambda: "\n\n".join(
        ran(kept(f"{name}-{task}")) for task in TASKS.values() for name in ("transfer", "advised")
    ),
}

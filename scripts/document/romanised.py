"""The numbers of docs/romanised.md, from docs/results/tower*.json."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.document.tables import kept, ran, table

WAYS = {"native -> roman": "native_to_roman", "roman -> native": "roman_to_native"}


def tower() -> str:
    """P@1 of each language before and with the tower, with the interval of the latter; the mean last."""
    result = kept("tower")
    columns = {"language": str}
    for title, way in WAYS.items():
        columns[title] = lambda code, way=way: between(result["before"][code][way], result["after"][code][way])
    return table(columns, sorted(result["after"], key=last))


def likeness() -> str:
    """Rho in Hindi, native and romanised."""
    return table({"STS benchmark, Hindi": "{name}", "rho": "{rho:.3f}"}, [
        {"name": name, "rho": rho} for name, rho in kept("tower")["sts_hi"].items()
    ])  # fmt: skip


def old_index() -> str:
    """Recall@10 of romanised queries in the untouched index, before and after, by an exact and a FAISS index."""
    result = kept("tower")
    columns = {"queries in": str}
    for factory, of in result["old_index"].items():
        columns[factory] = lambda code, of=of: between(of["before"][code], of["after"][code])
    return table(columns, sorted(result["old_index"]["Flat"]["after"], key=last))


def upgraded() -> str:
    """What is left of recall, by method and rows."""
    columns = {"map": "{method}", "rows": "{rows:,}", "recall@10": "{recall:.3f}", "finds itself": "{itself:.3f}"}
    return table(columns, kept("upgraded")["maps"])


def last(code: str) -> tuple[bool, str]:
    """Sorts languages, the mean behind them."""
    return code == "mean", code


def between(before: Sequence[float], after: Sequence[float]) -> str:
    """Before -> after, with the interval of the latter."""
    return "{:.3f} -> {:.3f} ({:.3f}-{:.3f})".format(before[0], *after)


PARTS = {"upgraded": upgraded, "upgraded ran": lambda: ran(kept("upgraded"))} | {
    "tower": tower,
    "likeness": likeness,
    "old index": old_index,
    "tower ran": lambda: ran(kept("tower")),
}

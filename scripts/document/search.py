"""The numbers of docs/search.md, from docs/results/search-*.json."""

from __future__ import annotations

from typing import Any

from scripts.document.tables import Row, change, kept, ran, runs, table

EFFORTS = {"nprobe": "nprobe", "ef_search": "ef"}
RATES = {"queries/s": "{queries_per_second:,.0f}", "one by one": "{one_by_one_per_second:,.0f}"}


def indexes() -> str:
    rows = []
    for row in kept("search-indexes")["indexes"]:
        for number, search in enumerate(row["search"]):
            effort = ", ".join(f"{shown} {search[name]}" for name, shown in EFFORTS.items() if name in search)
            built = [row["factory"], f"{row['seconds']:.0f} s", f"{row['bytes_per_vector']:,.0f}"]
            rows.append(search | {"built": built if not number else [""] * 3, "effort": effort or "all"})
    head = {name: f"{{built[{i}]}}" for i, name in enumerate(("index", "build", "bytes a vector"))}
    return table(head | {"effort": "{effort}", "recall@10": "{recall:.3f}"} | RATES, rows)


def changed(before: Row, after: Row, names: list[str]) -> str:
    """Scores of the queries in each language before and after, the mean last."""
    columns: dict[str, Any] = {"queries in": str}
    for name in names:
        columns[name] = lambda language, name=name: change(before[language][name][0], after[language][name][0])
    return table(columns, sorted(before, key=lambda language: (language == "mean", language)))


def romanised() -> str:
    result = kept("search-romanised")
    names = [name.format(result["k"]) for name in ("recall@1", "recall@{}", "mrr@{}")]
    return changed(result["before"]["scores"], result["after"]["scores"], names)


def intervals() -> str:
    """Of the mean recall, before and after."""
    result = kept("search-romanised")
    cells = (result[when]["scores"]["mean"][f"recall@{result['k']}"] for when in ("before", "after"))
    return ", ".join(f"{low:.3f}-{high:.3f}" for _, low, high in cells)


def exports() -> str:
    columns = {
        "engine": "{engine}",
        "options": lambda row: ", ".join(f"{name}={value}" for name, value in row["options"].items()),
        "rows": "{rows:,}", "rows/s": "{rows_per_second:,.0f}", "recall": "{recall:.4f}",
        "search": lambda row: ("exact" if row["exact"] else "approximate") + ("" if row["passed"] else ", refused"),
    }  # fmt: skip
    of = runs("search-export")
    return table(columns, [{"rows": result["rows"]} | row for result in of for row in result["engines"]])


def exports_ran() -> str:
    *others, last = runs("search-export")
    return "; ".join([*(f"`{result['command']}`" for result in others), ran(last)])


def mined() -> str:
    columns = {name: f"{{{name}}}" for name in ("score", "direction")}
    columns |= {name: f"{{{name.lower()}:.3f}}" for name in ("precision", "recall", "F1")}
    return table(columns | {"F1, one threshold": "{shared[f1]:.3f}"}, kept("search-mined")["results"])


def mined_large() -> str:
    """Time and memory of large sides, and what exact mining of a million takes, if memory and time grow as measured."""
    rows = kept("search-mined-large")["synthetic"]
    columns = {
        "engine": "{engine}", "size": "{rows:,} x {rows:,} x {dimension}", "time": "{seconds:.0f} s",
        "vectors": "{vectors_mb:,} MB", "more memory": "{more_memory_mb:,} MB", "pairs found": "{pairs_found:.3f}",
    }  # fmt: skip
    small, large = [row for row in rows if row["engine"] == "exact"][-2:]
    a_row = (large["more_memory_mb"] - small["more_memory_mb"]) / (large["rows"] - small["rows"])
    memory = large["more_memory_mb"] + a_row * (1_000_000 - large["rows"])
    hours = large["seconds"] * (1_000_000 / large["rows"]) ** 2 / 3600
    return f"""{table(columns, rows)}

By this growth, exact mining of 1,000,000 x 1,000,000 takes {memory:,.0f} MB beside the vectors, which
are files mapped into memory, and {hours:.1f} hours here (computed, not run)."""


def tried() -> str:
    """Recall on the dev part by weight."""
    return ", ".join(f"{alpha}: {recall:.3f}" for alpha, recall in kept("search-augmented")["dev"]["recall"].items())


def augmented() -> str:
    result = kept("search-augmented")
    return changed(result["before"], result["after"], [f"recall@{result['k']}"])


def peers() -> str:
    return table({"exact search": "{name}"} | RATES, kept("search-indexes")["peers"])


PARTS = {
    "indexes": indexes, "peers": peers, "romanised": romanised, "intervals": intervals, "exports": exports,
    "exports ran": exports_ran, "mined": mined, "mined large": mined_large, "tried": tried, "augmented": augmented,
}  # fmt: skip
PARTS |= {
    f"{name} ran": lambda name=name: ran(kept(f"search-{name}"))
    for name in ("indexes", "romanised", "mined", "mined-large", "augmented")
}

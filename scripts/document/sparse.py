"""The numbers of docs/sparse.md, from docs/results/sparse-seed.json."""

from __future__ import annotations

from typing import Any

from scripts.document.tables import kept, ran, table

NAME = "sparse-seed"
WAYS = ("dense", "sparse", "sparse, 256 terms", "rank fusion", "weighted")
MODELS = {"start": "untrained", "dense alone": "dense part alone", "pivot": "recipe `sparse`"}


def cell(value: Any) -> str:
    """A mean with its interval."""
    return "{:.3f} ({:.3f}-{:.3f})".format(*value["mean"])


def recall() -> str:
    """Of BM25, and of each model by each way of search."""
    result = kept(NAME)
    rows = [("", "BM25", *(cell(result["bm25"][form]) for form in ("native", "romanised")))]
    rows += [
        (title, way, *(cell(result[kind][form][way]) for form in ("native", "romanised")))
        for kind, title in MODELS.items()
        for way in WAYS
    ]
    names = ("model", "search", "native queries", "romanised queries")
    return table({name: lambda row, k=k: row[k] for k, name in enumerate(names)}, rows)


def cost() -> str:
    """Terms, bytes, and the share of the twenty heaviest terms."""
    result = kept(NAME)
    rows = [
        (title, way, *(of[way][name] for name in ("terms", "bytes", "top 20 share")))
        for kind, title in MODELS.items()
        for of in [result[kind]]
        for way in ("sparse", "sparse, 256 terms")
    ]
    columns = {
        "model": lambda row: row[0], "vectors": lambda row: row[1], "terms a row": lambda row: f"{row[2]:,.0f}",
        "bytes a row": lambda row: f"{row[3]:,.0f}", "share of the top 20": lambda row: f"{row[4]:.3f}",
    }  # fmt: skip
    return f"{table(columns, rows)}\n\nA dense vector takes {result['start']['dense bytes']:,} bytes."


def setting() -> str:
    """What was trained and asked, and the weights that were fitted."""
    result = kept(NAME)
    fitted = "; ".join(
        f"{title} {result[kind]['native']['weight']:.2f} and {result[kind]['romanised']['weight']:.2f}"
        for kind, title in MODELS.items()
    )
    return (
        f"`seed`, {', '.join(result['settings']['set'])}. {result['settings']['rows']:,} rows, "
        f"{result['queries']['native']:,} queries of each kind, of which a quarter is the dev part. Weights of the "
        f"sparse score that it chose, for native and romanised queries: {fitted}."
    )


PARTS = {
    "sparse setting": setting, "sparse recall": recall, "sparse cost": cost, "sparse ran": lambda: ran(kept(NAME)),
}  # fmt: skip

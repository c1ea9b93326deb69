"""The numbers of docs/search.md, between its markers, from what is kept in docs/results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from results_sentences import markdown

from align.files.whole import read_json

MODELS = {"e5": "multilingual-e5-small"}
EFFORTS = {"nprobe": "nprobe", "ef_search": "ef"}


def search_page(page: str, kept: Path) -> str:
    """The page with its numbers; what stands between other markers stays."""
    sections = {
        "indexes": indexes(read_json(kept / "search-indexes.json")),
        "romanised": romanised(read_json(kept / "search-romanised.json")),
        "exports": exports([read_json(path) for path in sorted(kept.glob("search-export*.json"))]),
        "mined": mined(read_json(kept / "search-mined.json"), read_json(kept / "search-mined-large.json")),
        "augmented": augmented(read_json(kept / "search-augmented.json")),
    }
    for name, text in sections.items():
        marked = f"<!-- {name} -->\n{text}\n<!-- end -->"
        page = re.sub(rf"<!-- {name} -->.*?<!-- end -->", lambda _, new=marked: new, page, flags=re.DOTALL)
    return page


def model(result: Mapping[str, Any]) -> str:
    """Its name for a reader."""
    return MODELS.get(result["model"], str(result["model"]))


def mean_last(languages: Iterable[str]) -> list[str]:
    return sorted(languages, key=lambda language: (language == "mean", language))


def ran(result: Mapping[str, Any]) -> str:
    """The command and the hardware, in a line."""
    hardware = result["hardware"]
    return f"`{result['command']}`; {hardware['processor'].strip()}, {hardware['threads']} thread(s)"


def indexes(result: Mapping[str, Any]) -> str:
    rows = []
    for row in result["indexes"]:
        for number, search in enumerate(row["search"]):
            effort = ", ".join(f"{shown} {search[name]}" for name, shown in EFFORTS.items() if name in search)
            first = (
                [row["factory"], f"{row['seconds']:.0f} s", f"{row['bytes_per_vector']:,.0f}"]
                if not number
                else [""] * 3
            )
            speed = [f"{search[name]:,.0f}" for name in ("queries_per_second", "one_by_one_per_second")]
            rows.append([*first, effort or "all", f"{search['recall']:.3f}", *speed])
    peers = [
        [peer["name"], *(f"{peer[name]:,.0f}" for name in ("queries_per_second", "one_by_one_per_second"))]
        for peer in result["peers"]
    ]
    head = ["index", "build", "bytes a vector", "effort", "recall@10", "queries/s", "one by one"]
    return f"""{result["rows"]:,} vectors of {result["dimension"]} dimensions, {result["queries"]} queries:
{result["vectors"]}. How much an approximate index finds depends on the vectors: `align index` measures it on yours.

{markdown(head, rows)}

Exact search of the same vectors in memory, the rows found compared:

{markdown(["exact search", "queries/s", "one by one"], peers)}

{ran(result)}."""


def romanised(result: Mapping[str, Any]) -> str:
    before, after = result["before"]["scores"], result["after"]["scores"]
    k = result["k"]
    names = ["recall@1", f"recall@{k}", f"mrr@{k}"]
    rows = [
        [language, *(f"{before[language][name][0]:.3f} -> {after[language][name][0]:.3f}" for name in names)]
        for language in mean_last(before)
    ]
    ends = [f"{side['mean'][f'recall@{k}'][1]:.3f}-{side['mean'][f'recall@{k}'][2]:.3f}" for side in (before, after)]
    return f"""People's romanisations look for their native sentence (Dakshina's test half) among {result["passages"]:,}
sentences of {result["languages"]} languages in one index, before and after the recipe `transliteration` on the other
half (multilingual-e5-small; MODEL is made as [results.md](results.md) says).
95 % intervals of the mean recall@{k}: {ends[0]}, {ends[1]}.

{markdown(["queries in", *names], rows)}

{ran(result)}."""


def exports(results: list[Mapping[str, Any]]) -> str:
    rows = []
    for result in results:
        for engine in result["engines"]:
            options = ", ".join(f"{name}={value}" for name, value in engine["options"].items())
            exact = "exact" if engine["exact"] else "approximate"
            exact += "" if engine["passed"] else ", refused"
            cells = [f"{result['rows']:,}", f"{engine['rows_per_second']:,.0f}", f"{engine['recall']:.4f}", exact]
            rows.append([engine["engine"], options, *cells])
    commands = "; ".join(f"`{result['command']}`" for result in results)
    first = results[0]
    return f"""Rows a second, from the first row to the finished index ({first["dimensions"]} dimensions, float32;
servers on the same machine), and recall@10 by `verify-export`, which refuses an approximate index below 0.99: more
effort at search, as in the line below it, is the cure.

{markdown(["engine", "options", "rows", "rows/s", "recall", "search"], rows)}

{commands}; {first["hardware"]["processor"].strip()}, {first["hardware"]["threads"]} thread(s)."""


def mined(result: Mapping[str, Any], synthetic: Mapping[str, Any]) -> str:
    rows = [
        [row["score"], row["direction"], *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1")),
         f"{row['shared']['f1']:.3f}"]
        for row in result["results"]
    ]  # fmt: skip
    languages = result["results"][0]["languages"]
    large = [
        [row["engine"], f"{row['rows']:,} x {row['rows']:,} x {row['dimension']}", f"{row['seconds']:.0f} s",
         f"{row['vectors_mb']:,} MB", f"{row['more_memory_mb']:,} MB", f"{row['pairs_found']:.3f}"]
        for row in synthetic["synthetic"]
    ]  # fmt: skip
    return f"""A planted set: real pairs of Tatoeba hidden among sentences without a partner (Tatoeba's other halves,
TICO-19), {len(languages)} languages with English ({", ".join(languages)}), {model(result)}.
The threshold is chosen on the dev half of each language; means over languages on the test half. The last column has one
threshold for all languages.

{markdown(["score", "direction", "precision", "recall", "F1", "F1, one threshold"], rows)}

{ran(result)}.

Vectors around random centres, half of them pairs with noise (memory beyond the vectors themselves):

{markdown(["engine", "size", "time", "vectors", "more memory", "pairs found"], large)}

{million(synthetic["synthetic"])}

{ran(synthetic)}."""


def million(rows: list[Mapping[str, Any]]) -> str:
    """What exact mining of a million sentences a side takes, if memory grows as measured and time with the square."""
    small, large = [row for row in rows if row["engine"] == "exact"][-2:]
    a_row = (large["more_memory_mb"] - small["more_memory_mb"]) / (large["rows"] - small["rows"])
    memory = large["more_memory_mb"] + a_row * (1_000_000 - large["rows"])
    hours = large["seconds"] * (1_000_000 / large["rows"]) ** 2 / 3600
    return f"""By this growth, exact mining of 1,000,000 x 1,000,000 takes {memory:,.0f} MB beside the vectors, which
are files mapped into memory, and {hours:.1f} hours here (computed, not run)."""


def augmented(result: Mapping[str, Any]) -> str:
    name = f"recall@{result['k']}"
    rows = [
        [language, f"{result['before'][language][name][0]:.3f} -> {result['after'][language][name][0]:.3f}"]
        for language in mean_last(result["before"])
    ]
    tried = ", ".join(f"{alpha}: {recall:.3f}" for alpha, recall in result["dev"]["recall"].items())
    sizes = {f"{size:,}" for size in result["bytes"].values()}
    return f"""Passages: {result["passages"]:,} sentences, native text of Dakshina and TICO-19's other languages; each
gets one query made by uroman. Queries are people's romanisations, and {model(result)} was not aligned.
Dev {name} by weight: {tried}; chosen: {result["dev"]["alpha"]}.
Dev queries are all romanised, so that the weight may grow until little is left of the passage: for your own users,
choose it on their queries. Test, before -> after, at equal index size ({" and ".join(sorted(sizes))} bytes):

{markdown(["queries in", name], rows)}

{ran(result)}."""

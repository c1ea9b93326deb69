"""The numbers of docs/performance.md, from docs/results/performance-*.json, and the plot of how cost grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from scripts.document.tables import Columns, bash, grouped, runs, table

Row = dict[str, Any]

PEER = "sentence-transformers"
MODELS = {"seed": "seed", "e5": "multilingual-e5-small", "minilm": "all-MiniLM-L6-v2"}
TEXTS = {"scripts": "UDHR, {scripts} scripts", "latin": "UDHR, Latin"}
NAMES = ("encode", "step", "ladder", "translico", "caching", "loss", "sampler", "store", "cold", "serve")
MIB = {"MiB": "{memory:,.0f}"}


def of(name: str) -> list[Row]:
    return runs(f"performance-{name}")


def rows_of(name: str) -> list[Row]:
    return [row for run in of(name) for row in run["rows"]]


def setting(row: Row) -> str:
    """Model, text and batch of a table."""
    return f"{about(row)}, {row['batch']} pairs a step:"


def about(row: Row) -> str:
    return f"{MODELS[row['model']]}, {TEXTS[row['text']].format(**row)}"


def titled(title: str, columns: Columns, rows: Sequence[Any]) -> str:
    return f"{title}\n\n{table(columns, rows)}"


def machine() -> str:
    """Where all but the GPU's numbers were measured."""
    found = set()
    for run in (run for name in NAMES for run in of(name)):
        it = run["hardware"]
        bf16 = "with" if it["bf16"] else "without"
        found.add(
            f"{it['cores']} cores of {it['processor']}, {it['threads']} thread(s), {it['capability']} {bf16} bfloat16, "
            f"no GPU; {packages(it)}"
        )
    return "; ".join(sorted(found))


def packages(hardware: Row) -> str:
    """Versions that decide speed."""
    versions = hardware["versions"]
    return ", ".join(f"{name} {versions[name]}" for name in ("torch", "transformers", PEER) if name in versions)


def apart(name: str) -> str:
    """How far outputs differ at most, bfloat16 aside."""
    checks = [check for run in of(name) for check in run["checks"] if not check["bf16"]]
    loss = max(check["loss"] / max(1, abs(check["peer"])) for check in checks)
    cosine = min(check["gradient_cosine"] for check in checks)
    least = math.floor(cosine * 1e7) / 1e7  # never rounded up to 1
    return f"losses at most {max(loss, 1e-8):.0e} apart, cosine of the gradients at least {least:.7f}"


def encode() -> str:
    columns = {
        "": "{name}", "sentences/s": "{per_second:,.1f}", "ratio": "{ratio:.2f}", **MIB,
        "differs by": "{difference:.0e}", "cosine": "{cosine:.5f}", "alone": "{alone:.0e}",
    }  # fmt: skip
    parts = []
    for rows in grouped(rows_of("encode"), "model", "text"):
        text = "Latin:" if rows[0]["text"] == "latin" else f"{rows[0]['scripts']} scripts:"
        title = f"{MODELS[rows[0]['model']]}, {rows[0]['sentences']:,} sentences, {text}"
        parts.append(titled(title, columns, rows))
    return "\n\n".join(parts)


def beside(rows: Sequence[Row], one: Row, *names: str) -> list[Row]:
    """The rows with how many times as much each takes as one of them, ``to_NAME``."""
    times = [{f"to_{n}": row[n] / one[n] if row[n] and one[n] else None for n in names} for row in rows]
    return [row | more for row, more in zip(rows, times, strict=True)]


def step() -> str:
    rows = []
    for pair in grouped(rows_of("step"), "model", "text", "batch", "bf16"):
        ours, peer = sorted(pair, key=lambda row: row["side"])
        (peer,) = beside([peer], ours, "processor", "whole_processor")
        precision = "bfloat16" if ours["bf16"] else "float32"
        facts = {"about": about(ours), "precision": precision, "rate": ours["batch"] / ours["processor"]}
        rows.append(peer | facts | {"ours": ours["memory"]})
    return table({
        "model, text": "{about}", "pairs a step": "{batch}", "precision": "{precision}", "our pairs/s": "{rate:.1f}",
        "ratio": "{to_processor:.2f}", "ratio, whole run": "{to_whole_processor:.2f}",
        "MiB, ours / theirs": "{ours:,.0f} / {memory:,.0f}",
    }, rows)  # fmt: skip


def ladder() -> str:
    parts = []
    for rows in grouped(rows_of("ladder"), "model", "text", "batch"):
        peer = next(row for row in rows if row["side"] == "peer")
        shown = [
            row | {"rate": row["batch"] / one, "theirs": peer["processor"] / one, "above": above["processor"] / one}
            for row, above, one in zip(rows, [peer, *rows], (row["processor"] for row in rows), strict=False)
        ]
        columns = {"each adds to the one above": "{name}", "pairs/s": "{rate:.1f}", "to theirs": "{theirs:.2f}"}
        parts.append(titled(setting(peer), columns | {"to the row above": "{above:.2f}"} | MIB, shown))
    return "\n\n".join(parts)


def translico() -> str:
    columns = {"": "{name}", "seconds a step": "{processor:.2f}", "to ours": "{to_processor:.2f}", **MIB}
    return "\n\n".join(
        titled(setting(rows[0]), columns | {"MiB to ours": "{to_memory:.2f}"},
               beside(rows, rows[0], "processor", "memory"))
        for rows in grouped(rows_of("translico"), "model", "text", "batch")
    )  # fmt: skip


def caching() -> str:
    columns = {"": "{name}", "seconds a step": "{processor:.2f}", "to its own without": "{to_processor:.2f}", **MIB}
    return "\n\n".join(
        titled(setting(rows[0]), columns,
               [row for side in grouped(rows, "side") for row in beside(side, side[0], "processor")])
        for rows in grouped(rows_of("caching"), "model", "text", "batch")
    )  # fmt: skip


def loss() -> str:
    rows = rows_of("loss")
    largest = max(row["size"] for row in rows if row["kind"] == "contrast")
    titles = {"contrast": "{size:,} pairs:", "head": "Masked-LM head and cross-entropy, vocabulary of {size:,}:"}
    columns = {"": "{name}", "ms": "{ms:,.1f}", "to ours": "{to_s:.2f}", "MB": "{MB:,.0f}", "MB to ours": "{to_MB:.2f}"}
    parts = []
    for kind, title in titles.items():
        for same in grouped(sorted((row for row in rows if row["kind"] == kind), key=itemgetter("size")), "size"):
            if kind == "head" or same[0]["size"] in (8192, largest):
                parts.append(titled(title.format(**same[0]), columns, [to_ours(row, same) for row in same]))
    worst = max(max(row["value"], row["gradient"]) for row in rows)
    return "\n\n".join([*parts, f"Values and gradients are at most {worst:.0e} apart, relative."])


def to_ours(row: Row, rows: Sequence[Row]) -> Row:
    """A row beside the one of ours that computes the same."""
    same = "symmetric" if "symmetric" in row["name"] else "frozen" if "frozen" in row["name"] else ""
    ours = next(one for one in rows if one["name"] == ", ".join(filter(None, ["ours", same])))
    return beside([row | {"ms": 1000 * row["s"]}], ours, "s", "MB")[0]


def sampler() -> str:
    speed = [row for run in of("sampler") for row in run.get("speed", [])]
    rates = [
        {"name": name, "batch": row["batch_size"], "rate": rate, "ratio": row["rows_per_second"]["align"] / rate}
        for row in speed
        for name, rate in row["rows_per_second"].items()
    ]
    once = {name: max(row[f"{name}_rows_per_second"] for row in speed) for name in ("hashing", "groups")}
    return f"""One epoch of {speed[0]["rows"]:,} rows whose premises come three times, none twice in a
batch, beside the samplers of sentence-transformers. Once for all epochs, its hashing takes {once["hashing"]:,.0f}
rows/s, our ids of premises {once["groups"]:,.0f}.

{table({"": "{name}", "batch": "{batch}", "rows/s": "{rate:,.0f}", "ratio": "{ratio:.1f}"}, rates)}"""


def padding() -> str:
    columns = {"lengths": "{lengths}", "batch": "{batch_size}", "random": "{random:.3f}", "ours": "{align:.3f}"}
    return table(columns, [row for run in of("sampler") for row in run.get("padding", [])])


def store() -> str:
    opened = {row["pairs"]: row["seconds"] for row in rows_of("store") if row["what"] == "open"}
    return table({
        "pairs": "{pairs:,}", "seconds to build": "{seconds:,.1f}", "pairs/s": "{pairs_per_second:,.0f}",
        "seconds to open again": lambda row: f"{opened[row['pairs']]:,.2f}",
        "memory added, MB": lambda row: f"{row['own_mb'] - row['before_mb']:,.0f}", "on disk, MB": "{store_mb:,.0f}",
    }, [row for row in rows_of("store") if row["what"] == "build"])  # fmt: skip


def cold() -> str:
    columns = {"": "{name}", "processor, s": "{processor:.2f}", "ratio": "{ratio:.1f}"}
    return table(columns, rows_of("cold"))


def serve() -> str:
    columns = {
        "clients": "{clients}", "": "{name}", "requests/s": "{per_second:.1f}", "ratio": "{rate_ratio:.2f}",
        "p50, ms": "{p50:.0f}", "ratio of p50": "{p50_ratio:.2f}", "p99, ms": "{p99:.0f}",
        "ratio of p99": "{p99_ratio:.2f}", "processor, ms": "{processor:.1f}",
        "ratio of processor": "{processor_ratio:.2f}", "differs by": "{difference:.0e}",
    }  # fmt: skip
    return "\n\n".join(
        titled(f"{MODELS[rows[0]['model']]}, sentences of {rows[0]['scripts']} scripts:", columns,
               [row | {name: 1000 * row[name] for name in ("p50", "p99", "processor")} for row in rows])
        for rows in grouped(rows_of("serve"), "model")
    )  # fmt: skip


def gpu() -> str:
    if not of("gpu"):
        return "Not measured yet. `bash scripts/bench/gpu.sh --out docs/results/performance-gpu.json`"
    return "\n\n".join(gpu_run(run) for run in of("gpu"))


def gpu_run(run: Row) -> str:
    """What one GPU did; what does not fit its memory or the time says so."""

    def missing(form: str) -> Any:
        return lambda row: row.get("missing") or form.format(**row)

    parts = [
        bash([run["command"]]),
        f"{run['device']}, {packages(run['hardware'])}; sentence-transformers in {run['peer']}. A BERT-base"
        f" body, real text. The best bfloat16 matrix product of this run: {run['peak'] / 1e12:.0f} TFLOP/s.",
    ]
    blank = {"memory": None, "to_pairs_per_second": None, "mfu": None, "pairs_per_second": None}
    rate = {"pairs/s": missing("{pairs_per_second:,.0f}")}
    for rows in grouped([blank | row for row in run["ladder"]], "mean"):
        peer = next(row for row in rows if row["name"].startswith(PEER))
        columns = {"each adds to the one above": "{name}"} | rate | {"to theirs": "{to_pairs_per_second:.2f}"}
        title = f"A mean of {rows[0]['mean']} tokens a text, mixed lengths, {rows[0]['batch']} pairs a step:"
        parts.append(titled(title, columns | {"MFU": "{mfu:.2f}"} | MIB, beside(rows, peer, "pairs_per_second")))
    for rows in grouped([blank | row for row in run["caching"]], "mean"):
        columns = {"gradient caching": "{name}", "pairs a step": "{batch:,}"} | rate | MIB
        parts.append(titled(f"A mean of {rows[0]['mean']} tokens a text:", columns, rows))
    loss = [blank | {"ms": 1000 * row.get("wall", 0)} | row for row in run["loss"]]
    title = "The loss alone, {batch:,} pairs of {dimension} dimensions:".format(**loss[0])
    return "\n\n".join([*parts, titled(title, {"": "{name}", "ms": missing("{ms:,.1f}")} | MIB, loss)])


@dataclass(frozen=True)
class Curve:
    """One line of the plot: seconds, or MB, of something as a size, counted in ``unit``, grows."""

    of: str
    what: str
    unit: str
    points: list[tuple[float, float]]

    @property
    def slope(self) -> float:
        """Exponent of growth over the last three points, by least squares in the logarithms; fixed costs lie before."""
        last = [(math.log(x), math.log(y)) for x, y in self.points[-3:]]
        mean = [sum(axis) / len(last) for axis in zip(*last, strict=True)]
        return sum((x - mean[0]) * (y - mean[1]) for x, y in last) / sum((x - mean[0]) ** 2 for x, _ in last)


def curves() -> list[Curve]:
    """All lines of which there are two points."""
    made = []

    def add(of: str, unit: str, points: Sequence[tuple[float, float, float]]) -> None:
        for i, what in ((1, "seconds"), (2, "MB")):
            made.append(Curve(of, what, unit, sorted((point[0], point[i]) for point in points if point[i] > 0)))

    for what in ("build", "open"):
        rows = [row for row in rows_of("store") if row["what"] == what]
        points = [(row["pairs"], row["seconds"], row["own_mb"] - row["before_mb"]) for row in rows]
        add(f"store, {what}", "pairs", points)
    rows = [row for run in of("sampler") for row in run.get("growth", [])]
    add("sampler, one epoch", "pairs", [(row["rows"], row["seconds"], (row["bytes"] or 0) / 2**20) for row in rows])
    contrasts = [row for row in rows_of("loss") if row["kind"] == "contrast"]
    for name in ("ours", "MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"):
        points = [(row["size"], row["s"], row["MB"]) for row in contrasts if row["name"] == name]
        add(f"loss, {name}", "pairs in a batch", points)
    rows = [row for run in of("encode") for row in run["growth"]]
    add("encode", "sentences", [(row["sentences"], row["processor"], row["own_mb"]) for row in rows])
    return [curve for curve in made if len(curve.points) > 1]


def growth() -> str:
    return table({
        "": lambda line: line.of, "what": lambda line: line.what,
        "sizes": lambda line: f"{line.points[0][0]:,.0f} to {line.points[-1][0]:,.0f} {line.unit}",
        "exponent": lambda line: f"{line.slope:.2f}",
    }, curves())  # fmt: skip


def plot(path: Path) -> None:
    """Seconds above, memory below, a column for each kind of size; both axes logarithmic."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    lines = curves()
    units = list(dict.fromkeys(line.unit for line in lines))
    figure = Figure(figsize=(5.2 * len(units), 7.6), layout="constrained")
    axes = figure.subplots(2, len(units), squeeze=False)
    for column, unit in enumerate(units):
        for row, what in enumerate(("seconds", "MB")):
            axis = axes[row][column]
            for line in (line for line in lines if line.unit == unit and line.what == what):
                sizes, values = zip(*line.points, strict=True)
                axis.loglog(sizes, values, marker="o", markersize=4, label=f"{line.of}: slope {line.slope:.2f}")
            for scale in (axis.xaxis, axis.yaxis):
                scale.set_minor_formatter(NullFormatter())  # decades are enough to read by
            axis.set_xlabel(unit)
            axis.set_ylabel(what if what == "seconds" else "MB of memory added")
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8) if axis.lines else axis.set_visible(False)
    figure.savefig(path, dpi=130, metadata={"Software": None})


PARTS = {
    "machine": machine, "encode": encode, "step": step, "ladder": ladder, "translico": translico, "loss": loss,
    "caching": caching, "sampler": sampler, "padding": padding, "store": store, "cold": cold, "serve": serve,
    "gpu": gpu, "growth": growth,
}  # fmt: skip
PARTS |= {f"{name} commands": lambda name=name: bash([run["command"] for run in of(name)]) for name in NAMES}
PARTS |= {f"{name} apart": lambda name=name: apart(name) for name in ("step", "ladder", "translico", "caching")}

"""docs/performance.md: speed and memory, from docs/results/performance-*.json, and the plot of how they grow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from results_sentences import markdown

from align.files.whole import read_json

Row = dict[str, Any]

PEER = "sentence-transformers"
MODELS = {"seed": "seed", "e5": "multilingual-e5-small", "minilm": "all-MiniLM-L6-v2"}
TEXTS = {
    "scripts": "UDHR, {scripts} scripts", "latin": "UDHR, Latin", "sentences": "TICO-19, {scripts} languages",
}  # fmt: skip
COMMANDS = {
    "encode": "python scripts/bench_encode.py --e5 E5 --minilm MINILM --out docs/results/performance-encode.json",
    "step": "python scripts/bench_train.py step --e5 E5 --minilm MINILM --out docs/results/performance-step.json",
    "ladder": "python scripts/bench_train.py ladder --out docs/results/performance-ladder.json",
    "translico": "python scripts/bench_train.py translico --e5 E5 --out docs/results/performance-translico.json",
    "caching": "python scripts/bench_train.py caching --out docs/results/performance-caching.json",
    "loss": "python scripts/bench_loss.py --out docs/results/performance-loss.json",
    "sampler": "python scripts/bench_sampler.py --out docs/results/performance-sampler.json",
    "store": "python scripts/bench_store.py --out docs/results/performance-store.json",
    "gpu": "bash scripts/bench_gpu.sh --out docs/results/performance-gpu.json",
}


def performance(kept: Path) -> str:
    """The whole document."""
    parts = [head(kept)]
    for name, title, body in SECTIONS:
        runs = found(kept, name)
        parts.append(f"## {title}\n\n" + (body(runs) if runs else f"Not measured yet. `{COMMANDS[name]}`"))
    parts.insert(-1, growth_section(kept))
    return "\n\n".join(parts) + "\n"


def found(kept: Path, name: str) -> list[Row]:
    """The kept runs of one benchmark: performance-NAME.json and performance-NAME-....json."""
    paths = sorted({*kept.glob(f"performance-{name}.json"), *kept.glob(f"performance-{name}-*.json")})
    return [read_json(path) for path in paths]


def head(kept: Path) -> str:
    machines = {machine(run) for name in COMMANDS if name != "gpu" for run in found(kept, name) if "hardware" in run}
    where = "; ".join(sorted(machines)) or "not measured yet"
    return f"""# Performance

Written by `scripts/write_results.py` from `docs/results/performance-*.json`, which the commands below wrote.

Read ratios, not seconds: the two sides of each ran in turns, on the same model, text and pairs, and their outputs were
compared. A ratio is what the peer costs over what we cost, so above 1 is in our favour; only that of gradient caching
says what it costs by itself. The machine was shared with other work, so seconds are the processor's: with one thread,
those of the clock on a quiet machine. The files hold both. Each fast path is on by itself and can be switched off
(`--set train.attention=padded`, `--set train.loss=plain`); the log of a run says which are in use.

Machine, but for the section on a GPU: {where}."""


def machine(run: Row) -> str:
    """What a run of bench_train says of its machine."""
    about = run["hardware"]
    bf16 = "with" if about["bf16"] else "without"
    return (
        f"{about['cores']} cores of {about['processor']}, {about['threads']} thread(s), "
        f"{about['capability']} {bf16} bfloat16, no GPU; {packages(run)}"
    )


def packages(run: Row) -> str:
    """Versions that decide speed."""
    versions = run["hardware"]["versions"]
    return ", ".join(f"{name} {versions[name]}" for name in ("torch", "transformers", PEER) if name in versions)


def commands(runs: Sequence[Row]) -> str:
    lines = "\n".join(run["command"] for run in runs)
    return f"```bash\n{lines}\n```"


def rows_of(runs: Sequence[Row]) -> list[Row]:
    return [row for run in runs for row in run["rows"]]


def grouped(rows: Sequence[Row], *keys: str) -> list[list[Row]]:
    """Rows of equal keys together, in the order of their first."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(groups.values())


def text_of(row: Row) -> str:
    return TEXTS[row["text"]].format(scripts=row["scripts"])


def setting(row: Row) -> str:
    """Model, text and batch of a table."""
    return f"{MODELS[row['model']]}, {text_of(row)}, {row['batch']} pairs a step:"


def mebibytes(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def apart(runs: Sequence[Row]) -> str:
    """How far outputs differ at most, bfloat16 aside."""
    checks = [check for run in runs for check in run["checks"] if not check["bf16"]]
    loss = max(check["loss"] / max(1, abs(check["peer"])) for check in checks)
    cosine = min(check["gradient_cosine"] for check in checks)
    least = math.floor(cosine * 1e7) / 1e7  # never rounded up to 1
    return f"losses at most {max(loss, 1e-8):.0e} apart, cosine of the gradients at least {least:.7f}"


def encode_section(runs: Sequence[Row]) -> str:
    parts = []
    for rows in grouped(rows_of(runs), "model", "text"):
        table = [
            [
                row["name"], f"{row['per_second']:,.1f}", f"{row['ratio']:.2f}",
                mebibytes(row["memory"]), f"{row['difference']:.0e}", f"{row['cosine']:.5f}", f"{row['alone']:.0e}",
            ]
            for row in rows
        ]  # fmt: skip
        title = f"{MODELS[rows[0]['model']]}, {rows[0]['sentences']:,} sentences, " + (
            "Latin:" if rows[0]["text"] == "latin" else f"{rows[0]['scripts']} scripts:"
        )
        header = ["", "sentences/s", "ratio", "MiB", "differs by", "cosine", "alone"]
        parts.append(f"{title}\n\n{markdown(header, table)}")
    return "\n\n".join([
        commands(runs),
        """Ratios are to the best batch size of sentence-transformers in float32.
`differs by` and `cosine` (mean) compare vectors with its float32 ones; `alone` says how much a vector changes when its
text is encoded by itself.""",
        *parts,
    ])  # fmt: skip


def step_section(runs: Sequence[Row]) -> str:
    table = []
    for ours, peer in grouped(rows_of(runs), "model", "text", "batch", "bf16"):
        ours, peer = (ours, peer) if ours["side"] == "ours" else (peer, ours)
        table.append([
            f"{MODELS[ours['model']]}, {text_of(ours)}", str(ours["batch"]), "bfloat16" if ours["bf16"] else "float32",
            f"{ours['batch'] / ours['processor']:.1f}", f"{peer['processor'] / ours['processor']:.2f}",
            f"{peer['whole_processor'] / ours['whole_processor']:.2f}",
            f"{mebibytes(ours['memory'])} / {mebibytes(peer['memory'])}",
        ])  # fmt: skip
    header = [
        "model, text", "pairs a step", "precision", "our pairs/s", "ratio", "ratio, whole run", "MiB, ours / theirs",
    ]  # fmt: skip
    return f"""{commands(runs)}

`align.train` with `multiple_negatives` beside `SentenceTransformerTrainer` with `MultipleNegativesRankingLoss`: the
same pairs once, equally many a step, at most 128 tokens a text, dropout as the model has it. Theirs tokenises in a
worker process beside the steps; ours before the first one, which the whole run holds.

{markdown(header, table)}

One batch without dropout: {apart(runs)}."""


def ladder_section(runs: Sequence[Row]) -> str:
    parts = []
    for rows in grouped(rows_of(runs), "model", "text", "batch"):
        peer = next(row for row in rows if row["side"] == "peer")
        table, before = [], peer
        for row in rows:
            table.append([
                row["name"], f"{row['batch'] / row['processor']:.1f}", f"{peer['processor'] / row['processor']:.2f}",
                f"{before['processor'] / row['processor']:.2f}", mebibytes(row["memory"]),
            ])  # fmt: skip
            before = row
        header = ["each adds to the one above", "pairs/s", "to theirs", "to the row above", "MiB"]
        parts.append(f"{setting(peer)}\n\n{markdown(header, table)}")
    return "\n\n".join([commands(runs), *parts, f"Equal results: {apart(runs)}."])


def translico_section(runs: Sequence[Row]) -> str:
    parts = []
    for rows in grouped(rows_of(runs), "model", "text", "batch"):
        ours = rows[0]
        table = [
            [
                row["name"], f"{row['processor']:.2f}", f"{row['processor'] / ours['processor']:.2f}",
                mebibytes(row["memory"]),
                f"{row['memory'] / ours['memory']:.2f}" if row["memory"] and ours["memory"] else "-",
            ]
            for row in rows
        ]  # fmt: skip
        header = ["", "seconds a step", "to ours", "MiB", "MiB to ours"]
        parts.append(f"{setting(ours)}\n\n{markdown(header, table)}")
    return "\n\n".join([
        commands(runs),
        """Two masked-LM terms and the contrast of a middle layer, each text beside its romanisation: our recipe
`translico` beside the public arrangement in plain transformers, which is given tokenised text and a bare loop.
TransliCo's code runs two passes and the head where a piece is masked; transformers' own masked-LM models compute logits
at every token.""",
        *parts, f"Equal terms, dropout off: {apart(runs)}.",
    ])  # fmt: skip


def caching_section(runs: Sequence[Row]) -> str:
    parts = []
    for rows in grouped(rows_of(runs), "model", "text", "batch"):
        plain = {side: next(row for row in rows if row["side"] == side) for side in ("ours", "peer")}
        table = [
            [
                row["name"], f"{row['processor']:.2f}", f"{row['processor'] / plain[row['side']]['processor']:.2f}",
                mebibytes(row["memory"]),
            ]
            for row in rows
        ]  # fmt: skip
        header = ["", "seconds a step", "to its own without", "MiB"]
        parts.append(f"{setting(rows[0])}\n\n{markdown(header, table)}")
    about = "`train.micro_tokens`: a second forward pass in exchange for memory that does not grow with the batch."
    return "\n\n".join([commands(runs), about, *parts, f"Equal results: {apart(runs)}."])


def loss_section(runs: Sequence[Row]) -> str:
    contrasts = [row for row in rows_of(runs) if row["kind"] == "contrast"]
    sizes = sorted({row["size"] for row in contrasts})
    shown = [size for size in (8192, sizes[-1]) if size in sizes]
    parts = [commands(runs), f"Forward and backward of the loss alone; {runs[0]['setting']}."]
    for size in dict.fromkeys(shown):
        of = [row for row in contrasts if row["size"] == size]
        parts.append(f"{size:,} pairs:\n\n{markdown(LOSS_HEADER, [loss_row(row, of) for row in of])}")
    heads = [row for row in rows_of(runs) if row["kind"] == "head"]
    for of in grouped(heads, "size"):
        title = f"Masked-LM head and cross-entropy, vocabulary of {of[0]['size']:,}:"
        parts.append(f"{title}\n\n{markdown(LOSS_HEADER, [loss_row(row, of) for row in of])}")
    worst = max(max(row["value"], row["gradient"]) for row in rows_of(runs))
    return "\n\n".join([*parts, f"Values and gradients are at most {worst:.0e} apart, relative."])


LOSS_HEADER = ["", "ms", "to ours", "MB", "MB to ours"]


def loss_row(row: Row, of: Sequence[Row]) -> list[str]:
    """A row beside the one of ours that computes the same."""
    same = "symmetric" if "symmetric" in row["name"] else "frozen" if "frozen" in row["name"] else ""
    ours = next(one for one in of if one["name"] == ", ".join(filter(None, ["ours", same])))
    return [
        row["name"], f"{1000 * row['s']:,.1f}", f"{row['s'] / ours['s']:.2f}", f"{row['MB']:,.0f}",
        f"{row['MB'] / ours['MB']:.2f}" if ours["MB"] else "-",
    ]  # fmt: skip


def sampler_section(runs: Sequence[Row]) -> str:
    speed, padding = ([row for run in runs for row in run.get(part, [])] for part in ("speed", "padding"))
    table = [
        [name, str(row["batch_size"]), f"{rate:,.0f}", f"{row['rows_per_second']['align'] / rate:.1f}"]
        for row in speed
        for name, rate in row["rows_per_second"].items()
    ]
    parts = [commands(runs)]
    if speed:
        once = {name: max(row[f"{name}_rows_per_second"] for row in speed) for name in ("hashing", "groups")}
        parts.append(f"""One epoch of {speed[0]["rows"]:,} rows whose premises come three times, none twice in a
batch, beside the samplers of sentence-transformers. Once for all epochs, its hashing takes {once["hashing"]:,.0f}
rows/s, our ids of premises {once["groups"]:,.0f}.""")
        parts.append(markdown(["", "batch", "rows/s", "ratio"], table))
    if padding:
        waste = [
            [row["lengths"], str(row["batch_size"]), f"{row['random']:.3f}", f"{row['align']:.3f}"] for row in padding
        ]
        parts.append("Share of padding, were the batches padded:")
        parts.append(markdown(["lengths", "batch", "random", "ours"], waste))
    return "\n\n".join(parts)


def store_section(runs: Sequence[Row]) -> str:
    built = {row["pairs"]: row for row in rows_of(runs) if row["what"] == "build"}
    opened = {row["pairs"]: row for row in rows_of(runs) if row["what"] == "open"}
    table = [
        [
            f"{pairs:,}", f"{row['seconds']:,.1f}", f"{row['pairs_per_second']:,.0f}",
            f"{opened[pairs]['seconds']:,.2f}", f"{row['own_mb'] - row['before_mb']:,.0f}", f"{row['store_mb']:,.0f}",
        ]
        for pairs, row in built.items()
    ]  # fmt: skip
    header = ["pairs", "seconds to build", "pairs/s", "seconds to open again", "memory added, MB", "on disk, MB"]
    return f"{commands(runs)}\n\nTokenised once, into memory-mapped files.\n\n{markdown(header, table)}"


def gpu_section(runs: Sequence[Row]) -> str:
    parts = [commands(runs)]
    for run in runs:
        parts.append(
            f"{run['hardware']['device']}, {packages(run)}; sentence-transformers in {run['peer']}. A BERT-base body, "
            f"real text. The best bfloat16 matrix product of this run: {run['peak'] / 1e12:.0f} TFLOP/s."
        )
        for rows in grouped(run["ladder"], "mean"):
            peer = next(row for row in rows if row["name"].startswith(PEER))
            title = f"A mean of {rows[0]['mean']} tokens a text, mixed lengths, {rows[0]['batch']} pairs a step:"
            header = ["each adds to the one above", "pairs/s", "to theirs", "MFU", "MiB"]
            parts.append(f"{title}\n\n{markdown(header, [gpu_row(row, peer) for row in rows])}")
        for rows in grouped(run["caching"], "mean"):
            header = ["gradient caching", "pairs a step", "pairs/s", "MiB"]
            table = [
                [
                    row["name"],
                    f"{row['batch']:,}",
                    row.get("missing") or f"{row['pairs_per_second']:,.0f}",
                    mebibytes(row.get("memory")),
                ]
                for row in rows
            ]
            parts.append(f"A mean of {rows[0]['mean']} tokens a text:\n\n{markdown(header, table)}")
        table = [
            [row["name"], row.get("missing") or f"{1000 * row['wall']:,.1f}", mebibytes(row.get("memory"))]
            for row in run["loss"]
        ]
        size, width = run["loss"][0]["batch"], run["loss"][0]["dimension"]
        parts.append(f"The loss alone, {size:,} pairs of {width} dimensions:\n\n{markdown(['', 'ms', 'MiB'], table)}")
    return "\n\n".join(parts)


def gpu_row(row: Row, peer: Row) -> list[str]:
    if "missing" in row:
        return [row["name"], row["missing"], "-", "-", "-"]
    ratio = "-" if "missing" in peer else f"{row['pairs_per_second'] / peer['pairs_per_second']:.2f}"
    return [row["name"], f"{row['pairs_per_second']:,.0f}", ratio, f"{row['mfu']:.2f}", mebibytes(row["memory"])]


SECTIONS: list[tuple[str, str, Callable[[Sequence[Row]], str]]] = [
    ("encode", "Encoding", encode_section),
    ("step", "A training step", step_section),
    ("ladder", "Where it comes from", ladder_section),
    ("translico", "TransliCo's step", translico_section),
    ("loss", "The contrastive loss, the masked-LM head", loss_section),
    ("caching", "Gradient caching", caching_section),
    ("sampler", "Sampler", sampler_section),
    ("store", "Store", store_section),
    ("gpu", "On a GPU", gpu_section),
]


class Curve:
    """One line of the plot: seconds, or MB, as a size grows.

    Args:
        of: what grows (store, loss, ...).
        what: seconds or MB.
        unit: of the size.
        points: (size, value), value above 0.
    """

    def __init__(self, of: str, what: str, unit: str, points: Sequence[tuple[float, float]]) -> None:
        self.of, self.what, self.unit = of, what, unit
        self.points = sorted(point for point in points if point[1] > 0)

    @property
    def slope(self) -> float:
        """Exponent of growth over the last three points, by least squares in the logarithms; fixed costs lie before."""
        last = [(math.log(x), math.log(y)) for x, y in self.points[-3:]]
        mean = [sum(axis) / len(last) for axis in zip(*last, strict=True)]
        return sum((x - mean[0]) * (y - mean[1]) for x, y in last) / sum((x - mean[0]) ** 2 for x, _ in last)


def curves(kept: Path) -> list[Curve]:
    """All lines of which there are two points."""
    made = []
    for what in ("build", "open"):
        rows = [row for row in rows_of(found(kept, "store")) if row["what"] == what]
        points = [(row["pairs"], row["seconds"], row["own_mb"] - row["before_mb"]) for row in rows]
        made += both(f"store, {what}", "pairs", points)
    rows = [row for run in found(kept, "sampler") for row in run.get("growth", [])]
    points = [(row["rows"], row["seconds"], (row["bytes"] or 0) / 2**20) for row in rows]
    made += both("sampler, one epoch", "pairs", points)
    contrasts = [row for row in rows_of(found(kept, "loss")) if row["kind"] == "contrast"]
    for name in ("ours", "MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"):
        points = [(row["size"], row["s"], row["MB"]) for row in contrasts if row["name"] == name]
        made += both(f"loss, {name}", "pairs in a batch", points)
    rows = [row for run in found(kept, "encode") for row in run["growth"]]
    points = [(row["sentences"], row["processor"], row["own_mb"]) for row in rows]
    made += both("encode", "sentences", points)
    return [curve for curve in made if len(curve.points) > 1]


def both(of: str, unit: str, points: Sequence[tuple[float, float, float]]) -> list[Curve]:
    """Seconds and MB of (size, seconds, MB)."""
    return [Curve(of, what, unit, [(p[0], p[i]) for p in points]) for i, what in ((1, "seconds"), (2, "MB"))]


def growth_section(kept: Path) -> str:
    lines = curves(kept)
    if not lines:
        return "## How cost grows\n\nNot measured yet: the store, the sampler, the loss and encoding say it."
    table = [
        [line.of, line.what, f"{line.points[0][0]:,.0f} to {line.points[-1][0]:,.0f} {line.unit}", f"{line.slope:.2f}"]
        for line in lines
    ]
    return f"""## How cost grows

![Seconds and memory as sizes grow](performance.png)

Exponent over the last three sizes: 1 is in proportion, 2 with the square, 0 constant.

{markdown(["", "what", "sizes", "exponent"], table)}"""


def plot(kept: Path, path: Path) -> None:
    """Seconds above, memory below, a column for each kind of size; both axes logarithmic."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    lines = curves(kept)
    if not lines:
        return
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

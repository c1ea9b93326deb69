"""The numbers of docs/laboratory.md, from docs/results/laboratory.json."""

from __future__ import annotations

from align.objectives.registry import objectives as registered
from scripts.document.tables import kept, ran, table


def objectives() -> str:
    """The start, then each objective: the clone, the step at which it is aligned, what is left of the original."""
    result = kept("laboratory")
    columns = {
        "objective": lambda row: f"`{row['objective']}`" if "objective" in row else "(start)",
        "P@1 of the clone": "{clone:.2f}",
        "aligned at step": lambda row: f"{row['aligned_at']:.0f}" if row.get("aligned_at") else "-",
        "P@1 of translations": "{translation:.2f}",
        "original kept": lambda row: f"{row.get('kept', 1.0):.2f}",
        "CKA, first and last layer": lambda row: "{:.2f}, {:.2f}".format(
            row["layers"]["cka"][0], row["layers"]["cka"][-1]
        ),
        "partners, strangers": lambda row: "{:.2f}, {:.2f}".format(
            row["layers"]["partners"][-1], row["layers"]["strangers"][-1]
        ),
        "gradients": lambda row: f"{sum(row['gradients']) / len(row['gradients']):.2f}",
    }
    return table(columns, [result["start"], *result["objectives"]])


def left_out() -> str:
    """Objectives that could not be tried, with the reason."""
    left = kept("laboratory")["left_out"]
    lines = [f"- `{one['objective']}`: {one['reason']}" for one in left]
    return "\n".join(lines) or "None was left out: what each needs, the laboratory has."


def since() -> str:
    """Objectives of the registry that were not there to be tried."""
    result = kept("laboratory")
    tried = {one["objective"] for one in (*result["objectives"], *result["left_out"])}
    newer = [f"`{name}`" for name in registered() if name not in tried]
    if not newer:
        return "The table has all objectives of the registry."
    return f"Newer than the table, and so not in it: {', '.join(newer)}."


def minutes() -> str:
    """CPU minutes of all."""
    return f"{sum(row['cpu_seconds'] for row in kept('laboratory')['objectives']) / 60:.1f}"


PARTS = {
    "objectives": objectives,
    "left out": left_out,
    "since": since,
    "minutes": minutes,
    "laboratory ran": lambda: ran(kept("laboratory")),
}

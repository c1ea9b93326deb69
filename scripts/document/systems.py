"""The page of published systems, from systems.toml: what of each is here, the commands, and what it did."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.document.tables import bash, filled, kept, table

SYSTEMS: list[dict[str, Any]] = tomllib.loads((Path(__file__).with_name("systems.toml")).read_text(encoding="utf-8"))[
    "systems"
]


def shown() -> str:
    """A section for each system of which something is here."""
    return "\n\n".join(map(section, filter(here, SYSTEMS)))


def outside() -> str:
    """The others, and why."""
    columns: dict[str, str | Callable[[Any], str]] = {"system": "{name}", "why it is not here": "{outside}"}
    return table(columns, [one for one in SYSTEMS if not here(one)])


def here(system: dict[str, Any]) -> bool:
    return "outside" not in system


def section(system: dict[str, Any]) -> str:
    """What it is, what of it is here, commands, figure."""
    figure = filled(system["figure"], Results()) if "figure" in system else f"No figure: {system['no_figure']}."
    told = textwrap.fill(
        f"{figure.strip()} [More]({system['page']}).", 120, break_long_words=False, break_on_hyphens=False
    )
    parts = (
        f"## {system['name']}", f"{system['about'][0].upper()}{system['about'][1:]}.", system["here"].strip(),
        bash(system["commands"]), told,
    )  # fmt: skip
    return "\n\n".join(parts)


class Results(dict[str, Any]):
    """Results of docs/results by name, each read when it is asked for; and what is counted in them."""

    def __missing__(self, name: str) -> Any:
        return COUNTED[name]() if name in COUNTED else kept(name)


def in_laboratory(*, aligned: bool) -> int:
    """Objectives that were tried on a cloned language, or those that aligned it."""
    return sum(not aligned or one["aligned_at"] is not None for one in kept("laboratory")["objectives"])


def bias() -> str:
    line = next(one for one in kept("certificate")["lines"] if one["benchmark"] == "bias")
    return "{before:.3f}, then {after:.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})".format(**line)


COUNTED = {
    "laboratory tried": lambda: in_laboratory(aligned=False), "laboratory aligned": lambda: in_laboratory(aligned=True),
    "certificate bias": bias,
    "systems": lambda: f"{len(SYSTEMS)}", "systems here": lambda: f"{sum(map(here, SYSTEMS))}",
}  # fmt: skip
PARTS = {"systems": shown, "outside": outside, "counted": lambda: filled("{systems here} of {systems}", Results())}

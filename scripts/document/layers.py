"""The tables of students with fewer layers, and of interlinear text, from docs/results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scripts.document.tables import kept, ran, table


def students() -> str:
    """The teacher, and a student before and after each training."""
    columns: dict[str, str | Callable[[Any], str]] = {"encoder": "{name}", "parameters": "{parameters:,}"}
    scores = {"STS, rho": "sts", "SIB-200, P@1": "sib200", "Tatoeba, P@1": "tatoeba"}
    return table(columns | {title: between(key) for title, key in scores.items()}, kept("layers")["states"])


def interlinear() -> str:
    """What translation language modelling does, on pairs and on interlinear text."""
    columns: dict[str, str | Callable[[Any], str]] = {
        "read": "{name}", "tokens a step": lambda row: f"{row['tokens']:,}" if "tokens" in row else "-",
    }  # fmt: skip
    scores = {"P@1": "P@1", "15 % masked": "some", "all masked": "every"}
    return table(columns | {title: between(key) for title, key in scores.items()}, kept("interlinear")["states"])


def between(key: str) -> Callable[[Mapping[str, Any]], str]:
    """A value with its interval."""
    return lambda row: "{:.3f} ({:.3f}-{:.3f})".format(*row[key])


STUDENTS = {"students": students, "students ran": lambda: ran(kept("layers"))}
INTERLINEAR = {"interlinear": interlinear, "interlinear ran": lambda: ran(kept("interlinear"))}

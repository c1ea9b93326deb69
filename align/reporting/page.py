"""One HTML file that needs no network: styles, script, drawings and data are inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from align.evaluation.certificate import Certificate
from align.reporting.collection import Collection
from align.reporting.gaps import gaps
from align.reporting.groups import groups
from align.reporting.layers import layers
from align.reporting.points import points
from align.reporting.provenance import provenance
from align.reporting.scores import scores
from align.reporting.summary import summary
from align.reporting.templates import render
from align.reporting.training import curves
from align.reporting.words import words

GENERATOR = "Align report"
"""Stands near the beginning of every page, and says whose it is."""
TITLES = {
    "summary": "Summary", "scores": "Scores by language pair", "layers": "Layers", "gaps": "Script gaps",
    "map": "Sentence map", "words": "Words, right and wrong", "training": "Training",
    "groups": "Groups and what is missing", "provenance": "Protocol and provenance",
}  # fmt: skip
"""The sections in their order; each has a template of the same name."""
READ: Mapping[str, Callable[[Collection], dict[str, Any]]] = {
    "summary": summary, "scores": scores, "layers": layers, "gaps": gaps, "map": points, "words": words,
    "groups": groups, "provenance": provenance,
}  # fmt: skip
"""What a section shows, from the results."""
Runs = Sequence[tuple[str, Mapping[str, Any]]]


def page(collection: Collection, runs: Runs = (), *, title: str, certificate: Certificate | None = None) -> str:
    """The whole file.

    Args:
        collection: what is reported.
        runs: trainings, see :func:`align.reporting.training.read_training`.
        title: heading of the page.
        certificate: what stands first, if there is one.
    """
    first = [("certificate", "Certificate", render("certificate", certificate=certificate))] if certificate else []
    sections = first + [(name, heading, section(name, collection, runs)) for name, heading in TITLES.items()]
    created = sorted(str(r.get("created") or "")[:10] for b in collection.benchmarks for r in b.results.values())
    days = list(dict.fromkeys(day for day in created if day))
    return render(
        "page", title=title, generator=GENERATOR, sections=sections, models=collection.models,
        benchmarks=collection.benchmarks, span=" to ".join(dict.fromkeys(days[:1] + days[-1:])),
    )  # fmt: skip


def section(name: str, collection: Collection, runs: Runs = ()) -> str:
    """One section below its heading."""
    held = {"found": curves(runs)} if name == "training" else READ[name](collection)
    return render(name, labels=collection.labels, benchmarks=collection.benchmarks, **held)

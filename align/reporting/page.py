"""One HTML file that needs no network: styles, script, drawings and data are inside."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from align.reporting.collection import Collection
from align.reporting.markup import Html, element, fit, join
from align.reporting.palette import css
from align.reporting.table import Section, model_legend

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
GENERATOR = "Align report"
"""Stands near the beginning of every page, and says whose it is."""


def page(collection: Collection, sections: Sequence[Section], *, title: str) -> str:
    """The whole file.

    Args:
        collection: what is reported.
        sections: parts of the page, in order; one without content says why.
        title: heading of the page.
    """
    styles = Html(f"{css()}\n{_shipped('report.css')}")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="generator", content=GENERATOR),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", styles),
    )
    links = element("nav", *(element("a", s.title, href=f"#{s.id}") for s in sections), aria_label="sections")
    top = element("header", element("h1", title), _about(collection), _theme(), links)
    parts = element("main", *map(_section, sections))
    body = element("body", top, parts, element("script", Html(_shipped("report.js"))))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _about(collection: Collection) -> Html:
    created = sorted(str(r.get("created") or "")[:10] for b in collection.benchmarks for r in b.results.values())
    days = [day for day in created if day]
    span = "" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    names = ", ".join(benchmark.title for benchmark in collection.benchmarks)
    measured = f"Measured {span} on {names}." if span else f"Measured on {names}."
    return join(model_legend(collection.models), element("p", measured, class_="note"))


def _theme() -> Html:
    return element("button", "light / dark", type="button", id="theme", class_="plain")


def _section(section: Section) -> Html:
    title = element("h2", section.title)
    if not section.body:
        return element("section", title, element("p", section.absent, class_="absent"), id=section.id)
    return element("section", title, element("p", section.lead, class_="lead"), section.body, id=section.id)


def _shipped(name: str) -> str:
    return fit(files("align.reporting").joinpath(name).read_text(encoding="utf-8"))

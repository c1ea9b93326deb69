"""Translated words: what was found, right and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from align.reporting.collection import Benchmark, Collection
from align.reporting.markup import Html, element, join
from align.reporting.names import foreign
from align.reporting.table import Section, block, model_name, table

Key = tuple[str, str, str]
STATES = ("right", "wrong", "changed")


def words(collection: Collection) -> Section:
    """A table of examples for each benchmark that keeps some."""
    parts = [_benchmark(benchmark, collection.labels) for benchmark in collection.having("examples")]
    lead = "✓ found a right translation, ✗ did not. A sample of the test words, not a score."
    choices = [
        element("button", name, type="button", data_show=name, aria_pressed="true" if name == "all" else "false")
        for name in ("all", *STATES)
        if name != "changed" or len(collection.labels) > 1
    ]
    switch = element("p", "Show ", *choices, class_="switch")
    body = join(switch, *parts) if parts else Html("")
    return Section("words", "Words, right and wrong", lead, body, "No result holds examples of translated words.")


def _benchmark(benchmark: Benchmark, models: Sequence[str]) -> Html:
    found: dict[Key, dict[int, Mapping[str, Any]]] = {}
    for model, result in benchmark.having("examples").items():
        for example in result["examples"]:
            key = (example["source_lang"], example["target_lang"], example["source"])
            found.setdefault(key, {})[model] = example
    shown = list(benchmark.having("examples"))
    rows = [_row(key, by_model, shown) for key, by_model in sorted(found.items())]
    head: list[object] = ["from", "to", "word", "right answers", *(model_name(models, model) for model in shown)]
    return block(benchmark.title, table(head, rows, label=f"{benchmark.title}: examples"))


def _row(key: Key, by_model: Mapping[int, Mapping[str, Any]], shown: Sequence[int]) -> Html:
    source_lang, target_lang, source = key
    gold = list(dict.fromkeys(word for example in by_model.values() for word in example["gold"]))
    cells = []
    for model in shown:
        example = by_model.get(model)
        if example is None:
            cells.append(element("td", "–"))
            continue
        right = bool(example["right"])
        sign = element("span", "✓" if right else "✗", class_="right" if right else "wrong",
                       title="right" if right else "wrong")  # fmt: skip
        cells.append(element("td", sign, "\u00a0", foreign(example["predicted"], target_lang)))
    verdicts = {bool(example["right"]) for example in by_model.values()}
    last = by_model[max(by_model)]
    state = f"{'right' if last['right'] else 'wrong'}{' changed' if len(verdicts) > 1 else ''}"
    answers = [part for word in gold for part in (", ", foreign(word, target_lang))][1:]
    return element(
        "tr",
        element("td", source_lang, class_="code"),
        element("td", target_lang, class_="code"),
        element("th", foreign(source, source_lang), scope="row"),
        element("td", *answers),
        *cells,
        data_state=state,
    )

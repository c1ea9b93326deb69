"""Translated words: what was found, right and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from align.reporting.collection import Benchmark, Collection


@dataclass(frozen=True)
class Word:
    """A word that models translate."""

    source_lang: str
    target_lang: str
    source: str
    examples: Mapping[int, Mapping[str, Any]]
    """By the number of the model."""

    @property
    def gold(self) -> list[str]:
        """The right answers."""
        return list(dict.fromkeys(word for example in self.examples.values() for word in example["gold"]))

    @property
    def state(self) -> str:
        """``right`` or ``wrong`` for the last model, and ``changed`` where models differ."""
        verdicts = [bool(self.examples[model]["right"]) for model in sorted(self.examples)]
        return f"{'right' if verdicts[-1] else 'wrong'}{' changed' if len(set(verdicts)) > 1 else ''}"


def words(collection: Collection) -> dict[str, Any]:
    """The examples of each benchmark that keeps some, and the models that have any."""
    kept = collection.having("examples")
    return {"found": [(one.title, list(one.having("examples")), _words(one)) for one in kept]}


def _words(benchmark: Benchmark) -> Sequence[Word]:
    found: dict[tuple[str, str, str], dict[int, Mapping[str, Any]]] = {}
    for model, result in benchmark.having("examples").items():
        for example in result["examples"]:
            key = (example["source_lang"], example["target_lang"], example["source"])
            found.setdefault(key, {})[model] = example
    return [Word(*key, by_model) for key, by_model in sorted(found.items())]

"""What a search for test texts in training pairs returns: counts of each test set; as JSON and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("equal", "romanised", "near")
"""From the strongest to the weakest."""


@dataclass(frozen=True)
class Count:
    """What was found of one benchmark in one language. A text counts as the strongest kind that it was found as."""

    benchmark: str
    language: str
    texts: int
    """Looked for."""
    left_out: int
    """Blank, or without letter and digit."""
    equal: int
    """Found equal: NFKC, case folded, without punctuation, symbols and spaces."""
    romanised: int
    """Found equal only after both were romanised, too."""
    near: int
    """Found with a Jaccard similarity of n-grams that reaches the threshold, and not equal."""
    pairs: int
    """Of all found, those whose row of training also holds another text of their line: their translation, likely."""

    @property
    def found(self) -> int:
        """Texts found in any way."""
        return self.equal + self.romanised + self.near

    @property
    def share(self) -> float:
        """Of the texts looked for, those found."""
        return self.found / self.texts if self.texts else 0.0


@dataclass(frozen=True)
class Overlap:
    """The result of ``check_overlap``."""

    counts: tuple[Count, ...]
    rows: int
    """Rows of training pairs that were read."""
    near: float
    """Least Jaccard similarity; 0: near texts were not looked for."""
    ngram: int
    """Characters of the n-grams that it compares."""
    romaniser: str
    """Name and version; "": nothing was romanised."""

    def total(self) -> Count:
        """Over all benchmarks and languages."""
        names = ("texts", "left_out", *KINDS, "pairs")
        return Count("all", "", **{name: sum(getattr(count, name) for count in self.counts) for name in names})

    @property
    def share(self) -> float:
        """The largest share of test texts found, over benchmarks and languages."""
        return max(count.share for count in self.counts)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``overlap_table`` prints them."""
        every = [asdict(count) | {"share": count.share} for count in (*self.counts, self.total())]
        protocol = {"near": self.near, "ngram": self.ngram, "romaniser": self.romaniser, "rows": self.rows}
        return protocol | {"counts": every[:-1], "total": every[-1]}


def overlap_table(value: Mapping[str, Any], *, most: int | None = None) -> str:
    """Markdown of ``Overlap.to_json``: what was found, the largest shares first, ``most`` of them; then all."""
    found = sorted((one for one in value["counts"] if one["share"]), key=lambda one: -one["share"])
    shown = found[:most]
    head = ("benchmark", "language", "texts", *KINDS, "with its pair", "share")
    lines = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * (len(head) - 2)]
    for one in (*shown, value["total"]):
        cells = (one["benchmark"], one["language"], *(f"{one[name]:,}" for name in ("texts", *KINDS, "pairs")))
        lines.append(f"| {' | '.join(cells)} | {one['share']:.2%} |")
    near, latin = value["near"], value["romaniser"]
    notes = (
        f"{value['rows']:,} rows of pairs",
        f"{len(value['counts']) - len(found)} of {len(value['counts'])} sets without a hit",
        f"{len(found) - len(shown)} more sets with one" if len(found) > len(shown) else "",
        "equal: but for case, punctuation and spaces",
        f"romanised: equal after {latin}" if latin else "romanised: not looked for",
        f"near: Jaccard of {value['ngram']}-grams of {near:g} or more" if near else "near: not looked for",
    )
    return "\n".join(lines) + f"\n\n{'; '.join(filter(None, notes))}.\n"

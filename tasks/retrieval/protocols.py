"""Named protocols of sentence retrieval: all that a score depends on beside the model and the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from align.errors import InputError, unknown
from align.similarity.margin import check_score
from align.tasks.reranked import check_depth, described_depth

Pair = tuple[str, str]
METRICS = ("P@1", "P@5", "P@10", "MRR")
ROMANISED = "romanised"
"""Direction of the scores of a romanised twin."""


@dataclass(frozen=True)
class Protocol:
    """How sentence retrieval is scored: who queries whom, with which embeddings, and which number counts."""

    name: str
    """Printed with every result."""
    version: int = 1
    """Raised when the same name comes to mean other numbers."""
    directions: tuple[str, ...] = ("to_pivot", "from_pivot")
    """``to_pivot``: the other language queries the pivot; ``from_pivot``: the pivot queries the other language."""
    headline: str = "P@1"
    """The number to quote: the mean of this metric over the searches of ``in_headline``."""
    pivot: str = "eng_Latn"
    """The language on one side of every pair."""
    layer: int | None = None
    """Index k of ``hidden_states[k]`` (0 is the embedding layer); ``None``: the model's own pooling."""
    pooling: str | None = None
    """Kind of pooling over tokens; ``None``: the model's own."""
    special_tokens: bool | None = None
    """Whether special tokens count in the pooling; ``None``: the model's own pooling."""
    similarity: str = "cosine"
    """By what candidates are ranked: ``cosine``, ``csls``, ``ratio`` or ``distance``, see ``similarity.margin``."""
    margin_k: int = 4
    """Neighbours in the means that ``csls``, ``ratio`` and ``distance`` take."""
    duplicates: str = "right"
    """A candidate whose text is that of the right answer: ``right`` as well, or ``wrong``, and so ahead by a tie."""
    candidates: str = "every line of the other side that is blank on neither"
    """Among what the right answer is sought."""
    ties: str = "against the model (tolerance 1e-06)"
    """What happens to a candidate that scores as much as the right answer."""
    reference: str = ""
    """Where the protocol comes from."""
    twin: str = ""
    """The other language queries in Latin letters, too: as a romaniser of this name writes it, or as files of this
    folder do (``hin_Latn.txt``, line-aligned); "": it does not."""
    rerank_depth: int | None = None
    """Nearest candidates of each query that a scorer of pairs puts in its own order; ``None``: none is asked."""

    def __post_init__(self) -> None:
        """Refuse what nothing scores by: a protocol says what is done, and no more."""
        if not self.directions or not set(self.directions) <= {"to_pivot", "from_pivot"}:
            raise InputError(f"protocol {self.name}: directions are to_pivot and from_pivot, got {self.directions}")
        if self.duplicates not in ("right", "wrong"):
            raise InputError(f"protocol {self.name}: duplicates are right or wrong, got {self.duplicates!r}")
        if self.headline not in METRICS:
            raise InputError(
                f"protocol {self.name}: headline is {self.headline!r}; expected one of {', '.join(METRICS)}"
            )
        for field in ("candidates", "ties"):
            if getattr(self, field) != getattr(Protocol, field):
                rule, got = getattr(Protocol, field), getattr(self, field)
                raise InputError(f"protocol {self.name}: {field}: {rule!r} is the only rule there is, got {got!r}")
        given = [value is not None for value in (self.layer, self.pooling, self.special_tokens)]
        if any(given) and not all(given):
            raise InputError(f"protocol {self.name}: expected layer, pooling and special_tokens together, or none")
        check_score(self.similarity, self.margin_k)
        check_depth(self.name, self.rerank_depth)
        if self.rerank_depth is not None and self.similarity != "cosine":
            raise InputError(
                f"protocol {self.name}: the nearest by cosine are re-ranked, not those by {self.similarity}"
            )

    @property
    def twin_name(self) -> str:
        """Name of the romaniser or of the folder."""
        return Path(self.twin).name

    def check_pooling(self, made: Mapping[str, Any]) -> None:
        """Refuse vectors that are made otherwise than the protocol says.

        Args:
            made: layer, kind, special_tokens (and average_layers) of the pooling: ``Encoder.identity()["pooling"]``.

        Raises:
            InputError: the protocol names a layer, and the encoder pools another or in another way.
        """
        if self.layer is None:
            return
        wanted = {"layer": self.layer, "kind": self.pooling, "special_tokens": self.special_tokens}
        wanted["average_layers"] = False
        differ = [name for name in wanted if made.get(name, False) != wanted[name]]
        if differ:
            differences = ", ".join(f"{name} {made.get(name)!r} where it says {wanted[name]!r}" for name in differ)
            raise InputError(f"protocol {self.name} scores other vectors than the encoder makes: {differences}")

    def searches(self, pair: Pair) -> list[Pair]:
        """(queries, candidates) for each direction in which ``pair`` is scored.

        Raises:
            InputError: the pair lacks the pivot, and the protocol is of one direction only.
        """
        if self.pivot not in pair:
            if len(self.directions) < 2:
                raise InputError(f"protocol {self.name} needs {self.pivot} in each pair, got {pair[0]} and {pair[1]}")
            return [pair, (pair[1], pair[0])]
        other = pair[0] if pair[1] == self.pivot else pair[1]
        ways = {"to_pivot": (other, self.pivot), "from_pivot": (self.pivot, other)}
        return [ways[direction] for direction in self.directions]

    def describe(self) -> str:
        """One line for the head of a table."""
        names = {"to_pivot": f"others query {self.pivot}", "from_pivot": f"{self.pivot} queries others"}
        ways = [names[direction] for direction in self.directions]
        embeddings = "the model's own pooling"
        if self.layer is not None:
            inside = "with" if self.special_tokens else "without"
            embeddings = f"hidden_states[{self.layer}], {self.pooling} pooling {inside} special tokens"
        apart = "; two scripts of a language with each other are a group of their own" if len(ways) == 2 else ""
        by = {"cosine": "cosine", "csls": f"CSLS, k = {self.margin_k}"}
        return (
            f"protocol {self.name}: {' and '.join(ways)}; "
            f"{by.get(self.similarity, f'{self.similarity} margin, k = {self.margin_k}')}; {embeddings}; "
            f"candidates: {self.candidates}; equal texts: all {self.duplicates}; ties: {self.ties}; "
            f"headline {self.headline}: mean of the searches with {self.pivot}, of all where none has it{apart}"
            + f"; romanised twin ({self.twin_name}): the same queries in Latin letters, in no other mean"
            * bool(self.twin)
            + described_depth(self.rerank_depth)
        )


PROTOCOLS: dict[str, Protocol] = {
    "align": Protocol(name="align", version=2),
    "margin": Protocol(
        name="margin",
        similarity="ratio",
        reference="Artetxe and Schwenk 2019, arXiv:1811.01136",
    ),
    "xsim": Protocol(
        name="xsim",
        directions=("to_pivot",),
        similarity="ratio",
        reference="LASER (its error is near 1 - P@1: it ranks the k nearest by cosine only, as xsim does)",
    ),
    "glot500": Protocol(
        name="glot500",
        duplicates="wrong",
        directions=("from_pivot",),
        headline="P@10",
        layer=8,
        pooling="mean",
        special_tokens=True,
        reference="Imani et al. 2023, ACL 2023.acl-long.61 (there ties go by the order of the candidates)",
    ),
    "xtreme": Protocol(
        name="xtreme",
        duplicates="wrong",
        directions=("to_pivot",),
        reference="Hu et al. 2020, arXiv:2003.11080 (Tatoeba, xxx to eng)",
    ),
}


def find_protocol(protocol: str | Protocol) -> Protocol:
    """The protocol of that name; a ``Protocol`` is returned as it is.

    Raises:
        InputError: no such name; the known ones are listed.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise InputError(unknown("protocol", protocol, PROTOCOLS))
    return PROTOCOLS[protocol]


def in_headline(directions: Sequence[str]) -> list[int]:
    """Places of the scores that a headline averages: the searches with the pivot, or all where none has it; no twins.

    >>> in_headline(["to_pivot", "direct", "from_pivot"]), in_headline(["direct", "", "romanised"])
    ([0, 2], [0, 1])
    """
    with_pivot = [i for i, direction in enumerate(directions) if direction in ("to_pivot", "from_pivot")]
    native = [i for i, direction in enumerate(directions) if direction != ROMANISED]
    return with_pivot or native or list(range(len(directions)))


def with_twin(protocol: Protocol, twin: str) -> Protocol:
    """The protocol with a romanised twin, named after it.

    >>> with_twin(PROTOCOLS["align"], "uroman").name
    'align, twin uroman'
    """
    made = replace(protocol, twin=str(twin))
    return replace(made, name=f"{protocol.name}, twin {made.twin_name}") if made != protocol else protocol


def changed(protocol: Protocol, **fields: Any) -> Protocol:
    """The protocol with the fields that are not ``None``; if that makes another of it, its name says so.

    >>> changed(PROTOCOLS["align"], similarity="csls").name
    'align (changed)'
    """
    other = replace(protocol, **{name: value for name, value in fields.items() if value is not None})
    return protocol if other == protocol else replace(other, name=f"{protocol.name} (changed)")

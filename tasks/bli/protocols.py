"""Named protocols of bilingual lexicon induction: all that a score depends on beside the vectors and the words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from align.errors import InputError, unknown
from align.tasks.reranked import check_depth, described_depth

METRICS = ("P@1", "P@5", "P@10", "MRR")
METHODS = ("NN", "CSLS")

_CHOICES = {
    "unit": ("source", "pair"),
    "denominator": ("covered", "all"),
    "case": ("none", "lower both", "lower candidates"),
    "ties": ("against", "mean", "for"),
    "identical": ("keep", "drop"),
}


@dataclass(frozen=True)
class BliProtocol:
    """How bilingual lexicon induction is scored."""

    name: str
    """Printed with every result."""
    version: int = 1
    """Raised when the same name comes to mean other numbers."""
    unit: str = "source"
    """``source``: a unit is a source word, and any of its translations will do; ``pair``: a unit is a line, and other
    translations of its source word are wrong answers."""
    denominator: str = "covered"
    """``covered``: units that can be answered; ``all``: every one, and those that cannot are wrong."""
    case: str = "none"
    """``none``: words as they are; ``lower both``: vocabularies and dictionary in lower case; ``lower candidates``:
    vocabularies in lower case, source words encoded as they are, and words of the dictionary found in lower case where
    they are not found as they are. Of vocabulary words that become equal the first stays."""
    candidates: int | None = 200_000
    """Words of each vocabulary that count, from the top, after the case rule; ``None``: all."""
    csls_k: int = 10
    """Neighbours of CSLS, of the whole vocabularies."""
    methods: tuple[str, ...] = METHODS
    """By what candidates are ranked: ``NN``, nearest neighbours by cosine, and ``CSLS`` or not."""
    ties: str = "against"
    """A candidate that scores as much as the best right answer (to 1e-06) is ``against`` the model, ``for`` it (behind
    the answer), or takes half a rank (``mean``)."""
    identical: str = "keep"
    """``drop``: lines whose two words are the same (case aside) are no part of the dictionary."""
    script_filter: bool = False
    """Whether candidates outside the language's script leave; a right answer that leaves is not covered."""
    source_in_vocabulary: bool = True
    """Whether a unit is covered only if its source word is in the source vocabulary."""
    headline: str = "CSLS P@1"
    """The number to quote."""
    reference: str = ""
    """Where the protocol comes from."""
    rerank_depth: int | None = None
    """Nearest candidates of each query that a scorer of pairs puts in its own order; ``None``: none is asked
    Translations and examples that are kept are those of the vectors."""

    def __post_init__(self) -> None:
        """Refuse a setting that does not exist."""
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                expected = " or ".join(repr(choice) for choice in choices)
                raise InputError(f"protocol {self.name}: {field} is {getattr(self, field)!r}; expected {expected}")
        if (self.candidates is not None and self.candidates < 1) or self.csls_k < 1:
            sizes = f"candidates {self.candidates}, csls_k {self.csls_k}"
            raise InputError(f"protocol {self.name}: {sizes}; expected at least 1")
        check_depth(self.name, self.rerank_depth)
        method, _, metric = self.headline.partition(" ")
        if method not in METHODS or metric not in METRICS:
            raise InputError(f"protocol {self.name}: headline is {self.headline!r}; expected such as 'CSLS P@1'")
        if self.methods not in (METHODS, ("NN",)) or method not in self.methods:
            raise InputError(
                f"protocol {self.name}: methods are {self.methods}, headline {self.headline!r}; expected "
                "('NN', 'CSLS'), or ('NN',) with a headline of NN"
            )

    @property
    def lowercase(self) -> bool:
        """Whether vocabularies are folded to lower case."""
        return self.case != "none"

    def describe(self) -> str:
        """One line for the head of a table."""
        unit = {"source": "source words, any translation counts", "pair": "lines, other translations are wrong"}
        case = {
            "none": "as it is",
            "lower both": "lower on both sides",
            "lower candidates": "lower candidates, source words as they are",
        }
        outside = "" if self.source_in_vocabulary else ", source words outside the vocabulary too"
        first = "all" if self.candidates is None else f"first {self.candidates:,}"
        script = ", other scripts filtered out" if self.script_filter else ""
        ties = {"against": "against the model", "mean": "half a rank", "for": "for the model"}
        by = f"NN and CSLS (k {self.csls_k}, means over whole vocabularies)" if "CSLS" in self.methods else "NN"
        return (
            f"protocol {self.name}: units: {unit[self.unit]}; denominator: {self.denominator}{outside}; "
            f"case: {case[self.case]}; candidates: {first}{script}; cosine, {by}; "
            f"ties: {ties[self.ties]} (tolerance 1e-06); identical pairs: {self.identical}; "
            f"headline {self.headline}: mean over directions{described_depth(self.rerank_depth)}"
        )


BLI_PROTOCOLS: dict[str, BliProtocol] = {
    "muse": BliProtocol(
        name="muse",
        case="lower both",
        reference="Conneau et al. 2018, arXiv:1710.04087 (evaluate.py; there a dictionary with capitals is refused)",
    ),
    "vecmap": BliProtocol(
        name="vecmap",
        candidates=None,
        headline="NN P@1",
        reference="Artetxe et al. 2018, P18-1073 (eval_translation.py, whose default is NN)",
    ),
    "fasttext": BliProtocol(
        name="fasttext",
        denominator="all",
        reference="Joulin et al. 2018, D18-1330 (alignment/eval.py)",
    ),
    "xling": BliProtocol(
        name="xling",
        unit="pair",
        case="lower both",
        candidates=None,
        headline="NN MRR",
        reference="Glavaš et al. 2019, P19-1070 (eval.py, without CSLS)",
    ),
    "babelbert": BliProtocol(
        name="babelbert",
        unit="pair",
        case="lower candidates",
        candidates=100_000,
        headline="NN MRR",
        reference="Green et al. 2023, Massively Multilingual Lexical Specialization (evaluate.py, without CSLS)",
    ),
}


def without_csls(protocol: BliProtocol) -> BliProtocol:
    """The protocol by nearest neighbours alone; one that quotes CSLS quotes them instead, and its name says so."""
    other = replace(protocol, methods=("NN",), headline=protocol.headline.replace("CSLS", "NN"))
    if other.headline == protocol.headline or protocol.name.endswith("(changed)"):
        return other
    return replace(other, name=f"{protocol.name} (changed)")


def find_bli_protocol(protocol: str | BliProtocol) -> BliProtocol:
    """The protocol of that name; a ``BliProtocol`` is returned as it is.

    Raises:
        InputError: no such name; the known ones are listed.
    """
    if isinstance(protocol, BliProtocol):
        return protocol
    if protocol not in BLI_PROTOCOLS:
        raise InputError(unknown("protocol", protocol, BLI_PROTOCOLS))
    return BLI_PROTOCOLS[protocol]

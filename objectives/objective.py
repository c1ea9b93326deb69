"""The record of an objective: all that a recipe, a run and the documentation know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from torch import Tensor, nn

from align.objectives.inputs import Inputs
from align.objectives.ranges import AT_LEAST_0

NEEDS = {
    "source": "current vectors of the sources",
    "target": "current vectors of the targets",
    "groups": "integers naming the meaning of each pair; pairs of one meaning are never each other's negatives",
    "negatives": "current vectors of the column negative, or of negative_1, ...; and negative_groups, their meanings",
    "scores": "the column score, in 0..1",
    "classes": "the column label, as integers",
    "classified": "the column class, as integers, -1 where it is empty; source_languages and target_languages, as "
    "integers; and numbers, which pairs these are",
    "start": "vectors of the sources by the encoder as it was before the first step",
    "bank": "the same of other sources, options.bank of them",
    "rehearsal": "current vectors of options.rehearsal_size rehearsal texts, and rehearsal_start, their first ones",
    "teacher": "vectors of the sources by the teacher",
    "guide": "guide_source and guide_target: vectors of both sides by the teacher, or by the starting encoder",
    "features": "states of both sides at every layer, and the teacher's at the layers they stand for, see Features",
    "pieces": "states at options.layer and word numbers of the pieces of both sides, see PieceStates",
    "crossed": "vectors of both texts of a pair in one sequence, and of texts of two pairs; and which are parallel",
    "masked": "states and true pieces at masked positions of both sides, options.rate of all; and the head",
    "switched": "the same at words that a source has and its target, the text as it was, has not; see options.mask",
    "joint": "the same of both texts of a pair in one sequence, whose positions options.restart_positions counts anew",
    "terms": "source_terms and target_terms: weights of the terms of both sides by the masked-LM head, as options say; "
    "and step, the number of the optimiser's, from 0",
}
"""What an objective can read, by the name that asks for it."""

OF_HEAD = frozenset({"masked", "switched", "joint", "terms"})
"""Those that the masked-LM head is for."""
Terms = Mapping[str, tuple[float, Tensor]]
"""Terms of a sum by name: weight and value. What has the weight 0 is reported, not trained."""


class Sizes(NamedTuple):
    """What the size of a learned module may depend on."""

    width: int
    """Dimensions of the encoder's vectors."""
    classes: int = 0
    """Labels of the pairs."""
    teacher: int | None = None
    """Dimensions of the teacher's vectors."""
    features: tuple[int, int, int] | None = None
    """Layers whose states a teacher's are compared with, the width of these states and of the teacher's."""
    named: int = 0
    """Classes that the column class names."""
    languages: int = 0
    """Languages of both sides of these pairs."""
    pairs: int = 0
    """Pairs of all tables."""
    draws: int = 0
    """Pairs that the run reads, each as often as it does."""


@dataclass(frozen=True)
class Objective:
    """An objective by its name. A module of this package, or of another, offers it as ``OBJECTIVE`` or ``OBJECTIVES``.

    Another package names such a module, or the record itself, in its entry points of the group ``align.objectives``.
    """

    name: str
    """Of its table in a recipe."""
    function: Callable[..., Tensor]
    """The function of tensors, whose docstring is the documentation."""
    options: type
    """A frozen dataclass of defaults: ``weight``, and what the table may set; see :mod:`align.objectives.ranges`."""
    needs: Collection[str] | Callable[[Any], Collection[str]]
    """What it reads, names of ``NEEDS``; or a function of the options that says so."""
    formula: Callable[[Inputs, Any, Any], Tensor | Terms]
    """Its value from the inputs, the options and what it learns (None: nothing); or several terms."""
    learned: Callable[[Any, Sizes], nn.Module | None] = lambda options, sizes: None
    """Makes what it learns beside the encoder. Numbers among it have ``train.temperature_rate``."""
    check: Callable[[Any], None] = lambda options: None
    """Refuses options that make no sense together."""
    negatives: Callable[[Any, int], int] = lambda options, batch: 0
    """Negatives of an anchor in a batch of so many pairs, beside those of the need ``negatives``."""
    prefixes: bool = False
    """Matryoshka may cut its vectors."""
    even: bool = False
    """Its vectors must have an even number of dimensions."""
    by_blocks: bool = False
    """It need not hold its similarity matrix; ``Inputs.block`` says."""

    def reads(self, options: Any) -> frozenset[str]:
        """Names of ``NEEDS`` that it reads with these options."""
        return frozenset(self.needs(options) if callable(self.needs) else self.needs)

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


@dataclass(frozen=True)
class PlainOptions:
    """An objective without settings of its own."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""

"""Which kinds of pairs can be built: those of this package's modules, and those that installed packages offer.

Another package names its own in the entry points ``align.pairs``::

    [project.entry-points."align.pairs"]
    paraphrases = "their_package.paraphrases:BUILDER"
"""

from __future__ import annotations

from functools import cache

from align.pairs.builder import Builder
from align.registry import registered

GROUP = "align.pairs"
ELSEWHERE = ("align.mining.negatives", "align.alignment.fragment_pairs")
"""Kinds that need an encoder or an index, which this room does not know."""


@cache
def builders() -> dict[str, Builder]:
    """All kinds of pairs by the names of their verbs.

    Raises:
        InputError: an installed package offers what does not load, is no builder, or has a name that is taken.
    """
    return registered(Builder, GROUP, more=ELSEWHERE)

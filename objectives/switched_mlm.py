"""Masked language modelling on the switched words of a text: restore what was there, or predict what is (EntityCS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from align.objectives.inputs import Inputs
from align.objectives.mlm import Head, Masked, predict
from align.objectives.objective import Objective
from align.objectives.ranges import AT_LEAST_0, SHARE, SHARE_NOT_0, SHARE_NOT_1, one_of

MASKS = ("restore", "wep", "pep_m", "pep_ms", "pep_mrs")


@dataclass(frozen=True)
class SwitchedMlmOptions:
    """What is predicted at the words of a switched source that its target, the text as it was, has not."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of the mean loss in the sum; 0: reported, not trained."""
    mask: Annotated[str, one_of(*MASKS)] = "wep"
    """restore, wep, pep_m, pep_ms or pep_mrs: see :func:`switched_mlm`."""
    rate: Annotated[float, SHARE_NOT_0] = 1.0
    """Share p of the switched spans (wep), or of their pieces (pep), that are predicted."""
    others: Annotated[float, SHARE_NOT_1] = 0.0
    """Share of all other pieces that are predicted beside, as masked language modelling has it: 0.15."""
    random: Annotated[float, SHARE] = 0.1
    """Of pep_mrs: share of the chosen pieces that become a random one."""


def switched_mlm(states: Tensor, truth: Tensor, head: Head, *, count: Tensor | float | None = None) -> Tensor:
    """Cross-entropy of the true pieces at the predicted positions of switched texts.

    With P these positions::

        L = 1/count * sum over p in P of  -log softmax(head(state_p))[truth_p]

    A switched span is a run of words of the source that the target has not, both being of one language but for these
    words; they are found by comparing the two. What P is, and what the encoder reads there, is said by ``mask``:

    - ``restore``: the text is read as it is, and the pieces of the original words are predicted, of each word that has
      as many pieces as the one that it stands for (CSR4mBART's pretext task, for an encoder).
    - ``wep`` (whole entity prediction): spans are chosen at ``rate``; of four in five all pieces are masked, the others
      stay; all are predicted.
    - ``pep_ms`` (partial): pieces of spans are chosen at ``rate``; 80 % are masked, 20 % stay, all are predicted.
      ``pep_mrs``: 80 % are masked, ``random`` become another piece, the rest stays. ``pep_m``: those that would stay
      are not predicted.

    Of all other pieces ``others`` are chosen: 80 % masked, 10 % random, 10 % as they are (Devlin et al. 2019).

    Args:
        states: (P, D) last states at these positions. Gradients flow through.
        truth: (P,) pieces.
        head: of the model.
        count: what to divide by; None means P.

    Returns:
        () mean loss in nats; 0, with zero gradients, when P = 0.

    References:
        Whitehouse et al. 2022 (EntityCS), arXiv:2210.12540, section 3.2; their rates: WEP 1.0 alone, 0.5 with 0.15 of
        the others.
    """
    return predict(states, truth, head, count=count)


def _value(inputs: Inputs, options: SwitchedMlmOptions, learned: None) -> Tensor:
    masked: Mapping[str, Masked] = inputs.own("masked")
    source = masked["source"]
    return switched_mlm(source.states, source.truth, source.head, count=source.count)


OBJECTIVE = Objective("switched_mlm", switched_mlm, SwitchedMlmOptions, ("source", "switched"), _value)

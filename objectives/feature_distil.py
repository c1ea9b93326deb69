"""Feature distillation: a shallow encoder's hidden states near those of its teacher, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions, Sizes
from align.objectives.ranges import AT_LEAST_1, POSITIVE


@dataclass(frozen=True)
class FeatureDistilOptions(PlainOptions):
    """Hidden states of the teacher's layers, learnt by those of a student that has fewer."""

    layers: tuple[Annotated[int, AT_LEAST_1], ...] = ()
    """Teacher's layers that the student's 1, 2, ... learn; none: ceil(k L_t / L_s), evenly, as trim keeps them."""
    beta: Annotated[float, POSITIVE] = 1.0
    """Up to which error the distance is a square."""
    adapter: bool = False
    """A linear map of each layer before the distance; without, only where the teacher's states are of other width."""


class Features(NamedTuple):
    """The need ``features``: hidden states of both texts of a batch's pairs, at K layers of the encoder."""

    student: Tensor
    """(K, P, D) at its layers 1..K: of the P tokens, or, where the teacher's are others, of the P texts, pooled."""
    teacher: Tensor
    """(K, P, D') at the teacher's layers that these stand for."""


class Adapters(nn.Module):
    """A linear map for each layer, with a bias; of equal widths the identity at first."""

    def __init__(self, layers: int, width: int, teacher: int) -> None:
        super().__init__()
        maps = [nn.Linear(width, teacher) for _ in range(layers)]
        for one in maps:
            nn.init.zeros_(one.bias)
            if width == teacher:
                nn.init.eye_(one.weight)
        self.maps = nn.ModuleList(maps)

    def forward(self, states: Tensor) -> Tensor:
        """(K, P, D) to (K, P, D')."""
        return torch.stack([one(layer) for one, layer in zip(self.maps, states, strict=True)])


def feature_distil(student: Tensor, teacher: Tensor, *, beta: float = 1.0) -> Tensor:
    """The hidden states of a shallow encoder become those of its teacher's layers, by the smooth L1 distance.

    With e = A_k s_k - t_m(k), where s_k are the student's states at layer k, t the teacher's of the same token, A_k a
    linear adapter or the identity, and m(k) = ceil(k L_t / L_s)::

        L = mean over k, p, d of  e_kpd^2 / (2 beta)   if |e_kpd| <= beta,   else |e_kpd| - beta / 2

    Args:
        student: (K, P, D) A_k s_k of P tokens or texts. Gradients flow through.
        teacher: (K, P, D) taken as constants.
        beta: > 0, in units of the states.

    Returns:
        () units of the states.

    Raises:
        ValueError: the shapes disagree, there is no layer or token, or beta is not positive.

    References:
        Zhang et al. 2024 (DC-CLIP), arXiv:2404.11949 (smooth L1 on features, before the contrast); Jiao et al. 2020
        (TinyBERT), arXiv:1909.10351, eq. 8 (adapter and layer map).
    """
    if student.dim() != 3 or student.shape != teacher.shape or student.numel() == 0:
        shapes = f"{tuple(student.shape)}, {tuple(teacher.shape)}"
        raise ValueError(f"feature_distil needs two (K, P, D) tensors of one shape, K and P >= 1, got {shapes}")
    if not beta > 0:  # written so that NaN fails
        raise ValueError(f"feature_distil needs beta > 0, got {beta}")
    return smooth_l1_loss(student, teacher.detach(), beta=beta)


def _value(inputs: Inputs, options: FeatureDistilOptions, learned: nn.Module | None) -> Tensor:
    features: Features = inputs.own("features")
    adapted = learned(features.student) if learned else features.student
    return feature_distil(adapted, features.teacher, beta=options.beta)


def _adapters(options: FeatureDistilOptions, sizes: Sizes) -> nn.Module | None:
    if sizes.features is None:
        return None
    layers, width, teacher = sizes.features
    return Adapters(layers, width, teacher) if options.adapter or width != teacher else None


OBJECTIVE = Objective("feature_distil", feature_distil, FeatureDistilOptions, ("features",), _value, _adapters)

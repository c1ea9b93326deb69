"""One training step: both sides through the encoder at once, and the weighted sum of objectives."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from align.config import ContrastiveOptions, Recipe
from align.distributed import gather, total, world
from align.encoder import Encoder
from align.errors import InputError
from align.objectives import cosine_anchor, info_nce, mlm, mse_anchor, nt_xent
from align.objectives.mlm import IGNORED

CONTRASTIVE = {"nt_xent": nt_xent, "info_nce": info_nce}
ANCHORS = {"cosine": cosine_anchor, "mse": mse_anchor}


class Alignment(nn.Module):
    """An encoder with the objectives of a recipe, and what the objectives themselves learn.

    Args:
        encoder: trained in place.
        recipe: which objectives, how weighted.

    Raises:
        InputError: the recipe needs a masked-LM head that the model lacks.
    """

    def __init__(self, encoder: Encoder, recipe: Recipe) -> None:
        super().__init__()
        self.encoder, self.recipe = encoder, recipe
        self.head = masked_lm_head(encoder.model) if recipe.mlm else None
        self.log_temperature = nn.ParameterDict()
        for name in CONTRASTIVE:
            options = getattr(recipe, name)
            if options and options.learn_temperature:
                self.log_temperature[name] = nn.Parameter(torch.tensor(options.temperature).log())

    def forward(
        self,
        ids: Tensor,
        attention: Tensor,
        groups: Tensor,
        labels: Tensor | None = None,
        anchors: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Unweighted objectives of one batch, by name, and their weighted sum as ``loss``.

        Args:
            ids: (2B, T) pieces, B sources and then their B targets.
            attention: (2B, T), 0 at padding.
            groups: (B,) meanings.
            labels: (2B, T) pieces to predict, -100 elsewhere; needed by ``mlm``.
            anchors: (B, D) starting vectors of the sources; needed by ``anchor``.
        """
        hidden = self.encoder.hidden(ids, attention, head=self.head is not None)
        vectors = self.encoder.pool(hidden.layer, ids, attention)
        source, target = vectors.chunk(2)
        terms, loss = {}, vectors.new_zeros(())
        for name, objective in CONTRASTIVE.items():
            options: ContrastiveOptions | None = getattr(self.recipe, name)
            if options:
                temperature = self.log_temperature[name].exp() if name in self.log_temperature else options.temperature
                rank, _ = world()
                terms[name] = objective(
                    gather(source), gather(target), temperature=temperature, cosine=options.cosine,
                    groups=gather(groups), rows=slice(rank * len(source), (rank + 1) * len(source)),
                )  # fmt: skip
                loss = loss + options.weight * terms[name]
        if self.recipe.mlm and self.head is not None and labels is not None:
            for side, states, truth in zip(("source", "target"), hidden.last.chunk(2), labels.chunk(2), strict=True):
                masked = total((truth != IGNORED).sum()).clamp(min=1) / world()[1]
                terms[f"mlm_{side}"] = mlm(states, truth, self.head, count=masked)
                loss = loss + self.recipe.mlm.weight * terms[f"mlm_{side}"]
        if self.recipe.anchor and anchors is not None:
            distance = ANCHORS[self.recipe.anchor.distance]
            for side, current in (("source", source), ("target", target)):
                weight = getattr(self.recipe.anchor, side)
                if weight:
                    terms[f"anchor_{side}"] = distance(current, anchors)
                    loss = loss + weight * terms[f"anchor_{side}"]
        return terms | {"loss": loss}


def masked_lm_head(model: PreTrainedModel) -> nn.Module:
    """The module that maps (P, D) last states to (P, V) logits.

    Raises:
        InputError: the checkpoint has no masked-LM head, or one of an unknown family.
    """
    for name in ("cls", "lm_head"):  # BERT and MuRIL; RoBERTa, XLM-R and Glot500
        head = getattr(model, name, None)
        if isinstance(head, nn.Module):
            return head
    if hasattr(model, "vocab_projector"):  # DistilBERT
        return nn.Sequential(model.vocab_transform, model.activation, model.vocab_layer_norm, model.vocab_projector)
    raise InputError(
        f"the recipe trains mlm, but {type(model).__name__} comes without a masked-LM head: "
        "use a checkpoint saved with its head, or a recipe without mlm"
    )

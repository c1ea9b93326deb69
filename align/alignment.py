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

    _keys_to_ignore_on_save = None  # asked for by transformers' Trainer when it resumes

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
        sides: Tensor,
        labels: Tensor | None = None,
        start: Tensor | None = None,
        bank: Tensor | None = None,
        bank_groups: Tensor | None = None,
        rehearsal_start: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Unweighted objectives of one batch, by name, and their weighted sum as ``loss``.

        Args:
            ids: (R, T) pieces: B sources (none if the recipe needs no current one), B targets, rehearsal texts.
            attention: (R, T), 0 at padding.
            groups: (B,) meanings.
            sides: (3,) numbers of sources, targets and rehearsal texts, together R.
            labels: (R, T) pieces to predict, -100 elsewhere; needed by ``mlm``.
            start: (B, D) starting vectors of the sources; needed by ``anchor`` and ``frozen``.
            bank: (M, D) starting vectors of other sources: extra negatives.
            bank_groups: (M,) their meanings.
            rehearsal_start: starting vectors of the rehearsal texts.
        """
        parts = sides.tolist()
        hidden = self.encoder.hidden(ids, attention, head=self.head is not None)
        source, target, rehearsal = torch.split(self.encoder.pool(hidden.layer, ids, attention), parts)
        terms: dict[str, Tensor] = {}
        weights: dict[str, float] = {}
        for name in CONTRASTIVE:
            options: ContrastiveOptions | None = getattr(self.recipe, name)
            if options:
                other = start.to(target.dtype) if options.frozen and start is not None else source
                terms[name] = self._contrast(name, options, other, target, groups, bank, bank_groups)
                weights[name] = options.weight
        if self.recipe.mlm and self.head is not None and labels is not None:
            sliced = zip(
                ("source", "target"), torch.split(hidden.last, parts), torch.split(labels, parts), strict=False
            )
            for side, states, truth in sliced:
                masked = total((truth != IGNORED).sum()).clamp(min=1) / world()[1]
                terms[f"mlm_{side}"] = mlm(states, truth, self.head, count=masked)
                weights[f"mlm_{side}"] = self.recipe.mlm.weight
        if self.recipe.anchor:
            distance = ANCHORS[self.recipe.anchor.distance]
            anchored = {"source": (source, start), "target": (target, start), "rehearsal": (rehearsal, rehearsal_start)}
            for side, (current, before) in anchored.items():
                weight = getattr(self.recipe.anchor, side)
                if weight and before is not None:
                    terms[f"anchor_{side}"] = distance(current, before.to(current.dtype))
                    weights[f"anchor_{side}"] = weight
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return terms | {"loss": loss}

    def _contrast(
        self, name: str, options: ContrastiveOptions, source: Tensor, target: Tensor, groups: Tensor,
        bank: Tensor | None, bank_groups: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """One contrastive objective over the pairs of all processes; this process's pairs are the anchors."""
        temperature = self.log_temperature[name].exp() if name in self.log_temperature else options.temperature
        rank, _ = world()
        rows = slice(rank * len(target), (rank + 1) * len(target))
        every, all_sources, all_targets = gather(groups), gather(source), gather(target)
        if bank is not None and bank_groups is not None and name == "info_nce":
            # The targets are the anchors, so that the frozen sources and their bank are the candidates.
            every = torch.cat([every, bank_groups])
            all_sources = torch.cat([all_sources, bank.to(all_sources.dtype)])
        return CONTRASTIVE[name](
            all_targets, all_sources, temperature=temperature, cosine=options.cosine, groups=every, rows=rows
        )


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

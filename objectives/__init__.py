"""Objectives: functions of embeddings or of masked logits. They know no encoder, optimiser or process."""

from align.objectives.anchor import cosine_anchor, mse_anchor
from align.objectives.contrastive import info_nce, nt_xent
from align.objectives.mlm import mask_tokens, mlm

OBJECTIVES = {
    "nt_xent": nt_xent,
    "info_nce": info_nce,
    "mlm": mlm,
    "cosine_anchor": cosine_anchor,
    "mse_anchor": mse_anchor,
}

__all__ = ["OBJECTIVES", "cosine_anchor", "info_nce", "mask_tokens", "mlm", "mse_anchor", "nt_xent"]

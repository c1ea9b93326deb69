"""Objectives: functions of embeddings or of masked logits. They know no encoder, optimiser or process.

One file each, which offers an :class:`.objective.Objective`; :func:`.registry.objectives` finds them all.
"""

from align.objectives.anchor import cosine_anchor, mse_anchor
from align.objectives.contrastive import info_nce, nt_xent
from align.objectives.distillation.distil import distil, unexplained
from align.objectives.distillation.self_teaching import self_teaching
from align.objectives.graded import angle, cosent, cosine_mse
from align.objectives.labelled import label_nt_xent, supcon
from align.objectives.matryoshka import matryoshka
from align.objectives.mlm import mlm
from align.objectives.multi_similarity import multi_similarity
from align.objectives.multiple_negatives import multiple_negatives
from align.objectives.prototypes import prototypes
from align.objectives.softmax_nli import softmax_nli
from align.objectives.word_alignment.alignment_consistency import alignment_consistency
from align.objectives.word_alignment.parallel_or_not import parallel_or_not
from align.objectives.word_alignment.self_alignment import self_alignment

__all__ = [
    "alignment_consistency",
    "angle",
    "cosent",
    "cosine_anchor",
    "cosine_mse",
    "distil",
    "info_nce",
    "label_nt_xent",
    "matryoshka",
    "mlm",
    "mse_anchor",
    "multi_similarity",
    "multiple_negatives",
    "nt_xent",
    "parallel_or_not",
    "prototypes",
    "self_alignment",
    "self_teaching",
    "softmax_nli",
    "supcon",
    "unexplained",
]

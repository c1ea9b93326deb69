"""Objectives that bring the words of two parallel texts together, piece by piece: awesome-align's, arXiv:2101.08231."""

from align.objectives.word_alignment import alignment_consistency, parallel_or_not, self_alignment

OBJECTIVES = (alignment_consistency.OBJECTIVE, self_alignment.OBJECTIVE, parallel_or_not.OBJECTIVE)

"""Objectives that a teacher's numbers are the target of: its vectors, its states, its similarities."""

from align.objectives.distillation import distil, feature_distil, self_teaching, smooth_l1

OBJECTIVES = (distil.OBJECTIVE, feature_distil.OBJECTIVE, smooth_l1.OBJECTIVE, self_teaching.OBJECTIVE)

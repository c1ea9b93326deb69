"""xsim and xsim++: how often mining aligns a line with another than its own."""

from align.tasks.xsim.task import TASK, xsim

__all__ = ["TASK", "xsim"]

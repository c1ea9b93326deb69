"""What happens beside the steps of a run: checks, a line of metrics, evaluation."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from transformers import ProgressCallback, TrainerCallback

from align.encoder import Encoder
from align.errors import InputError

log = logging.getLogger(__name__)

Evaluator = Callable[[Encoder], Mapping[str, float]]
"""Scores of an encoder, by name."""


class TrainingStopped(RuntimeError):
    """The loss or a gradient became NaN or infinite; the weights of the last checkpoint are good."""


class FiniteGradients(TrainerCallback):
    """Stops before a NaN or infinite gradient reaches the weights."""

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, *, model: nn.Module, **_: Any) -> None:
        """Check every gradient."""
        bad = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
        if bad:
            raise TrainingStopped(f"step {state.global_step + 1}: the gradient of {bad[0]} is not finite")


class Progress(ProgressCallback):
    """A bar, and one line of metrics each time something is logged."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Print step, losses and learning rate."""
        if state.is_world_process_zero and self.training_bar is not None and logs and "loss" in logs:
            names = [name for name in logs if name not in ("epoch", "learning_rate", "grad_norm")]
            line = "  ".join(f"{name} {logs[name]:.4f}" for name in names)
            line = f"step {state.global_step}/{state.max_steps}  {line}  lr {logs['learning_rate']:.1e}"
            self.training_bar.write(line, file=sys.stderr)


class Evaluation(TrainerCallback):
    """Runs evaluators on the first process every so many steps, and remembers the best weights."""

    def __init__(self, encoder: Encoder, evaluators: Mapping[str, Evaluator], every: int, best: str | None) -> None:
        self.encoder, self.evaluators, self.every, self.best = encoder, evaluators, every, best
        self.results: list[dict[str, float]] = []
        self._best: tuple[float, dict[str, Tensor]] | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate when the step says so, and at the last step."""
        due = self.every and (state.global_step % self.every == 0 or state.global_step == state.max_steps)
        if not (due and self.evaluators and state.is_world_process_zero):
            return
        scores = {"step": float(state.global_step)}
        for name, evaluator in self.evaluators.items():
            scores |= {f"{name}/{score}": float(value) for score, value in evaluator(self.encoder.eval()).items()}
        self.encoder.train()
        self.results.append(scores)
        log.info("%s", "  ".join(f"{name} {value:.4g}" for name, value in scores.items()))
        if self.best:
            if self.best not in scores:
                raise InputError(f"best={self.best!r} is no score: the evaluators gave {', '.join(scores)}")
            if self._best is None or scores[self.best] > self._best[0]:
                self._best = (
                    scores[self.best],
                    {k: v.detach().cpu().clone() for k, v in self.encoder.state_dict().items()},
                )

    def restore_best(self) -> None:
        """Put the best weights back, if there are any."""
        if self._best is not None:
            self.encoder.load_state_dict(self._best[1])

"""What happens beside the steps of a run: a line of metrics, evaluation."""

from __future__ import annotations

import logging
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import ProgressCallback, TrainerCallback

from align.encoders.encoder import Encoder
from align.errors import InputError, there_are
from align.files.whole import read_json, write_json
from align.training.distributed import TIMEOUT, lost, share, timeout, total, world
from align.training.engine import eager_blocks

log = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a run that SIGTERM ended, as shells give it."""
Evaluator = Callable[[Encoder], Mapping[str, float]]
"""Scores of an encoder, by name."""


class TrainingStopped(RuntimeError):
    """The loss or a gradient became NaN or infinite; the weights of the last checkpoint are good."""


class Tolerated:
    """A tracker (tensorboard, wandb, ...) whose failure costs a warning, not the run: it is asked no more."""

    def __init__(self, tracker: TrainerCallback) -> None:
        self.tracker, self.failed = tracker, False

    def __getattr__(self, event: str) -> Any:
        found = getattr(self.tracker, event)
        return partial(self._tell, found) if event.startswith("on_") else found

    def _tell(self, event: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if self.failed:
            return None
        try:
            return event(*given, **named)
        except Exception as error:  # whatever its client raises
            self.failed = True
            log.warning("%s failed, and gets nothing more: %s", type(self.tracker).__name__, error or repr(error))
            return None


class Progress(ProgressCallback):
    """A bar, and one line of metrics each time something is logged."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Print step, losses and learning rate."""
        if state.is_world_process_zero and self.training_bar is not None and logs and "loss" in logs:
            names = [name for name in logs if name not in ("epoch", "learning_rate", "grad_norm")]
            line = "  ".join(f"{name} {logs[name]:.4f}" for name in names)
            line = f"step {state.global_step}/{state.max_steps}  {line}  lr {logs['learning_rate']:.1e}"
            self.training_bar.write(line, file=sys.stderr)


class LastLine(TrainerCallback):
    """Has the last step logged, too, wherever it falls between two lines."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Called after the callbacks that may stop the run."""
        if state.global_step == state.max_steps or control.should_training_stop:
            control.should_log = True


class Terminate(TrainerCallback):
    """SIGTERM lets the step end, writes a checkpoint and stops the run; a second one ends the process at once.

    Clusters send it before they take a machine away. All processes of a run stop at the same step, whichever got it.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.asked = device, False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """While the block lasts, and then exit code 143; where somebody else handles the signal, he does.

        Raises:
            SystemExit: the run was stopped.
        """
        ours = threading.current_thread() is threading.main_thread()
        if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            yield
            return
        signal.signal(signal.SIGTERM, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self.asked:
            raise SystemExit(TERMINATED)

    def _ask(self, *_: Any) -> None:
        self.asked = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Called after all other callbacks: the checkpoint is that of a run that goes on."""
        if world()[1] > 1:
            self.asked = bool(total(torch.tensor(float(self.asked), device=self.device)))
        if self.asked and state.global_step < state.max_steps:
            log.warning("SIGTERM: the run ends with a checkpoint at step %d; resume goes on from it", state.global_step)
            control.should_save = control.should_training_stop = True


@contextmanager
def answered() -> Iterator[None]:
    """In the block, a process of the run that no longer answers becomes a sentence.

    Raises:
        TrainingStopped: its connection was closed, or nothing came from it for ``ALIGN_TIMEOUT`` seconds.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, TrainingStopped) or not lost(error):
            raise
        first = str(error).strip().split("\n")[0]
        raise TrainingStopped(
            f"another process of the run is gone, or did not answer within {timeout().total_seconds():g} s "
            f"({TIMEOUT}): {first}; its checkpoints are good"
        ) from error


class Best(NamedTuple):
    """The best evaluation so far."""

    step: int
    score: float
    weights: dict[str, Tensor]


class Evaluation(TrainerCallback):
    """Runs evaluators on the first process every so many steps, remembers the best weights, and stops when they age.

    There is an evaluation at the last step, too; none at all with ``every`` 0. See :func:`.train.train`.
    """

    def __init__(
        self, encoder: Encoder, evaluators: Mapping[str, Evaluator], every: int, best: str | None, patience: int = 0
    ) -> None:
        self.encoder, self.evaluators, self.every, self.best, self.patience = encoder, evaluators, every, best, patience
        self.results: list[dict[str, float]] = []
        self._best: Best | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate when the step says so, and at the last step; every process learns whether to stop."""
        due = self.every and (state.global_step % self.every == 0 or state.global_step == state.max_steps)
        if not (due and self.evaluators):
            return
        if state.is_world_process_zero:
            self._evaluate(state.global_step)
        if self.patience and total(torch.tensor(float(self.exhausted), device=self.encoder.device)):
            control.should_training_stop = True

    def _evaluate(self, step: int) -> None:
        scores = {"step": float(step)}
        with eager_blocks(self.encoder.model):
            for name, evaluator in self.evaluators.items():
                scores |= {f"{name}/{score}": float(value) for score, value in evaluator(self.encoder.eval()).items()}
        self.encoder.train()
        self.results.append(scores)
        log.info("%s", "  ".join(f"{name} {value:.4g}" for name, value in scores.items()))
        if not self.best:
            return
        if self.best not in scores:
            raise InputError(f"best={self.best!r} is no score: the evaluators gave {there_are(self.best, scores)}")
        score = scores[self.best]
        if not math.isfinite(score):
            raise InputError(f"best={self.best!r} is {score} at step {step}; expected a number")
        if self._best is None or score > self._best.score:
            weights = {k: v.detach().cpu().clone() for k, v in self.encoder.state_dict().items()}
            self._best = Best(step, score, weights)

    @property
    def exhausted(self) -> bool:
        """Whether ``patience`` evaluations in a row were no better."""
        since = [row for row in self.results if self._best and row["step"] > self._best.step]
        return 0 < self.patience <= len(since)

    def stopped(self, steps: int) -> dict[str, Any]:
        """For the summary: where a run of so many steps ended early, and its best evaluation; {}: it did not."""
        if self._best is None or not self.exhausted or self.results[-1]["step"] >= steps:
            return {}
        found = {"step": int(self.results[-1]["step"]), "best_step": self._best.step, str(self.best): self._best.score}
        return {"stopped": found}

    def restore_best(self) -> None:
        """Put the best weights back, if there are any, on every process."""
        if self._best is not None:
            self.encoder.load_state_dict(self._best.weights)
        if self.best and self.every:
            share(self.encoder)

    def save(self, folder: Path) -> None:
        """Keep the evaluations and the best weights in a checkpoint."""
        if not self.results:
            return
        best = {"step": self._best.step, "score": self._best.score} if self._best else None
        write_json(folder / "evaluation.json", {"results": self.results, "best": best})
        if self._best:
            save_file(self._best.weights, folder / "best.safetensors")

    def load(self, folder: Path) -> None:
        """Go on from the evaluations that a checkpoint keeps."""
        if not (folder / "evaluation.json").is_file():
            return
        kept = read_json(folder / "evaluation.json")
        self.results = kept["results"]
        if kept["best"]:
            self._best = Best(**kept["best"], weights=load_file(folder / "best.safetensors"))

"""What may end a run before its last step, without harm: SIGTERM, a process that is gone, a full disk, a bad file."""

from __future__ import annotations

import logging
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback

from align.errors import InputError
from align.files.whole import explained
from align.training.callbacks import TrainingStopped
from align.training.distributed import TIMEOUT, timeout, total, world

log = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a run that SIGTERM ended, as shells give it."""
LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|timed out|socket|broken pipe", re.IGNORECASE)
"""In what the backends of torch.distributed say, which have no exception of their own for it."""


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


def lost(error: Exception) -> bool:
    """Whether it says that another process of this run cannot be reached."""
    distributed = world()[1] > 1 or isinstance(error, torch.distributed.DistError)
    return distributed and LOST.search(str(error)) is not None


@contextmanager
def saved(folder: Path) -> Iterator[None]:
    """In the block a checkpoint is written; where it cannot be, nothing is left of it.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    try:
        with explained(folder):
            yield
    except InputError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"{error}; the checkpoints before it are good") from error
    except (RuntimeError, SafetensorError) as error:
        if lost(error):
            raise
        full = shutil.disk_usage(folder.parent).free < 2**20  # what torch raises then does not say so
        shutil.rmtree(folder, ignore_errors=True)
        why = "no space left on the disk" if full else str(error).strip().split("\n")[0]
        raise InputError(f"{folder} was not written: {why}; the checkpoints before it are good") from error


@contextmanager
def loaded(folder: str | None) -> Iterator[None]:
    """In the block a checkpoint is read, which runs no code: what is not numbers is refused.

    Raises:
        InputError: it holds something else, such as a pickle that names a function, or not what the run needs.
    """
    try:
        yield
    except Exception as error:  # of torch, safetensors and pickle
        first = str(error).strip().split("\n")[0] or repr(error)
        raise InputError(f"{folder} cannot be resumed: {first}") from error

"""Processes that are to be killed, forked from one that has imported everything: each starts in a moment."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import contextmanager
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
if os.name == "posix":
    SERVER.set_forkserver_preload(["align.encoders.checkpoint", "align.training.train", "align.indexes.build"])


@contextmanager
def child(target, *given, **named):
    """A process that runs ``target``; none is left behind."""
    process = SERVER.Process(target=target, args=given, kwargs=named)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def ended(target, *given, **named):
    """The exit code of such a process, once it has ended by itself."""
    with child(target, *given, **named) as process:
        process.join()
        return process.exitcode


def wait_for_step(marks, process):
    """Until the process has trained a step, or all of them."""
    while not any(Path(marks).iterdir()) and process.exitcode is None:
        process.join(0.01)
    assert not process.exitcode, f"it ended with {process.exitcode}"


def train_toy(folder, out, *, steps=12, save_every=2, marks=None, recipe=None, resume=None, **options):
    """Train a small encoder, from the newest good checkpoint if there is one; a file in ``marks`` for each step."""
    import torch
    from toy import table
    from transformers import TrainerCallback

    from align.encoders.checkpoint import load_encoder
    from align.objectives.contrastive import ContrastiveOptions
    from align.training.options import TrainOptions
    from align.training.recipe import Recipe
    from align.training.resume import resumable
    from align.training.train import train

    class Mark(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            Path(marks, str(state.global_step)).touch()

    torch.set_num_threads(1)
    settings = TrainOptions(steps=steps, batch_size=8, learning_rate=1e-2, save_every=save_every, log_every=3)
    chosen = recipe or Recipe(train=settings, info_nce=ContrastiveOptions(learn_temperature=True))
    resume = resumable(Path(f"{out}.checkpoints")) if resume is None else resume
    callbacks = [*options.pop("callbacks", ()), *([Mark()] if marks else [])]
    return train(
        load_encoder(folder), table(), chosen, out, resume=resume, fresh=not resume, progress=False,
        callbacks=callbacks, **options,
    )  # fmt: skip


def newest(out):
    """The newest good checkpoint of a folder of them, whatever run it is of."""
    from align.files.whole import read_json
    from align.training.resume import SETTINGS, checkpoints, newest_checkpoint, undamaged

    good = [folder for folder in checkpoints(Path(out)) if undamaged(folder)]
    return newest_checkpoint(Path(out), read_json(good[0] / SETTINGS) if good else {})

"""Which checkpoint a run may go on from: the newest undamaged one that an equal run wrote."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from align.encoders.encoder import Encoder
from align.encoders.text_model import value_bytes
from align.errors import InputError
from align.files.whole import explained, read_json, sha256, write_json
from align.provenance import versions
from align.training.config import as_table
from align.training.distributed import lost, world
from align.training.recipe import Recipe

log = logging.getLogger(__name__)

MANIFEST, SETTINGS, FACTS = "manifest.json", "run.json", "facts.json"
FILES = (
    MANIFEST, SETTINGS, FACTS, "history.json", "evaluation.json", "best.safetensors", "encoder.safetensors",
    "adapter_*", "model.safetensors", "optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*.pth",
    "trainer_state.json", "training_args.bin",
)  # fmt: skip
"""What is in a checkpoint, and in the folder of a finished stage."""
FOLDERS = re.compile(r"(\d+-[\w-]+/)?(checkpoint-\d+|finished)/")
DECIDING = ("align-encoders", "torch", "transformers", "tokenizers", "numpy")  # and peft for LoRA

PLACE_AND_VERSION = ("_name_or_path", "transformers_version", "dtype")  # of a model's configuration


def run_settings(
    recipe: Recipe,
    encoder: Encoder,
    *,
    pairs: Sequence[str],
    teacher: Encoder | None = None,
    rehearsal: Sequence[str] = (),
    evaluators: Collection[str] = (),
    best: str | None = None,
) -> dict[str, Any]:
    """All that decides a run, as JSON values: equal ones give equal weights, bit by bit.

    ``pairs`` are the hashes of the data of each stage. Where the encoder lies is not part of it.
    """
    names = (*DECIDING, "peft") if any(stage.lora for stage in recipe.stages or (recipe,)) else DECIDING
    config = {k: v for k, v in encoder.model.config.to_dict().items() if k not in PLACE_AND_VERSION}
    return {
        "recipe": as_table(recipe),
        "encoder": encoder.identity() | {"weights": _hash_of_weights(encoder), "config": _hash_of_json(config)},
        "teacher": teacher.identity() if teacher else None,
        "rehearsal": _hash_of_json(list(rehearsal)) if rehearsal else None,
        "pairs": " ".join(pairs),
        "evaluators": sorted(evaluators),
        "best": best,
        "processes": world()[1],
        "versions": {name: version for name, version in versions().items() if name in names},
    }


def _hash_of_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _hash_of_weights(encoder: Encoder) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + value_bytes(value))
    return digest.hexdigest()


def seal(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write into a checkpoint what decides its run, and the hashes of its files last: without them it is damaged."""
    write_json(folder / SETTINGS, dict(settings))
    files = sorted(file for file in folder.iterdir() if file.name != MANIFEST)
    write_json(folder / MANIFEST, {file.name: sha256(file) for file in files})


def undamaged(folder: Path) -> bool:
    """Whether every file of a checkpoint is there with the hash that its manifest says."""
    try:
        manifest = read_json(folder / MANIFEST)
        return SETTINGS in manifest and all(sha256(folder / name) == digest for name, digest in manifest.items())
    except (InputError, OSError, AttributeError, TypeError, ValueError):  # the manifest itself may be damaged
        return False


def checkpoints(work: Path) -> list[Path]:
    """Folders of checkpoints, damaged or not, the newest by its step first: no clock is asked, which may jump."""
    found = {int(folder.name.partition("-")[2]): folder for folder in work.glob("checkpoint-*") if _numbered(folder)}
    return [found[step] for step in sorted(found, reverse=True)]


def _numbered(folder: Path) -> bool:
    return re.fullmatch(r"checkpoint-\d+", folder.name) is not None


def remove_older(work: Path, *, keep: int) -> None:
    """Remove checkpoints but for the newest ``keep``."""
    for folder in checkpoints(work)[keep:]:
        shutil.rmtree(folder, ignore_errors=True)


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


def newest_checkpoint(work: Path, settings: Mapping[str, Any]) -> Path:
    """The newest undamaged checkpoint in ``work``, which a run of these settings wrote.

    Raises:
        InputError: there is none, or another run wrote it: of another recipe, encoder, teacher, other data, ...
    """
    found = checkpoints(work)
    if not found:
        raise InputError(f"nothing to resume from: no checkpoint in {work}; train without --resume")
    for folder in found:
        if undamaged(folder):
            check_settings(folder, settings)
            return folder
        log.warning("%s is damaged or incomplete and is passed over", folder)
    raise InputError(f"nothing to resume from: every checkpoint in {work} is damaged")


def check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to go on with what a run of other settings began."""
    before, now = flat(read_json(folder / SETTINGS)), flat(dict(settings))
    for name in now | before:  # the recipe first
        if before.get(name) != now.get(name):
            raise InputError(
                f"{folder} cannot be resumed: {name} was {before.get(name)!r}, now it is {now.get(name)!r}"
            )


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """The leaves of nested JSON values by their paths: ``recipe.stages.0.train.steps``."""
    if not isinstance(value, (dict, list)):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for key, inner in items for k, v in flat(inner, f"{name}.{key}" if name else str(key)).items()}


def finish_stage(encoder: Encoder, work: Path, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Keep the encoder at the end of a stage and its summary, so that a resumed run need not go through it again."""
    folder = work / "finished"
    folder.mkdir(parents=True, exist_ok=True)
    save_model(encoder, str(folder / "encoder.safetensors"))
    write_json(folder / FACTS, dict(facts))
    seal(folder, settings)


def load_finished(encoder: Encoder, work: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Set the encoder to the end of a stage and return its summary, if that was reached and is undamaged."""
    folder = work / "finished"
    if not undamaged(folder):
        return None
    check_settings(folder, settings)
    load_model(encoder, folder / "encoder.safetensors", device=str(encoder.device))
    facts: dict[str, Any] = read_json(folder / FACTS)
    return facts


def kept_files(work: Path) -> list[Path]:
    """Files of checkpoints and finished stages in the folder of a run; what else lies there is not Align's."""
    files = (path for path in sorted(work.rglob("*")) if path.is_file())
    return [path for path in files if _ours(path.relative_to(work).as_posix())]


def _ours(place: str) -> bool:
    folder = FOLDERS.match(place)
    name = place[folder.end() :] if folder else ""
    patterns = (*FILES, *(f".{pattern}.*" for pattern in FILES))  # the latter while they are written
    return "/" not in name and any(fnmatch(name, pattern) for pattern in patterns)


def restarted() -> bool:
    """Whether a launcher started this process anew after one of the run had died (``torchrun --max-restarts``)."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def resumable(work: Path) -> bool:
    """Whether there is an undamaged checkpoint or finished stage."""
    return any(map(undamaged, {file.parent for file in kept_files(work)}))


def refuse_kept(work: Path) -> None:
    """Refuse to start where an earlier run left checkpoints, which would be mixed with those of another."""
    folders = sorted({file.parent.relative_to(work).as_posix() for file in kept_files(work)})
    if folders:
        raise InputError(
            f"{work} holds checkpoints of an earlier run ({', '.join(folders)}): expected resume (--resume) to go on "
            "with it, another folder to write to, or fresh (--fresh) to remove them"
        )


def remove_kept(work: Path) -> None:
    """Remove the checkpoints and finished stages of an earlier run, and the folders that are empty then."""
    files = kept_files(work)
    for file in files:
        file.unlink()
    for folder in sorted({folder for file in files for folder in file.parents if work in folder.parents}, reverse=True):
        with suppress(OSError):  # somebody else's file is in it
            folder.rmdir()
    if files:
        log.info("the checkpoints of an earlier run in %s are removed", work)

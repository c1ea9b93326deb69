"""Which checkpoint a run may go on from: the newest undamaged one of the same recipe and data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_model, save_model

from align.encoder import Encoder
from align.errors import InputError
from align.files import read_json, sha256, write_json

log = logging.getLogger(__name__)


def seal(folder: Path) -> None:
    """Write the hashes of a checkpoint's files, last of all: without them it counts as half-written."""
    files = sorted(file for file in folder.iterdir() if file.name != "manifest.json")
    write_json(folder / "manifest.json", {file.name: sha256(file) for file in files})


def newest_checkpoint(work: Path, settings: Mapping[str, Any]) -> Path:
    """The newest undamaged checkpoint of a run with these settings.

    Raises:
        InputError: there is none, or the run had another recipe, other pairs or another number of processes.
    """
    found = sorted(work.glob("checkpoint-*"), key=lambda folder: int(folder.name.partition("-")[2]), reverse=True)
    if not found:
        raise InputError(f"nothing to resume from: no checkpoint in {work}")
    check_settings(work, settings)
    for folder in found:
        if undamaged(folder):
            return folder
        log.warning("%s is damaged or incomplete and is passed over", folder)
    raise InputError(f"nothing to resume from: every checkpoint in {work} is damaged")


def check_settings(work: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to go on with what another recipe, other pairs or another number of processes began."""
    before, now = flat(read_json(work / "run.json")), flat(dict(settings))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise InputError(f"{work} cannot be resumed: {name} was {before.get(name)!r}, now it is {now.get(name)!r}")


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """The leaves of nested JSON values by their paths: ``recipe.stages.0.train.steps``."""
    if not isinstance(value, (dict, list)):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for key, inner in items for k, v in flat(inner, f"{name}.{key}" if name else str(key)).items()}


def undamaged(folder: Path) -> bool:
    """Whether every file of a checkpoint is there with the hash that its manifest says."""
    if not (folder / "manifest.json").is_file():
        return False
    manifest = read_json(folder / "manifest.json")
    return all((folder / name).is_file() and sha256(folder / name) == digest for name, digest in manifest.items())


def finish_stage(encoder: Encoder, work: Path) -> None:
    """Keep the encoder at the end of a stage, so that a resumed run need not go through it again."""
    folder = work / "finished"
    folder.mkdir(parents=True, exist_ok=True)
    save_model(encoder, str(folder / "encoder.safetensors"))
    seal(folder)


def load_finished(encoder: Encoder, work: Path, settings: Mapping[str, Any]) -> bool:
    """Set the encoder to the end of a stage, if that was reached and is undamaged."""
    if not undamaged(work / "finished"):
        return False
    check_settings(work, settings)
    load_model(encoder, work / "finished" / "encoder.safetensors", device=str(encoder.device))
    return True

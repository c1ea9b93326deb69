"""Which checkpoint a run may go on from: the newest undamaged one of the same recipe and data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    before = read_json(work / "run.json")
    for name, value in settings.items():
        if before.get(name) != value:
            raise InputError(
                f"{work} cannot be resumed: its run had another {name} ({before.get(name)!r}, now {value!r})"
            )
    for folder in found:
        if undamaged(folder):
            return folder
        log.warning("%s is damaged or incomplete and is passed over", folder)
    raise InputError(f"nothing to resume from: every checkpoint in {work} is damaged")


def undamaged(folder: Path) -> bool:
    """Whether every file of a checkpoint is there with the hash that its manifest says."""
    if not (folder / "manifest.json").is_file():
        return False
    manifest = read_json(folder / "manifest.json")
    return all((folder / name).is_file() and sha256(folder / name) == digest for name, digest in manifest.items())

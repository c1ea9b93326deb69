"""Whether a folder is what was written, and holds what it names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from align.errors import InputError
from align.files.folders import MARK
from align.files.whole import read_json, sha256


def check_hashes(folder: Path | str, *, but: Collection[str] = ()) -> None:
    """Compare a folder with the hashes that were kept when it was written; nothing where none were, as elsewhere.

    Args:
        folder: what :func:`whole_folder` wrote, ``hashed``.
        but: files that may be changed later.

    Raises:
        InputError: a file is damaged, and named.
    """
    folder = Path(folder)
    if not (folder / MARK).is_file():
        return
    kept = read_json(folder / MARK).get("files")
    for name, digest in kept.items() if isinstance(kept, dict) else ():
        path = inside(folder, name)  # one that was taken away is missed by whoever reads it: masked_lm is optional
        if name not in but and path.exists() and sha256(path) != digest:
            raise InputError(
                f"{path} is damaged: its SHA-256 is not the one in {MARK}; a folder that was changed by hand "
                f"is read without {MARK}"
            )


def inside(folder: Path, name: str) -> Path:
    """``folder/name``, of a name that a file of the folder gives.

    Raises:
        InputError: it leads out of the folder.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"{folder} names a file {name!r}, which is not in it; expected the name of one of its own")
    return folder / name

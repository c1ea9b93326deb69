"""Folders of memory-mapped arrays, whole or not used: each array a .npy file, and a manifest with their hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from align.errors import InputError
from align.files.arrays import read_array
from align.files.intact import inside
from align.files.whole import read_json, sha256, write_json

MANIFEST = "store.json"


@contextmanager
def growing_arrays(folder: Path) -> Iterator[Callable[[str, NDArray[Any]], None]]:
    """Yield a function (name, part) that appends along the first axis of ``folder/name.npy``.

    The parts of an array have one dtype and, but for their length, one shape, which its first says; nothing of them
    stays in memory.
    """
    arrays: dict[str, tuple[BinaryIO, NDArray[Any]]] = {}  # the file, and an empty part
    sizes: Counter[str] = Counter()

    def head(name: str) -> None:
        file, empty = arrays[name]
        file.seek(0)  # numpy leaves room for any size in the header, so that it can be written again
        shape = (sizes[name], *empty.shape[1:])
        write_array_header_1_0(file, {"descr": empty.dtype.str, "fortran_order": False, "shape": shape})

    with ExitStack() as stack:

        def append(name: str, part: NDArray[Any]) -> None:
            if name not in arrays:
                arrays[name] = stack.enter_context(open(folder / f"{name}.npy", "wb")), part[:0].copy()
                head(name)
            file, empty = arrays[name]
            assert (part.dtype, part.shape[1:]) == (empty.dtype, empty.shape[1:])
            file.write(part.tobytes())
            sizes[name] += len(part)

        yield append
        for name in arrays:
            head(name)


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest: JSON values of the caller, and size and hash of every file."""
    files = {file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)} for file in sorted(folder.iterdir())}
    write_json(folder / MANIFEST, {**facts, "files": files}, sealed=True)


def open_arrays(folder: Path, *, verify: bool = True) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The manifest of a sealed folder and its arrays, memory-mapped and read-only.

    Raises:
        InputError: the manifest cannot be read, or (with ``verify``) a file is not what it says.
    """
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{folder / MANIFEST} is no manifest of a store")
    for name, facts in manifest["files"].items() if verify else ():
        file = inside(folder, name)
        size = file.stat().st_size if file.is_file() else None
        if size != facts["bytes"] or sha256(file) != facts["sha256"]:
            raise InputError(f"{file} differs from its manifest: it was changed or cut after it was written")
    return manifest, {Path(name).stem: _mapped(inside(folder, name)) for name in manifest["files"]}


def _mapped(file: Path) -> NDArray[Any]:
    return np.asarray(
        read_array(file, mmap=True)
    )  # plain slices are several times as fast as those of np.memmap, and map the same file

"""Exact neighbours in shards: each the products of some rows of x with all of y, on whatever machine sees the folder.

    shards.json       what the shards are of; others are refused
    x, y              the rows without copies, mapped by every shard
    00002-00008.npz   what shard 2 of 8 found, whole or not there: the best of its rows of x, and of all rows of y

A shard begins where the blocks of one process do, so that all cosines, and with them the pairs, are the same to the
bit. A shard that was lost costs its own products, and is done again by the same command.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, one_line
from align.files.locks import locked
from align.files.nested import differences
from align.files.shards import Shard
from align.files.shards import shard as parsed
from align.files.whole import read_json, whole_file, write_json
from align.mining.sides import Side
from align.similarity.nearest import Neighbours, nearest_keys, neighbours_of, no_keys
from align.text.hashing import json_hash
from align.vectors.folder import Vectors

log = logging.getLogger(__name__)

FORMAT = "align-mine-shards/1"
TASKS = 16
"""Shards of a Ray cluster, unless it is said."""
ROWS = 65_536
"""Of y that are merged at a time."""
RETRIES = 3
"""Times that a shard is done again whose node went away."""


@dataclass(frozen=True)
class Sharded:
    """What of a job is to be done, by the arguments of :func:`align.mining.mining.mine`."""

    out: Path | None
    shard: str | None
    shards: int | None
    engine: str
    address: str | None

    @property
    def asked(self) -> bool:
        """Whether there is to be more than one shard."""
        return bool(self.shard) or self.shards is not None or self.engine == "ray"

    @property
    def folder(self) -> Path:
        """Where shards leave what they found."""
        return Path(f"{self.out}.shards")

    def neighbours(self, x: Side, y: Side, *, k: int, block: int) -> tuple[Neighbours, Neighbours] | None:
        """Neighbours out of all shards; None where one alone was to be done.

        Raises:
            InputError: options that do not go together, and as the functions below.
        """
        both = bool(self.shard) and (self.shards is not None or self.engine == "ray")
        if self.out is None or self.engine == "faiss" or both:
            raise InputError(
                "shards are of exact neighbours, beside out: give out, and shard=i/n or shards=n, not both"
            )
        which = parsed(self.shard) if self.shard else None
        count = which.of if which else TASKS if self.shards is None else self.shards
        if count < 1 or block < 1:
            raise InputError(f"shards and block must be at least 1, got {count} and {block}")
        dtypes = (x.dtype, y.dtype)
        begin(self.folder, x, y, count=count, k=k, block=block)
        if which:
            find(self.folder, which, dtypes)
            return None
        if self.engine == "ray":
            on_ray(self.folder, missing(self.folder, count), dtypes, address=self.address)
        return merged(self.folder, count)

    def clear(self) -> None:
        """Remove what shards left, once their pairs are written."""
        if self.asked:
            shutil.rmtree(self.folder, ignore_errors=True)


def begin(folder: Path, x: Side, y: Side, *, count: int, k: int, block: int) -> None:
    """Begin a folder of shards, or go on with one of the same vectors, numbers and block.

    Raises:
        InputError: an array, whose rows others do not see; it was begun with others (what differs is named).
    """
    if not (isinstance(x.given, Vectors) and isinstance(y.given, Vectors)):
        raise InputError("shards are of folders of vectors, which every machine sees: got an array")
    of = {"format": FORMAT, "shards": count, "k": k, "block": block}
    of |= {name: json_hash(dict(each.given.manifest)) for name, each in (("x", x), ("y", y))}  # type: ignore[union-attr]
    with locked(folder / "shards.json", wait=True, of=folder):
        if (folder / "shards.json").exists():
            if differ := differences(read_json(folder / "shards.json"), of, "there", "now"):
                raise InputError(f"{folder} holds shards of something else: {differ}; remove it, or give another --out")
            return
        for name, each in (("x", x), ("y", y)):
            np.save(folder / f"{name}.shape.npy", each.unique_rows(folder / name).shape)
        write_json(folder / "shards.json", of)


def find(folder: Path, which: Shard, dtypes: tuple[str, str]) -> None:
    """Do one shard of a folder that was begun; one that is there is not done again.

    Raises:
        InputError: the folder is not seen here, or cannot be written to.
    """
    path = _file(folder, which)
    if path.is_file():
        log.info("%s is there already", path)
        return
    if not (folder / "shards.json").is_file():
        raise InputError(f"{folder} is not on this machine: expected a folder on a file system that all machines share")
    of = read_json(folder / "shards.json")
    x, y = (_rows(folder / name, dtype) for name, dtype in zip(("x", "y"), dtypes, strict=True))
    of_x, of_y = nearest_keys(x, y, which.bounds(len(x), of["block"]), k=of["k"], block=of["block"])
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, of_x=of_x, of_y=of_y)


def missing(folder: Path, count: int) -> list[Shard]:
    """The shards that are still to be done."""
    return [which for which in every(count) if not _file(folder, which).is_file()]


def every(count: int) -> Iterator[Shard]:
    """All shards of so many."""
    return (Shard(number, count) for number in range(1, count + 1))


def merged(folder: Path, count: int) -> tuple[Neighbours, Neighbours]:
    """What :func:`align.similarity.nearest.exact_neighbours` finds, out of all shards.

    Raises:
        InputError: a shard is missing or damaged.
    """
    if left := missing(folder, count):
        names = ", ".join(map(str, left[:20])) + ("" if len(left) <= 20 else f" and {len(left) - 20} more")
        raise InputError(f"{folder} lacks {len(left)} of {count} shards: run --shard {names}")
    of_x: list[NDArray[np.int64]] = []
    of_y: NDArray[np.int64] | None = None
    for which in every(count):
        found, back = _read(_file(folder, which))
        of_x.append(found)
        if of_y is None:
            of_y = no_keys(*back.shape)
        k = of_y.shape[1]
        for start in range(0, len(of_y) if k else 0, ROWS):
            here = slice(start, start + ROWS)
            of_y[here] = np.partition(np.concatenate([of_y[here], back[here]], axis=1), -k, axis=1)[:, -k:]
    assert of_y is not None
    return neighbours_of(np.concatenate(of_x)), neighbours_of(of_y)


def on_ray(folder: Path, shards: Sequence[Shard], dtypes: tuple[str, str], *, address: str | None) -> None:
    """Do shards as tasks of a Ray cluster, whose nodes all see the folder; see :func:`align.encode` for the address.

    Raises:
        InputError: no Ray, none at the address, a node that does not see the folder, or one shard's node went away
            :data:`RETRIES` times.
    """
    from align.vectors.corpus.hand_out import Failed  # they import torch
    from align.vectors.corpus.ray_engine import connected

    with connected(address, cpus=1) as ray:
        task = ray.remote(_outcome).options(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")
        asked = {task.remote(find, folder.resolve(), which, dtypes): which for which in shards}
        while asked:
            (done,), _ = ray.wait(list(asked), num_returns=1)
            which = asked.pop(done)
            try:
                answer = ray.get(done)
            except ray.exceptions.RayError as error:
                raise InputError(
                    f"shard {which} was not done: {one_line(error)[:200]}; the same command goes on from there"
                ) from error
            if isinstance(answer, Failed):
                raise (InputError if answer.bad_input else RuntimeError)(f"shard {which}: {answer.message}")


def _outcome(work: Callable[..., None], *args: Any) -> Any:
    """None, or what it raised in words: not every exception can be sent."""
    from align.vectors.corpus.hand_out import outcome

    return outcome(work, *args)


def _file(folder: Path, which: Shard) -> Path:
    return folder / f"{which.number:05d}-{which.of:05d}.npz"


def _rows(path: Path, dtype: str) -> NDArray[Any]:
    shape = tuple(np.load(path.with_name(f"{path.name}.shape.npy"), allow_pickle=False).tolist())
    return np.memmap(path, dtype=dtype, mode="r", shape=shape) if all(shape) else np.empty(shape, dtype)


def _read(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
            return kept["of_x"], kept["of_y"]
    except (zipfile.BadZipFile, ValueError, KeyError, OSError, EOFError) as error:
        raise InputError(f"{path} is damaged ({one_line(error)}): remove it, and run its shard again") from error

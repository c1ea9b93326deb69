"""Bytes of files are other than they were written."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from killed import child
from mutations import KINDS, UNSEALED, build, forge, try_all

GIGABYTE = 2**30


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("folders")
    build(home)
    return home


def tried(home, log, count, *how):
    """What came of each mutation; a process that a signal ended is noticed, and the rest goes to another."""
    left = [*range(count)]
    while left:
        with child(try_all, home, left, log, 2 * GIGABYTE, *how) as process:
            process.join()
            code = process.exitcode
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        done = {number: (kind, what, end) for number, kind, what, end in lines if end != "begun"}
        if code:
            number, kind, what, _ = lines[-1]
            assert number not in done, f"{kind}: the process ended with {code}"
            log.write_text(log.read_text() + json.dumps([number, kind, what, f"ended with {code}"]) + "\n")
            done[number] = kind, what, f"ended with {code}"
        left = [number for number in range(count) if number not in done]
    return done


def judged(done):
    """How many were refused, and how many gave equal values; all others are an error."""
    wrong = [
        f"{number} {kind}, {what}: {end}" for number, (kind, what, end) in done.items()
        if not (end in ("refused", "equal") or (end == "other" and kind in UNSEALED))
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)
    counts = Counter((kind, end) for kind, _, end in done.values())
    return [
        {"kind": kind, **{end: counts[kind, end] for end in ("refused", "equal", "other")}}
        for kind in KINDS if any(counts[kind, end] for end in ("refused", "equal", "other"))
    ]  # fmt: skip


def test_I1_bytes_anywhere(folders, tmp_path):
    """A file of a folder is cut, gets a flipped bit, zeros or more bytes, or is swapped with another: 98 times.

    As in the 2,000 of `make faults`.
    """
    judged(tried(folders, tmp_path / "log", 7 * len(KINDS)))


@pytest.mark.faults
def test_I1_bytes_anywhere_2000_times(folders, tmp_path, figures):
    """The same 2,000 times, of encoders, checkpoints, stores, vectors, indexes, offsets, pairs, results and caches.

    Each is refused with a sentence or gives what it gave before; no signal ends the process, which may take 2 GiB more
    memory. Of a model that others wrote, without a hash of anything, other weights are believed.
    """
    figures("bytes", judged(tried(folders, tmp_path / "log", 2_000)))


@pytest.mark.faults
def test_I1_forged_indexes(folders, tmp_path, figures):
    """The FAISS file of an index is changed 300 times by somebody who makes its hash agree.

    No hash can tell; FAISS refuses most, and takes no more memory than the file has. How many ended the process is
    counted: an index is to be opened from whom one trusts.
    """
    done = tried(folders, tmp_path / "log", 300, ("index-ivf", "index-hnsw", "index-pq"), forge)
    ends = Counter("ended the process" if end.startswith("ended") else end.splitlines()[-1].partition(":")[0]
                   for _, _, end in done.values())  # fmt: skip
    assert not [end for end in ends if "MemoryError" in end]
    figures("forged", ends)

"""Every reader on files cut short, flipped, doubled, with bytes put in: rows or an InputError, nothing else."""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_files import SMALL

from align.errors import InputError

SECONDS = 60
"""No reader of some hundred bytes needs so long: it hangs."""
INSERTED = [
    b"\0",
    b"\xff",
    b"\t",
    b"\n",
    b"\r",
    b'"',
    b"<",
    b"&",
    b"&#0;",
    b"]]>",
    b"{",
    b"[" * 3000,
    b"1" * 5000,
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"-1",
    b"nan",
    b"null",
    b"1e999",
    b"\\ud800",
    b"\xed\xa0\x80",
    "٣".encode(),
    "²".encode(),
    b" ",
]


@contextmanager
def in_time():
    def late(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def damaged(content, seed):
    """One change to three, each at a random place."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(content) + 1)
        how = rng.choice(["cut", "head", "flip", "insert", "double", "drop"])
        end = at + rng.choice([1, 2, 7, 40])
        if how == "cut":
            content = content[:at]
        elif how == "head":
            content = content[at:]
        elif how == "flip" and at < len(content):
            content = content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
        elif how == "insert":
            content = content[:at] + rng.choice(INSERTED) + content[at:]
        elif how == "double":
            content = content[:end] + content[at:]
        else:
            content = content[:at] + content[end:]
    return content


def written(folder, small, content):
    for name, beside in small.beside.items():
        (folder / name).write_bytes(beside)
    (folder / small.name).write_bytes(content)
    return folder / small.name


@pytest.mark.parametrize("kind", SMALL)
def test_a_whole_file_is_read(kind, tmp_path):
    assert SMALL[kind].read(written(tmp_path, SMALL[kind], SMALL[kind].content))


@pytest.mark.parametrize("kind", SMALL)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_file_is_read_or_refused(kind, seed):
    small, folder = SMALL[kind], Path(tempfile.mkdtemp())
    try:
        path = written(folder, small, damaged(small.content, seed))
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("error")
            small.read(path)
    except InputError as error:
        assert str(error) and "\n" not in str(error).strip()
    finally:
        shutil.rmtree(folder)

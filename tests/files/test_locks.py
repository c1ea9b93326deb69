"""A place has one writer at a time, and none that has died."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from held import another_process

from align.errors import InputError
from align.files import locks
from align.files.folders import whole_folder, writing
from align.files.locks import locked


def test_the_second_process_is_refused_and_the_first_is_named(tmp_path):
    out = tmp_path / "new" / "out"
    with another_process(out) as process:
        sentence = rf"out is being written by process {process.pid} \(align train\) on {socket.gethostname()}: wait"
        for _ in range(2):
            with pytest.raises(InputError, match=sentence), locked(out):
                raise AssertionError
            with pytest.raises(InputError, match=sentence), whole_folder(out, kind="encoder"):
                raise AssertionError
        with locked(tmp_path / "new" / "other"):
            pass
        process.communicate(b"")
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []  # it removes what it made
    with locked(out):
        pass


def test_a_lock_ends_with_its_process(tmp_path):
    with another_process(tmp_path / "out") as process:
        process.kill()
        process.wait()
        assert [path.name for path in tmp_path.iterdir()] == [".out.lock"]
        with locked(tmp_path / "out"):
            assert (tmp_path / ".out.lock").read_text().startswith(f"process {os.getpid()} (")
    assert list(tmp_path.iterdir()) == []


def test_waiting_for_another_process(tmp_path, caplog, monkeypatch):
    with another_process(tmp_path / "out") as process:
        flock = locks.fcntl.flock

        def released(handle, how):
            if not how & locks.fcntl.LOCK_NB:  # it waits
                process.communicate(b"")
            flock(handle, how)

        monkeypatch.setattr(locks.fcntl, "flock", released)
        caplog.set_level("INFO")
        with locked(tmp_path / "out", wait=True):
            assert f"out is being written by process {process.pid} (align train)" in caplog.text
            held = (tmp_path / ".out.lock").read_text()
    assert held.startswith(f"process {os.getpid()} (") and list(tmp_path.iterdir()) == []


def test_the_same_process_may_lock_again(tmp_path):
    with writing(tmp_path / "out", kind="encoder"), whole_folder(tmp_path / "out", kind="encoder") as folder:
        (folder / "a").touch()
    with locked(tmp_path / "out"):
        with locked(tmp_path / "x" / ".." / "out"):
            pass
        assert (tmp_path / ".out.lock").exists()  # the inner one has not ended the outer one
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_names_of_one_place(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    with (
        another_process(tmp_path / "link" / "out"),
        pytest.raises(InputError, match="is being written by process"),
        locked(tmp_path / "there" / "out"),
    ):
        raise AssertionError


def test_a_forked_process_does_not_keep_the_lock(tmp_path):
    code = """
import os, sys
from align.files.locks import locked
with locked(sys.argv[1]):
    if not os.fork():
        os.write(1, b"ready")
        sys.stdin.read()  # longer than its parent
        os._exit(0)
    os._exit(9)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.read(5) == b"ready" and process.wait() == 9
        with locked(tmp_path / "out"):
            pass
        process.stdin.close()


def test_a_file_that_was_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    """The last holder removes the file just after another process has opened it."""
    flock, close, seen, closed = locks.fcntl.flock, os.close, [], []

    def late(handle, how):
        if not seen:
            (tmp_path / ".out.lock").unlink()
        seen.append(handle)
        flock(handle, how)

    def closing(handle):
        closed.append(handle)
        close(handle)

    monkeypatch.setattr(locks.fcntl, "flock", late)
    monkeypatch.setattr(os, "close", closing)
    with locked(tmp_path / "out"):
        assert len(seen) == 2 and (tmp_path / ".out.lock").read_text()
        assert closed == seen[:1]  # the handle of the removed file is not kept open
    assert closed == seen


def test_a_file_system_without_locks(tmp_path, monkeypatch, caplog):
    def absent(handle, how):
        raise OSError(locks.errno.ENOSYS, "not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", absent)
    with locked(tmp_path / "out"):
        pass
    assert "out cannot be locked on this file system: do not write to it from two processes" in caplog.text


@pytest.mark.parametrize(
    "words, command",
    [
        (["/usr/bin/align", "-q", "export", "v", "pgvector", "password=x"], "align export"),
        (["/x/align/__main__.py", "eval", "seed"], "align eval"),
        (["align"], "align"),
        (["train.py", "password=x"], "train.py"),
        (["-c"], "-c"),
    ],
)
def test_a_command_is_shown_without_what_may_be_secret(monkeypatch, words, command):
    monkeypatch.setattr(sys, "argv", words)
    assert locks._command() == command


def test_what_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="was not written: "), locked(tmp_path / "file" / "out"):
        raise AssertionError
    (tmp_path / ".out.lock").symlink_to(tmp_path / "file")
    with pytest.raises(OSError), locked(tmp_path / "out"):
        raise AssertionError
    assert (tmp_path / "file").read_bytes() == b""

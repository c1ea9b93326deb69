"""What has a folder's name is the whole older one or the whole new one, whatever happens; and nothing else goes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from align.errors import InputError
from align.files import folders
from align.files.folders import check_replaceable, whole_folder, writing


def write(path, content, kind="encoder"):
    with whole_folder(path, kind=kind) as folder:
        (folder / "inner").mkdir()
        for name in (content, "same", f"inner/{content}"):
            (folder / name).write_text(content)


def content(path):
    """Names and texts of a folder's files, without what Align notes of them."""
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.name != folders.MARK]
    return {file.relative_to(path).as_posix(): file.read_text() for file in files}


def names(path):
    return sorted(each.name for each in path.iterdir())


def whole(text):
    return {f"inner/{text}": text, "same": text, text: text}


@pytest.fixture(params=["exchange", "two renames"])
def system(request, monkeypatch):
    """With and without a system call that exchanges names."""
    if request.param == "two renames":
        monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    return request.param


def test_a_folder_is_replaced_and_nothing_else_is_left(tmp_path, system):
    for text in ("one", "two"):
        write(tmp_path / "new" / "f", text)
        assert content(tmp_path / "new" / "f") == whole(text)
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "new" / "f", kind="encoder") as folder:
        (folder / "three").write_text("half")
        raise RuntimeError
    assert content(tmp_path / "new" / "f") == whole("two")
    assert names(tmp_path / "new") == ["f"]


def test_names_are_exchanged_in_one_step(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if folders._exchanged(tmp_path / "a", tmp_path / "b"):  # not on every system
        assert [names(tmp_path / name) for name in ("a", "b")] == [["b"], ["a"]]
        with pytest.raises(FileNotFoundError):
            folders._exchanged(tmp_path / "a", tmp_path / "c")


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "f").mkdir()
    write(tmp_path / "f", "one")
    assert content(tmp_path / "f") == whole("one")


def thesis(path):
    path.mkdir()
    (path / "thesis.tex").write_text("years of work")


def beside_ours(path):
    write(path, "one")
    (path / "inner" / "thesis.tex").write_text("years of work")


def linked(path):
    thesis(path.with_name("elsewhere"))
    write(path, "one")
    (path / "thesis.tex").symlink_to(path.with_name("elsewhere"))


def damaged_mark(path):
    write(path, "one")
    (path / folders.MARK).write_text("[1]")


def symlink(path):
    write(path.with_name("elsewhere"), "one")
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    "make, message",
    [
        (thesis, "out holds thesis.tex, which is not of an encoder that Align wrote: give another folder"),
        (beside_ours, "out holds inner/thesis.tex, which is not of an encoder"),
        (linked, "out holds thesis.tex, which is not of an encoder"),
        (damaged_mark, f"out holds {folders.MARK}, which is not of an encoder"),
        (lambda path: write(path, "one", "index"), "out holds one of an index, not of an encoder that Align wrote"),
        (lambda path: path.write_text("years"), "out is a file; expected a folder to write to"),
        (symlink, "out is a symlink; expected a folder to write to"),
        (lambda path: path.symlink_to("nowhere"), "out is a symlink; expected a folder to write to"),
    ],
)
def test_what_align_did_not_write_is_refused_before_the_work_and_stays(tmp_path, make, message):
    make(tmp_path / "out")
    before = sorted(tmp_path.rglob("*")), content(tmp_path)
    for start in (check_replaceable, lambda *_: write(tmp_path / "out", "two")):
        with pytest.raises(InputError, match=message):
            start(tmp_path / "out", "encoder")
    with pytest.raises(InputError, match=message), writing(tmp_path / "out", kind="encoder"):
        raise AssertionError("work was begun")
    assert (sorted(tmp_path.rglob("*")), content(tmp_path)) == before


def test_what_comes_during_the_work_is_not_replaced(tmp_path):
    for name in ("new", "older"):
        if name == "older":
            write(tmp_path / name, "one")
        with pytest.raises(InputError, match="holds thesis.tex"), whole_folder(tmp_path / name, kind="encoder"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "thesis.tex").touch()
        assert (tmp_path / name / "thesis.tex").exists()
    assert names(tmp_path) == ["new", "older"]


def test_places_without_a_name(tmp_path, monkeypatch):
    (tmp_path / "f" / "g").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "f")
    with pytest.raises(InputError, match="is no folder to write to"):
        check_replaceable(Path("/"), "encoder")
    monkeypatch.chdir(tmp_path / "f" / "g")
    write(Path(), "one")
    assert content(tmp_path / "f" / "g") == whole("one")


def test_where_a_file_system_is_mounted(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path)
    with pytest.raises(InputError, match="is where a file system is mounted"):
        check_replaceable(tmp_path, "encoder")


KILLED = """
import json, os, sys
from itertools import count
from pathlib import Path
from align.files import folders

os.fsync = lambda handle: None  # slow, and nothing to a process that is killed
CALLS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.scandir", "shutil.rmtree"}

def write(path, text):
    with folders.whole_folder(path, kind="encoder") as folder:
        for name in (text, "same"):
            (folder / name).write_text(text)

def killed(path, step):
    def kill(event, _):
        nonlocal step
        if event in CALLS:
            step -= 1
            if step < 0:
                os._exit(9)  # before the call

    process = os.fork()
    if not process:
        sys.addaudithook(kill)
        write(path, "two")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

def found(path):
    ours = path.is_dir() and sorted(file for file in path.iterdir() if file.name != folders.MARK)
    return {file.name: file.read_text() for file in ours} if ours else None

if sys.argv[1] != "exchange":
    folders._exchanged = lambda one, other: False
for step in count():
    path = Path(str(step)) / "f"
    if sys.argv[2] == "older":
        write(path, "one")
    code = killed(path, step)
    at_once = found(path)
    with folders.writing(path, kind="encoder"):
        pass
    left = sorted(each.name for each in path.parent.iterdir()) if path.parent.exists() else []
    print(json.dumps([code, at_once, found(path), left]))
    if not code:
        break
"""


@pytest.mark.parametrize("older", ["older", "nothing"])
@pytest.mark.parametrize("way", ["exchange", "two renames"])
def test_killed_at_any_step_nothing_is_lost(tmp_path, way, older):
    """A process is killed before its first, second, ... system call; what is there then, and after the next start."""
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, way, older], cwd=tmp_path, capture_output=True, text=True, check=True
    )  # fmt: skip
    runs = [json.loads(line) for line in ran.stdout.splitlines()]
    one = {"one": "one", "same": "one"} if older == "older" else None
    two = {"two": "two", "same": "two"}
    assert len(runs) > 15 and [code for code, *_ in runs] == [9] * (len(runs) - 1) + [0]
    after = [later for _, _, later, _ in runs]
    assert after == [one] * after.count(one) + [two] * after.count(two) and one in after and after.count(two) > 2
    for _, at_once, later, left in runs:
        assert at_once == later or (way == "two renames" and at_once is None)
        assert left == (["f"] if later else [])
    if way == "two renames" and one:
        assert "f was being replaced when a process was killed: the new one is there" in ran.stderr


def test_what_was_made_anew_after_a_kill_is_not_lost_either(tmp_path):
    """Killed between two renames, and somebody else has made a folder of that name since."""
    for name in ("old", "new"):
        write(tmp_path / name, name)
        (tmp_path / name).rename(tmp_path / f".f.{name}")
    thesis(tmp_path / "f")
    with pytest.raises(InputError, match="has been made anew since: the older one is .*.f.old, the newer one .*.f.new"):
        write(tmp_path / "f", "two")
    assert [content(tmp_path / f".f.{name}") for name in ("old", "new")] == [whole("old"), whole("new")]
    assert content(tmp_path / "f") == {"thesis.tex": "years of work"}


def test_a_rename_that_fails_leaves_the_older_one(tmp_path, monkeypatch):
    write(tmp_path / "f", "one")
    monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda path, to: broken() if path.name == ".f.new" else rename(path, to))

    def broken():
        raise OSError(errno.ENOTEMPTY if (tmp_path / "f").exists() else errno.EIO, "broken")

    with pytest.raises(InputError, match="f was not written: broken"):
        write(tmp_path / "f", "two")
    assert content(tmp_path / "f") == whole("one") and names(tmp_path) == ["f"]


def test_everything_is_on_the_disk_before_names_change(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(folders, "flush", lambda path: flushed.append((path.name, (tmp_path / "f").exists())))
    write(tmp_path / "f", "one")
    before = {name for name, there in flushed if not there}
    assert before == {"one", "same", "inner", ".f.new"} and flushed[-1] == (tmp_path.name, True)

"""What ``align cache`` shows and clears, and what it leaves."""

from __future__ import annotations

import json
import os
import time

import pytest

import align as package
from align.errors import InputError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    outside = tmp_path / "outside"
    outside.write_bytes(b"x" * 50)
    for name, size in (("stores/old/ids", 1200), ("stores/new/ids", 34), ("results/a.json", 5)):
        path = tmp_path / "align" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    (tmp_path / "align" / "stores" / "link").symlink_to(outside)
    before = time.time() - 10 * 86_400
    for path in (tmp_path / "align" / "stores" / "old" / "ids", tmp_path / "align" / "stores" / "old"):
        os.utime(path, (before, before))
    return tmp_path / "align"


def test_what_is_there_is_shown_and_stays(home, align):
    found = json.loads(align("cache", "--json").out)
    assert [(one["name"], one["bytes"], one["files"]) for one in found] == [
        ("results", 5, 1),
        ("stores", 1234, 2),
    ]
    assert "1.2 kB" in align("cache", "stores").out and (home / "stores" / "old" / "ids").exists()


def test_only_what_was_written_long_ago_goes(home):
    (removed,) = package.cache(["stores"], clear=True, days=5)
    assert (removed.bytes, removed.files) == (1200, 1)
    assert sorted(path.name for path in (home / "stores").iterdir()) == ["link", "new"]
    assert package.cache(["stores"], clear=True, days=5)[0].files == 0


def test_all_goes_but_nothing_outside(home, align):
    assert "removed" in align("cache", "--clear").out
    assert not [path for path in home.rglob("*") if not path.is_dir()]
    assert (home.parent / "outside").read_bytes() == b"x" * 50
    assert [one.bytes for one in package.cache()] == [0, 0]


def test_a_cache_that_is_not_there(home, align, tmp_path, monkeypatch):
    assert (
        "unknown cache 'store': expected one of results, stores; did you mean stores?"
        in align("cache", "store", code=2).err
    )
    with pytest.raises(InputError, match="days must be at least 0"):
        package.cache(days=-1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    assert package.cache() == [] and "nothing is kept" in align("cache").out

from __future__ import annotations

import errno
import gzip
from functools import partial

import pytest

from align.errors import InputError
from align.files.folders import whole_folder
from align.files.whole import existing_file, read_json, read_lines, sha256, whole_file, write_json


def test_whole_file_appears_only_on_success(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list((tmp_path / "new").iterdir()) == []
    with whole_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list((tmp_path / "new").iterdir()) == [path]


def test_whole_file_keeps_the_old_one_on_failure(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path):
        raise RuntimeError
    assert path.read_text() == "old"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    for whole in (whole_file, partial(whole_folder, kind="encoder")):
        with (
            pytest.raises(InputError, match=r"out was not written: no space left on the disk"),
            whole(tmp_path / "out"),
        ):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_is_due(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="was not written: "), whole_file(tmp_path / "f" / "g"):
        pass


def test_lines_end_at_newlines_only(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\u2028still one\r\n\ntwo\u0085\x0b\nlast".encode())
    assert list(read_lines(path)) == ["one\u2028still one", "", "two\u0085\x0b", "last"]
    zipped = tmp_path / "a.txt.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_lines(zipped)) == list(read_lines(path))


def test_messages_of_unreadable_text(tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"fine\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"bad.txt, line 2: invalid UTF-8 \(its encoding is none that"):
        list(read_lines(tmp_path / "bad.txt"))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"a line\n" * 999)[:-20])
    body = bytearray(gzip.compress(b"a line\n" * 999))
    body[12:18] = b"\xff" * 6
    (tmp_path / "bad.gz").write_bytes(bytes(body))
    with pytest.raises(InputError, match=r"bad.gz is not a complete gzip file: Error -3"):
        list(read_lines(tmp_path / "bad.gz"))
    with pytest.raises(InputError, match="cut.gz is not a complete gzip file"):
        list(read_lines(tmp_path / "cut.gz"))
    with pytest.raises(InputError, match="no such file: .*missing"):
        existing_file(tmp_path / "missing")
    with pytest.raises(InputError, match="is a folder; expected a file"):
        existing_file(tmp_path)


def test_json_round_trip_and_damage(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "ä"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "a": "ä",\n  "b": 1\n}\n'
    assert read_json(tmp_path / "a.json") == {"a": "ä", "b": 1}
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="a.json is not valid JSON"):
        read_json(tmp_path / "a.json")


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "abc").write_text("abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

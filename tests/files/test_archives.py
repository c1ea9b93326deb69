"""Text is read where it lies in a zip or tar archive."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pyarrow as pa
import pytest

from align.errors import InputError
from align.files.archives import file_at, files_in, is_folder, is_there, on_disk
from align.files.packed import plain_name
from align.files.whole import existing_file, read_lines, sha256


def archive(path, files):
    """An archive of these files, of the kind that its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as made:
            for name, data in files.items():
                made.writestr(name, data)
        return path
    packed = {"gz": "w:gz", "xz": "w:xz", "bz2": "w:bz2", "tgz": "w:gz"}.get(path.name.rpartition(".")[2], "w")
    with tarfile.open(path, packed) as made:
        for name, data in files.items():
            about = tarfile.TarInfo(f"./{name}")
            about.size = len(data)
            made.addfile(about, io.BytesIO(data))
    if path.suffix == ".zst":
        data = path.read_bytes()
        with pa.output_stream(str(path), compression="zstd") as file:
            file.write(data)
    return path


ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")
LINES = b"eins\nzwei\n"


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_only_file_is_read(tmp_path, ending):
    path = archive(tmp_path / f"a{ending}", {"README": b"about", "x/deu_Latn.txt": LINES, "__MACOSX/._x": b"\0"})
    assert list(read_lines(path)) == ["eins", "zwei"]
    assert existing_file(path) == path / "x" / "deu_Latn.txt"
    assert plain_name(path) == "deu_Latn.txt"
    assert on_disk(existing_file(path)) == path
    assert not is_folder(path)
    assert [file.name for file in files_in(path)] == ["README", "deu_Latn.txt"]
    (tmp_path / "deu_Latn.txt").write_bytes(LINES)
    assert sha256(existing_file(path)) == sha256(tmp_path / "deu_Latn.txt")


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_of_several_is_named(tmp_path, ending):
    path = archive(tmp_path / f"a{ending}", {"a.de.gz": gzip.compress(LINES), "b/a.en": b"one\ntwo\n"})
    assert list(read_lines(path / "a.de.gz")) == ["eins", "zwei"]
    assert list(read_lines(f"{path}:b/a.en")) == ["one", "two"]
    assert is_folder(path) and is_folder(path / "b") and not is_folder(path / "a.de.gz")
    assert is_there(path / "b" / "a.en") and not is_there(path / "c")
    with pytest.raises(InputError, match=rf"a{ending} is an archive of several files; .* such as .*a.de.gz; there"):
        list(read_lines(path))
    with pytest.raises(InputError, match=r"holds no 'a.dee.gz': there are a.de.gz, b/a.en; did you mean a.de.gz\?"):
        list(read_lines(path / "a.dee.gz"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_archive(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"PK")
    with pytest.raises(InputError, match=rf"a{ending} is not a complete archive"):
        existing_file(path)
    whole = archive(tmp_path / f"b{ending}", {"a.txt": LINES * 9999}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"a{ending} is not a complete archive"):
        list(read_lines(path))


def test_other_archives(tmp_path):
    with pytest.raises(InputError, match="empty.zip is an archive without a file in it"):
        existing_file(archive(tmp_path / "empty.zip", {".hidden": b"x"}))
    with pytest.raises(InputError, match="a.zip/b.zip is an archive in an archive"):
        existing_file(archive(tmp_path / "a.zip", {"b.zip": b"PK"}))
    with pytest.raises(InputError, match="no such file: .*none.zip"):
        existing_file(tmp_path / "none.zip")
    folder = tmp_path / "folder.zip"
    folder.mkdir()
    (folder / "a.txt").write_bytes(LINES)
    assert list(read_lines(folder / "a.txt")) == ["eins", "zwei"] and is_folder(folder)
    (tmp_path / "c.zip:d").write_bytes(LINES)
    assert file_at(tmp_path / "c.zip:d") == tmp_path / "c.zip:d"


def test_nothing_outside_is_read(tmp_path):
    (tmp_path / "secret").write_bytes(b"mine")
    with tarfile.open(tmp_path / "a.tar", "w") as made:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        made.addfile(link)
        data = b"theirs"
        about = tarfile.TarInfo("../../secret")
        about.size = len(data)
        made.addfile(about, io.BytesIO(data))
    with pytest.raises(InputError, match="a.tar is an archive without a file in it"):
        existing_file(tmp_path / "a.tar")
    assert not is_there(tmp_path / "a.tar" / "link.txt")


def test_an_encrypted_one_is_named(tmp_path):
    path = archive(tmp_path / "a.zip", {"a.txt": b"x"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag of the file, here and in the list at the end
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="a.zip is encrypted: unpack it and give what is in it"):
        list(read_lines(path))

from __future__ import annotations

import pytest

from align.errors import InputError
from align.transfer.evidence import Evidence, read_sizes, read_texts


def test_texts_of_folders_and_files(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("hin_Deva.txt", "eng_Latn.txt", "README.txt", "deu_Latn.tsv", "eng_Latn.txt.md"):
        (folder / name).write_text(f"{name}\n\nb\n")
    (tmp_path / "other.txt").write_text("x")
    (tmp_path / "rus_Cyrl.txt").write_text("y")
    found = read_texts([folder, f"tam_Taml={tmp_path / 'other.txt'}", tmp_path / "rus_Cyrl.txt"])
    assert found == {
        "eng_Latn": ["eng_Latn.txt", "", "b"], "hin_Deva": ["hin_Deva.txt", "", "b"], "tam_Taml": ["x"],
        "rus_Cyrl": ["y"],
    }  # fmt: skip
    with pytest.raises(InputError, match=r"two texts of hin_Deva: .*hin_Deva.txt and .*other.txt"):
        read_texts([folder, f"hin_Deva={tmp_path / 'other.txt'}"])
    with pytest.raises(InputError, match="unknown language code 'other'"):
        read_texts([tmp_path / "other.txt"])
    with pytest.raises(InputError, match="no such file"):
        read_texts(["tam_Taml=none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: expected texts named by their language, such as hin_Deva.txt"):
        read_texts([tmp_path / "empty"])


def test_parallel_texts_are_of_equal_length():
    texts = {"eng_Latn": ["a", "b"], "hin_Deva": ["c"]}
    Evidence(texts)
    with pytest.raises(InputError, match="equal numbers of lines: hin_Deva has 1, eng_Latn has 2"):
        Evidence(texts, parallel=True)


def test_sizes(tmp_path):
    path = tmp_path / "sizes.tsv"
    path.write_text("language\tsize\nhin_Deva\t1.7\neng_Latn\t55608\n")
    assert read_sizes(path) == {"hin_Deva": 1.7, "eng_Latn": 55608}
    for bad, sentence in (
        ("hin_Deva\t0", "line 2: expected a size above 0, got '0'"),
        ("hin_Deva\tmuch", "line 2: expected a size above 0, got 'much'"),
        ("hindi\t3", "unknown language code 'hindi'"),
        ("hin_Deva\t3\nhin_Deva\t3", "line 3: a second size of hin_Deva"),
    ):
        path.write_text(f"language\tsize\n{bad}\n")
        with pytest.raises(InputError, match=sentence):
            read_sizes(path)

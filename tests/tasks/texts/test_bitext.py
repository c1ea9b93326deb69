from __future__ import annotations

import gzip
import os
import sys
import types
from pathlib import Path

import pytest

from align.errors import InputError
from align.tasks.texts.bitext import read_aligned, read_columns, read_files, read_hub, read_sets


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def flores(tmp_path: Path) -> Path:
    with gzip.open(tmp_path / "hin_Deva.txt.gz", "wt", encoding="utf-8") as file:
        file.write("एक\nदो\n")
    return write(
        tmp_path, {"eng_Latn.txt": "one\ntwo\n", "deu_Latn.txt": "eins\r\n\r\n", "index.tsv": "x", "README.txt": ""}
    )


def test_a_folder_of_languages(flores: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    expected = {"deu_Latn": ["eins", ""], "eng_Latn": ["one", "two"], "hin_Deva": ["एक", "दो"]}
    assert read_aligned(flores) == expected
    assert "2 entries are not named by a language code: README.txt, index.tsv" in caplog.text
    chosen = read_aligned(str(flores), languages=["hin_Deva", "deu_Latn"])
    assert list(chosen.items()) == [("hin_Deva", ["एक", "दो"]), ("deu_Latn", ["eins", ""])]


def test_files_by_language(flores: Path) -> None:
    files = {"deu_Latn": flores / "deu_Latn.txt", "eng_Latn": flores / "eng_Latn.txt"}
    assert read_aligned(files) == read_files(files) == {"deu_Latn": ["eins", ""], "eng_Latn": ["one", "two"]}
    assert read_aligned(files, languages=["eng_Latn"]) == {"eng_Latn": ["one", "two"]}


@pytest.fixture
def tatoeba(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "tatoeba.hin-eng.hin": "हाँ\nनहीं OK\n",
            "tatoeba.hin-eng.eng": "yes\nno\n",
            "tatoeba.jpn-eng.jpn": "はい、そうです\n",
            "tatoeba.jpn-eng.eng": "yes, it is\n",
            "tatoeba.ber-eng.ber": "ih\n",
            "tatoeba.ber-eng.eng": "yes\n",
        },
    )


def test_tatoeba_is_one_set_for_each_language(tatoeba: Path) -> None:
    assert list(read_sets(tatoeba)) == [
        {"ber_Latn": ["ih"], "eng_Latn": ["yes"]},
        {"hin_Deva": ["हाँ", "नहीं OK"], "eng_Latn": ["yes", "no"]},
        {"jpn_Jpan": ["はい、そうです"], "eng_Latn": ["yes, it is"]},
    ]
    hindi = {"hin_Deva": ["हाँ", "नहीं OK"], "eng_Latn": ["yes", "no"]}
    for asked in (["hin"], ["hin_Deva"], ["eng_Latn", "hin_Deva"]):
        assert read_aligned(tatoeba, languages=asked) == hindi
    assert [next(iter(texts)) for texts in read_sets(tatoeba, languages=["jpn", "ber_Latn"])] == [
        "jpn_Jpan",
        "ber_Latn",
    ]
    with pytest.raises(InputError, match="holds several sets, each aligned for itself: name one language"):
        read_aligned(tatoeba)
    with pytest.raises(InputError, match="mostly in the script of hin_Deva; hin_Latn was asked for"):
        read_aligned(tatoeba, languages=["hin_Latn"])
    with pytest.raises(InputError, match="no text in tam; available: ber, hin, jpn"):
        read_aligned(tatoeba, languages=["tam_Taml"])
    (tatoeba / "tatoeba.ber-eng.eng").unlink()
    with pytest.raises(InputError, match=r"no such file: .*tatoeba.ber-eng.eng"):
        read_aligned(tatoeba, languages=["ber"])


def test_columns(tmp_path: Path) -> None:
    codes = ["hin_Deva", "hin_Latn"]
    expected = {"hin_Deva": ["एक", "दो"], "hin_Latn": ["ek", ""]}
    write(tmp_path, {"a.tsv": "native\troman\nएक\tek\nदो\t\n", "b.tsv": "एक\tek\nदो\t\n"})
    assert read_aligned(tmp_path / "a.tsv", languages=codes) == expected
    assert read_aligned(tmp_path / "b.tsv", languages=codes) == expected
    write(tmp_path, {"c.tsv": "hin_Latn\teng_Latn\thin_Deva\nek\tone\tएक\n"})
    assert read_columns(tmp_path / "c.tsv") == {"hin_Latn": ["ek"], "eng_Latn": ["one"], "hin_Deva": ["एक"]}
    assert read_columns(tmp_path / "c.tsv", codes) == {"hin_Deva": ["एक"], "hin_Latn": ["ek"]}


@pytest.mark.parametrize(
    ("text", "languages", "message"),
    [
        ("a\tb\n", None, "has no header of language codes: expected the codes of its two columns"),
        ("", None, "has no header of language codes"),
        ("a\tb\n", ["deu_Latn"], "expected the codes of its two columns"),
        ("a\tb\n", ["deu_Latn", "deu_Latn"], "a language code stands twice in deu_Latn, deu_Latn"),
        ("a\n", ["deu_Latn", "eng_Latn"], r"x.tsv, line 1: 1 columns, expected 2 \(deu_Latn, eng_Latn\)"),
        ("deu_Latn\teng_Latn\nc\td\te\n", None, "line 2: 3 columns, expected 2"),
        ("native\troman\n", ["deu_Latn", "eng_Latn"], "x.tsv: deu_Latn has no lines"),
        ("deu_Latn\teng_Latn\na\tb\n", ["fra_Latn"], "no text in fra_Latn; available: deu_Latn, eng_Latn"),
        ("deu_Latn\tqqq_Latn\na\tb\n", None, ""),
    ],
)
def test_bad_columns(tmp_path: Path, text: str, languages: list[str] | None, message: str) -> None:
    write(tmp_path, {"x.tsv": text})
    if not message:
        assert read_columns(tmp_path / "x.tsv", languages)  # qaa to qtz are for private use
        return
    with pytest.raises(InputError, match=message):
        read_aligned(tmp_path / "x.tsv", languages=languages)


@pytest.mark.parametrize("ending", [".tsv", ".csv"])
@pytest.mark.parametrize("head", [["eng_Latn", "deu_Latn"], ["EN", "de"], ["Source", "Target"], ["eng", "deu"]])
def test_headers_quotes_and_blank_lines(tmp_path: Path, ending: str, head: list[str]) -> None:
    between = "\t" if ending == ".tsv" else ","
    rows = [head, ['"one ""1"""', "eins"], ["", " "], ["two", "zwei"], ["", ""]]
    path = tmp_path / f"x{ending}"
    path.write_text("".join(between.join(row) + "\r\n" for row in rows), encoding="utf-16", newline="")
    assert read_columns(path, ["eng_Latn", "deu_Latn"]) == {
        "eng_Latn": ['one "1"', "two"],
        "deu_Latn": ["eins", "zwei"],
    }


def test_tags_alone_name_the_columns(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("de\ten\nein Haus\ta house\n")
    assert read_columns(tmp_path / "x.tsv") == {"deu_Latn": ["ein Haus"], "eng_Latn": ["a house"]}


def test_a_bad_line_is_blank_and_the_others_stay_aligned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.tsv"
    path.write_bytes(b"deu_Latn\teng_Latn\na\tb\nc\td\te\nf\t\xff\ng\th\n")
    assert read_columns(path) == {"deu_Latn": ["a", "", "", "g"], "eng_Latn": ["b", "", "", "h"]}
    assert f"2 lines are left out: {path}, line 3: 3 columns, expected 2" in caplog.text
    (tmp_path / "tatoeba.deu-eng.deu").write_bytes(b"eins\nzw\xe4i\ndrei\n")
    (tmp_path / "tatoeba.deu-eng.eng").write_bytes(b"one\ntwo\n\xff\n")
    assert read_aligned(tmp_path) == {"deu_Latn": ["eins", "", "drei"], "eng_Latn": ["one", "two", ""]}
    assert "tatoeba.deu-eng.deu: 1 of its lines are invalid UTF-8" in caplog.text


@pytest.mark.parametrize(
    ("head", "row"), [("id\teng_Latn\tdeu_Latn", "1\ta\tb"), ("\ten\tde", "0\ta\tb"), ("EN\tDE", "a\tb")]
)
def test_an_id_and_an_index_are_no_language(tmp_path: Path, head: str, row: str) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(f"{head}\n{row}\n")
    assert read_columns(path) == {"eng_Latn": ["a"], "deu_Latn": ["b"]}


def test_bad_folders(flores: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text in fra_Latn; available: deu_Latn, eng_Latn, hin_Deva"):
        read_aligned(flores, languages=["fra_Latn"])
    write(flores, {"fra_Latn.txt": "un\n"})
    with pytest.raises(InputError, match="deu_Latn has 2 lines, fra_Latn has 1: line-aligned texts were expected"):
        read_aligned(flores)
    write(flores, {"fra_Latn.txt": "un\ndeux\n", "hin_Deva.txt": "एक\nदो\n"})
    with pytest.raises(InputError, match=r"holds hin_Deva twice: hin_Deva.txt and hin_Deva.txt.gz"):
        read_aligned(flores)
    (flores / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty has no known layout: expected <lang_Script>.txt"):
        read_aligned(flores / "empty")
    write(flores / "empty", {"xyx_Latn.txt": "a"})
    with pytest.raises(InputError, match="unknown language code 'xyx_Latn'"):
        read_aligned(flores / "empty")


@pytest.mark.parametrize("source", ["nowhere", "a/b/c", "text.doc", "/nowhere/at-all"])
def test_unknown_sources(source: str) -> None:
    with pytest.raises(InputError, match=r"is no folder, .tsv file or data set on the Hub"):
        read_aligned(source)


class Split(dict):
    column_names = property(lambda self: list(self))


def fake_datasets(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    def load_dataset(name: str, revision: str | None = None) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)


@pytest.mark.parametrize("prefix", ["", "sentence_"])
def test_hub(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    rows = Split({"id": [1, 2], f"{prefix}deu_Latn": ["eins", "zwei"], f"{prefix}eng_Latn": ["one", "two"]})
    fake_datasets(monkeypatch, {"dev": Split(), "devtest": rows})
    assert read_aligned("mteb/FloresBitextMining") == {"deu_Latn": ["eins", "zwei"], "eng_Latn": ["one", "two"]}
    assert read_hub("mteb/FloresBitextMining", ["eng_Latn"]) == {"eng_Latn": ["one", "two"]}
    fake_datasets(monkeypatch, {"train": rows})
    assert list(read_hub("a/b")) == ["deu_Latn", "eng_Latn"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            ConnectionError("no network\nat all"),
            r"data set a/b could not be .* its cache \(without a network, give a folder\): no network$",
        ),
        ({"train": Split(), "dev": Split()}, "has the splits train, dev: expected devtest or test"),
        ({"test": Split({"text": ["a"]})}, "no column named by a language code: text"),
        ({"test": Split({"deu_Latn": []})}, "a/b: deu_Latn has no lines"),
    ],
)
def test_bad_hub_data(monkeypatch: pytest.MonkeyPatch, answer: object, message: str) -> None:
    fake_datasets(monkeypatch, answer)
    with pytest.raises(InputError, match=message):
        read_aligned("a/b")


DATA = Path(os.environ.get("ALIGN_DATA", "/nonexistent"))


@pytest.mark.skipif(not DATA.is_dir(), reason="ALIGN_DATA does not name the data folder")
def test_real_data() -> None:
    sib = read_aligned(DATA / "sib200", languages=["ace_Arab", "eng_Latn"])
    assert [len(lines) for lines in sib.values()] == [1004, 1004]
    assert list(read_aligned(DATA / "tatoeba", languages=["jpn"])) == ["jpn_Jpan", "eng_Latn"]
    hindi = read_aligned(DATA / "dakshina/sentences/hi.dev.tsv", languages=["hin_Deva", "hin_Latn"])
    assert [len(lines) for lines in hindi.values()] == [2000, 2000]
    assert hindi["hin_Latn"][1] == "vilupti ki kagaar par gunkaari tikhur"

"""Every command that writes a folder: what it did not write itself stays, and is named before any work."""

from __future__ import annotations

import pytest
from held import another_process
from toy import words

from align.vectors.writing import save_vectors


@pytest.fixture
def inputs(tmp_path):
    """What the commands read."""
    (tmp_path / "text").mkdir()
    for code, seed in (("eng_Latn", 0), ("ell_Grek", 1)):
        (tmp_path / "text" / f"{code}.txt").write_text("\n".join(words(20, seed=seed)) + "\n")
    table = "".join(f"{word}\t{word}x\tell_Grek\teng_Latn\n" for word in words(8, seed=2))
    (tmp_path / "pairs.tsv").write_text("source\ttarget\tsource_lang\ttarget_lang\n" + table)
    (tmp_path / "a.vec").write_text("2 2\na 1 0\nb 0 1\n")
    save_vectors(tmp_path / "vectors", ["a", "b"], [[1.0, 0], [0, 1]], texts=["a", "b"], encoder={})


COMMANDS = {
    "train": "train translico --pairs missing.tsv --model missing --out OUT",
    "pairs transliteration": "pairs transliteration text --out OUT",
    "pairs translation": "pairs translation text --out OUT",
    "index": "index vectors --out OUT",
    "export": "export vectors npy OUT",
    "demo": "demo --out OUT --steps 1",
    "map": "map a.vec a.vec --method identical --out OUT",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_there_stays(align, inputs, tmp_path, name):
    (tmp_path / "out" / "chapters").mkdir(parents=True)
    (tmp_path / "out" / "chapters" / "thesis.tex").write_text("years of work")
    before = sorted(tmp_path.rglob("*"))
    printed = align(*COMMANDS[name].replace("OUT", "out").split(), code=2)
    assert "align: out holds chapters/thesis.tex, which is not of " in printed.err
    (tmp_path / "link").symlink_to("out")
    assert (
        "align: link is a symlink; expected a folder"
        in align(*COMMANDS[name].replace("OUT", "link").split(), code=2).err
    )
    (tmp_path / "link").unlink()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_writer_is_refused(align, inputs, tmp_path, name):
    with another_process(tmp_path / "out") as process:
        printed = align(*COMMANDS[name].replace("OUT", "out").split(), code=2)
        assert f"align: out is being written by process {process.pid} (align train)" in printed.err


def test_only_its_own_kind_is_replaced(align, inputs, tmp_path):
    for _ in range(2):
        align("index", "vectors", "--out", "out")
    before = sorted(tmp_path.rglob("*"))
    printed = align("export", "vectors", "npy", "out", code=2)
    assert "align: out holds manifest.json of an index, not of an export that Align wrote" in printed.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_result_has_one_writer(align, tmp_path):
    words = ["eval", "seed", str(tmp_path / "text"), "--out", "results"]
    (tmp_path / "text").mkdir()
    for code in ("eng_Latn", "deu_Latn"):
        (tmp_path / "text" / f"{code}.txt").write_text("one\ntwo\n")
    with another_process(tmp_path / "results" / "seed.text") as process:
        printed = align(*words, code=2)
        assert f"seed.text is being written by process {process.pid} (align train)" in printed.err
        align(*words, "--name", "other")  # several models may be scored at the same time
    align(*words)
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert [name.partition(".")[0] for name in names] == ["other", "seed"]

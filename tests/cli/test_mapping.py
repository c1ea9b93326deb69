from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from rotated import pairs_of_gold, rotated

import align
from align import cli
from align.errors import InputError
from align.files.whole import sha256
from align.mapping import METHODS
from align.mapping.methods import fit_map
from align.vectors.static import StaticVectors, read_vectors, write_vectors

N = 200


@pytest.fixture
def data(tmp_path):
    """Two files of vectors, a dictionary of 90 covered pairs and one that is not, and the target row of each word."""
    x, y, gold = rotated(N, 10)
    target = np.array([f"t{i}" for i in range(N)], dtype=object)
    target[gold[:N:4]] = [f"s{i}" for i in range(0, N, 4)]  # every fourth word is spelt alike
    write_vectors(StaticVectors(tuple(f"s{i}" for i in range(N)), x), tmp_path / "a.vec")
    write_vectors(StaticVectors(tuple(target), y), tmp_path / "b.vec")
    lines = [f"s{i}\t{target[j]}" for i, j in pairs_of_gold(gold, 90)] + ["of\tvon"]
    (tmp_path / "a-b.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path, gold


@pytest.fixture
def run(monkeypatch, capsys, data):
    """Call the command in the folder of ``data``, and give what it prints."""

    def call(*words, code=0):
        monkeypatch.chdir(data[0])
        monkeypatch.setattr(sys, "argv", ["align", "-q", "map", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert (ended.value.code or 0) == code
        return capsys.readouterr()

    return call


def found(folder, gold):
    left, right = (read_vectors(folder / f"{side}.vec").vectors for side in ("source", "target"))
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right)]
    return ((units[0] @ units[1].T).argmax(axis=1) == gold).mean()


def test_the_command_maps_two_files(data, run):
    folder, gold = data
    shown = json.loads(run("a.vec", "b.vec", "--dictionary", "a-b.txt", "--out", "mapped").out)
    assert shown["dictionary"] == {
        "lines": 91, "set_aside": 0, "repeated": 0, "pairs": 90, "uncovered_pairs": 1, "lowered_pairs": 0,
        "source_words": 91,
        "covered_source_words": 90, "coverage": 0.989,
    }  # fmt: skip
    assert shown["method"] == "procrustes" and shown["objective"]["last"] > 0.99
    out = folder / "mapped"
    assert sorted(path.name for path in out.iterdir()) == [
        ".align-folder.json", "manifest.json", "map.npy", "source.vec", "target.vec", "uncovered.tsv",
    ]  # fmt: skip
    assert found(out, gold) == 1
    assert (out / "uncovered.tsv").read_text() == "of\tvon\n"
    w, given = np.load(out / "map.npy"), read_vectors(folder / "a.vec").vectors
    mapped = given / np.linalg.norm(given, axis=1, keepdims=True) @ w
    assert read_vectors(out / "source.vec").vectors == pytest.approx(mapped, abs=1e-5)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["sha256"] == {n: sha256(out / n) for n in ("map.npy", "source.vec", "target.vec", "uncovered.tsv")}
    assert manifest["inputs"]["dictionary"] == {"file": "a-b.txt", "sha256": sha256(folder / "a-b.txt")}
    assert manifest["settings"]["method"] == "procrustes" and manifest["normalization"] == ["unit"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.vec", "b.vec", "-d", "none.txt"], "no such file: none.txt"),
        (["a.vec", "b.vec"], "method procrustes needs a dictionary"),
        (["a.vec", "b.vec", "-d", "a-b.txt", "--method", "identical"], "method identical takes no dictionary"),
        (["a.vec", "wide.vec", "-d", "a-b.txt"], "source vectors have 10 dimensions, target vectors 2"),
        (["a.vec", "b.vec", "-d", "other.txt"], "no pair of other.txt has a vector on both sides: 1 lines"),
        (["a.vec", "b.vec", "-d", "three.txt"], "three.txt, line 1: expected source TAB target, got 3 columns"),
        (
            ["a.vec", "nan.vec", "-d", "a-b.txt"],
            "nan.vec has no word with numbers: of its lines 1 hold NaN or infinity",
        ),
        (["a.vec", "b.vec", "--method", "identical", "--numerals"], "the vocabularies share no numeral"),
        (["a.vec", "b.vec", "-d", "a-b.txt", "--method", "magic"], "'magic' is not one of"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(data, run, words, message):
    folder, _ = data
    (folder / "wide.vec").write_text("1 2\nt0 1 2\n")
    (folder / "nan.vec").write_text("1 10\nt0" + " nan" * 10 + "\n")
    (folder / "other.txt").write_text("x\ty\n")
    (folder / "three.txt").write_text("s1\tt1\tt2\n")
    before = sorted(folder.iterdir())
    assert message in " ".join(run(*words, "--out", "mapped", code=2).err.split())
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("method", METHODS)
def test_every_method_recovers_the_rotation(data, method, monkeypatch):
    folder, gold = data
    monkeypatch.setattr("align.mapping.methods.SelfLearning", quick)
    dictionary = None if method in ("identical", "unsupervised") else folder / "a-b.txt"
    manifest = align.map(
        folder / "a.vec", folder / "b.vec", folder / "out", dictionary=dictionary, method=method, seed=1
    )
    assert found(folder / "out", gold) > (0.5 if method == "unsupervised" else 0.99)
    two_sided = method in ("vecmap", "semi", "identical", "unsupervised")
    assert (folder / "out" / "target_map.npy").exists() == (folder / "out" / "means.npy").exists() == two_sided
    assert (manifest["dictionary"] is None) == (dictionary is None)


def quick(**options):
    from align.mapping import SelfLearning

    return SelfLearning(patience=1, growth=3, **options)


def test_a_new_word_is_mapped_by_what_the_folder_holds(data):
    folder, _ = data
    align.map(
        folder / "a.vec", folder / "b.vec", folder / "out", dictionary=folder / "a-b.txt", method="vecmap", form="npy"
    )
    means, w, v = (np.load(folder / "out" / f"{name}.npy") for name in ("means", "map", "target_map"))
    for side, name, matrix in ((0, "a", w), (1, "b", v)):
        rows = read_vectors(folder / f"{name}.vec").vectors
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) - means[side, 0]
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) @ matrix
        role = ("source", "target")[side]
        assert np.load(folder / "out" / f"{role}.npy") == pytest.approx(rows, abs=1e-5)
        assert (folder / "out" / f"{role}.words.txt").read_text().splitlines() == list(
            read_vectors(folder / f"{name}.vec").words
        )
    with pytest.raises(InputError, match="unknown form 'bin': expected vec or npy"):
        align.map(folder / "a.vec", folder / "b.vec", folder / "out", dictionary=folder / "a-b.txt", form="bin")


def test_limit_and_normalisation_reach_the_map(data):
    folder, _ = data
    given = {"dictionary": folder / "a-b.txt", "limit": 50, "normalization": "center", "block": 7}
    manifest = align.map(folder / "a.vec", folder / "b.vec", folder / "out", **given)
    assert manifest["words"] == {"source": 50, "target": 50}
    assert manifest["normalization"] == ["center"]
    assert 0 < manifest["dictionary"]["pairs"] < 50


def test_an_unknown_method_is_refused():
    side = StaticVectors(("a",), np.ones((1, 2), dtype=np.float32))
    with pytest.raises(InputError, match="unknown method 'magic': expected one of procrustes, refine, rcsls, vecmap"):
        fit_map(side, side, ["a a"], method="magic")

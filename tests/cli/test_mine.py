from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from align.cli.mine import mine
from align.errors import InputError
from align.mining.mining import mine as run
from align.vectors.writing import save_vectors

HEADER = "score\tcosine\tx_id\ty_id\tx_text\ty_text"


def side(path: Path, degrees: list[float], prefix: str, encoder: str = "abc") -> Path:
    vectors = np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees])
    ids = [f"{prefix}{i}" for i in range(len(degrees))]
    save_vectors(path, ids, vectors, texts=[f"text of {name}" for name in ids], encoder={"fingerprint": encoder})
    return path


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    return side(tmp_path / "x", [0, 50, 100, 150], "x"), side(tmp_path / "y", [101, 3, 160, 52], "y")


def call(*words: object) -> str:
    app = typer.Typer()
    app.command()(mine)
    result = CliRunner().invoke(app, [str(word) for word in words], obj=False)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_pairs_of_two_folders(sides, tmp_path: Path) -> None:
    out = tmp_path / "pairs.tsv"
    shown = json.loads(call(*sides, "--out", out, "--score", "cosine", "--threshold", 0.99))
    assert shown == {**run(*sides, score="cosine", threshold=0.99).numbers, "out": str(out)}
    assert (shown["candidates"], shown["kept"]) == (4, 3)
    lines = out.read_text().splitlines()
    assert lines[0] == HEADER
    assert lines[1] == "0.999848\t0.999848\tx2\ty0\ttext of x2\ttext of y0"
    assert [line.split("\t")[2:4] for line in lines[1:]] == [["x2", "y0"], ["x1", "y3"], ["x0", "y1"]]


def test_options_reach_the_function(sides, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    (tmp_path / "gold.tsv").write_text("x0\ty1\nx1\ty3\nx3\t\n")
    words = ["--direction", "max", "-k", 2, "--score", "csls", "--engine", "faiss", "--factory", "Flat", "--probes", 1]
    words += ["--gold", tmp_path / "gold.tsv", "--block", 3, "--temporary", tmp_path / "t"]
    shown = json.loads(call(*sides, "-o", tmp_path / "pairs.tsv", *words))
    assert (tmp_path / "t").is_dir()
    wanted = run(*sides, direction="max", k=2, score="csls", engine="faiss", gold=tmp_path / "gold.tsv").numbers
    assert shown == {**wanted, "out": str(tmp_path / "pairs.tsv")}
    assert (shown["f1"], shown["judged"]) == (0.8, 3)  # csls puts the stranger x3 above a right pair


def test_another_encoder_is_refused_and_nothing_written(sides, tmp_path: Path) -> None:
    other = side(tmp_path / "other", [0], "z", encoder="xyz")
    with pytest.raises(InputError, match='x and .*other are of two encoders: fingerprint ."abc" in x, "xyz" in y'):
        call(sides[0], other, "--out", tmp_path / "pairs.tsv")
    assert not (tmp_path / "pairs.tsv").exists()

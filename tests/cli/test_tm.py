from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from align.cli.tm import tm
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.memory.translation_memory import tm as run
from align.vectors.folder import open_vectors

PAIRS = [("abc de", "one two"), ("abc fg", "one three"), ("xyz", "four")]


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    path = tmp_path / "memory.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    return path


def call(*words: object) -> str:
    app = typer.Typer()
    app.command()(tm)
    result = CliRunner().invoke(app, [str(word) for word in words], obj=False)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_of_matches_and_terms(bert_folder, memory, tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("abc\tA B C\nabc\tAbc\n")
    printed = call(bert_folder, memory, "abc  de", "--terms", tmp_path / "terms.tsv", "-k", 1)
    assert printed == "abc  de\n  100%  cosine 1.000  abc de  ->  one two\n  term  abc  ->  A B C | Abc\n"
    assert call(bert_folder, memory, "abc", "--threshold", "1") == "abc\n  nothing found\n"
    printed = call(bert_folder, memory, "abc d", "--threshold", "-1", "--min-percent", "60")
    assert [line[:15] for line in printed.splitlines()] == ["abc d", "   83%  cosine ", "   66%  cosine "]


def test_json_lines_of_queries_in_a_file(bert_folder, memory, tmp_path: Path) -> None:
    (tmp_path / "queries.txt").write_text("abc fgh\nxy\n")
    words = [bert_folder, memory, "abc", "--queries", tmp_path / "queries.txt", "--json", "--threshold", "-1"]
    lines = [json.loads(line) for line in call(*words, "--vectors", tmp_path / "v").splitlines()]
    assert [line["query"] for line in lines] == ["abc", "abc fgh", "xy"]
    wanted = run(PAIRS, ["abc", "abc fgh", "xy"], encoder=load_encoder(str(bert_folder)), threshold=-1)
    for line, found in zip(lines, wanted, strict=True):
        assert [(match["source"], match["percent"]) for match in line["matches"]] == [
            (match.source, match.percent) for match in found.matches
        ]
        assert [match["score"] for match in line["matches"]] == pytest.approx(
            [match.score for match in found.matches], abs=1e-5
        )
        assert line["matches"][0].keys() == {"source", "target", "score", "edit", "exact", "percent"}
    assert open_vectors(tmp_path / "v").rows == 3
    with pytest.raises(InputError, match="v was made by another encoder: pooling"):
        call(*words, "--vectors", tmp_path / "v", "--pooling", "cls")


def test_a_tmx_needs_its_languages(bert_folder, tmp_path: Path) -> None:
    path = tmp_path / "memory.tmx"
    path.write_text(
        '<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>abc</seg></tuv>'
        '<tuv xml:lang="de"><seg>xyz</seg></tuv></tu></body></tmx>'
    )
    assert "100%  cosine 1.000  xyz  ->  abc" in call(bert_folder, path, "xyz", "--languages", "deu_Latn-eng_Latn")
    with pytest.raises(InputError, match="name the two languages"):
        call(bert_folder, path, "abc")


def test_nothing_to_look_up(bert_folder, memory) -> None:
    with pytest.raises(InputError, match="there is nothing to look up: give texts, or --queries FILE"):
        call(bert_folder, memory)

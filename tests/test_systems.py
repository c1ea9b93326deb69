"""What docs/systems.md says of each published system runs, on small files."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path

import pages
import pytest
from transfer_rows import CODES
from transfer_rows import pairs as directions

from align.tasks import read_aligned

ROOT = Path(__file__).parent.parent
if not (ROOT / "scripts" / "document").is_dir():
    pytest.skip("only in a checkout of the source", allow_module_level=True)

SYSTEMS = tomllib.loads((ROOT / "scripts" / "document" / "systems.toml").read_text(encoding="utf-8"))["systems"]
WORDS = [("God", "θεος"), ("and", "και"), ("the", "τον"), ("him", "αυτον"), ("Jesus", "ιησους"), ("from", "απο")]
LINES = 48
STAGES = {"indicsbert": ("nli.", "sts."), "feature_distillation": ("features.", "contrast.")}


def rows(*cells: tuple[object, ...]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in cells)


def vectors(words: list[str]) -> str:
    """A file of vectors of three dimensions."""
    return f"{len(words)} 3\n" + "".join(f"{word} {k} {k * k % 7} 1\n" for k, word in enumerate(words))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files that the page's commands name."""
    folder = tmp_path_factory.mktemp("systems")
    with as_file(resources("align") / "data" / "demo" / "test") as verses:
        greek, english = (read_aligned(verses)[code][:LINES] for code in ("ell_Grek", "eng_Latn"))
    english_words, greek_words = (list(side) for side in zip(*WORDS, strict=True))
    texts = {
        "ell_Grek.txt": "\n".join(greek), "eng_Latn.txt": "\n".join(english),
        "parallel/ell_Grek.txt": "\n".join(greek), "parallel/eng_Latn.txt": "\n".join(english),
        "dictionary.tsv": rows(*WORDS), "memory.tsv": rows(*zip(english, greek, strict=True)),
        "lists/eng_Latn.txt": "\n".join(english_words), "lists/ell_Grek.txt": "\n".join(greek_words),
        "eng_Latn.nli.tsv": rows(("label", "premise", "hypothesis"), *(
            (label, english[k], english[k + of]) for k in range(6)
            for of, label in ((0, "entailment"), (3, "neutral"), (7, "contradiction"))
        )),
        "eng_Latn.sts.tsv": rows(
            ("score", "sentence1", "sentence2"), *((k % 6, english[k], english[k + 1]) for k in range(12))
        ),
        **{f"{code}.topics.tsv": rows(("text", "class"), *((line, k % 2) for k, line in enumerate(lines[:12])))
           for code, lines in (("eng_Latn", english), ("ell_Grek", greek))},
        "eng.txt": "Anna saw Rome\nPaul went home", "ell.txt": "Η Άννα είδε τη Ρώμη\nΟ Παύλος πήγε σπίτι",
        "eng.iob2": "Anna\tB-PER\nsaw\tO\nRome\tB-LOC\n\nPaul\tB-PER\nwent\tO\nhome\tO\n",
        "en.vec": vectors(english_words), "el.vec": vectors(greek_words),
        "tagged.tsv": rows(*((word, "foreign" if k % 2 else "own") for k, word in enumerate(greek_words))),
        "names.tsv": rows(("key", "en", "el"), *((f"Q{k}", *both) for k, both in enumerate(WORDS))),
        "triples.tsv": rows(("Q0", "made", "Q4"), ("Q1", "was", "Q0")),
        "scores.tsv": rows(
            ("source", "target", "score"), *((*both, CODES.index(both[0]) / 10) for both in directions())
        ),
        "texts/ell_Grek.txt": "\n".join(greek[:2]), "texts/eng_Latn.txt": "\n".join(english[:2]),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{text.rstrip()}\n", encoding="utf-8")
    return folder


def small(command: str) -> str:
    """Two steps of two pairs, of every stage."""
    of = command.split()
    if of[1] == "lab":
        return "--steps 1"
    if of[1:3] == ["head", "fusion"]:
        return "--steps 2 --batch 2"
    stages = STAGES.get(of[2], ("",)) if of[1] == "train" else ()
    return " ".join(f"--set {stage}train.steps=2 --set {stage}train.batch_size=2" for stage in stages)


def test_there_are_all_of_them():
    assert len(SYSTEMS) == len({system["name"] for system in SYSTEMS}) == 34
    for system in SYSTEMS:
        if "outside" not in system:
            assert set(system) - {"figure", "no_figure"} == {"name", "about", "here", "commands", "page"}
            assert ("figure" in system) != ("no_figure" in system)
            assert (ROOT / "docs" / system["page"]).is_file()


@pytest.mark.parametrize("system", [system for system in SYSTEMS if "outside" not in system], ids=lambda of: of["name"])
def test_its_commands_run(system, files, monkeypatch):
    monkeypatch.chdir(files)
    if not (files / "pairs").is_dir():
        pages.commands("align pairs translation ell_Grek.txt eng_Latn.txt --out pairs", monkeypatch)
    for command in system["commands"]:
        said, _, to = command.partition(" > ")
        printed = pages.commands(f"{said} {small(command)}{' > ' * bool(to)}{to}", monkeypatch)
        if "--out" in command:
            out = files / command.split("--out ")[1].split()[0]
            assert out.is_dir() or out.stat().st_size
            if out.suffix == ".json":
                json.loads(out.read_text())
        else:
            assert (files / to).read_text().strip() if to else printed.strip()

"""A certificate: every grain that the data has, before and after, and what it says is what `compare` says."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from conftest import tiny_bert, tiny_tokenizer

from align import InputError, certify, load_encoder
from align.evaluation.certificate import GRAINS
from align.tasks.statistics.tests import holm
from align.training.model_card import put_certificate

WORDS = ["abe", "bad", "tab", "dab", "led", "kin", "mad", "nab", "lad", "map", "net", "pad", "rib", "sad", "ton", "bit"]
GREEK = dict(zip("abdeiklmnoprst", "αβδεικλμνοπρστ", strict=True))
"""What uroman writes with the same letter."""


def greek(text):
    return "".join(GREEK.get(letter, letter) for letter in text)


@pytest.fixture
def data(tmp_path):
    """SIB-200 in English, Greek and German, and one dictionary of XLING with its word lists; the rest is missing."""
    draw = np.random.default_rng(0)
    lines = [" ".join(draw.choice(WORDS, 3, replace=False)) for _ in range(30)]
    lines = list(dict.fromkeys(lines))
    sib = tmp_path / "data" / "sib200"
    sib.mkdir(parents=True)
    for code, of in {"eng_Latn": lines, "ell_Grek": map(greek, lines), "deu_Latn": (f"{x} s" for x in lines)}.items():
        (sib / f"{code}.txt").write_text("".join(f"{line}\n" for line in of), encoding="utf-8")
    bli = tmp_path / "data" / "bli"
    (bli / "xling" / "en-el").mkdir(parents=True)
    (bli / "vocab").mkdir()
    pairs = "".join(f"{word}\t{greek(word)}\n" for word in WORDS)
    (bli / "xling" / "en-el" / "test.en-el.tsv").write_text(pairs, encoding="utf-8")
    for code, words in {"en": WORDS, "el": map(greek, WORDS)}.items():
        (bli / "vocab" / f"{code}_vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return tmp_path / "data"


@pytest.fixture
def models(tmp_path):
    """One that knows that a Greek letter is its Latin one, and one that does not."""
    made = []
    for name in ("blind", "sees"):
        model = tiny_bert()
        if name == "sees":
            rows = model.bert.embeddings.word_embeddings.weight.data
            for one, other in GREEK.items():
                rows[5 + 26 + ord(other) - 0x3B1] = rows[5 + ord(one) - 97]
        model.save_pretrained(tmp_path / name)
        tiny_tokenizer().save_pretrained(tmp_path / name)
        made.append(tmp_path / name)
    return made


@pytest.fixture
def found(data, models):
    blind, sees = (lambda m=m: load_encoder(m) for m in models)
    return certify(blind, sees, data=data, use_cache=False, permutations=499, resamples=100)


def test_what_rose_is_named_and_so_is_what_is_missing(found):
    lines = {line.benchmark: line for line in found.lines}
    assert list(lines) == ["sib200", "twins", "xling", "bias"]
    assert [lines[name].grain for name in lines] == ["sentences", "scripts", "words", "bias"]
    for name in ("twins", "xling"):
        assert lines[name].verdict == "rose" and lines[name].after > 0.7 > lines[name].before, name
        assert lines[name].difference == pytest.approx(lines[name].after - lines[name].before)
        assert lines[name].better == 2 == lines[name].scores and lines[name].worse == 0
    assert lines["bias"].lower_is_better and lines["bias"].after < lines["bias"].before
    assert lines["bias"].verdict == "rose"  # lower is better
    assert set(found.missing) == {"tatoeba", "panlex-bli", "stsb", "multisimlex"}
    assert "no tatoeba in" in found.missing["tatoeba"]
    assert found.counts() == {"rose": sum(one.verdict == "rose" for one in found.lines), "fell": 0,
                              "stayed": sum(one.verdict == "stayed" for one in found.lines)}  # fmt: skip


def test_p_values_are_corrected_over_the_benchmarks(found):
    raw = [one.models[1].difference.p for one in found.comparison.benchmarks]
    assert [line.p for line in found.lines] == pytest.approx(holm(raw).tolist())
    assert any(line.p > 1.5 * p for line, p in zip(found.lines, raw, strict=True))


def test_lines_are_shared_over_directions(found):
    """30 sentences both ways are 30 lines: their two outcomes are drawn together."""
    twins = next(one for one in found.results if one["benchmark"] == "twins")
    assert [score["id"] for score in twins["scores"]] == ["ell_Grek>ell_Latn", "ell_Latn>ell_Grek"]
    assert twins["scores"][0]["lines"] == twins["scores"][1]["lines"]


def test_turned_round_it_falls(data, models):
    blind, sees = (lambda m=m: load_encoder(m) for m in models)
    found = certify(
        sees, blind, names=("new", "old"), data=data, grains=["scripts", "bias"], use_cache=False, permutations=499,
        resamples=100,
    )  # fmt: skip
    assert [line.verdict for line in found.lines] == ["fell", "fell"] and found.counts()["fell"] == 2
    assert (found.before, found.after) == ("new", "old") and not found.missing
    assert found.lines[0].worse == 2


def test_an_encoder_and_itself_stay(data, models):
    load = partial(load_encoder, models[0])
    found = certify(load, load, data=data, grains=["scripts"], use_cache=False, permutations=99, resamples=50)
    (line,) = found.lines
    assert (line.verdict, line.difference, line.p, line.better, line.worse) == ("stayed", 0.0, 1.0, 0, 0)


def test_words_may_be_read_by_another(data, models):
    blind, sees = (lambda m=m: load_encoder(m) for m in models)
    options = {"data": data, "grains": ["scripts", "words"], "use_cache": False, "permutations": 499, "resamples": 50}
    found = certify(blind, blind, words=sees, **options)
    assert {line.benchmark: line.verdict for line in found.lines} == {"twins": "stayed", "xling": "rose"}
    found = certify(blind, sees, words=blind, **options)
    assert {line.benchmark: line.verdict for line in found.lines} == {"twins": "rose", "xling": "stayed"}


@pytest.mark.parametrize("code", ["deu_Latn", "deu"])
def test_languages_are_chosen(data, models, code):
    load = partial(load_encoder, models[0])
    found = certify(
        load, load, data=data, grains=["sentences"], languages=[code], use_cache=False, permutations=9,
        resamples=9,
    )  # fmt: skip
    sib = next(one for one in found.results if one["benchmark"] == "sib200")
    assert {score["language"] for score in sib["scores"]} == {"deu_Latn"}


def test_bad_input(data, models, tmp_path, monkeypatch):
    load = partial(load_encoder, models[0])
    with pytest.raises(InputError, match=f"unknown grain of a certificate 'letters'.*{', '.join(GRAINS)}"):
        certify(load, load, data=data, grains=["letters"])
    with pytest.raises(InputError, match="two encoders are called 'x'"):
        certify(load, load, data=data, names=("x", "x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="nothing could be scored: stsb: no sts/stsb in"):
        certify(load, load, data=tmp_path / "empty", grains=["likeness"])
    monkeypatch.delenv("ALIGN_DATA", raising=False)
    with pytest.raises(InputError, match="needs benchmarks"):
        certify(load, load)


def test_a_card_keeps_one_certificate(tmp_path):
    (tmp_path / "align.json").write_text("{}")
    (tmp_path / "README.md").write_text("# Model\n\ntext\n")
    put_certificate(tmp_path, "| one |")
    put_certificate(tmp_path, "| two |")
    card = (tmp_path / "README.md").read_text()
    assert card == (
        "# Model\n\ntext\n\n<!-- certificate -->\n## What rose and what fell\n\n| two |\n<!-- end of certificate -->\n"
    )
    with pytest.raises(InputError, match="no model card of Align"):
        put_certificate(tmp_path / "x", "| one |")


def row(text):
    """The cells of the first row."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [cell.strip() for cell in lines[2].strip("|").split("|")]


def test_the_verb(align, data, models, tmp_path):
    blind, sees = models
    from align import save_encoder

    save_encoder(load_encoder(sees), tmp_path / "saved")
    words = ["certify", blind, tmp_path / "saved", "--data", data, "--grains", "scripts,likeness", "--no-cache"]
    words += ["--permutations", "99", "--resamples", "50"]
    printed = align(*words, "--out", "out", "--card").out
    assert row(printed)[:3] == ["scripts", "twins", "P@1"] and "rose" in row(printed)
    assert "Not measured: stsb (no sts/stsb in" in printed
    told = json.loads((tmp_path / "out" / "certificate.json").read_text())
    assert (told["rose"], told["lines"][0]["benchmark"]) == (1, "twins")
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="certificate"' in page and "after against before: 1 rose, 0 fell, 0 stayed" in page
    assert "Not measured: stsb" in page
    assert row((tmp_path / "saved" / "README.md").read_text()) == row(printed)
    assert json.loads(align(*words, "--json").out)["lines"][0]["verdict"] == "rose"
    assert "no model card" in align(*words[:2], blind, *words[3:], "--card", code=2).err
    assert "two names with a comma" in align(*words, "--names", "a", code=2).err

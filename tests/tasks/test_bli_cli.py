"""``align eval bli``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from align.encoders.words import word_encoder
from align.tasks import BLI_PROTOCOLS, bli_pairs, mixed, read_dictionary, read_vocabulary
from align.vectors.static import StaticVectors, static_encode, write_vectors

ENG, DEU = "eng_Latn", "deu_Latn"
ENGLISH = ["The", "dog", "cat", "tree", "house", "the", "water"]
GERMAN = ["Hund", "katze", "baum", "haus", "wasser", "hund", "der", "бор"]
PAIRS = [("dog", "Hund"), ("cat", "katze"), ("tree", "baum"), ("water", "wasser"), ("house", "heim"), ("the", "der")]


@pytest.fixture
def align(align, tmp_path, monkeypatch):
    """The command, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return align


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder in ("sets", "vocab", "vectors"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sets" / "x.test.en-de.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    (tmp_path / "vocab" / "en_vocab.txt").write_text("\n".join(ENGLISH) + "\n")
    (tmp_path / "vocab" / "deu_Latn.txt").write_text("\n".join(GERMAN) + "\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    for label, words in (("en", ENGLISH), ("de", GERMAN[:-1])):
        vectors = rng.standard_normal((len(words), 16)).astype(np.float32)
        write_vectors(StaticVectors(tuple(words), vectors), tmp_path / "vectors" / f"wiki.{label}.vec")
    return tmp_path


@pytest.fixture
def encoder(bert_folder):
    from align.encoders.checkpoint import load_encoder

    return load_encoder(str(bert_folder))


def expected(encode, data: Path, protocol, **options):
    words = {
        ENG: read_vocabulary(data / "vocab" / "en_vocab.txt"),
        DEU: read_vocabulary(data / "vocab" / "deu_Latn.txt"),
    }
    words |= options.pop("words", {})
    dictionary = read_dictionary(data / "sets" / "x.test.en-de.tsv", (ENG, DEU))
    return bli_pairs(encode, [dictionary], words, protocol=protocol, **options)


def test_an_encoder(align, bert_folder, encoder, data) -> None:
    words = ("eval", "bli", bert_folder, "--data", "sets", "--vocabulary", "vocab")
    printed = align(*words, "--both", "--per-item", "--out", "r.json", "--resamples", "50", "--seed", "4")

    def encode(given, _):
        return encoder.encode(given)

    result = expected(encode, data, "muse", both=True, per_word=True, resamples=50, seed=4)
    assert printed.out == result.table() + "\n"
    found = json.loads((data / "r.json").read_text())
    assert (found["model"], found["encoder"]) == (str(bert_folder), encoder.identity())
    assert (found["static"], found["mix"]) == (None, None)
    assert found["headline"] == {"CSLS P@1": pytest.approx(result.headline())}
    assert [len(score["words"]) for score in found["scores"]] == [6, 6]
    kept = sorted(path.name for path in (data / "cache" / "align" / "vocabularies").iterdir())
    assert [name.partition("-")[0] for name in kept] == [DEU, ENG]
    assert align(*words, "--both", "--resamples", "50", "--seed", "4").out == printed.out  # from the cache

    printed = align(
        *words, "--protocol", "xling", "--candidates", "5", "--script-filter", "--drop-identical", "--any-source",
        "--no-csls", "--layer", "1", "--no-cache", "--translations", "t.tsv", "--top", "2",
    )  # fmt: skip
    changed = replace(
        BLI_PROTOCOLS["xling"], name="xling (changed)", candidates=5, script_filter=True, identical="drop",
        source_in_vocabulary=False,
    )  # fmt: skip
    from align.encoders.checkpoint import load_encoder

    first_layer = load_encoder(str(bert_folder), layer=1)
    result = expected(lambda given, _: first_layer.encode(given), data, changed, csls=False, translations=2)
    assert printed.out == result.table() + "\n"
    assert (data / "t.tsv").read_text(encoding="utf-8").splitlines() == list(result.translations())
    assert sorted(path.name for path in (data / "cache" / "align" / "vocabularies").iterdir()) == kept

    align(*words, "--cache", "mine")
    assert len(list((data / "mine").iterdir())) == 2


def test_words_in_a_template(align, bert_folder, encoder, data) -> None:
    words = ("eval", "bli", bert_folder, "--data", "sets", "--vocabulary", "vocab", "--resamples", "0")
    alone = align(*words, "--cache", "mine").out
    printed = align(*words, "--cache", "mine", "--template", "the {word} is", "--out", "t.json")
    result = expected(word_encoder(encoder, template="the {word} is"), data, "muse", resamples=0)
    assert printed.out == result.table() + "\n" != alone
    assert json.loads((data / "t.json").read_text())["encoder"]["template"] == "the {word} is"
    assert len(list((data / "mine").iterdir())) == 4  # vectors with and without the template are kept apart


@pytest.mark.parametrize("protocol", ["vecmap", "muse", "babelbert"])
def test_static_vectors_and_a_mix(align, bert_folder, encoder, data, protocol, caplog) -> None:
    from align.vectors.static import read_vectors

    lower = protocol != "vecmap"
    sides = {
        ENG: read_vectors(data / "vectors" / "wiki.en.vec", lowercase=lower),
        DEU: read_vectors(data / "vectors" / "wiki.de.vec", lowercase=lower),
    }
    static = static_encode(sides, lowercase=lower)
    own = {code: side.words for code, side in sides.items()}
    words = ("eval", "bli", "--data", "sets", "--static", "vectors", "--protocol", protocol, "--out", "r.json")
    printed = align(*words)
    result = expected(static, data, protocol, words=own)
    assert printed.out == result.table() + "\n"
    assert json.loads((data / "r.json").read_text())["model"] is None

    # with a vocabulary: those of its words that have a vector
    printed = align(*words, "--vocabulary", "vocab")
    result = expected(static, data, protocol, words={DEU: GERMAN[:-1]})
    assert printed.out == result.table() + "\n"
    assert "deu_Latn: 1 of 8 words of the vocabulary have no static vector" in caplog.text

    for share in (None, "0.3"):
        more = () if share is None else ("--mix", share)
        mix = mixed(static, lambda given, _: encoder.encode(given), weight=float(share or 0.8))
        printed = align(*words[:2], bert_folder, *words[2:], *more)
        assert printed.out == expected(mix, data, protocol, words=own).table() + "\n"
        assert json.loads((data / "r.json").read_text())["mix"] == float(share or 0.8)


def test_languages_choose_dictionaries(align, data, bert_folder) -> None:
    (data / "sets" / "x.test.en-fr.tsv").write_text("dog\tchien\n")
    words = ("eval", "bli", bert_folder, "--data", "sets", "--vocabulary", "vocab")
    assert "no vocabulary of fra_Latn in vocab; there are those of deu_Latn, eng_Latn" in align(*words, code=2).err
    assert "fra_Latn" not in align(*words, "--languages", "en,deu_Latn").out
    errors = align(*words, "--languages", "en,it", code=2).err
    assert (
        "no dictionary is of two of eng_Latn, ita_Latn; there are dictionaries of deu_Latn, eng_Latn, fra_Latn"
        in errors
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--data", "sets", "--vocabulary", "vocab"], "nothing to measure: expected a model, --static vectors, or"),
        (["seed", "--vocabulary", "vocab"], "no dictionary: expected --data FILE, FOLDER or CODE-CODE=PATH"),
        (["seed", "--data", "sets"], "no candidates: expected --vocabulary, word lists by language, or --static"),
        (["seed", "--data", "nowhere.en-de.tsv", "--vocabulary", "vocab"], "no such dictionary or folder: nowhere."),
        (["seed", "--data", "sets", "--vocabulary", "vocab", "--protocol", "x"], "unknown protocol 'x': expected one"),
        (["seed", "--data", "sets", "--vocabulary", "vocab", "--mix", "0.5"], "--mix weighs static vectors against"),
        (["--data", "sets", "--static", "page.en.vec", "--static", "vectors"], "two files are the static vectors of"),
        (["--data", "sets", "--static", "en=page.en.vec", "--static", "vectors/wiki.de.vec"], "page.en.vec, line 1:"),
        (["seed", "--data", "bad.en-de.tsv", "--vocabulary", "vocab"], "bad.en-de.tsv, line 2: 3 columns, expected 2"),
        (["seed", "--data", "none.en-de.tsv", "--vocabulary", "vocab"], "none.en-de.tsv: no pair is covered by the"),
        (["seed", "--data", "sets", "--vocabulary", "de=empty.txt", "--vocabulary", "vocab/en_vocab.txt"], "empty.txt"),
        (["seed", "--data", "sets", "--vocabulary", "vocab", "--static", "vectors"], "cannot be mixed; expected the"),
        (
            ["--static", "vectors", "--data", "sets", "--any-source", "--vocabulary", "de=de.txt", "--vocabulary",
             "en=en.txt", "--protocol", "vecmap"],
            "eng_Latn: 1 of 1 words have no vector, first 'house'",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_writes_nothing(align, data, words, sentence) -> None:
    (data / "page.en.vec").write_text("<html>\n")
    (data / "bad.en-de.tsv").write_text("a\tb\na\tb\tc\n")
    (data / "none.en-de.tsv").write_text("a\tb\n")
    (data / "empty.txt").write_text("\n")
    (data / "en.txt").write_text("dog\n")
    (data / "de.txt").write_text("Hund\nhaus\n")
    (data / "sets" / "x.test.en-de.tsv").write_text("dog\tHund\nhouse\thaus\n")
    static = (data / "vectors" / "wiki.en.vec").read_text().replace("house ", "mouse ")
    (data / "vectors" / "wiki.en.vec").write_text(static)
    before = sorted(path.name for path in data.rglob("*"))
    errors = align("eval", "bli", *words, "--no-cache", "--out", "r.json", "--translations", "t.tsv", code=2).err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(path.name for path in data.rglob("*")) == before

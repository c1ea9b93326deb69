"""``align eval`` of words: translations, likeness; by an encoder, static vectors, or both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from align.encoders.words import word_encoder
from align.tasks import BLI_PROTOCOLS, bli_pairs, mixed, read_dictionary, read_vocabulary, read_wordsim
from align.tasks.bli.score import translation_lines
from align.tasks.wordsim import wordsim
from align.vectors.static import StaticVectors, static_encode, write_vectors

ENG, DEU = "eng_Latn", "deu_Latn"
VOCAB = ("--set", "vocabulary=vocab")
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


def check(path: Path, result) -> dict:
    """A result file has the scores of a result."""
    found = json.loads(path.read_text(encoding="utf-8"))
    for row, score in zip(found["scores"], result.scores, strict=True):
        assert row["id"] == f"{score.source}>{score.target}"
        metrics = {f"{name} {k}": v for name, one in score.methods.items() for k, v in one.metrics.items()}
        assert {name: value for name, value in row["metrics"].items() if "copies" not in name} == metrics
    assert found["headline"]["value"] == pytest.approx(result.headline())
    return found


def test_an_encoder(align, bert_folder, encoder, data) -> None:
    words = ("eval", bert_folder, "bli=sets", "--set", "vocabulary=vocab", "--set", "both=true")
    printed = align(*words, "--out", "r.json")

    def encode(given, _):
        return encoder.encode(given)

    found = check(data / "r.json", expected(encode, data, "muse", both=True))
    assert (found["model"], found["encoder"]) == (str(bert_folder), encoder.identity())
    assert [(row["n"], row["left_out"]) for row in found["scores"]] == [(5, 1), (5, 1)]
    assert align(*words).out == printed.out  # from the cache
    align(
        *words[:-2], "--protocol", "xling", "--set", "candidates=5", "--set", "script_filter=true", "--layer", "1",
        "--set", "identical=drop", "--set", "source_in_vocabulary=false", "--set", "methods=NN", "--no-cache",
        "--translations", "t.tsv", "--set", "top=2", "--out", "r.json",
    )  # fmt: skip
    changed = replace(
        BLI_PROTOCOLS["xling"], name="xling (changed)", candidates=5, script_filter=True, identical="drop",
        source_in_vocabulary=False,
    )  # fmt: skip
    from align.encoders.checkpoint import load_encoder

    first_layer = load_encoder(str(bert_folder), layer=1)
    result = expected(lambda given, _: first_layer.encode(given), data, changed, csls=False, translations=2)
    assert check(data / "r.json", result)["protocol"]["name"] == "xling (changed)"
    assert (data / "t.tsv").read_text(encoding="utf-8").splitlines() == list(translation_lines(result.scores))


def test_vectors_of_a_vocabulary_are_kept(align, bert_folder, data) -> None:
    words = ("eval", bert_folder, "bli=sets", "--set", "vocabulary=vocab", "--cache", "mine")
    align(*words)
    align(*words, "--set", "ties=mean")
    kept = sorted(path.name.partition("-")[0] for path in (data / "mine" / "vocabularies").iterdir())
    assert kept == [DEU, ENG]
    align(*words, "--template", "the {word} is")
    assert len(list((data / "mine" / "vocabularies").iterdir())) == 4  # with and without the template are kept apart


def test_words_in_a_template(align, bert_folder, encoder, data) -> None:
    words = ("eval", bert_folder, "bli=sets", "--set", "vocabulary=vocab", "--cache", "mine")
    alone = align(*words).out
    assert align(*words, "--template", "the {word} is", "--out", "t.json").out != alone
    found = check(data / "t.json", expected(word_encoder(encoder, template="the {word} is"), data, "muse"))
    assert found["encoder"]["template"] == "the {word} is"


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
    words = ("eval", "bli=sets", "--static", "vectors", "--protocol", protocol, "--no-cache", "--out", "r.json")
    align(*words)
    assert check(data / "r.json", expected(static, data, protocol, words=own))["encoder"]["static"] == ["vectors"]

    # with a vocabulary: those of its words that have a vector
    align(*words, "--set", "vocabulary=vocab")
    check(data / "r.json", expected(static, data, protocol, words={DEU: GERMAN[:-1]}))
    assert "deu_Latn: 1 of 8 words of the vocabulary have no static vector" in caplog.text

    for share in (None, "0.3"):
        more = () if share is None else ("--mix", share)
        mix = mixed(static, lambda given, _: encoder.encode(given), weight=float(share or 0.8))
        align("eval", bert_folder, *words[1:], *more)
        assert check(data / "r.json", expected(mix, data, protocol, words=own))["encoder"]["mix"] == float(share or 0.8)


def test_languages_choose_dictionaries(align, data, bert_folder) -> None:
    (data / "sets" / "x.test.en-fr.tsv").write_text("dog\tchien\n")
    words = ("eval", bert_folder, "bli=sets", "--set", "vocabulary=vocab", "--no-cache")
    reason = "no vocabulary of fra_Latn in vocab; there are those of deu_Latn, eng_Latn"
    assert f"Left out, eng_Latn-fra_Latn: {reason}" in align(*words).out
    assert "fra_Latn" not in align(*words, "--languages", "en,deu_Latn").out
    assert "sets: nothing could be scored: no text in ita_Latn" in align(*words, "--languages", "en,it", code=2).err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["seed", "bli=none"], "none holds no test dictionary: expected files"),
        (["seed", "bli=sets/x.test.en-de.tsv"], "no candidates: expected the folder vocab in or beside "),
        (["seed", "bli=nowhere.en-de.tsv", *VOCAB], "no such dictionary or folder: nowhere."),
        (["seed", "bli=sets", *VOCAB, "--protocol", "x"], "unknown protocol 'x': expected one"),
        (["seed", "bli=sets", *VOCAB, "--mix", "0.5"], "--mix weighs static vectors against"),
        (["bli=sets", "--static", "page.en.vec", "--static", "vectors"], "two files are the static vectors of"),
        (["bli=sets", "--static", "en=page.en.vec", "--static", "vectors/wiki.de.vec"], "page.en.vec, line 1:"),
        (["seed", "bli=bad.en-de.tsv", *VOCAB], "bad: nothing could be scored"),
        (["seed", "bli=none.en-de.tsv", *VOCAB], "none.en-de.tsv: no pair is covered by the"),
        (["seed", "bli=sets", "--set", "vocabulary=de=empty.txt,vocab/en_vocab.txt"], "empty.txt"),
        (["seed", "bli=sets", *VOCAB, "--static", "vectors"], "cannot be mixed; expected the"),
        (["bli=sets", "--static", "vectors", "--template", "a {word}"], "no context: --template needs a model"),
        (["bli=sets", "--static", "vectors", "--layers", "all"], "static vectors have no layers"),
        (["sts=sets", "--static", "vectors"], "static vectors are of words: sts needs a model"),
        (
            ["--static", "vectors", "bli=sets", "--set", "source_in_vocabulary=false", "--set",
             "vocabulary=de=de.txt,en=en.txt", "--protocol", "vecmap"],
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
    (data / "none").mkdir()
    before = sorted(path.name for path in data.rglob("*"))
    errors = align("eval", *words, "--no-cache", "--out", "r.json", code=2).err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(path.name for path in data.rglob("*")) == before


def test_words_that_lie_near(align, data, encoder, bert_folder) -> None:
    (data / "EN_A.txt").write_text("old\tnew\t1.5\nhot dog\tbread\t4\nhot dog\tdog\t5\n")
    words = ("eval", bert_folder, "wordsim=EN_A.txt", "--no-cache", "--out", "one.json")
    align(*words)
    plain = wordsim(lambda given, _: encoder.encode(given), read_wordsim(data / "EN_A.txt"))
    (row,) = json.loads((data / "one.json").read_text())["scores"]
    assert row["metrics"] == {"spearman": plain.scores[0].spearman, "pearson": plain.scores[0].pearson}
    align(*words, "--template", "the {word}")
    inside = wordsim(word_encoder(encoder, template="the {word}"), read_wordsim(data / "EN_A.txt"))
    found = json.loads((data / "one.json").read_text())
    assert found["scores"][0]["value"] == inside.scores[0].spearman and found["encoder"]["template"] == "the {word}"
    assert "the encoder has layers 0 to 2" in align(*words, "--layers", "1,9", code=2).err


def test_static_words_that_lie_near(align, data) -> None:
    english = StaticVectors(("old", "new", "hot"), np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    german = StaticVectors(("Alt", "neu"), np.array([[1, 0.1], [0.5, 1]], dtype=np.float32))
    write_vectors(english, data / "all.vec")
    write_vectors(german, data / "de.vec.gz")
    (data / "en-de.txt").write_text("old\talt\t6\nnew\tneu\t5\nhot\talt\t1\ncold\tkalt\t3\n")
    files = ("--static", "eng_Latn=all.vec", "--static", "deu_Latn=de.vec.gz", "--no-cache")
    align("eval", "wordsim=en-de.txt", *files, "--lowercase", "--out", "a.json")
    (row,) = json.loads((data / "a.json").read_text())["scores"]
    assert (row["n"], row["left_out"]) == (3, 1)
    assert row["value"] == pytest.approx(stats.spearmanr([0.995, 0.949, 0.0995], [6, 5, 1])[0])
    assert "at least 2 values, got shape (1,)" in align("eval", "wordsim=en-de.txt", *files, code=2).err
    (data / "EN_A.txt").write_text("old\tnew\t1\nold\thot\t0\n")
    assert "|    1.000 |" in align("eval", "wordsim=EN_A.txt", "--static", "all.vec", "--no-cache").out
    twice = ("--static", "eng_Latn=all.vec", "--static", "eng_Latn=all.vec")
    assert "two files are the static vectors of eng_Latn" in align("eval", "wordsim=EN_A.txt", *twice, code=2).err

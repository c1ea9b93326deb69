"""The options that say which encoder is used, and how: the same at every verb that loads one."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from align import cli
from align.cli.options.encoder_choice import EncoderChoice
from align.encoders import checkpoint
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.vectors.writing import save_vectors

FIELDS = {field.name for field in fields(EncoderChoice)}
POOLED = {"layer", "pooling", "special_tokens", "average_layers"}
NO_VECTORS = {"backend", "offsets", "head", "language_tags"}
NO_ENCODING = NO_VECTORS | {"bf16"}
WITHOUT = {
    "train": POOLED | NO_ENCODING,  # the recipe's; torch's, and of what is not trained
    "tm": {"offsets", "head", "language_tags"},  # a memory does not say of what language a segment is
    "offsets": {"offsets", "head"},
    "trim": NO_ENCODING | {"attention"},  # it saves what it loads, and encodes nothing
    "route": NO_ENCODING | {"attention"},  # as trim
    "scripts": NO_ENCODING | {"attention"},  # as trim
    "extend": NO_ENCODING | {"attention"},  # as trim
    "head words": POOLED | NO_VECTORS | {"attention"},  # it pools as heads do
    "head fusion": NO_ENCODING | {"attention", "average_layers"},  # it runs single layers, in torch
    "advise": NO_VECTORS,  # it reads the tokenizer; likeness is the encoder's own
    "lab": NO_ENCODING,  # it trains, on languages of its own
    "certify": POOLED | {"attention", "backend"},  # both encoders as they were saved
    "words-align": NO_VECTORS | {"pooling", "special_tokens"},  # of words, in torch
    "project": NO_VECTORS,
    "pairs negatives": NO_VECTORS | {"attention"},  # options of a kind of pairs, of the registry
    "pairs fragments": NO_VECTORS | {"attention"},
}
"""Fields that a verb does not have, and why."""
WORDS = {
    "pairs negatives": "pairs.tsv --out made --model MODEL",
    "pairs fragments": "pairs.tsv --out made --model MODEL",
    "train": "transliteration --pairs pairs.tsv --out made --model MODEL",
    "offsets": "MODEL --text eng_Latn=lines.txt --out made",
    "trim": "MODEL lines.txt --out made",
    "scripts": "MODEL --out made",
    "extend": "MODEL --text lines.txt --out made",
    "route": "MODEL other --languages ell_Latn --out made",
    "upgrade-index": "vectors --out made --model MODEL",
    "head words": "MODEL eng_Latn-ell_Grek=words.tsv --out made",
    "head fusion": "MODEL --pairs pairs.tsv --out made",
    "advise": "scores.tsv --model MODEL",
    "lab": "--objectives info_nce --model MODEL",
    "certify": "MODEL other/model --data verses",
    "encode": "MODEL lines.txt --out made",
    "search": "MODEL vectors query",
    "serve": "MODEL vectors",
    "tm": "MODEL memory.tsv query",
    "augment": "vectors queries.tsv --out made --model MODEL",
    "verify-export": "vectors npy exported --queries-file lines.txt --model MODEL",
    "eval": "MODEL verses",
    "words-align": "lines.txt lines.txt --model MODEL",
    "project": "lines.txt lines.txt --labels labels.iob2 --out made.iob2 --model MODEL",
}


def verbs(group=None, before=""):
    """Every verb of the command line by what is typed, with the names of its parameters."""
    found = {}
    for name, command in (group or typer.main.get_command(cli.app)).commands.items():
        called = f"{before} {name}".strip()
        if hasattr(command, "commands"):
            found |= verbs(command, called)
        else:
            found[called] = {parameter.name for parameter in command.params}
    return found


TAKE_A_MODEL = {name: names for name, names in verbs().items() if "model" in names}


@pytest.fixture
def inputs(tmp_path):
    """What the verbs read before they load an encoder."""
    for folder in ("verses", "topics", "lists"):
        (tmp_path / folder).mkdir()
        for code, lines in {"ell_Grek": "αβ γ\nδε\nζ\n", "eng_Latn": "ab g\nde\nz\n"}.items():
            (tmp_path / folder / f"{code}.txt").write_text(lines, encoding="utf-8")
    (tmp_path / "topics" / "index.tsv").write_text("id\tsplit\ttopic\n1\ttrain\ta\n2\ttrain\tb\n3\ttest\ta\n")
    (tmp_path / "sts.tsv").write_text("score\tsentence1\tsentence2\n1\ta\tb\n2\ta\tc\n3\tb\tc\n")
    (tmp_path / "words.tsv").write_text("ζ\tz\nδε\tde\n", encoding="utf-8")
    (tmp_path / "similar.tsv").write_text("a\tb\t1\na\tc\t2\nb\tc\t3\n")
    (tmp_path / "scores.tsv").write_text("source\ttarget\tscore\neng_Latn\tell_Grek\t.5\nell_Grek\teng_Latn\t.4\n")
    (tmp_path / "memory.tsv").write_text("a\tb\n")
    (tmp_path / "queries.tsv").write_text("r0\tquery\n")
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    (tmp_path / "labels.iob2").write_text("one\tB-X\n\ntwo\tO\n")
    rows = [f"α{c}\ta{c}\tell_Grek\teng_Latn\tt{c}" for c in "abcd"]
    header = "source\ttarget\tsource_lang\ttarget_lang\tgroup_id"
    (tmp_path / "pairs.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    vectors = np.eye(4, dtype=np.float32)
    identity = {"fingerprint": "x"}
    save_vectors(tmp_path / "vectors", [f"r{i}" for i in range(4)], vectors, texts=["x"] * 4, encoder=identity)
    return tmp_path


def test_every_verb_that_takes_a_model_has_all_the_options_of_encoders():
    assert set(TAKE_A_MODEL) == set(WORDS)
    for verb, names in TAKE_A_MODEL.items():
        assert FIELDS - names == WITHOUT.get(verb, set()), verb


def test_no_verb_loads_an_encoder_otherwise():
    for path in Path(cli.__file__).parent.glob("*.py"):
        names = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "name", "") for node in
                 ast.walk(ast.parse(path.read_text(encoding="utf-8")))}  # fmt: skip
        if path.name != "encoder_choice.py":
            assert not names & {"load_encoder", "load_backend"}, path


@pytest.mark.parametrize("verb", TAKE_A_MODEL)
def test_what_is_asked_reaches_the_encoder(verb, align, inputs, monkeypatch):
    asked = []

    def loaded(name, **options):
        asked.append((name, options))
        raise InputError("seen")

    monkeypatch.setattr(checkpoint, "load_encoder", loaded)
    monkeypatch.setattr("align.encoders.decoder.is_decoder", lambda name, revision: revision != "v2")
    words = [*verb.split(), *WORDS[verb].replace("MODEL", "some/model").split()]
    words += ["--revision", "v2", "--device", "cuda:1", "--max-tokens", "7"]
    words += [] if "bf16" in WITHOUT.get(verb, ()) else ["--bf16"]
    assert align(*words, code=2).err == "align: seen\n"
    ((name, options),) = asked
    assert name == "some/model"
    assert (options["revision"], options["max_tokens"]) == ("v2", 7)
    assert options["device"] == "cuda:1"
    assert options["bf16"] is ("--bf16" in words and verb not in ("eval", "certify"))  # there: autocast
    assert not (inputs / "made").exists() or verb == "encode"


def test_a_choice_loads_what_it_says(bert_folder):
    choice = EncoderChoice(
        str(bert_folder), layer=1, pooling="cls", prompt="a ", max_tokens=5, device="cpu", bf16=True, attention="padded"
    )
    encoder = choice.load()
    plain = load_encoder(bert_folder, layer=1, kind="cls", prompt="a ", max_tokens=5)
    assert encoder.identity() == plain.identity()
    assert (encoder.attention, next(encoder.model.parameters()).dtype) == ("padded", torch.bfloat16)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--device", "gpu7"), "align: no device 'gpu7' here ("),
        (("--revision", "main"), "align: revision 'main' is of a model on the Hugging Face Hub, and seed is none\n"),
        (("--attention", "none"), "align: --attention must be auto or padded, got 'none'\n"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(words, sentence, align, inputs):
    for verb in (("eval", "seed", "retrieval=verses"), ("encode", "seed", "lines.txt", "--out", "made")):
        printed = align(*verb, *words, code=2)
        assert printed.err.startswith(sentence) and printed.err.count("\n") == 1
        assert not (inputs / "made").exists() or not list((inputs / "made").glob("part-*"))


def test_texts_are_cut_where_it_is_asked_and_the_search_must_know(align, inputs):
    align("encode", "seed", "lines.txt", "--out", "made", "--max-tokens", 7, "--device", "cpu")
    assert '"max_tokens": 7' in (inputs / "made" / "manifest.json").read_text()
    assert "two" in align("search", "seed", "made", "two", "-k", 1, "--max-tokens", 7).out
    assert "max_tokens" in align("search", "seed", "made", "two", code=2).err


def test_layers_of_words_are_of_the_whole_model(align, inputs):
    (inputs / "similar.tsv").write_text(
        "".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(["ab", "ac", "bc", "bd", "ce", "af"]))
    )
    words = ("eval", "seed", "wordsim=eng_Latn=similar.tsv", "--layers", "0,1", "--no-cache")
    assert "| spearman at layer |" in align(*words).out
    assert "--layers reads every layer of the model in torch" in align(*words, "--backend", "onnx", code=2).err


def test_vectors_in_bfloat16_are_not_taken_for_others(align, inputs):
    words = ("eval", "seed", "bli=ell_Grek-eng_Latn=words.tsv", "--set", "vocabulary=lists", "--cache", "kept")
    align(*words)
    before = set((inputs / "kept").rglob("manifest.json"))
    align(*words)
    assert set((inputs / "kept").rglob("manifest.json")) == before
    align(*words, "--bf16")
    assert len(set((inputs / "kept").rglob("manifest.json"))) == 2 * len(before) > 0

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_tokenizer

from align.tasks import read_aligned, read_sts
from align.tasks.layers import split_lines
from align.tasks.mexa.task import adjusted, mexa
from align.tasks.retrieval import retrieval
from align.tasks.sts import sts


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Fourteen lines in three languages of two scripts, with splits."""
    folder = tmp_path / "texts"
    folder.mkdir()
    rng = np.random.default_rng(0)
    english = ["".join(chr(97 + c) for c in rng.integers(0, 24, rng.integers(3, 9))) for _ in range(14)]
    lines = {
        "eng_Latn": english,
        "deu_Latn": [line[:-1] + "z" for line in english],
        "ell_Grek": ["".join(chr(0x3B1 + ord(c) - 97) for c in line) for line in english],
    }
    for code, rows in lines.items():
        (folder / f"{code}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    splits = ["dev"] * 6 + ["test"] * 7 + ["train"]
    index = [f"{i}\t{split}\ta" for i, split in enumerate(splits)]
    (folder / "index.tsv").write_text("\n".join(["id\tsplit\ttopic", *index]) + "\n")
    return folder


def load(folder, **options):
    from align.encoders.checkpoint import load_encoder

    return load_encoder(str(folder), **options)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_mexa_of_an_encoder(align, bert_folder, texts, tmp_path):
    from align.encoders.layers import encode_layers

    (tmp_path / "accuracy.json").write_text('{"belebele": 0.5}')
    words = ("eval", bert_folder, f"mexa={texts}", "--no-cache", "--set", "n=10")
    printed = align(*words, "--set", "accuracy=accuracy.json", "--pooling", "cls", "--out", "mexa.json")
    encoder = load(bert_folder)
    expected = mexa(
        lambda lines, _: encode_layers(encoder, lines, kinds=["cls"]), read_aligned(texts), n=10, per_item=True
    )
    assert "chance 0.053" in printed.out
    found = read(tmp_path / "mexa.json")
    assert found["model"] == str(bert_folder)
    assert found["encoder"] == encoder.identity() | {"poolings": ["cls"]}
    assert found["layers"]["curves"] == {score.language: list(score.curve) for score in expected.scores}
    mean = found["layers"]["mean"]
    assert (found["layers"]["metric"], found["layers"]["best"]) == ("MEXA", mean.index(max(mean)))
    assert found["headline"]["value"] == pytest.approx(expected.headline()) and expected.headline() > 0
    for row, score in zip(found["scores"], expected.scores, strict=True):
        assert row["items"] == pytest.approx(score.items, abs=1e-6)
        assert row["facts"]["adjusted"] == adjusted(score, {"belebele": 0.5})
        assert row["metrics"] == {"mexa": score.mean, "maximum": score.max}
    alone = align(*words, "--languages", "ell_Grek").out  # the pivot is read anyhow, the pooling is the encoder's
    assert "ell_Grek" in alone and "deu_Latn" not in alone


def test_mexa_of_a_decoder(align, texts, tmp_path):
    import torch
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=0.2,
    )  # fmt: skip
    LlamaModel(config).save_pretrained(tmp_path / "llama")
    tiny_tokenizer().save_pretrained(tmp_path / "llama")
    words = ("eval", "llama", f"mexa={texts}", "--no-cache", "--out", "mexa.json")
    align(*words, "--dtype", "bfloat16")
    found = read(tmp_path / "mexa.json")
    assert found["encoder"]["dtype"] == "bfloat16" and len(found["scores"]) == 2
    assert found["encoder"]["poolings"] == ["weighted"]
    align(*words, "--pooling", "last")
    assert read(tmp_path / "mexa.json")["encoder"]["poolings"] == ["last"]
    assert "is a decoder-only model: its special tokens count" in align(*words, "--no-special-tokens", code=2).err


def test_mexa_of_sets_with_pivots_of_their_own(align, bert_folder, tmp_path):
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for letters, rows in {"deu": "abc\nde\nfg", "fra": "hi\nkl", "ita": "\n"}.items():
        (folder / f"tatoeba.{letters}-eng.{letters}").write_text(rows + "\n")
        (folder / f"tatoeba.{letters}-eng.eng").write_text(rows.replace("a", "b") + "\n")
    (folder / "tatoeba.ita-eng.ita").write_text("ab\ncd\n")
    printed = align("eval", bert_folder, f"mexa={folder}", "--no-cache", "--out", "mexa.json")
    found = read(tmp_path / "mexa.json")
    assert [(row["language"], row["n"]) for row in found["scores"]] == [("deu_Latn", 3), ("fra_Latn", 2)]
    assert found["missing"] == [{"name": "ita", "reason": "eng_Latn: all 2 lines are blank"}]
    assert "Left out, ita: eng_Latn: all 2 lines are blank" in printed.out


def test_layers_of_retrieval_choose_on_the_dev_lines(align, bert_folder, texts, tmp_path):
    words = ("eval", bert_folder, f"retrieval={texts}", "--no-cache", "--out", "layers.json")
    printed = align(*words, "--layers", "all")
    found = json.loads((tmp_path / "layers.json").read_text())
    every = read_aligned(texts)

    def curve(lines, code):
        part = {name: [rows[i] for i in lines] for name, rows in every.items()}
        values = []
        for k in range(3):
            encoder = load(bert_folder, layer=k)
            result = retrieval(lambda given, _, one=encoder: one.encode(given), part)
            values.append(np.mean([s.metrics["P@1"] for s in result.scores if {code, "eng_Latn"} == {*_pair(s)}]))
        return values

    layers = found["layers"]
    assert layers["chosen_on"] == "the 6 dev lines of index.tsv"
    assert list(layers["curves"]) == ["deu_Latn", "ell_Grek"]
    for code in layers["curves"]:
        assert layers["dev"]["curves"][code] == pytest.approx(curve(range(6), code))
        assert layers["curves"][code] == pytest.approx(curve(range(6, 13), code))
    assert layers["best"] == int(np.argmax(layers["dev"]["mean"]))
    assert found["headline"]["value"] == pytest.approx(layers["mean"][layers["best"]])
    assert found["encoder"]["pooling"]["layer"] == layers["best"]
    assert {row["n"] for row in found["scores"]} == {7}
    assert f"layer {layers['best']} was chosen on the 6 dev lines of index.tsv" in printed.out
    (texts / "index.tsv").unlink()
    align(*words, "--layers", "2,0", "--seed", "5", "--keep", "float16")
    halves = json.loads((tmp_path / "layers.json").read_text())["layers"]
    assert (halves["chosen_on"], halves["layers"]) == ("a random half of the lines (seed 5)", [2, 0])
    dev, test = split_lines(14, seed=5)
    assert halves["curves"]["ell_Grek"] == pytest.approx([curve(test, "ell_Grek")[k] for k in (2, 0)])
    assert halves["dev"]["curves"]["ell_Grek"] == pytest.approx([curve(dev, "ell_Grek")[k] for k in (2, 0)])


def _pair(score):
    return score.queries, score.candidates


def sts_rows(seed, n=8):
    rng = np.random.default_rng(seed)
    words = ["".join(chr(97 + c) for c in rng.integers(0, 24, 5)) for _ in range(2 * n)]
    return "score\tsentence1\tsentence2\n" + "".join(f"{i % 5}\t{words[i]}\t{words[i + n]}\n" for i in range(n))


def test_layers_of_sts(align, bert_folder, tmp_path):
    folder = tmp_path / "sts"
    folder.mkdir()
    for seed, name in enumerate(["en.dev", "en.test", "de.test", "fr"]):
        (folder / f"{name}.tsv").write_text(sts_rows(seed))
    words = ("eval", bert_folder, f"sts={folder}", "--layers", "all", "--no-cache", "--out", "sts.json")
    align(*words)
    layers = json.loads((tmp_path / "sts.json").read_text())["layers"]
    assert layers["chosen_on"] == "the dev split of en"  # fr.tsv has no split: it is test, not dev
    assert (list(layers["dev"]["curves"]), list(layers["curves"])) == (["en"], ["de", "en", "fr"])
    encoder = load(bert_folder, layer=1)
    expected = sts(lambda given, _: encoder.encode(given), read_sts(folder))
    assert [layers["curves"][s.name][1] for s in expected.scores] == pytest.approx(
        [s.spearman for s in expected.scores]
    )
    align(*words, "--languages", "fr")
    layers = json.loads((tmp_path / "sts.json").read_text())["layers"]
    assert layers["chosen_on"] == "a random half of the pairs (seed 0)"
    one = read_sts(folder)["fr"]
    for side, curves in zip(split_lines(8), (layers["dev"]["curves"], layers["curves"]), strict=True):
        part = replace(
            one, scores=tuple(one.scores[i] for i in side), first=tuple(one.first[i] for i in side),
            second=tuple(one.second[i] for i in side),
        )  # fmt: skip
        expected = sts(lambda given, _: encoder.encode(given), {"fr": part})
        assert curves["fr"][1] == pytest.approx(expected.scores[0].spearman)


def test_layers_of_bli(align, bert_folder, tmp_path):
    words = {"eng_Latn": ["ab", "cd", "ef", "gh", "ij", "kl"], "deu_Latn": ["abz", "cdz", "efz", "ghz", "ijz", "klz"]}
    (tmp_path / "words").mkdir()
    for code, rows in words.items():
        (tmp_path / "words" / f"{code}.txt").write_text("\n".join(rows) + "\n")
    pairs = [*zip(*words.values(), strict=True), ("Ab", "cdz")]  # the same source word, but for case
    (tmp_path / "eng_Latn-deu_Latn.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs))
    align(
        "eval", bert_folder, "bli=eng_Latn-deu_Latn.tsv", "--set", "vocabulary=words", "--layers", "all",
        "--protocol", "vecmap", "--no-cache", "--out", "bli.json",
    )  # fmt: skip
    found = json.loads((tmp_path / "bli.json").read_text())
    assert found["layers"]["chosen_on"] == "a random half of the source words (seed 0)"
    assert list(found["layers"]["curves"]) == ["eng_Latn>deu_Latn"]
    from align.tasks import read_dictionary
    from align.tasks.bli import bli
    from align.tasks.task import Halving, task

    whole = read_dictionary(tmp_path / "eng_Latn-deu_Latn.tsv", ("eng_Latn", "deu_Latn"))

    def halves_of(one):
        return [part[0] for part in task("bli").halves((one, {}), Halving("", "", (), 0))[:2]]

    halves = halves_of(whole)
    assert sorted(halves[0].pairs + halves[1].pairs) == sorted(whole.pairs)
    assert not {s.lower() for s, _ in halves[0].pairs} & {s.lower() for s, _ in halves[1].pairs}
    capital = replace(whole, pairs=(("Berlin", "a"), ("Ab", "b"), ("ab", "c")))
    assert sorted(sum((half.pairs for half in halves_of(capital)), ())) == sorted(capital.pairs)
    encoder = load(bert_folder, layer=1)
    for half, curves in zip(halves, (found["layers"]["dev"]["curves"], found["layers"]["curves"]), strict=True):
        result = bli(lambda given, _: encoder.encode(given), half, *words.values(), protocol="vecmap")
        assert curves["eng_Latn>deu_Latn"][1] == pytest.approx(result.headline())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["seed", "mexa=nowhere"], "nowhere is no folder"),
        (["./nowhere", "mexa=texts"], "no such model folder"),
        (["seed", "mexa=texts", "--set", "pivot=fra_Latn"], "texts has no fra_Latn: expected it beside"),
        (["seed", "mexa=texts", "--languages", "fra_Latn"], "nothing could be scored: no text in fra_Latn"),
        (["seed", "mexa=texts", "--pooling", "max"], "unknown pooling 'max'"),
        (["seed", "mexa=texts", "--set", "accuracy=bad.json"], "bad.json: expected accuracies by task"),
        (["seed", "mexa=texts", "--set", "accuracy=high.json"], "the accuracy of arc is 82.0; expected 0 to 1"),
        (["seed", "mexa=texts", "--layers", "all"], "mexa is of no layer, or of all: a sweep needs another task"),
        (["seed", "texts", "--layers", "x"], "--layers x: expected all, or"),
        (["seed", "texts", "--layers", "9"], "layer 9 does not exist"),
        (["seed", "texts", "--layers", "all", "--keep", "ram"], "kept as disk or float16"),
        (["seed", "short", "--layers", "all"], "short/index.tsv has 1 rows, the texts have 2"),
        (["seed", "even", "--layers", "all"], "even/index.tsv has 0 dev and 2 test lines"),
        (
            ["seed", "texts", "--layers", "all", "--protocol", "glot500", "--layer", "2"],
            "protocol glot500 (changed) is of layer 2: a sweep over layers expects another",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(align, texts, tmp_path, words, sentence):
    (tmp_path / "bad.json").write_text('{"arc": "high"}')
    (tmp_path / "high.json").write_text('{"arc": 82}')
    for name, index in {"short": "1\ttest\ta\n", "even": "1\ttest\ta\n2\ttest\ta\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.tsv").write_text("id\tsplit\ttopic\n" + index)
        for code in ("eng_Latn", "deu_Latn"):
            (tmp_path / name / f"{code}.txt").write_text("a\nb\n")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    errors = align("eval", *words, "--no-cache", "--out", "result.json", code=2).err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before

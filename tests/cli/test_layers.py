from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_tokenizer

from align.tasks import read_aligned, read_sts
from align.tasks.layers import split_lines
from align.tasks.mexa.task import mexa
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


def test_mexa_of_an_encoder(align, bert_folder, texts, tmp_path):
    from align.encoders.layers import encode_layers

    (tmp_path / "accuracy.json").write_text('{"belebele": 0.5}')
    words = ("eval", "mexa", bert_folder, "--data", texts, "--n", "10", "--accuracy", "accuracy.json")
    printed = align(*words, "--pooling", "mean,cls", "--per-item", "--out", "mexa.json")
    encoder = load(bert_folder)
    expected = mexa(
        lambda lines, _: encode_layers(encoder, lines, kinds=["mean", "cls"]), read_aligned(texts), n=10,
        accuracy={"belebele": 0.5}, per_item=True,
    )  # fmt: skip
    assert printed.out == expected.table() + "\n"
    assert "chance 0.053; hidden_states[0..2], 3 layers" in printed.out
    found = json.loads((tmp_path / "mexa.json").read_text())
    assert found["model"] == str(bert_folder)
    assert found["encoder"] == encoder.identity() | {"poolings": ["mean", "cls"]}
    assert found["layers"]["curves"].keys() == {"deu_Latn", "ell_Grek"}
    assert found["headline"]["mexa"] == expected.headline() > 0
    alone = align(*words[:7], "--languages", "ell_Grek").out  # the pivot is read anyhow, the pooling is the encoder's
    assert "ell_Grek" in alone and "deu_Latn" not in alone and "pooling mean\n" in alone


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
    printed = align("eval", "mexa", "llama", "--data", texts, "--dtype", "bfloat16", "--out", "mexa.json")
    assert "pooling weighted, last" in printed.out
    found = json.loads((tmp_path / "mexa.json").read_text())
    assert found["encoder"]["dtype"] == "bfloat16" and len(found["scores"]) == 4
    refused = align("eval", "mexa", "llama", "--data", texts, "--no-special-tokens", code=2)
    assert "is a decoder-only model: its special tokens count" in refused.err


def test_mexa_of_sets_with_pivots_of_their_own(align, bert_folder, tmp_path):
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for letters, rows in {"deu": "abc\nde\nfg", "fra": "hi\nkl", "ita": "\n"}.items():
        (folder / f"tatoeba.{letters}-eng.{letters}").write_text(rows + "\n")
        (folder / f"tatoeba.{letters}-eng.eng").write_text(rows.replace("a", "b") + "\n")
    (folder / "tatoeba.ita-eng.ita").write_text("ab\ncd\n")
    printed = align("eval", "mexa", bert_folder, "--data", folder, "--out", "mexa.json")
    found = json.loads((tmp_path / "mexa.json").read_text())
    assert [(row["language"], row["n"]) for row in found["scores"]] == [("deu_Latn", 3), ("fra_Latn", 2)]
    assert found["missing"] == [{"name": "ita_Latn", "reason": "eng_Latn: all 2 lines are blank"}]
    assert "missing: ita_Latn: eng_Latn: all 2 lines are blank" in printed.out


def test_layers_of_retrieval_choose_on_the_dev_lines(align, bert_folder, texts, tmp_path):
    words = ("eval", "layers", bert_folder, "--task", "retrieval", "--data", texts, "--out", "layers.json")
    printed = align(*words)
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
    assert found["headline"] == {"P@1": pytest.approx(layers["mean"][layers["best"]])}
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
    words = ("eval", "layers", bert_folder, "--task", "sts", "--data", folder, "--out", "sts.json")
    align(*words)
    layers = json.loads((tmp_path / "sts.json").read_text())["layers"]
    assert layers["chosen_on"] == "the dev split of en"  # fr.tsv has no split: it is test, not dev
    assert (list(layers["dev"]["curves"]), list(layers["curves"])) == (["en"], ["de", "en", "fr"])
    encoder = load(bert_folder, layer=1)
    expected = sts(lambda given, _: encoder.encode(given), read_sts(folder), resamples=0)
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
        expected = sts(lambda given, _: encoder.encode(given), {"fr": part}, resamples=0)
        assert curves["fr"][1] == pytest.approx(expected.scores[0].spearman)


def test_layers_of_bli(align, bert_folder, tmp_path):
    words = {"eng_Latn": ["ab", "cd", "ef", "gh", "ij", "kl"], "deu_Latn": ["abz", "cdz", "efz", "ghz", "ijz", "klz"]}
    (tmp_path / "words").mkdir()
    for code, rows in words.items():
        (tmp_path / "words" / f"{code}.txt").write_text("\n".join(rows) + "\n")
    pairs = [*zip(*words.values(), strict=True), ("Ab", "cdz")]  # the same source word, but for case
    (tmp_path / "eng_Latn-deu_Latn.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs))
    align(
        "eval", "layers", bert_folder, "--task", "bli", "--data", "eng_Latn-deu_Latn.tsv", "--vocabulary", "words",
        "--protocol", "vecmap", "--out", "bli.json",
    )  # fmt: skip
    found = json.loads((tmp_path / "bli.json").read_text())
    assert found["layers"]["chosen_on"] == "a random half of the source words (seed 0)"
    assert list(found["layers"]["curves"]) == ["eng_Latn-deu_Latn"]
    from align.cli.layers import _half
    from align.tasks import read_dictionary
    from align.tasks.bli import bli

    whole = read_dictionary(tmp_path / "eng_Latn-deu_Latn.tsv", ("eng_Latn", "deu_Latn"))
    halves = [_half(whole, side, 0) for side in (0, 1)]
    assert sorted(halves[0].pairs + halves[1].pairs) == sorted(whole.pairs)
    assert not {s.lower() for s, _ in halves[0].pairs} & {s.lower() for s, _ in halves[1].pairs}
    capital = replace(whole, pairs=(("Berlin", "a"), ("Ab", "b"), ("ab", "c")))
    assert sorted(_half(capital, 0, 0).pairs + _half(capital, 1, 0).pairs) == sorted(capital.pairs)
    encoder = load(bert_folder, layer=1)
    for half, curves in zip(halves, (found["layers"]["dev"]["curves"], found["layers"]["curves"]), strict=True):
        result = bli(lambda given, _: encoder.encode(given), half, *words.values(), protocol="vecmap", resamples=0)
        assert curves["eng_Latn-deu_Latn"][1] == pytest.approx(result.headline())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mexa", "seed", "--data", "nowhere"], "nowhere is no folder"),
        (["mexa", "./nowhere", "--data", "texts"], "no such model folder"),
        (["mexa", "seed", "--data", "texts", "--pivot", "fra_Latn"], "no text in the pivot fra_Latn"),
        (["mexa", "seed", "--data", "texts", "--languages", "fra_Latn"], "no text in fra_Latn; available"),
        (["mexa", "seed", "--data", "texts", "--pooling", "mean,max"], "unknown pooling 'max'"),
        (["mexa", "seed", "--data", "texts", "--accuracy", "bad.json"], "bad.json: expected accuracies by task"),
        (
            ["mexa", "seed", "--data", "texts", "--accuracy", "high.json"],
            "the accuracy of arc is 82.0; expected 0 to 1",
        ),
        (
            ["layers", "seed", "--task", "qa", "--data", "texts"],
            "unknown task 'qa': expected one of retrieval, sts, bli",
        ),
        (["layers", "seed", "--task", "retrieval", "--data", "texts", "--layers", "x"], "--layers x: expected all, or"),
        (["layers", "seed", "--task", "retrieval", "--data", "texts", "--layers", "9"], "layer 9 does not exist"),
        (["layers", "seed", "--task", "retrieval", "--data", "texts", "--keep", "ram"], "kept as disk or float16"),
        (
            ["layers", "seed", "--task", "retrieval", "--data", "texts", "--data", "b"],
            "retrieval takes one --data, got 2",
        ),
        (["layers", "seed", "--task", "sts", "--data", "texts", "--protocol", "muse"], "sts has no protocols"),
        (["layers", "seed", "--task", "sts", "--data", "texts", "--candidates", "5"], "are of bli, not of sts"),
        (["layers", "seed", "--task", "retrieval", "--data", "short"], "short/index.tsv has 1 rows, the texts have 2"),
        (["layers", "seed", "--task", "retrieval", "--data", "even"], "even/index.tsv has 0 dev and 2 test lines"),
        (
            ["layers", "seed", "--task", "retrieval", "--data", "texts", "--protocol", "glot500"],
            "protocol glot500 is of layer 8: a sweep over layers expects another",
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
    errors = align("eval", *words, "--out", "result.json", code=2).err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before

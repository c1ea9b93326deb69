"""The encoder without torch gives what the other gives, and leaves to it what it does not know."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from encoder_folders import bert, xlmr
from safetensors.numpy import load_file, save_file

from align import InputError, Pooling, load_encoder, save_encoder, save_vectors
from align.cli.options.encoder_choice import EncoderChoice
from align.encoders.fallback import Fallback
from align.encoders.light import LightEncoder, gelu, light_encoder

TEXTS = ["αβγ δε", "", "abg de", "a", "z" * 200, "a\ud800b", "[MASK] a </s>", "\U0001f600"]


def same(folder, **options):
    light, whole = light_encoder(folder, **options), load_encoder(folder, device="cpu", **options)
    assert light.identity() == whole.identity()
    assert np.allclose(light.encode(TEXTS), whole.encode(TEXTS), atol=2e-6)
    assert light.encode([]).shape[0] == 0
    return light


@pytest.mark.parametrize("make", [bert, xlmr])
def test_of_a_folder_of_transformers(make, tmp_path):
    folder = make(tmp_path / "model")
    assert same(folder).encode(TEXTS).dtype == np.float32
    same(folder, prompt="ab ", max_tokens=9)


def test_of_seed():
    same("seed", prompt="query: ")


@pytest.mark.parametrize(
    "pooling",
    [Pooling(layer=1), Pooling(kind="cls"), Pooling(kind="weighted"), Pooling(special_tokens=False),
     Pooling(layer=1, kind="weighted", special_tokens=False)],
)  # fmt: skip
def test_of_a_folder_of_align(pooling, bert_folder, tmp_path):
    encoder = load_encoder(bert_folder, prompt="a ", max_tokens=20)
    encoder.pooling, encoder.unit = pooling, pooling.kind != "cls"
    save_encoder(encoder, tmp_path / "saved")
    assert same(tmp_path / "saved").prompt == "a "
    same(tmp_path / "saved", prompt="", max_tokens=5)


def test_weights_in_float16_are_computed_with_in_float32(bert_folder):
    file = bert_folder / "model.safetensors"
    save_file({name: value.astype(np.float16) for name, value in load_file(file).items()}, file, {"format": "pt"})
    same(bert_folder)


def test_gelu_by_hand():
    x = np.linspace(-6, 6, 1001, dtype=np.float32)
    expected = [value / 2 * (1 + math.erf(value / math.sqrt(2))) for value in x.tolist()]
    assert np.abs(gelu(x) - expected).max() < 5e-7


def changed(folder, file, **values):
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    "values",
    [{"model_type": "distilbert"}, {"hidden_act": "relu"}, {"is_decoder": True}, {"pad_token_id": None},
     {"position_embedding_type": "relative_key"}, {"num_hidden_layers": 3}],
)  # fmt: skip
def test_what_it_does_not_know_is_left(values, bert_folder):
    assert light_encoder(bert_folder) is not None
    changed(bert_folder, "config.json", **values)
    assert light_encoder(bert_folder) is None


def test_other_tokenizers_files_and_names_are_left(bert_folder, tmp_path):
    assert light_encoder("some/model") is None and light_encoder(tmp_path) is None
    whole = load_file(bert_folder / "model.safetensors")
    few = {name: value for name, value in whole.items() if "embeddings.word" not in name}
    table = whole["bert.embeddings.word_embeddings.weight"]
    for damaged in (few, few | {"bert.embeddings.word_embeddings.weight": table[:-1]}):
        save_file(damaged, bert_folder / "model.safetensors", {"format": "pt"})
        assert light_encoder(bert_folder) is None
    save_file(whole, bert_folder / "model.safetensors", {"format": "pt"})
    (bert_folder / "modules.json").write_text("[]")
    assert light_encoder(bert_folder) is None
    (bert_folder / "modules.json").unlink()
    changed(bert_folder, "tokenizer_config.json", tokenizer_class="BertJapaneseTokenizer")
    assert light_encoder(bert_folder) is None


def test_what_else_align_saves_is_left(bert_folder, tmp_path):
    for name, change in {
        "average": lambda one: setattr(one, "pooling", Pooling(average_layers=True)),
        "fallback": lambda one: setattr(one, "fallback", Fallback(("Tibt",))),
    }.items():
        encoder = load_encoder(bert_folder)
        change(encoder)
        save_encoder(encoder, tmp_path / name)
        assert light_encoder(tmp_path / name) is None


def test_the_command_line_takes_it_where_nothing_else_is_asked(bert_folder):
    plain = EncoderChoice(str(bert_folder), prompt="a ", max_tokens=9)
    for choice in (plain, replace(plain, device="cpu")):
        assert isinstance(choice.for_few(), LightEncoder)
        assert choice.for_few().identity() == choice.load().identity()
    for more in ({"layer": 1}, {"pooling": "cls"}, {"bf16": True}, {"attention": "padded"}, {"special_tokens": False}):
        assert not isinstance(replace(plain, **more).for_few(), LightEncoder)
    with pytest.raises(InputError, match="one string"):
        plain.for_few().encode("a")


def test_a_search_needs_no_torch(tmp_path):
    encoder = light_encoder("seed")
    texts = ["В начале было Слово", "Слово было Бог"]
    save_vectors(tmp_path / "v", ["a", "b"], encoder.encode(texts), texts=texts, encoder=encoder.identity())
    code = (
        "import sys\nfrom align.cli import main\nsys.argv = ['align', '-q', 'search', 'seed', 'v', *sys.argv[1:]]\n"
        "try: main()\nfinally: print(sorted({'torch', 'transformers', 'scipy', 'datasets'} & set(sys.modules)))"
    )
    words = ["В начале было Слово", "-k", "1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [words[0], "  1. 1.000  a    В начале было Слово", "[]"]

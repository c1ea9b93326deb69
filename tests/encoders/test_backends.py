"""Encoding in another runtime against encoding in torch. A stand-in for the runtimes serves where none is installed."""

from __future__ import annotations

import copy
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from sentence_transformers.sentence_transformer.modules import Dense
from transformers import BertConfig, BertModel, GPT2Config, XLMRobertaConfig, XLMRobertaModel

from align.encoders import exported_graph
from align.encoders.backends import ExportedEncoder, load_backend
from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.exported_graph import NEEDED, Graph, exported, graph_key, has_bf16, sample
from align.encoders.pooling import Pooling
from align.encoders.words import word_encoder
from align.errors import InputError

TEXTS = ["abc", "", "αβγδ abc de", "the quick brown fox jumps over the lazy dog " * 3, "z", "abc"]
INSTALLED = {backend: all(map(find_spec, packages)) for backend, packages in NEEDED.items()}


def two_types(layers=2):
    """A BERT whose states depend on the types of tokens."""
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer()), hidden_size=16, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, type_vocab_size=2, initializer_range=0.3,
    )  # fmt: skip
    return BertModel(config).eval()


def roberta():
    """An XLM-R, whose positions are counted from its padding."""
    torch.manual_seed(2)
    config = XLMRobertaConfig(
        vocab_size=len(tiny_tokenizer()), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=66, pad_token_id=0, type_vocab_size=1, initializer_range=0.3,
    )  # fmt: skip
    return XLMRobertaModel(config).eval()


def saved(model, folder):
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    made = {"bert": tiny_bert(), "types": two_types(), "roberta": roberta()}
    return {name: saved(model, root / name) for name, model in made.items()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Graphs are made once for all tests."""
    return tmp_path_factory.mktemp("exports")


def needs(backend):
    if not INSTALLED[backend]:
        pytest.skip(f"pip install 'align-encoders[{backend}]'")


@pytest.fixture
def stand_in(monkeypatch):
    """A backend that runs a copy of the model in torch; the list gets one item for each graph that is made."""
    graphs, made = {}, []

    def write(encoder, path):
        path.write_bytes(b"graph")
        made.append(copy.deepcopy(encoder))
        graphs["last"] = Graph(made[-1])

    def run(path, backend, *, bf16=False):
        graph = graphs["last"]
        return lambda inputs: graph(*map(torch.from_numpy, inputs)).detach().numpy()

    monkeypatch.setattr("align.encoders.backends.find_spec", lambda name: name)
    monkeypatch.setattr(exported_graph, "version", lambda package: "1")
    monkeypatch.setattr(exported_graph, "write_graph", write)
    monkeypatch.setattr(exported_graph, "open_graph", run)
    monkeypatch.setattr("align.encoders.backends.open_graph", run)
    return made


def same(found, expected, *, cosine=0.99999, most=1e-4):
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    some = norms > 0  # a text without tokens that count has the vector 0
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < most
    assert ((found * expected).sum(1)[some] / norms[some]).min() > cosine


@pytest.mark.parametrize("backend", NEEDED)
@pytest.mark.parametrize("model", ["types", "roberta"])
def test_vectors_are_those_of_torch(backend, model, folders, cache):
    needs(backend)
    there = load_backend(folders[model], backend, cache=cache)
    here = load_encoder(folders[model])
    same(there.encode(TEXTS), here.encode(TEXTS))
    same(there.encode(TEXTS, batch_tokens=1, max_tokens=9), here.encode(TEXTS, max_tokens=9))
    assert there.identity() == here.identity()


@pytest.mark.parametrize("backend", NEEDED)
def test_a_text_without_tokens_gets_no_nan(backend, folders, cache):
    needs(backend)
    there = load_backend(folders["types"], backend, cache=cache)
    ids, attention = there.pad([[2, 5, 3], [0, 0, 0]])
    attention[1] = 0
    vectors = there(ids, attention)
    assert vectors.isfinite().all()
    torch.testing.assert_close(vectors[:1], there(ids[:1], attention[:1]))


@pytest.mark.parametrize("backend", NEEDED)
def test_an_average_of_layers(backend, folders, cache):
    needs(backend)
    options = {"layer": 1, "average_layers": True}
    there = load_backend(folders["types"], backend, cache=cache, **options)
    same(there.encode(TEXTS), load_encoder(folders["types"], **options).encode(TEXTS))


@pytest.mark.parametrize("backend", NEEDED)
def test_words_with_glosses_bring_types_of_tokens(backend, folders, cache):
    needs(backend)
    glosses = {"abc": "the first letters"}
    words = ["abc", "zebra"]
    there, here = load_backend(folders["types"], backend, cache=cache), load_encoder(folders["types"])
    given = [word_encoder(one, glosses=glosses)(words, "eng_Latn") for one in (there, here)]
    same(*given)


def test_bfloat16_is_near(folders, cache):
    needs("openvino")
    if not has_bf16("openvino"):
        pytest.skip("this CPU has no bfloat16")
    expected = load_encoder(folders["types"]).encode(TEXTS)
    found = load_backend(folders["types"], "openvino", bf16=True, cache=cache).encode(TEXTS)
    same(found, expected, cosine=0.999, most=0.05)
    assert np.abs(found - expected).max() > 1e-5  # else it was float32


def test_openvino_is_kept_from_its_telemetry(folders, cache):
    needs("openvino")
    load_backend(folders["types"], "openvino", cache=cache)
    assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"kind": "cls"}, {"kind": "weighted", "special_tokens": False}, {"layer": 1}, {"prompt": "abc "},
        {"layer": 2, "average_layers": True}, {"max_tokens": 5}, {"special_tokens": False},
    ],
)  # fmt: skip
def test_everything_around_the_graph_is_the_encoders_own(options, folders, tmp_path, stand_in):
    there = load_backend(folders["types"], "onnx", cache=tmp_path, **options)
    here = load_encoder(folders["types"], **options)
    expected = here.encode(TEXTS)
    same(there.encode(TEXTS), expected)
    same(there.encode(TEXTS, batch_tokens=1), expected)
    same(there.encode(TEXTS, deterministic=True), expected)
    same(there.encode(TEXTS, raw=True), here.encode(TEXTS, raw=True))
    half = np.zeros(expected.shape, dtype=np.float16)
    assert there.encode(TEXTS, out=half) is half
    np.testing.assert_allclose(half, expected, atol=1e-3)
    assert there.encode([]).shape == (0, 16)
    assert there.tokenize(TEXTS) == here.tokenize(TEXTS)
    assert (there.identity(), there.dimension, there.name) == (here.identity(), here.dimension, here.name)
    assert there.attention_in_use() == "padded (onnx)"


@pytest.mark.parametrize("unit", [True, False])
def test_modules_after_the_pooling_stay(unit, tmp_path, stand_in):
    tail = [Dense(16, 5)]
    here = Encoder(two_types(), tiny_tokenizer(), Pooling(), tail=tail, unit=unit).eval()
    expected = here.encode(TEXTS)
    there = ExportedEncoder(here, "onnx", bf16=False, cache=tmp_path)
    same(there.encode(TEXTS), expected)
    assert there.dimension == 5


def test_types_reach_the_graph(folders, tmp_path, stand_in):
    there, here = load_backend(folders["types"], "onnx", cache=tmp_path), load_encoder(folders["types"])
    ids, attention = here.pad(here.tokenize(["abc def", "z"]))
    types = torch.arange(ids.shape[1])[None].expand_as(ids) % 2
    expected = here.hidden(ids, attention, types=types).layer
    assert not torch.allclose(expected, here.hidden(ids, attention).layer, atol=1e-3)
    torch.testing.assert_close(
        there.hidden(ids, attention, types=types).layer[attention.bool()], expected[attention.bool()]
    )


def test_the_weights_are_given_up(folders, tmp_path, stand_in):
    there = load_backend(folders["bert"], "onnx", cache=tmp_path)
    assert {parameter.device.type for parameter in there.model.parameters()} == {"meta"}
    assert there.device.type == "cpu"
    assert there.layer == 2


def test_a_graph_is_made_once_for_all_poolings(folders, tmp_path, stand_in):
    for options in ({}, {"kind": "cls"}, {"prompt": "x"}, {"special_tokens": False}):
        load_backend(folders["bert"], "onnx", cache=tmp_path, **options)
    assert len(stand_in) == 1
    load_backend(folders["bert"], "onnx", cache=tmp_path, layer=1)
    load_backend(folders["bert"], "onnx", cache=tmp_path, layer=1, average_layers=True)
    load_backend(folders["bert"], "openvino", cache=tmp_path)
    assert len(stand_in) == len(list(tmp_path.iterdir())) == 4


def test_the_users_cache_is_the_default(folders, stand_in, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_backend(folders["bert"], "onnx")
    assert len(list((tmp_path / "align" / "exports").glob("*/graph.onnx"))) == 1


def test_the_key_is_of_what_decides_the_graph(monkeypatch):
    monkeypatch.setattr(exported_graph, "version", lambda package: "1")

    def key(backend="onnx", **changes):
        model = two_types()
        for name, value in changes.items():
            setattr(model.config, name, value)
        return graph_key(Encoder(model, tiny_tokenizer(), Pooling()), backend)

    assert key() == key(_name_or_path="elsewhere")
    assert len({key(), key("openvino"), key(layer_norm_eps=1e-5), key(num_attention_heads=4)}) == 4
    before = key()
    monkeypatch.setattr(exported_graph, "version", lambda package: "2" if package == "torch" else "1")
    assert key() != before


@pytest.mark.parametrize("wrong", [lambda x: x + 1, lambda x: x * np.nan, lambda x: -x])
def test_a_graph_that_says_something_else_is_refused_and_not_kept(wrong, folders, tmp_path, stand_in, monkeypatch):
    right = exported_graph.open_graph
    monkeypatch.setattr(
        exported_graph, "open_graph", lambda *given, **named: lambda x: wrong(right(*given, **named)(x))
    )
    with pytest.raises(
        InputError, match=r"^backend onnx does not give the states of BertModel that torch gives"
    ) as error:
        load_backend(folders["types"], "onnx", cache=tmp_path / "exports")
    assert str(error.value).endswith("): use torch")
    assert not list(tmp_path.glob("exports/*"))


def test_exporting_leaves_the_encoder_as_it_was(folders, tmp_path, stand_in):
    encoder = load_encoder(folders["bert"], layer=1)
    expected = encoder.encode(TEXTS)
    path = exported(encoder, "onnx", tmp_path)
    assert path.read_bytes() == b"graph"
    assert (encoder.attention, encoder.training, len(encoder.body.encoder.layer)) == ("auto", False, 2)
    np.testing.assert_array_equal(encoder.encode(TEXTS), expected)
    assert len(stand_in[0].body.encoder.layer) == 1  # cut after the layer that is pooled


def test_the_sample_has_padding_only_where_no_text_is():
    encoder = Encoder(roberta(), tiny_tokenizer(), Pooling())
    ids, attention = sample(encoder, [64, 1])
    assert attention.sum(1).tolist() == [64, 1]
    assert ((ids != encoder.tokenizer.pad_token_id) == attention.bool()).all()
    assert len(sample(Encoder(two_types(), tiny_tokenizer(), Pooling()), [4, 2])) == 3


def test_only_encoding(folders, tmp_path, stand_in):
    there = load_backend(folders["bert"], "onnx", cache=tmp_path)
    ids, attention = there.pad(there.tokenize(["abc"]))
    for options in ({"head": True}, {"positions": torch.zeros_like(ids)}):
        with pytest.raises(InputError, match="^backend onnx encodes only: training needs torch$"):
            there.hidden(ids, attention, **options)


def test_what_cannot_be_had_is_said(folders, tmp_path, monkeypatch):
    def said(*given, **options):
        with pytest.raises(InputError) as error:
            load_backend(*given, cache=tmp_path / "exports", **options)
        return str(error.value)

    bert = folders["bert"]
    assert said(bert, "tensorrt") == "unknown backend 'tensorrt': expected torch, openvino or onnx"
    monkeypatch.setattr("align.encoders.backends.find_spec", lambda name: None if name == "onnxscript" else name)
    for backend in NEEDED:
        assert said(bert, backend) == f"backend {backend} is not installed: pip install 'align-encoders[{backend}]'"
    monkeypatch.setattr("align.encoders.backends.find_spec", lambda name: name)
    assert said(bert, "onnx", device="cuda") == "backend onnx runs on the CPU, got device 'cuda': use torch on a GPU"
    assert said(bert, "onnx", bf16=True) == "backend onnx has no bfloat16 on a CPU"
    monkeypatch.setattr("align.encoders.backends.has_bf16", lambda backend: False)
    assert said(bert, "openvino", bf16=True) == "backend openvino has no bfloat16 for this CPU"
    GPT2Config().save_pretrained(tmp_path / "gpt2")
    assert said(tmp_path / "gpt2", "onnx") == (
        f"{tmp_path / 'gpt2'} is a decoder-only model: backend onnx runs encoders"
    )
    assert said(tmp_path / "none", "onnx") == f"no such model folder: {tmp_path / 'none'}"
    assert not (tmp_path / "exports").exists()

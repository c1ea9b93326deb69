"""A mixture of adapters: its formula, what the text decides, how it is saved, and who refuses it."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from align.encoders.checkpoint import load_encoder
from align.encoders.merging.merge import merge
from align.encoders.mixture.layers import (
    Gates,
    MixedLinear,
    Mixture,
    MixtureOptions,
    add_mixture,
    entropy,
    load_balance,
    mixture_of,
    weights_of,
    without_mixture,
)
from align.encoders.mixture.report import routing
from align.encoders.route import refuse_route
from align.encoders.saving import save_encoder
from align.errors import InputError

TEXTS = ["ab", "wxyz abc", "q", "hello there"]
MODULES = tuple(f"encoder.layer.{i}.attention.self.{name}" for i in (0, 1) for name in ("query", "value"))


def options(**changes):
    return MixtureOptions(**{"modules": MODULES, "experts": 3, "rank": 2, "alpha": 6.0, "top": 0} | changes)


def mixed(folder, **changes):
    """With adapters that are not 0, and a router that tells texts apart."""
    encoder = load_encoder(folder)
    torch.manual_seed(0)
    made = add_mixture(encoder, options(**changes))
    for name, parameter in encoder.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, std=0.5)
    table = encoder.body.get_input_embeddings()
    one, other = (table(encoder.pad(encoder.tokenize([text]))[0])[0].mean(0).detach() for text in ("ab", "wxyz"))
    both = torch.linalg.pinv(torch.stack([one, other]))  # (D, 2): logits of 4 for one's own text, 0 for the other
    made.lora_router.weight.data = 4 * torch.cat([both.T, 0 * both.T[:1]])
    return encoder.eval(), made


def test_the_formula():
    torch.manual_seed(0)
    base, gates = nn.Linear(4, 3), Gates()
    layer = MixedLinear(base, gates, options(experts=2, rank=2, alpha=6.0))
    x, g = torch.randn(2, 5, 4), torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    gates.tokens = g[:, None]
    assert torch.equal(layer(x), base(x))  # B is 0
    nn.init.normal_(layer.lora_B)
    expected = base(x).detach().clone()
    for text in range(2):
        for i in range(2):
            a, b = layer.lora_A[2 * i : 2 * i + 2], layer.lora_B[:, 2 * i : 2 * i + 2]
            expected[text] += 6 / 2 * g[text, i] * (x[text] @ a.T @ b.T)
    assert torch.allclose(layer(x), expected, atol=1e-5)
    gates.tokens = None
    with pytest.raises(RuntimeError, match="run it through its Encoder"):
        layer(x)


def test_gradients_reach_adapters_and_router():
    torch.manual_seed(0)
    made = Mixture(options(experts=2), 4).double()
    layer = MixedLinear(nn.Linear(4, 3).double(), made.gates, options(experts=2))
    nn.init.normal_(layer.lora_B)
    words, attention = torch.randn(2, 5, 4).double(), torch.ones(2, 5)
    weights = [made.lora_router.weight, layer.lora_A, layer.lora_B]

    def run(*_):
        made.read(words, attention, None)
        return layer(words)

    assert torch.autograd.gradcheck(run, weights)


def test_what_is_left_out_has_no_weight():
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    weights = weights_of(logits, top=2)
    below = math.exp(3) + math.exp(2)
    assert weights.tolist() == [pytest.approx([0.0, math.exp(3) / below, math.exp(2) / below])]
    assert weights[0, 0] == 0
    assert torch.equal(weights_of(logits), logits.softmax(1)) and torch.equal(
        weights_of(logits, top=3), logits.softmax(1)
    )


def test_load_balance_by_hand():
    alike = torch.tensor([[0.75, 0.25], [0.25, 0.75]])
    assert load_balance(alike).item() == pytest.approx(1.0)
    assert load_balance(torch.tensor([[1.0, 0.0]] * 3)).item() == 2.0
    some = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], requires_grad=True)
    loss = load_balance(some)
    assert loss.item() == pytest.approx(2 * (2 / 3 * 0.6 + 1 / 3 * 0.4))
    loss.backward()
    assert torch.allclose(some.grad, torch.tensor([[4 / 9, 2 / 9]] * 3))


def test_entropy():
    assert entropy([0.5, 0.5]) == pytest.approx(math.log(2)) and entropy([1.0, 0.0]) == 0


def test_the_router_reads_a_text_and_not_its_padding():
    made = Mixture(options(experts=2), 4)
    words = torch.randn(1, 3, 4)
    alone = made.read(words[:, :2], torch.ones(1, 2), None)
    assert torch.allclose(made.read(words, torch.tensor([[1, 1, 0]]), None), alone)
    assert torch.allclose(alone, (words[:, :2].mean(1) @ made.lora_router.weight.T).softmax(1))


@pytest.mark.parametrize("top", [0, 1])
def test_packed_is_padded_and_no_text_depends_on_others(bert_folder, top):
    encoder, _ = mixed(bert_folder, top=top)
    assert encoder.packs
    together = encoder.encode(TEXTS)
    plain = load_encoder(bert_folder).encode(TEXTS)
    assert np.abs(together - plain).max() > 0.05
    assert np.abs(np.concatenate([encoder.encode([text]) for text in TEXTS]) - together).max() < 1e-5
    encoder.attention = "padded"
    assert np.abs(encoder.encode(TEXTS) - together).max() < 1e-5


def test_texts_are_read_by_different_adapters(bert_folder):
    encoder, made = mixed(bert_folder, top=1)
    ids, attention = encoder.pad(encoder.tokenize(["ab", "wxyz"]))
    first, second = made.read(encoder.body.get_input_embeddings()(ids), attention, None).argmax(1).tolist()
    assert first != second


def test_it_starts_as_the_encoder_was(bert_folder):
    encoder = load_encoder(bert_folder)
    before = encoder.encode(TEXTS)
    add_mixture(encoder, options())
    assert np.abs(encoder.eval().encode(TEXTS) - before).max() < 1e-6


def test_saved_and_loaded(bert_folder, tmp_path):
    encoder, made = mixed(bert_folder, top=2)
    before, plain = encoder.encode(TEXTS), load_encoder(bert_folder)
    save_encoder(encoder, tmp_path / "out")
    again = load_encoder(tmp_path / "out")
    assert np.array_equal(again.encode(TEXTS), before) and np.array_equal(encoder.encode(TEXTS), before)
    assert mixture_of(again.body).options == made.options
    assert again.fingerprint() == encoder.fingerprint() != plain.fingerprint()
    assert np.array_equal(load_encoder(tmp_path / "out" / "base").encode(TEXTS), plain.encode(TEXTS))
    assert "align.load_encoder('out')" in (tmp_path / "out" / "README.md").read_text()
    save_encoder(again, tmp_path / "out")  # over an older one
    assert not (tmp_path / "out" / "modules.json").exists()  # plain sentence-transformers finds nothing to load
    from sentence_transformers import SentenceTransformer

    with pytest.raises((OSError, ValueError)):
        SentenceTransformer(str(tmp_path / "out"))


def test_a_copy_has_gates_of_its_own(bert_folder):
    encoder, _ = mixed(bert_folder)
    other = copy.deepcopy(encoder)
    expected = encoder.encode(TEXTS[:1])
    other.encode(TEXTS[1:2])
    assert np.array_equal(encoder.encode(TEXTS[:1]), expected)
    layer = other.body.encoder.layer[0].attention.self.query
    assert layer.gates is other.body.mixture.gates is not encoder.body.mixture.gates


def test_damaged_weights_are_told(bert_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    encoder, _ = mixed(bert_folder)
    save_encoder(encoder, tmp_path / "out")
    file = tmp_path / "out" / "mixture.safetensors"
    weights = load_file(file)
    from align.encoders.mixture.folder import put_mixture

    for change, message in (
        ({"mixture.lora_router.weight": None}, "lacks mixture.lora_router.weight"),
        ({"mixture.lora_other": torch.zeros(1)}, "has an unknown mixture.lora_other"),
        ({"mixture.lora_router.weight": torch.zeros(2, 2)}, r"of the shape \(3, 16\), got \(2, 2\)"),
    ):
        save_file({name: value for name, value in (weights | change).items() if value is not None}, file)
        settings = {"modules": list(MODULES), "experts": 3, "rank": 2, "alpha": 6.0, "top": 0}
        with pytest.raises(InputError, match=message):
            put_mixture(load_encoder(bert_folder), tmp_path / "out", settings)


def test_who_cannot_hold_it_says_so(bert_folder, tmp_path):
    encoder, _ = mixed(bert_folder)
    save_encoder(encoder, tmp_path / "out")
    with pytest.raises(InputError, match=r"mixture of adapters, .* cannot be merged: give merge an encoder without"):
        merge([tmp_path / "out", tmp_path / "out"], tmp_path / "merged")
    from align.encoders.trimming import trim

    with pytest.raises(InputError, match="cannot be merged: give trim"):
        trim(tmp_path / "out", [tmp_path / "out" / "README.md"], tmp_path / "small")
    with pytest.raises(InputError, match="cannot be merged: give backend onnx an encoder without"):
        refuse_route(encoder, "backend onnx")
    with without_mixture(encoder):
        assert mixture_of(encoder.body) is None
        assert np.array_equal(encoder.encode(TEXTS), load_encoder(bert_folder).encode(TEXTS))
    assert mixture_of(encoder.body) is not None


def test_no_such_module(bert_folder):
    with pytest.raises(InputError, match="BertModel has no linear module encoder.layer.0.output"):
        add_mixture(load_encoder(bert_folder), options(modules=("encoder.layer.0.output",)))


def test_who_reads_what(bert_folder):
    encoder, made = mixed(bert_folder, top=1)
    texts = {"eng_Latn": ["ab"] * 3, "deu_Latn": ["wxyz"]}
    found = routing(encoder, texts)
    assert found["purity"] == 1.0 and found["purity_of_one"] == 0.75
    assert found["languages"]["eng_Latn"]["entropy"] == 0 and sum(found["languages"]["eng_Latn"]["weights"]) == 1
    made.lora_router.weight.data.zero_()
    made.options = options()
    even = routing(encoder, texts)
    assert even["languages"]["deu_Latn"]["entropy"] == pytest.approx(math.log(3), abs=1e-4)
    assert even["purity"] == even["purity_of_one"] == 0.75
    with pytest.raises(InputError, match="no text in fra_Latn"):
        routing(encoder, {"fra_Latn": []})
    with pytest.raises(InputError, match="has no mixture of adapters"):
        routing(load_encoder(bert_folder), texts)

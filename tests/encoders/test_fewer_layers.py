"""``align.trim(layers=...)``: a student of some layers of its teacher, whole in every form that it is saved in."""

import json

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForMaskedLM, ModernBertConfig, ModernBertModel, T5Config, T5EncoderModel

import align
from align.encoders.blocks import blocks, even_layers, some_blocks
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.encoders.trimming import trim, with_layers
from align.encoders.weights import with_blocks
from align.errors import InputError

TEXTS = ["abc", "de fg", "alpha"]


def deep(layers=6, **pooling):
    return Encoder(tiny_bert(layers), tiny_tokenizer(), Pooling(**pooling), prompt="ab")


def states(model, ids):
    with torch.no_grad():
        return model.base_model(torch.tensor([ids]), output_hidden_states=True).hidden_states


@pytest.mark.parametrize(
    ("count", "depth", "layers"),
    [(4, 12, [3, 6, 9, 12]), (5, 12, [3, 5, 8, 10, 12]), (1, 6, [6]), (3, 3, [1, 2, 3]), (2, 5, [3, 5])],
)
def test_layers_are_spread_evenly_up_to_the_last(count, depth, layers):
    assert even_layers(count, depth) == layers


@pytest.mark.parametrize(("asked", "kept"), [(3, [2, 4, 6]), ([1, 2, 5], [1, 2, 5]), ([6], [6]), (6, [*range(1, 7)])])
def test_its_blocks_are_the_teachers_one_after_the_other(asked, kept):
    teacher = deep()
    student, chosen = with_layers(teacher, asked)
    assert chosen == kept and student.depth == len(kept) == student.model.config.num_hidden_layers
    assert (student.prompt, student.pooling, student.max_tokens) == (
        teacher.prompt,
        teacher.pooling,
        teacher.max_tokens,
    )
    ids = [2, 5, 6, 7, 3]
    state = states(teacher.model, ids)[0]
    assert torch.equal(state, states(student.model, ids)[0])  # the embeddings
    for k, block in zip(kept, blocks(student.model), strict=True):
        assert block is not blocks(teacher.model)[k - 1]
        with torch.no_grad():
            state = blocks(teacher.model)[k - 1](state)
    torch.testing.assert_close(states(student.model, ids)[-1], state, atol=1e-6, rtol=1e-6)


def test_it_shares_no_weight_with_its_teacher():
    teacher = deep()
    before = teacher.encode(TEXTS)
    student, _ = with_layers(teacher, 2)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    assert np.array_equal(teacher.encode(TEXTS), before)


def test_the_saved_folder_is_the_same_student_for_all(tmp_path):
    teacher = deep()
    about = trim(teacher, [], tmp_path / "small", layers=[2, 4, 6])
    student, _ = with_layers(teacher, 3)
    expected = student.encode(TEXTS)
    saved = align.load_encoder(tmp_path / "small")
    assert np.array_equal(saved.encode(TEXTS), expected) and saved.prompt == "ab"
    plain = SentenceTransformer(str(tmp_path / "small"), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(plain, expected, atol=1e-6)
    headed = AutoModelForMaskedLM.from_pretrained(tmp_path / "small" / "masked_lm")
    ids = torch.tensor([[2, 5, 4, 7, 3]])
    with torch.no_grad():
        assert torch.equal(headed(ids).logits, student.model(ids).logits)
    for head, of_teacher in zip(headed.cls.parameters(), teacher.model.cls.parameters(), strict=True):
        assert torch.equal(head, of_teacher)
    assert about["layers"] == {"before": 6, "after": 3, "kept": [2, 4, 6]} and "pieces" not in about
    block = sum(parameter.numel() for parameter in blocks(teacher.model)[0].parameters())
    assert about["parameters"]["before"] - about["parameters"]["after"] == 3 * block
    kept = json.loads((tmp_path / "small" / "align.json").read_text())["trimmed"]
    assert kept["layers"]["kept"] == [2, 4, 6] and kept["of"]["fingerprint"] == teacher.fingerprint()


def test_a_pooled_layer_moves_with_its_number(tmp_path):
    teacher = deep(layer=4)
    student, _ = with_layers(teacher, [2, 4, 6])
    assert student.pooling.layer == 2 and student.layer == 2
    with some_blocks(teacher.model, [2, 4]):
        expected = states(teacher.model, teacher.tokenize(TEXTS)[0])[-1].mean(1)
    np.testing.assert_allclose(student.encode(TEXTS, raw=True)[0], expected[0], atol=1e-6)
    trim(teacher, [], tmp_path / "small", layers=[2, 4, 6])
    saved = align.load_encoder(tmp_path / "small")
    assert saved.pooling.layer == 2 and saved.depth == 3  # the head's own layer is there, too
    with pytest.raises(InputError, match=r"pools layer 4, which is not among the layers 3, 6: name those to keep"):
        with_layers(teacher, 2)
    averaged, _ = with_layers(deep(average_layers=True), 3)
    assert averaged.pooling.average_layers and averaged.layer == 3


def test_pieces_and_layers_go_together(tmp_path):
    (tmp_path / "eng_Latn.txt").write_text("abc\ncab\n")
    teacher = deep()
    about = trim(teacher, [tmp_path / "eng_Latn.txt"], tmp_path / "small", layers=2)
    assert about["pieces"]["after"] == 31 and about["layers"]["kept"] == [3, 6] and about["lines"] == 2
    small = align.load_encoder(tmp_path / "small")
    assert np.array_equal(small.encode(["abc"]), with_layers(teacher, 2)[0].encode(["abc"]))


def small(kind, config, **more):
    return kind(config(vocab_size=20, num_hidden_layers=4, **more)).eval()


def test_blocks_that_differ_are_refused_or_keep_their_kind():
    ends = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    modern = small(ModernBertModel, ModernBertConfig, **sizes, **ends)
    with pytest.raises(InputError, match=r"blocks of ModernBertModel are not alike, so that 2, 4 alone .*attn_norm"):
        with_blocks(modern, [2, 4])
    assert with_blocks(modern, [1, 4]).config.layer_types == [modern.config.layer_types[i] for i in (0, 3)]
    t5 = small(T5EncoderModel, T5Config, d_model=8, d_kv=4, d_ff=8, num_heads=2)
    with pytest.raises(InputError, match=r"T5EncoderModel are not alike, .*relative_attention_bias"):
        with_blocks(t5, [2, 4])


@pytest.mark.parametrize("layers", [0, 7, -1])
def test_a_number_that_does_not_exist(layers):
    with pytest.raises(InputError, match=f"layers must be 1 to 6, those that the encoder has, got {layers}"):
        with_layers(deep(), layers)


@pytest.mark.parametrize("layers", [[], [0, 3], [3, 7], [3, 3], [4, 2]])
def test_layers_that_do_not_exist(layers):
    with pytest.raises(InputError, match="expected layers from 1 to 6, each once and in their order"):
        with_layers(deep(), layers)


def test_neither_text_nor_layers(tmp_path):
    for more in (
        {},
        {"layers": 2, "scripts": ["Deva"]},
        {"layers": 2, "min_count": 5},
        {"layers": 2, "held_out": ["x"]},
    ):
        with pytest.raises(InputError, match="no file of text"):
            trim(deep(), [], tmp_path / "small", **more)
    assert not (tmp_path / "small").exists()


def test_the_verb(align, bert_folder, tmp_path):
    printed = json.loads(align("trim", bert_folder, "--layers", "1", "--out", "small").out)
    assert printed["layers"] == {"before": 2, "after": 1, "kept": [2]}
    printed = json.loads(align("trim", bert_folder, "--layers", "1,2", "--out", "same").out)
    assert printed["layers"]["kept"] == [1, 2]
    told = align("trim", bert_folder, "--layers", "1,b", "--out", "no", code=2).err
    assert "--layers needs a number, or numbers such as 3,6,9,12, got '1,b'" in told
    assert "no file of text" in align("trim", bert_folder, "--out", "no", code=2).err
    assert not (tmp_path / "no").exists()

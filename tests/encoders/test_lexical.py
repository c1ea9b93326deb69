"""Lexical vectors of an encoder, against the whole logits of its own masked-LM model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.lexical.encoding import encode_both
from align.encoders.lexical.head import head_of, lexical_identity, term_names
from align.encoders.lexical.settings import Lexical
from align.encoders.pooling import Pooling
from align.encoders.saving import save_encoder
from align.errors import InputError

TEXTS = ["abc", "", "αβγδε", "zz", "a" * 70]


@pytest.fixture
def encoder() -> Encoder:
    return Encoder(tiny_bert(), tiny_tokenizer(), Pooling(layer=1)).eval()


def weights_by_definition(encoder: Encoder, text: str, activation: str = "relu", skip: int = 0) -> np.ndarray:
    """(V,) of one text, 0 at the special tokens, from the model as transformers has it."""
    (ids,) = encoder.tokenize([text])
    with torch.no_grad():
        logits = encoder.model(input_ids=torch.tensor([ids])).logits[0, 1 + skip : -1].double().numpy()
    z = logits.max(axis=0, initial=-np.inf)
    made = np.log1p(np.maximum(0, z)) if activation == "relu" else np.where(z > 0, z + 1, np.exp(np.minimum(z, 0)))
    made[:5] = 0
    return made


@pytest.mark.parametrize("activation", ["relu", "elu"])
@pytest.mark.parametrize("batch_tokens", [None, 8])
def test_rows_are_unit_ones_without_their_light_terms(encoder: Encoder, activation: str, batch_tokens: int) -> None:
    encoder.lexical = Lexical(activation=activation)
    found = encoder.sparse(TEXTS, batch_tokens=batch_tokens).toarray()
    assert found.shape == (5, len(encoder.tokenizer)) and found.dtype == np.float32
    least = (len(encoder.tokenizer) - 5) ** -0.5
    for row, text in zip(found, TEXTS, strict=True):
        weights = weights_by_definition(encoder, text, activation)
        units = weights / max(np.linalg.norm(weights), 1e-12)
        np.testing.assert_allclose(row, np.where(units >= least, units, 0), atol=1e-5)
    assert not found[1].any() and found[[0, 2, 3, 4]].any(axis=1).all()


def test_the_heaviest_terms_alone(encoder: Encoder) -> None:
    encoder.lexical = Lexical(top=3)
    found = encoder.sparse(TEXTS)
    assert np.diff(found.indptr).tolist() == [3, 0, 3, 3, 3]
    for row, text in zip(found.toarray(), TEXTS, strict=True):
        heaviest = set(np.argsort(-weights_by_definition(encoder, text))[:3].tolist())
        assert set(np.flatnonzero(row).tolist()) == (heaviest if text else set())


def test_dense_vectors_are_the_same_beside_them(encoder: Encoder) -> None:
    dense, sparse = encode_both(encoder, TEXTS, deterministic=True)
    np.testing.assert_allclose(dense, encoder.encode(TEXTS, deterministic=True), atol=1e-6)
    np.testing.assert_allclose(sparse.toarray(), encoder.sparse(TEXTS[::-1]).toarray()[::-1], atol=1e-6)


def test_the_prompt_is_read_and_does_not_speak(encoder: Encoder) -> None:
    encoder.prompt = "xy"
    expected = weights_by_definition(encoder, "abc", skip=2)
    found = encoder.sparse(["abc"]).toarray()[0]
    kept = found > 0
    np.testing.assert_allclose(found[kept], (expected / np.linalg.norm(expected))[kept], atol=1e-5)
    assert not np.allclose(expected, weights_by_definition(encoder, "abc"))


def names_of(encoder: Encoder, **options: object) -> list[str]:
    names = term_names(encoder)
    return [names[number] for number in Lexical(**options).terms(encoder)]  # type: ignore[arg-type]


def test_terms_of_a_pivot_have_no_letter_of_another_script(encoder: Encoder) -> None:
    assert "".join(names_of(encoder, pivot="Latn")) == "abcdefghijklmnopqrstuvwxyz"
    assert names_of(encoder, pivot="Grek")[0] == "α" and len(names_of(encoder, pivot="Grek")) == 25
    assert len(names_of(encoder)) == 51  # no special one
    with pytest.raises(InputError, match="no piece of Deva"):
        Lexical(pivot="Deva").terms(encoder)


def test_terms_of_the_small_encoder() -> None:
    seed = load_encoder("seed")
    every = set(names_of(seed))
    assert {"▁the", "▁द", "2"} <= every
    assert not {"<0xE0>", "<s>", "</s>", "<mask>", "<unk>", "<pad>", ".", ",", "▁", "▁("} & every
    latin = set(names_of(seed, pivot="Latn"))
    assert {"▁the", "2"} <= latin < every and "▁द" not in latin
    begun = set(names_of(seed, continuations=False))
    assert "▁the" in begun and "erako" not in begun and "erako" in every


def test_names_of_rows_without_a_piece(encoder: Encoder) -> None:
    encoder.model.resize_token_embeddings(60)
    assert term_names(encoder)[-4:] == ["<56>", "<57>", "<58>", "<59>"]
    assert term_names(encoder)[5] == "a"


def test_settings_are_kept_in_the_folder_and_decide_the_identity(encoder: Encoder, tmp_path) -> None:
    encoder.lexical = Lexical(activation="elu", pivot="Grek", top=7)
    save_encoder(encoder, tmp_path / "m")
    again = load_encoder(tmp_path / "m")
    assert again.lexical == encoder.lexical
    assert lexical_identity(again) == lexical_identity(encoder)
    np.testing.assert_allclose(again.sparse(TEXTS).toarray(), encoder.sparse(TEXTS).toarray(), atol=1e-6)
    before = lexical_identity(encoder)
    assert before | {"head": 0} == {"activation": "elu", "pivot": "Grek", "continuations": True, "top": 7, "head": 0}
    dense = encoder.identity()
    encoder.model.cls.predictions.transform.dense.weight.data += 1
    assert lexical_identity(encoder)["head"] != before["head"]
    assert encoder.identity() == dense
    encoder.model.cls.predictions.bias.data += 1
    assert lexical_identity(again.in_bfloat16())["head"] == before["head"]


def test_what_has_no_sparse_vectors(encoder: Encoder) -> None:
    headless = Encoder(encoder.body, encoder.tokenizer, encoder.pooling)
    with pytest.raises(InputError, match="BertModel comes without a masked-LM head, which mlm, tlm, switched_mlm"):
        headless.sparse(["a"])
    encoder.route = object()  # type: ignore[assignment]
    with pytest.raises(InputError, match="give one of its two encoders"):
        head_of(encoder)
    for options, message in (
        ({"activation": "gelu"}, "must be relu or elu, got 'gelu'"), ({"top": -1}, "top must be at least 0, got -1"),
        ({"pivot": "Latin"}, "Latin"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            Lexical(**options)

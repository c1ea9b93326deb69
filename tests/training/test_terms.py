"""What a step makes of the terms of both sides, and what a training with them leaves in the folder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy import quiet, table

from align.encoders.checkpoint import load_encoder
from align.encoders.lexical.settings import Lexical
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.objectives.sparse_contrastive import SparseContrastiveOptions, flops, sparse_contrastive
from align.training.batches import Batches
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

ROWS = np.array([5, 2, 9, 40])


def recipe(steps=30, *, train=None, **parts):
    options = {"batch_size": 8, "learning_rate": 5e-3, "warmup": 0.0, "log_every": 1} | (train or {})
    return Recipe(train=TrainOptions(steps=steps, **options), **parts)


def stepped(encoder, chosen, number=0):
    batch = Batches(build_store(table(), encoder, max_tokens=32), encoder, chosen)[number, ROWS]
    module = Alignment(quiet(encoder), chosen)
    return module, module(**{key: value for key, value in batch.items() if key != "rows"})


def weights(encoder, side, terms):
    """(4, K) log(1 + relu) of the largest logits of each text, one at a time."""
    rows = []
    for row in ROWS:
        (ids,) = encoder.tokenize([table()[side][row]])
        logits = encoder.model(torch.tensor([ids])).logits[0, 1:-1]
        rows.append(torch.log1p(torch.relu(logits.amax(0)))[terms])
    return torch.stack(rows)


@pytest.mark.parametrize("micro_tokens", [0, 16])
def test_a_step_is_its_definition(bert_folder, micro_tokens):
    encoder = quiet(load_encoder(bert_folder))
    options = SparseContrastiveOptions(
        temperature=0.2, pivot="Latn", penalty="flops", source_penalty=2.0, target_penalty=3.0, ramp="linear",
        ramp_steps=4,
    )  # fmt: skip
    chosen = recipe(sparse_contrastive=options, train={"micro_tokens": micro_tokens, "accumulate": 2})
    _, terms = stepped(encoder, chosen, number=5)  # of the third step, the second pass
    latin = [encoder.tokenizer.get_vocab()[letter] for letter in "abcdefghijklmnopqrstuvwxyz"]
    source, target = weights(encoder, "source", latin), weights(encoder, "target", latin)
    loss = sparse_contrastive(source, target, temperature=0.2)
    assert terms["sparse_contrastive"].item() == pytest.approx(loss.item(), rel=1e-4)
    assert terms["flops_source"].item() == pytest.approx(flops(source).item(), rel=1e-4)
    expected = loss + 0.5 * (2 * flops(source) + 3 * flops(target))
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-4)
    head = encoder.model.cls.predictions.transform.dense.weight
    made, plain = (torch.autograd.grad(one, head, retain_graph=True)[0] for one in (terms["loss"], expected))
    torch.testing.assert_close(made, plain, rtol=1e-3, atol=1e-5)
    assert encoder.lexical == Lexical(pivot="Latn")


def test_masked_pieces_beside_terms_read_their_own_states(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    both = recipe(
        sparse_contrastive=SparseContrastiveOptions(), mlm=MlmOptions(rate=0.4), info_nce=ContrastiveOptions()
    )
    _, terms = stepped(encoder, both)
    _, alone = stepped(encoder, recipe(mlm=MlmOptions(rate=0.4)))
    for side in ("mlm_source", "mlm_target"):
        assert terms[side].item() == pytest.approx(alone[side].item(), rel=1e-5)
    assert terms["sparse_contrastive"].item() > 0


def test_the_penalty_is_reported_before_it_weighs(bert_folder):
    encoder = load_encoder(bert_folder)
    _, terms = stepped(encoder, recipe(sparse_contrastive=SparseContrastiveOptions()))
    assert terms["overuse_source"].item() > 0 and not terms["overuse_source"].requires_grad
    assert terms["loss"].item() == terms["sparse_contrastive"].item()


def test_training_brings_both_scripts_to_the_same_terms(bert_folder, tmp_path):
    def together(encoder):
        a, b = (encoder.sparse(table()[side][:48]) for side in ("source", "target"))
        return float(((a @ b.T).toarray().argmax(1) == np.arange(48)).mean())

    encoder = load_encoder(bert_folder)
    encoder.lexical = Lexical(pivot="Latn", top=26)
    before = together(encoder)
    options = SparseContrastiveOptions(pivot="Latn", top=26, source_penalty=0.1, target_penalty=0.1, ramp_steps=20)
    chosen = recipe(50, sparse_contrastive=options, train={"batch_size": 24, "learning_rate": 0.01})
    facts = train(encoder, table(), chosen, tmp_path / "out", progress=False)
    made = load_encoder(tmp_path / "out")
    assert made.lexical == encoder.lexical
    assert together(made) > 0.25 > 0.1 > before
    assert {"sparse_contrastive", "overuse_source", "overuse_target"} <= facts["losses"][-1].keys()


def test_what_cannot_be_trained(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    with pytest.raises(InputError, match="sparse_contrastive.activation must be relu or elu, got 'gelu'"):
        recipe(sparse_contrastive=SparseContrastiveOptions(activation="gelu"))
    for pivot, message in (("Deva", "no piece of Deva"), ("Latin", "Latin")):
        chosen = recipe(sparse_contrastive=SparseContrastiveOptions(pivot=pivot))
        with pytest.raises(InputError, match=message):
            train(encoder, table(), chosen, tmp_path / "out", progress=False)
    chosen = recipe(sparse_contrastive=SparseContrastiveOptions(), train={"sparse_embeddings": True})
    with pytest.raises(InputError, match="sparse_contrastive trains a head"):
        train(encoder, table(), chosen, tmp_path / "out", progress=False)

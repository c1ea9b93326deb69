"""What several forward passes of one optimiser step add up to."""

from __future__ import annotations

import pytest
from steps import Passes, masked_losses
from toy import quiet, table

from align.encoders.checkpoint import load_encoder
from align.objectives.mlm import MlmOptions
from align.objectives.tlm import TlmOptions
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train


@pytest.mark.parametrize("micro_tokens", [0, 24])
def test_masked_losses_are_means_over_all_masked_tokens_of_the_step(bert_folder, tmp_path, micro_tokens):
    encoder, passes = quiet(load_encoder(bert_folder)), Passes()
    options = TrainOptions(
        steps=2, batch_size=2, accumulate=3, learning_rate=1e-9, warmup=0.0, log_every=1, micro_tokens=micro_tokens
    )
    recipe = Recipe(mlm=MlmOptions(weight=0.5, rate=0.5), tlm=TlmOptions(weight=2.0, rate=0.3), train=options)
    facts = train(encoder, table(), recipe, tmp_path / "out", callbacks=[passes], progress=False)
    assert len(passes.steps) == 2
    for logged, (found, batches) in zip(facts["losses"], passes.steps, strict=True):
        assert len({int((batch["labels"] != -100).sum()) for batch in batches}) > 1  # else a mean of means would do
        values, expected = masked_losses(encoder, batches, {"mlm_source": 0.5, "mlm_target": 0.5, "tlm": 2.0})
        assert (found - expected).norm() < 1e-4 * expected.norm()
        for name, value in values.items():
            assert logged[name] == pytest.approx(value, rel=1e-4), name

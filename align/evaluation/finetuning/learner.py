"""What tasks that learn from labels are given: an encoder's word vectors, and copies of it that are tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from align.encoders.encoder import Encoder
from align.encoders.pretokenised import NO_WORD, word_pieces, word_vectors
from align.encoders.route import refuse_route
from align.evaluation.finetuning.tagger import Read, Tagger, tune
from align.tasks.learning import Classes, Examples, Predict, Tuning


@dataclass(frozen=True)
class EncoderLearner:
    """See :class:`align.tasks.learning.Learner`."""

    encoder: Encoder
    bf16: bool = False
    """Compute in bfloat16 (autocast)."""

    def word_vectors(self, sentences: Sequence[Sequence[str]]) -> list[tuple[NDArray[np.float32], Classes]]:
        """For each sentence the (r, D) states of its words' first pieces, and the (r,) places of these words."""
        with torch.autocast(self.encoder.device.type, torch.bfloat16, enabled=self.bf16):
            return [(one.vectors, one.words) for one in word_vectors(self.encoder, sentences, pooling="first")]

    def tuned(self, train: Examples, dev: Examples, classes: int, how: Tuning) -> Predict:
        """What a tuned copy of the encoder says; see :func:`.tagger.tune`."""
        learnt = [
            (row, labels[row.labels]) for row, labels in zip(self.read(train.inputs), train.labels, strict=True)
        ]  # fmt: skip
        judged = self.read(dev.inputs), [len(labels) for labels in dev.labels]

        def score(tagger: Tagger) -> float:
            return how.score(tagger.predict(*judged, bf16=self.bf16))

        tagger = tune(self.encoder, learnt, score, classes, how, bf16=self.bf16)

        def predict(inputs: Sequence[Any]) -> list[Classes]:
            counts = [1 if isinstance(one, str) else len(one) for one in inputs]
            return tagger.predict(self.read(inputs), counts, bf16=self.bf16)

        return predict

    def read(self, inputs: Sequence[Any]) -> list[Read]:
        """Ids of sentences (sequences of words), with the first piece of each word; or of texts."""
        refuse_route(self.encoder, "fine-tuning")
        if inputs and isinstance(inputs[0], str):
            return [Read(ids, None, np.zeros(1, dtype=np.int64)) for ids in self.encoder.tokenize(inputs)]
        rows = []
        for pieces in word_pieces(self.encoder, inputs):
            before = np.append(NO_WORD, pieces.words[:-1])
            first = np.flatnonzero((pieces.words != NO_WORD) & (pieces.words != before))
            rows.append(Read(pieces.ids, first, pieces.words[first]))
        return rows

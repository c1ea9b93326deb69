"""A linear layer on an encoder, tuned with it: classes of words in their sentences, or of texts."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from align.encoders.batching import budget_batches, evaluating
from align.encoders.encoder import Encoder
from align.errors import InputError
from align.streams import stream
from align.tasks.learning import NOT_READ, Classes, Tuning

log = logging.getLogger(__name__)

DROPOUT = 0.1
"""Before the linear layer."""
DECAY = 0.01
"""Weight decay of matrices."""
BATCH_TOKENS = 2048
"""Padded tokens of a forward pass without gradients."""


class Read(NamedTuple):
    """An input as the encoder takes it."""

    ids: Sequence[int]
    """T pieces with special tokens."""
    places: NDArray[np.int64] | None
    """(r,) the piece whose state stands for each label that is read; ``None``: the pooled vector of the text does."""
    labels: NDArray[np.int64]
    """(r,) which of the input's labels these are."""


class Tagger(nn.Module):
    """logits = W dropout(h) + b of the state h of a word's first piece, or of the vector of a text.

    Args:
        encoder: whose layer and pooling are read; it is tuned, so give it a copy.
        classes: how many.
        words: whether words are read, or texts.
        seed: of W.
    """

    def __init__(self, encoder: Encoder, classes: int, *, words: bool, seed: int) -> None:
        super().__init__()
        states = encoder.body.config.get_text_config().hidden_size * (1 + encoder.pooling.with_average)
        self.encoder, self.head = encoder, nn.Linear(states if words else encoder.dimension, classes)
        self.dropout = nn.Dropout(DROPOUT)
        weights = stream(seed, "tagger").normal(0, 0.02, self.head.weight.shape)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weights))
            self.head.bias.zero_()
        self.head.to(encoder.device)

    def forward(self, rows: Sequence[Read]) -> Tensor:
        """(R, C) logits of all labels that are read, row by row."""
        ids, attention = self.encoder.pad([row.ids for row in rows])
        states = self.encoder.hidden(ids, attention, lengths=[len(row.ids) for row in rows]).layer
        if rows[0].places is None:
            vectors = self.encoder.pool(states, ids, attention)
        else:
            of = np.repeat(np.arange(len(rows)), [len(row.labels) for row in rows])
            places = np.concatenate([row.places for row in rows if row.places is not None])
            vectors = states[torch.from_numpy(of).to(states.device), torch.from_numpy(places).to(states.device)]
        logits: Tensor = self.head(self.dropout(vectors.to(self.head.weight.dtype)))
        return logits

    @torch.inference_mode()
    def predict(self, rows: Sequence[Read], counts: Sequence[int], *, bf16: bool = False) -> list[Classes]:
        """For each input the class of each of its ``counts`` labels; ``NOT_READ`` where none is read."""
        found = [np.full(count, NOT_READ, dtype=np.int64) for count in counts]
        filled = np.array([i for i, row in enumerate(rows) if len(row.labels)], dtype=np.int64)
        lengths = np.array([len(rows[i].ids) for i in filled], dtype=np.int64)
        with evaluating(self), torch.autocast(self.encoder.device.type, torch.bfloat16, enabled=bf16):
            for batch in budget_batches(lengths, BATCH_TOKENS):
                some = [int(i) for i in filled[batch]]
                classes = self([rows[i] for i in some]).argmax(dim=-1).cpu().numpy()
                for i, of in zip(some, np.split(classes, np.cumsum([len(rows[i].labels) for i in some])), strict=False):
                    found[i][rows[i].labels] = of
        return found


def tune(
    encoder: Encoder,
    train: Sequence[tuple[Read, Classes]],
    score: Callable[[Tagger], float],
    classes: int,
    how: Tuning,
    *,
    bf16: bool = False,
) -> Tagger:
    """A copy of the encoder with a linear layer, both learnt from labels; the encoder itself stays as it is.

    The loss of a step is the mean cross-entropy over the labels of its inputs. After each epoch the tagger is scored;
    that of the best epoch (of equals the first) is kept, and learning ends when ``how.patience`` epochs in turn were
    no better.

    Args:
        encoder: read at its layer, of texts by its pooling.
        train: inputs and the class of each label that is read; ``NOT_READ`` is not learnt.
        score: of the dev part, higher is better.
        classes: how many.
        how: rates, epochs, seed.
        bf16: compute in bfloat16 (autocast).

    Raises:
        InputError: nothing to learn, or a loss that is NaN or infinite.

    References:
        Devlin et al. 2019, arXiv:1810.04805, sections 4.1 and 5.3.
    """
    rows = [(row, labels) for row, labels in train if (labels != NOT_READ).any()]
    if not rows:
        raise InputError("the encoder reads no label of the training part")
    device = encoder.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(how.seed)  # of dropout
        tagger = Tagger(copy.deepcopy(encoder), classes, words=rows[0][0].places is not None, seed=how.seed)
        tagger.encoder.body.get_input_embeddings().requires_grad_(not how.freeze_embeddings)
        steps = math.ceil(len(rows) / how.batch) * how.epochs
        optimizer, schedule = _optimizer(tagger, how, steps)
        order, best, kept, worse = stream(how.seed, "order"), -math.inf, {}, 0
        for epoch in range(1, how.epochs + 1):
            tagger.train()
            shuffled = order.permutation(len(rows))
            for start in range(0, len(rows), how.batch):
                some = [rows[i] for i in shuffled[start : start + how.batch]]
                loss = _step(tagger, some, bf16)
                if not math.isfinite(loss):
                    raise InputError(f"fine-tuning, epoch {epoch}: the loss is {loss}; lower rate and head_rate")
                nn.utils.clip_grad_norm_(tagger.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                schedule.step()
            found = score(tagger)
            log.info("fine-tuning, seed %d, epoch %d: %.4f on the dev part", how.seed, epoch, found)
            worse = 0 if found > best else worse + 1
            if not worse:
                best = found
                kept = {name: p.detach().clone() for name, p in tagger.named_parameters() if p.requires_grad}
            elif worse == how.patience:
                break
        tagger.load_state_dict(kept, strict=False)
    return tagger.eval()


def _step(tagger: Tagger, some: Sequence[tuple[Read, Classes]], bf16: bool) -> float:
    """Add the gradient of the mean loss of some inputs, and give that loss."""
    truth = torch.from_numpy(np.concatenate([labels for _, labels in some])).to(tagger.encoder.device)
    with torch.autocast(tagger.encoder.device.type, torch.bfloat16, enabled=bf16):
        logits = tagger([row for row, _ in some])
    loss = cross_entropy(logits.float(), truth, ignore_index=NOT_READ)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()


def _optimizer(
    tagger: Tagger, how: Tuning, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW, whose rates rise over the first steps and fall to 0 over the others."""
    learnt = [p for p in tagger.encoder.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learnt if p.dim() > 1], "lr": how.rate, "weight_decay": DECAY},
        {"params": [p for p in learnt if p.dim() < 2], "lr": how.rate, "weight_decay": 0.0},
        {"params": list(tagger.head.parameters()), "lr": how.head_rate, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, fused=True)
    warm = max(1, math.ceil(how.warmup * steps))

    def factor(step: int) -> float:
        return min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

"""A lexical head: linear maps of frozen word vectors, one of all languages and one more of each, learnt from pairs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from align.errors import InputError
from align.mapping.vocabulary_softmax import vocabulary_softmax

log = logging.getLogger(__name__)

Pairs = Mapping[tuple[str, str], NDArray[np.int64]]
"""(n, 2) rows of the first and of the second language's vectors, by both languages."""


@dataclass(frozen=True)
class HeadOptions:
    """How a head is trained."""

    own_maps: bool = True
    """A map of each language beside the shared one; False: the shared one alone."""
    steps: int = 150
    """Enough for the pairs of five languages; more in proportion (docs/bli.md)."""
    batch: int = 512
    """Source words of a step, each with all its translations; all are of two languages."""
    rate: float = 3e-4
    """Of AdamW without decay; it falls to 0 along a line."""
    temperature: float = 0.05
    alpha: float = 0.5
    """Two languages are drawn by the number of their source words to this power."""
    shared_share: float = 0.0
    """Share of the steps that train the shared map as languages without an own one use it."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot train."""
        if self.steps < 1 or self.batch < 1 or not self.rate > 0 or not self.temperature > 0:
            raise InputError("a head needs steps and batch of at least 1, rate and temperature above 0")
        if not 0 <= self.shared_share <= 1 or not self.alpha >= 0:
            raise InputError("a head needs a shared_share from 0 to 1, and alpha of at least 0")


@dataclass(frozen=True, eq=False)
class HeadFit:
    """What was learnt: x in language l becomes (x - offset_l) W_l."""

    offsets: dict[str, NDArray[np.float32]]
    """(d,) mean of each language."""
    shared: NDArray[np.float32]
    """(d, d) I + D, on the right of row vectors: of every language that has no map of its own."""
    own: dict[str, NDArray[np.float32]]
    """(d, d) I + D + D_l of the languages that have pairs; none if all share one."""
    losses: tuple[float, ...]
    """Of each step, nats."""

    def __call__(self, x: NDArray[np.float32], language: str) -> NDArray[np.float32]:
        """(n, d) mapped rows, of no particular length; an unknown language loses the mean of all offsets."""
        mean = np.stack([*self.offsets.values()]).mean(axis=0)
        moved: NDArray[np.float32] = (x - self.offsets.get(language, mean)) @ self.own.get(language, self.shared)
        return moved


def lexical_head(
    vectors: Mapping[str, NDArray[np.float32]],
    pairs: Pairs,
    options: HeadOptions | None = None,
    *,
    means: Mapping[str, NDArray[np.float32]] | None = None,
    progress: Callable[[int], object] | None = None,
) -> HeadFit:
    """Learn maps that bring translations together, by :func:`vocabulary_softmax` over all words of the other language.

    With z = x - mean of the language, W_l = I + D + D_l, D = D_l = 0 at the start, a step draws two languages s, t (one
    of the two directions of a dictionary) and ``batch`` words of s, and takes a step of AdamW on the loss of z_s W_s
    against the vocabulary of t, z_t W_t. Both sides move, the vectors themselves are frozen: thousands of negatives
    cost one matrix product. Where the CPU or GPU computes in bfloat16 the products are in it, sums in float32.

    Args:
        vectors: (n, d) of each language, one for each word of its vocabulary.
        pairs: rows that translate each other, in either order of the languages; repeated pairs count once.
        options: see :class:`HeadOptions`.
        means: (d,) to take off each language; ``None``: those of ``vectors``.
        progress: called with 1 after each step.

    Returns:
        Offsets of all languages of ``vectors``, the shared map, and those of the languages of ``pairs``.

    Raises:
        InputError: no pair, a language without vectors, a row that does not exist, widths that differ; or the loss is
            not finite.
    """
    options = options or HeadOptions()
    ways = _ways(vectors, pairs)
    offsets = {code: x.mean(axis=0) for code, x in vectors.items()} if means is None else dict(means)
    centred = {code: torch.from_numpy(vectors[code] - offsets[code]) for code in {code for way in ways for code in way}}
    width = next(iter(centred.values())).shape[1]
    start, shared = torch.eye(width), torch.zeros(width, width, requires_grad=True)
    own = {code: torch.zeros(width, width, requires_grad=True) for code in sorted(centred)} if options.own_maps else {}
    optimizer = torch.optim.AdamW([shared, *own.values()], lr=options.rate, weight_decay=0.0)
    draw = np.random.default_rng(options.seed)
    names = list(ways)
    chances = np.array([len(ways[way]) for way in names], dtype=np.float64) ** options.alpha
    losses = []
    for step in range(options.steps):
        way = names[draw.choice(len(names), p=chances / chances.sum())]
        plain = options.own_maps and draw.random() < options.shared_share
        words = [ways[way][i] for i in draw.permutation(len(ways[way]))[: options.batch]]
        for group in optimizer.param_groups:
            group["lr"] = options.rate * (1 - step / options.steps)
        maps = [start + shared + (own[code] if code in own and not plain else 0) for code in way]
        loss = _loss([centred[code] for code in way], maps, words, options.temperature)
        if not torch.isfinite(loss):
            raise InputError(f"the loss of step {step + 1} is {loss.item()}: look for vectors that are too large")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if progress:
            progress(1)
    log.info("lexical head: loss %.3f -> %.3f", losses[0], float(np.mean(losses[-10:])))
    common = (start + shared).detach()
    return HeadFit(
        offsets, common.numpy(), {code: (common + one.detach()).numpy() for code, one in own.items()}, tuple(losses)
    )


def _loss(sides: list[Tensor], maps: list[Tensor], words: list[tuple[int, list[int]]], temperature: float) -> Tensor:
    rows = torch.tensor([i for i, (_, golds) in enumerate(words) for _ in golds])
    golds = torch.tensor([gold for _, golds in words for gold in golds])
    with _bfloat16():
        queries = sides[0][[word for word, _ in words]] @ maps[0]
        return vocabulary_softmax(queries, sides[1] @ maps[1], rows, golds, temperature=temperature)


def _bfloat16() -> torch.autocast | nullcontext[None]:
    from align.encoders.device import computes_bfloat16

    cpu = torch.device("cpu")
    return torch.autocast("cpu", torch.bfloat16) if computes_bfloat16(cpu) else nullcontext()


def _ways(
    vectors: Mapping[str, NDArray[np.float32]], pairs: Pairs
) -> dict[tuple[str, str], list[tuple[int, list[int]]]]:
    """Of each direction its source words with all their translations."""
    found: dict[tuple[str, str], dict[int, set[int]]] = {}
    for (one, other), given in pairs.items():
        for code, rows in ((one, given[:, 0]), (other, given[:, 1])):
            if code not in vectors:
                raise InputError(f"pairs of {one} and {other}: there are no vectors of {code}")
            if len(rows) and (rows.min() < 0 or rows.max() >= len(vectors[code])):
                raise InputError(f"pairs name rows up to {rows.max()} of the {len(vectors[code])} of {code}")
        for a, b in given.tolist():
            found.setdefault((one, other), {}).setdefault(a, set()).add(b)
            found.setdefault((other, one), {}).setdefault(b, set()).add(a)
    if not found:
        raise InputError("no pair of words to learn a head from: expected at least one with a vector on both sides")
    widths = {code: vectors[code].shape[1] for way in found for code in way}
    if len(set(widths.values())) > 1:
        raise InputError(f"vectors of different dimensions: {widths}; expected the same for all languages")
    return {way: [(word, sorted(golds)) for word, golds in sorted(of.items())] for way, of in sorted(found.items())}

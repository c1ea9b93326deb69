"""Prototypes: the mean vector of a class in one language is drawn to that of the same class in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from align.objectives.checks import NEVER, fit, working
from align.objectives.inputs import Inputs
from align.objectives.labelled import supcon
from align.objectives.objective import Objective, PlainOptions, Sizes, Terms
from align.objectives.ranges import AT_LEAST_0, POSITIVE, SHARE, SHARE_NOT_1
from align.objectives.temperature import check_temperature

UNKNOWN = -1
"""Class of a text that has none."""


@dataclass(frozen=True)
class PrototypesOptions(PlainOptions):
    """Texts with a class in some languages and without in others; all terms are multiplied by ``weight``."""

    temperature: Annotated[float, POSITIVE] = 0.07
    """Divides the cosines, in all terms."""
    momentum: Annotated[float, SHARE_NOT_1] = 0.99
    """Share of itself that a prototype keeps in a step."""
    supcon: Annotated[float, AT_LEAST_0] = 1.0
    """Weight of SupCon over the texts whose class is known or guessed."""
    guesses: Annotated[float, AT_LEAST_0] = 1.0
    """Weight of the cross-entropy on guessed classes of texts that have none; 0: none is guessed."""
    keep_first: Annotated[float, SHARE] = 0.95
    """Share of a guess that stays when the text is guessed again, at the start of the run."""
    keep_last: Annotated[float, SHARE] = 0.8
    """The same at its end; linear in between."""


def prototypes(
    vectors: Tensor, classes: Tensor, languages: Tensor, centres: Tensor, seen: Tensor, *,
    temperature: float | Tensor = 0.07,
) -> Tensor:  # fmt: skip
    """Class means of a batch must pick their class's prototype in another language out of all others.

    m_cl is the mean of the unit vectors of class c in language l, made a unit vector, and p_cl the prototype of both,
    a constant. Over the classes and the ordered pairs of languages l != l' of which there are m_cl and p_cl'::

        L = mean of -log( exp(m_cl . p_cl' / t) / (sum over c' of exp(m_cl . p_c'l' / t)
                                                 + sum over c' != c of exp(m_cl . p_c'l / t)) )

    Args:
        vectors: (N, D). Gradients flow through.
        classes: (N,) integers in 0..C-1, or -1: the text is passed over.
        languages: (N,) integers in 0..L-1.
        centres: (C, L, D) prototypes, unit rows; taken as constants.
        seen: (C, L) bool, which of them there are.
        temperature: t > 0.

    Returns:
        () mean loss in nats; 0 with zero gradients where no class has a prototype in another language.

    Raises:
        ValueError: the shapes disagree or the temperature is not positive.

    References:
        The contrast is that which ProKD (Ge et al. 2023, arXiv:2301.08855) describes across languages, with the
        prototypes of ContProto (Zhou et al. 2023, arXiv:2305.13628).
    """
    right = vectors.dim() == 2 and vectors.shape[:1] == classes.shape == languages.shape
    right &= centres.dim() == 3 and centres.shape[:2] == seen.shape and centres.shape[2:] == vectors.shape[1:]
    sentence = "prototypes needs (N, D) vectors, (N,) classes and languages, (C, L, D) prototypes and (C, L) bool"
    fit(right, sentence, vectors, classes, languages, centres, seen)
    check_temperature("prototypes", temperature)
    means, here = class_means(vectors, classes, languages, seen)
    logits = torch.einsum("cld,ekd->clek", means, centres.detach().to(means.dtype)) / temperature  # m_cl . p_ek
    logits = logits.masked_fill(~seen, NEVER)
    (count, spoken) = seen.shape
    there = logits.logsumexp(dim=2)  # (C, L, L'): over all classes in l'
    itself = torch.eye(count, dtype=torch.bool, device=seen.device)[:, None]  # (C, 1, C')
    beside = logits.diagonal(dim1=1, dim2=3).transpose(1, 2)  # (C, L, C'): in the language of the mean
    beside = beside.masked_fill(itself, NEVER).logsumexp(dim=2)
    abroad = ~torch.eye(spoken, dtype=torch.bool, device=seen.device)
    c, own, other = (here[:, :, None] & seen[:, None, :] & abroad).nonzero(as_tuple=True)
    losses = torch.logaddexp(there[c, own, other], beside[c, own]) - logits[c, own, c, other]
    return losses.sum() / max(len(losses), 1)


def class_means(vectors: Tensor, classes: Tensor, languages: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """(C, L, D) means of unit vectors by class and language, made unit vectors; and (C, L) bool, which there are.

    Texts of the class -1 are in none; ``seen`` is (C, L).
    """
    known = classes != UNKNOWN
    cells = classes[known] * seen.shape[1] + languages[known]
    members = one_hot(cells, seen.numel()).T  # a product: sums by index have no fixed order on a GPU
    unit = working(vectors, cosine=True)[known]
    sums = members.to(unit.dtype) @ unit
    return normalize(sums, dim=-1).reshape(*seen.shape, -1), members.any(dim=1).reshape(seen.shape)


class Prototypes(nn.Module):
    """What is kept from step to step, in checkpoints too: prototypes, guesses, and how near guessed texts were.

    Args:
        classes: C. languages: L. width: D of the vectors.
        pairs: of the tables. draws: pairs that the whole run reads.
    """

    centres: Tensor
    seen: Tensor
    guesses: Tensor
    margins: Tensor
    sums: Tensor
    counts: Tensor
    drawn: Tensor

    def __init__(self, classes: int, languages: int, width: int, pairs: int, draws: int) -> None:
        super().__init__()
        self.draws = draws
        self.register_buffer("centres", torch.zeros(classes, languages, width))
        self.register_buffer("seen", torch.zeros(classes, languages, dtype=torch.bool))
        self.register_buffer("guesses", torch.zeros(pairs, classes))  # shares of classes; a row of 0: none yet
        self.register_buffer("margins", torch.full((classes,), float("inf")))  # in the first epoch nothing is guessed
        self.register_buffer("sums", torch.zeros(classes))
        self.register_buffer("counts", torch.zeros(classes))
        self.register_buffer("drawn", torch.zeros((), dtype=torch.long))

    def scores(self, vectors: Tensor) -> Tensor:
        """(N, C) cosines with the mean of each class's prototypes over languages; -inf for a class without any."""
        centres = normalize((self.centres * self.seen[..., None]).sum(dim=1), dim=-1)
        cosines = working(vectors, cosine=True) @ centres.to(torch.promote_types(vectors.dtype, torch.float32)).T
        return cosines.masked_fill(~self.seen.any(dim=1), NEVER)

    @torch.no_grad()
    def guess(self, vectors: Tensor, numbers: Tensor, options: PrototypesOptions) -> None:
        """Guess the class of texts that have none, anew: the nearest c, if q . p_c is above the margin of c.

        The margin is the mean q . p_c over the texts that were nearest to c in the epoch before. A first guess is sure;
        from then on y <- k y + (1 - k) onehot(c), with k from ``keep_first`` to ``keep_last`` over the run.
        """
        if not (len(vectors) and self.seen.any()):
            return
        nearness, nearest = self.scores(vectors).max(dim=1)
        self.sums += torch.zeros_like(self.sums).index_add_(0, nearest, nearness.to(self.sums.dtype))
        self.counts += torch.bincount(nearest, minlength=len(self.counts))
        sure = nearness > self.margins[nearest]
        before, now = self.guesses[numbers[sure]], one_hot(nearest[sure], len(self.sums)).to(self.guesses.dtype)
        done = min(int(self.drawn) / max(self.draws, 1), 1.0)
        keep = options.keep_first + (options.keep_last - options.keep_first) * done
        first = ~before.any(dim=1, keepdim=True)
        self.guesses[numbers[sure]] = torch.where(first, now, keep * before + (1 - keep) * now)

    @torch.no_grad()
    def follow(self, vectors: Tensor, classes: Tensor, languages: Tensor, pairs: int, momentum: float) -> None:
        """p_cl <- k p_cl + (1 - k) m_cl, as a unit vector; the first m_cl is p_cl. After each epoch, new margins."""
        means, here = class_means(vectors, classes, languages, self.seen)
        means = means.to(self.centres.dtype)
        moved = normalize(torch.where(self.seen[..., None], self.centres.lerp(means, 1 - momentum), means), dim=-1)
        self.centres.copy_(torch.where(here[..., None], moved, self.centres))
        self.seen |= here
        epochs = self.drawn // len(self.guesses)
        self.drawn += pairs
        if self.drawn // len(self.guesses) > epochs:
            self.margins.copy_(torch.where(self.counts > 0, self.sums / self.counts, self.margins))
            self.sums.zero_()
            self.counts.zero_()


def self_training(scores: Tensor, guesses: Tensor, *, temperature: float | Tensor = 0.07) -> Tensor:
    """() mean over texts of -sum over c of y_c log softmax(scores / t)_c; 0 of no text.

    ``scores`` are (N, C), -inf for a class without prototype, and ``guesses`` (N, C) shares y of the others.
    """
    likely = (scores / temperature).log_softmax(dim=1).masked_fill(scores == NEVER, 0.0)
    return -(guesses.to(likely.dtype) * likely).sum() / max(len(scores), 1)


def _value(inputs: Inputs, options: PrototypesOptions, learned: Prototypes) -> Terms:
    """All of a batch, of all processes: each text is anchor and prototype alike."""
    vectors, temperature = inputs.all("source", "target"), options.temperature
    # as the vectors stand: process by process, its sources above its targets
    languages = inputs.all("source_languages", "target_languages")
    classes, numbers = inputs.all("classified", "classified"), inputs.all("numbers", "numbers")
    unknown = classes == UNKNOWN
    if options.guesses and learned.training:
        without = inputs.all("classified") == UNKNOWN
        learned.guess(inputs.all("source")[without], inputs.all("numbers")[without], options)
    guesses = learned.guesses[numbers]
    guessed = unknown & guesses.any(dim=1)
    classes = torch.where(guessed, guesses.argmax(dim=1), classes)
    known = classes != UNKNOWN
    before = learned.centres.clone(), learned.seen.clone()  # the gradient is made after they have moved
    terms = {
        "prototypes": (
            options.weight, prototypes(vectors, classes, languages, *before, temperature=temperature),
        ),
        "prototypes_supcon": (
            options.weight * options.supcon,
            supcon(vectors[known], classes[known], temperature=temperature) if known.any() else vectors.new_zeros(()),
        ),
        "prototypes_guesses": (
            options.weight * options.guesses,
            self_training(learned.scores(vectors[guessed]), guesses[guessed], temperature=temperature),
        ),
        "prototypes_guessed": (0.0, guessed.sum() / unknown.sum().clamp(min=1)),
    }  # fmt: skip
    if learned.training:
        learned.follow(vectors.detach(), classes, languages, len(numbers) // 2, options.momentum)
    return terms


def _memory(options: PrototypesOptions, sizes: Sizes) -> Prototypes:
    return Prototypes(sizes.named, sizes.languages, sizes.width, sizes.pairs, sizes.draws)


OBJECTIVE = Objective(
    "prototypes", prototypes, PrototypesOptions, ("source", "target", "classified"), _value, _memory,
    negatives=lambda options, batch: 2 * batch - 2,
)  # fmt: skip

from __future__ import annotations

import math

import pytest
import torch

from align.objectives import prototypes, supcon
from align.objectives.inputs import Inputs
from align.objectives.objective import Sizes
from align.objectives.prototypes import OBJECTIVE, Prototypes, PrototypesOptions, class_means, self_training

CLASSES = [0, 1, 0, 2, 1, -1, 0, 2]
LANGUAGES = [0, 0, 1, 1, 1, 0, 0, 0]


def rows(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def unit(vector):
    return [x / math.sqrt(sum(y * y for y in vector)) for x in vector]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def centres(classes=3, languages=3, width=4):
    return torch.nn.functional.normalize(rows(classes, languages, width, seed=2), dim=-1)


def by_loops(vectors, classes, languages, p, seen, t):
    units, losses = [unit(v) for v in vectors.tolist()], []
    for c in range(len(p)):
        for own in range(len(p[0])):
            members = [u for u, k, n in zip(units, classes, languages, strict=True) if (k, n) == (c, own)]
            if not members:
                continue
            m = unit([sum(x) / len(members) for x in zip(*members, strict=True)])

            def e(k, n, m=m):
                return math.exp(dot(m, p[k][n].tolist()) / t) if seen[k][n] else 0.0

            for other in range(len(p[0])):
                if other != own and seen[c][other]:
                    below = sum(e(k, other) for k in range(len(p))) + sum(e(k, own) for k in range(len(p)) if k != c)
                    losses.append(-math.log(e(c, other) / below))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("missing", [[], [(0, 1)], [(0, 0), (1, 1), (2, 1)]])
def test_it_is_its_definition(missing):
    seen = torch.ones(3, 2, dtype=torch.bool)
    for place in missing:
        seen[place] = False
    vectors, p = rows(8, 4), centres(languages=2)
    loss = prototypes(vectors, torch.tensor(CLASSES), torch.tensor(LANGUAGES), p, seen, temperature=0.3)
    assert loss.item() == pytest.approx(by_loops(vectors, CLASSES, LANGUAGES, p, seen.tolist(), 0.3), rel=1e-12)


def test_by_hand():
    """Means and prototypes on the axes: the own class at cosine 1, the other, abroad and here, at 0."""
    vectors, p = torch.tensor([[3.0, 0.0], [5.0, 0.0]]), torch.eye(2)[:, None].repeat(1, 2, 1)
    seen = torch.ones(2, 2, dtype=torch.bool)
    loss = prototypes(vectors, torch.tensor([0, 0]), torch.tensor([0, 0]), p, seen, temperature=1.0)
    assert loss.item() == pytest.approx(-math.log(math.e / (math.e + 2)))


def test_gradients_and_what_has_no_part():
    vectors, seen = rows(8, 4).requires_grad_(), torch.ones(3, 3, dtype=torch.bool)
    given = torch.tensor(CLASSES), torch.tensor(LANGUAGES)
    p = centres().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: prototypes(v, *given, p.detach(), seen, temperature=0.3), (vectors,))
    prototypes(vectors, *given, p, seen).backward()
    assert vectors.grad[5].abs().sum() == 0 and (vectors.grad[[0, 1, 2, 3]].abs().sum(dim=1) > 0).all()
    assert p.grad is None  # constants


@pytest.mark.parametrize("seen", [torch.zeros(3, 3, dtype=torch.bool), torch.tensor([[1, 0, 0]] * 3).bool()])
def test_nothing_to_compare_is_0(seen):
    """No prototype yet, and those of a single language."""
    vectors, own = rows(4, 4).requires_grad_(), torch.zeros(4, dtype=torch.long)
    loss = prototypes(vectors, torch.tensor([0, 1, 2, -1]), own, centres(), seen)
    loss.backward()
    assert loss.item() == 0 and vectors.grad.abs().sum() == 0


def test_a_class_without_rivals_has_finite_gradients():
    seen = torch.zeros(3, 3, dtype=torch.bool)
    seen[0] = True
    vectors = rows(4, 4).requires_grad_()
    loss = prototypes(vectors, torch.tensor([0, 0, 1, -1]), torch.tensor([0, 1, 1, 0]), centres(), seen)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12) and vectors.grad.isfinite().all()


def test_messages():
    seen, own = torch.ones(3, 3, dtype=torch.bool), torch.zeros(2, dtype=torch.long)
    with pytest.raises(ValueError, match=r"prototypes needs \(N, D\) vectors.*\(2, 4\), \(3,\)"):
        prototypes(rows(2, 4), own.new_zeros(3), own, centres(), seen)
    with pytest.raises(ValueError, match="prototypes needs .*bool"):
        prototypes(rows(2, 4), own, own, centres(), seen[:2])
    with pytest.raises(ValueError, match="prototypes needs a temperature > 0, got 0"):
        prototypes(rows(2, 4), own, own, centres(), seen, temperature=0.0)


def test_means_of_classes():
    vectors = torch.tensor([[2.0, 0.0], [0.0, 5.0], [1.0, 1.0], [7.0, 7.0]])
    means, here = class_means(vectors, torch.tensor([1, 1, 0, -1]), torch.tensor([0, 0, 1, 1]), torch.zeros(2, 2))
    assert here.tolist() == [[False, True], [True, False]]
    assert means[1, 0].tolist() == pytest.approx([0.5**0.5] * 2)  # of unit vectors: not (2, 5)
    assert means[0, 0].tolist() == [0, 0]


def memory(pairs=4, draws=8):
    made = Prototypes(classes=2, languages=2, width=2, pairs=pairs, draws=draws)
    made.follow(torch.eye(2), torch.tensor([0, 1]), torch.tensor([0, 0]), 0, 0.9)
    return made


def test_prototypes_follow():
    made = memory()
    assert torch.equal(made.centres[:, 0], torch.eye(2)) and made.seen.tolist() == [[True, False], [True, False]]
    made.follow(torch.tensor([[0.0, 2.0]]), torch.tensor([0]), torch.tensor([0]), 0, 0.9)
    assert made.centres[0, 0].tolist() == pytest.approx(unit([0.9, 0.1]))
    assert made.centres[1, 0].tolist() == [0, 1]  # no text of it came


def test_guesses_wait_an_epoch_and_then_for_the_margin():
    """Cosines of class 0: .8, .6 and 1 in the first epoch, of which nothing is guessed; above .8 from then on."""
    made, options = memory(), PrototypesOptions()
    near = torch.tensor([[0.8, 0.6], [0.6, -0.8], [1.0, 0.0]])
    made.guess(near, torch.tensor([0, 1, 2]), options)
    none = near[:0], torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.long)
    made.follow(*none, 3, 0.9)
    assert made.guesses.abs().sum() == 0 and made.margins.tolist() == [math.inf, math.inf]
    made.follow(*none, 1, 0.9)  # the fourth of four pairs
    assert made.margins.tolist() == pytest.approx([0.8, math.inf]) and made.sums.tolist() == [0, 0]
    made.guess(torch.tensor([[1.0, 0.1], [0.7, -0.7], [0.0, 1.0]]), torch.tensor([0, 1, 2]), options)
    assert made.guesses.tolist() == [[1, 0], [0, 0], [0, 0], [0, 0]]  # sure at once; too far; no margin of class 1 yet


def test_a_guess_gives_way():
    """Half of the run is over: it keeps (.95 + .8) / 2 of itself."""
    made = memory(pairs=4, draws=8)
    made.margins.fill_(0.5)
    made.drawn.fill_(4)
    made.guess(torch.eye(2), torch.tensor([3, 0]), PrototypesOptions())
    made.guess(torch.tensor([[0.0, 1.0]]), torch.tensor([3]), PrototypesOptions())
    assert made.guesses[3].tolist() == pytest.approx([0.875, 0.125])
    assert made.guesses[0].tolist() == [0, 1]


def test_self_training():
    scores = torch.tensor([[0.2, 0.1, -math.inf]], dtype=torch.float64, requires_grad=True)
    loss = self_training(scores, torch.tensor([[0.75, 0.25, 0.0]]), temperature=0.1)
    logs = [math.log(math.exp(x) / (math.exp(2) + math.exp(1))) for x in (2, 1)]
    assert loss.item() == pytest.approx(-(0.75 * logs[0] + 0.25 * logs[1]))
    loss.backward()
    assert scores.grad.isfinite().all() and scores.grad[0, 0] < 0 < scores.grad[0, 1]
    assert self_training(scores[:0], torch.zeros(0, 3)).item() == 0


def inputs(**changes):
    given = {
        "source": rows(4, 3).float().requires_grad_(), "target": rows(4, 3, seed=5).float().requires_grad_(),
        "classified": torch.tensor([0, 1, -1, -1]), "numbers": torch.tensor([3, 0, 2, 1]),
        "source_languages": torch.tensor([0, 0, 1, 1]), "target_languages": torch.tensor([0, 1, 1, 1]),
        "groups": torch.arange(4),
    }  # fmt: skip
    return Inputs(given | changes)


def test_the_terms_of_a_batch():
    """Texts with a class, and those with a guess, count as their class; the others wait."""
    learned = OBJECTIVE.learned(PrototypesOptions(), Sizes(3, named=2, languages=2, pairs=4, draws=4))
    given, options = inputs(), PrototypesOptions(weight=2.0, supcon=0.5, guesses=0.25)
    learned.guesses[1] = torch.tensor([0.0, 1.0])
    learned.centres.copy_(torch.nn.functional.normalize(rows(2, 2, 3, seed=7), dim=-1))
    learned.seen.fill_(True)
    before = learned.centres.clone()
    terms = OBJECTIVE.formula(given, options, learned)
    vectors = torch.cat([given.given["source"], given.given["target"]])
    classes, languages = torch.tensor([0, 1, -1, 1] * 2), torch.tensor([0, 0, 1, 1, 0, 1, 1, 1])
    expected = prototypes(vectors, classes, languages, before, torch.ones(2, 2, dtype=torch.bool))
    assert terms["prototypes"][0] == 2.0 and terms["prototypes"][1].item() == pytest.approx(expected.item())
    of_class = supcon(vectors[classes >= 0], classes[classes >= 0])
    assert terms["prototypes_supcon"][0] == 1.0 and terms["prototypes_supcon"][1].item() == of_class.item()
    assert terms["prototypes_guesses"][0] == 0.5 and terms["prototypes_guesses"][1].item() > 0
    assert terms["prototypes_guessed"] == (0.0, 0.5)
    assert not torch.equal(learned.centres, before) and learned.drawn == 4
    torch.stack([weight * value for weight, value in terms.values() if weight]).sum().backward()
    gradients = [given.given[side].grad.abs().sum(dim=1) > 0 for side in ("source", "target")]
    assert [side.tolist() for side in gradients] == [[True, True, False, True]] * 2
    assert not list(learned.parameters())


def test_evaluation_changes_nothing():
    learned = OBJECTIVE.learned(PrototypesOptions(), Sizes(3, named=2, languages=2, pairs=4, draws=4)).eval()
    before = {name: value.clone() for name, value in learned.state_dict().items()}
    OBJECTIVE.formula(inputs(), PrototypesOptions(), learned)
    assert all(torch.equal(value, before[name]) for name, value in learned.state_dict().items())


def test_a_batch_without_classes_trains_nothing():
    learned = OBJECTIVE.learned(PrototypesOptions(), Sizes(3, named=2, languages=2, pairs=4, draws=4))
    terms = OBJECTIVE.formula(inputs(classified=torch.full((4,), -1)), PrototypesOptions(), learned)
    loss = torch.stack([weight * value for weight, value in terms.values() if weight]).sum()
    loss.backward()
    assert loss.item() == 0

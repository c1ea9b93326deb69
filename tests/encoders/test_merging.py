"""Merging: each formula against its definition by loops, one number by hand, what is refused, and the folder."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense

from align import InputError, load_encoder, merge, save_encoder
from align.encoders.merging.alike import put_weights, weights_of
from align.encoders.merging.formulas import dare, linear, slerp, task, ties

SHAPES = [(1,), (7,), (3, 5)]


def tensors(shape, count=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=draw, dtype=torch.float64) for _ in range(count)]


def by_places(shape, of):
    """A tensor made place by place."""
    made = torch.empty(shape, dtype=torch.float64)
    for place in np.ndindex(*shape):
        made[place] = of(place)
    return made


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_and_task_by_loops(shape):
    start, *several = tensors(shape, 4)
    weights = [0.5, 0.3, -1.2]

    def summed(place, origin):
        return sum(w * (float(one[place]) - origin) for w, one in zip(weights, several, strict=True))

    assert torch.allclose(linear(several, weights), by_places(shape, lambda p: summed(p, 0.0)))
    expected = by_places(shape, lambda p: float(start[p]) + summed(p, float(start[p])))
    assert torch.allclose(task(start, several, weights), expected)


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_slerp_keeps_to_the_arc(shape, t):
    one, other = tensors(shape, 2)
    a, b = one.flatten().tolist(), other.flatten().tolist()
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    angle = math.acos(dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(x * x for x in b)))
    parts = math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
    expected = by_places(shape, lambda p: parts[0] * float(one[p]) + parts[1] * float(other[p]))
    assert torch.allclose(slerp(one, other, t), expected)


def test_slerp_of_unit_vectors_by_hand():
    """Half way between (1, 0) and (0, 1) is (1, 1) / sqrt 2, not (1, 1) / 2."""
    made = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.5)
    assert made.tolist() == pytest.approx([math.sqrt(0.5)] * 2)


@pytest.mark.parametrize("other", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
def test_slerp_of_parallel_or_zero_is_a_line(other):
    made = slerp(torch.tensor([1.0, 2.0]), torch.tensor(other), 0.25)
    assert made.tolist() == pytest.approx([0.75 + 0.25 * other[0], 1.5 + 0.25 * other[1]])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [0.01, 0.4, 1.0])
def test_ties_by_loops(shape, density):
    start, *several = tensors(shape, 4, seed=3)
    weights = [1.0, 0.5, 2.0]
    places = list(np.ndindex(*shape))
    kept = []
    for one in several:
        moves = {p: float(one[p] - start[p]) for p in places}
        largest = sorted(places, key=lambda p: -abs(moves[p]))[: max(1, round(density * len(places)))]
        kept.append({p: moves[p] if p in largest else 0.0 for p in places})

    def of(place):
        moves = [w * one[place] for w, one in zip(weights, kept, strict=True)]
        total = sum(moves)
        agree = [m for m in moves if m * total > 0]
        return float(start[place]) + (sum(agree) / len(agree) if agree else 0.0)

    assert torch.allclose(ties(start, several, weights, density), by_places(shape, of))


def test_ties_by_hand():
    """Changes (3, 1, -2) and (1, -4, -4); density 2/3 trims the 1s: (3, 0, -2) and (0, -4, -4); means 3, -4, -3."""
    start = torch.zeros(3)
    made = ties(start, [torch.tensor([3.0, 1.0, -2.0]), torch.tensor([1.0, -4.0, -4.0])], [1, 1], 2 / 3)
    assert made.tolist() == [3.0, -4.0, -3.0]


def test_ties_leaves_the_start_where_no_sign_is_elected():
    start = torch.tensor([5.0, 5.0])
    made = ties(start, [torch.tensor([6.0, 5.0]), torch.tensor([4.0, 5.0])], [1, 1], 1.0)
    assert made.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("shape", SHAPES)
def test_dare_by_loops(shape):
    start, *several = tensors(shape, 3)
    made = dare(start, several, [1.0, -2.0], 0.4, torch.Generator().manual_seed(7))
    draw = torch.Generator().manual_seed(7)
    masks = [torch.rand(shape, generator=draw, dtype=torch.float64) for _ in several]

    def of(place):
        moved = float(start[place])
        for weight, one, mask in zip([1.0, -2.0], several, masks, strict=True):
            moved += weight * float(one[place] - start[place]) / 0.4 if mask[place] < 0.4 else 0.0
        return moved

    assert torch.allclose(made, by_places(shape, of))
    assert torch.allclose(dare(start, several, [1.0, -2.0], 1.0, draw), task(start, several, [1.0, -2.0]))


def test_dare_changes_nothing_on_average():
    start, one = torch.zeros(20_000, dtype=torch.float64), torch.ones(20_000, dtype=torch.float64)
    made = dare(start, [one], [1.0], 0.25, torch.Generator().manual_seed(0))
    assert set(made.unique().tolist()) == {0.0, 4.0}
    assert float(made.mean()) == pytest.approx(1.0, abs=0.05)


@pytest.fixture
def folders(tmp_path):
    """Three masked-LM checkpoints of one shape: ``start`` and two that were moved from it."""
    made = []
    for seed in range(3):
        folder = tmp_path / ("start", "one", "two")[seed]
        tiny_bert(seed=seed).save_pretrained(folder)
        tiny_tokenizer().save_pretrained(folder)
        made.append(folder)
    return made


def test_the_folder_has_the_weights_and_says_what_of(folders, tmp_path):
    start, one, two = folders
    made = merge([one, two], tmp_path / "out", method="task", start=start, weights=[0.7, 1])
    states = [weights_of(load_encoder(folder)) for folder in (start, one, two, tmp_path / "out")]
    assert {name.partition(".")[0] for name in states[0]} == {"model"}
    for name, origin in states[0].items():
        expected = origin + 0.7 * (states[1][name] - origin) + 1.0 * (states[2][name] - origin)
        assert torch.allclose(states[3][name], expected, atol=1e-6), name
    encoder = load_encoder(tmp_path / "out")
    decoder = encoder.model.get_output_embeddings()
    assert decoder is not None
    assert decoder.weight.data_ptr() == encoder.body.get_input_embeddings().weight.data_ptr()  # still tied
    texts = ["abc", "αβγ"]
    plain = SentenceTransformer(str(tmp_path / "out"), device="cpu").encode(texts, show_progress_bar=False)
    assert np.abs(plain - encoder.encode(texts)).max() < 1e-6
    said = json.loads((tmp_path / "out" / "align.json").read_text())["merge"]
    assert said["weights"] == [0.7, 1.0] and said["method"] == "task" and said["start"] == str(start)
    assert said["fingerprints"][str(one)] == load_encoder(one).fingerprint() == made.fingerprints[str(one)]
    assert "0.7 of one, 1 of two" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "dare"])
def test_each_method_makes_an_encoder(method, folders, tmp_path):
    start, one, two = folders
    of = {"start": start} if method in ("ties", "dare") else {}
    merge([one, two], tmp_path / "out", method=method, **of)
    merge([one, two], tmp_path / "again", method=method, **of)
    found = weights_of(load_encoder(tmp_path / "out"))
    again = weights_of(load_encoder(tmp_path / "again"))
    assert all(torch.equal(found[name], again[name]) for name in found)  # what dare draws has a seed
    assert all(value.isfinite().all() for value in found.values())
    name = next(name for name in found if name.endswith("query.weight"))
    a, b, s = (weights_of(load_encoder(folder))[name].double() for folder in (one, two, start))
    expected = {
        "linear": lambda: linear([a, b], [0.5, 0.5]), "slerp": lambda: slerp(a, b, 0.5),
        "ties": lambda: ties(s, [a, b], [1, 1], 0.2),
    }.get(method)  # fmt: skip
    if expected:
        assert torch.allclose(found[name].double(), expected(), atol=1e-6)


def test_what_comes_after_the_pooling_is_merged(folders, tmp_path):
    for seed, folder in enumerate(folders[1:]):
        encoder = load_encoder(folder)
        torch.manual_seed(seed)
        encoder.tail.append(Dense(16, 4, activation_function=torch.nn.Identity()))
        save_encoder(encoder, tmp_path / f"tailed{seed}")
    both = [tmp_path / "tailed0", tmp_path / "tailed1"]
    merge(both, tmp_path / "out", weights=[0.25, 0.75])
    key = "tail.0.linear.weight"
    a, b, made = (weights_of(load_encoder(one))[key] for one in (*both, tmp_path / "out"))
    assert torch.allclose(made, 0.25 * a + 0.75 * b)


def test_a_sweep_writes_the_best_and_keeps_all_scores(folders, tmp_path):
    _, one, two = folders
    target = weights_of(load_encoder(one))
    name = next(name for name in target if name.endswith("query.weight"))

    def score(encoder):  # nearest to the first model
        return -float((weights_of(encoder)[name] - target[name]).norm())

    made = merge([one, two], tmp_path / "out", weights=[[0.5, 0.5], [0.9, 0.1], [0.9, 0.1], [0, 1]], score=score)
    assert made.weights == (0.9, 0.1)
    assert [trial["weights"] for trial in made.trials] == [[0.5, 0.5], [0.9, 0.1], [0.9, 0.1], [0.0, 1.0]]
    found = weights_of(load_encoder(tmp_path / "out"))[name]
    other = weights_of(load_encoder(two))[name]
    assert torch.allclose(found, 0.9 * target[name] + 0.1 * other, atol=1e-6)


def test_put_weights_puts_all_of_them(folders):
    one, two = (load_encoder(folder) for folder in folders[1:])
    expected = two.encode(["abc"])
    put_weights(one, weights_of(two))
    assert np.array_equal(one.encode(["abc"]), expected)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"method": "sum"}, "unknown method of merging 'sum'"),
        ({"weights": [0.5, 0.6]}, "expected a sum of 1"),
        ({"weights": [1.0]}, "2 encoders have 1 weights"),
        ({"weights": [0.5, float("nan")]}, "expected a number for each"),
        ({"method": "task"}, "needs the encoder that all were trained from"),
        ({"start": "x"}, "linear takes no start"),
        ({"density": 0.5}, "of ties and dare"),
        ({"method": "ties", "start": "x", "density": 0.0}, "above 0 and at most 1"),
        ({"weights": [[0.5, 0.5], [1.0, 0.0]]}, "a sweep needs a score"),
        ({"weights": [0.5, 0.5], "score": len}, "several sets of weights"),
        ({"method": "slerp", "models": 3}, "slerp merges two encoders, got 3"),
        ({"models": 1}, "two or more encoders, got 1"),
    ],
)
def test_bad_input(given, sentence, tmp_path):
    models = ["a", "b", "c"][: given.pop("models", 2)]
    with pytest.raises(InputError, match=sentence):
        merge(models, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_other_shapes_and_vocabularies_are_refused(folders, tmp_path):
    one = folders[1]
    deep = tmp_path / "deep"
    tiny_bert(layers=3).save_pretrained(deep)
    tiny_tokenizer().save_pretrained(deep)
    with pytest.raises(InputError, match=r"one architecture merge: model\.bert\.encoder\.layer\.2.* is none in"):
        merge([one, deep], tmp_path / "out")
    other = tmp_path / "other"
    tiny_bert().save_pretrained(other)
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(other)
    text = (other / "tokenizer.json").read_text().replace('"a": 5', '"A": 5')
    (other / "tokenizer.json").write_text(text)
    with pytest.raises(InputError, match="other vocabularies"):
        merge([one, other], tmp_path / "out")
    pooled = load_encoder(folders[2], special_tokens=False)
    save_encoder(pooled, tmp_path / "pooled")
    with pytest.raises(InputError, match="make vectors in other ways"):
        merge([one, tmp_path / "pooled"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_verb(align, folders, tmp_path):
    (tmp_path / "dev").mkdir()
    for code, lines in {"ell_Grek": ["αβγ", "δε", "ζη"], "eng_Latn": ["abg", "de", "zh"]}.items():
        (tmp_path / "dev" / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["merge", folders[1], folders[2], "-w", "0.5,0.5", "-w", "1,0", "--out", "out"]
    printed = json.loads(align(*words, "--evaluate", "retrieval=dev", "--best", "retrieval/P@1,retrieval/MRR").out)
    assert len(printed["trials"]) == 2 and printed["out"] == "out"
    best = max(printed["trials"], key=lambda trial: trial["score"])
    assert printed["weights"] == best["weights"]
    assert "--best retrieval/x is no score" in align(
        *words, "--evaluate", "retrieval=dev", "--best", "retrieval/x", code=2
    ).err  # fmt: skip
    assert "expected numbers with commas" in align("merge", "a", "b", "-w", "x,y", "--out", "o", code=2).err
    assert "a sweep needs --evaluate" in align("merge", "a", "b", "--best", "x", "--out", "o", code=2).err

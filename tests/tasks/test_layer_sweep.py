from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from align.errors import InputError
from align.tasks.layers import LayerResult, best_layer, layer_sweep, split_lines
from align.tasks.retrieval import retrieval

ENG = "eng_Latn"


def result(**changes):
    dev = {"deu_Latn": (0.1, 0.9, 0.5), "fra_Latn": (0.1, 0.5, 0.8)}  # mean .1, .7, .65
    test = {"deu_Latn": (0.2, 0.3, 0.9), "fra_Latn": (0.2, 0.4, 1.0)}
    return LayerResult(
        **{"metric": "P@1", "layers": (0, 4, 8), "dev": dev, "test": test, "chosen_on": "a half"} | changes
    )


def test_the_layer_is_chosen_on_dev_and_scored_on_test():
    one = result()
    assert one.best == 4
    assert one.score == pytest.approx(0.35)  # layer 8 has .95 there, and is not quoted
    found = json.loads(json.dumps(one.to_json()))
    assert (found["metric"], found["best"], found["chosen_on"]) == ("P@1", 4, "a half")
    assert found["mean"] == pytest.approx([0.2, 0.35, 0.95])
    assert found["curves"] == {"deu_Latn": [0.2, 0.3, 0.9], "fra_Latn": [0.2, 0.4, 1.0]}
    assert found["dev"]["mean"] == pytest.approx([0.1, 0.7, 0.65])
    assert (found["layers"], found["score"]) == ([0, 4, 8], pytest.approx(0.35))


def test_table():
    head, table = result().table().split("\n\n")
    assert head.startswith("P@1 by layer (hidden_states[k]); layer 4 was chosen on a half; test P@1 at layer 4: 0.350;")
    lines = table.splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == ["P@1 at layer", "0", "4*", "8"]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["deu_Latn", "fra_Latn", "mean (test)", "mean (dev)"]


def test_the_lowest_of_equally_good_layers():
    assert best_layer([0.1, 0.7, 0.7]) == 1
    assert best_layer([0.0]) == 0
    for curve, sentence in (([], "of no scores"), ([0.1, math.nan], "a layer's score is NaN")):
        with pytest.raises(InputError, match=sentence):
            best_layer(curve)


@pytest.mark.parametrize(("n", "dev", "test"), [(2, 1, 1), (7, 3, 4), (100, 50, 50)])
def test_halves(n, dev, test):
    one, other = split_lines(n, seed=3)
    assert (len(one), len(other)) == (dev, test)
    assert sorted(one + other) == list(range(n)) and one == sorted(one) and other == sorted(other)
    assert split_lines(n, seed=3) == (one, other)
    assert n < 7 or split_lines(n, seed=4) != (one, other)


def test_one_line_cannot_be_halved():
    with pytest.raises(InputError, match="at least 2 lines, got 1"):
        split_lines(1)


def test_a_task_at_each_layer():
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((40, 8))
    noise = {0: 3.0, 1: 0.5, 2: 1.5}
    vectors = {
        (k, code): meaning + size * rng.standard_normal((40, 8)) for k, size in noise.items() for code in ("deu", "eng")
    }
    texts = {code: [str(i) for i in range(40)] for code in ("deu_Latn", ENG)}

    def at(k):
        return lambda lines, code: vectors[k, code[:3]]

    def run(encode):
        return {"deu_Latn": retrieval(encode, texts).headline()}

    curves = layer_sweep(at, [2, 0, 1], run)
    assert curves == {"deu_Latn": tuple(retrieval(at(k), texts).headline() for k in (2, 0, 1))}
    assert np.argmax(curves["deu_Latn"]) == 2
    assert layer_sweep(at, [], run) == {}


def test_messages():
    def fails(encode):
        raise InputError("deu_Latn has no lines")

    with pytest.raises(InputError, match="layer 3: deu_Latn has no lines"):
        layer_sweep(lambda k: lambda *_: np.ones((1, 1)), [3], fails)
    turns = iter([{"a": 1.0}, {"b": 1.0}])
    with pytest.raises(InputError, match=re.escape("layer 1 has scores of ['b'], layer 0 of ['a']")):
        layer_sweep(lambda k: lambda *_: np.ones((1, 1)), [0, 1], lambda _: next(turns))
    with pytest.raises(InputError, match="no dev curve was given"):
        result(dev={})
    with pytest.raises(InputError, match="the test curve of x has 2 scores for 3 layers"):
        result(test={"x": (0.1, 0.2)})

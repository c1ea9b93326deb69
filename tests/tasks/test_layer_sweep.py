from __future__ import annotations

import json
import math

import pytest

from align.errors import InputError
from align.tasks.layers import best_layer, layers_object, split_lines


def result(**changes):
    dev = {"deu_Latn": (0.1, 0.9, 0.5), "fra_Latn": (0.1, 0.5, 0.8)}  # mean .1, .7, .65
    test = {"deu_Latn": (0.2, 0.3, 0.9), "fra_Latn": (0.2, 0.4, 1.0)}
    return layers_object(
        **{"metric": "P@1", "layers": (0, 4, 8), "dev": dev, "test": test, "chosen_on": "a half"} | changes
    )


def test_the_layer_is_chosen_on_dev_and_scored_on_test():
    found = json.loads(json.dumps(result()))  # layer 8 has .95 on test, and is not quoted
    assert (found["metric"], found["best"], found["chosen_on"]) == ("P@1", 4, "a half")
    assert found["mean"] == pytest.approx([0.2, 0.35, 0.95])
    assert found["curves"] == {"deu_Latn": [0.2, 0.3, 0.9], "fra_Latn": [0.2, 0.4, 1.0]}
    assert found["dev"]["mean"] == pytest.approx([0.1, 0.7, 0.65])
    assert (found["layers"], found["score"]) == ([0, 4, 8], pytest.approx(0.35))


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


def test_messages():
    with pytest.raises(InputError, match="no dev curve was given"):
        result(dev={})
    with pytest.raises(InputError, match="the test curve of x has 2 scores for 3 layers"):
        result(test={"x": (0.1, 0.2)})

import math

import pytest

from align.errors import InputError
from align.pairs.filters.shares import Share, draw, quotas


def quotas_by_definition(available, share):
    first = {}
    for language, lines in available.items():
        n = math.floor(share.share * lines + 0.5)
        if n < share.minimum:
            n = share.minimum
        if share.cap is not None and n > share.cap:
            n = share.cap
        first[language] = n if n < lines else lines
    smallest = min([n for n in first.values() if n > 0], default=0)
    result = {}
    for language, n in first.items():
        factor = (smallest / n) ** (1 - share.temperature) if n else 0
        result[language] = math.floor(n * factor + 0.5 + 1e-9)
    return result


def test_the_worked_example():
    available = {"hin_Deva": 1000, "tam_Taml": 200, "kas_Arab": 10}
    share = Share(share=0.1, minimum=25, cap=81)
    assert quotas(available, share) == {"hin_Deva": 81, "tam_Taml": 25, "kas_Arab": 10}
    share = Share(share=0.1, minimum=25, cap=81, temperature=0.5)
    assert quotas(available, share) == {"hin_Deva": 28, "tam_Taml": 16, "kas_Arab": 10}


@pytest.mark.parametrize(
    "share",
    [
        Share(),
        Share(share=0.05),
        Share(share=0.1, minimum=50),
        Share(cap=7),
        Share(temperature=0.3),
        Share(temperature=0),
        Share(share=0.5, minimum=3, cap=40, temperature=0.7),
    ],
)
@pytest.mark.parametrize("counts", [{}, {"a": 0}, {"a": 1}, {"a": 0, "b": 5}, {"a": 3, "b": 99, "c": 1234, "d": 30}])
def test_against_the_definition(counts, share):
    assert quotas(counts, share) == quotas_by_definition(counts, share)


def test_a_language_never_vanishes_by_default():
    assert quotas({"a": 3}, Share(share=0.05)) == {"a": 1}
    assert quotas({"a": 3}, Share(share=0.05, minimum=0)) == {"a": 0}


def test_halves_are_rounded_up_and_temperature_zero_levels():
    assert quotas({"a": 10}, Share(share=0.25)) == {"a": 3}
    assert quotas({"a": 4, "b": 1000}, Share(temperature=0)) == {"a": 4, "b": 4}


def test_draw_is_sorted_distinct_seeded_and_per_language():
    first = draw(1000, 100, language="hin_Deva", seed=0).tolist()
    assert first == sorted(set(first)) and len(first) == 100 and first[-1] < 1000 and first[0] >= 0
    assert first == draw(1000, 100, language="hin_Deva", seed=0).tolist()
    assert first != draw(1000, 100, language="hin_Deva", seed=1).tolist()
    assert first != draw(1000, 100, language="tam_Taml", seed=0).tolist()
    assert draw(5, 5, language="a", seed=0).tolist() == [0, 1, 2, 3, 4]
    assert draw(0, 0, language="a", seed=0).tolist() == []


def test_draw_is_uniform():
    hits = [0] * 10
    for seed in range(2000):
        for position in draw(10, 3, language="hin_Deva", seed=seed):
            hits[position] += 1
    assert all(abs(hit - 600) < 5 * math.sqrt(2000 * 0.3 * 0.7) for hit in hits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0}, "share must lie in"),
        ({"share": float("nan")}, "share must lie in"),
        ({"share": 1.5}, "share must lie in"),
        ({"temperature": -0.1}, "temperature must lie in"),
        ({"temperature": float("nan")}, "temperature must lie in"),
        ({"temperature": 2}, "temperature must lie in"),
        ({"minimum": -1}, "must not be negative"),
        ({"seed": -1}, "must not be negative"),
        ({"cap": 0, "minimum": 0}, "cap must be at least 1"),
        ({"cap": 5, "minimum": 6}, "at least the minimum"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        Share(**options)

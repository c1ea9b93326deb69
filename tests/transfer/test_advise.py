from __future__ import annotations

import numpy as np
import pytest
from transfer_rows import CODES, pairs

import align
from align.errors import InputError
from align.transfer.evidence import Evidence
from align.transfer.features import typology
from align.transfer.scores import Score

SIZES = {code: float(10 ** (i + 1)) for i, code in enumerate(CODES)} | {
    "tam_Taml": 1e12,
    "ita_Latn": 1e3,
    "ukr_Cyrl": 1e4,
}


@pytest.fixture(autouse=True)
def no_typology(monkeypatch):
    monkeypatch.setattr(typology, "PACKAGE", "lang2vec-that-nobody-has")


def by_size(*, same=0.0, of=CODES):
    """The larger the source, the better; a target may be hard; and the same script may be worth something."""
    return [Score(s, t, np.log10(SIZES[s]) / 10 + same * (s[4:] == t[4:]) - sum(map(ord, t)) % 7) for s, t in pairs(of)]


def test_sources_of_a_new_target():
    found = align.advise(
        by_size(), ["kat_Geor"], evidence=Evidence(sizes=SIZES), sources=["tam_Taml"], features=["size"]
    )
    ranked = found["targets"]["kat_Geor"]
    assert [one["source"] for one in ranked] == ["tam_Taml", *reversed(CODES)]  # the law goes on
    assert {one["measured"] for one in ranked} == {None}
    logs = [12, *range(8, 0, -1)]
    assert [one["gain"] for one in ranked] == pytest.approx((np.array(logs) - np.mean(logs)) / 10, abs=2e-3)
    assert found["held_out"]["predicted"]["rho"] == [1, 1, 1]
    assert (found["scores"], found["held_out_targets"], found["features"]) == (56, 8, ["size"])
    assert set(found["importance"]) == {"size"} and found["importance"]["size"][0] > 0.5


def test_what_was_measured_goes_before_what_is_predicted():
    scores = [one for one in by_size() if (one.source, one.target) != ("rus_Cyrl", "hin_Deva")]
    scores = [one._replace(score=9.0) if one[:2] == ("amh_Ethi", "hin_Deva") else one for one in scores]
    measured = {one.source: one.score for one in scores if one.target == "hin_Deva"}
    found = align.advise(scores, ["hin_Deva"], evidence=Evidence(sizes=SIZES), features=["size"])
    ranked = found["targets"]["hin_Deva"]
    assert ranked[0]["source"] == "amh_Ethi" and "hin_Deva" not in {one["source"] for one in ranked}
    middle = np.mean([*measured.values()])
    for one in ranked:
        assert one["measured"] == measured.get(one["source"])
        if one["measured"] is not None:
            assert one["gain"] == pytest.approx(one["measured"] - middle)
    russian = next(one for one in ranked if one["source"] == "rus_Cyrl")
    assert russian["measured"] is None and 0 < russian["gain"] < 1
    assert [one["gain"] for one in ranked] == sorted((one["gain"] for one in ranked), reverse=True)


def test_a_feature_of_the_pair_decides_between_targets():
    codes = (*CODES, "ita_Latn", "ukr_Cyrl")
    found = align.advise(by_size(same=1, of=codes), ["fra_Latn", "bul_Cyrl"], evidence=Evidence(sizes=SIZES))
    best = {target: [one["source"] for one in ranked] for target, ranked in found["targets"].items()}
    assert best["fra_Latn"][:3] == ["eng_Latn", "deu_Latn", "ita_Latn"]
    assert best["bul_Cyrl"][:2] == ["rus_Cyrl", "ukr_Cyrl"]
    assert found["features"] == ["script", "size", "usual"]
    assert set(found["lacking"]) == {"syntax", "phonology", "inventory", "family", "geography", "subwords", "trigrams",
                                     "likeness"}  # fmt: skip
    assert found["importance"]["script"][0] > 0.2


def test_usual_alone():
    found = align.advise(by_size(), ["kat_Geor"], features=["usual"])
    assert [one["source"] for one in found["targets"]["kat_Geor"]] == list(reversed(CODES))
    assert found["held_out"]["predicted"] == found["held_out"]["usual"] and found["features"] == ["usual"]


def test_kinds_of_several_features_are_shuffled_together():
    texts = {code: [f"{code} x"] for code in CODES}
    found = align.advise(by_size(), evidence=Evidence(texts), features=["lexical"])
    assert list(found["importance"]) == ["script", "trigrams", "lexical, all"]
    assert found["targets"] == {}


def test_what_cannot_be_asked():
    with pytest.raises(InputError, match="in language code 'kat'"):
        align.advise(by_size(), ["kat"])
    with pytest.raises(InputError, match="unknown feature 'sice'"):
        align.advise(by_size(), features=["sice"])
    with pytest.raises(InputError, match="no feature is chosen: expected names of features, or None for all"):
        align.advise(by_size(), features=[])
    with pytest.raises(InputError, match="expected scores of at least 4 targets"):
        align.advise(by_size(of=CODES[:3]))

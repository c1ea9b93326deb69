from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.transfer.evidence import Evidence
from align.transfer.feature import feature_table, features
from align.transfer.features import likeness, script, size, subwords, trigrams, typology

TEXTS = {
    "eng_Latn": ["ab ab", "", "cd"], "deu_Latn": ["ab", "abc", "d"], "ell_Grek": ["αβ", "γ", ""], "hin_Deva": [" "],
}  # fmt: skip


@pytest.fixture
def lang2vec(tmp_path, monkeypatch):
    """The package as it is installed, with small tables; importing it fails, as the real one may."""
    home, data = tmp_path / "site", tmp_path / "site" / "lang2vec" / "data"
    about = home / "lang2vec-1.1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lang2vec\nVersion: 1.1.2\n")
    data.mkdir(parents=True)
    (home / "lang2vec" / "__init__.py").write_text("raise ImportError('pkg_resources')")
    langs = np.array(["deu", "eng", "zho"])
    predicted = {"S_SVO": (1, 1, 0), "S_SOV": (1, 0, 1), "P_TONE": (0, 1, 1), "INV_B": (1, 1, 1), "S_VSO": (0, 0, 1)}
    families = {"F_Germanic": (1, 1, 0), "F_English": (0, 1, 0)}
    places = {"GC_0_0": (0.6, 0.8, 0.1)}
    for file, columns in (
        ("feature_predictions", predicted),
        ("family_features", families),
        ("geocoord_features", places),
    ):
        values = np.array(list(columns.values()), dtype=np.float32).T[..., None]
        np.savez(data / f"{file}.npz", langs=langs, feats=np.array(list(columns)), data=values, sources=np.array(["x"]))
    monkeypatch.syspath_prepend(str(home))
    return data


def one(feature, source, target, evidence=None, **more):
    return feature.measure(evidence or Evidence(**more), [source, target])(source, target)


def test_typology_by_hand(lang2vec):
    by_name = {feature.name: feature for feature in typology.FEATURES}
    assert by_name["syntax"].lacks(Evidence()) == ""
    # syntax: deu (SVO, SOV) = 1 1 0, eng = 1 0 0, zho = 0 1 1
    assert one(by_name["syntax"], "deu_Latn", "eng_Latn") == pytest.approx(1 / math.sqrt(2))
    assert one(by_name["syntax"], "deu_Latn", "cmn_Hans") == pytest.approx(1 / 2)  # Mandarin by its macrolanguage
    assert one(by_name["syntax"], "eng_Latn", "zho_Hans") == 0
    assert math.isnan(one(by_name["phonology"], "deu_Latn", "eng_Latn"))  # only zeros
    assert one(by_name["phonology"], "zho_Hans", "eng_Latn") == 1
    assert one(by_name["inventory"], "zho_Hans", "eng_Latn") == 1
    assert one(by_name["family"], "deu_Latn", "eng_Latn") == pytest.approx(1 / math.sqrt(2))
    assert math.isnan(one(by_name["family"], "deu_Latn", "tam_Taml"))
    assert one(by_name["geography"], "deu_Latn", "eng_Latn") == pytest.approx(1)
    assert "lang2vec" not in sys.modules


def test_a_damaged_table_of_typology(lang2vec):
    (lang2vec / "family_features.npz").unlink()
    with pytest.raises(InputError, match=r"family_features.npz is no table of lang2vec 1.1 .*: pip install 'lang2"):
        feature_table([("deu_Latn", "eng_Latn")], Evidence(), ["family"])
    np.savez(lang2vec / "family_features.npz", langs=np.array(["deu"]))
    (lang2vec / "geocoord_features.npz").write_bytes((lang2vec / "geocoord_features.npz").read_bytes()[:300])
    for name in ("family", "geography"):
        with pytest.raises(InputError, match="is no table of lang2vec"):
            feature_table([("deu_Latn", "eng_Latn")], Evidence(), [name])


def test_without_typology_the_others_work(monkeypatch):
    monkeypatch.setattr(typology, "PACKAGE", "lang2vec-that-nobody-has")
    table = feature_table([("deu_Latn", "eng_Latn")], Evidence(TEXTS))
    assert [feature.name for feature in table.features] == ["script", "trigrams"]
    assert table.lacking["syntax"] == "typology needs lang2vec: pip install 'align-encoders[typology]'"
    with pytest.raises(InputError, match=r"no feature to predict from: typology needs lang2vec: pip install 'al"):
        feature_table([("deu_Latn", "eng_Latn")], Evidence(), ["typology"])


def test_the_same_script():
    same = script.FEATURE
    pairs = {("eng_Latn", "deu_Latn"): 1, ("eng_Latn", "ell_Grek"): 0, ("zho_Hans", "yue_Hant"): 1,
             ("jpn_Jpan", "zho_Hans"): 1, ("kor_Kore", "jpn_Jpan"): 1, ("kor_Hang", "jpn_Jpan"): 0}  # fmt: skip
    assert {pair: one(same, *pair) for pair in pairs} == pairs


def test_trigrams_by_hand():
    # eng: " ab" 2, "ab " 2, " cd" 1, "cd " 1; deu: " ab" 2, "ab " 1, "abc" 1, "bc " 1, " d " 1
    expected = (2 * 2 + 2 * 1) / math.sqrt((4 + 4 + 1 + 1) * (4 + 1 + 1 + 1 + 1))
    assert one(trigrams.FEATURE, "eng_Latn", "deu_Latn", texts=TEXTS) == pytest.approx(expected)
    assert one(trigrams.FEATURE, "eng_Latn", "ell_Grek", texts=TEXTS) == 0
    assert one(trigrams.FEATURE, "eng_Latn", "eng_Latn", texts=TEXTS) == pytest.approx(1)
    assert math.isnan(one(trigrams.FEATURE, "eng_Latn", "hin_Deva", texts=TEXTS))
    assert math.isnan(one(trigrams.FEATURE, "tam_Taml", "eng_Latn", texts=TEXTS))
    assert trigrams.trigrams(["ＡB\u200b a"]) == {" ab": 1, "ab ": 1, " a ": 1}


def test_subwords_by_hand(bert_folder):
    evidence = Evidence(TEXTS, encoder=load_encoder(bert_folder))
    # one piece a letter, and a space is unknown: eng a b _ a b c d, deu a b a b c d
    expected = min(2 / 7, 2 / 6) * 2 + min(1 / 7, 1 / 6) * 2
    assert one(subwords.FEATURE, "eng_Latn", "deu_Latn", evidence) == pytest.approx(expected)
    assert one(subwords.FEATURE, "deu_Latn", "eng_Latn", evidence) == pytest.approx(expected)
    assert one(subwords.FEATURE, "ell_Grek", "deu_Latn", evidence) == 0
    assert math.isnan(one(subwords.FEATURE, "hin_Deva", "deu_Latn", evidence))
    assert subwords.FEATURE.lacks(evidence) == ""
    for less in (Evidence(TEXTS), Evidence(encoder=evidence.encoder)):
        assert subwords.FEATURE.lacks(less) == "subwords need texts and an encoder (--text, --model)"


def test_size_is_that_of_the_source():
    sizes = {"eng_Latn": 1000.0, "hin_Deva": 1.0}
    assert one(size.FEATURE, "eng_Latn", "hin_Deva", sizes=sizes) == 3
    assert one(size.FEATURE, "hin_Deva", "eng_Latn", sizes=sizes) == 0
    assert math.isnan(one(size.FEATURE, "tam_Taml", "eng_Latn", sizes=sizes))


def test_likeness_by_hand(bert_folder):
    texts = {code: TEXTS[code] for code in ("eng_Latn", "deu_Latn", "ell_Grek")} | {"rus_Cyrl": ["", "x", ""]}
    encoder = load_encoder(bert_folder)
    evidence = Evidence(texts, parallel=True, encoder=encoder)
    vectors = {text: encoder.encode([text])[0] for lines in texts.values() for text in lines if text}

    def cosine(a, b):
        return vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b])

    found = one(likeness.FEATURE, "eng_Latn", "deu_Latn", evidence)
    assert found == pytest.approx((cosine("ab ab", "ab") + cosine("cd", "d")) / 2, abs=1e-6)  # line 2 is blank
    assert one(likeness.FEATURE, "ell_Grek", "eng_Latn", evidence) == pytest.approx(cosine("αβ", "ab ab"), abs=1e-6)
    assert math.isnan(one(likeness.FEATURE, "rus_Cyrl", "eng_Latn", evidence))  # no line of both
    assert math.isnan(one(likeness.FEATURE, "tam_Taml", "eng_Latn", evidence))
    assert likeness.FEATURE.lacks(Evidence(texts, encoder=encoder)).startswith("likeness needs parallel texts")


def test_a_table_of_features(monkeypatch):
    monkeypatch.setattr(typology, "PACKAGE", "lang2vec-that-nobody-has")
    pairs = [("eng_Latn", "deu_Latn"), ("hin_Deva", "eng_Latn"), ("tam_Taml", "deu_Latn")]
    table = feature_table(pairs, Evidence(TEXTS, sizes={"eng_Latn": 10}), ["size", "lexical"])
    names = [feature.name for feature in table.features]
    assert names == ["script", "trigrams", "size"] and list(table.lacking) == ["subwords"]
    assert table.values[:, 0].tolist() == [1, 0, 0]
    assert table.values[:, 2] == pytest.approx([1, math.nan, math.nan], nan_ok=True)
    assert table.unknown == {"trigrams": ["hin_Deva", "tam_Taml"], "size": ["hin_Deva", "tam_Taml"]}
    with pytest.raises(
        InputError, match=r"unknown feature 'sizes': expected one of typology, lexical.*; did you mean size"
    ):
        feature_table(pairs, Evidence(), ["sizes"])
    assert feature_table(pairs, Evidence(), []).values.shape == (3, 0)


def test_every_kind_has_features():
    assert {name: one.kind for name, one in features().items()} == {
        **dict.fromkeys(["syntax", "phonology", "inventory", "family", "geography"], "typology"),
        **dict.fromkeys(["script", "subwords", "trigrams"], "lexical"), "size": "data", "likeness": "encoder",
    }  # fmt: skip

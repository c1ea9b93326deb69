from __future__ import annotations

import numpy as np
import pytest

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.indexes.build import index as build
from align.indexes.build import save_index
from align.indexes.index import load_index
from align.indexes.search import Hit, find, query_encoder, search
from align.text.romanize import romanizer
from align.vectors.writing import save_vectors

TEXTS = ["αβγ δε", "ζηθ", "abg de", "ζηθ ι", "κλμ", "xyz"]
IDS = [f"t{i}" for i in range(6)]
LANGUAGES = ["ell_Grek"] * 2 + ["eng_Latn"] + ["ell_Grek"] * 2 + ["eng_Latn"]
SCRIPTS = [language[4:] for language in LANGUAGES]


@pytest.fixture
def encoder(bert_folder):
    return load_encoder(str(bert_folder), special_tokens=False)


@pytest.fixture
def made(encoder, tmp_path):
    return save_index(
        tmp_path / "index", encoder.encode(TEXTS), IDS, texts=TEXTS, encoder=encoder.identity(), languages=LANGUAGES,
        scripts=SCRIPTS,
    )  # fmt: skip


def romanised_index(encoder, out, version=None):
    vectors = encoder.encode(romanizer.romanize(TEXTS))
    identity = encoder.identity() | {"romanizer": version or romanizer.romanizer_version()}
    return save_index(out, vectors, IDS, texts=TEXTS, encoder=identity, languages=LANGUAGES, scripts=SCRIPTS)


def test_hits_are_what_the_index_says(made, encoder) -> None:
    found = search(made, encoder, ["ζηθ", "xyz"], 3)
    assert found[0][0] == Hit("ζηθ", 1, "t1", 1.0, "ζηθ", "ell_Grek", "Grek")
    assert found[1][0] == Hit("xyz", 1, "t5", 1.0, "xyz", "eng_Latn", "Latn")
    scores, rows = made.search(encoder.encode(["ζηθ", "xyz"]), 3)
    for query, hits, row_scores, row_numbers in zip(["ζηθ", "xyz"], found, scores, rows, strict=True):
        assert [(hit.query, hit.rank, hit.id) for hit in hits] == [
            (query, rank, IDS[row]) for rank, row in enumerate(row_numbers, 1)
        ]
        assert [hit.score for hit in hits] == pytest.approx(row_scores.tolist(), abs=1e-6)
    assert search(made, encoder, []) == []


def test_a_blank_query_has_no_hits_and_is_told(made, encoder, caplog) -> None:
    found = search(made, encoder, ["", "ζηθ", " \t", "\u200b\ufeff", "xyz"], 2)
    assert [len(hits) for hits in found] == [0, 2, 0, 0, 2]
    assert found[1] == search(made, encoder, ["ζηθ"], 2)[0] and found[4] == search(made, encoder, ["xyz"], 2)[0]
    assert caplog.messages == ["3 of 5 queries are blank, and have no hits"]
    assert search(made, encoder, [" "]) == [[]]


def test_an_index_and_a_model_may_be_given_by_name(made, encoder, bert_folder, tmp_path) -> None:
    plain = load_encoder(str(bert_folder))
    save_vectors(tmp_path / "v", IDS, plain.encode(TEXTS), texts=TEXTS, encoder=plain.identity(), store_texts=False)
    (hits,) = search(tmp_path / "v", str(bert_folder), ["κλμ"], 1)
    assert hits == [Hit("κλμ", 1, "t4", 1.0, None, "", "")]


def test_filters_and_fewer_hits_than_asked_for(made, encoder) -> None:
    (hits,) = search(made, encoder, ["ζηθ"], 5, languages=["eng_Latn"])
    assert sorted(hit.id for hit in hits) == ["t2", "t5"] and [hit.rank for hit in hits] == [1, 2]
    assert {hit.script for hit in search(made, encoder, ["xyz"], 9, scripts=["Grek"])[0]} == {"Grek"}
    assert search(made, encoder, ["a", "b"], 5, languages=["eng_Latn"], scripts=["Grek"]) == [[], []]
    with pytest.raises(InputError, match="known are ell_Grek, eng_Latn$"):
        search(made, encoder, ["a"], languages=["hin_Deva"])


@pytest.mark.parametrize("indexed", [True, False])
def test_columns_of_the_users_own(encoder, tmp_path, indexed) -> None:
    own = {"domain": ["law", "news", "law", "", "news", "it's"], "licence": ["CC0"] * 3 + ["CC BY 4.0"] * 3}
    made = save_vectors(
        tmp_path / "v", IDS, encoder.encode(TEXTS), texts=TEXTS, encoder=encoder.identity(), languages=LANGUAGES,
        scripts=SCRIPTS, columns=own, part_rows=4,
    )  # fmt: skip
    index = build(made, tmp_path / "i") if indexed else load_index(tmp_path / "v")
    for where, expected in (
        ({"domain": ["law"]}, "t0 t2"), ({"domain": ["law", "it's"], "licence": ["CC0"]}, "t0 t2"),
        ({"domain": [""]}, "t3"), ({"domain": ["news"], "licence": ["CC BY 4.0"]}, "t4"), ({}, "t0 t1 t2 t3 t4 t5"),
    ):  # fmt: skip
        (hits,) = search(index, encoder, ["ζηθ"], 9, where=where)
        assert sorted(hit.id for hit in hits) == expected.split()
        assert all(hit.columns == {name: of[IDS.index(hit.id)] for name, of in own.items()} for hit in hits)
    (hits,) = search(index, encoder, ["ζηθ"], 9, languages=["eng_Latn"], where={"domain": ["law"]})
    assert [hit.id for hit in hits] == ["t2"]
    said = r"no row of the index is of domain 'laws': known are it's, law, news; did you mean law\?$"
    with pytest.raises(InputError, match=said):
        search(index, encoder, ["a"], where={"domain": ["laws"]})
    with pytest.raises(InputError, match="no column 'topic' to filter by: there are language, script, domain, licence"):
        search(index, encoder, ["a"], where={"topic": ["law"]})


def test_another_encoder_is_refused(made, bert_folder) -> None:
    with pytest.raises(InputError, match=r"another encoder than the index: pooling.special_tokens \(false in the"):
        search(made, str(bert_folder), ["a"])
    with pytest.raises(InputError, match=r'prompt \("" in the index, "q: " in the queries\)'):
        search(made, load_encoder(str(bert_folder), special_tokens=False, prompt="q: "), ["a"])
    with pytest.raises(InputError, match="expected a list of queries, got one string"):
        search(made, load_encoder(str(bert_folder), special_tokens=False), "abc")


def test_queries_may_have_a_prompt_of_their_own(bert_folder, tmp_path) -> None:
    passages = load_encoder(str(bert_folder), prompt="passage: ")
    made = save_index(tmp_path / "i", passages.encode(TEXTS), IDS, texts=TEXTS, encoder=passages.identity())
    plain = load_encoder(str(bert_folder))
    with pytest.raises(InputError, match=r'prompt \("passage: " in the index, "" in the queries\)'):
        query_encoder(made, plain)
    for encoder in (plain, passages):
        own = encoder.prompt
        vectors = query_encoder(made, encoder, prompt="query: ")(["xyz"])
        assert np.allclose(vectors, plain.encode(["query: xyz"]), atol=1e-6)
        assert not np.allclose(vectors, plain.encode(["xyz"]), atol=1e-3)
        assert encoder.prompt == own
    assert np.allclose(query_encoder(made, passages, prompt="")(["xyz"]), plain.encode(["xyz"]), atol=1e-6)
    with pytest.raises(InputError, match="pooling"):
        query_encoder(made, load_encoder(str(bert_folder), layer=1), prompt="query: ")


def test_an_index_of_romanised_texts_has_its_queries_romanised(encoder, made, tmp_path) -> None:
    romanised = romanised_index(encoder, tmp_path / "r")
    latin = romanizer.romanize(["ζηθ"])[0]
    assert latin.isascii()
    for query in ("ζηθ", latin):
        (hits,) = search(romanised, encoder, [query], 1, romanized=True)
        assert (hits[0].id, hits[0].score, hits[0].query, hits[0].text) == ("t1", 1.0, query, "ζηθ")
    native = encoder.encode(["ζηθ"])
    assert not np.allclose(query_encoder(romanised, encoder)(["ζηθ"]), native, atol=1e-3)
    assert np.allclose(query_encoder(made, encoder)(["ζηθ"]), native, atol=1e-6)
    with pytest.raises(InputError, match=r"index holds texts that were not romanised before encoding: .* --romanize$"):
        search(made, encoder, ["a"], romanized=True)


def test_the_romaniser_knows_the_language_of_the_queries(encoder, tmp_path) -> None:
    romanised = romanised_index(encoder, tmp_path / "r")
    word = "Київ"  # г, и of Ukrainian are not those of Russian
    assert romanizer.romanize([word], lang="ukr_Cyrl") != romanizer.romanize([word])
    for language in (None, "ukr_Cyrl"):
        expected = encoder.encode(romanizer.romanize([word], lang=language))
        given = query_encoder(romanised, encoder, query_language=language)([word])
        assert np.allclose(given, expected, atol=1e-6)


def test_another_romaniser_is_refused(encoder, tmp_path, monkeypatch) -> None:
    old = romanised_index(encoder, tmp_path / "old", "uroman 0.1")
    with pytest.raises(InputError, match=r'romanizer \("uroman 0.1" in the index, "uroman .*" in the queries\)$'):
        search(old, encoder, ["a"])
    pytest.importorskip("uroman_fast")
    fast = romanised_index(encoder, tmp_path / "fast", romanizer.romanizer_version("fast"))
    assert search(fast, encoder, ["ζηθ"], 1)[0][0].id == "t1"


def test_hits_of_vectors_that_are_known(made, encoder) -> None:
    vectors = encoder.encode(["xyz"])
    assert find(load_index(made.folder), ["xyz"], vectors, 2) == search(made, encoder, ["xyz"], 2)

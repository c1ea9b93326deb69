"""Search over HTTP: the hits of ``align.search``, and why."""

from __future__ import annotations

import logging

import pytest
from servers import TEXTS, an_encoder, an_index, client, error

from align import offsets, search
from align.encoders.fallback import Fallback
from align.errors import InputError
from align.serving.serve import listening, model_name, open_indexes
from align.serving.served import served
from align.text.romanize.romanizer import romanize, romanizer_version

pytest.importorskip("starlette")


@pytest.fixture
def encoder(bert_folder):
    return an_encoder(bert_folder)


@pytest.fixture
def asked(encoder, tmp_path):
    with client(
        encoder, {"verses": an_index(encoder, tmp_path / "v"), "other": an_index(encoder, tmp_path / "o")}
    ) as c:
        yield lambda **body: c.post("/api/search", json=body)


def test_hits_are_those_of_search(asked, encoder, tmp_path):
    body = asked(query="ζηθ", k=3).json()
    (expected,) = search(tmp_path / "v", encoder, ["ζηθ"], 3)
    assert [(hit["rank"], hit["id"], hit["score"]) for hit in body["hits"]] == [
        (hit.rank, hit.id, hit.score) for hit in expected
    ]
    assert body["index"] == "verses" and asked(query="ζηθ", index="other").json()["index"] == "other"
    first = body["hits"][0]
    assert (first["text"], first["language"], first["script"]) == ("ζηθ", "ell_Grek", "Grek")
    assert (first["language_name"], first["web_language"]) == ("Modern Greek (1453-)", "el-Grek")
    assert (first["romanised"], first["letters"]) == (romanize(["ζηθ"])[0], 1.0)


def test_filters(asked):
    assert {hit["language"] for hit in asked(query="ζηθ", languages=["eng_Latn"]).json()["hits"]} == {"eng_Latn"}
    assert {hit["script"] for hit in asked(query="ζηθ", scripts=["Latn"], languages=[]).json()["hits"]} == {"Latn"}
    assert asked(query="ζηθ", languages=["ell_Grek"], scripts=["Latn"]).json()["hits"] == []
    assert asked(query="  ").json()["hits"] == []


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({}, 400, "query must be a string, got null"),
        ({"query": ["a"]}, 400, 'query must be a string, got ["a"]'),
        ({"query": "a", "k": 0}, 422, "k must be 1 to 1,000, got 0"),
        ({"query": "a", "k": 1.5}, 400, "k must be an integer, got 1.5"),
        (
            {"query": "a", "index": "verse"},
            404,
            "unknown index 'verse': expected one of verses, other; did you mean verses?",
        ),
        ({"query": "a", "languages": "eng_Latn"}, 400, 'languages must be a list, got "eng_Latn"'),
        ({"query": "a", "languages": [1]}, 400, "languages must be a list of strings, got 1 in it"),
        ({"query": "a", "languages": ["deu_Latn"]}, 422, "no row of the index is of language 'deu_Latn'"),
        ({"query": "a", "where": {"domain": ["x"]}}, 422, "no column 'domain' to filter by"),
        ({"query": "a", "query_language": "greek"}, 422, "unknown language code 'greek'"),
    ],
)
def test_what_is_refused_is_a_sentence(asked, body, status, sentence):
    assert error(asked(**body), status).startswith(sentence)


def test_the_reading_says_how_a_query_is_read(bert_folder, tmp_path):
    encoder = an_encoder(bert_folder, max_tokens=5)
    with client(encoder, {"v": an_index(encoder, tmp_path / "v")}) as one:
        reading = one.post("/api/search", json={"query": "ζΩab"}).json()["reading"]
    assert reading == {
        "script": "Grek", "romanised": "zOab", "read": "ζΩab", "pieces": ["[CLS]", "ζ", "[UNK]", "a", "b", "[SEP]"],
        "unknown": 1, "cut": 5, "romanised_by": None, "encoder": None, "offset": None,
    }  # fmt: skip


def test_of_a_fallback(encoder, tmp_path):
    encoder.fallback = Fallback(("Grek",))
    with client(encoder, {"v": an_index(encoder, tmp_path / "v")}) as one:
        greek, latin = (one.post("/api/search", json={"query": q}).json()["reading"] for q in ("ζη", "ze"))
    assert (greek["romanised_by"], greek["read"]) == ("fallback", romanize(["ζη"])[0])
    assert (latin["romanised_by"], latin["read"]) == (None, "ze")


def test_of_a_romanised_index(encoder, tmp_path):
    index = an_index(
        encoder, tmp_path / "v", vectors=encoder.encode(romanize(TEXTS)), identity={"romanizer": romanizer_version()}
    )
    with client(encoder, {"v": index}) as one:
        body = one.post("/api/search", json={"query": "ζηθ", "query_language": "ell_Grek"}).json()
        assert one.get("/api/about").json()["indexes"]["v"]["romanised"] == romanizer_version()
    assert (body["hits"][0]["id"], body["hits"][0]["score"]) == ("t1", 1.0)
    assert body["reading"]["romanised_by"] == "index" and body["reading"]["read"].isascii()


def test_of_offsets(bert_folder, encoder, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    texts = {"ell_Grek": ["αβγ", "δε"], "eng_Latn": ["abg", "de"]}
    for code, lines in texts.items():
        (tmp_path / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    offsets(encoder, {code: tmp_path / f"{code}.txt" for code in texts}, tmp_path / "offsets")
    moved = an_encoder(bert_folder, offsets=tmp_path / "offsets")
    with client(moved, {"v": an_index(moved, tmp_path / "v")}) as one:
        body = one.post("/api/search", json={"query": "ζηθ", "k": 6}).json()
        cyrillic = one.post("/api/search", json={"query": "да"}).json()
        said = one.post("/api/search", json={"query": "da", "query_language": "rus_Latn"}).json()
    assert body["reading"]["offset"] == "ell_Grek"
    assert {(hit["language"], hit["offset"]) for hit in body["hits"]} == {(code, code) for code in texts}
    assert cyrillic["reading"]["offset"] == said["reading"]["offset"] == ""


def test_queries_may_have_a_prompt_of_their_own(bert_folder, tmp_path):
    passages = an_encoder(bert_folder, prompt="p ")
    index = an_index(passages, tmp_path / "v")
    with client(passages, {"v": index}, query_prompt="q ") as one:
        body = one.post("/api/search", json={"query": "ab", "k": 1}).json()
        one.post("/v1/embeddings", json={"model": "tiny", "input": "ab"})
    assert body["reading"]["pieces"][1] == "q" and passages.prompt == "p "
    (expected,) = search(index, passages, ["ab"], 1, prompt="q ")
    assert body["hits"][0]["score"] == expected[0].score
    with pytest.raises(InputError, match="another encoder than the index: prompt"):
        served(an_encoder(bert_folder), {"v": index}, name="x")


def test_what_there_is(asked, encoder, tmp_path):
    with client(encoder, {"v": an_index(encoder, tmp_path / "x")}) as one:
        about = one.get("/api/about").json()
        page = one.get("/")
    assert about["indexes"]["v"] | {"names": None} == {
        "rows": 6, "languages": {"ell_Grek": 4, "eng_Latn": 2}, "scripts": {"Grek": 4, "Latn": 2}, "names": None,
        "columns": [], "romanised": None,
    }  # fmt: skip
    assert list(about["indexes"]["v"]["languages"]) == ["ell_Grek", "eng_Latn"]  # most first
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'") and "http" not in page.text


def test_without_an_index(encoder):
    with client(encoder) as one:
        assert one.get("/api/about").json()["indexes"] == {}
        refused = one.post("/api/search", json={"query": "a"})
    assert error(refused, 404) == "this server has no index: it gives embeddings"


def test_folders_and_ports(encoder, tmp_path):
    an_index(encoder, tmp_path / "a" / "v")
    an_index(encoder, tmp_path / "b" / "v")
    assert list(open_indexes([tmp_path / "a" / "v"])) == ["v"]
    with pytest.raises(InputError, match="two indexes are called v .*: rename one of the folders"):
        open_indexes([tmp_path / "a" / "v", tmp_path / "b" / "v"])
    with listening("127.0.0.1", 0) as place:
        port = place.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot listen on port {port} of 127.0.0.1 \(.*\): give another --port"):
            listening("127.0.0.1", port)
    assert (model_name(str(tmp_path / "a")), model_name("org/name")) == ("a", "org/name")

"""OpenAI's API, by its own client and by hand."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from servers import an_encoder, client, error

from align.encoders.language_tags import add_tags, tagged
from align.serving.refused import Refused
from align.serving.served import Limits

pytest.importorskip("starlette")
TEXTS = ["αβγ δε", "ζηθ", "abg de fgh", ""]


@pytest.fixture
def encoder(bert_folder):
    return an_encoder(bert_folder, max_tokens=8)


@pytest.fixture
def asked(encoder):
    with client(encoder, limits=Limits(body=2_000, texts=5)) as one:
        # by json.dumps, which writes a lone surrogate as an escape
        yield lambda **body: one.post("/v1/embeddings", content=json.dumps({"model": "tiny"} | body))


def vectors(reply):
    assert reply.status_code == 200, reply.text
    return np.array([one["embedding"] for one in reply.json()["data"]], dtype=np.float32)


def test_vectors_are_those_of_the_encoder(asked, encoder):
    reply = asked(input=TEXTS)
    assert np.allclose(vectors(reply), encoder.encode(TEXTS), atol=1e-6)
    body = reply.json()
    assert (body["object"], body["model"]) == ("list", "tiny")
    assert [(one["object"], one["index"]) for one in body["data"]] == [("embedding", i) for i in range(4)]
    assert np.array_equal(vectors(asked(input="ζηθ")), vectors(asked(input=["ζηθ"])))
    assert np.allclose(vectors(asked(input="ζηθ")), encoder.encode(["ζηθ"]), atol=1e-6)


def test_tokens_are_counted_and_so_is_what_is_cut(asked):
    body = asked(input=["ab", "", "abcdefghi"]).json()  # two special tokens each; nine letters do not fit into eight
    assert body["usage"] == {"prompt_tokens": 4 + 2 + 8, "total_tokens": 14}
    assert body["cut_texts"] == 1
    assert asked(input=["abcdef"], truncate=False).json()["cut_texts"] == 0
    sentence = error(asked(input=["ab", "abcdefghi"], truncate=False), 422)
    assert sentence.startswith("text 1 of input has 11 tokens, and 8 are read: shorten it")


def test_base64_is_little_endian_float32(asked):
    plain = vectors(asked(input=TEXTS))
    data = asked(input=TEXTS, encoding_format="base64").json()["data"]
    assert np.array_equal([np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in data], plain)


def test_fewer_dimensions_are_unit_vectors_again(asked):
    whole, short = vectors(asked(input=TEXTS)), vectors(asked(input=TEXTS, dimensions=3))
    by_hand = [[x / sum(y * y for y in row[:3]) ** 0.5 for x in row[:3]] for row in whole.tolist()]
    assert np.allclose(short, by_hand, atol=1e-6)
    assert np.array_equal(vectors(asked(input=TEXTS, dimensions=16)), whole)


def test_fewer_dimensions_of_vectors_of_any_length_are_left_so(bert_folder):
    encoder = an_encoder(bert_folder)
    encoder.unit = False
    with client(encoder) as one:
        found = one.post("/v1/embeddings", json={"model": "tiny", "input": "ab", "dimensions": 3})
    assert np.allclose(vectors(found), encoder.encode(["ab"])[:, :3], atol=1e-6)


def test_null_is_as_if_nothing_was_said(asked):
    body = asked(input=["ab"], dimensions=None, encoding_format=None, user=None, language=None)
    assert vectors(body).shape == (1, 16)


def test_a_lone_surrogate_is_no_failure(asked, encoder):
    assert np.allclose(vectors(asked(input=["a\ud800"])), encoder.encode(["a\ud800"]), atol=1e-6)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"input": [1, 2]}, 422, "input holds token ids, of another tokenizer than this model's: send the texts as"),
        ({"input": [[1, 2], [3]]}, 422, "input holds token ids"),
        ({"input": ["a", 1]}, 400, "input must be a string or a list of strings"),
        ({"input": 3}, 400, "input must be a string or a list of strings"),
        ({}, 400, "input must be a string or a list of strings"),
        ({"input": []}, 422, "input must have 1 to 5 texts, got 0"),
        ({"input": ["a"] * 6}, 422, "input must have 1 to 5 texts, got 6"),
        ({"input": "a", "model": "gpt"}, 404, "unknown model 'gpt': expected one of tiny"),
        ({"input": "a", "model": None}, 400, "model must be a string, got null"),
        ({"input": "a", "dimensions": 17}, 422, "dimensions must be 1 to 16, got 17"),
        ({"input": "a", "dimensions": 0}, 422, "dimensions must be 1 to 16, got 0"),
        ({"input": "a", "dimensions": True}, 400, "dimensions must be an integer, got true"),
        ({"input": "a", "encoding_format": "hex"}, 400, "encoding_format must be float or base64, got 'hex'"),
        ({"input": "a", "language": "hindi"}, 422, "unknown language code 'hindi'"),
        ({"input": "a" * 3000}, 413, "the body has more than 2,000 bytes: send fewer texts at a time"),
    ],
)
def test_what_is_refused_is_a_sentence(asked, body, status, sentence):
    assert error(asked(**body), status).startswith(sentence)


def test_bodies_that_are_none(encoder):
    with client(encoder) as one:
        for raw in (b"", b"{", b"\xff{}", b"[" * 100_000):
            assert error(one.post("/v1/embeddings", content=raw), 400).startswith("the body is no JSON in UTF-8")
        assert error(one.post("/v1/embeddings", content=b"[1]"), 400) == "the body must be a JSON object, got [1]"


def test_models_and_addresses_that_are_not_there(encoder):
    with client(encoder, name="org/tiny") as one:
        (model,) = one.get("/v1/models").json()["data"]
        assert (model["id"], model["object"]) == ("org/tiny", "model")
        assert one.get("/v1/models/org/tiny").json() == model
        assert error(one.get("/v1/models/other"), 404).startswith("unknown model 'other': expected one of org/tiny")
        assert error(one.get("/v1/chat"), 404).startswith("GET /v1/chat: nothing is here; there are GET /,")
        assert "not with this method; there are" in error(one.get("/v1/embeddings"), 405)
        assert one.get("/v1/models", headers={"host": "evil.example"}).status_code == 400


def test_what_fails_says_so_in_the_same_form(encoder, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("secret")

    with client(encoder) as one:
        one._transport.raise_server_exceptions = False
        monkeypatch.setattr(encoder, "encode", broken)
        reply = one.post("/v1/embeddings", json={"model": "tiny", "input": "a"})
    assert error(reply, 500) == "the server failed (RuntimeError); its log says where"


def test_a_full_queue_says_when_to_come_again(encoder, monkeypatch):
    async def full(*_):
        raise Refused(429, "full")

    monkeypatch.setattr("align.serving.worker.Worker.do", full)
    with client(encoder) as one:
        reply = one.post("/v1/embeddings", json={"model": "tiny", "input": "a"})
    assert error(reply, 429) == "full"
    assert reply.headers["retry-after"] == "1" and json.loads(reply.text)["error"]["type"] == "rate_limit_error"


def test_the_language_reaches_the_encoder(asked, encoder, monkeypatch):
    given, encode = [], encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts, language: given.append(language) or encode(texts))
    for language in ("ell_Grek", None, ""):
        assert asked(input="ζη", language=language).status_code == 200
    assert given == ["ell_Grek", None, None]


def test_language_tags_are_put_and_counted(encoder, monkeypatch):
    add_tags(encoder, ["ell_Grek"])
    encoder.language_tags = True
    with client(encoder) as one:
        reply = one.post("/v1/embeddings", json={"model": "tiny", "input": ["ζη"], "language": "ell_Grek"})
        untold = one.post("/v1/embeddings", json={"model": "tiny", "input": ["ζη"]})
    assert np.allclose(vectors(reply), encoder.encode(["ζη"], language="ell_Grek"), atol=1e-6)
    assert reply.json()["usage"]["prompt_tokens"] == len(encoder.tokenize(tagged(encoder, ["ζη"], "ell_Grek"))[0])
    assert error(untold, 422).startswith("language tags need the language of each text")

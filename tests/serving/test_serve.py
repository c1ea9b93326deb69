"""The server itself: by OpenAI's client, many at once, and until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from servers import an_encoder, an_index, running

import align
from align.errors import InputError
from align.serving import serve as module
from align.serving.served import Limits

pytest.importorskip("uvicorn")


@pytest.fixture
def encoder(bert_folder):
    return an_encoder(bert_folder)


@pytest.fixture
def openai():
    return pytest.importorskip("openai")


def test_by_openai_s_client(encoder, openai):
    texts = ["αβγ δε", "ζηθ"]
    with (
        running(encoder, limits=Limits(texts=3)) as at,
        openai.OpenAI(base_url=f"{at}/v1", api_key="none", max_retries=0) as one,
    ):
        assert [model.id for model in one.models.list()] == ["tiny"]
        assert one.models.retrieve("tiny").object == "model"
        for form in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
            found = one.embeddings.create(model="tiny", input=texts, **form)
            rows = [row.embedding for row in found.data]
            if form.get("encoding_format") == "base64":
                continue
            assert np.allclose(rows, encoder.encode(texts), atol=1e-6)
        assert found.usage.prompt_tokens == 8 + 5 and found.cut_texts == 0
        assert len(one.embeddings.create(model="tiny", input="a", dimensions=4).data[0].embedding) == 4
        with pytest.raises(openai.UnprocessableEntityError, match="input holds token ids"):
            one.embeddings.create(model="tiny", input=[1, 2])
        with pytest.raises(openai.NotFoundError, match="unknown model 'text-embedding-3-small': expected one of tiny"):
            one.embeddings.create(model="text-embedding-3-small", input="a")
        with pytest.raises(openai.UnprocessableEntityError, match="1 to 3 texts, got 4") as refused:
            one.embeddings.create(model="tiny", input=["a"] * 4)
        assert (refused.value.param, refused.value.type) == ("input", "invalid_request_error")


def test_many_at_once_get_what_each_would_get_alone(encoder, openai, monkeypatch):
    texts = [letter * length for letter in "abζη" for length in (1, 3, 9, 20)]
    sizes, encode = [], encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda given, **more: sizes.append(len(given)) or encode(given, **more))

    async def ask(at):
        async with openai.AsyncOpenAI(base_url=f"{at}/v1", api_key="none", max_retries=0) as one:
            replies = [one.embeddings.create(model="tiny", input=text) for text in texts]
            return [reply.data[0].embedding for reply in await asyncio.gather(*replies)]

    with running(encoder) as at:
        found = asyncio.run(ask(at))
    alone = np.concatenate([encode([text]) for text in texts])
    assert np.allclose(found, alone, atol=1e-6)
    assert sum(sizes) == len(texts) > len(sizes)


SLOW = """
import sys, time
import numpy as np
from align.serving.embeddings import EMBED
from align.serving.serve import listening, run, server
from align.serving.served import Limits, Served
from align.serving.worker import Worker

assert "torch" not in sys.modules

def work(texts, language):
    print("working", flush=True)
    time.sleep(0.3)
    return [(np.ones(2, dtype=np.float32), 1) for _ in texts]

what = Served("slow", 2, 8, True, Worker({EMBED: work}, waiting=9), Limits())
with listening("127.0.0.1", 0) as place:
    print(place.getsockname()[1], flush=True)
    run(server(what, "127.0.0.1"), place)
print("stopped", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_what_is_under_way_is_answered_before_it_stops():
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline())
        body = json.dumps({"model": "slow", "input": "a"}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/embeddings", data=body)

        async def ask():
            reply = asyncio.create_task(asyncio.to_thread(lambda: json.load(urllib.request.urlopen(request))))
            assert await asyncio.to_thread(process.stdout.readline) == "working\n"
            process.send_signal(signal.SIGTERM)
            return await reply

        assert asyncio.run(ask())["data"][0]["embedding"] == [1.0, 1.0]
        assert process.stdout.readline() == "stopped\n" and process.wait(10) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(request)


class Ran:
    """A server that only notes what it would serve."""

    def __init__(self, served, host):
        self.served, self.host = served, host

    def run(self, sockets):
        self.port = sockets[0].getsockname()[1]


@pytest.fixture
def ran(monkeypatch):
    found = []
    monkeypatch.setattr(module, "server", lambda served, host: found.append(Ran(served, host)) or found[-1])
    return found


def test_the_verb_and_the_function(align, ran, encoder, bert_folder, tmp_path, caplog):
    caplog.set_level("INFO")
    an_index(encoder, tmp_path / "verses")
    align("serve", bert_folder, "verses", "--port", 0, "--max-texts", 7, "--max-waiting", 8, "--max-body", 9)
    (one,) = ran
    assert (one.served.name, one.host, list(one.served.indexes)) == ("bert", "127.0.0.1", ["verses"])
    assert one.served.limits == Limits(body=9, texts=7, waiting=8)
    assert f"serving bert with 1 index at http://127.0.0.1:{one.port} " in caplog.text
    assert "without a password" not in caplog.text
    align_function(encoder, {}, port=0, host="0.0.0.0", name="other")
    assert (ran[1].served.name, dict(ran[1].served.indexes)) == ("other", {})
    assert f"http://0.0.0.0:{ran[1].port} can be reached from other machines, without a password" in caplog.text


align_function = align.serve


def test_what_it_needs(align, ran, bert_folder, tmp_path, monkeypatch):
    assert "no index: it has no manifest.json" in align("serve", bert_folder, tmp_path, code=2).err
    assert "such model folder" in align("serve", "./nothing", code=2).err
    with module.listening("127.0.0.1", 0) as place:
        taken = align("serve", bert_folder, "--port", place.getsockname()[1], code=2).err
    assert "give another --port or --host" in taken
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs starlette and uvicorn: pip install 'align-encoders\[serve\]'"):
        align_function("seed")
    assert ran == []


def test_ctrl_c_is_no_error(encoder, monkeypatch, caplog):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    caplog.set_level("INFO")
    monkeypatch.setattr("uvicorn.Server.run", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    align_function(encoder, port=0)
    assert caplog.messages[-1] == "stopped" and signal.getsignal(signal.SIGTERM) is before

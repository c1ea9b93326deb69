"""Things to be served: a small encoder, its index, an application of both."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

from starlette.testclient import TestClient

from align import load_encoder, load_index, save_vectors
from align.serving.app import app
from align.serving.serve import listening, server
from align.serving.served import Limits, served

TEXTS = ["αβγ δε", "ζηθ", "abg de", "ζηθ ι", "κλμ", "<b>xyz</b>"]
LANGUAGES = ["ell_Grek", "ell_Grek", "eng_Latn", "ell_Grek", "ell_Grek", "eng_Latn"]


def an_index(encoder, folder, **more):
    """Six texts of two languages."""
    identity = encoder.identity() | more.pop("identity", {})
    vectors = more.pop("vectors", None)
    save_vectors(
        folder, [f"t{i}" for i in range(6)], encoder.encode(TEXTS) if vectors is None else vectors, texts=TEXTS,
        encoder=identity, languages=LANGUAGES, scripts=[code[4:] for code in LANGUAGES], **more,
    )  # fmt: skip
    return load_index(folder)


@contextmanager
def client(encoder, indexes=None, *, name="tiny", limits=None, query_prompt=None):
    """A client of an application in this process."""
    what = served(encoder, indexes or {}, name=name, limits=limits or Limits(), query_prompt=query_prompt)
    with TestClient(app(what, hosts=["127.0.0.1"]), base_url="http://127.0.0.1") as one:
        yield one


@contextmanager
def running(encoder, indexes=None, **more):
    """The address of a server on a free port, in a thread of this process."""
    one = server(served(encoder, indexes or {}, **{"name": "tiny"} | more), "127.0.0.1")
    with listening("127.0.0.1", 0) as place:
        thread = threading.Thread(target=one.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            while not one.started:
                assert thread.is_alive()
                time.sleep(0.005)
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            one.should_exit = True
            thread.join()


def error(reply, status):
    """The sentence of an error in OpenAI's form."""
    assert reply.status_code == status, reply.text
    body = reply.json()["error"]
    assert body.keys() == {"message", "type", "param", "code"}
    return body["message"]


def an_encoder(folder, **options):
    return load_encoder(str(folder), device="cpu", **options)

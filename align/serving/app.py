"""The addresses, and what each answers; every error is a sentence in the same JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from align import __version__
from align.errors import InputError, unknown
from align.serving.body import read_body
from align.serving.embeddings import embed, model_object
from align.serving.refused import Refused
from align.serving.searching import about_index, search
from align.serving.served import Served

if TYPE_CHECKING:  # the extra serve; where it is not installed, the verb says so
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page asks nobody but this server."""
ADDRESSES = ("GET /", "GET /api/about", "POST /api/search", "POST /v1/embeddings", "GET /v1/models")


def app(served: Served, *, hosts: Sequence[str] = ("*",)) -> Starlette:
    """The application of what is served.

    Args:
        served: encoder, indexes, worker.
        hosts: names that a request may call this machine by; a page of another site that has its own name point here
            is refused.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    @asynccontextmanager
    async def working(_: Starlette) -> AsyncIterator[None]:
        served.worker.start()
        yield
        served.worker.stop()

    def posted(answer: Callable[[Served, dict[str, Any]], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return _json(await answer(served, await read_body(request, served.limits.body)))

        return endpoint

    routes = [
        Route("/", page),
        Route("/api/about", partial(about, served)),
        Route("/api/search", posted(search), methods=["POST"]),
        Route("/v1/embeddings", posted(embed), methods=["POST"]),
        Route("/v1/models", partial(models, served)),
        Route("/v1/models/{name:path}", partial(model, served)),
    ]
    return Starlette(
        routes=routes, lifespan=working, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={
            Refused: _refused, InputError: _wrong, HTTPException: _nothing_there, Exception: _failed,
        },
    )  # fmt: skip


async def page(_: Request) -> Response:
    """The page to search on."""
    from starlette.responses import HTMLResponse

    text = files("align.serving").joinpath("page.html").read_text(encoding="utf-8")
    return HTMLResponse(text, headers={"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})


async def about(served: Served, _: Request) -> Response:
    """What there is, for the page and for whoever wonders."""
    indexes = await served.alone(lambda: {name: about_index(one) for name, one in served.indexes.items()})
    return _json({
        "align": __version__, "model": served.name, "dimension": served.dimension, "max_tokens": served.max_tokens,
        "indexes": indexes, "limits": {"body": served.limits.body, "texts": served.limits.texts},
    })  # fmt: skip


async def models(served: Served, _: Request) -> Response:
    """OpenAI's list of models."""
    return _json({"object": "list", "data": [model_object(served)]})


async def model(served: Served, request: Request) -> Response:
    """OpenAI's one of them."""
    name = request.path_params["name"]
    if name != served.name:
        raise Refused(404, unknown("model", name, [served.name]), param="model", code="model_not_found")
    return _json(model_object(served))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    again = {"Retry-After": "1"} if error.status in (429, 503) else None
    return _json(error.body(), error.status, headers=again)


async def _wrong(request: Request, error: Exception) -> Response:
    return await _refused(request, Refused(422, str(error)))


async def _nothing_there(request: Request, error: Exception) -> Response:
    from starlette.exceptions import HTTPException

    assert isinstance(error, HTTPException)
    what = "not with this method" if error.status_code == 405 else "nothing is here"
    sentence = f"{request.method} {request.url.path}: {what}; there are {', '.join(ADDRESSES)}"
    return _json(Refused(error.status_code, sentence).body(), error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return await _refused(request, Refused(500, f"the server failed ({type(error).__name__}); its log says where"))


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(value, status, headers)

"""What fails at Milvus: what another try may mend, and the sentence of the rest."""

from __future__ import annotations

from typing import Any

import grpc  # type: ignore[import-untyped]
from pymilvus import MilvusException

from align.errors import InputError

AWAY = {2, 4, 8}
"""Codes of Milvus worth another try, beside those it calls so itself: unavailable, too many requests, rate limit."""


def away(error: Exception) -> bool:
    """Whether another try may mend it."""
    if isinstance(error, OSError):
        return True
    if isinstance(error, ValueError):  # of gRPC: the channel was closed under a call
        return "closed channel" in str(error)
    response: Any = error
    code = response.code() if isinstance(error, grpc.RpcError) else response.code
    if isinstance(code, grpc.StatusCode):
        return code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED)
    return code in AWAY or response.retriable or "Retry" in response.message  # the client's own retries ran out of time


def cause(error: Exception) -> str:
    """What failed, in a few words."""
    if isinstance(error, grpc.RpcError):
        return str(error.code().name)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(getattr(error, "message", error)).partition("\n")[0]


def refused(error: Exception, where: str) -> Exception:
    """What the server says no to, as one sentence; anything else as it is."""
    if isinstance(error, MilvusException):
        return InputError(f"{where}: {cause(error)}")
    return error

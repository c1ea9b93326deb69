"""The body of a request: read up to a limit, JSON, fields of the kind that is expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from align.serving.refused import Refused
from align.text.surrogates import well_formed

if TYPE_CHECKING:
    from starlette.requests import Request

NAMES = {str: "a string", int: "an integer", bool: "true or false", list: "a list", dict: "an object"}


async def read_body(request: Request, limit: int) -> dict[str, Any]:
    """The JSON object that a request brings.

    Raises:
        Refused: more than ``limit`` bytes (413), of which no more are read; or no JSON object in UTF-8 (400).
    """
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > limit:
            raise Refused(413, f"the body has more than {limit:,} bytes: send fewer texts at a time")
    try:
        found = json.loads(held.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON in UTF-8 ({error})") from error
    if not isinstance(found, dict):
        raise Refused(400, f"the body must be a JSON object, got {_shown(found)}")
    return found


def field(body: Mapping[str, Any], name: str, kind: type, default: Any = None, *, needed: bool = False) -> Any:
    """A field of a kind; ``default`` where there is none, or null.

    Raises:
        Refused: another kind, or none where it is needed (400).
    """
    value = body.get(name)
    if value is None and not needed:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refused(400, f"{name} must be {NAMES[kind]}, got {_shown(value)}", param=name)
    return well_formed(value) if isinstance(value, str) else value


def strings(body: Mapping[str, Any], name: str) -> list[str] | None:
    """A field that is a list of strings; ``None``: there is none.

    Raises:
        Refused: anything else (400).
    """
    values = field(body, name, list)
    if values is None:
        return None
    for value in values:
        if not isinstance(value, str):
            raise Refused(400, f"{name} must be a list of strings, got {_shown(value)} in it", param=name)
    return [well_formed(value) for value in values]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."

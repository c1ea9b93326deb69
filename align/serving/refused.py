"""What is refused: a status, a sentence, and the same JSON for all of it, in OpenAI's form."""

from __future__ import annotations

from typing import Any

KINDS = {404: "not_found_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}
"""What OpenAI calls an error of a status; any other is an ``invalid_request_error``."""


class Refused(Exception):
    """A request that gets no answer but a sentence.

    Args:
        status: of HTTP: 400 it cannot be read, 404 nothing of that name, 413 too large, 422 it asks for what there is
            not, 429 too much at once, 503 not now.
        sentence: what was expected, what came, what to do.
        param: the field that is wrong.
        code: a word for programs.
    """

    def __init__(self, status: int, sentence: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.param, self.code = status, sentence, param, code

    def body(self) -> dict[str, Any]:
        """JSON as clients of OpenAI read it."""
        kind = KINDS.get(self.status, "invalid_request_error")
        return {"error": {"message": self.sentence, "type": kind, "param": self.param, "code": self.code}}

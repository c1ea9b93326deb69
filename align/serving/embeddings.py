"""OpenAI's embeddings: ``/v1/embeddings`` and ``/v1/models``, for the clients that there are."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from align.errors import unknown
from align.serving.body import field
from align.serving.refused import Refused
from align.serving.worker import Work
from align.text.languages import check_language
from align.text.surrogates import well_formed

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.serving.served import Served

EMBED = "/v1/embeddings"
"""The work of that name, which no index can have."""


def embedding_work(encoder: Encoder) -> Work:
    """Each text to its vector and its tokens, those that are cut off included."""

    def work(texts: list[str], language: str | None) -> list[tuple[NDArray[np.float32], int]]:
        from align.encoders.language_tags import tagged

        given = tagged(encoder, texts, language) if encoder.language_tags else texts
        tokens = map(len, encoder.tokenize(given, whole=True))
        return list(zip(encoder.encode(texts, language=language), tokens, strict=True))

    return work


def asked_texts(body: Mapping[str, Any], most: int) -> list[str]:
    """The texts of a request.

    Raises:
        Refused: neither a string nor a list of strings (400); token ids, no text, or more than ``most`` (422).
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list):
        raise Refused(400, "input must be a string or a list of strings", param="input")
    if texts and all(isinstance(one, int | list) for one in texts):
        raise Refused(
            422, "input holds token ids, of another tokenizer than this model's: send the texts as strings (LangChain: "
            "OpenAIEmbeddings(check_embedding_ctx_length=False))", param="input",
        )  # fmt: skip
    if not all(isinstance(one, str) for one in texts):
        raise Refused(400, "input must be a string or a list of strings", param="input")
    if not 1 <= len(texts) <= most:
        raise Refused(422, f"input must have 1 to {most:,} texts, got {len(texts):,}", param="input")
    return [well_formed(text) for text in texts]


def asked_language(body: Mapping[str, Any], name: str) -> str | None:
    """A language code that a request may bring, for offsets and romanisers; ``None``: not known."""
    code: str = field(body, name, str, "")
    return check_language(code) if code else None


async def embed(served: Served, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request.

    Beside OpenAI's fields a request may have ``language``, a code such as hin_Deva, and ``truncate`` false, which
    refuses texts that would be cut. An answer says in ``cut_texts`` how many were.

    Raises:
        Refused: what the request asks for is not there; the sentence says what is.
    """
    named = field(body, "model", str, needed=True)
    if named != served.name:
        raise Refused(404, unknown("model", named, [served.name]), param="model", code="model_not_found")
    texts = asked_texts(body, served.limits.texts)
    form = field(body, "encoding_format", str, "float")
    if form not in ("float", "base64"):
        raise Refused(400, f"encoding_format must be float or base64, got {form!r}", param="encoding_format")
    width = field(body, "dimensions", int, served.dimension)
    if not 1 <= width <= served.dimension:
        raise Refused(422, f"dimensions must be 1 to {served.dimension}, got {width}", param="dimensions")
    results = await served.worker.do(EMBED, texts, asked_language(body, "language"))
    tokens = [count for _, count in results]
    longest = max(range(len(tokens)), key=tokens.__getitem__)
    if tokens[longest] > served.max_tokens and not field(body, "truncate", bool, True):
        raise Refused(
            422, f"text {longest} of input has {tokens[longest]:,} tokens, and {served.max_tokens:,} are read: "
            "shorten it, or leave truncate out to have it cut", param="input",
        )  # fmt: skip
    vectors = shortened(np.stack([vector for vector, _ in results]), width, unit=served.unit)
    read = sum(min(count, served.max_tokens) for count in tokens)
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": one} for i, one in enumerate(written(vectors, form))],
        "model": served.name,
        "usage": {"prompt_tokens": read, "total_tokens": read},
        "cut_texts": sum(count > served.max_tokens for count in tokens),
    }


def shortened(vectors: NDArray[np.float32], width: int, *, unit: bool) -> NDArray[np.float32]:
    """(n, D) -> the first ``width`` of D, made unit ones again if they were."""
    if width == vectors.shape[1]:
        return vectors
    kept = vectors[:, :width]
    return kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12) if unit else kept


def written(vectors: NDArray[np.float32], form: str) -> list[Any]:
    """Vectors as lists of numbers, or as base64 of little-endian float32."""
    if form == "float":
        numbers: list[Any] = vectors.tolist()
        return numbers
    return [base64.b64encode(row.astype("<f4").tobytes()).decode("ascii") for row in vectors]


def model_object(served: Served) -> dict[str, Any]:
    """The one model, as OpenAI lists models."""
    return {"id": served.name, "object": "model", "created": served.since, "owned_by": "align"}

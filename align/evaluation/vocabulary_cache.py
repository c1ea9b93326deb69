"""Vectors of vocabularies on disk, by what made them: a vocabulary is encoded once, whatever is then scored on it."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.evaluation.results import file_part
from align.files.whole import user_cache
from align.indexes.build import save_index
from align.indexes.index import load_index
from align.similarity.cosine import matrix
from align.text.hashing import text_sha256

logger = logging.getLogger(__name__)

Encode = Callable[[Sequence[str], str], ArrayLike]
"""(words, language) -> (n, d)."""


def cache_folder() -> Path:
    """``vocabularies`` in align's folder of the user's cache."""
    return user_cache("vocabularies")


def cached(encode: Encode, *, encoder: Mapping[str, Any], folder: Path | None = None) -> Encode:
    """The function that reads the vectors of a word list from the cache, and encodes and keeps them where it has none.

    An entry is an exact index (see ``align.indexes.index``) whose ids are the words, written whole or not at all. It is
    found by encoder, language and words, and used only if all three and its hashes agree. A damaged entry is encoded
    anew, with a warning; an entry that cannot be written costs a warning, not the vectors.

    Args:
        encode: (words, language) -> (n, d), of distinct words.
        encoder: all that decides its vectors, as JSON values: ``Encoder.identity()``.
        folder: the cache; ``None``: that of the user.

    Returns:
        The function; float32 vectors, memory-mapped where they come from the cache.

    Raises:
        InputError: ``folder`` cannot be written to.
    """
    home = cache_folder() if folder is None else Path(folder)
    _check_writable(home)

    def encode_cached(words: Sequence[str], language: str) -> NDArray[Any]:
        made_by = json.loads(json.dumps({**encoder, "language": language}))
        entry = home / f"{file_part(language)}-{_key(words, made_by)}"
        if (entry / "manifest.json").exists():
            try:
                found = load_index(entry)
                same = found.encoder == made_by and found.ids(np.arange(found.rows)) == list(words)
                if same and found.vectors is not None:
                    logger.info("%s: vectors of %d words read from %s", language, len(words), entry)
                    return found.vectors
                logger.warning("%s holds other words or another encoder than it says: encoded anew", entry)
            except InputError as error:
                logger.warning("%s; its %d words are encoded anew", error, len(words))
        vectors = matrix(encode(words, language))
        with np.errstate(over="ignore"):
            vectors = vectors.astype(np.float32, copy=False)  # as they will be read
        try:
            save_index(entry, vectors, list(words), encoder=made_by)
        except (InputError, OSError) as error:
            logger.warning("%s: the vectors of %d words were not cached: %s", language, len(words), error)
        return vectors

    return encode_cached


def _key(words: Sequence[str], made_by: Mapping[str, Any]) -> str:
    return text_sha256(json.dumps([made_by, list(words)], sort_keys=True))[:32]


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"the vocabulary cache {folder} cannot be written to: {error.strerror}") from error

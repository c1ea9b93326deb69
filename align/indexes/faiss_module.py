"""FAISS, which is an extra."""

from __future__ import annotations

from typing import Any

from align.errors import InputError


def import_faiss() -> Any:
    """The module.

    Raises:
        InputError: it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise InputError("an index other than Flat needs faiss: pip install 'align-encoders[faiss]'") from error
    return faiss

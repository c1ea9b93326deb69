"""FAISS, which is an extra."""

from __future__ import annotations

import logging
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from align.errors import InputError

log = logging.getLogger(__name__)

GPU_WHEELS = ("faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12", "faiss-gpu-cuvs")


def import_faiss() -> Any:
    """The module.

    Raises:
        InputError: it is not installed, or lacks the CUDA libraries that it is made for.
    """
    try:
        import faiss
    except ImportError as error:
        raise InputError("an index other than Flat needs faiss: pip install 'align-encoders[faiss]'") from error
    except RuntimeError as error:
        raise InputError(f"faiss is installed but does not load: {error}") from error
    _warn_of_two_wheels()
    return faiss


def reason(error: Exception) -> str:
    """What FAISS says, without the C++ function and file that say it."""
    return re.sub(r"^Error in .*? at \S+:\d+: (Error: )?", "", str(error).replace("\n", " ")).strip()


@cache
def _warn_of_two_wheels() -> None:
    """Both wheels write the folder ``faiss``: what is in it is then a matter of the order they came in."""
    both = [name for name in GPU_WHEELS if _installed(name)]
    if both and _installed("faiss-cpu"):
        log.warning(
            "faiss-cpu and %s are both installed and write the same folder: uninstall both, then install one", both[0]
        )


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False

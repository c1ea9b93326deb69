"""What decides a result beside its input: the versions of what ran."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("align-encoders", "torch", "transformers", "sentence-transformers", "tokenizers", "peft", "numpy", "uroman")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a run."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

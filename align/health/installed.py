"""Which packages are installed, and which extras with them."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import NamedTuple

from packaging.requirements import Requirement

from align import __version__

NAME = "align-encoders"
NOT_FOR_USERS = ("dev",)


class Package(NamedTuple):
    """A package that Align needs, or uses if it is there."""

    name: str
    version: str
    """Empty: not installed."""
    extra: str
    """That brings it; empty: always needed."""
    problem: str
    """What is wrong with it; empty: nothing."""


def requirements() -> list[tuple[str, Requirement]]:
    """What Align needs here, each with its extra, as its package says; nothing if it runs without being installed."""
    try:
        lines = importlib.metadata.requires(NAME) or []
        extras = importlib.metadata.metadata(NAME).get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = []
    for requirement in map(Requirement, lines):
        for extra in ("", *sorted(extras)):
            if extra not in NOT_FOR_USERS and _applies(requirement, extra):
                found.append((extra, requirement))
    return found


def packages() -> list[Package]:
    """What is asked of this machine, the needed ones first."""
    return [_package(extra, requirement) for extra, requirement in requirements()]


def python_and_align() -> dict[str, str]:
    """What runs, and on what."""
    return {"align": __version__, "python": platform.python_version(), "system": platform.platform()}


def _applies(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    needed = marker is None or marker.evaluate({"extra": ""})
    return needed if not extra else not needed and marker is not None and marker.evaluate({"extra": extra})


def _package(extra: str, requirement: Requirement) -> Package:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        install = f"pip install '{NAME}[{extra}]'" if extra else f"pip install '{requirement}'"
        return Package(requirement.name, "", extra, install)
    right = requirement.specifier.contains(version, prereleases=True)
    return Package(requirement.name, version, extra, "" if right else f"expected {requirement.specifier}")

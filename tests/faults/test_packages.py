"""What is declared of other packages."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only in a checkout of the source")


def test_P3_lowest_versions():
    """Every dependency, also of the extras, is looked at for the lowest version that it allows.

    Each says one, and the versions that CI installs are allowed. The lowest ones themselves are not installed by CI.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    given = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    wanted = [Requirement(text) for text in given if not text.startswith("align-encoders")]
    pinned = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1].isalpha()]
    versions = {one.name.lower(): str(one.specifier).removeprefix("==") for one in pinned}
    for one in wanted:
        assert any(part.operator in (">=", "==") for part in one.specifier), f"{one} has no floor"
        if one.name.lower() in versions:
            assert one.specifier.contains(versions[one.name.lower()], prereleases=True), f"{one}: {versions[one.name]}"
    assert len(versions) > 20

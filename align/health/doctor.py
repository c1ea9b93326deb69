"""What is installed, which fast paths are taken, what is kept on the disk, and whether two processes agree with one."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from align.health.caches import Cache, caches, shown
from align.health.fast_paths import FastPath, fast_paths
from align.health.installed import Package, packages, python_and_align
from align.health.two_processes import Agreement, two_processes


@dataclass(frozen=True)
class Health:
    """What :func:`doctor` found."""

    versions: Mapping[str, str]
    packages: list[Package]
    fast_paths: list[FastPath]
    caches: list[Cache]
    two_processes: Agreement | None
    """None: not asked for."""

    @property
    def well(self) -> bool:
        """Whether all that is needed is there, and two processes agree if they were asked."""
        needed = not any(one.problem for one in self.packages if not one.extra or one.version)
        return needed and (self.two_processes is None or self.two_processes.agree)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        processes = self.two_processes
        return {
            "well": self.well,
            "versions": dict(self.versions),
            "packages": [one._asdict() for one in self.packages],
            "fast_paths": [one._asdict() for one in self.fast_paths],
            "caches": [one._asdict() | {"folder": str(one.folder)} for one in self.caches],
            "two_processes": None if processes is None else processes._asdict() | {"agree": processes.agree},
        }

    def table(self) -> str:
        """For people."""
        lines = [" ".join(f"{name} {version}" for name, version in self.versions.items()), "", "Packages"]
        lines += [_line(one.version or "-", one.name, _of_extra(one)) for one in self.packages]
        lines += ["", "Fast paths"]
        lines += [_line("yes" if one.taken else "no", one.name, one.says) for one in self.fast_paths]
        lines += ["", "Caches"]
        lines += [_line(shown(one.bytes), one.name, f"{one.folder}, {one.files:,} files") for one in self.caches]
        if self.two_processes is not None:
            lines += ["", "Two processes", _line(*self.two_processes.words())]
        return "\n".join(line.rstrip() for line in lines)


def doctor(*, ddp: bool = False) -> Health:
    """Look at this machine.

    Args:
        ddp: also start two processes that talk by gloo, and compare a step of theirs with that of one.
    """
    with ThreadPoolExecutor(1) as beside:  # most of it is another process, which imports what this one does
        asked = beside.submit(two_processes) if ddp else None
        found = packages(), fast_paths(), caches()
        return Health(python_and_align(), *found, asked.result() if asked else None)


def _line(first: str, name: str, says: str) -> str:
    return f"  {first:>12}  {name:<22}{says}"


def _of_extra(package: Package) -> str:
    return "; ".join(filter(None, (f"[{package.extra}]" if package.extra else "", package.problem)))

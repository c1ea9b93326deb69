"""What a benchmark's JSON says of itself: the command, without this machine's folders, and the hardware."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

PLACES = {"--e5": "E5", "--minilm": "MINILM", "--data": "$ALIGN_DATA"}


def ran(threads: int) -> dict[str, Any]:
    """``command`` and ``hardware`` of the script that runs."""
    return {"command": command(sys.argv), "hardware": hardware(threads)}


def command(argv: list[str]) -> str:
    """What a reader types."""
    words = ["python", f"scripts/{Path(argv[0]).name}", *map(_named, argv[1:])]
    for i, word in enumerate(words[:-1]):
        if word == "--out":
            words[i + 1] = f"docs/results/{Path(words[i + 1]).name}"
        words[i + 1] = PLACES.get(word, words[i + 1])
    return " ".join(f'"{word}"' if " " in word else word for word in words)


def _named(word: str) -> str:
    """A folder somewhere on this machine by its name in capitals: ``E5``."""
    return Path(word).name.upper() if Path(word).is_absolute() and Path(word).is_dir() else word


def hardware(threads: int) -> dict[str, Any]:
    """What the numbers depend on."""
    import torch

    from align.provenance import versions

    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(": ")[2] for line in cpu.splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else "unknown", "cores": os.cpu_count(), "threads": threads,
        "capability": torch.backends.cpu.get_cpu_capability(), "bf16": "avx512_bf16" in cpu, "versions": versions(),
    }  # fmt: skip

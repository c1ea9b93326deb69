"""Low-rank adapters (LoRA, DoRA) on disk, as peft has them; they are merged into the encoder that they lie beside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from align.files.whole import read_json, write_json

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"  # of peft


@dataclass(frozen=True)
class Adapter:
    """What peft needs to put a low-rank adapter (LoRA, DoRA) on the encoder that it was trained on."""

    config: dict[str, Any]
    weights: dict[str, Tensor]

    def save(self, folder: Path) -> None:
        """Write the two files that ``PeftModel.from_pretrained(model, folder)`` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / CONFIG, self.config)
        save_file(self.weights, folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> Adapter:
        """Read them back."""
        return cls(read_json(folder / CONFIG), load_file(folder / WEIGHTS))

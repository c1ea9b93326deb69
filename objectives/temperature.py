"""What similarities are divided by: given, or learned as its logarithm, so that it stays positive."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from align.objectives.objective import Sizes


class Temperature(nn.Module):
    """exp(log_temperature), a () parameter."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(start).log())

    def forward(self) -> Tensor:
        """() the temperature as it is now."""
        return self.log_temperature.exp()

    def numbers(self) -> dict[str, Tensor]:
        """What is learned, () each, by its name in the log."""
        return {"temperature": self()}


def learned_temperature(options: Any, sizes: Sizes) -> Temperature | None:
    """A temperature from ``options.temperature`` on, if ``options.learn_temperature``."""
    return Temperature(options.temperature) if options.learn_temperature else None


def temperature_now(options: Any, learned: Temperature | None) -> float | Tensor:
    """What the similarities are divided by."""
    return float(options.temperature) if learned is None else learned()


def check_temperature(name: str, temperature: float | Tensor) -> None:
    """Refuse what is not positive."""
    warmth = float(torch.as_tensor(temperature).detach())
    if not warmth > 0:  # written so that NaN fails
        raise ValueError(f"{name} needs a temperature > 0, got {warmth}")

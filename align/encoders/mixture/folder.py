"""An encoder with a mixture on disk: the encoder it was put on, and beside it the adapters and the router.

align.json              how large the mixture is (``mixture``), and the encoder's identity
base/                   the encoder without it, as save_encoder writes one
mixture.safetensors     every A and B, and the router

There is no modules.json: sentence-transformers, which has nothing that weighs adapters by text, finds no model here
instead of one without its adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from align.encoders.adapters.folder import write_base
from align.encoders.encoder import Encoder
from align.encoders.mixture.layers import MixtureOptions, add_mixture, mixture_of, without_mixture
from align.errors import InputError
from align.files.whole import existing_file

WEIGHTS = "mixture.safetensors"
CARD = """# Sentence encoder with a mixture of adapters, saved by Align

The text decides which adapters read it, so that no merging can hold them: sentence-transformers does not load this
folder, and no graph or index of weights is made of it.

```python
import align

encoder = align.load_encoder({name!r})
encoder.encode(texts)
```
"""


def write_mixture(encoder: Encoder, folder: Path, save: Callable[[Encoder, Path], None]) -> dict[str, Any]:
    """Write both parts to ``folder``, the encoder without its mixture by ``save``; what align.json is to say."""
    made = mixture_of(encoder.body)
    assert made is not None
    weights = {
        name: value.detach().cpu().contiguous() for name, value in encoder.body.state_dict().items() if "lora_" in name
    }
    with without_mixture(encoder):
        write_base(encoder, folder, save)
    save_file(weights, folder / WEIGHTS)
    return {"mixture": asdict(made.options)}


def put_mixture(encoder: Encoder, folder: Path, settings: Mapping[str, Any]) -> Encoder:
    """Put the mixture of a folder on its encoder.

    Raises:
        InputError: weights are missing, unknown or of another size.
    """
    options = MixtureOptions(**{**settings, "modules": tuple(settings["modules"])})
    add_mixture(encoder, options)
    weights = load_file(existing_file(folder / WEIGHTS))
    expected = {name: value for name, value in encoder.body.state_dict().items() if "lora_" in name}
    for name in sorted(expected.keys() ^ weights.keys()):
        raise InputError(f"{folder / WEIGHTS} {'lacks' if name in expected else 'has an unknown'} {name}")
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            wanted, found = tuple(expected[name].shape), tuple(value.shape)
            raise InputError(f"{folder / WEIGHTS}: expected {name} of the shape {wanted}, got {found}")
    encoder.body.load_state_dict(weights, strict=False)
    return encoder

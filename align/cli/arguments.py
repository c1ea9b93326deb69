"""What the verbs share: arguments of the same name and meaning, loading an encoder, printing a result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from align.errors import InputError

if TYPE_CHECKING:
    from align.tasks import Protocol

Vector = tuple[int | None, str | None, bool | None, bool | None]
"""layer, pooling, special_tokens, average_layers."""
Model = Annotated[str, typer.Argument(help="seed, a folder, or a name on the Hugging Face Hub.")]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="seed, a folder, or a name on the Hugging Face Hub.")]
Layer = Annotated[int | None, typer.Option(help="k of hidden_states[k]; by default what the model was saved with.")]
PoolingKind = Annotated[str | None, typer.Option("--pooling", help="mean, cls or weighted (by position).")]
Special = Annotated[bool | None, typer.Option("--special-tokens/--no-special-tokens", help="Whether <s>, </s> count.")]
AverageLayers = Annotated[
    bool | None, typer.Option("--average-layers/--no-average-layers", help="Pool the mean of hidden_states[0..layer].")
]
Template = Annotated[
    str | None, typer.Option(help='Words in context: "This is {word}."; the vector is of the word\'s own subwords.')
]
Prompt = Annotated[str | None, typer.Option(help='Text before every input, such as "query: " for E5.')]
Attention = Annotated[
    str, typer.Option(help="auto: no token is computed on padding where the model allows it; or padded.")
]
Runtime = Annotated[
    str,
    typer.Option("--backend", help="torch; or openvino, onnx (extras): where the transformer runs, on the CPU."),
]
Processes = Annotated[int, typer.Option(min=1, help="Processes that romanise.")]
Backend = Annotated[str, typer.Option(help="uroman, or fast (extra fast-romanize: the same output, sooner).")]
Licence = Annotated[str, typer.Option(help="Licence of the text, for the manifest.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write, whole or not at all.")]
ResultFile = Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")]


def load(
    model: str,
    layer: int | None,
    pooling: str | None,
    special_tokens: bool | None,
    prompt: str | None,
    average_layers: bool | None = None,
    *,
    bf16: bool = False,
    backend: str = "torch",
) -> Any:
    """The encoder that these arguments name."""
    vector: dict[str, Any] = {
        "layer": layer, "kind": pooling, "special_tokens": special_tokens, "average_layers": average_layers,
        "prompt": prompt, "bf16": bf16,
    }  # fmt: skip
    if backend != "torch":
        from align.encoders.backends import load_backend

        return load_backend(model, backend, **vector)
    from align.encoders.checkpoint import load_encoder

    return load_encoder(model, **vector)


def followed(
    protocol: Protocol,
    layer: int | None,
    pooling: str | None,
    special_tokens: bool | None,
    average_layers: bool | None,
) -> tuple[Protocol, Vector]:
    """The protocol that is scored by, and the vector to load: of a protocol that names a layer, that one.

    What the arguments say is put into such a protocol, which is then a changed one by its name.

    Raises:
        InputError: layers are to be averaged, and the protocol names one.
    """
    from align.tasks.retrieval.protocols import changed

    if protocol.layer is None:
        return protocol, (layer, pooling, special_tokens, average_layers)
    if average_layers:
        raise InputError(f"protocol {protocol.name} pools layer {protocol.layer} alone, --average-layers several")
    chosen = changed(protocol, layer=layer, pooling=pooling, special_tokens=special_tokens)
    return chosen, (chosen.layer, chosen.pooling, chosen.special_tokens, False)


def one_of(choices: Sequence[str], given: str, option: str) -> str:
    """The given value of an option, if it is one of the choices."""
    if given not in choices:
        raise InputError(f"{option} must be {' or '.join(choices)}, got {given!r}")
    return given


def listed(text: str | None) -> list[str] | None:
    """What stands between commas; ``None``: nothing was given."""
    return [part.strip() for part in text.split(",")] if text else None


def show(value: dict[str, Any]) -> None:
    """Print a result as JSON on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))

"""``align eval mexa``: how well each layer aligns each language with the pivot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from align.cli.arguments import AsJson, ResultFile, listed, tell
from align.cli.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError

if TYPE_CHECKING:
    from align.encoders.layers import Layered

BatchTokens = Annotated[int, typer.Option(min=1, help="Padded tokens of one forward pass: bounds memory.")]
Dtype = Annotated[str, typer.Option(help="Of a decoder's weights: float32, bfloat16 or float16.")]


@takes_encoder(without="layer pooling average_layers bf16 backend attention")
def mexa(
    context: typer.Context,
    choice: EncoderChoice,
    model: Annotated[
        str, typer.Argument(help="seed, a folder, or a name on the Hub: an encoder or a decoder-only language model.")
    ],
    data: Annotated[
        str, typer.Option(help="Folder of line-aligned files, a two-column .tsv, or a Hub dataset by name.")
    ],
    languages: Annotated[str | None, typer.Option(help="Codes, with commas: only these and the pivot.")] = None,
    pivot: Annotated[str, typer.Option(help="Code of the language that all are compared with.")] = "eng_Latn",
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Lines; scores of another n cannot be compared.")] = 100,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="mean, weighted (by position), last, cls; several with commas, the first makes the headline. "
            "[default: an encoder's own kind; weighted,last of a decoder]"
        ),
    ] = None,
    accuracy: Annotated[
        Path | None, typer.Option(help='JSON of task accuracies in the pivot, {"belebele": 0.82}: adjusts the scores.')
    ] = None,
    out: ResultFile = None,
    as_json: AsJson = False,
    per_item: Annotated[bool, typer.Option(help="Keep the hits of every line in the JSON.")] = False,
    dtype: Dtype = "float32",
    batch_tokens: BatchTokens = 4096,
) -> None:
    """MEXA: the share of sentences that are nearest to their translation, both ways, at every layer."""
    from align.encoders.layers import encode_layers
    from align.tasks import read_sets
    from align.tasks.mexa.result import Missing, combine_mexa
    from align.tasks.mexa.task import mexa as run

    accuracies = _read_accuracy(accuracy) if accuracy else None
    codes = listed(languages)
    sets = list(read_sets(data, languages=codes and list(dict.fromkeys([*codes, pivot]))))
    encoder = load_any(choice, dtype)
    kinds = [kind.strip() for kind in pooling.split(",")] if pooling else default_kinds(encoder)
    encode = partial(encode_layers, encoder, kinds=kinds, batch_tokens=batch_tokens, progress=context.obj)
    results, failed = [], []
    for texts in sets:  # one, but for the layout of Tatoeba
        try:
            results.append(
                run(
                    lambda lines, _: encode(lines), texts,
                    pivot=pivot, n=n, accuracy=accuracies, per_item=per_item,
                )
            )  # fmt: skip
        except InputError as error:
            failed.append(Missing(", ".join(code for code in texts if code != pivot), str(error)))
    if not results:
        raise InputError(failed[0].reason)
    result = combine_mexa(results)
    result = replace(result, missing=(*result.missing, *failed))
    about = {"model": model, "encoder": encoder.identity() | {"poolings": kinds}}
    tell(result.to_json() | about, result.table(), out=out, as_json=as_json)


def load_any(choice: EncoderChoice, dtype: str) -> Layered:
    """A decoder if the configuration says so, else an encoder."""
    from align.encoders.decoder import is_decoder, load_decoder

    if not is_decoder(choice.model, choice.revision):
        return choice.load()
    if choice.special_tokens is False:
        raise InputError(f"{choice.model} is a decoder-only model: its special tokens count, as in MEXA")
    return load_decoder(
        choice.model, prompt=choice.prompt or "", dtype=dtype, max_tokens=choice.max_tokens, device=choice.device,
        revision=choice.revision,
    )  # fmt: skip


def default_kinds(encoder: Layered) -> list[str]:
    """An encoder's own pooling; position-weighted and last token for a decoder, whose first tokens see little."""
    from align.encoders.decoder import Decoder

    return ["weighted", "last"] if isinstance(encoder, Decoder) else [encoder.pooling.kind]


def _read_accuracy(path: Path) -> Mapping[str, float]:
    from align.files.whole import read_json

    found: Any = read_json(path)
    numbers = isinstance(found, dict) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in found.values()
    )
    if not numbers or not found:
        raise InputError(f'{path}: expected accuracies by task, such as {{"belebele": 0.82}}')
    return {str(task): float(value) for task, value in found.items()}

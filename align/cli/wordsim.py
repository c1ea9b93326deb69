"""``align eval wordsim``: word similarity of an encoder, by layer, or of static vectors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from align.cli.arguments import AsJson, ResultFile, Template, tell
from align.cli.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.vectors.static import StaticVectors


@takes_encoder(without="layer")
def wordsim(
    context: typer.Context,
    choice: EncoderChoice,
    model: Annotated[
        str | None, typer.Argument(help="seed, a folder, or a name on the Hugging Face Hub; none with --static.")
    ] = None,
    *,
    data: Annotated[
        list[str], typer.Option(help="Folder or file of pairs, or eng_Latn=FILE, eng_Latn-cmn_Hans=FILE; repeatable.")
    ],
    static: Annotated[
        list[str] | None,
        typer.Option(help="Vectors (.vec, .txt, .gz) instead of a model: FILE, or eng_Latn=FILE for each language."),
    ] = None,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Fold static vectors and words to lower case.")
    ] = False,
    layers: Annotated[
        str | None, typer.Option(help="all, or 0,4,8: k of hidden_states[k]; by default what the model was saved with.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Of the bootstrap; 0: no interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    out: ResultFile = None,
    as_json: AsJson = False,
    per_item: Annotated[bool, typer.Option(help="Keep the cosine of every pair in the JSON.")] = False,
    template: Template = None,
) -> None:
    """Word similarity: does the cosine of two words follow what people say?"""
    from align.tasks import read_wordsim
    from align.tasks.wordsim import wordsim as run
    from align.tasks.wordsim.result import layers_json, layers_table

    if (model is None) == (not static):
        raise InputError("expected a model or static vectors (--static), one of them")
    if static and (layers or template):
        raise InputError("static vectors have no layers and no context: --layers and --template need a model")
    if layers and (choice.bf16 or choice.backend != "torch"):
        raise InputError("--layers reads every layer of the float32 model: not with --bf16, nor with --backend")
    sets = read_wordsim(data)
    options: dict[str, Any] = {"resamples": resamples, "seed": seed, "per_item": per_item}
    if static:
        from align.vectors.static import static_covered, static_encode

        words = {word for one in sets.values() for side in (one.first, one.second) for word in side}
        vectors = _read_static(static, words, lowercase)
        result = run(
            static_encode(vectors, lowercase=lowercase), sets,
            covered=static_covered(vectors, lowercase=lowercase), **options,
        )  # fmt: skip
        value, table = result.to_json() | {"static": static, "lowercase": lowercase}, result.table()
    else:
        from align.encoders.words import word_encoder

        encoder = choice.load()
        encoders = list(_by_layer(encoder, layers))
        results = {
            one.layer: run(word_encoder(one, template=template, progress=context.obj), sets, **options)
            for one in encoders
        }
        if len(encoders) > 1:
            value, table = layers_json(results), layers_table(results)
        else:
            (encoder,), (result,) = encoders, results.values()
            value, table = result.to_json(), result.table()
        value |= choice.about(encoder) | {"template": template}
    tell(value, table, out=out, as_json=as_json)


def _read_static(sources: list[str], words: set[str], lowercase: bool) -> StaticVectors | dict[str, StaticVectors]:
    from align.text.languages import check_language
    from align.vectors.static import read_vectors

    vectors: dict[str, StaticVectors] = {}
    for source in sources:
        language, _, path = source.partition("=") if re.match(r"[a-z]{3}_[A-Z][a-z]{3}=", source) else ("", "", source)
        if language in vectors or "" in vectors or (vectors and not language):
            raise InputError(f"--static {source}: expected one file, or eng_Latn=FILE once for each language")
        vectors[check_language(language) if language else ""] = read_vectors(path, lowercase=lowercase, words=words)
    return vectors.get("", vectors)


def _by_layer(encoder: Encoder, layers: str | None) -> Iterator[Encoder]:
    """The encoder, pooled at each of the layers."""
    from align.encoders.blocks import blocks
    from align.encoders.encoder import Encoder

    if layers is None:
        yield encoder
        return
    if layers != "all" and not re.fullmatch(r"\d+(,\d+)*", layers):
        raise InputError(f"--layers {layers}: expected all, or numbers with commas such as 0,4,8")
    chosen = range(len(blocks(encoder.model)) + 1) if layers == "all" else dict.fromkeys(map(int, layers.split(",")))
    for layer in chosen:
        one = Encoder(
            encoder.model, encoder.tokenizer, replace(encoder.pooling, layer=layer), tail=list(encoder.tail),
            unit=encoder.unit, prompt=encoder.prompt, max_tokens=encoder.max_tokens,
        )  # fmt: skip
        one.attention = encoder.attention
        yield one

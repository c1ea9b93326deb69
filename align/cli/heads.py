"""``align head words`` and ``align head fusion``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.arguments import Out, show
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder
from align.cli.options.help_pages import Verbs, add_verbs
from align.errors import InputError
from align.files.whole import read_json


@takes_encoder(without="layer pooling special_tokens average_layers backend attention offsets head language_tags")
def words(
    context: typer.Context,
    choice: EncoderChoice,
    dictionaries: Annotated[
        list[str],
        typer.Argument(help="A table of align pairs synonyms; or dictionaries as it takes: eng_Latn-deu_Latn=FILE."),
    ],
    out: Out,
    vocabulary: Annotated[
        list[str] | None,
        typer.Option(
            help="Word lists, frequent words first: a folder or CODE=FILE; repeatable. The loss asks them all."
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Words of each list, from the top.")] = 10_000,
    exclude: Annotated[
        list[Path] | None, typer.Option(help="Test dictionary, folder or pattern: no pair holds its words; repeatable.")
    ] = None,
    shared: Annotated[bool, typer.Option("--shared", help="One map of all languages, none of each.")] = False,
    keep_case: Annotated[bool, typer.Option("--keep-case", help="Words as they are written.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder for the whole encoder with the shared map as a Dense of sentence-transformers."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of training.")] = 150,
    batch: Annotated[int, typer.Option(min=1, help="Source words of a step.")] = 512,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 3e-4,
    temperature: Annotated[float, typer.Option(help="Of the softmax.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
) -> None:
    """Train a lexical head: maps of a frozen encoder's word vectors, in minutes, from dictionaries."""
    from align import word_head
    from align.mapping.lexical_head import HeadOptions
    from align.pairs.lexicons.lexicon import given_lexicon

    table = len(dictionaries) == 1 and (Path(dictionaries[0]) / "manifest.json").is_file()
    made = word_head(
        choice.load(), dictionaries[0] if table else [given_lexicon(text) for text in dictionaries], out,
        vocabularies=_vocabularies(vocabulary or [], size), exclude=exclude or (), lower=not keep_case, save=save,
        options=HeadOptions(
            own_maps=not shared, steps=steps, batch=batch, rate=rate, temperature=temperature, seed=seed
        ),
        progress=bool(context.obj),
    )  # fmt: skip
    about = {name: made.manifest[name] for name in ("method", "languages", "maps", "loss")}
    show({**about, "pairs": sum(made.manifest["pairs"].values()), **made.identity, "out": str(out)})


def _vocabularies(given: list[str], size: int) -> dict[str, tuple[str, ...]]:
    """The lists by language."""
    from align.tasks.texts.named_files import files_by_language, language_of_name
    from align.tasks.texts.vocabulary import read_vocabulary

    codes: dict[str, None] = {}
    for one in given:
        label, equals, _ = one.partition("=")
        path = Path(one)
        if equals and not path.exists():
            codes[label] = None
        else:
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
            codes |= dict.fromkeys(code for file in inside if (code := language_of_name(file)))
    if given and not codes:
        raise InputError(f"no name in {', '.join(given)} holds a language such as deu_Latn; give CODE=FILE")
    files = files_by_language(given, list(codes), "vocabulary") if given else {}
    return {code: read_vocabulary(path)[:size] for code, path in files.items()}


@takes_encoder(without="bf16 backend attention offsets head language_tags average_layers")
def fusion(
    context: typer.Context,
    choice: EncoderChoice,
    pairs: Annotated[list[str], typer.Option(help="A table with negatives, of align pairs negatives; repeatable.")],
    out: Out,
    joint: Annotated[int, typer.Option(min=1, help="Layers that read both texts together.")] = 1,
    rest: Annotated[int, typer.Option(min=0, help="Layers above them that read each for itself again.")] = 0,
    loss: Annotated[str, typer.Option(help="softmax: the target out of its candidates; bce: each alone.")] = "softmax",
    steps: Annotated[int, typer.Option(min=1, help="Of training.")] = 300,
    batch: Annotated[int, typer.Option(min=1, help="Sources of a step.")] = 16,
    negatives: Annotated[int, typer.Option(min=1, help="Of each source in a step, drawn anew each time.")] = 3,
    rate: Annotated[float, typer.Option(help="Learning rate of the layers.")] = 1e-4,
    head_rate: Annotated[float, typer.Option(help="That of the numbers on top.")] = 1e-3,
    autocast: Annotated[bool, typer.Option("--autocast", help="Compute in bfloat16, with float32 weights.")] = False,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
) -> None:
    """Train a scorer of pairs: copies of the top layers of an encoder read both texts together."""
    from align import fusion_head
    from align.reranking.learning import FusionOptions

    options = FusionOptions(
        joint=joint, rest=rest, loss=loss, steps=steps, batch=batch, negatives=negatives, rate=rate,
        head_rate=head_rate, seed=seed, max_tokens=choice.max_tokens or FusionOptions.max_tokens,
    )  # fmt: skip
    made = fusion_head(choice.load(), pairs, out, options=options, bf16=autocast, progress=bool(context.obj))
    show({**read_json(out / "manifest.json"), **made.identity(), "out": str(out)})


app = typer.Typer(cls=Verbs, no_args_is_help=True, help="Train a head on a frozen encoder.")
add_verbs(app, {"words": words, "fusion": fusion})

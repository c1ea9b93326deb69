"""``align words-align`` and ``align project``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from align.cli.options.arguments import show
from align.cli.options.encoder_choice import EncoderChoice, ModelOption, takes_encoder


@takes_encoder(without="pooling special_tokens backend offsets head language_tags")
def words_align(
    context: typer.Context,
    choice: EncoderChoice,
    source: Annotated[Path, typer.Argument(help="Sentences, one a line, as words with spaces between; or .conllu.")],
    target: Annotated[Path, typer.Argument(help="Their translations, line by line.")],
    model: ModelOption,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; goes on where it was interrupted. Or stdout.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="How a line becomes words: spaces (as it stands); raw text by words or characters.")
    ] = "spaces",
    method: Annotated[str, typer.Option(help="argmax, itermax, match or softmax.")] = "itermax",
    threshold: Annotated[float, typer.Option(help="Links of a lower cosine are dropped.")] = -1.0,
    probability: Annotated[float, typer.Option(help="Of softmax: both directions are over it.")] = 1e-3,
    temperature: Annotated[float, typer.Option(help="Of softmax.")] = 1.0,
    pieces: Annotated[
        str, typer.Option(help="A word is the mean of its pieces, or the first; all: any of its pieces may be linked.")
    ] = "mean",
    centred: Annotated[
        int, typer.Option(min=0, help="Take off each side the mean of its words in the first so many lines.")
    ] = 0,
    base: Annotated[int, typer.Option(help="Number of the first word, 0 or 1.")] = 0,
    scores: Annotated[bool, typer.Option("--scores", help="Write 0-1:0.8312, the link with its score.")] = False,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Padded tokens of one forward pass.")] = 2048,
) -> None:
    """Link words of sentences with those of translations: a line 0-0 1-2 for each pair of lines.

    The layer is two thirds up unless --layer, or the model, names one.
    """
    from align.alignment.files import aligned_lines, write_alignments
    from align.similarity.links import Linking

    linking = Linking(method, threshold, probability=probability, temperature=temperature)
    encoder = choice.load()
    options: dict[str, Any] = {
        "split": split, "base": base, "scores": scores, "layer": choice.layer, "pooling": pieces, "centred": centred,
        "batch_tokens": batch_tokens, "progress": bool(context.obj),
    }  # fmt: skip
    if out is None:
        for line in aligned_lines(encoder, source, target, linking, **options):
            print(line)
    else:
        write_alignments(encoder, source, target, out, linking, **options)


@takes_encoder(without="backend offsets head language_tags")
def project(
    choice: EncoderChoice,
    source: Annotated[Path, typer.Argument(help="Sentences, one a line, as words with spaces between; or .conllu.")],
    target: Annotated[Path, typer.Argument(help="Their translations, line by line.")],
    labels: Annotated[
        Path, typer.Option(help="Of the source: IOB2, .conllu with NER=B-PER in MISC, .jsonl with character offsets.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .iob2 or .jsonl, and OUT.rejects.jsonl.")],
    model: ModelOption,
    split: Annotated[str, typer.Option(help="How a line becomes words: spaces, words or characters.")] = "spaces",
    method: Annotated[str, typer.Option(help="ranked: the n-gram most like the span; or alignment.")] = "ranked",
    link: Annotated[str, typer.Option(help="How words are linked: argmax, itermax, match or softmax.")] = "itermax",
    threshold: Annotated[float, typer.Option(help="Links of a lower cosine are dropped.")] = -1.0,
    bridge: Annotated[bool, typer.Option("--bridge", help="Of alignment: take what lies between, too.")] = False,
    shortlist: Annotated[int, typer.Option(min=1, help="Of ranked: candidates also compared by themselves.")] = 8,
    longer: Annotated[int, typer.Option(min=0, help="A place has up to twice the words of its span and these.")] = 3,
    monotone: Annotated[bool, typer.Option("--monotone", help="Spans keep their order.")] = False,
    centred: Annotated[int, typer.Option(min=0, help="Take off the mean of the words in so many first lines.")] = 0,
) -> None:
    """Carry labelled spans over to a translation; what has no place there is kept aside, with the reason.

    Words are compared at the layer two thirds up; --layer names another, at which texts by themselves are encoded too.
    """
    from align import project as run
    from align.alignment.projection import Projecting
    from align.similarity.links import Linking

    how = Projecting(method, bridge, longer, shortlist, monotone)
    linking = Linking(link, threshold)
    show(run(choice.load(), source, target, labels, out, how, split=split, linking=linking, centred=centred))

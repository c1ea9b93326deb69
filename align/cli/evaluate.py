"""``align eval``: measure an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from align.cli import benchmark, evaluate_words, layers, mexa, wordsim, xsim
from align.cli.arguments import AsJson, ResultFile, listed, tell
from align.cli.encoder_choice import EncoderChoice, takes_encoder
from align.cli.help_pages import Verbs, add_verbs


class RunByDefault(Verbs):
    """``align eval MODEL --benchmark NAME`` is ``align eval run MODEL --benchmark NAME``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb in front where only options and a model are given."""
        asked = any(arg.partition("=")[0] in ("--benchmark", "-b") for arg in args)
        return super().parse_args(ctx, ["run", *args] if asked and args[0] not in self.commands else args)


Languages = Annotated[str | None, typer.Option(help="Codes, with commas: only these, in this order.")]


@takes_encoder()
def retrieval(
    context: typer.Context,
    choice: EncoderChoice,
    data: Annotated[
        str, typer.Option(help="Folder of line-aligned files, a two-column .tsv, or a Hub dataset by name.")
    ],
    languages: Languages = None,
    protocol: Annotated[str, typer.Option(help="align, margin, xsim, glot500 or xtreme.")] = "align",
    similarity: Annotated[
        str | None, typer.Option(help="cosine, csls, ratio or distance; by default the protocol's.")
    ] = None,
    k: Annotated[int | None, typer.Option("-k", min=1, help="Neighbours of csls, ratio and distance.")] = None,
    block: Annotated[int, typer.Option(min=1, help="Lines of a side in one product: bounds memory.")] = 2048,
    out: ResultFile = None,
    as_json: AsJson = False,
    per_item: Annotated[bool, typer.Option(help="Keep the rank of every line in the JSON.")] = False,
) -> None:
    """Sentence retrieval: the translation, or the other script, among all lines."""
    from align.tasks import combine, read_sets
    from align.tasks.embedding import remembered
    from align.tasks.retrieval import retrieval as run
    from align.tasks.retrieval.protocols import changed, find_protocol

    chosen = changed(find_protocol(protocol), similarity=similarity, margin_k=k)
    chosen, choice = choice.followed(chosen)
    sets = list(read_sets(data, languages=listed(languages)))
    encoder = choice.load()
    encode = remembered(lambda texts, _: encoder.encode(texts, progress=context.obj), chosen.pivot)
    result = combine([run(encode, texts, protocol=chosen, per_item=per_item, block=block) for texts in sets])
    tell(result.to_json() | choice.about(encoder), result.table(), out=out, as_json=as_json)


@takes_encoder()
def sts(
    context: typer.Context,
    choice: EncoderChoice,
    data: Annotated[str, typer.Option(help="Folder of <name>.tsv, one such file, or a Hub dataset by name.")],
    languages: Annotated[str | None, typer.Option(help="Names of sets, with commas: only these.")] = None,
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    cross: Annotated[bool, typer.Option("--cross", help="Also every two languages; needs row-aligned sets.")] = False,
    resamples: Annotated[int, typer.Option(min=0, help="Of the bootstrap; 0: no interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    out: ResultFile = None,
    as_json: AsJson = False,
    per_item: Annotated[bool, typer.Option(help="Keep the cosine of every pair in the JSON.")] = False,
) -> None:
    """Semantic textual similarity: does the cosine follow what people say?"""
    from align.tasks import read_sts
    from align.tasks.sts import sts as run

    sets = read_sts(data, languages=listed(languages), split=split)
    encoder = choice.load()
    result = run(
        lambda texts, _: encoder.encode(texts, progress=context.obj),
        sets,
        cross=cross,
        resamples=resamples,
        seed=seed,
        per_item=per_item,
    )
    tell(result.to_json() | choice.about(encoder), result.table(), out=out, as_json=as_json)


@takes_encoder()
def classification(
    context: typer.Context,
    choice: EncoderChoice,
    data: Annotated[Path, typer.Option(help="Folder of line-aligned <lang_Script>.txt and index.tsv.")],
    train: Annotated[str, typer.Option(help="Language to learn from.")] = "eng_Latn",
    languages: Languages = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbours that vote.")] = 5,
    penalty: Annotated[float | None, typer.Option(help="L2 penalty; by default what the dev split says.")] = None,
    out: ResultFile = None,
    as_json: AsJson = False,
    per_item: Annotated[bool, typer.Option(help="Keep every predicted class in the JSON.")] = False,
) -> None:
    """Classes learnt in one language, told apart in the others: kNN and a logistic probe on frozen embeddings."""
    from align.tasks import read_classification
    from align.tasks.classification import classification as run

    codes = listed(languages)
    texts = read_classification(data, languages=codes and list(dict.fromkeys([train, *codes])))
    encoder = choice.load()
    result = run(
        lambda lines, _: encoder.encode(lines, progress=context.obj),
        texts,
        train=train,
        k=k,
        penalty=penalty,
        per_item=per_item,
    )
    tell(result.to_json() | choice.about(encoder), result.table(), out=out, as_json=as_json)


app = typer.Typer(cls=RunByDefault, no_args_is_help=True, help="Measure an encoder.")
add_verbs(
    app,
    {
        "run": benchmark.run,
        "retrieval": retrieval,
        "xsim": xsim.xsim,
        "bli": evaluate_words.bli,
        "sts": sts,
        "wordsim": wordsim.wordsim,
        "classification": classification,
        "mexa": mexa.mexa,
        "layers": layers.layers,
    },
)

"""The command line: one verb per library function. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, NoReturn

import typer

from align.cli import (
    advise,
    augment,
    certify,
    compare,
    doctor,
    encode,
    evaluate,
    export,
    heads,
    index,
    lab,
    mapping,
    merging,
    mine,
    offsets,
    overlap,
    pairs,
    pieces,
    report,
    route,
    scripts,
    search,
    serve,
    text,
    tm,
    training,
    upgrade,
    words,
)
from align.cli.options.help_pages import Verbs, add_verbs
from align.errors import InputError


class Groups(Verbs):
    """The verbs of the command line."""

    groups: ClassVar[Mapping[str, Mapping[str, Callable[..., None] | typer.Typer]]] = {
        "Prepare": {
            "doctor": doctor.doctor,
            "cache": doctor.cache,
            "pairs": pairs.app,
            "romanize": text.romanize,
            "check-overlap": overlap.check_overlap,
            "words-align": words.words_align,
            "project": words.project,
            "scripts": scripts.scripts,
            "trim": pieces.trim,
            "extend": pieces.extend,
        },
        "Train": {
            "train": training.train,
            "recipe": training.recipe,
            "lab": lab.lab,
            "head": heads.app,
            "map": mapping.map_words,
            "merge": merging.merge,
            "route": route.route,
            "demo": training.demo,
        },
        "Measure": {
            "eval": evaluate.evaluate,
            "list": evaluate.list_benchmarks,
            "compare": compare.compare,
            "certify": certify.certify,
            "report": report.report,
            "advise": advise.advise,
        },
        "Search": {
            "offsets": offsets.offsets,
            "encode": encode.encode,
            "index": index.index,
            "upgrade-index": upgrade.upgrade_index,
            "search": search.search,
            "rerank": search.rerank,
            "serve": serve.serve,
            "tm": tm.tm,
            "mine": mine.mine,
            "augment-queries": augment.augment_queries,
            "augment": augment.augment,
            "export": export.export,
            "verify-export": export.verify_export,
            "push": export.push,
        },
    }


app = typer.Typer(
    cls=Groups, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"max_content_width": 110},
)  # fmt: skip
for verbs in Groups.groups.values():
    add_verbs(app, verbs)


def main() -> None:
    """Entry point: bad input is one sentence on stderr and exit code 2."""
    try:
        app()
    except InputError as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}")


def _fail(sentence: str) -> NoReturn:
    print(f"align: {sentence}", file=sys.stderr)
    raise SystemExit(2)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no log.")] = False,
) -> None:
    """Align multilingual encoders: scripts, languages, words."""
    if version:
        from align import __version__

        print(__version__)
        raise typer.Exit
    logging.basicConfig(level=logging.ERROR if quiet else logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("httpx", "httpx2", "sentence_transformers", "datasets", "torch", "faiss", "uroman", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # The libraries' own bars ("Generating train split") tell a user nothing; ours follow --quiet.
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    context.obj = not quiet

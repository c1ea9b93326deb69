"""``align eval layers``: a task at every layer, and the layer that a dev split chooses."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from align.cli.arguments import AsJson, ResultFile, listed, tell
from align.cli.encoder_choice import EncoderChoice, takes_encoder
from align.cli.mexa import BatchTokens
from align.errors import InputError

if TYPE_CHECKING:
    from align.tasks import Dictionary, RetrievalResult, StsSet
    from align.tasks.embedding import Encode

    Run = Callable[[Encode], Mapping[str, float]]
    Split = tuple[Run, Run, str]  # the task on dev, the task on test, what dev is

logger = logging.getLogger(__name__)

TASKS = ("retrieval", "sts", "bli")


@takes_encoder(without="layer backend attention")  # their own, all; the states of a graph are of one; padded
def layers(
    context: typer.Context,
    choice: EncoderChoice,
    task: Annotated[str, typer.Option(help="retrieval, sts or bli.")],
    data: Annotated[list[str], typer.Option(help="As that task takes it; of bli again for more.")],
    languages: Annotated[str | None, typer.Option(help="Codes or names, with commas: only these.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Of retrieval or bli.  [default: align, muse]")] = None,
    vocabulary: Annotated[list[str] | None, typer.Option(help="Word lists, as align eval bli takes them.")] = None,
    candidates: Annotated[int | None, typer.Option(min=1, help="Words of each vocabulary of bli.")] = None,
    only: Annotated[str, typer.Option("--layers", help="all, or 0,4,8: k of hidden_states[k].")] = "all",
    keep: Annotated[
        str, typer.Option(help="Vectors of all layers: on disk (temporary, exact), or float16 in memory.")
    ] = "disk",
    seed: Annotated[int, typer.Option(help="Of the halves, where the data has no dev split.")] = 0,
    out: ResultFile = None,
    as_json: AsJson = False,
    batch_tokens: BatchTokens = 4096,
) -> None:
    """A task at every layer, each text encoded once; the layer is chosen on dev and scored on test.

    Dev is what the data says: the dev lines of index.tsv (SIB-200), the dev files of STS. Where it has none, each text
    or dictionary is halved at random: one half chooses, the other scores.
    """
    from align.encoders.layer_vectors import LayerVectors
    from align.tasks.layers import LayerResult, layer_sweep

    codes = listed(languages)
    metric, splits = _splits(task, data, codes, protocol, vocabulary, candidates, seed)
    encoder = choice.load()
    dev: dict[str, tuple[float, ...]] = {}
    test: dict[str, tuple[float, ...]] = {}
    chosen_on: list[str] = []
    chosen = _layer_list(only)
    for run_dev, run_test, dev_is in splits:
        with LayerVectors(
            encoder, layers=chosen, keep=keep, batch_tokens=batch_tokens, progress=context.obj
        ) as vectors:
            dev |= layer_sweep(vectors.at, vectors.layers, run_dev)
            test |= layer_sweep(vectors.at, vectors.layers, run_test)
            numbers = vectors.layers
        chosen_on.append(dev_is)
    result = LayerResult(metric, numbers, dev, test, "; ".join(dict.fromkeys(chosen_on)))
    value = {"task": task, "headline": {metric: result.score}, "layers": result.to_json()}
    tell(value | choice.about(encoder), result.table(), out=out, as_json=as_json)


def _splits(
    task: str,
    data: Sequence[str],
    codes: list[str] | None,
    protocol: str | None,
    vocabulary: list[str] | None,
    candidates: int | None,
    seed: int,
) -> tuple[str, list[Split]]:
    """The metric, and for each set of texts the task on its dev and on its test part."""
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}: expected one of {', '.join(TASKS)}")
    if task != "bli" and len(data) > 1:
        raise InputError(f"{task} takes one --data, got {len(data)}")
    if task != "bli" and (vocabulary or candidates):
        raise InputError(f"--vocabulary and --candidates are of bli, not of {task}")
    if task == "sts" and protocol:
        raise InputError("sts has no protocols: --protocol is of retrieval and bli")
    if task == "retrieval":
        return _retrieval(data[0], codes, protocol or "align", seed)
    if task == "sts":
        return "Spearman", [_sts(data[0], codes, seed)]
    return _bli(data, codes, protocol or "muse", vocabulary or [], candidates, seed)


def _retrieval(data: str, codes: list[str] | None, protocol: str, seed: int) -> tuple[str, list[Split]]:
    from align.tasks import read_sets
    from align.tasks.layers import split_lines
    from align.tasks.retrieval import retrieval
    from align.tasks.retrieval.protocols import find_protocol
    from align.tasks.texts.labelled import read_index

    chosen = find_protocol(protocol)
    if chosen.layer is not None:
        raise InputError(f"protocol {protocol} is of layer {chosen.layer}: a sweep over layers expects another")
    index = Path(data) / "index.tsv"
    marked = read_index(index)[1] if index.is_file() else None

    def on(texts: Mapping[str, Sequence[str]], lines: Sequence[int]) -> Run:
        part = {code: [rows[i] for i in lines] for code, rows in texts.items()}
        return lambda encode: by_language(retrieval(encode, part, protocol=chosen))

    splits: list[Split] = []
    for texts in read_sets(data, languages=codes):
        n = len(next(iter(texts.values())))
        if marked is None:
            dev, test = split_lines(n, seed=seed)
            where = f"a random half of the lines (seed {seed})"
        else:
            if len(marked) != n:
                raise InputError(f"{index} has {len(marked)} rows, the texts have {n} lines: expected as many")
            dev, test = ([i for i, name in enumerate(marked) if name == split] for split in ("dev", "test"))
            if not dev or not test:
                raise InputError(f"{index} has {len(dev)} dev and {len(test)} test lines: expected some of each")
            where = f"the {len(dev)} dev lines of index.tsv"
        splits.append((on(texts, dev), on(texts, test), where))
    return chosen.headline, splits


def by_language(result: RetrievalResult) -> dict[str, float]:
    """The headline metric of each language with the pivot, its directions averaged; without a pivot, of each pair."""
    pivot, metric = result.protocol.pivot, result.protocol.headline
    found: dict[str, list[float]] = {}
    with_pivot = any(pivot in (score.queries, score.candidates) for score in result.scores)
    for score in result.scores:
        others = sorted(code for code in (score.queries, score.candidates) if code != pivot)
        if len(others) == 1 or not with_pivot:
            found.setdefault("-".join(others), []).append(score.metrics[metric])
    return {name: sum(values) / len(values) for name, values in found.items()}


def _sts(data: str, names: list[str] | None, seed: int) -> Split:
    from align.tasks import read_sts
    from align.tasks.layers import split_lines
    from align.tasks.sts import sts

    test = read_sts(data, languages=names, split="test")
    try:
        dev = read_sts(data, split="dev")
    except InputError as error:
        logger.info("no dev split (%s): the test pairs are halved", error)
        dev = {}
    dev = {name: dev[name] for name in test if dev.get(name, test[name]) != test[name]}  # a file without split is both
    where = f"the dev split of {', '.join(dev)}"
    if not dev:
        where = f"a random half of the pairs (seed {seed})"
        halves = {name: split_lines(len(one.scores), seed=seed) for name, one in test.items()}
        dev, test = ({name: _rows(one, halves[name][side]) for name, one in test.items()} for side in (0, 1))

    def on(sets: Mapping[str, StsSet]) -> Run:
        return lambda encode: {one.name: one.spearman for one in sts(encode, sets, resamples=0).scores}

    return on(dev), on(test), where


def _rows(one: StsSet, rows: Sequence[int]) -> StsSet:
    first, second = ([side[i] for i in rows] for side in (one.first, one.second))
    return replace(one, scores=tuple(one.scores[i] for i in rows), first=tuple(first), second=tuple(second))


def _bli(
    data: Sequence[str],
    codes: list[str] | None,
    protocol: str,
    vocabulary: Sequence[str],
    candidates: int | None,
    seed: int,
) -> tuple[str, list[Split]]:
    from align.cli.evaluate_words import changed_protocol, given_dictionaries, given_words
    from align.tasks import bli_pairs, find_bli_protocol

    chosen = changed_protocol(find_bli_protocol(protocol), candidates, False, False, False)
    dictionaries = given_dictionaries(data, ",".join(codes) if codes else None)
    spoken = list(dict.fromkeys(code for one in dictionaries for code in one.languages))
    words, _ = given_words(spoken, vocabulary, [], chosen)
    method, _, metric = chosen.headline.partition(" ")

    def on(side: int) -> Run:
        halves = [_half(one, side, seed) for one in dictionaries]

        def run(encode: Encode) -> dict[str, float]:
            result = bli_pairs(encode, halves, words, protocol=chosen, csls=method == "CSLS", resamples=0)
            return {f"{one.source}-{one.target}": one.methods[method].metrics[metric] for one in result.scores}

        return run

    return chosen.headline, [(on(0), on(1), f"a random half of the source words (seed {seed})")]


def _half(one: Dictionary, side: int, seed: int) -> Dictionary:
    """The lines of half of the source words; case does not part a word from itself."""
    from align.tasks.layers import split_lines

    sources = list(dict.fromkeys(source.lower() for source, _ in one.pairs))
    kept = {sources[i] for i in split_lines(len(sources), seed=seed)[side]}
    return replace(one, pairs=tuple(pair for pair in one.pairs if pair[0].lower() in kept))


def _layer_list(only: str) -> list[int] | None:
    if only == "all":
        return None
    if not re.fullmatch(r"\d+(,\d+)*", only):
        raise InputError(f"--layers {only}: expected all, or numbers with commas such as 0,4,8")
    return list(map(int, only.split(",")))

"""A task scored with an encoder: unit by unit, kept by content, written as one result.

A unit (a pair of languages, a dictionary, a set) is scored once: what it gave is kept under a key of all that decides
it, so that an unchanged run costs nothing, a changed byte is scored anew, and an interrupted run goes on.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.errors import InputError
from align.evaluation.averages import averages, trained_languages
from align.evaluation.benchmarks import BENCHMARKS, Benchmark, find_benchmark, local_folder
from align.evaluation.encoding import (
    Asked,
    Mixed,
    StaticWords,
    encode_of,
    identity_of,
    keeping_lists,
    texts_needed,
    tokenizer_hash,
    words_of,
)  # fmt: skip
from align.evaluation.layers import Layers, sweep
from align.evaluation.reading import units
from align.evaluation.rules import Rules, described, reranked_rules, rules_of
from align.evaluation.run import Kept, Run
from align.files.archives import is_there
from align.files.licences import check_licence, known_licence
from align.tasks.layers import best_layer, mean_curve
from align.tasks.reranked import Reranked
from align.tasks.task import Unit, task
from align.text.hashing import text_sha256

if TYPE_CHECKING:
    from align.encoders.decoder import Decoder
    from align.encoders.encoder import Encoder
    from align.tasks.embedding import Encode
    from align.tasks.reranked import PairScorer

log = logging.getLogger(__name__)

APART = ("geometry", "examples", "curve", "translations")
"""What rows hold that stands elsewhere in a result."""


def evaluate(
    encoder: Encoder | Decoder | StaticWords | Mixed,
    what: str | Benchmark,
    *,
    data: Path | str | None = None,
    languages: Sequence[str] | None = None,
    protocol: str | Any | None = None,
    settings: Mapping[str, Any] | None = None,
    layers: Layers | None = None,
    rerank: PairScorer | None = None,
    rerank_depth: int = 10,
    asked: Asked | None = None,
    name: str | None = None,
    items: bool = True,
    cache: Path | str | None = None,
    use_cache: bool = True,
    resamples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """Score an encoder on a benchmark, or on a task with data of one's own.

    Args:
        encoder: see ``align.load_encoder``; for tasks on words also static vectors, or both.
        what: a name of ``align list``; ``TASK=PATH``, such as ``sts=pairs.tsv``; or a folder of line-aligned text.
        data: folder that holds the benchmark's, or is it; ``None``: the environment's ``ALIGN_DATA``, else the Hub.
        languages: codes, or names of sets; ``None``: all.
        protocol: another than the benchmark's or the task's own: its name, or one of one's own.
        settings: of the protocol (``{"candidates": 1000}``) and of the task's reader (``{"vocabulary": "lists"}``).
        layers: score at each of several layers; one half of the data chooses, the other is scored.
        rerank: a scorer of pairs (:func:`align.load_scorer`) that puts the nearest candidates in its own order, in
            tasks that search (retrieval, bli).
        rerank_depth: how many of each query.
        asked: how the encoder is asked: in bfloat16, words in a template.
        name: of the model in the result; ``None``: what was loaded.
        items: keep the outcome of every item, which comparisons need.
        cache: folder of kept units; ``None``: ``results`` in align's folder of the user's cache.
        use_cache: read and write it.
        resamples: of the bootstrap (95 % intervals).
        seed: of the bootstrap, and of the halves.
        progress: log each unit.

    Returns:
        A result of JSON values: scores with intervals, groups, protocol, data hash, versions (see
        ``align.evaluation.results``). A unit that fails (a language that is missing, files of unequal length, NaN
        vectors) stands in ``missing`` with its reason; the others are scored.

    Raises:
        InputError: unknown benchmark, protocol or setting, a protocol of another layer or pooling than the encoder's,
            other layers of an encoder with offsets, no data, data of a licence that is not allowed
            (:func:`align.files.licences.allowing`), or no unit could be scored.
    """
    from align.evaluation.results import FORMAT, VERSION
    from align.provenance import versions

    began = time.perf_counter()
    chosen = find_benchmark(what) if isinstance(what, str) else what
    kind, asked = task(chosen.task), asked or Asked()
    if getattr(encoder, "offsets", None) and kind.inputs == "tokens":
        raise InputError(f"{chosen.name}: offsets are of whole texts, not of words in them: give the encoder without")
    if getattr(encoder, "offsets", None) and (layers or kind.inputs in ("layers", "labels")):
        raise InputError(f"{chosen.name}: offsets are of the layer that the encoder pools, and of texts")
    root = data or os.environ.get("ALIGN_DATA")
    folder = local_folder(chosen, Path(root) if root else None)
    licence = known_licence(folder, chosen.licence) if folder and is_there(folder) else chosen.licence
    check_licence(chosen.name, licence)
    rules = rules_of(chosen, protocol, settings or {})
    if rerank is not None:
        rules = reranked_rules(chosen, rules, rerank_depth)
        if layers:
            raise InputError("a scorer stands on one layer of its encoder: a sweep over layers is without")
    if chosen.name in BENCHMARKS:
        log.info("%s: %s; licence %s; %s", chosen.name, chosen.about, chosen.licence, folder or f"Hub, {chosen.hub}")
    every = _units(encoder, chosen, folder, languages, rules)
    identity = identity_of(encoder, kind, asked)
    if hasattr(rules.protocol, "check_pooling"):
        rules.protocol.check_pooling(identity["pooling"])
    made_by = identity | {"tokenizer": tokenizer_hash(encoder), "bf16": asked.bf16}
    made_by |= {"rerank": rerank.identity()} if rerank is not None else {}
    run = Run(chosen.name, kind, rules, Kept(Path(cache) if cache else None) if use_cache else None, made_by, progress)
    facts: dict[str, Any] = {}
    if layers:
        source = str(chosen.source or folder or chosen.hub)
        found, facts["layers"] = sweep(run, encoder, every, source, layers, asked, seed)
        if found:
            identity |= {"pooling": {**identity["pooling"], "layer": facts["layers"]["best"]}}
    else:
        encode = encode_of(encoder, kind, asked)
        if kind.name == "bli" and chosen.source and use_cache and not isinstance(encoder, StaticWords):
            encode = _cached(encode, made_by, cache)
        if not isinstance(encoder, StaticWords) and kind.inputs not in ("tokens", "labels"):
            encode = keeping_lists(encode, rows=100_000 if kind.inputs == "layers" else 400_000)
        encode = Reranked(encode, rerank.score) if rerank is not None else encode
        found = [row for unit in every for row in run.rows(unit, encode)]
        if rerank is not None:
            facts["rerank"] = rerank.identity() | {"pairs": encode.pairs, "seconds": round(encode.seconds, 2)}
    if not found:
        reason = run.missing[0]["reason"] if run.missing else "it has no subset of these languages"
        raise InputError(f"{chosen.name}: nothing could be scored: {reason}")
    found_averages = averages(found, kind, trained_languages(encoder), resamples=resamples, seed=seed)
    apart = {*APART} | (set() if items else {"items", "lines", "gold"})
    scores = [{k: v for k, v in row.items() if k not in apart} for row in found_averages.rows]
    answers = [line for row in found for line in row.get("translations", ())]
    if answers:
        facts["translations"] = [answers[0], *(line for line in answers if line != answers[0])]  # one header
    curves = {row["id"]: row["curve"] for row in found_averages.rows if "curve" in row}
    if curves:
        facts["layers"] = _curves(curves, rules, kind.higher_is_better)
    if found_averages.twins:
        facts["twins"] = found_averages.twins
    if not kind.higher_is_better:
        facts["lower_is_better"] = True
    return {
        "format": FORMAT, "version": VERSION, "benchmark": chosen.name, "task": chosen.task,
        "model": name or getattr(encoder, "name", None) or "encoder", "encoder": identity, "bf16": asked.bf16,
        "languages": None if languages is None else sorted(set(languages)),
        "protocol": described(rules), "metric": rules.protocol.headline, "statistic": kind.statistic,
        "data": {
            "source": chosen.source or (str(folder.resolve()) if folder else f"{chosen.hub}@{chosen.revision}"),
            "licence": licence, "sha256": text_sha256("".join(run.hashes)),
        },
        "headline": found_averages.headline, "scores": scores, "missing": run.missing, "groups": found_averages.groups,
        "script_gaps": found_averages.script_gaps,
        "geometry": {row["language"]: row["geometry"] for row in found_averages.rows if row.get("geometry")},
        "examples": [one for row in found_averages.rows for one in row.get("examples", ())],
        "bootstrap": {"resamples": resamples, "seed": seed, "level": 0.95},
        "versions": versions(), "seconds": round(time.perf_counter() - began, 2),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    } | facts  # fmt: skip


def _units(
    encoder: Any, chosen: Benchmark, folder: Path | None, languages: Sequence[str] | None, rules: Rules
) -> list[Unit]:
    """What is scored; of static vectors, only the words in it are read."""
    reading = dict(rules.reading)
    static = encoder.static if isinstance(encoder, Mixed) else encoder if isinstance(encoder, StaticWords) else None
    if static is not None and chosen.task == "bli":
        reading["vocabulary"] = words_of(static, reading.get("vocabulary"))
        static.limit = None if rules.reading.get("vocabulary") else rules.protocol.candidates
        static.lowercase = rules.protocol.lowercase
    every = list(units(chosen, folder, languages, rules.protocol, **reading))
    if static is not None and chosen.task != "bli":
        words = texts_needed(task(chosen.task), every)
        static.only = {word.lower() for word in words} if static.lowercase else words
    return every


def _cached(encode: Encode, made_by: Mapping[str, Any], cache: Path | str | None) -> Encode:
    """Vectors of vocabularies that are kept on disk, whatever is asked of them."""
    from align.evaluation.vocabulary_cache import cached

    return cached(encode, encoder=made_by, folder=Path(cache) / "vocabularies" if cache else None)


def _curves(curves: Mapping[str, Sequence[float]], rules: Rules, higher_is_better: bool) -> dict[str, Any]:
    """The ``layers`` of a result whose rows are curves over all layers: what is best on them is no test score."""
    mean = mean_curve({name: tuple(curve) for name, curve in curves.items()})
    best = best_layer(mean if higher_is_better else [-value for value in mean])
    return {
        "metric": "MEXA" if rules.protocol.headline == "mexa" else rules.protocol.headline, "best": best,
        "chosen_on": "the lines that are scored", "mean": mean, "curves": dict(curves),
        "layers": list(range(len(mean))),
    }  # fmt: skip

"""A benchmark scored with an encoder: subset by subset, kept by content, written as one result.

A subset (a pair of languages, a dictionary, a set) is scored once: what it gave is kept under a key of all that decides
it, so that an unchanged run costs nothing, a changed byte is scored anew, and an interrupted run goes on.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.evaluation.averages import averages, trained_languages
from align.evaluation.benchmarks import Benchmark, find_benchmark, local_folder
from align.evaluation.scoring import Row, metric_of, score_subset
from align.evaluation.subset_readers import PIVOT
from align.evaluation.subsets import content_hash, json_hash, subsets
from align.files.whole import read_json, user_cache, write_json
from align.tasks.bli.protocols import BliProtocol, find_bli_protocol
from align.tasks.retrieval.protocols import Protocol, find_protocol
from align.text.hashing import text_sha256

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

log = logging.getLogger(__name__)

Rules = Protocol | BliProtocol

SUBSET_FORMAT = 4
"""Raised when a subset comes to be scored in another way, so that nothing older is read from the cache."""


def evaluate(
    encoder: Encoder,
    benchmark: str | Benchmark,
    *,
    data: Path | str | None = None,
    languages: Sequence[str] | None = None,
    protocol: str | Rules | None = None,
    candidates: int | None = None,
    name: str | None = None,
    items: bool = True,
    cache: Path | str | None = None,
    use_cache: bool = True,
    bf16: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """Score an encoder on a benchmark.

    Args:
        encoder: see ``align.load_encoder``.
        benchmark: a name in ``align.evaluation.benchmarks.BENCHMARKS``.
        data: folder that holds the benchmark's, or is it; ``None``: the environment's ``ALIGN_DATA``, else the Hub.
        languages: codes, or names of sets; ``None``: all.
        protocol: another than the benchmark's own (retrieval, bli): its name, or one of one's own.
        candidates: of bli, the first so many words of each vocabulary; ``None``: what the protocol says.
        name: of the model in the result; ``None``: what was loaded.
        items: keep the outcome of every item, which comparisons need.
        cache: folder of kept subsets; ``None``: ``results`` in align's folder of the user's cache.
        use_cache: read and write it.
        bf16: encode under bfloat16 autocast.
        resamples: of the bootstrap (95 % intervals).
        seed: of the bootstrap.
        progress: log each subset.

    Returns:
        A result of JSON values: scores with intervals, groups, protocol, data hash, versions (see
        ``align.evaluation.results``). A subset that fails (a language that is missing, files of unequal length, NaN
        vectors) stands in ``missing`` with its reason; the others are scored.

    Raises:
        InputError: unknown benchmark or protocol, a protocol of another layer or pooling than the encoder's, no data,
            or no subset could be scored.
    """
    from align.evaluation.results import FORMAT, VERSION
    from align.provenance import versions

    began = time.perf_counter()
    chosen = find_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    root = data or os.environ.get("ALIGN_DATA")
    folder = local_folder(chosen, Path(root) if root else None)
    rules = rules_of(chosen, protocol, candidates)
    log.info("%s: %s; licence %s; %s", chosen.name, chosen.about, chosen.licence, folder or f"Hub, {chosen.hub}")
    encode = keeping_lists(sentence_or_word_encoder(encoder, chosen.task, bf16))
    identity = encoder.identity()  # hashes all weights
    if isinstance(rules, Protocol):
        rules.check_pooling(identity["pooling"])
    made_by = identity | {"tokenizer": tokenizer_hash(encoder), "bf16": bf16}
    kept = Kept(Path(cache) if cache else None) if use_cache else None
    found: list[Row] = []
    missing: list[dict[str, str]] = []
    hashes: list[str] = []
    for subset in subsets(chosen, folder, languages):
        try:
            content = subset.load()
            hashes.append(content_hash(content))
            key = json_hash([SUBSET_FORMAT, made_by, chosen.task, _plain(rules), subset.name, subset.lines, hashes[-1]])
            rows = kept.read(key) if kept else None
            if rows is None:
                rows = score_subset(chosen.task, subset.name, content, encode, rules, lines=subset.lines)
                if not all(row["n"] for row in rows):
                    raise InputError("no item of it could be scored")
                if kept:
                    kept.write(key, rows)
            found += [row | {"sha256": hashes[-1]} for row in rows]
            if progress:
                log.info("%s %s: %s", chosen.name, subset.name, _brief(rows))
        except InputError as error:
            missing.append({"name": subset.name, "reason": str(error)})
            log.warning("%s %s is left out: %s", chosen.name, subset.name, error)
    if not found:
        reason = missing[0]["reason"] if missing else "it has no subset of these languages"
        raise InputError(f"{chosen.name}: nothing could be scored: {reason}")
    found_averages = averages(found, chosen.task, trained_languages(encoder), resamples=resamples, seed=seed)
    apart = {"geometry", "examples"} | (set() if items else {"items", "lines", "gold"})
    scores = [{k: v for k, v in row.items() if k not in apart} for row in found_averages.rows]
    return {
        "format": FORMAT, "version": VERSION, "benchmark": chosen.name, "task": chosen.task,
        "model": name or encoder.name or "encoder", "encoder": identity, "bf16": bf16,
        "languages": None if languages is None else sorted(set(languages)),
        "protocol": _plain(rules), "metric": metric_of(rules), "statistic": found_averages.statistic,
        "data": {
            "source": str(folder.resolve()) if folder else f"{chosen.hub}@{chosen.revision}", "licence": chosen.licence,
            "sha256": text_sha256("".join(hashes)),
        },
        "headline": found_averages.headline, "scores": scores, "missing": missing, "groups": found_averages.groups,
        "script_gaps": found_averages.script_gaps,
        "geometry": {row["language"]: row["geometry"] for row in found_averages.rows if row.get("geometry")},
        "examples": [one for row in found_averages.rows for one in row.get("examples", ())],
        "bootstrap": {"resamples": resamples, "seed": seed, "level": 0.95},
        "versions": versions(), "seconds": round(time.perf_counter() - began, 2),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


Encode = Callable[[Sequence[str], str], ArrayLike]


def sentence_or_word_encoder(encoder: Encoder, task: str, bf16: bool) -> Encode:
    """(texts, language) -> (n, D): words for tasks on words, sentences for the others."""
    import torch

    from align.encoders.words import word_encoder
    from align.tasks.embedding import remembered

    inner: Encode = word_encoder(encoder) if task in ("bli", "wordsim") else lambda texts, _: encoder.encode(texts)

    def encode(texts: Sequence[str], language: str) -> ArrayLike:
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
            return inner(texts, language)

    return remembered(encode, PIVOT) if task == "retrieval" else encode  # they share English, by line in Tatoeba


def keeping_lists(encode: Encode, *, rows: int = 400_000) -> Encode:
    """The function that keeps the vectors of its last lists, at most ``rows`` of them, for subsets that share a list.

    A list of texts is known by language and hash; the list that was not asked for the longest is forgotten first.
    """
    kept: dict[tuple[str, str], NDArray[Any]] = {}

    def encode_once(texts: Sequence[str], language: str) -> ArrayLike:
        key = (language, content_hash(list(texts)))
        vectors = kept.pop(key, None)
        if vectors is None:
            vectors = np.asarray(encode(texts, language))
        kept[key] = vectors
        while sum(map(len, kept.values())) > rows and len(kept) > 1:
            kept.pop(next(iter(kept)))
        return vectors

    return encode_once


def tokenizer_hash(encoder: Encoder) -> str:
    """SHA-256 of all that the tokenizer does: normaliser, pieces, post-processing."""
    backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
    text = backend.to_str() if backend is not None else str(sorted(encoder.tokenizer.get_vocab().items()))
    return text_sha256(text)


class Kept:
    """Rows of subsets on disk, each in a file named by its key."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_cache("results")

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def read(self, key: str) -> list[Row] | None:
        """What was kept; ``None``: nothing, or a damaged file (said in a warning)."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            kept = read_json(path)
        except InputError as error:
            log.warning("%s: scored anew", error)
            return None
        if not isinstance(kept, dict) or kept.get("key") != key or not isinstance(kept.get("rows"), list):
            log.warning("%s holds something else than its name says: scored anew", path)
            return None
        if kept.get("sha256") != json_hash(kept["rows"]):
            log.warning("%s is damaged: scored anew", path)
            return None
        rows: list[Row] = kept["rows"]
        return rows

    def write(self, key: str, rows: list[Row]) -> None:
        """Keep the rows; a full disk costs a warning, not the scores."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"key": key, "rows": rows, "sha256": json_hash(rows)})
        except (InputError, OSError) as error:
            log.warning("%s: a subset's scores were not kept: %s", path, error)


def rules_of(benchmark: Benchmark, protocol: str | Rules | None, candidates: int | None = None) -> Rules | None:
    """The protocol that a benchmark is scored by; ``None``: sts and wordsim, which are scored in one way.

    Args:
        benchmark: what is scored.
        protocol: as for :func:`evaluate`.
        candidates: likewise.

    Raises:
        InputError: an unknown protocol, or one of another task.
    """
    if candidates is not None and benchmark.task != "bli":
        raise InputError(f"{benchmark.name} has no vocabulary: candidates are of bli")
    if benchmark.task not in ("retrieval", "bli"):
        if protocol is not None:
            raise InputError(f"{benchmark.name} has no protocols: {benchmark.task} is scored in one way")
        return None
    given: Any = protocol or benchmark.protocol
    if benchmark.task == "retrieval":
        return find_protocol(given)
    chosen = find_bli_protocol(given)
    if candidates is None or candidates == chosen.candidates:
        return chosen
    return replace(chosen, name=f"{chosen.name} (changed)", candidates=candidates)


def _plain(protocol: Any) -> Mapping[str, Any]:
    return (
        {"name": "spearman of the cosine"}
        if protocol is None
        else asdict(protocol) | {"described": protocol.describe()}
    )


def _brief(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row['id']} {row['value']:.3f}" for row in rows)

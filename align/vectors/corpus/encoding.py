"""Encode a corpus of any size into a folder of vectors; a run that was stopped goes on where it was."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from align.encoders.encoder import Encoder
from align.errors import InputError
from align.files.archives import on_disk
from align.files.folders import named
from align.files.locks import locked
from align.files.shards import shard as parsed
from align.files.whole import read_json, sha256
from align.vectors.corpus.beginning import begun, cleared, warn_of_space
from align.vectors.corpus.parts import Chunk, Done, Job, encode_chunk, encoder_identity, load_model, sparse_settings
from align.vectors.corpus.rows import Corpus, open_corpus
from align.vectors.corpus.survey import Survey, copies_of, part_count, read_chunks, survey
from align.vectors.folder import DTYPES, MANIFEST, Vectors, open_vectors, plain, read_manifest
from align.vectors.sparse import write_terms
from align.vectors.writing import PART_ROWS, check_vectors, finish, finished_parts

log = logging.getLogger(__name__)

SURVEY = "survey"
ENGINES = ("local", "ray")


def encode(
    model: Encoder | str | Path,
    inputs: Sequence[Path | str],
    out: Path | str,
    *,
    text: str = "text",
    id: str | None = None,
    language: str | None = None,
    language_column: str | None = None,
    keep: Sequence[str] = (),
    licence: str | None = None,
    romanize: bool = False,
    sparse: bool = False,
    dtype: str = "float32",
    store_texts: bool = True,
    part_rows: int = PART_ROWS,
    deterministic: bool = False,
    attention: str = "auto",
    backend: str = "torch",
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
    shard: str | None = None,
    progress: bool = False,
    **load: Any,
) -> Vectors:
    """Encode the rows of files into a folder of vectors, part by part.

    A part is what stands in ``part_rows`` lines of the input. Parts that are there whole are not encoded again, so the
    same call goes on after a crash, repairs a folder of which a part was damaged, and every row is there exactly once.
    Lines that cannot be encoded are in ``out/rejects`` with the reason; with ids made from content, so are those whose
    text stood before in the same language.

    Args:
        model: what :func:`align.load_encoder` takes; with one worker, an encoder too.
        inputs: files; for these and ``text``, ``id``, ``language``, ``language_column``, ``keep``, ``licence``
            see :func:`align.vectors.corpus.rows.open_corpus`.
        out: the folder; a new one, or one that was begun with the same settings.
        text: column of the text.
        id: column of the id, ``content`` or ``line``.
        language: code of all texts.
        language_column: column of codes.
        keep: columns to keep beside the vectors, for filters and as payload of engines.
        licence: of all texts.
        romanize: encode the texts as uroman writes them; the stored texts stay the original ones.
        sparse: store lexical vectors beside them, by the encoder's masked-LM head, made in the same pass
            (:meth:`align.encoders.encoder.Encoder.sparse`).
        dtype: float32 or float16, as stored.
        store_texts: keep the texts beside the vectors.
        part_rows: lines of a part, which are in memory at a time, with their vectors, for each worker.
        deterministic: a vector depends, to the last bit, on its own text alone.
        attention: auto or padded.
        backend: torch, openvino or onnx.
        workers: processes that encode.
        engine: local, or ray: on the machines of a cluster (extra ``ray``).
        address: of the cluster, ``auto`` or host:port; ``None``: Ray is started on this machine.
        shard: encode this share of the parts alone, ``2/8``, beside others that do theirs in the same folder; the one
            that ends last completes it. Of any other, what comes back is not complete.
        progress: show a bar with rate and remaining time.
        load: further options of :func:`align.load_encoder`: layer, kind, prompt, bf16, device, offsets, ...

    Raises:
        InputError: a file that is missing, damaged or without such a column; no row; an id twice; sparse vectors of an
            encoder that gives none; ``out`` is something else, is written by another process or was begun with other
            settings, which are named; a full disk.
    """
    for name, (value, known) in {
        "dtype": (dtype, DTYPES), "attention": (attention, ("auto", "padded")), "engine": (engine, ENGINES),
    }.items():  # fmt: skip
        if value not in known:
            raise InputError(f"{name} must be {' or '.join(known)}, got {value!r}")
    for name, number in {"workers": workers, "part_rows": part_rows}.items():
        if number < 1:
            raise InputError(f"{name} must be at least 1, got {number}")
    here = workers == 1 and engine == "local"
    if isinstance(model, Encoder) and (load or not here or attention != "auto" or backend != "torch"):
        raise InputError("an encoder in memory encodes as it is, in this process: give the name of a model instead")
    for name in ("offsets", "head"):
        if load.get(name):
            load[name] = Path(load[name]).absolute()  # workers may stand elsewhere
    out, which = named(out), parsed(shard) if shard else None
    check_vectors(out)
    lock = partial(locked, out / MANIFEST, wait=which is not None, of=out)
    with ExitStack() as alone:
        alone.enter_context(lock())
        corpus = open_corpus(
            inputs, text=text, id=id, language=language, language_column=language_column, keep=keep, licence=licence
        )
        stamps = _stamps(corpus)
        job = Job(
            out.absolute(), _name(model), load, backend, attention, deterministic, romanize, dtype, store_texts,
            tuple(corpus.keep), sparse,
        )  # fmt: skip
        # the devices are for those that encode: where that is others, the identity alone is read here
        reader = job if here else replace(job, load={**load, "device": "cpu"})
        encoder = model if isinstance(model, Encoder) else load_model(reader)
        of = _described(corpus, progress=progress)
        compute = {"backend": backend, "bf16": bool(load.get("bf16")), "deterministic": deterministic}
        settings = {
            "encoder": encoder_identity(encoder, romanize=romanize), "dimension": encoder.dimension, "dtype": dtype,
            "part_rows": part_rows, "store_texts": store_texts, "compute": compute, **of,
        }  # fmt: skip
        if sparse:
            settings["sparse"], terms = sparse_settings(encoder)
        begun(out, settings)
        if sparse:
            write_terms(out, terms)
        if read_json(out / MANIFEST)["complete"]:
            log.info("%s is complete: nothing is left to encode", out)
            return open_vectors(out)
        found = _survey(corpus, out, of, progress=progress)
        done = finished_parts(out)
        warn_of_space(out, found.rows - sum(about["rows"] for about in done.values()), encoder.dimension, dtype)
        parts = part_count(found, part_rows)
        others = {number for number in range(parts) if which and number % which.of != which.number - 1}
        chunks = read_chunks(corpus, found, copies_of(out / SURVEY), part_rows=part_rows, finished=others | done.keys())
        if which:
            alone.close()
        if here:
            log.info("attention %s", encoder.attention_in_use(bf16=bool(load.get("bf16"))))
        before = sum(about["rows"] + about["rejected"] for about in done.values())
        with _bar(before, found.lines, progress=progress) as bar:
            if here:
                run_here(encoder, job, chunks, bar.update)
            else:
                del encoder
                with closing(_encoded(job, chunks, workers=workers, engine=engine, address=address)) as written:
                    for part in written:
                        bar.update(part.lines)
        for source, stamp, now in zip(corpus.sources, stamps, _stamps(corpus), strict=True):
            if stamp != now:
                raise InputError(f"{source.path} was changed while it was encoded: remove {out} and encode it again")
        if which:
            alone.enter_context(lock())
            if len(there := finished_parts(out)) < parts:
                log.info("%d of %d parts of %s are there", len(there), parts, out)
                totals = {what: sum(about[what] for about in there.values()) for what in ("rows", "rejected")}
                return Vectors(out, {**read_manifest(out), "parts": [], **totals})
        return _finish(out, parts)


def run_here(encoder: Encoder, job: Job, chunks: Iterable[Chunk], progress: Callable[[int], object]) -> None:
    """Encode chunks one after the other in this process; ``progress`` is called with numbers of lines."""
    for chunk in chunks:
        encode_chunk(encoder, job, chunk, progress=progress)
        progress(len(chunk.rejects))


def _name(model: Encoder | str | Path) -> str:
    name = model.name or "" if isinstance(model, Encoder) else str(model)
    return str(Path(name).absolute()) if name not in ("", "seed") and Path(name).is_dir() else name


def _bar(before: int, lines: int, *, progress: bool) -> Any:
    every = 0.2 if sys.stderr.isatty() else 30.0  # seconds: a log file gets few lines
    return tqdm(
        desc="encode", total=lines, initial=before, unit=" rows", unit_scale=True, smoothing=0, mininterval=every,
        disable=not progress,
    )  # fmt: skip


def _finish(out: Path, parts: int) -> Vectors:
    made = finish(out, parts)
    for left in (*out.glob(".part-*"), *out.glob("rejects/.part-*")):  # of runs that were killed
        left.unlink(missing_ok=True)
    if made.manifest["rejected"]:
        log.warning("%d lines were not encoded: see %s", made.manifest["rejected"], out / "rejects")
    return made


def _stamps(corpus: Corpus) -> list[tuple[int, int]]:
    return [(about.st_size, about.st_mtime_ns) for about in (on_disk(source.path).stat() for source in corpus.sources)]


def _described(corpus: Corpus, *, progress: bool) -> dict[str, Any]:
    sources = tqdm(corpus.sources, desc="SHA-256", unit=" files", disable=not progress)
    inputs = {
        corpus.name(source): {"number": number, "bytes": size, "sha256": sha256(source.path)}
        for number, (source, (size, _)) in enumerate(zip(sources, _stamps(corpus), strict=True))
    }
    rules = {rule: getattr(corpus, rule) for rule in ("text", "id", "language", "language_column")}
    kept = {"columns": list(corpus.keep), "keep": dict(corpus.keep), "licence": corpus.licence} if corpus.keep else {}
    return {"inputs": inputs, **rules, **kept}


def _survey(corpus: Corpus, out: Path, of: Mapping[str, Any], *, progress: bool) -> Survey:
    try:
        found = survey(corpus, out / SURVEY, of=plain(of), progress=progress)
    except InputError:
        cleared(out)
        raise
    log.info("%d rows to encode, %d copies, %d other rejects", found.rows, found.copies, found.rejected)
    if found.rejected:
        log.warning("cannot be encoded: %s", found.rejected_first)
    return found


def _encoded(
    job: Job, chunks: Iterable[Chunk], *, workers: int, engine: str, address: str | None
) -> Generator[Done, None, None]:
    if engine == "ray":
        from align.vectors.corpus.ray_engine import run_ray

        yield from run_ray(job, chunks, address=address, workers=workers)
    else:
        from align.vectors.corpus.workers import run_workers

        yield from run_workers(job, chunks, workers=workers)

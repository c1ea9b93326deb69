"""Writing a folder of vectors part by part, by whoever and in any order; ``folder`` says what it holds."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from align.errors import InputError
from align.files.folders import check_place, stranger
from align.files.locks import locked
from align.files.nested import differences
from align.files.whole import read_json, sha256, whole_file, write_json
from align.vectors.folder import (
    FORMAT,
    MANIFEST,
    Vectors,
    open_vectors,
    plain,
    read_manifest,
    vector_table,
    vectors_of,
)
from align.vectors.sparse import SPARSE, SparseVectors, described, terms_of, write_terms

log = logging.getLogger(__name__)

PART_ROWS = 50_000
"""Rows of a part; of 768 dimensions as float32, 154 MB."""

_UNFINISHED = r"(rejects/)?\.(part-\d+|manifest|terms)\.[^/]+|\.survey\.[^/]+(/.*)?"
_WHOLE = r"(manifest|terms)\.json|part-\d+\.(json|parquet)|rejects/part-\d+\.jsonl|survey/[^/]+"


def begin(out: Path, settings: Mapping[str, Any]) -> None:
    """Begin a folder, or go on with one that was begun with the same settings.

    A complete one of which a part is damaged or missing is not complete any more.

    Args:
        out: the folder.
        settings: ``encoder``, ``dimension``, ``dtype`` and whatever else decides what stands in which part, as JSON.

    Raises:
        InputError: as :func:`check_vectors`, or it was begun with other settings (what differs is named).
    """
    check_vectors(out)
    wanted = plain(settings)
    if not (out / MANIFEST).exists():
        write_json(out / MANIFEST, {"format": FORMAT, "complete": False, **wanted}, sealed=True)
        return
    stored = read_manifest(out)
    differ = differences({name: stored.get(name) for name in wanted}, wanted, "there", "now")
    if differ:
        raise InputError(f"{out} was begun with other settings: {differ}; give another --out, or remove it")
    if stored["complete"] and len(finished_parts(out)) < len(stored["parts"]):
        log.warning("%s was complete, and is damaged: what is missing is made again", out)
        facts = {name: value for name, value in stored.items() if name not in ("parts", "rows", "rejected")}
        write_json(out / MANIFEST, facts | {"complete": False}, sealed=True)


def check_vectors(out: Path) -> None:
    """Refuse a place for vectors that holds anything else.

    Raises:
        InputError: ``out`` is a symlink or a file, or has a file that is not of a folder of vectors, which is named.
    """
    check_place(out)
    ours = re.compile(f"{_WHOLE}|{_UNFINISHED}" if (out / MANIFEST).exists() else _UNFINISHED)
    name = stranger(out, lambda name: bool(ours.fullmatch(name)))
    if name:
        raise InputError(
            f"{out} holds {name}, which is not of vectors that Align wrote: give another --out, or remove it"
        )


def finished_parts(out: Path) -> dict[int, dict[str, Any]]:
    """The parts that are there whole, by number: what their ``.json`` says. Any other is left aside, with a word."""
    manifest = read_manifest(out)
    found = {}
    for path, about in _noted(Path(out)):
        if _is_whole(path, about, manifest):
            found[about["number"]] = about
        else:
            log.warning("%s is not whole: written again", path.with_suffix(".parquet"))
    return found


def _is_whole(path: Path, about: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Whether a part and its rejects are what its ``.json`` says, and that what a complete folder's manifest says."""
    try:
        part = path.with_suffix(".parquet")
        whole = about["sha256"] == sha256(part) and about["encoder"] == plain(manifest["encoder"])
        if about["rejected"]:
            whole = whole and about["rejects_sha256"] == sha256(_rejects(path.parent, about["number"]))
        listed = {entry["name"]: entry["sha256"] for entry in manifest.get("parts", ())}
        return bool(whole and (not manifest["complete"] or listed.get(part.name) == about["sha256"]))
    except (OSError, KeyError):
        return False


def write_part(out: Path, number: int, table: pa.Table, rejects: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write a part and its rejects, then the ``.json`` that makes it count; one that is there whole stays as it is.

    Raises:
        InputError: the folder cannot be written to, or the disk is full; nothing half-written counts. The part is there
            with other numbers of rows, or the folder is complete.
    """
    path = Path(out) / f"{part_name(number)}.parquet"
    with locked(path, wait=True, of=out):
        _write_part(path, number, table, rejects)


def _write_part(path: Path, number: int, table: pa.Table, rejects: Sequence[Mapping[str, Any]]) -> None:
    out = path.parent
    manifest = read_manifest(out)
    expected = (manifest["dimension"], manifest["dtype"])
    came = (table.schema.field("vector").type.list_size, str(vectors_of(table).dtype))
    if came != expected:
        raise InputError(f"{path}: vectors have (dimension, dtype) {came}, but {MANIFEST} says {expected}")
    if (SPARSE[0] in table.column_names) != ("sparse" in manifest):
        raise InputError(f"{path}: {MANIFEST} and the rows do not agree whether there are sparse vectors")
    there = _note(path.with_suffix(".json"))
    if _is_whole(path, there, manifest):
        counts, now = ((there["rows"], there["rejected"]), (table.num_rows, len(rejects)))
        if counts != now:
            raise InputError(f"{path} is there with (rows, rejects) {counts}, now they are {now}: remove {out}")
        log.info("%s is there already, and stays", path)
        return
    if manifest["complete"]:
        raise InputError(f"{out} is complete, but {path.name} is damaged: run the same command again")
    for old in (path.with_suffix(".json"), _rejects(out, number)):
        old.unlink(missing_ok=True)
    about = {"number": number, "rows": table.num_rows, "rejected": len(rejects), "encoder": manifest["encoder"]}
    if rejects:
        with whole_file(_rejects(out, number)) as temporary:
            lines = (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rejects)
            temporary.write_text("".join(lines), encoding="utf-8", errors="backslashreplace", newline="\n")
        about["rejects_sha256"] = sha256(_rejects(out, number))
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="none", use_dictionary=dictionaries(table))
    write_json(path.with_suffix(".json"), about | {"sha256": sha256(path)}, sealed=True)


def dictionaries(table: pa.Table) -> list[str]:
    """Columns whose values come again: those of languages, scripts and licences."""
    return [name for name in ("language", "script", "licence") if name in table.column_names]


def finish(out: Path, parts: int) -> Vectors:
    """Mark a folder complete, once parts 0 to ``parts - 1`` are there.

    The hashes are those that the writers of the parts noted: of a part that changes after that, the reader will tell.

    Raises:
        InputError: one is missing, or the names of the terms of sparse vectors.
    """
    encoder = plain(read_manifest(out)["encoder"])
    found = {about["number"]: about for _, about in _noted(Path(out)) if about.get("encoder") == encoder}
    missing = [n for n in range(parts) if n not in found or not (Path(out) / f"{part_name(n)}.parquet").is_file()]
    if missing:
        raise InputError(f"{out} is not complete: {part_name(missing[0])} is missing; run the same command again")
    entries = [
        {"name": f"{part_name(number)}.parquet", "rows": found[number]["rows"], "sha256": found[number]["sha256"]}
        for number in range(parts)
    ]
    totals = {what: sum(found[number][what] for number in range(parts)) for what in ("rows", "rejected")}
    facts = {**read_manifest(out), "complete": True, "parts": entries, **totals}
    terms_of(Vectors(Path(out), facts))
    write_json(Path(out) / MANIFEST, facts, sealed=True)
    return open_vectors(out)


def save_vectors(
    out: Path | str,
    ids: Sequence[str],
    vectors: ArrayLike,
    *,
    texts: Sequence[str],
    encoder: Mapping[str, Any],
    languages: Sequence[str] | None = None,
    scripts: Sequence[str] | None = None,
    store_texts: bool = True,
    columns: Mapping[str, Sequence[str]] | None = None,
    sparse: SparseVectors | None = None,
    part_rows: int = PART_ROWS,
) -> Vectors:
    """Write vectors that are in memory as a folder.

    Args:
        out: the folder, which must not hold other vectors.
        ids: one for each row, no two equal.
        vectors: (rows, dimensions) finite; float16 stays float16, everything else becomes float32.
        texts: what was encoded; their SHA-256 are stored.
        encoder: what made the vectors.
        languages: codes, one for each row; ``None``, and "" of a row: not known.
        scripts: ISO 15924 codes, in the same way.
        store_texts: keep the texts themselves, so that a search can show them.
        columns: of one's own, such as ``licence``: text for each row, "" where it has none. Searches can be filtered
            by them, and engines get them as payload.
        sparse: lexical vectors of the same rows, to keep beside them.
        part_rows: rows of a part.

    Raises:
        InputError: as :func:`align.vectors.folder.vector_table`, :func:`begin` and
            :func:`align.files.locks.locked`; or an id twice.
    """
    out = Path(out)
    if len(set(ids)) != len(ids):
        twice = next(name for name, times in Counter(ids).items() if times > 1)
        raise InputError(f"id {twice!r} is there twice: expected each id once")
    table = vector_table(
        ids, vectors, texts=texts, languages=languages, scripts=scripts, store_texts=store_texts, columns=columns,
        sparse=sparse.matrix if sparse else None,
    )  # fmt: skip
    if sparse and sparse.matrix.shape[1] != len(sparse.terms):
        raise InputError(f"sparse vectors of {sparse.matrix.shape[1]} terms, but names of {len(sparse.terms)}")
    made = vectors_of(table)
    settings = {
        "encoder": encoder, "dimension": made.shape[1], "dtype": str(made.dtype), "part_rows": part_rows,
        "content": _content(table), **({"columns": list(columns)} if columns else {}),
        **({"sparse": described(sparse.terms, sparse.made)} if sparse else {}),
    }  # fmt: skip
    check_vectors(out)
    with locked(out / MANIFEST, of=out):
        begin(out, settings)
        if sparse:
            write_terms(out, sparse.terms)
        count = -(-len(ids) // part_rows)
        for number in range(count):
            write_part(out, number, table.slice(number * part_rows, part_rows))
        return finish(out, count)


def _content(table: pa.Table) -> str:
    """Hash of all that stands in a table."""
    digest = hashlib.sha256(np.ascontiguousarray(vectors_of(table)).data)
    digest.update(json.dumps(table.drop_columns("vector").to_pydict()).encode())
    return digest.hexdigest()


def part_name(number: int) -> str:
    """``part-00000`` of 0."""
    return f"part-{number:05d}"


def _noted(out: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each part's ``.json``, and what it says; {} if that is not of the part of its name."""
    for path in sorted(out.glob("part-*.json")):
        yield path, _note(path)


def _note(path: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = read_json(path)
        return about if path.stem == part_name(about["number"]) else {}
    except (InputError, KeyError, TypeError, ValueError):
        return {}


def _rejects(out: Path, number: int) -> Path:
    return out / "rejects" / f"{part_name(number)}.jsonl"

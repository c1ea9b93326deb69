"""A folder of vectors in parts: what ``align encode`` writes, and index, export and mining read.

    manifest.json             written first: format, encoder, dimension, dtype, and whatever else made the vectors;
                              with ``complete`` true, and every part's rows and SHA-256, once the last part is there
    part-00000.parquet        a row for each text: id, text_sha256, language, script, vector; text by choice
    part-00000.json           written after its part: rows, SHA-256 of the part and of its rejects, the encoder's
    rejects/part-00000.jsonl  rows that could not be encoded: file, line, reason

A part is there whole or not at all, and counts only while its ``.json`` agrees with it: whoever writes (one process,
several, several machines) may stop at any time, and what is missing is written by the next run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.files import existing_file, read_json, sha256, whole_file, write_json
from align.similarity import matrix
from align.surrogates import well_formed

log = logging.getLogger(__name__)

FORMAT = "align-vectors/1"
MANIFEST = "manifest.json"
DTYPES = ("float32", "float16")
PART_ROWS = 50_000
"""Rows of a part; of 768 dimensions as float32, 154 MB."""


@dataclass(frozen=True)
class Vectors:
    """A complete folder of vectors, opened; nothing of it is in memory. Build one with :func:`open_vectors`."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return int(self.manifest["rows"])

    @property
    def dimension(self) -> int:
        """Dimensions of a vector."""
        return int(self.manifest["dimension"])

    @property
    def encoder(self) -> Mapping[str, Any]:
        """What made the vectors: :meth:`align.encoder.Encoder.identity`, and a romaniser if there was one."""
        encoder: Mapping[str, Any] = self.manifest["encoder"]
        return encoder

    def tables(
        self, columns: Sequence[str] | None = None, *, rows: int = 16_384, verify: bool = True
    ) -> Iterator[pa.Table]:
        """The rows in order, at most ``rows`` at a time.

        Args:
            columns: those to read, of ``COLUMNS``; ``None``: all that are there.
            rows: of one table.
            verify: compare the SHA-256 of each part with the manifest before it is read.

        Raises:
            InputError: a part is missing, damaged, cut short or of other columns; its path is named.
        """
        for entry in self.manifest["parts"]:
            path = existing_file(self.folder / entry["name"])
            if verify and sha256(path) != entry["sha256"]:
                raise InputError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}; encode it again")
            try:
                with pq.ParquetFile(path) as file:
                    known = [name for name in columns if name in file.schema_arrow.names] if columns else None
                    for batch in file.iter_batches(batch_size=rows, columns=known):
                        yield pa.Table.from_batches([batch])
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{path} is damaged: {error}") from error


def vectors_of(table: pa.Table) -> NDArray[Any]:
    """(rows, dimensions) vectors of a table, without a copy where it has one chunk."""
    column = table.column("vector").combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    flat: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size)


def vector_table(
    ids: Sequence[str],
    vectors: ArrayLike,
    *,
    texts: Sequence[str],
    languages: Sequence[str] | None = None,
    scripts: Sequence[str] | None = None,
    store_texts: bool = True,
) -> pa.Table:
    """A table of the columns of a part.

    Args:
        ids: one for each row.
        vectors: (rows, dimensions) finite; float16 stays float16, everything else becomes float32.
        texts: what was encoded; their SHA-256 are stored.
        languages: codes; ``None``, and "" of a row: not known.
        scripts: ISO 15924 codes, in the same way.
        store_texts: keep the texts themselves, so that a search can show them.

    Raises:
        InputError: numbers of rows that differ, or a vector that holds NaN or Inf.
    """
    rows = matrix(vectors)
    with np.errstate(over="ignore"):
        rows = rows if rows.dtype == np.float16 else rows.astype(np.float32, copy=False)
    given = {"ids": ids, "texts": texts, "languages": languages, "scripts": scripts}
    for what, values in given.items():
        if values is not None and len(values) != len(rows):
            raise InputError(f"{len(rows)} vectors but {len(values)} {what}: expected one for each row")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(f"the vector of id {ids[bad[0]]!r} holds NaN or Inf; expected finite numbers")
    unknown = [""] * len(rows)
    columns = {
        "id": pa.array(ids, pa.string()),
        "text_sha256": pa.array([text_hash(text) for text in texts], pa.string()),
        "language": pa.array(languages or unknown, pa.string()),
        "script": pa.array(scripts or unknown, pa.string()),
    }
    if store_texts:
        columns["text"] = pa.array([well_formed(text) for text in texts], pa.string())
    flat = pa.array(np.ascontiguousarray(rows).reshape(-1))
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    return pa.table(columns)


def text_hash(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def begin(out: Path, settings: Mapping[str, Any]) -> None:
    """Begin a folder, or go on with one that was begun with the same settings.

    Args:
        out: the folder.
        settings: ``encoder``, ``dimension``, ``dtype`` and whatever else decides what stands in which part, as JSON.

    Raises:
        InputError: ``out`` is something else, or was begun with other settings (what differs is named).
    """
    out = Path(out)
    wanted = plain(settings)
    if not (out / MANIFEST).exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out} exists and holds no vectors: give another --out, or remove it")
        write_json(out / MANIFEST, {"format": FORMAT, "complete": False, **wanted})
        return
    stored = _manifest(out)
    differ = differences({name: stored.get(name) for name in wanted}, wanted, "there", "now")
    if differ:
        raise InputError(f"{out} was begun with other settings: {differ}; give another --out, or remove it")


def finished_parts(out: Path) -> dict[int, dict[str, Any]]:
    """The parts that are there whole, by number: what their ``.json`` says. Any other is left aside, with a word."""
    encoder = plain(_manifest(out)["encoder"])
    found = {}
    for path, about in _noted(Path(out)):
        part, rejects = path.with_suffix(".parquet"), _rejects(Path(out), about.get("number", -1))
        try:
            whole = about["sha256"] == sha256(part) and about["encoder"] == encoder
            if about["rejected"]:
                whole = whole and about["rejects_sha256"] == sha256(rejects)
        except (OSError, KeyError):
            whole = False
        if whole:
            found[about["number"]] = about
        else:
            log.warning("%s is not whole: written again", part)
    return found


def write_part(out: Path, number: int, table: pa.Table, rejects: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write a part and its rejects, then the ``.json`` that makes it count.

    Raises:
        InputError: the folder cannot be written to, or the disk is full; nothing half-written counts.
    """
    path = Path(out) / f"{part_name(number)}.parquet"
    manifest = _manifest(out)
    expected = (manifest["dimension"], manifest["dtype"])
    came = (table.schema.field("vector").type.list_size, str(vectors_of(table).dtype))
    if came != expected:
        raise InputError(f"{path}: vectors have (dimension, dtype) {came}, but {MANIFEST} says {expected}")
    for old in (path.with_suffix(".json"), _rejects(Path(out), number)):
        old.unlink(missing_ok=True)
    about = {"number": number, "rows": table.num_rows, "rejected": len(rejects), "encoder": manifest["encoder"]}
    if rejects:
        with whole_file(_rejects(Path(out), number)) as temporary:
            lines = (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rejects)
            temporary.write_text("".join(lines), encoding="utf-8", errors="backslashreplace", newline="\n")
        about["rejects_sha256"] = sha256(_rejects(Path(out), number))
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="none", use_dictionary=["language", "script"])
    write_json(path.with_suffix(".json"), about | {"sha256": sha256(path)})


def finish(out: Path, parts: int) -> Vectors:
    """Mark a folder complete, once parts 0 to ``parts - 1`` are there.

    The hashes are those that the writers of the parts noted: of a part that changes after that, the reader will tell.

    Raises:
        InputError: one is missing.
    """
    encoder = plain(_manifest(out)["encoder"])
    found = {about["number"]: about for _, about in _noted(Path(out)) if about.get("encoder") == encoder}
    missing = [n for n in range(parts) if n not in found or not (Path(out) / f"{part_name(n)}.parquet").is_file()]
    if missing:
        raise InputError(f"{out} is not complete: {part_name(missing[0])} is missing; run the same command again")
    entries = [
        {"name": f"{part_name(number)}.parquet", "rows": found[number]["rows"], "sha256": found[number]["sha256"]}
        for number in range(parts)
    ]
    totals = {what: sum(found[number][what] for number in range(parts)) for what in ("rows", "rejected")}
    write_json(Path(out) / MANIFEST, {**_manifest(out), "complete": True, "parts": entries, **totals})
    return open_vectors(out)


def open_vectors(folder: Path) -> Vectors:
    """Open a complete folder of vectors; its parts are checked when they are read.

    Raises:
        InputError: not such a folder, or one whose encoding was not finished.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if not manifest["complete"]:
        raise InputError(f"{folder} is not complete: run the same align encode again, which goes on where it stopped")
    return Vectors(folder, manifest)


def save_vectors(
    out: Path,
    ids: Sequence[str],
    vectors: ArrayLike,
    *,
    texts: Sequence[str],
    encoder: Mapping[str, Any],
    languages: Sequence[str] | None = None,
    scripts: Sequence[str] | None = None,
    store_texts: bool = True,
    part_rows: int = PART_ROWS,
) -> Vectors:
    """Write vectors that are in memory as a folder; see :func:`vector_table` for the arguments.

    Args:
        out: the folder, which must not hold other vectors.
        ids: one for each row, no two equal.
        vectors: (rows, dimensions).
        texts: what was encoded.
        encoder: what made the vectors.
        languages: of each row.
        scripts: of each row.
        store_texts: keep the texts.
        part_rows: rows of a part.

    Raises:
        InputError: as :func:`vector_table` and :func:`begin`; or an id twice.
    """
    if len(set(ids)) != len(ids):
        twice = next(name for name, times in Counter(ids).items() if times > 1)
        raise InputError(f"id {twice!r} is there twice: expected each id once")
    table = vector_table(
        ids, vectors, texts=texts, languages=languages, scripts=scripts, store_texts=store_texts
    )  # fmt: skip
    made = vectors_of(table)
    begin(out, {"encoder": encoder, "dimension": made.shape[1], "dtype": str(made.dtype), "part_rows": part_rows})
    count = -(-len(ids) // part_rows)
    for number in range(count):
        write_part(out, number, table.slice(number * part_rows, part_rows))
    return finish(out, count)


def part_name(number: int) -> str:
    """``part-00000`` of 0."""
    return f"part-{number:05d}"


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A description as JSON reads it back: what two of them are compared as.

    Raises:
        InputError: it holds what JSON does not know.
    """
    try:
        made: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"the description is not JSON: {error}") from error
    return made


def differences(stored: Mapping[str, Any], given: Mapping[str, Any], here: str, there: str) -> str:
    """The fields in which two descriptions differ, in words; "" if in none. Null is as good as absent.

    >>> differences({"pooling": {"layer": 8}}, {"pooling": {"layer": 4}}, "in the index", "in the queries")
    'pooling.layer (8 in the index, 4 in the queries)'
    """
    a, b = dict(_fields(stored)), dict(_fields(given))
    named = (
        f"{name} ({json.dumps(a.get(name))} {here}, {json.dumps(b.get(name))} {there})"
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name)
    )
    return ", ".join(named)


def _fields(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _fields(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", inner


def _noted(out: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each part's ``.json``, and what it says; {} if that is not of the part of its name."""
    for path in sorted(out.glob("part-*.json")):
        try:
            about = read_json(path)
            yield path, about if path.stem == part_name(about["number"]) else {}
        except (InputError, KeyError, TypeError, ValueError):
            yield path, {}


def _rejects(out: Path, number: int) -> Path:
    return out / "rejects" / f"{part_name(number)}.jsonl"


def _manifest(folder: Path) -> dict[str, Any]:
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no folder of vectors: it has no {MANIFEST}; expected what align encode writes")
    manifest = read_json(path)
    fields = {"format", "complete", "encoder", "dimension", "dtype"}
    if not (isinstance(manifest, dict) and fields <= manifest.keys() and manifest["format"] == FORMAT):
        raise InputError(f"{path} is not the manifest of a folder of vectors ({FORMAT})")
    return manifest

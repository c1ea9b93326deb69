"""A chunk of a corpus to a part of a folder of vectors: the unit of work that every engine hands out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.nested import differences
from align.files.whole import read_json
from align.text.languages import dominant_script, latin
from align.vectors.corpus.rows import Reject, Row
from align.vectors.folder import MANIFEST, plain, vector_table
from align.vectors.sparse import described
from align.vectors.writing import write_part

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder


@dataclass(frozen=True)
class Job:
    """What is the same for every chunk, as :func:`align.encode` takes it; it travels to other machines."""

    out: Path
    """Begun."""
    model: str
    load: Mapping[str, Any] = field(default_factory=dict)
    backend: str = "torch"
    attention: str = "auto"
    deterministic: bool = False
    romanize: bool = False
    dtype: str = "float32"
    store_texts: bool = True
    keep: tuple[str, ...] = ()
    sparse: bool = False


@dataclass(frozen=True)
class Chunk:
    """Lines of the corpus that make one part, as they were read."""

    number: int
    """Of the part."""
    rows: Sequence[Row]
    rejects: Sequence[Reject] = ()


@dataclass(frozen=True)
class Done:
    """A part that was written."""

    number: int
    rows: int
    """Rows with a vector."""
    rejected: int
    """Rows without, with those that were rejects before."""

    @property
    def lines(self) -> int:
        """Rows and rejects together."""
        return self.rows + self.rejected


def load_model(job: Job) -> Encoder:
    """The encoder that a job names."""
    from align.encoders.backends import load_backend
    from align.encoders.checkpoint import load_encoder

    torch = job.backend == "torch"
    encoder = load_encoder(job.model, **job.load) if torch else load_backend(job.model, job.backend, **job.load)
    encoder.attention = job.attention
    return encoder


def sparse_settings(encoder: Encoder) -> tuple[dict[str, Any], list[str]]:
    """What the manifest says of the sparse vectors of an encoder, and the names of their terms.

    Raises:
        InputError: it gives none.
    """
    from align.encoders.lexical.head import lexical_identity, term_names

    terms = term_names(encoder)
    return described(terms, lexical_identity(encoder)), terms


def load_job_encoder(job: Job) -> Encoder:
    """The encoder that a job names, compared with the one that the folder was begun with.

    Raises:
        InputError: it is another one, such as another machine's of the same name; and as :func:`align.load_encoder`.
    """
    encoder = load_model(job)
    given = plain(encoder_identity(encoder, romanize=job.romanize))
    differ = differences(read_json(job.out / MANIFEST)["encoder"], given, "there", "now")
    if differ:
        raise InputError(f"{job.out} was begun with another encoder than {job.model}: {differ}")
    return encoder


def encoder_identity(encoder: Encoder, *, romanize: bool) -> dict[str, Any]:
    """What decides a vector: :meth:`align.encoders.encoder.Encoder.identity`, and the romaniser if there is one."""
    from align.text.romanize.romanizer import romanizer_version

    return encoder.identity() | ({"romanizer": romanizer_version()} if romanize else {})


def encode_chunk(encoder: Encoder, job: Job, chunk: Chunk, *, progress: Callable[[int], object] | None = None) -> Done:
    """Encode a chunk and write its part with its rejects; it may be done again, and by anyone.

    ``progress`` is called with the number of rows encoded since the last call.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    from align.encoders.lexical.encoding import encode_both  # and torch with it

    rows = chunk.rows
    texts, languages = [row.text for row in rows], [row.language for row in rows]
    if job.romanize:
        texts, languages = romanized(texts, languages), list(map(latin, languages))
    how: dict[str, Any] = {
        "language": languages,
        "deterministic": job.deterministic,
        "finite": False,
        "progress": progress or False,
    }
    found: NDArray[Any]
    found, sparse = encode_both(encoder, texts, **how) if job.sparse else (encoder.encode(texts, **how), None)
    with np.errstate(over="ignore", invalid="ignore"):
        vectors = found.astype(job.dtype, copy=False)
    finite = np.asarray(np.isfinite(found).all(axis=1))
    fits: NDArray[np.bool_] = np.isfinite(vectors).all(axis=1)
    rejects = [*chunk.rejects]
    for number in np.flatnonzero(~fits).tolist():
        row = rows[number]
        reason = f"the vector does not fit {job.dtype}" if finite[number] else "the encoder gives NaN or infinity"
        rejects.append(Reject(row.file, row.line, reason, row.id, row.text))
    kept = list(compress(rows, fits.tolist()))
    table = vector_table(
        [row.id for row in kept], vectors if fits.all() else vectors[fits], texts=[row.text for row in kept],
        languages=[row.language for row in kept], scripts=[row.script or script_of(row.text) for row in kept],
        store_texts=job.store_texts,
        columns={name: [row.kept[place] for row in kept] for place, name in enumerate(job.keep)},
        sparse=None if sparse is None else sparse[fits],
    )  # fmt: skip
    write_part(job.out, chunk.number, table, [reject.known() for reject in rejects])
    return Done(chunk.number, len(kept), len(rejects))


def romanized(texts: Sequence[str], languages: Sequence[str]) -> list[str]:
    """Texts as uroman writes them, each by the rules of its language; "": not known."""
    from align.text.romanize.romanizer import romanize

    places = defaultdict(list)
    for place, language in enumerate(languages):
        places[language].append(place)
    made = [""] * len(texts)
    for language, here in places.items():
        for place, text in zip(here, romanize([texts[place] for place in here], lang=language or None), strict=True):
            made[place] = text
    return made


def script_of(text: str) -> str:
    """ISO 15924 code of the script of most letters of a text; "" when it has none."""
    script = dominant_script(text)
    return "" if script == "Zyyy" else script

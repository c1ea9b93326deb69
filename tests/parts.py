"""Chunks of a corpus of words, what becomes of them in a folder, and what a worker takes a while to read."""

from __future__ import annotations

import time
from dataclasses import replace
from operator import itemgetter

import numpy as np
from toy import words

from align.encoders.checkpoint import load_encoder
from align.vectors.corpus.parts import Chunk, Job, encode_chunk, encoder_identity
from align.vectors.corpus.rows import Reject, Row
from align.vectors.folder import vectors_of
from align.vectors.writing import begin, finish

ROWS = 8


def chunk(number):
    rows = [Row(f"{number}-{i}", text, "eng_Latn", "Latn", i, "") for i, text in enumerate(words(ROWS, seed=number))]
    return Chunk(number, rows, [Reject("corpus.txt", 999, "no text")] if number == 1 else [])


def begun(out, model):
    """A job for a folder that is begun."""
    encoder = load_encoder(model, device="cpu")
    identity = encoder_identity(encoder, romanize=False)
    begin(out, {"encoder": identity, "dimension": encoder.dimension, "dtype": "float32"})
    return Job(out, str(model), {"device": "cpu"})


class Nap:
    """Nothing, which takes half a second to unpickle."""

    def __reduce__(self):
        return time.sleep, (0.5,)


class Late:
    """Rows that come so late: meanwhile a worker is busy."""

    def __init__(self, rows):
        self.rows = rows

    def __reduce__(self):
        return itemgetter(1), ((Nap(), self.rows),)


def late(chunk):
    return replace(chunk, rows=Late(chunk.rows))


def assert_as_alone(out, parts, model):
    """Parts are those that one process writes: the same rows, in order, once, and the same vectors."""
    alone = begun(out.with_name("alone"), model)
    encoder = load_encoder(model, device="cpu")
    for number in range(parts):
        encode_chunk(encoder, alone, chunk(number))
    (rows, vectors), (expected, near) = content(out, parts), content(alone.out, parts)
    assert rows == expected and len({row["id"] for row in rows}) == parts * ROWS
    np.testing.assert_allclose(vectors, near, atol=1e-6)
    assert abs(vectors - vectors[0]).max() > 0.1  # they are not all the same


def content(out, parts):
    """Rows in order, without vectors, and the vectors."""
    tables = list(finish(out, parts).tables())
    rows = [row for table in tables for row in table.drop_columns("vector").to_pylist()]
    return rows, np.concatenate([vectors_of(table) for table in tables])

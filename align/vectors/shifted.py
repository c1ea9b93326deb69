"""A folder of vectors whose offsets are taken off as it is read: what was encoded without them need not be again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from align.encoders.offsets.folder import Offsets, open_offsets
from align.text.languages import latin
from align.vectors.folder import Vectors, open_vectors, vector_column, vectors_of


@dataclass(frozen=True)
class Shifted(Vectors):
    """Vectors without offsets, and these; its manifest is that of vectors that were encoded with them."""

    offsets: Offsets

    def tables(
        self, columns: Sequence[str] | None = None, *, rows: int = 16_384, verify: bool = True
    ) -> Iterator[pa.Table]:
        """The rows in order, each with its offset taken off; see :meth:`align.vectors.folder.Vectors.tables`."""
        read = columns if columns is None or "vector" not in columns else [*columns, "language", "script"]
        for table in super().tables(None if read is None else list(dict.fromkeys(read)), rows=rows, verify=verify):
            if "vector" not in table.column_names:
                yield table
                continue
            languages = table["language"].to_pylist()
            if self.encoder.get("romanizer"):  # what was encoded is in Latin letters, whatever the stored text is in
                languages = list(map(latin, languages))
            scripts = ["Latn"] * len(table) if self.encoder.get("romanizer") else table["script"].to_pylist()
            vectors = np.array(vectors_of(table))
            moved = self.offsets.taken_off(vectors, languages, scripts, unit=bool(self.encoder.get("unit")))
            moved_table = table.set_column(table.column_names.index("vector"), "vector", vector_column(moved))
            yield (
                moved_table
                if columns is None
                else moved_table.select([name for name in columns if name in table.column_names])
            )


def read_vectors(vectors: Vectors | Path | str, offsets: Offsets | Path | str | None = None) -> Vectors:
    """A folder of vectors, opened; with offsets, its rows without them.

    Args:
        vectors: the folder, or opened.
        offsets: what :func:`align.offsets` wrote for the encoder of the vectors; ``None``: rows as they are.

    Raises:
        InputError: no such folder; the offsets of another encoder, or vectors that have offsets taken off already.
    """
    opened = vectors if isinstance(vectors, Vectors) else open_vectors(vectors)
    if offsets is None:
        return opened
    given = offsets if isinstance(offsets, Offsets) else open_offsets(offsets)
    given.check(opened.encoder)
    encoder = {**opened.encoder, "offsets": given.identity}
    return Shifted(opened.folder, {**opened.manifest, "encoder": encoder}, given)

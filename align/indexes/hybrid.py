"""Search by sparse vectors, or by sparse and dense ones together, with the terms that a hit shares with its query."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from align.errors import InputError
from align.files.whole import existing_file
from align.indexes.augment import read_asked
from align.indexes.index import Index
from align.indexes.lexical import Lexical
from align.indexes.rows import Where
from align.indexes.search import Hit, hits, query_encoder
from align.similarity.nearest import check_at_least_one

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

log = logging.getLogger(__name__)

FUSION = "rrf"


def lexical_searcher(
    index: Index,
    encoder: Encoder,
    k: int = 10,
    *,
    hybrid: str | float | Path | None = None,
    explain: bool = False,
    where: Where | None = None,
    **asking: Any,
) -> Callable[[Sequence[str]], list[list[Hit]]]:
    """The function from queries to hits of a folder with sparse vectors; every row is compared.

    Args:
        index: what ``align encode --sparse`` wrote, opened.
        encoder: that made it.
        k: hits of each query.
        hybrid: ``None``: the inner product of the sparse vectors, of rows that share a term. ``rrf``: reciprocal rank
            fusion of the sparse and the dense ranks. A weight w in 0..1: w x sparse + (1 - w) x dense score. Any other
            text, or a path: a file of lines id TAB query, on which that weight is fitted (recall of the first k).
        explain: fill :attr:`align.indexes.search.Hit.terms` with the products of the terms that both have, which add up
            to the sparse score.
        where: see :meth:`align.indexes.index.Index.search`.
        asking: further arguments of :func:`align.indexes.search.query_encoder`.

    Raises:
        InputError: as there and :class:`align.indexes.lexical.Lexical`; ``k`` < 1; a weight outside 0..1; a dev file
            that is missing, empty or names a row that is not there.
    """
    from align.encoders.lexical.encoding import encode_both
    from align.encoders.lexical.head import lexical_identity

    check_at_least_one(k)
    how = _mixture(hybrid)
    lexical = Lexical(index, lexical_identity(encoder))
    encode = query_encoder(index, encoder, by=encode_both, **asking)
    if isinstance(how, Path):
        how = _fitted(lexical, encode, how, k)

    def answer(queries: Sequence[str]) -> list[list[Hit]]:
        dense, sparse = encode(queries)
        if how == FUSION:
            found = lexical.fused(sparse, dense, k, where=where)
        else:
            found = lexical.search(sparse, dense, k, weight=float(how), where=where)
        made = hits(index, queries, found)
        if not explain:
            return made
        parts = lexical.parts(sparse, found[1])
        return [
            [replace(hit, terms=of[hit.rank - 1]) for hit in of_query] for of_query, of in zip(made, parts, strict=True)
        ]

    return answer


def _mixture(hybrid: str | float | Path | None) -> str | float | Path:
    """``rrf``, a weight, or a file to fit it on."""
    if hybrid is None:
        return 1.0
    if hybrid == FUSION:
        return FUSION
    try:
        weight = float(hybrid) if not isinstance(hybrid, Path) else None
    except ValueError:
        weight = None
    if weight is None:
        try:
            return existing_file(Path(hybrid))  # type: ignore[arg-type]  # no number comes here
        except InputError as error:
            raise InputError(f"hybrid is {FUSION}, a weight in 0..1 or a file of dev queries: {error}") from error
    if not 0 <= weight <= 1:
        raise InputError(f"the weight of the sparse scores must be in 0..1, got {weight}")
    return weight


def _fitted(lexical: Lexical, encode: Callable[..., Any], dev: Path, k: int) -> float:
    ids = [table.column("id").combine_chunks() for table in lexical.vectors.tables(["id"], verify=False)]
    asked = read_asked(dev, pa.chunked_array(ids, pa.string()), lexical.vectors.folder)
    if not len(asked.owners):
        raise InputError(f"{dev} is empty: expected lines id TAB query to fit the weight on")
    dense, sparse = encode(asked.texts.to_pylist())
    weight, recalls = lexical.best_weight(sparse, dense, np.asarray(asked.owners), k=k)
    log.info(
        "weight of the sparse scores %.2f: recall@%d of %d dev queries %.3f; sparse alone %.3f, dense alone %.3f",
        weight, k, len(asked.owners), recalls[f"{weight:.2f}"], recalls["1.00"], recalls["0.00"],
    )  # fmt: skip
    return weight

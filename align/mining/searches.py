"""The search for the negatives of a table: its texts are encoded, then block after block is kept when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from align.errors import InputError
from align.files.whole import sha256, whole_file
from align.mining.choice import Rule
from align.mining.coded import Coded, Pool, coded
from align.mining.neighbours import faiss_search
from align.mining.other_meanings import Find, nearest_others, own_counts
from align.mining.sides import side
from align.pairs.choices import check_choice
from align.similarity.cosine import normalize, slices
from align.similarity.nearest import top_k
from align.streams import stream
from align.text.hashing import json_hash

if TYPE_CHECKING:
    from datasets import Dataset

    from align.encoders.encoder import Encoder

Ints = NDArray[np.int64]
COMPARED = 16_384
"""Vectors of either side that are held at once to compare them one by one."""


@dataclass(frozen=True)
class Search:
    """How it is done.

    Raises:
        InputError: an option that makes no sense.
    """

    rule: Rule
    same_language: bool
    engine: str
    factory: str | None
    probes: int
    block: int
    seed: int

    def __post_init__(self) -> None:
        check_choice("engine", self.engine, Literal["exact", "faiss"])
        for name in ("probes", "block"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"seed must not be negative, got {self.seed}")


class Found(NamedTuple):
    """The negatives of every row of a table."""

    texts: Any
    """Arrow strings."""
    targets: Ints
    """(n, number) places in ``texts``; -1 after the last."""
    too_near: int
    """Texts of the windows that were taken for other positives."""
    largest: int
    """Rows of the meaning that has most."""

    @property
    def counts(self) -> Ints:
        """(n,) negatives of each row."""
        counts: Ints = (self.targets >= 0).sum(axis=1)
        return counts

    def rows(self) -> Iterator[list[str]]:
        """The negatives of each row, the nearest first."""
        for places in self.targets:
            yield self.texts.take(pa.array(places[places >= 0])).to_pylist()


class Vectors(NamedTuple):
    """What an encoder makes of the texts of both sides, memory-mapped."""

    sources: NDArray[Any]
    targets: NDArray[Any]

    def cosines(self, sources: Ints, targets: Ints) -> NDArray[np.float32]:
        """Cosines of sources with as many targets, to six decimals as those of a search; -1 is the last text."""
        flat = sources.ravel(), targets.ravel()
        found = np.empty(flat[0].shape, dtype=np.float32)
        for part in slices(len(found), COMPARED):
            x, y = normalize(self.sources[flat[0][part]]), normalize(self.targets[flat[1][part]])
            found[part] = np.einsum("id,id->i", x, y)
        return found.round(6).reshape(sources.shape)


class Block(NamedTuple):
    """Some rows, and what was found for them."""

    rows: Ints
    targets: Ints
    """(b, number) places of texts, -1 after the last."""
    too_near: int


@dataclass(frozen=True)
class Miner:
    """A table, and the vectors by which texts are found and judged."""

    table: Coded
    near: Vectors
    judging: Vectors
    how: Search

    def blocks(self, folder: Path) -> Iterator[Block]:
        """All rows, block by block; what is in the folder is not searched for again."""
        number = 0
        for pool in self.table.each_pool():
            find = self._search(pool)
            meanings = self.table.meanings[pool.rows[pool.bounds[:-1]]]
            own = own_counts(meanings, self.table.meanings[pool.candidates])
            queries = np.argsort(own, kind="stable")  # those of a block have about as many of their own
            for here in slices(len(queries), self.how.block):
                file = folder / f"{number:06}.npz"
                if not file.is_file():
                    _keep(file, self.block(pool, queries[here], find, number))
                yield _kept(file)
                number += 1

    def block(self, pool: Pool, queries: Ints, find: Find, number: int) -> Block:
        """What is found for some sources of a pool."""
        table, rule = self.table, self.how.rule
        firsts, candidates = pool.rows[pool.bounds[queries]], pool.candidates
        units = self.near.sources[table.sources[firsts]]
        found = nearest_others(find, units, table.meanings[firsts], table.meanings[candidates], rule.ranks[1])
        rows, of = pool.rows_of(queries)
        others = candidates[found.rows[of]]  # (b, k) rows of the table
        there = found.rows[of] >= 0
        for own in table.own[rows].T:
            there &= table.target_numbers[others] != own[:, None]
        judged = found.cosines[of]
        if self.judging is not self.near:
            sources = np.broadcast_to(table.sources[rows, None], others.shape)
            judged = self.judging.cosines(sources, table.targets[others])
        positives = self.judging.cosines(table.sources[rows], table.targets[rows])
        chosen = rule.choose(there, judged, positives, stream(self.how.seed, "negatives", number))
        places = np.take_along_axis(table.targets[others], chosen.places.clip(0), axis=1)
        return Block(rows, np.where(chosen.places >= 0, places, -1), chosen.too_near)

    def _search(self, pool: Pool) -> Find:
        """By an index that is built when it is first asked for."""
        how, candidates = self.how, self.table.targets[pool.candidates]

        @cache
        def built() -> Find:
            vectors = self.near.targets[candidates]
            if how.engine == "faiss":
                return faiss_search(vectors, factory=how.factory, probes=how.probes, block=how.block)
            return lambda queries, k: top_k(queries, vectors, k, block=how.block)

        return lambda queries, k: built()(queries, k)


def search(
    pairs: Dataset, encoder: Encoder, query_prompt: str, guide: Encoder | None, how: Search, work: Path, *,
    progress: bool = False,
) -> Found:  # fmt: skip
    """The negatives of every row.

    Args:
        pairs: the table.
        encoder: finds them; its prompt stands before the targets.
        query_prompt: stands before the sources.
        guide: judges which texts are too near; None: the encoder does.
        how: how it is done.
        work: folder of what is made on the way, which is used again if it is there.
        progress: show bars.
    """
    table = coded(pairs, same_language=how.same_language)
    near = _encoded(table, encoder, query_prompt, work, progress=progress)
    judging = near if guide is None else _encoded(table, guide, guide.prompt, work, progress=progress)
    made_of = {
        "encoder": encoder.identity(), "query_prompt": query_prompt, "guide": guide and guide.identity(),
        "how": asdict(how), "table": table.digest(),
    }  # fmt: skip
    folder = work / f"found-{json_hash(made_of)[:16]}"
    folder.mkdir(exist_ok=True)
    targets, too_near = np.full((len(pairs), how.rule.number), -1), 0
    blocks = Miner(table, near, judging, how).blocks(folder)
    with tqdm(total=len(pairs), desc="search", unit=" pairs", disable=not progress) as bar:
        for block in blocks:
            targets[block.rows] = block.targets
            too_near += block.too_near
            bar.update(len(block.rows))
    return Found(table.target_texts, targets, too_near, table.largest)


def _encoded(table: Coded, encoder: Encoder, query_prompt: str, work: Path, *, progress: bool) -> Vectors:
    from align.vectors.corpus.encoding import encode

    usual, made = encoder.prompt, []
    try:
        for name, texts in (("sources", table.source_texts), ("targets", table.target_texts)):
            encoder.prompt = query_prompt if name == "sources" else usual
            file = work / f"{name}.parquet"
            with whole_file(file) as temporary:
                pq.write_table(pa.table({"text": texts}), temporary)
            out = work / f"{name}-{json_hash([encoder.identity(), sha256(file)])[:16]}"
            vectors = encode(
                encoder, [file], out, id="line", store_texts=False, language_column="", progress=progress
            )  # fmt: skip
            made.append(side(vectors).unique_rows(out.with_suffix(".raw")))
    finally:
        encoder.prompt = usual
    return Vectors(*made)


def _keep(file: Path, block: Block) -> None:
    with whole_file(file) as temporary, open(temporary, "wb") as opened:
        np.savez(opened, **block._asdict())


def _kept(file: Path) -> Block:
    with np.load(file, allow_pickle=False) as kept:
        return Block(kept["rows"], kept["targets"], int(kept["too_near"]))

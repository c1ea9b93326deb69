"""Pairs as flat integer arrays: tokenised once, so that samplers and batches never see a string."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from align.errors import InputError
from align.files.folders import whole_folder
from align.files.locks import locked
from align.files.whole import user_cache
from align.pairs.mentions import MENTION
from align.training.distributed import first_process_first
from align.training.hard_negatives import NEGATIVE, counts_of
from align.training.pair_columns import NEEDED, TEXTS, Survey, flat, integers, read_blocks, survey, with_mentions
from align.training.store_files import MANIFEST, growing_arrays, open_arrays, seal
from align.training.tokens import Tokens, mentions_of, spans, texts_of, token_block, tokenizer_digest

if TYPE_CHECKING:
    from datasets import Dataset

    from align.encoders.encoder import Encoder

VERSION = 2  # of the files; another number leaves the older ones alone
STORED = (
    "languages", "language_pairs", "groups", "tables", "negative_texts", "negative_bounds", "scores", "labels",
    "mentions", "classes", "sides",
)  # fmt: skip
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairStore:
    """Tokenised pairs of one or several tables, and what the sampler needs to know of them."""

    source: Tokens
    """Source side (native script, premise)."""
    target: Tokens
    """Target side (romanisation, translation, entailed hypothesis)."""
    languages: NDArray[np.int64]
    """(n,) index into ``names`` of the source language."""
    names: tuple[str, ...]
    """Language codes, sorted."""
    language_pairs: NDArray[np.int64]
    """(n,) integer of the two languages of each pair, in either order."""
    groups: NDArray[np.int64]
    """(n, 3) 63-bit hashes of the ``group_id``, the source and the target of each pair, as ``pair_columns`` makes them:
    pairs that share one of these are never each other's negatives."""
    tables: NDArray[np.int64]
    """(n,) index into ``table_names``."""
    table_names: tuple[str, ...]
    """Names of the tables, in the order of their rows."""
    digest: str
    """Hash of all columns that training reads."""
    negative: Tokens | None = None
    """Texts known to be wrong, where the objectives ask for them: one for each pair, or those of all pairs in turn."""
    negative_texts: NDArray[np.int64] | None = None
    """(m,) hashes of these texts, comparable with the last two columns of ``groups``."""
    negative_bounds: NDArray[np.int64] | None = None
    """(n + 1,) where those of each pair begin; None: each pair has one."""
    scores: NDArray[np.float64] | None = None
    """(n,) similarities in 0..1, where the objectives ask for them."""
    labels: NDArray[np.int64] | None = None
    """(n,) index into ``label_names``, where the objectives ask for it."""
    label_names: tuple[str, ...] = ()
    """Labels, sorted."""
    mentions: NDArray[np.int64] | None = None
    """(n, 2) first and one behind the last token of the source that its vector is pooled from; 0 and 0: of all."""
    classes: NDArray[np.int64] | None = None
    """(n,) index into ``class_names``, -1 where a pair has none, where the objectives ask for it."""
    class_names: tuple[str, ...] = ()
    """Classes, sorted."""
    sides: NDArray[np.int64] | None = None
    """(n, 2) integers of the languages of source and target, where the objectives ask for classes."""
    folder: Path | None = field(default=None, init=False, repr=False, compare=False)
    """Whose files the arrays map; None: they are in memory."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of the longest text of a pair, computed anew from the offsets each time."""
        longest: NDArray[np.int64] = np.maximum(self.source.lengths, self.target.lengths)
        if self.negative is None:
            return longest
        if self.negative_bounds is None:
            return np.maximum(longest, self.negative.lengths)
        some = np.flatnonzero(np.diff(self.negative_bounds))
        of_negatives = np.maximum.reduceat(self.negative.lengths, self.negative_bounds[some])
        longest[some] = np.maximum(longest[some], of_negatives)
        return longest

    @property
    def costs(self) -> NDArray[np.int64]:
        """(n,) tokens of all texts of a pair together, computed anew from the offsets each time."""
        both: NDArray[np.int64] = self.source.lengths + self.target.lengths
        if self.negative is None:
            return both
        bounds = self.negative_bounds
        return both + (self.negative.lengths if bounds is None else np.diff(self.negative.offsets[bounds]))

    def negatives_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in ``negative`` of the hard negatives of some pairs, pair by pair."""
        return rows if self.negative_bounds is None else spans(self.negative_bounds, rows)[0]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Another process (a DataLoader's worker) maps the same files instead of being sent their content."""
        return (open_store, (self.folder,)) if self.folder else super().__reduce_ex__(protocol)


def build_store(
    pairs: Dataset | Mapping[str, Dataset],
    encoder: Encoder,
    *,
    max_tokens: int,
    columns: Sequence[str] = (),
    progress: bool = False,
    cache: Path | None = None,
    language_tags: bool = False,
) -> PairStore:
    """Tokenise pair tables, one after the other, into memory-mapped files; or open those made before.

    A store is a folder of ``cache``, named by the hash of all that decides it: the values of the columns read,
    tokenizer, prompt, ``max_tokens`` and version of the files. It is written whole or not at all, and a damaged one is
    built anew. The tables are read in blocks; memory does not grow with them. The Rust tokenizer uses all cores
    (``TOKENIZERS_PARALLELISM``, ``RAYON_NUM_THREADS``).

    In a distributed run the first process builds and the others wait, for as long as the group's timeout; those that
    do not see its folder (another machine) then build their own.

    Args:
        pairs: a table, or several by name; equal ``group_id`` mean the same in all of them.
        encoder: its tokenizer, prompt and special tokens are used.
        max_tokens: longer texts are cut.
        columns: further ones, that the objectives read (negative, score, label): every row must have a value, but that
            ``negative_1``, ``negative_2``, ..., read as ``negative``, may be empty where a row has fewer.
        progress: show a bar.
        cache: folder of the stores; None: ``stores`` in align's folder of the user's cache (``XDG_CACHE_HOME``).
        language_tags: put the tag of its language before each text; a hard negative has its target's.

    Raises:
        InputError: a table lacks a column, a value or any row, a score is outside 0..1, or ``cache`` cannot be
            written to.
    """
    tables = with_mentions(pairs if isinstance(pairs, Mapping) else {"pairs": pairs})
    mentioned = [MENTION] if any(MENTION in rows.column_names for rows in tables.values()) else []
    read = tuple(dict.fromkeys((*NEEDED, *columns, *mentioned)))
    limit = min(max_tokens or encoder.max_tokens, encoder.max_tokens)

    def build() -> PairStore:
        facts = survey(tables, read)
        folder = (user_cache("stores") if cache is None else Path(cache)) / _key(
            facts, read, encoder, limit, language_tags
        )  # fmt: skip
        rows = sum(facts.rows.values())
        there = (folder / MANIFEST).exists()
        if there and (store := _kept(folder, rows)):
            return store
        with locked(folder, wait=True):
            if not there and (store := _kept(folder, rows)):  # another process was faster
                return store
            with whole_folder(folder, kind="token store") as unfinished:
                _write(unfinished, tables, facts, read, encoder, limit, progress, language_tags)
        log.info("%d pairs are tokenised, and kept in %s", rows, folder)
        return open_store(folder, verify=True)

    return first_process_first(build)


def open_store(folder: Path, *, verify: bool = False) -> PairStore:
    """The store in a folder, memory-mapped.

    Raises:
        InputError: its manifest cannot be read, or (with ``verify``) a file is damaged.
    """
    facts, arrays = open_arrays(folder, verify=verify)
    sides = {
        side: Tokens(arrays[f"{side}_ids"], arrays[f"{side}_offsets"]) for side in TEXTS if f"{side}_ids" in arrays
    }
    given = {name: arrays.get(name) for name in STORED}
    names = {name: tuple(facts.get(name, ())) for name in ("names", "table_names", "label_names", "class_names")}
    store = PairStore(**sides, **given, **names, digest=facts["digest"])  # type: ignore[arg-type]
    object.__setattr__(store, "folder", folder)
    return store


def _kept(folder: Path, rows: int) -> PairStore | None:
    """The store of a folder; None: there is none, or a damaged one."""
    if not (folder / MANIFEST).exists():
        return None
    try:
        store = open_store(folder, verify=True)
    except InputError as error:
        log.warning("%s; the pairs are tokenised anew", error)
        return None
    log.info("%d pairs, tokenised before, are read from %s", rows, folder)
    return store


def _key(facts: Survey, columns: Sequence[str], encoder: Encoder, limit: int, language_tags: bool) -> str:
    made_of = {
        "version": VERSION, "digest": facts.digest, "columns": columns, "tables": list(facts.rows.items()),
        "labels": facts.label_names, "tokenizer": tokenizer_digest(encoder), "max_tokens": limit,
    } | ({"language_tags": True} if language_tags else {})  # fmt: skip
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]


def _write(
    folder: Path, tables: Mapping[str, Dataset], facts: Survey, columns: Sequence[str], encoder: Encoder, limit: int,
    progress: bool, language_tags: bool,
) -> None:  # fmt: skip
    """Tokenise block by block, each array appended to its file; the manifest last."""
    ends = dict.fromkeys((side for side in TEXTS if side in columns), 0)
    bar = tqdm(total=sum(facts.rows.values()), desc="tokenise", unit="pair", disable=not progress)
    with growing_arrays(folder) as append, bar:
        for side in ends:
            append(f"{side}_offsets", np.zeros(1, dtype=np.int64))
        negatives = unread = 0
        if facts.lists:
            append("negative_bounds", np.zeros(1, dtype=np.int64))
        for number, (table, rows) in enumerate(tables.items()):
            for block in read_blocks(rows, columns, lists=facts.lists, table=table):
                if facts.lists:
                    append("negative_bounds", negatives + np.cumsum(counts_of(block[NEGATIVE])))
                    negatives += len(flat(block[NEGATIVE]))
                for side in ends:
                    texts = texts_of(block, side, encoder if language_tags else None)
                    given: dict[int, Any] = {}
                    if side == "source" and MENTION in block:
                        given, places, missed = mentions_of(texts, block, encoder, max_tokens=limit)
                        append("mentions", places)
                        unread += missed
                    ids, lengths = token_block(texts, encoder, max_tokens=limit, given=given)
                    append(f"{side}_ids", ids)
                    append(f"{side}_offsets", ends[side] + np.cumsum(lengths))
                    ends[side] += len(ids)
                size = len(block["source"])
                for name, values in (integers(block, facts) | {"tables": np.full(size, number)}).items():
                    append(name, values)
                bar.update(size)
    if unread:
        log.warning("%d mentions are not within %d tokens: their texts are pooled whole", unread, limit)
    seal(folder, {
        "version": VERSION, "digest": facts.digest, "names": facts.names, "table_names": list(facts.rows),
        "label_names": facts.label_names, "class_names": facts.class_names, "max_tokens": limit,
        "prompt": encoder.prompt,
    })  # fmt: skip

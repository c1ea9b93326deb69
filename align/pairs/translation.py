"""Translation pairs: a sentence, and what it is in another language."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from align.pairs.directions import ENGLISH, Directions, Side
from align.pairs.filters.held_out import GivenTests, HeldOut
from align.pairs.filters.translations import Identify, TranslationFilters, pair_problem, side_problem
from align.pairs.groups import text_group
from align.pairs.reading.bitext import Translation, read_bitext
from align.pairs.reading.bitexts import AnyBitext, described_bitexts, find_bitexts
from align.pairs.reading.row_sources import GivenRows
from align.pairs.table import PairWriter, pair_writer
from align.text.normal_forms import normalised, text_hash

logger = logging.getLogger(__name__)


def translation_pairs(
    texts: GivenRows,
    out: Path | str,
    *,
    pivot: str | None = None,
    pivot_side: Side = "source",
    pairs: Sequence[tuple[str, str]] = (),
    columns: tuple[str, str] | None = None,
    filters: TranslationFilters | None = None,
    exclude: GivenTests = (),
    identify: Identify | None = None,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of translation pairs to the folder ``out`` and return its manifest.

    ``lines = rows + sum(rejects)`` in the manifest, where a line is one translation that was read: a line of two
    aligned files, a row, a unit. Rejects are listed with file, line and reason in ``rejects.tsv``. One pass: a dataset
    on the Hub is streamed once. Memory: some 70 bytes a pair, to find duplicates.

    ``group_id`` is ``folder:line`` for a folder of many languages, or three files and more: translations of one line
    share it, as transliteration pairs with ``groups="line"`` do. Elsewhere it is the hash of the pivot's text (of the
    source, in a pair without the pivot): the translations of one sentence share it, wherever they come from.

    Args:
        texts: files, folders, ``RowFile``, ``HubRows``, or ``{codes: file or files}``.
            Line-aligned text, one file a language: ``{"eng_Latn": "corpus.en", "hin_Deva": "corpus.hi"}``, or files
            (or a folder of them) named ``eng_Latn.txt``, ``hin_Deva.txt.gz``.
            Both sides in one file: ``{"eng_Latn-hin_Deva": "corpus.tmx"}``, or a file named ``eng_Latn-hin_Deva.tsv``;
            endings ``.tmx``, ``.tsv`` (source TAB target), ``.jsonl``, ``.gz`` of these, ``.parquet``.
        out: folder of the table; an older table there is replaced.
        pivot: of line-aligned text, the language in every pair; None: eng_Latn if it is there, else the first of two.
        pivot_side: side of the pivot in line-aligned text.
        pairs: of line-aligned text, the (source, target) languages to pair, instead of each language with the pivot.
        columns: names of the two columns, of TSV also their numbers (from 1); None: ``source, target``, ``english,
            non_english`` (the parallel sentences of sentence-transformers), ``src, tgt``; the first two of TSV without
            a header.
        filters: lengths, length ratio, script, copies, duplicates.
        exclude: test sets, files or folders: a pair with one of their texts on either side is rejected.
        identify: a language identifier, such as ``language_identifier()``; a side that it finds to be in another
            language is rejected.
        licence: of the sources that do not carry their own, for the manifest.

    Raises:
        InputError: a source is missing, empty, damaged or misnamed; two line-aligned files have other numbers of lines
            (both are given); no pair is left. Nothing is written.
    """
    directions, filters = Directions(tuple(pairs), pivot, pivot_side), filters or TranslationFilters()
    bitexts = find_bitexts(texts, directions, licence=licence)
    with pair_writer(out) as writer:
        held_out = HeldOut(exclude)
        build = _Build(writer, filters, held_out, identify, pivot or ENGLISH)
        lines = {bitext: build.read(bitext, columns) for bitext in bitexts}
        sources = described_bitexts(lines)
        writer.manifest |= {
            "kind": "translation",
            "lines": sum(lines.values()),
            "language_pairs": dict(build.pairs),
            "excluded": held_out.described(),
            "licences": sorted({source["licence"] for source in sources}),
            "sources": sources,
            "options": {
                "pairs": [list(pair) for pair in pairs],
                "pivot": pivot,
                "pivot_side": pivot_side,
                "columns": list(columns) if columns else None,
                "filters": asdict(filters),
                "identify": getattr(identify, "__name__", str(identify)) if identify else "none",
            },
        }
        empty = [name for name, rows in build.pairs.items() if not rows]
        if empty and writer.rows:
            logger.warning("no pair is left of %s; rejects: %s", ", ".join(empty), dict(writer.rejects))
    return writer.manifest


@dataclass
class _Build:
    """Rejects and pairs, as they come."""

    writer: PairWriter
    filters: TranslationFilters
    held_out: HeldOut
    identify: Identify | None
    pivot: str
    pairs: Counter[str] = field(default_factory=Counter)
    seen: dict[str, set[int]] = field(default_factory=dict)

    def read(self, bitext: AnyBitext, columns: tuple[str, str] | None) -> int:
        count = 0
        for item in read_bitext(bitext, columns):
            count += 1
            languages = f"{item.source_lang}-{item.target_lang}"
            reason = item.problem or self.reason(item, languages)
            self.pairs[languages] += not reason
            if reason:
                self.writer.reject(reason, item.file, item.number, f"{item.source}\t{item.target}")
            else:
                self.add(item)
        return count

    def reason(self, item: Translation, languages: str) -> str:
        for side, text, language in zip(("source", "target"), item[4:6], item[2:4], strict=True):
            problem = side_problem(text, language, self.filters, self.identify)
            if problem:
                return f"{side}: {problem}"
        problem = pair_problem(item.source, item.target, self.filters)
        if problem:
            return problem
        source, target = normalised(item.source), normalised(item.target)
        if self.held_out.meets(source, target):
            return "in a test set"
        seen, key = self.seen.setdefault(languages, set()), text_hash(f"{source}\t{target}")
        if self.filters.duplicates == "exact" and key in seen:
            return "duplicate"
        seen.add(key)
        return ""

    def add(self, item: Translation) -> None:
        pivot = item.target if item.target_lang == self.pivot else item.source
        row = {"source": item.source, "target": item.target}
        row |= {"source_lang": item.source_lang, "target_lang": item.target_lang, "kind": "translation"}
        self.writer.add(row | {"group_id": item.group or text_group(pivot)})
